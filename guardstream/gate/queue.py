"""The chunks that wait at a gate, in order, and the texts in them that are judged; without I/O."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Generic, NamedTuple, TypeVar

from guardstream.events import Finding, FindingKind
from guardstream.formats import PlainText
from guardstream.formats.adapter import NEW, Adapter, Piece, Reading, Slot
from guardstream.formats.hooks import Reader, hooks_of
from guardstream.gate.verdict import ALLOW, BLOCK, Context, Verdict
from guardstream.stages.units import Units

C = TypeVar("C")


@dataclass(slots=True, eq=False)
class Unit:
    """A text that is judged as one, such as a sentence, once it is `over`.

    If it `repeats`, its format repeats it later, so it cannot be changed.
    """

    slot: Slot
    number: int
    start: int
    parts: list[str] = field(default_factory=list)
    length: int = 0
    before: str = ""
    over: bool = False
    repeats: bool = False
    verdict: Verdict | None = None
    kind: FindingKind = "match"
    reported: bool = False

    @property
    def text(self) -> str:
        """The whole text."""
        return "".join(self.parts)

    @property
    def context(self) -> Context:
        """The context that its check gets."""
        return Context(self.slot.choice, self.slot.channel, self.number, self.start, self.before)

    def add(self, text: str) -> None:
        """Add the next characters."""
        self.parts.append(text)
        self.length += len(text)

    @property
    def finding(self) -> Finding:
        """The finding that reports its verdict."""
        verdict = self.verdict or BLOCK
        actions = {"block": "block", "mask": "mask", "replace": "mask", "allow": "monitor"}
        return Finding(
            verdict.rule,
            self.start,
            self.start + self.length,
            actions[verdict.action],  # type: ignore[arg-type]
            verdict.severity,
            self.kind,
            self.slot.channel,
            self.slot.choice,
        )


class Segment(NamedTuple):
    """Some text of a chunk; of `unit`, if it is judged. `first`: the unit begins with it."""

    unit: Unit | None
    text: str
    first: bool = True


@dataclass(slots=True)
class _Track:
    """One streamed text: its open unit, and how far it has come."""

    units: Units
    unit: Unit | None = None
    number: int = 0
    length: int = 0
    tail: str = ""
    source: list[str] = field(default_factory=list)


class Entry(NamedTuple, Generic[C]):
    """A chunk that waits, with the segments of each of its pieces, and what has read it."""

    chunk: C
    reading: Reading
    pieces: list[list[Segment]]
    adapter: Adapter[C]


class Passed(NamedTuple, Generic[C]):
    """A chunk that may go out: as it came, as it goes out, and its texts as they go out."""

    chunk: C
    written: C | None
    reading: Reading
    texts: list[str]


class Queue(Generic[C]):
    """Chunks in a queue: `waiting` characters, and `pending` units that are being judged.

    `taken` counts the characters that came, each once, even if the format repeats text.

    `blocked` is the unit that has ended the queue. `barred` is the first unit that is known to
    block, at any place in the queue: nothing more need be read then. A unit that is not over after
    `ahead` characters blocks, and so does one for which twice as many characters of other texts
    wait.

    A queue that does not `hold` lets everything pass at once, except the end of a choice, which
    waits for all verdicts. A verdict that blocks ends the queue at the place that it has reached by
    then. `overlap` characters before a unit are in its context. `rule` is named in findings about
    units that the queue itself blocks.
    """

    def __init__(
        self,
        adapter: Adapter[C],
        make_units: Callable[[], Units],
        channels: Collection[str] | None,
        ahead: int,
        *,
        hold: bool = True,
        overlap: int = 0,
        rule: str = "gate",
    ) -> None:
        self.findings: list[Finding] = []
        self.taken = 0
        self.waiting = 0
        self.pending = 0
        self.barred: Unit | None = None
        self.blocked: Unit | None = None
        self._reader = Reader(adapter)
        self._make_units = make_units
        self._channels = channels
        self._ahead = ahead
        self._hold = hold
        self._overlap = overlap
        self._blocks = Verdict("block", rule=rule)
        self._plain = isinstance(adapter, PlainText)
        self._tracks: dict[Slot, _Track] = {}
        self._entries: deque[Entry[C]] = deque()

    def take(self, chunk: C) -> list[Unit]:
        """Take a chunk; return the units that are over with it and need a verdict."""
        if self._reader.hooks.taken is not None:
            chunk = self._reader.hooks.taken(chunk)
        reading = self._reader.read(chunk)
        adapter = self._reader.adapter
        for slot, earlier in reading.joined.items():
            self._tracks[slot] = self._track(earlier)
        over: list[Unit] = []
        pieces = [list(self._segments(piece, over)) for piece in reading.pieces]
        for slot in reading.closed:
            self._close(self._tracks.get(slot), over)
        for slot, track in self._tracks.items():
            if slot.choice in reading.finished:
                self._close(track, over)
        if self._plain and pieces and self._hold:
            # Text can be cut: each unit goes out by itself.
            for segment in pieces[0]:
                text: Any = segment.text
                self._entries.append(Entry(text, adapter.read(text), [[segment]], adapter))
        else:
            self._entries.append(Entry(chunk, reading, pieces, adapter))
        self.waiting += sum([len(piece.text) for piece in reading.pieces])
        self.taken += sum([len(piece.text) for piece in reading.pieces if piece.kind in NEW])
        return over

    @property
    def stuck(self) -> bool:
        """Whether the first chunk waits for more of its text."""
        if not self._hold:
            return False
        head = self._entries[0] if self._entries else None
        units = [segment.unit for segment in _all(head)] if head else []
        unit = next((unit for unit in units if unit and not unit.over), None)
        if unit and self.waiting > 2 * self._ahead:
            self._bar(unit)
        return unit is not None

    def finish(self) -> list[Unit]:
        """Take the source's end; return the units that are over with it."""
        over: list[Unit] = []
        for track in self._tracks.values():
            self._close(track, over)
        return over

    def judge(
        self, unit: Unit, verdict: Verdict, kind: FindingKind = "match", *, left: bool = False
    ) -> None:
        """Set a unit's verdict; `left` if nobody waited for one, as the stream has ended."""
        changes = verdict.action in ("mask", "replace")
        late = unit.repeats or not self._hold
        unit.verdict = replace(verdict, action="block") if changes and late else verdict
        unit.kind = kind
        self.pending -= 1
        if unit.verdict.action == "block":
            self.barred = self.barred or unit
        if not self._hold and not left:
            self._report(unit)
            if self.barred is unit:
                self.blocked = unit
                self._entries.clear()

    def give_up(self) -> None:
        """End the queue although what blocks it comes after a text that is not over."""
        self._entries.clear()
        if self.blocked is None:
            self._report(self.barred)

    def pop(self) -> Passed[C] | None:
        """Return the next chunk if it may go out; if it is blocked, its part before the block."""
        if not self._entries or self.blocked is not None:
            return None
        entry = self._entries[0]
        if not self._hold and self.pending and entry.reading.finished:
            return None  # how the stream ends depends on the verdicts that are still to come
        texts: list[str] = []
        for segments in entry.pieces:
            texts.append("")
            for segment in segments:
                verdict = segment.unit.verdict if segment.unit and self._hold else ALLOW
                if verdict is None:
                    return None
                if verdict.action == "block":
                    return self._block(entry, segment.unit, texts)
                texts[-1] += verdict.written(segment.text, first=segment.first)
        self._entries.popleft()
        self.waiting -= sum([len(piece.text) for piece in entry.reading.pieces])
        for segment in _all(entry) if self._hold else ():
            self._report(segment.unit)
        same = texts == [piece.text for piece in entry.reading.pieces]
        written = entry.chunk if same else entry.adapter.write(entry.chunk, texts)
        return Passed(entry.chunk, written, entry.reading, texts)

    def _block(self, entry: Entry[C], unit: Unit | None, texts: list[str]) -> Passed[C]:
        for segment in _all(entry):
            if segment.unit is unit:
                break
            self._report(segment.unit)
        self._report(unit)
        self.blocked = unit
        self._entries.clear()
        if hooks_of(entry.adapter).in_turn:
            texts = []  # later ones have been read
        texts += [""] * (len(entry.pieces) - len(texts))
        written = entry.adapter.write(entry.chunk, texts, ends=False) if any(texts) else None
        return Passed(entry.chunk, written, entry.reading, texts)

    def _report(self, unit: Unit | None) -> None:
        if unit is None or unit.reported:
            return
        unit.reported = True
        if unit.kind != "match" or unit.verdict not in (None, ALLOW):
            self.findings.append(unit.finding)

    # Units

    def _segments(self, piece: Piece, over: list[Unit]) -> Iterator[Segment]:
        slot, text, kind = piece
        unjudged = kind in ("aside", "mark")
        if unjudged or (self._channels is not None and slot.channel not in self._channels):
            yield Segment(None, text)
            return
        track = self._track(slot)
        if kind == "delta":
            for other, known in self._tracks.items():
                if other.choice == slot.choice and known is not track:
                    self._close(known, over)  # thinking is over where the answer begins
            yield from self._delta(track, slot, text, over)
        elif kind in ("copy", "echo") and "".join(track.source).endswith(text):
            yield Segment(track.unit, text, first=False)  # it was judged there
        else:
            unit = Unit(slot, 0, 0)
            unit.add(text)
            self._over(unit, over)
            yield Segment(unit, text)

    def _delta(self, track: _Track, slot: Slot, text: str, over: list[Unit]) -> Iterator[Segment]:
        if self._reader.adapter.repeats:
            track.source.append(text)
        start = 0
        for _, end in track.units.read(text):
            if end > start:
                yield self._add(track, slot, text[start:end])
                start = end
            self._close(track, over)
        if start < len(text):
            yield self._add(track, slot, text[start:])

    def _add(self, track: _Track, slot: Slot, text: str) -> Segment:
        first = track.unit is None
        if track.unit is None:
            track.unit = Unit(slot, track.number, track.length, before=track.tail)
            track.number += 1
        unit = track.unit
        unit.add(text)
        track.length += len(text)
        if self._overlap:
            track.tail = (track.tail + text)[-self._overlap :]
        if unit.length > self._ahead:
            self._bar(unit)
        return Segment(unit, text, first)

    def _bar(self, unit: Unit) -> None:
        """Block a unit that does not end."""
        if unit.verdict is None:
            unit.verdict, unit.kind = self._blocks, "overflow"
            self.barred = self.barred or unit

    def _track(self, slot: Slot) -> _Track:
        if slot not in self._tracks:
            self._tracks[slot] = _Track(self._make_units())
        return self._tracks[slot]

    def _close(self, track: _Track | None, over: list[Unit]) -> None:
        """End the open unit of a text, if there is one."""
        unit = track.unit if track else None
        if track and unit:
            track.unit = None
            self._over(unit, over)

    def _over(self, unit: Unit, over: list[Unit]) -> None:
        unit.over, unit.repeats = True, self._reader.adapter.repeats
        if unit.verdict is None and unit.text.strip():
            self.pending += 1
            over.append(unit)
        elif unit.verdict is None:
            unit.verdict = ALLOW


def _all(entry: Entry[Any]) -> Iterator[Segment]:
    for segments in entry.pieces:
        yield from segments
