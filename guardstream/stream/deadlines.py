"""Time limits of a stream: for its first text, between two chunks, and in total."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf

from guardstream.amounts import check_seconds


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Time limits in seconds, None for no limit.

    `first_token` is the longest time from the first read of the stream to the first chunk with
    text, `idle` the longest wait for a chunk, `total` the longest time in total. A stream that
    exceeds one ends with the finish reason `timeout`, and held text is dropped.

    Raises TypeError for a value that is not a number, ValueError for one that is not positive.
    """

    first_token: float | None = None
    idle: float | None = None
    total: float | None = None

    def __post_init__(self) -> None:
        for name in ("first_token", "idle", "total"):
            check_seconds(name, getattr(self, name), none="no limit")

    def __bool__(self) -> bool:
        return not (self.first_token is None and self.idle is None and self.total is None)


class Watch:
    """Checks a stream's deadlines against a monotonic clock."""

    def __init__(self, deadlines: Deadlines, clock: Callable[[], float]) -> None:
        self.begun = False
        """Whether text has come."""
        self._first_token = _or_never(deadlines.first_token)
        self._idle = _or_never(deadlines.idle)
        self._total = _or_never(deadlines.total)
        self._clock = clock
        self._started: float | None = None
        self._waiting = 0.0

    def wait(self) -> None:
        """Record that the stream is waiting for the source."""
        self._waiting = self._clock()
        if self._started is None:
            self._started = self._waiting

    def remaining(self) -> float:
        """Return the seconds until the next deadline; zero or less if one has passed, or inf."""
        assert self._started is not None
        end = min(self._waiting + self._idle, self._started + self._total)
        if not self.begun:
            end = min(end, self._started + self._first_token)
        return end - self._clock()


def _or_never(seconds: float | None) -> float:
    return inf if seconds is None else seconds
