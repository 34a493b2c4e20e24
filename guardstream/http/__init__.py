"""Guarded requests, bodies and byte streams, for HTTP servers and clients."""

from guardstream.http.body import aguard_body, guard_body
from guardstream.http.request import RefusedError, checked_request
from guardstream.http.stream import WireGuard
from guardstream.http.transport import GuardTransport, SyncGuardTransport

__all__ = [
    "GuardTransport",
    "RefusedError",
    "SyncGuardTransport",
    "WireGuard",
    "aguard_body",
    "checked_request",
    "guard_body",
]
