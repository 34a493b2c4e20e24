"""The pipelines of one stream by slot, and the text that passed through each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from guardstream.events import Event, Finish, Form, Stage, ends_by_rule, text_of
from guardstream.providers.adapter import NONE, Call, Piece, Slot
from guardstream.stream.flows.continued import Continued
from guardstream.stream.flows.flow import MakeStage, stage_error


@dataclass(slots=True, eq=False)
class Lane:
    """A pipeline, and the track that its output currently belongs to."""

    stage: Stage
    track: Track = field(init=False)
    done: bool = False
    held: int = 0  # code points, after its last text
    rest: str = ""  # held at its end and released unchanged, after what earlier ends left


@dataclass(slots=True, eq=False)
class Track:
    """A slot: its lane, its last chunk, and its text before and after the guard.

    The texts (`source`, `released`) are kept only if the format repeats them. `last_delta` is what
    the guard made of the last delta, empty while it is held; `last_released` is the last text that
    was not empty.
    """

    slot: Slot
    chunk: Any
    lane: Lane
    source: list[str] = field(default_factory=list)
    released: list[str] = field(default_factory=list)
    last_delta: str = ""
    last_released: str = ""
    is_answer: bool = field(init=False)

    def __post_init__(self) -> None:
        self.is_answer = self.slot.is_answer


class Lanes:
    """Tracks by slot; consecutive blocks have a track each and share one lane.

    A block takes the lane over with its first text. Until then, what is held there belongs to the
    block before it.

    `calls` maps a slot to the tool call whose arguments it has. Texts are kept only after
    `remember` is set, because an adapter may find out late that chunks repeat them.
    """

    def __init__(self, make_stage: MakeStage) -> None:
        self.calls: Mapping[Slot, Call] = NONE
        self._make_stage = make_stage
        self.remember = False
        self._tracks: dict[Slot, Track] = {}
        # Slots without text, each with the slot whose lane it continues.
        self._follows: dict[Slot, Slot] = {}
        # The lanes that are not done, in the order in which they began.
        self._lanes: dict[Lane, None] = {}
        self._held = 0  # in all lanes, in code points; may be out of date while there is only one
        self._wholes: dict[tuple[Slot, str], str] = {}

    @property
    def held(self) -> int:
        """How many code points are held back now, over all open lanes."""
        if len(self._lanes) == 1:  # its text may have bypassed `feed`
            return next(iter(self._lanes)).stage.held
        return self._held

    def get(self, slot: Slot) -> Track | None:
        """Return the track of a slot that has had text."""
        return self._tracks.get(slot)

    def only(self, slot: Slot) -> Track | None:
        """Return the track of a slot of the answer, if no other pipeline is open."""
        track = self._tracks.get(slot)
        alone = track is not None and track.is_answer and [*self._lanes] == [track.lane]
        return track if alone else None

    def open(self, choice: int | None = None) -> Iterator[Lane]:
        """Yield the lanes, of one choice or all, that are not done."""
        for lane in [*self._lanes]:
            if not lane.done and (choice is None or lane.track.slot.choice == choice):
                yield lane

    def of(self, slots: Iterable[Slot]) -> Iterator[Lane]:
        """Yield the lanes of some slots that are not done, and have not gone on in another slot."""
        for slot in slots:
            track = self._latest(slot)
            if track is not None and not track.lane.done and track.lane.track is track:
                yield track.lane

    def _latest(self, slot: Slot) -> Track | None:
        """Return the track of a slot, or of the slot whose lane it continues once it has text."""
        return self._tracks.get(self._follows.get(slot, slot))

    def tracks(self) -> Sequence[Track]:
        """Return all tracks, in the order in which they began."""
        return tuple(self._tracks.values())

    def held_of(self, slot: Slot) -> int:
        """Return how many code points of a slot are held back."""
        return sum(lane.stage.held for lane in self.of([slot]))

    def feed(self, slot: Slot, text: str, chunk: Any) -> tuple[Track, Sequence[Event]]:
        """Feed text to a slot's lane, which is created if necessary."""
        if self._follows and slot in self._follows:
            self._go_on(slot, self._follows.pop(slot), chunk)
        track = self._tracks.get(slot)
        if track is None or track.lane.done:
            track = self._begin(slot, text, chunk)
        track.chunk = chunk
        if self.remember:
            track.source.append(text)
        lane = track.lane
        lane.track = track
        events = _run(lane.stage.feed, text)
        self._note_held(lane, lane.stage.held)
        return track, events

    def again(self, slot: Slot, text: str) -> tuple[Track, Sequence[Event]]:
        """Guard a slot's text from its beginning, as it reads now; its previous lane is dropped."""
        before = self._tracks.pop(slot)
        self._close(before.lane)
        return self.feed(slot, text, before.chunk)

    def _begin(self, slot: Slot, text: str, chunk: Any) -> Track:
        before = self._tracks.get(slot)
        rest = before.lane.rest if before is not None and not slot.name else ""
        if rest and self._is_another_object(slot, text):
            rest = ""
        return self._opened(slot, rest, chunk)

    def _opened(self, slot: Slot, rest: str, chunk: Any) -> Track:
        """Return a new track; its text may continue a match that began in the `rest` of another."""
        stage = self._stage(slot)
        lane = Lane(Continued(stage, rest) if rest else stage)
        lane.track = self._tracks[slot] = Track(slot, chunk, lane)
        for alone in [*self._lanes] if len(self._lanes) == 1 else ():
            self._note_held(alone, alone.stage.held)
        self._lanes[lane] = None
        return lane.track

    def _note_held(self, lane: Lane, held: int) -> None:
        self._held += held - lane.held
        lane.held = held

    def _close(self, lane: Lane) -> None:
        lane.done = True
        self._note_held(lane, 0)
        self._lanes.pop(lane, None)

    def finish(self, lane: Lane) -> Sequence[Event]:
        """Settle a lane at its source's end."""
        self._close(lane)
        held = lane.stage.held
        before = lane.stage.held_before if isinstance(lane.stage, Continued) else ""
        events = _run(lane.stage.finish)
        rest = text_of(events)
        lane.rest = before + rest if held == len(rest) else ""
        return events

    def _is_another_object(self, slot: Slot, text: str) -> bool:
        """Return whether text after the end of a call's arguments begins those of another call."""
        is_json = slot.channel == "tool_args" and self._form(slot) == "json"
        return is_json and text.lstrip().startswith("{")

    def _form(self, slot: Slot) -> Form:
        call = self.calls.get(slot)
        return "text" if call and call.is_text else slot.form

    def _stage(self, slot: Slot) -> Stage:
        return self._make_stage(slot.channel, slot.tool(self.calls), self._form(slot))

    def check(self, channel: str, text: str, slot: Slot | None = None) -> Sequence[Event]:
        """Guard a whole text, of `slot` if it has one; what is held settles right away."""
        stage = self._stage(slot) if slot else self._make_stage(channel)
        return [*_run(stage.feed, text), *_rest(stage)]

    def check_parts(self, slot: Slot, parts: Sequence[str]) -> Iterator[Sequence[Event]]:
        """Guard a whole text that comes in parts; yield the events of each.

        What is held at the end of a part goes out in the next.
        """
        stage = self._stage(slot)
        last = len(parts) - 1
        for place, part in enumerate(parts):
            fed = _run(stage.feed, part)
            yield [*fed, *_rest(stage)] if place == last else fed

    def note_whole(self, piece: Piece, text: str) -> None:
        """Record what a whole text became, because it may be repeated."""
        self._wholes[piece.slot, piece.text] = text

    def whole(self, piece: Piece) -> str | None:
        """Return what an earlier whole text became; None if there was none."""
        return self._wholes.get((piece.slot, piece.text))

    def harmless(self, piece: Piece) -> bool:
        """Return whether a text would be released unchanged and without a finding."""
        text = self.whole(piece)
        if text is None:
            events = self.check(piece.slot.channel, piece.text, piece.slot)
            blocked = any(isinstance(event, Finish) for event in events)
            text = "" if blocked else text_of(events)
            self.note_whole(piece, text)
        return text == piece.text

    def join(self, slot: Slot, earlier: Slot) -> None:
        """Let a new slot continue the lane of an earlier one once it has text."""
        track = self._tracks.get(slot)
        if track is None or track.lane.done:
            self._follows[slot] = self._follows.get(earlier, earlier)

    def _go_on(self, slot: Slot, earlier: Slot, chunk: Any) -> None:
        before = self._tracks.get(earlier)
        if before is None:
            return
        if not before.lane.done:
            self._tracks[slot] = Track(slot, chunk, before.lane)
        elif before.lane.rest and slot not in self._tracks:
            self._opened(slot, before.lane.rest, chunk)

    def note_released(self, track: Track, text: str) -> None:
        """Record what was released in a track."""
        if text:
            track.last_released = text
            if self.remember:
                track.released.append(text)

    def note_added(self, slot: Slot, text: str) -> None:
        """Record text that the guard added in a slot."""
        track = self._tracks.get(slot)
        if track is not None:
            self.note_released(track, text)

    def released(self, slot: Slot) -> str:
        """Return what was released in a slot so far, if that is kept."""
        track = self._tracks.get(slot)
        return "".join(track.released) if track else ""

    def drop(self, choice: int | None = None, slot: Slot | None = None) -> None:
        """Drop what is held, of one slot, of one choice or all."""
        if slot is None:
            lanes = [*self.open(choice)]
        else:
            track = self._tracks.get(slot)
            lanes = [track.lane] if track else []
        for lane in lanes:
            self._close(lane)


def _rest(stage: Stage) -> Sequence[Event]:
    """Settle a whole text. That does not end the stream, unless a rule does."""
    rest = _run(stage.finish)
    is_over = rest and isinstance(rest[-1], Finish) and rest[-1].reason != "content_filter"
    return rest[:-1] if is_over and not ends_by_rule(rest) else rest


def _run(step: Callable[..., Sequence[Event]], *text: str) -> Sequence[Event]:
    try:
        return step(*text)
    except Exception as error:
        raise stage_error(error) from error
