"""What extraction raises, and what stands where nothing has come."""

from __future__ import annotations

from enum import Enum
from typing import Any, Final

from guardstream.errors import GuardstreamError


class ExtractError(GuardstreamError):
    """A stream does not hold what was asked for. The `__cause__` says where and why.

    `partial` is the value so far, as plain JSON values: what is complete, and of open objects and
    arrays what they hold; where the text ended in a string, what there was of it. `offset` counts
    code points from the start of the stream. `index` is that of the item that was refused, from 0.
    """

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
"""A field that has not come and has no default; it is false. A field of any type may be it."""
