"""The places of findings in the text that came in: a finding's offsets count from the start of its
own text.

A stream has a text for each tool call, and a new one for an answer that continues after a call. So
a stage of the playground comes first in every pipeline, and notes its input. Findings that are
reported while that pipeline works are in that text.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from guardstream.events import Event, Finding, Text
from guardstream.stages.custom import StagePlan


class Place(NamedTuple):
    """A span of the text of a slot, in code points."""

    slot: str
    start: int
    end: int


@dataclass(slots=True)
class _Came:
    """Text of a slot, from an offset on, that no pipeline has been fed yet."""

    slot: str
    offset: int
    text: str


@dataclass(slots=True, eq=False)
class _Read:
    """The text of one pipeline, and the places of its parts."""

    text: list[str] = field(default_factory=list)
    length: int = 0
    begins: list[int] = field(default_factory=list)
    places: list[tuple[str, int] | None] = field(default_factory=list)

    def add(self, text: str, place: tuple[str, int] | None) -> None:
        self.begins.append(self.length)
        self.places.append(place)
        self.text.append(text)
        self.length += len(text)

    def part(self, start: int, end: int) -> str:
        """Return the text between two offsets."""
        first, last = self._index(start), self._index(max(start, end - 1))
        begin = self.begins[first] if self.begins else 0
        return "".join(self.text[first : last + 1])[start - begin : end - begin]

    def place(self, start: int, end: int) -> Place | None:
        """Return the place of a span; None for text that was not new."""
        ends = [self._place(start), self._place(max(start, end - 1))]
        first, last = ends
        if first is None or last is None or first[0] != last[0]:
            return None
        return Place(first[0], first[1], last[1] + (1 if end > start else 0))

    def _place(self, offset: int) -> tuple[str, int] | None:
        if not self.begins:
            return None
        index = self._index(offset)
        place = self.places[index]
        return place and (place[0], place[1] + offset - self.begins[index])

    def _index(self, offset: int) -> int:
        return max(0, bisect_right(self.begins, offset) - 1)


class Places:
    """Maps each finding of one stream to the text that it was found in.

    `findings` returns the findings of the stream so far.
    """

    def __init__(self, findings: Callable[[], Sequence[Finding]]) -> None:
        self._findings = findings
        self._lengths: dict[str, int] = {}
        self._coming: list[_Came] = []
        self._reading: _Read | None = None
        self._found: list[tuple[Finding, _Read | None]] = []
        self._told = 0

    @property
    def plan(self) -> StagePlan:
        """The plan of the stage that notes a pipeline's input; it comes before the rules."""
        return StagePlan(lambda: _Noting(self), "places", position="before")

    def came(self, slot: str, text: str) -> None:
        """Note text that came in, before the guard is fed it."""
        before = self._lengths.get(slot, 0)
        self._lengths[slot] = before + len(text)
        self._coming.append(_Came(slot, before, text))

    def new(self) -> list[tuple[Finding, str, Place | None]]:
        """Return each finding since the last call, the text that it is about, and its place."""
        self._note()
        found, self._found = self._found, []
        return [_placed(finding, read) for finding, read in found]

    def reads(self, read: _Read) -> None:
        """Note that a pipeline begins to work: later findings are in its text."""
        if read is not self._reading:
            self._note()
            self._reading = read

    def fed(self, text: str) -> tuple[str, int] | None:
        """Return the place of a text that a pipeline is fed; None if it repeats earlier text."""
        for number, came in enumerate(self._coming):
            if came.text.startswith(text):
                place = came.slot, came.offset
                came.text, came.offset = came.text[len(text) :], came.offset + len(text)
                if not came.text:
                    del self._coming[number]
                return place
        return None

    def _note(self) -> None:
        found = self._findings()[self._told :]
        self._told += len(found)
        self._found += [(finding, self._reading) for finding in found]


def _placed(finding: Finding, read: _Read | None) -> tuple[Finding, str, Place | None]:
    if read is None or finding.path:  # at a path that no format knows: it did not come in a slot
        return finding, "", None
    return (
        finding,
        read.part(finding.start, finding.end),
        read.place(finding.start, finding.end),
    )


class _Noting:
    """A stage that passes text on unchanged, and notes it."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._read = _Read()

    def feed(self, text: str) -> list[Event]:
        """Note text, and pass it on."""
        self._places.reads(self._read)
        self._read.add(text, self._places.fed(text))
        return [Text(text)]

    def finish(self) -> list[Event]:
        """Note that later findings are in this text."""
        self._places.reads(self._read)
        return []
