"""Server-sent events: a short name for `guardstream.framing.sse`."""

from guardstream.framing.sse import (
    MAX_EVENT,
    MAX_LINE,
    Blank,
    Comment,
    Decoder,
    Event,
    Item,
    complete,
    content,
    encode,
    error,
    start,
)

__all__ = [
    "MAX_EVENT",
    "MAX_LINE",
    "Blank",
    "Comment",
    "Decoder",
    "Event",
    "Item",
    "complete",
    "content",
    "encode",
    "error",
    "start",
]
