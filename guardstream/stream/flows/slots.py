"""The texts of one stream: a pipeline for each slot, and the choices that they belong to.

Text that a chunk repeats is replaced by the text released before. What a pipeline held goes out in
chunks that the guard adds, as do a block's message and ends.

Some sources send more text after a finish reason. What was held then has been released as a
non-match, but whoever joins the text could still read one. So rules see that text again
(`Continued`): it is not emitted a second time, and what turns out to be the rest of a match is
masked or blocked.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from guardstream.errors import AdapterError
from guardstream.events import (
    CLOSED,
    UNKNOWN,
    Event,
    Finding,
    Finish,
    FinishReason,
    Form,
    Stage,
    ends_by_rule,
    text_of,
)
from guardstream.formats.adapter import NEW, NONE, Adapter, Call, Piece, Reading, Slot
from guardstream.formats.hooks import Hooks
from guardstream.stages.continued import Continued
from guardstream.stream.flows.flow import MakeStage, Part, Sent, following, stage_error
from guardstream.stream.flows.identities import OneText

C = TypeVar("C")


class Choices(Generic[C]):
    """Keeps the last chunk of each choice that is `open`, the finish `reasons` of those that have
    ended, and those of the choices that the guard has `cut`."""

    __slots__ = ("_said", "cut", "open", "reasons")

    def __init__(self) -> None:
        self.open: dict[int, C] = {}
        self.reasons: dict[int, FinishReason] = {}
        self.cut: dict[int, FinishReason] = {}
        self._said: dict[int, FinishReason] = {}  # of those whose text went on

    @property
    def reason(self) -> FinishReason:
        """The finish reason of the stream: that of its first choice."""
        said = {**self._said, **self.reasons}
        return said.get(min(said, default=0), "stop")

    def all_signed(self, but: Collection[int]) -> bool:
        """Return whether the source has said of each choice that it ends, even if its text went on;
        of some (`but`) it need not, if it has of any."""
        unsigned = self.open.keys() - self._said.keys()
        return not unsigned or (bool(self.reasons or self._said) and unsigned <= {*but})

    @property
    def all_cut(self) -> bool:
        """Whether the guard has cut all choices that are open; ask only once it has cut one."""
        return self.open.keys() <= self.cut.keys()

    def note(self, reading: Reading, chunk: C) -> None:
        """Remember `chunk` as the last one of the choices in it; new text reopens a choice that
        its source has ended."""
        for choice in reading.choices:
            if choice in self.reasons and (choice in self.cut or not _has_new_text(reading)):
                continue
            if choice in self.reasons:
                self._said[choice] = self.reasons.pop(choice)
            self.open[choice] = chunk

    def replace(self, last: C, chunk: C) -> None:
        """Remember `chunk` in place of the chunk `last`."""
        self.open = {at: chunk if each is last else each for at, each in self.open.items()}

    def end(self, choice: int, reason: FinishReason) -> None:
        """Take note that the source has ended a choice; a filter or a failure counts later, too."""
        self.open.pop(choice, None)
        if choice not in self.reasons or (reason in CLOSED and choice not in self.cut):
            self.reasons[choice] = reason

    def cut_all(self, choices: Iterable[int], reason: FinishReason) -> None:
        """Take note that the guard ends these choices."""
        self.cut.update(dict.fromkeys(choices, reason))

    def newly_cut(self) -> list[int]:
        """Return the choices that the guard has cut and that have not ended yet."""
        return [choice for choice in self.cut if choice not in self.reasons]


def _has_new_text(reading: Reading) -> bool:
    """Return whether a chunk has new text of a slot, or text that its adapter withholds."""
    return any(piece.kind in NEW or piece.kind == "later" for piece in reading.pieces)


@dataclass(slots=True, eq=False)
class Lane:
    """A pipeline, and the track that its output currently belongs to."""

    stage: Stage
    track: Track = field(init=False)
    done: bool = False
    held: int = 0  # code points, after its last text
    rest: str = ""  # held at its end and released unchanged, after what earlier ends left
    context: str = ""  # the end of its text, if nothing in it was masked at the end


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
    before: tuple[str, str] = ("", "")  # the texts up to an end after which the slot went on
    is_answer: bool = field(init=False)

    def __post_init__(self) -> None:
        self.is_answer = self.slot.is_answer

    def said(self, *, whole: bool) -> tuple[str, str]:
        """Return its text before and after the guard; the `whole` text, or that since its last
        end."""
        source, released = "".join(self.source), "".join(self.released)
        return (self.before[0] + source, self.before[1] + released) if whole else (source, released)


MAX_TEXTS = 4096
"""The texts of one stream: each has a pipeline, and a track as long as the stream lasts."""


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
        if len(self._tracks) >= MAX_TEXTS and slot not in self._tracks:
            raise AdapterError(f"a stream of more than {MAX_TEXTS} texts: choices, calls, or paths")
        stage = self._stage(slot)
        lane = Lane(Continued(stage, rest) if rest else stage)
        before, track = self._tracks.get(slot), Track(slot, chunk, lane)
        if before is not None:
            track.before = before.said(whole=True)
        lane.track = self._tracks[slot] = track
        for alone in [*self._lanes] if len(self._lanes) == 1 else ():
            self._note_held(alone, alone.stage.held)
        self._lanes[lane] = None
        return lane.track

    def open_after(self, slot: Slot, rest: str, chunk: Any) -> None:
        """Open the lane of a slot whose text may continue a match that began in `rest`."""
        self._opened(slot, rest, chunk)

    def remove(self, slot: Slot) -> None:
        """Drop a slot, of which nothing more is known then."""
        track = self._tracks.pop(slot, None)
        if track is not None:
            self._close(track.lane)

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
        context: str = getattr(lane.stage, "context", "")
        events = _run(lane.stage.finish)
        rest = text_of(events)
        lane.rest = before + rest if held == len(rest) else ""
        lane.context = context if held == len(rest) else ""
        return events

    def go_on(self, choices: Collection[int]) -> None:
        """Let texts go on that had no end: what they said may announce what they go on to say."""
        for slot, track in self._tracks.items():
            lane = track.lane
            if slot.choice in choices and lane.done and lane.context:
                lane.rest = self._unmasked(slot, lane.context)

    def break_off(self) -> None:
        """Drop what is held, since the source has failed. A source that goes on all the same goes
        on with its texts."""
        for lane in self.open():
            slot, context = lane.track.slot, getattr(lane.stage, "context", "")
            self._close(lane)
            lane.rest = self._unmasked(slot, context, lane.stage.held) if context else ""

    def _unmasked(self, slot: Slot, text: str, held: int = 0) -> str:
        """Return what of a text comes after the last match that is masked already; one in what is
        held is not."""
        found = (each for each in self.check(slot.channel, text, slot) if isinstance(each, Finding))
        ends = [each.end for each in found if each.action != "monitor"]
        return text[max((end for end in ends if end <= len(text) - held), default=0) :]

    def _is_another_object(self, slot: Slot, text: str) -> bool:
        """Return whether text after the end of a call's arguments begins those of another call."""
        is_json = slot.channel == "tool_args" and self._form(slot) == "json"
        return is_json and text.lstrip().startswith("{")

    def _form(self, slot: Slot) -> Form:
        call = self.calls.get(slot)
        return "text" if call and call.is_text else slot.form

    def _stage(self, slot: Slot) -> Stage:
        if slot.is_event:
            return self._make_stage(UNKNOWN)
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
    is_over = rest and isinstance(rest[-1], Finish) and rest[-1].reason not in CLOSED
    return rest[:-1] if is_over and not ends_by_rule(rest) else rest


def _run(step: Callable[..., Sequence[Event]], *text: str) -> Sequence[Event]:
    try:
        return step(*text)
    except Exception as error:
        raise stage_error(error) from error


def repeated(lanes: Lanes, piece: Piece, over: Slot | None, *, ended: bool) -> str | None:
    """Return what a repeating piece becomes; None if it must be guarded as a text of its own.

    It must if its slot has not streamed what it claims to repeat. While that slot is open, such a
    piece raises AdapterError, because it is unknown what may be shown of it. The slot `over` is not
    open, nor is a slot whose pipeline has gone on in another one. `ended` says that the guard has
    ended the stream.
    """
    track = lanes.get(piece.slot)
    whole = lanes.whole(piece)
    if track is None or whole is not None:
        return whole
    if piece.kind == "echo":
        if track.source and track.source[-1] == piece.text:
            return track.last_delta
    else:
        source, released = track.said(whole=False)
        if piece.kind == "parsed":
            from guardstream.formats.toolkit.parsed import same_value  # imports pydantic

            if same_value(source, piece.text):
                return piece.text if released == source else released
        if source == piece.text:
            return released
        if track.before[0] and track.said(whole=True)[0] == piece.text:
            return track.said(whole=True)[1]
    if not track.lane.done and track.lane.track is track and piece.slot != over:
        if ended and piece.kind == "copy":  # the stream ended before the new part of it
            return "".join(track.released)
        raise AdapterError(
            f"a chunk repeats {piece.slot.channel!r} text of field {piece.slot.field!r} that was "
            "not streamed before it"
        )
    return None


class Added(Generic[C]):
    """Builds such chunks with the adapter, modelled on a chunk of the source without its unknown
    text."""

    def __init__(
        self, adapter: Adapter[C], hooks: Hooks[C], lanes: Lanes, cumulative: Collection[Slot]
    ) -> None:
        """`cumulative` are the slots of which the source sends the text so far."""
        self._adapter = adapter
        self._cumulative = cumulative
        self._lanes = lanes
        judges_keys = hooks.steady and hooks.judge_keys is not None
        self._takes_more = hooks.takes_more
        self.one: OneText | None = None  # texts whose indexes are no identities
        self._bare: Callable[[C], C] = hooks.without_unknown if judges_keys else _itself

    def chunks(self, chunk: C, slot: Slot, text: str, came_in: Slot | None = None) -> Sequence[C]:
        """Return chunks like `chunk` that carry only a text. The source names its slot `came_in`,
        or as it did last."""
        real = came_in or (slot if self.one is None else self.one.last.get(slot, slot))
        said = self._lanes.released(slot) if slot in self._cumulative else text
        return self._adapter.extra(self._bare(chunk), real, said, self._lanes.released)

    def text(self, chunk: C, slot: Slot, text: str, came_in: Slot | None = None) -> list[Sent[C]]:
        """Return those chunks as `Sent`; the text is counted with the first of them."""
        sent: list[Sent[C]] = [Sent(each) for each in self.chunks(chunk, slot, text, came_in)]
        if sent:
            first = sent[0]
            first.characters, first.name = len(text), slot.name
            if slot.is_answer:
                first.text = text
            else:
                first.parts = (Part(slot, text),)
        return sent

    def end(self, chunk: C, choice: int, reason: FinishReason) -> list[Sent[C]]:
        """Return the chunks that end a choice."""
        real = choice if self.one is None else self.one.last_choice
        ends = self._adapter.end(self._bare(chunk), real, reason, self._lanes.released)
        return [Sent(each) for each in ends]

    def messages(self, message: str, choices: Mapping[int, C]) -> list[Sent[C]]:
        """Return the chunks that carry a block's message, one for each open choice."""
        last_text = {
            track.slot.choice: track
            for track in self._lanes.tracks()
            if track.slot.channel == "text"
        }
        sent: list[Sent[C]] = []
        for choice, chunk in choices.items():
            track = last_text.get(choice)
            slot, last = Slot(choice, "text", "content"), chunk
            text = message
            if track is not None and (self._takes_more is None or self._takes_more(track.slot)):
                slot, last = track.slot, track.chunk
                text = following(track.last_released, message)
            self._lanes.note_added(slot, text)
            with suppress(AdapterError, LookupError):  # the format may have no place for it
                sent += self.text(last, slot, text)
        return sent


def _itself(chunk: Any) -> Any:
    return chunk
