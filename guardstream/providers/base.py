"""What an adapter is: the documented place of `guardstream.providers.adapter`."""

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
