"""A guard below clients of httpx: the documented place of `guardstream.http.transport`."""

from guardstream.http.transport import GuardTransport, SyncGuardTransport

__all__ = ["GuardTransport", "SyncGuardTransport"]
