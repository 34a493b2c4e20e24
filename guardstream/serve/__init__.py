"""Guarded HTTP and WebSocket servers: ASGI middleware, proxy, replay; needs the extra `serve`."""

try:
    import starlette  # noqa: F401
except ImportError as error:  # pragma: no cover
    raise ImportError("serving needs starlette: pip install 'guardstream[serve]'") from error

from guardstream.serve.asgi import GuardMiddleware
from guardstream.serve.replay import Kept, MemoryReplay, ReplayStore
from guardstream.serve.routes import Route
from guardstream.serve.streams import aiter_events, heartbeats

__all__ = [
    "GuardMiddleware",
    "Kept",
    "MemoryReplay",
    "ReplayStore",
    "Route",
    "aiter_events",
    "heartbeats",
]
