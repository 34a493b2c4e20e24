"""The exception of extraction, and the value of fields that have not arrived."""

from __future__ import annotations

from enum import Enum
from typing import Any, Final

from guardstream.errors import GuardstreamError


class ExtractError(GuardstreamError):
    """A stream does not contain what was asked for. The `__cause__` says where and why.

    - `partial`: the value so far, as plain JSON values. Open objects and arrays have the members
      that had arrived, and an open string has its beginning.
    - `offset`: the place, in code points from the start of the stream.
    - `index`: the number of the item that was refused, from 0; None if it was none of the items.
    """

    __module__ = "guardstream.extract"  # where it is imported from, for tracebacks

    def __init__(self, reason: str, offset: int, partial: Any, *, index: int | None = None) -> None:
        super().__init__(reason)
        self.offset = offset
        self.partial = partial
        self.index = index


class Missing(Enum):
    """The type of MISSING."""

    MISSING = "MISSING"

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final[Any] = Missing.MISSING
"""The value of a field that has not arrived and has no default, whatever its type; it is false."""
