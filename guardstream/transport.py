"""A guard below clients of httpx: a short name for `guardstream.http.transport`."""

from guardstream.http.transport import GuardTransport, SyncGuardTransport

__all__ = ["GuardTransport", "SyncGuardTransport"]
