"""A former name of `guardstream.providers.adapter`; use that module."""

from guardstream.providers.adapter import (
    NEW,
    Adapter,
    Call,
    Kind,
    Piece,
    Reading,
    Released,
    Slot,
    Unknown,
)

__all__ = ["NEW", "Adapter", "Call", "Kind", "Piece", "Reading", "Released", "Slot", "Unknown"]
