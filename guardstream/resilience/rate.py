"""A rate limit: the generic cell rate algorithm (ITU-T I.371, annex A).

Its whole state is the theoretical arrival time: when the next stream would be due if all came at
equal intervals. Streams may come earlier by one period less an interval: so after a pause, as many
as the limit begin at once, and then one per interval.
"""

from __future__ import annotations

from typing import NamedTuple


class Rate(NamedTuple):
    """The number of streams that may begin in a number of seconds; after a pause, all at once."""

    streams: int
    seconds: float


class Pacer:
    """Tells when the next stream may begin, given those that have."""

    def __init__(self, rate: Rate) -> None:
        if rate.streams < 1 or not 0 < rate.seconds < float("inf"):
            raise ValueError("a rate must admit at least one stream, in more than 0 seconds")
        self._step = rate.seconds / rate.streams
        self._early = rate.seconds - self._step
        self._due = float("-inf")

    def wait(self, now: float, ahead: int = 0) -> float:
        """Return how many seconds an arrival at `now` has to wait, after `ahead` that wait."""
        return max(0.0, self._due + ahead * self._step - self._early - now)

    def take(self, now: float) -> None:
        """Count a stream that begins."""
        self._due = max(self._due, now) + self._step

    def give_back(self) -> None:
        """Undo a `take`: that stream did not begin."""
        self._due -= self._step

    def idle(self, now: float) -> bool:
        """Return whether the state is that of a new pacer."""
        return self._due <= now
