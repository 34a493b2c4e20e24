"""A bound on how many begin in how long: the generic cell rate algorithm (ITU-T I.371, annex A).

All that is kept is one time: when the next one would be due if all came evenly. Who comes early is
let in as long as no more than the bound begin in any such time after a pause.
"""

from __future__ import annotations

from typing import NamedTuple


class Rate(NamedTuple):
    """So many streams may begin in so many seconds; all at once, if there was a pause before."""

    streams: int
    seconds: float


class Pacer:
    """Gives each that comes the time at which it may begin, in the order in which they come."""

    def __init__(self, rate: Rate) -> None:
        if rate.streams < 1 or not 0 < rate.seconds < float("inf"):
            raise ValueError("a rate lets at least one stream begin, in more than no time")
        self._step = rate.seconds / rate.streams
        self._early = rate.seconds - self._step
        self._due = float("-inf")

    def wait(self, now: float) -> float:
        """Return how many seconds from `now` on the next one would have to wait."""
        return max(0.0, self._due - self._early - now)

    def take(self, now: float) -> None:
        """Count one that begins as soon as it may."""
        self._due = max(self._due, now) + self._step

    def give_back(self) -> None:
        """Take back one that will not begin."""
        self._due -= self._step

    def idle(self, now: float) -> bool:
        """Tell whether nothing is left to remember."""
        return self._due <= now
