"""Repetition: ends a text that repeats itself over and over.

A text repeats itself if it ends in `times` copies of one piece of at least `min_chars` code points,
and of at most LONGEST or twice `min_chars`. The end of such a text has a smallest period, and the
length of the piece is a multiple of it. So only stretches of one period need to be found. They are
looked for at fixed places of the text, in scales of period lengths, by comparing the text there
with itself. Once found, a stretch is followed character by character. The answer is exact.

Source: N. J. Fine, H. S. Wilf, "Uniqueness theorems for periodic functions", Proc. AMS 16 (1965)
109-114: where a text of at least two periods repeats, the next occurrence of its first half is one
smallest period away. All searches are `str.find` (two-way, linear) and comparisons of slices; with
the places as far apart as they are, that is linear in the text.
"""

from __future__ import annotations

from heapq import heapify, heapreplace
from typing import NamedTuple

from guardstream.stages.limits.bounds import End

LONGEST = 2_000
"""The longest piece, in code points, whose repetition is found; memory grows with it."""

SAMPLE = 16
"""How many code points are compared first: they nearly always show that a text does not repeat."""


class _Scale(NamedTuple):
    """Periods above `low` up to `high`, which are looked for every `step` characters."""

    low: int
    high: int
    step: int


class _Stretch(NamedTuple):
    """A stretch of the text with a smallest period; at the offset `full` it has lasted too long."""

    period: int
    piece: int
    full: int


class Loops:
    """How much a text may repeat itself: less than `times` copies of `min_chars` or more in a row.

    `times` is at least 3, because two copies are not a loop. Raises ValueError for less, and for
    `min_chars` less than 1.
    """

    def __init__(self, min_chars: int, times: int) -> None:
        if min_chars < 1 or times < 3:
            raise ValueError(
                f"a loop needs 'min_chars' of at least 1 and 'times' of at least 3, not "
                f"{min_chars} and {times}"
            )
        self.min_chars = min_chars
        self.times = times
        self.longest = max(LONGEST, 2 * min_chars)
        self.scales = tuple(self._scales())
        self.kept = max(2 * scale.high + scale.step for scale in self.scales)

    def _scales(self) -> list[_Scale]:
        # A stretch must be looked at once when it is two of the longest periods long, and before
        # it is `times` of the shortest long.
        times, low, high = self.times, 0, self.min_chars
        growth = min(times - 1, 4) / 2 if times > 3 else 1.25
        scales = []
        while low < self.longest:
            shortest = times * max(low + 1, self.min_chars)
            scales.append(_Scale(low, high, min(shortest - 2 * high + 1, self.longest)))
            low, high = high, min(max(high + 1, int(high * growth)), self.longest)
        return scales

    def piece(self, period: int) -> int:
        """Return the length of the shortest piece that counts and has the period."""
        return -(-self.min_chars // period) * period


class RepeatScan:
    """The search of one text; a Bound. It keeps the last few thousand characters of the text."""

    def __init__(self, loops: Loops) -> None:
        self._loops = loops
        self._text = ""
        self._parts: list[str] = []
        self._base = 0  # the offset at which `_text` begins
        self._due = [(scale.step, number) for number, scale in enumerate(loops.scales)]
        heapify(self._due)
        self._next = self._due[0][0]
        self._stretches: dict[int, _Stretch] = {}

    def read(self, text: str, start: int) -> End | None:
        """See `Bound.read`."""
        end = start + len(text)
        if end < self._next and not self._stretches:
            self._parts.append(text)
            return None
        at = start
        while at < end:
            stop = min(end, self._next)
            self._keep(text[at - start : stop - start], stop)
            full = self._follow(at, stop)
            if stop == self._next:
                self._look(stop)
                full += [each for each in self._stretches.values() if each.full == stop]
            if full:
                return self._end(min(full, key=lambda each: (each.full, each.piece)))
            at = stop
        return None

    def _keep(self, text: str, end: int) -> None:
        self._text = "".join((self._text, *self._parts, text))
        self._parts = []
        drop = len(self._text) - self._loops.kept
        if drop > self._loops.longest:
            self._text = self._text[drop:]
        self._base = end - len(self._text)

    def _follow(self, start: int, end: int) -> list[_Stretch]:
        """Drop the stretches that break before `end`; return those that have lasted too long."""
        full = []
        for number, stretch in list(self._stretches.items()):
            stop = min(end, stretch.full)
            first, last = start - self._base, stop - self._base
            period = stretch.period
            if self._text[first:last] != self._text[first - period : last - period]:
                del self._stretches[number]
            elif stop == stretch.full:
                full.append(stretch)
        return full

    def _look(self, end: int) -> None:
        """Look for stretches in all scales whose turn it is."""
        while self._next == end:
            number = self._due[0][1]
            scale = self._loops.scales[number]
            heapreplace(self._due, (end + scale.step, number))
            self._next = self._due[0][0]
            if number not in self._stretches and end >= 2 * scale.high:
                self._look_for(number, scale, end)

    def _look_for(self, number: int, scale: _Scale, end: int) -> None:
        text, length = self._text, len(self._text)
        middle, begin = length - scale.high, length - 2 * scale.high
        sample = text[middle : middle + SAMPLE]
        if text.find(sample, begin, middle + len(sample) - 1) < 0:
            return  # nearly always
        window = text[begin:]
        period = window.find(window[: scale.high], 1)
        if not scale.low < period <= scale.high or window[period:] != window[:-period]:
            return
        while begin and text[begin - 1] == text[begin - 1 + period]:
            begin -= 1
        piece = self._loops.piece(period)
        full = end - length + begin + self._loops.times * piece
        self._stretches[number] = _Stretch(period, piece, full)

    def _end(self, stretch: _Stretch) -> End:
        start = stretch.full - self._loops.times * stretch.piece
        return End(stretch.full - 1, stretch.full, start, stretch.full, "limits.repeat")
