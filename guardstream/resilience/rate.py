"""A rate limit: the generic cell rate algorithm (ITU-T I.371, annex A).

Its whole state is the theoretical arrival time: when the next stream would be due if all came at
equal intervals. An earlier stream is admitted as long as no more than the limit begin within one
period.
"""

from __future__ import annotations

from typing import NamedTuple


class Rate(NamedTuple):
    """The number of streams that may begin in a number of seconds; after a pause, all at once."""

    streams: int
    seconds: float


class Pacer:
    """Assigns each arrival the time at which it may begin, first come, first served."""

    def __init__(self, rate: Rate) -> None:
        if rate.streams < 1 or not 0 < rate.seconds < float("inf"):
            raise ValueError("a rate lets at least one stream begin, in more than 0 seconds")
        self._step = rate.seconds / rate.streams
        self._early = rate.seconds - self._step
        self._due = float("-inf")

    def wait(self, now: float) -> float:
        """Return how many seconds an arrival at `now` would have to wait."""
        return max(0.0, self._due - self._early - now)

    def take(self, now: float) -> None:
        """Count an arrival, which begins as soon as it may."""
        self._due = max(self._due, now) + self._step

    def give_back(self) -> None:
        """Undo the last `take`: that one will not begin."""
        self._due -= self._step

    def idle(self, now: float) -> bool:
        """Return whether the state is that of a new pacer."""
        return self._due <= now
