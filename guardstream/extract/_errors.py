"""What extraction raises."""

from __future__ import annotations

from typing import Any

from guardstream.errors import GuardstreamError


class ExtractError(GuardstreamError):
    """A stream does not hold what was asked for. The `__cause__` says where and why.

    `partial` is the value so far, as plain JSON values: what is complete, and of open objects and
    arrays what they hold. `offset` counts code points from the start of the stream.
    """

    def __init__(self, reason: str, offset: int, partial: Any) -> None:
        super().__init__(reason)
        self.offset = offset
        self.partial = partial
