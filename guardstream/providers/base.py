"""An older name of `guardstream.providers.adapter`, what an adapter is: take that one."""

from guardstream.providers.adapter import (
    NEW,
    Adapter,
    Call,
    Kind,
    Piece,
    Reading,
    Said,
    Slot,
    Unknown,
)

__all__ = ["NEW", "Adapter", "Call", "Kind", "Piece", "Reading", "Said", "Slot", "Unknown"]
