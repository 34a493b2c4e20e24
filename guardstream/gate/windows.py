"""The units of a text that are judged at once: by name or length, none longer than a bound."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from guardstream.stages.units import Lengths, Paragraphs, Sentences, Units, Whole

UNITS: dict[str, Callable[[], Units]] = {
    "sentence": Sentences,
    "paragraph": Paragraphs,
    "complete": Whole,
}


def units_of(unit: str | int) -> Callable[[], Units]:
    """Return what makes units of a name in `UNITS`, or of a number of code points."""
    return UNITS[unit] if isinstance(unit, str) else partial(Lengths, unit)


class Capped:
    """Finds where units end, and ends one that is as long as `most` code points."""

    def __init__(self, units: Units, most: int) -> None:
        self._units = units
        self._most = most
        self._length = 0

    def read(self, text: str) -> Iterator[tuple[int, int]]:
        """See `Units.read`."""
        start = 0
        for known, end in self._units.read(text):
            yield from self._cut(start, end)
            self._length, start = 0, end
            yield known, end
        yield from self._cut(start, len(text))

    def _cut(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        while end - start + self._length >= self._most:
            start += self._most - self._length
            self._length = 0
            yield start - 1, start
        self._length += end - start
