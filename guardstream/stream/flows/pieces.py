"""The flow of chunks by their pieces: a pipeline for each slot, chunks rebuilt by the adapter.

This is the general path, for any chunk. Most chunks have one text and nothing else; for these,
`ChunkFlow` has a faster path with the same answer.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from itertools import accumulate
from typing import Any, Generic, TypeVar

from guardstream.errors import AdapterError
from guardstream.events import CLOSED, UNKNOWN, Event, Finding, Finish, FinishReason, Text
from guardstream.formats.adapter import (
    NEW,
    NONE,
    Adapter,
    Beside,
    Call,
    Piece,
    Reading,
    Slot,
    Unknown,
)
from guardstream.formats.hooks import hooks_of, model_of
from guardstream.formats.toolkit.reasons import Told
from guardstream.stages.passthrough import Passthrough
from guardstream.stream.flows.checks import Asides, CachedCheck, EventNames, Marks, Names
from guardstream.stream.flows.event_texts import EventTexts
from guardstream.stream.flows.flow import MakeStage, Part, Sent, blocking, fail_closed
from guardstream.stream.flows.growth import Growths
from guardstream.stream.flows.identities import OneText
from guardstream.stream.flows.identities import Part as Came
from guardstream.stream.flows.signs import WHOLE, Signs, goes_on
from guardstream.stream.flows.slots import Added, Choices, Lane, Lanes, Track, repeated
from guardstream.stream.flows.unknown import UnknownTexts
from guardstream.stream.result import Meter

C = TypeVar("C")

MAX_WAITING = 256
"""So many chunks may wait for the proof of an end: a server may send empty ones for ever."""


@dataclass(slots=True, eq=False)
class Incoming(Generic[C]):
    """A chunk in progress: its reading, its origin, and the guarded texts of its pieces.

    `model` is the chunk without unknown text, on which the guard models added chunks. `texts` has a
    text for each piece of the reading; `fresh` are the indices of pieces with new text. `matched`
    are slots whose ambiguous text had a match: nothing of them goes out in this chunk. `ended_at`
    is the index of the piece that ended the stream or its choice, if one did. `is_sign` says that
    its texts are guarded and it waits for a proof of the end that it tells of, `is_proved` that
    there is one. `early` goes out before it: text that was held and came in earlier chunks.
    `is_late` says that it goes out later, with its text, all of which is held.
    """

    chunk: C
    reading: Reading
    origin: Any
    model: C
    texts: list[str] = field(default_factory=list)
    fresh: list[int] = field(default_factory=list)
    matched: set[Slot] = field(default_factory=set)
    ended_at: int | None = None
    is_sign: bool = False
    is_proved: bool = False
    is_late: bool = False
    early: list[Sent[C]] = field(default_factory=list)

    def note_end(self, index: int) -> None:
        """Note that the stream or its choice has ended at a piece, if that is the first."""
        if self.ended_at is None:
            self.ended_at = index


class PieceFlow(Generic[C]):
    """Guards chunks piece by piece. A chunk whose text did not change goes out as the same object.

    `adapter` reads and writes the chunks; it changes if chunks in no known format are followed by a
    chunk in a known one. A block ends the stream; a stop or a limit ends its choice, and the last
    choice ends the stream. `block_message` goes out as an ordinary chunk before a blocked stream
    ends. `memory` is how many code points are kept of each unknown path. With `breaks_off` a
    blocked stream has no end: nothing that is open in it, such as a tool call, is completed,
    because an error follows.
    """

    def __init__(
        self,
        adapter: Adapter[C],
        make_stage: MakeStage,
        meter: Meter,
        block_message: str,
        memory: int,
        *,
        unknown: Unknown = "guard",
        breaks_off: bool = False,
    ) -> None:
        self.findings: list[Finding] = []
        self.ended: FinishReason | None = None
        self.ended_by_source = False  # whether the source has ended it, rather than the guard
        self.is_cut = False  # whether the source has ended inside a chunk
        self.blocked_by: str | None = None
        self.error: Exception | None = None
        self.ending: Sequence[Part] = ()
        self.calls: Mapping[Slot, Call] = {}  # replaced, never changed
        self.usage: Any = None
        self._meter = meter
        self._block_message = block_message
        self._breaks_off = breaks_off
        self._lanes = Lanes(make_stage)
        self._mode, self._memory = unknown, memory
        check = self._check = CachedCheck(partial(self._lanes.check, UNKNOWN))
        is_idle = cache(lambda: isinstance(make_stage(UNKNOWN), Passthrough))
        self._unknown = UnknownTexts(check, memory, is_idle)
        self._rows = EventTexts(memory)
        self._event_names = EventNames(check, memory, is_idle)
        self._names = Names(check, memory)
        self._marks = Marks(check, memory, is_idle)
        self._asides = Asides(check, memory)
        self._choices: Choices[C] = Choices()
        self._failed = False  # whether the source reported an error, whatever follows
        self._waiting: list[Incoming[C]] = []
        self._signs = Signs()
        self._growths = Growths()
        self._one: OneText | None = None  # the texts, if their indexes are no identities
        self._unsure: Collection[int] = ()  # choices that may be none
        self._is_new = False  # whether the answer begins with its next text
        self._unasked: set[Slot] = set()  # calls that have had no arguments yet
        self._unattributed: list[Part] = []  # went out before it was known to be new text
        self._read_by(adapter)

    def _read_by(self, adapter: Adapter[C]) -> None:
        """Use an adapter to read and write the chunks from here on."""
        self.adapter = adapter
        self.hooks = hooks = hooks_of(adapter)
        hooks.judge_marks(self._marks.passes)
        if hooks.steady and hooks.judge_keys:
            hooks.judge_keys(_never if self._mode == "drop" else self._unknown.is_harmless)
        # Such chunks cannot wait for the next one.
        self._in_turn = hooks.in_turn
        self._added = Added(adapter, hooks, self._lanes, self._growths.last)

    @property
    def held(self) -> int:
        return self._lanes.held

    @property
    def format(self) -> str:
        return self.hooks.name

    @property
    def _is_busy(self) -> bool:
        """Whether more than the text of a chunk needs processing."""
        choices = self._choices
        waits = self._waiting or self._signs.is_done
        return bool(waits or choices.cut or choices.reasons or self.calls or self._one)

    def _finish(self) -> list[Sent[C]]:
        """Take the source's end; return the rest and set `ended`."""
        if self._failed:
            self._lanes.drop()
        sent: list[Sent[C]] = []
        if self._unasked and self.hooks.ends_with_source and not self._failed:
            self._ask_nothing([*self._unasked], None)
        if self.waits_for_proof:
            sent = self._believed()
        sent += [] if self.ended else self._settle(self._lanes.open())
        if self.ended:
            return sent + self._end_stream()
        if self._waiting:
            sent += [*self._release_waiting(), *self._settle(self._lanes.open())]
        if self._failed:
            self.ended = "error"
            return sent
        needs_none = self._signs.has_done or not self.hooks.signs_end
        is_signed = needs_none or self._choices.all_signed(self._unsure)
        is_whole = is_signed and not self.is_cut
        self.ended = self._choices.reason if is_whole else "incomplete"
        self.ended_by_source = True
        if self.calls and not self.is_cut and self.hooks.ends_with_source:
            self._complete_calls(sent)
        return sent

    def _complete_calls(self, sent: list[Sent[C]]) -> None:
        """Mark tool calls as complete, in the last chunk if one remains."""
        done = [
            self._completed_call(slot)
            for slot in self.calls
            if slot.choice not in self._choices.cut
        ]
        if sent:
            sent[-1].parts = (*sent[-1].parts, *done)
        else:
            self.ending = done

    def _completed_call(self, slot: Slot) -> Part:
        """Return the end of a tool call as it is known now, because a later call may take its
        slot."""
        return Part(slot, "", done=True, call=self.calls[slot])

    # The path of a chunk

    def _note_choices(self, chunk: C, reading: Reading) -> C:
        """Remember the last chunk of each open choice.

        Return what is remembered: the chunk without unknown text. None is made of a chunk on which
        no other can be modelled, because it has neither a choice nor new text of a slot.
        """
        new = (each for each in reading.pieces if each.kind in NEW and not each.slot.is_event)
        if not reading.choices and next(new, None) is None:
            return chunk
        chunk = model_of(self.hooks, chunk, reading)
        self._choices.note(reading, chunk)
        return chunk

    def _admit(self, chunk: C, reading: Reading, origin: Any) -> list[Sent[C]]:
        """Weigh what chunks before it say of ends; let it wait behind them, or admit it."""
        model = self._note_choices(chunk, reading)
        incoming = Incoming(chunk, reading, origin, model)
        if reading.usage is not None:
            self.usage = reading.usage
        if reading.calls:
            self._announce(reading.calls)
        if self.calls:
            self._signs.note_work(reading)
        sent = self._weigh(reading) if self._signs.is_open or self.waits_for_proof else []
        if self.ended:
            return sent
        if self._waiting and self._waits_behind(reading):
            if len(self._waiting) < MAX_WAITING:
                self._join(reading)
                self._waiting.append(incoming)
                return sent
            sent += self._believed()
            if self.ended:
                return sent
        return sent + self._admit_first(incoming) if sent else self._admit_first(incoming)

    def _admit_first(self, incoming: Incoming[C]) -> list[Sent[C]]:
        """Settle the slots that the chunk closes, release what waited for them, then process it."""
        reading = incoming.reading
        if self._unasked:
            self._unasked.difference_update(piece.slot for piece in reading.pieces)
            self._ask_nothing(_completed(reading, self._unasked), incoming.model)
        if not any(map(goes_on, reading.pieces)) and self._needs_proof(reading):
            return self._process(incoming)  # it waits, and so does what it closes
        sent = self._resolve(incoming) if reading.again or reading.doubtful else []
        if not self.ended and (reading.closed or self._waiting):
            lanes = [*self._lanes.of(reading.closed), *self._left_behind(reading)]
            lasting = [lane for lane in lanes if not _fails(reading, lane.track.slot.choice)]
            sent += self._settle(dict.fromkeys(lasting), reading.finished)
        if self.ended or self._choices.newly_cut():
            return sent + self._end_before(incoming)
        must_wait = reading.waits is not None and self._lanes.held_of(reading.waits)
        if self._waiting and (not must_wait or _cannot_wait(reading)):
            sent += self._release_waiting(reading)
            if self.ended:
                return sent
        if reading.joined:
            self._join(reading)
        if must_wait:
            self._waiting.append(incoming)
            return sent
        processed = self._process(incoming)
        return sent + processed if sent else processed

    def _ask_nothing(self, slots: Iterable[Slot], model: Any) -> None:
        """Let calls that end without arguments be judged as clients run them, by an empty text."""
        for slot in slots:
            self._unasked.discard(slot)
            call = self.calls.get(slot)
            if call is not None and call.name and self._goes_on(slot.choice):
                self._lanes.feed(slot, "", model)

    def _join(self, reading: Reading) -> None:
        """Let texts that begin in a chunk continue earlier ones; a copy alone begins no text."""
        pieces = reading.pieces
        copies = {slot for slot, _, kind in pieces if kind == "copy"}
        copies -= {slot for slot, _, kind in pieces if kind == "delta"}
        for slot, earlier in reading.joined.items():
            if slot not in copies:
                self._lanes.join(slot, earlier)

    def _left_behind(self, reading: Reading) -> Sequence[Lane]:
        """Return the lanes for whose held text chunks wait, unless this chunk continues it."""
        slots = (*reading.joined.values(), *(piece.slot for piece in reading.pieces))
        goes_on = {*self._lanes.of(slots)}
        waits = [
            each.reading.waits
            for each in self._waiting
            if each.reading.waits is not None and _must_stay_ordered(each.reading, reading)
        ]
        return [lane for lane in self._lanes.of(waits) if lane not in goes_on]

    def _announce(self, calls: Mapping[Slot, Call]) -> None:
        """Record tool calls that begin. A name may come in pieces, but not after arguments have
        begun."""
        known = {**self.calls}
        for slot, call in calls.items():
            before = known.get(slot)
            if before is None or call.id not in (None, before.id):
                self._unasked.add(slot)
            if before is None or before.name == call.name or call.id not in (None, before.id):
                known[slot] = call
            elif self._lanes.get(slot) is not None:
                raise AdapterError(
                    f"the tool call {slot.number} has another name after its arguments began"
                )
            else:
                whole = call.name.startswith(before.name)
                name = call.name if whole else before.name + call.name
                known[slot] = before._replace(name=name)
        self.calls = self._lanes.calls = known

    def _goes_on(self, choice: int) -> bool:
        """Return whether the guard has ended neither the stream nor a choice."""
        return not (self.ended or choice in self._choices.cut)

    def _clear_names(self, announced: Iterable[Slot]) -> None:
        """Clear the names and ids of announced calls that ended the stream: they are not sent."""
        known = {**self.calls}
        for slot in announced:
            call = known[slot]
            if call.id is not None and not self._unknown.is_harmless(call.id):
                call = call._replace(id=None)
            known[slot] = call if self._unknown.is_harmless(call.name) else call._replace(name="")
        self.calls = self._lanes.calls = known

    def _end_before(self, incoming: Incoming[C]) -> list[Sent[C]]:
        """End the stream before a chunk, or after it if the chunk only ends blocks of text: a call
        that is cut does not end."""
        reading = incoming.reading
        if self.ended is None:
            return self._stop_before(incoming)
        if self._breaks_off and self.ended in CLOSED:
            return self._end_stream()
        ends_call = any(slot.channel == "tool_args" for slot in reading.closed)
        if reading.pieces or reading.finished or reading.calls or ends_call:
            return self._end_stream()
        self._lanes.drop()
        return [*self._release_waiting(), *self._process(incoming), *self._end_stream()]

    def _stop_before(self, incoming: Incoming[C]) -> list[Sent[C]]:
        """End what a rule has stopped before a chunk, or after it if the chunk only ends a
        block."""
        reading, sent = incoming.reading, []
        if not (reading.pieces or reading.finished or reading.calls):
            sent = self._release_waiting() + self._rebuilt(incoming)
        return sent + self._end_cut_choices()

    def _resolve(self, incoming: Incoming[C]) -> list[Sent[C]]:
        """Judge texts whose reading is ambiguous, and guard misread ones again."""
        self._judge_doubtful(incoming)
        return [] if self.ended else self._reguard(incoming)

    def _reguard(self, incoming: Incoming[C]) -> list[Sent[C]]:
        """Guard misread texts again from their beginnings, and send what is missing."""
        sent: list[Sent[C]] = []
        for slot, again in incoming.reading.again.items():
            if slot in incoming.matched:
                continue
            counted, before = self._lanes.released(slot), len(self.findings)
            track, events = self._lanes.again(slot, again.text)
            text = self._apply_events(slot, events)
            known = self.findings[:before]
            self.findings[before:] = [each for each in self.findings[before:] if each not in known]
            self._lanes.note_released(track, text)
            if new := _after(text, counted):
                self._unattributed.append(Part(slot, new))
            if self.ended:
                break
            if rest := _after(text, again.shown):
                made = self._added.chunks(track.chunk, slot, rest)
                sent += [self._with_unattributed(Sent(each)) for each in made]
        return sent

    def _with_unattributed(self, sent: Sent[C]) -> Sent[C]:
        """Attribute to a chunk the text that went out before it was known to be new."""
        unattributed, self._unattributed = self._unattributed, []
        for part in unattributed:
            sent.characters += len(part.text)
            if part.slot.is_answer:
                sent.text = part.text + sent.text
            else:
                sent.parts = (part, *sent.parts)
        return sent

    def _process(self, incoming: Incoming[C]) -> list[Sent[C]]:
        """Guard the texts of a chunk; return what goes out for it, including the chunk."""
        ended_before = self.ended is not None
        if incoming.is_sign:
            return self._sent_of(incoming, ended_before=ended_before)
        if self._marks.found:
            self._report_marks()
        self._guard_pieces(incoming)
        if not self.ended and not incoming.is_proved and self._needs_proof(incoming.reading):
            incoming.is_sign = True
            self._waiting.append(incoming)
            return []
        return self._sent_of(incoming, ended_before=ended_before)

    # Signs of an end, which wait for a proof

    @property
    def waits_for_proof(self) -> bool:
        """Whether a sign of an end waits for a proof."""
        return any(each.is_sign for each in self._waiting)

    @property
    def awaits_silence(self) -> bool:
        """Whether text is held that silence would prove to have ended."""
        signs = self._signs
        return bool(self._waiting or signs.is_done) and signs.trusts_silence and self.held > 0

    @property
    def has_timer(self) -> bool:
        return self._signs.has_timer

    @has_timer.setter
    def has_timer(self, value: bool) -> None:
        self._signs.has_timer = value

    def note_done(self) -> None:
        """Take note that the framing says that the stream is done, which is a sign, too."""
        self._signs.has_done = self._signs.is_done = True

    def believe(self) -> Sequence[Sent[C]]:
        """Take the silence after what waits as the proof of its ends; return what goes out."""
        try:
            return self._believed()
        except Exception as error:
            fail_closed(error, self.format)

    def _believed(self) -> list[Sent[C]]:
        """Release what waits, the ends that it tells of being true."""
        finished: dict[int, FinishReason] = {}
        for each in self._waiting:
            each.is_proved = True
            finished |= each.reading.finished
        # The text that the end of a block waits for goes out before that.
        waits = [each.reading.waits for each in self._waiting if each.reading.waits is not None]
        sent = self._settle_believed(self._lanes.of(waits), finished)
        if not self.ended:
            sent += self._release_waiting()
        if self._signs.is_done and not self.ended:
            sent += self._settle_believed(self._lanes.open(), finished)
        return sent

    def _settle_believed(
        self, lanes: Iterable[Lane], finished: Mapping[int, FinishReason]
    ) -> list[Sent[C]]:
        """Settle pipelines whose end is only believed."""
        ending = dict.fromkeys(lanes)
        slots = [lane.track.slot for lane in ending]
        self._signs.note_believed([(slot.choice, slot.channel) for slot in slots])
        sent = self._settle(ending, finished)
        if self.ended or self._choices.newly_cut():
            sent += self._end_stream() if self.ended else self._end_cut_choices()
        return sent

    def _needs_proof(self, reading: Reading) -> bool:
        """Return whether the end that a chunk tells of would release held text without a proof."""
        if not reading.finished:
            return False
        if self._in_turn or any(map(self._proves_end, reading.pieces)):
            return False
        unproved = filter(self._goes_on, self._signs.needs_proof(reading))
        return any(lane.stage.held for choice in unproved for lane in self._texts_of(choice))

    def _proves_end(self, piece: Piece) -> bool:
        """Return whether a piece has all of a text, as it was streamed: only an end has that, but
        for formats that have it in every chunk."""
        if piece.kind != "copy":
            return piece.kind in WHOLE
        track = self._lanes.get(piece.slot)
        texts = () if track is None else (track.said(whole=False)[0], track.said(whole=True)[0])
        is_equal = track is None or piece.text in texts
        return is_equal and self._signs.believes(piece.slot.choice)

    def _texts_of(self, choice: int) -> Iterator[Lane]:
        """Yield the open lanes of a choice that are no arguments of calls."""
        for lane in self._lanes.open(choice):
            if lane.track.slot.channel != "tool_args":
                yield lane

    def _weigh(self, reading: Reading) -> list[Sent[C]]:
        """Weigh what a chunk shows of the signs before it; return what it releases of those that
        wait."""
        awaited = self._awaited
        wrong, proved = self._signs.weigh(reading, awaited)
        if wrong:
            self._lanes.go_on(wrong)
        if {*wrong, *proved}.isdisjoint(choice for choice, _ in awaited):
            return []
        for each in self._waiting:
            each.is_proved = each.is_sign and each.reading.finished.keys().isdisjoint(wrong)
        return self._release_waiting(reading)

    @property
    def _awaited(self) -> set[tuple[int, str]]:
        """The choices whose end waits for a proof, and the channels of what they hold."""
        signs = [each.reading for each in self._waiting if each.is_sign]
        choices = {choice for reading in signs for choice in reading.finished}
        if self._signs.is_done:
            choices |= self._choices.open.keys()
        held = [lane.track.slot for choice in choices for lane in self._texts_of(choice)]
        return {(slot.choice, slot.channel) for slot in held}

    def _waits_behind(self, reading: Reading) -> bool:
        """Return whether a chunk adds to no text and ends none, but for ends that another chunk
        has told of that waits for a proof."""
        if not (reading.closed or _cannot_wait(reading)):
            return True
        ends = reading.finished.keys()
        awaited = {choice for choice, _ in self._awaited}
        return bool(ends) and ends <= awaited and not any(map(goes_on, reading.pieces))

    def _sent_of(self, incoming: Incoming[C], *, ended_before: bool) -> list[Sent[C]]:
        """Return what goes out for a chunk whose texts are guarded."""
        reading, sent = incoming.reading, incoming.early
        sent += [] if self.ended else self._settle_finished(incoming)
        left_out = self._breaks_off and self.ended in CLOSED and not _is_open(reading)
        if not left_out:
            self._fill_repeats(incoming)
            left_out = not ended_before and self._must_leave_out(incoming)
        sent += self._released_of_left_out(incoming) if left_out else self._rebuilt(incoming)
        if ended_before:
            return sent
        if self.ended in CLOSED:
            if reading.calls:
                self._clear_names(reading.calls)
            return sent + self._end_stream()
        ends_beside: Collection[int] = ()
        if self._choices.cut:
            ends_beside = self._ends_beside_cut(reading)
            sent += self._end_cut_choices()
        if self.ended:
            return sent
        if reading.failed:
            self._failed = True
            self._lanes.break_off()
        for choice, reason in reading.finished.items():
            if choice in ends_beside:
                sent += self._added.end(self._choices.open[choice], choice, reason)
            unfit = isinstance(reason, Told) and not self._unknown.is_harmless(reason.word)
            self._choices.end(choice, "stop" if unfit else reason)
        return sent

    def _ends_beside_cut(self, reading: Reading) -> Collection[int]:
        """Return the choices whose end in a chunk is not written, because another one in it is
        cut."""
        cut = self._choices.cut.keys()
        if cut.isdisjoint(reading.choices):
            return ()
        return [each for each in reading.finished if each in self._choices.open and each not in cut]

    def _guard_pieces(self, incoming: Incoming[C]) -> None:
        """Guard each new piece; repeated text is filled in later, once everything is known."""
        pieces, cut = incoming.reading.pieces, self._choices.cut
        texts = incoming.texts = [""] * len(pieces)
        told, drops = incoming.reading.beside, self._leaves_out(incoming.reading)
        beside = {slot: iter(each) for slot, each in told.items()} if told else NONE
        for index, (slot, _, kind) in enumerate(pieces):
            if self.ended or (cut and self._choices.all_cut):
                self._keep_keys(incoming, index)
                break
            left_out = slot.choice in cut and kind not in ("unknown", "name", "held")
            if left_out or slot in incoming.matched:
                continue
            if kind in ("delta", "last", "held"):
                texts[index] = self._guard_delta(incoming, index)
            elif kind == "unknown" and drops:
                continue
            elif kind in ("unknown", "name"):
                others = next(beside.get(slot._replace(name=""), iter(())), ())
                texts[index] = self._guard_unknown(pieces[index], others)
            elif kind == "whole":
                texts[index] = self._guard_whole(pieces[index])
            if self.ended or slot.choice in cut:
                incoming.note_end(index)
        if self._names.may_continue:
            over = any(piece.slot.channel == "tool_args" for piece in pieces)
            self._names.end_chunk(over=over)

    def _guard_delta(self, incoming: Incoming[C], index: int) -> str:
        """Guard more of a text, which may be the last of it."""
        slot, text, kind = incoming.reading.pieces[index]
        track, events = self._feed_slot(slot, text, incoming.model)
        track.last_delta = released = self._apply_events(slot, events)
        self._lanes.note_released(track, released)
        if self._one is not None:
            released = self._one_placed(incoming, self._one, track, text)
        if kind == "last" and self._goes_on(slot.choice):
            finished = {**incoming.reading.finished}
            finished.pop(slot.choice, None)  # it goes on
            released += self._settle_lane(track.lane, finished)
        return released

    def _leaves_out(self, reading: Reading) -> bool:  # noqa: ARG002
        """Return whether what no format names in a chunk is left out."""
        return self._mode == "drop"

    def _one_placed(self, incoming: Incoming[C], one: OneText, track: Track, text: str) -> str:
        """Return what goes out with a text whose index is no identity; what was held of earlier
        ones goes out before it."""
        came = Came(incoming.model, track.slot, text)
        early, rest = one.placed(came, track.last_delta, track.lane.stage.held)
        incoming.early += self._early(track, early)
        return rest

    def _early(self, track: Track, parts: Iterable[Came]) -> list[Sent[C]]:
        """Return text that was held, each part in the slot that it came in."""
        texts = (self._added.text(each.chunk, track.slot, each.text, each.slot) for each in parts)
        return [each for sent in texts for each in sent]

    def _guard_whole(self, piece: Piece) -> str:
        """Guard a text of its own, which may be repeated later."""
        checked = self._lanes.check(piece.slot.channel, piece.text, piece.slot)
        text = self._apply_events(piece.slot, checked)
        if self.adapter.repeats:
            self._lanes.note_whole(piece, text)
        return text

    def _judge_doubtful(self, incoming: Incoming[C]) -> None:
        """Record the matches across the borders of ambiguous texts, in case they are deltas."""
        before = len(self.findings)
        for slot, values in incoming.reading.doubtful.items():
            borders = list(accumulate(map(len, values)))[:-1]
            across: list[Event] = []
            crosses = False
            for event in self._lanes.check(slot.channel, "".join(values), slot):
                if isinstance(event, Finding):
                    crosses = any(event.start < border < event.end for border in borders)
                if crosses and not isinstance(event, Text):
                    across.append(event)
            self._apply_events(slot, across)
            if any(each.action != "monitor" for each in self.findings[before:]):
                incoming.matched.add(slot)
                self._lanes.drop(slot=slot)

    def _feed_slot(self, slot: Slot, text: str, model: C) -> tuple[Track, Sequence[Event]]:
        """Feed text to its lane, without what matches across a change of event names."""
        if slot.name:
            text = self._apply_events(slot, self._event_names.judge_slot(slot, text))
        return self._lanes.feed(slot, text, model)

    def _keep_keys(self, incoming: Incoming[C], start: int) -> None:
        """Keep the keys of what follows the stream's end in its last chunk, and the chunk's kind if
        some text is left."""
        pieces = incoming.reading.pieces
        told = zip(pieces, incoming.texts, strict=True)
        has_text = any(text and not _is_key(piece) for piece, text in told)
        for index, piece in enumerate(pieces):
            if index < start or piece.kind != "unknown":
                continue
            if _is_key(piece):
                keeps = self._unknown.is_harmless(piece.text)
            else:
                keeps = has_text and self._unknown.is_kind(piece)
            if keeps:
                incoming.texts[index] = piece.text

    def _guard_unknown(self, piece: Piece, beside: Beside = ()) -> str:
        """Guard text of which only the path is known, or a name; its findings name the path."""
        path = piece.slot.field
        if piece.kind == "unknown":
            slot = piece.slot
            events = self._unknown.judge(path, piece.text, slot.number, slot.name, beside)
        else:
            events = self._names.judge(path, piece.text)
        return self._apply_events_at(path, piece.slot, events)

    def _report_marks(self) -> None:
        """Report the findings in marks; if one blocks or stops, the stream ends."""
        found, self._marks.found = self._marks.found, []
        for path, events in found:
            if self.ended is None:
                self._apply_events_at(path, Slot(0, "text", path), events)

    def _apply_events_at(self, path: str, slot: Slot, events: Sequence[Event]) -> str:
        """Return the text in some events; the findings name its path."""
        before = len(self.findings)
        text = self._apply_events(slot, events)
        self._note_path(before, path)
        return text

    def _note_path(self, before: int, path: str) -> None:
        """Let the findings from `before` on name a path."""
        if len(self.findings) > before:
            shown = self._unknown.shown(path)
            self.findings[before:] = [replace(each, path=shown) for each in self.findings[before:]]

    def _settle_finished(self, incoming: Incoming[C]) -> list[Sent[C]]:
        """Settle what ends with this chunk, into its own texts or into chunks before it."""
        reading, texts = incoming.reading, incoming.texts
        if not (reading.finished or reading.complete):
            return []
        indices = {
            piece.slot: index for index, piece in enumerate(reading.pieces) if piece.kind == "delta"
        }
        before: list[Sent[C]] = []
        lanes = dict.fromkeys(self._lanes.of(reading.complete))
        for choice, reason in reading.finished.items():
            if reason == "error":
                self._lanes.drop(choice)
            if not (incoming.is_proved or self._signs.believes(choice)):
                continue
            ended = [*self._lanes.open(choice)]
            self._signs.note_believed([(choice, lane.track.slot.channel) for lane in ended])
            lanes |= dict.fromkeys(ended)
        for lane in lanes:
            track = lane.track
            cut = self._choices.cut.get(track.slot.choice)
            if self.ended or cut not in (None, "stop"):
                continue  # what it holds is dropped
            text = self._settle_lane(lane, reading.finished)
            if track.slot in indices:
                texts[indices[track.slot]] += text
            else:
                before += self._rest(track, text)
            if cut is None and not self._goes_on(track.slot.choice):
                self._leave_out_calls_after(incoming, indices.get(track.slot, -1))
        return before

    def _leave_out_calls_after(self, incoming: Incoming[C], at: int) -> None:
        """Empty the calls that begin in a chunk after the piece whose end has ended the stream."""
        reading = incoming.reading
        if not reading.calls:
            return
        incoming.note_end(at)
        for index, (slot, _, _) in enumerate(reading.pieces):
            if index > at and slot in reading.calls and not self._goes_on(slot.choice):
                incoming.texts[index] = ""

    def _fill_repeats(self, incoming: Incoming[C]) -> None:
        """Fill in repeated text, and record the parts that are new or turn out to be."""
        texts, waits = incoming.texts, incoming.reading.waits
        joined = self._joined_copies(incoming) if incoming.reading.joined else NONE
        for index, piece in enumerate(incoming.reading.pieces):
            if piece.slot in incoming.matched:
                continue
            if piece.kind in NEW:
                incoming.fresh.append(index)
                continue
            if piece.kind in ("unknown", "held", "name", "mark", "later"):
                continue
            open_still = self._goes_on(piece.slot.choice)
            if piece.kind == "aside":
                texts[index] = piece.text if self._passes(piece, open_still=open_still) else ""
                continue
            if index in joined:
                text = joined[index]
            else:
                text = repeated(self._lanes, piece, waits, ended=self.ended is not None)
            if text is None and open_still:
                announced = piece.kind != "parsed" or piece.slot in self.calls
                if announced and self._lanes.get(piece.slot) is None:
                    incoming.fresh.append(index)
                events = self._lanes.check(piece.slot.channel, piece.text, piece.slot)
                text = self._apply_events(piece.slot, events)
                self._lanes.note_whole(piece, text)
            texts[index] = text or ""
            if not self._goes_on(piece.slot.choice):
                incoming.note_end(index)

    def _joined_copies(self, incoming: Incoming[C]) -> Mapping[int, str | None]:
        """Return what copies of joined texts become, by index; None if nothing of one may go out.

        They are guarded as one text if some of them repeat nothing that was streamed.
        """
        reading, over = incoming.reading, self.ended is not None
        slots = {*reading.joined, *reading.joined.values()}
        copies = {
            index: repeated(self._lanes, piece, reading.waits, ended=over)
            for index, piece in enumerate(reading.pieces)
            if piece.kind == "copy" and piece.slot in slots
        }
        if over or None not in copies.values():
            return copies
        pieces = [reading.pieces[index] for index in copies]
        checked = self._lanes.check_parts(pieces[0].slot, [piece.text for piece in pieces])
        for index, piece, events in zip(copies, pieces, checked, strict=True):
            if self.ended is None:
                copies[index] = text = self._apply_events(piece.slot, events)
                self._lanes.note_whole(piece, text)
            else:
                copies[index] = None
        return copies

    def _passes(self, piece: Piece, *, open_still: bool) -> bool:
        """Return whether a text beside the answer may stay in the chunk, because no rule changes
        it."""
        if piece.slot.channel == UNKNOWN:  # part of the request, whatever happens to the answer
            return self._lanes.harmless(piece) and self._asides.passes(piece, repeats=True)
        alone = open_still and self._lanes.harmless(piece)
        if not piece.slot.number:
            return alone
        return alone and self._asides.passes(piece, repeats=False)

    def _rebuilt(self, incoming: Incoming[C]) -> list[Sent[C]]:
        """Return the chunk with its new texts: the same object if unchanged, nothing if it is
        empty."""
        chunk, reading, texts = incoming.chunk, incoming.reading, incoming.texts
        cut = self._choices.cut.keys() & set(reading.choices) if self._choices.cut else ()
        if cut and cut == set(reading.choices) and reading.usage is None:
            pairs = zip(reading.pieces, texts, strict=True)
            if not any(text and _justifies_chunk(piece) for piece, text in pairs):
                return []
        if reading.only_text and texts and not any(texts):
            return []
        ends = self.ended is None and not cut
        written: C | None = chunk
        same = texts == [piece.text for piece in reading.pieces]
        if not same or cut or (reading.finished and not ends):
            own = self._growths.own_texts(reading.pieces, texts)
            written = self.adapter.write(chunk, own, ends=ends)
        if written is None:
            return []
        if self.hooks.passed:
            self.hooks.passed(written)
        return [self._sent(written, incoming)]

    def _sent(self, chunk: C, incoming: Incoming[C]) -> Sent[C]:
        """Return the `Sent` of a chunk, with the text that is new in it."""
        reading, texts = incoming.reading, incoming.texts
        answer, characters = "", 0
        parts: list[Part] = []
        for index in incoming.fresh:
            slot, text = reading.pieces[index].slot, texts[index]
            characters += len(text)
            if slot.is_answer:
                answer += text
            elif text:
                parts.append(Part(slot, text))
        if self.calls and self.ended not in CLOSED:
            parts += [
                self._completed_call(slot)
                for slot in _completed(reading, self.calls)
                if slot.choice not in self._choices.cut
            ]
        sent = Sent(chunk, answer, characters, parts, incoming.origin, begins=self._begins(answer))
        return self._with_unattributed(sent) if self._unattributed else sent

    def _begins(self, answer: str) -> bool:
        """Return whether the answer begins with a text, once."""
        begins, self._is_new = self._is_new and bool(answer), self._is_new and not answer
        return begins

    def _must_leave_out(self, incoming: Incoming[C]) -> bool:
        """Return whether a chunk has a call that is cut, which its adapter would write."""
        if incoming.ended_at is None or self.hooks.leaves_out_calls:
            return False
        return not any(map(self._goes_on, incoming.reading.choices)) and _cuts_call(incoming)

    def _released_of_left_out(self, incoming: Incoming[C]) -> list[Sent[C]]:
        """Return the released text of a chunk that is left out, without what the chunk ends.

        The arguments of a call that is new or whole in it are left out with the call.
        """
        sent: list[Sent[C]] = []
        reading = incoming.reading
        for (slot, _, kind), text in zip(reading.pieces, incoming.texts, strict=True):
            cut = slot.channel == "tool_args" and (kind in WHOLE or slot in reading.calls)
            if text and kind in NEW and slot.is_streamed and not cut:
                track = self._lanes.get(slot)
                last = incoming.model if track is None else track.chunk
                sent += self._added.text(last, slot, text)
        return sent

    # Pipelines that settle

    def _settle(
        self, lanes: Iterable[Lane], finished: Mapping[int, FinishReason] | None = None
    ) -> list[Sent[C]]:
        """Settle pipelines that are still open; the rest of each goes out in a chunk of its own.

        `finished` are the choices that end, None for all.
        """
        sent: list[Sent[C]] = []
        for lane in lanes:
            track = lane.track
            text = self._settle_lane(lane, finished)
            sent += self._rest(track, text)
            if self.ended or (finished is not None and not self._goes_on(track.slot.choice)):
                break
        return sent

    def _rest(self, track: Track, text: str) -> list[Sent[C]]:
        """Return what a pipeline has held, in chunks of its own."""
        sent: list[Sent[C]] = []
        if self._one is not None:
            came = Came(track.chunk, track.slot, "")
            early, text = self._one.placed(came, text, 0)
            sent += self._early(track, early)
        return sent + self._added.text(track.chunk, track.slot, text) if text else sent

    def _settle_lane(self, lane: Lane, finished: Mapping[int, FinishReason] | None) -> str:
        """Settle a pipeline at its text's end. The choices in `finished` end with it, None for
        all."""
        track = lane.track
        text = self._apply_events(track.slot, self._lanes.finish(lane), finished, over=True)
        self._lanes.note_released(track, text)
        return text

    def _release_waiting(self, reading: Reading | None = None) -> list[Sent[C]]:
        """Release what waited, or only what a chunk with this `reading` releases.

        If one of those chunks ends the stream, the rest are dropped.
        """
        waiting, self._waiting = self._waiting, []
        if reading is not None:
            self._waiting = [
                each for each in waiting if not _must_stay_ordered(each.reading, reading)
            ]
            waiting = [each for each in waiting if _must_stay_ordered(each.reading, reading)]
        ended_before = self.ended is not None
        sent: list[Sent[C]] = []
        for incoming in waiting:
            if ended_before and _is_by_path(incoming.reading):
                continue  # it came after the end, and nothing of it would be left
            sent += self._process(incoming)
            if self.ended and not ended_before:
                break
        return sent

    def _apply_events(
        self,
        slot: Slot,
        events: Sequence[Event],
        finished: Mapping[int, FinishReason] | None = NONE,
        *,
        over: bool = False,
    ) -> str:
        """Return the text in a pipeline's events, and record the other events.

        If its text is `over`, only a block or a rule can end the choice or the stream.
        """
        text = ""
        for event in events:
            if isinstance(event, Text):
                text += event.text
            elif isinstance(event, Finding):
                if (event.channel, event.choice) != (slot.channel, slot.choice):
                    event = replace(event, channel=slot.channel, choice=slot.choice)
                self.findings.append(event)
            elif event.reason in CLOSED:
                self.ended = event.reason
                self.blocked_by = blocking(event, self.findings)
            elif finished is not None and (event.by_rule or not over):
                self._choices.cut_all(self._ended_by(event, slot, finished), event.reason)
        return text

    def _ended_by(
        self, finish: Finish, slot: Slot, finished: Mapping[int, FinishReason]
    ) -> Iterable[int]:
        """Return the choices that a stop or a limit ends, without those in `finished`, which the
        source ends. If it ends all, its own choice still gets its reason, unless the provider
        blocks it. The source's end of a choice never says that a call is cut.
        """
        choice, cuts_call = slot.choice, slot.channel == "tool_args"
        if finish.ends == "choice":
            return [choice] if choice not in finished or cuts_call else []
        # Chunks of no known format open no choice.
        every = self._choices.open or [choice]
        said = ("content_filter", None if cuts_call else finish.reason)
        return [
            each
            for each in every
            if each not in finished or (each == choice and finished[each] not in said)
        ]

    # Ends written by the guard

    def _end_cut_choices(self) -> list[Sent[C]]:
        """End the choices that a stop or a limit has just cut, and the stream with the last one."""
        sent: list[Sent[C]] = []
        choices = self._choices
        for choice in choices.newly_cut():
            reason = choices.cut[choice]
            if reason == "stop":
                sent += self._settle(self._lanes.open(choice))
                if self.ended:
                    return sent + self._end_stream()
            self._lanes.drop(choice)
            choices.reasons[choice] = reason
            sent += self._release_waiting()
            if choice in choices.open:
                sent += self._added.end(choices.open.pop(choice), choice, reason)
        if not choices.open:
            self.ended = choices.reason
        return sent

    def _end_stream(self) -> list[Sent[C]]:
        """Return the chunks that end every open choice, and drop what is held."""
        assert self.ended is not None
        self._lanes.drop()
        if self._breaks_off and self.ended in CLOSED:
            self._waiting.clear()
            self._choices.open.clear()
            return []
        sent = self._release_waiting()
        if self.ended in CLOSED and self._block_message:
            sent += self._added.messages(self._block_message, self._choices.open)
        reason = "content_filter" if self.ended == "error" else self.ended  # the guard has failed
        for choice, chunk in self._choices.open.items():
            sent += self._added.end(chunk, choice, reason)
        self._choices.open.clear()
        return sent


def _never(_name: str) -> bool:
    return False


def _after(text: str, beginning: str) -> str:
    """Return the rest of a text after its beginning; empty if it begins differently."""
    return text[len(beginning) :] if text.startswith(beginning) else ""


def _is_key(piece: Piece) -> bool:
    """Return whether a piece is the name of a field."""
    return piece.kind == "unknown" and piece.slot.field.endswith("~")


def _justifies_chunk(piece: Piece) -> bool:
    """Return whether a piece justifies a chunk, unlike names and marks."""
    return piece.kind not in ("aside", "mark", "name") and not _is_key(piece)


def _cuts_call(incoming: Incoming[Any]) -> bool:
    """Return whether the end of a stream or choice cut or emptied a call that the chunk has whole,
    or emptied one that begins in it: a client might make it with what is left."""
    reading, at = incoming.reading, incoming.ended_at
    assert at is not None
    for index, (slot, text, kind) in enumerate(reading.pieces):
        new = incoming.texts[index]
        if slot.channel != "tool_args" or new == text:
            continue
        is_whole = slot in reading.complete or slot.choice in reading.finished
        if slot in reading.calls and (index > at or is_whole):
            return True
        if kind in WHOLE and (index >= at or not new):
            return True
    return False


def _fails(reading: Reading, choice: int) -> bool:
    """Return whether a chunk reports an error, with which nothing of a choice is complete."""
    return reading.failed or reading.finished.get(choice) == "error"


def _completed(reading: Reading, calls: Collection[Slot]) -> list[Slot]:
    """Return the calls that a chunk completes: if it ends a choice early, it cuts open ones off."""
    ended = [slot for slot in calls if slot.choice in reading.finished] if reading.finished else []
    done = [
        slot
        for slot in (*ended, *reading.closed)
        if reading.finished.get(slot.choice, "stop") in ("stop", "tool_calls")
    ]
    done += reading.complete
    return [slot for slot in done if slot in calls and not _fails(reading, slot.choice)]


def _is_open(reading: Reading) -> bool:
    """Return whether a chunk ends nothing, and has only pieces of texts."""
    ends = reading.finished or reading.closed or reading.complete
    return not ends and all(piece.kind == "delta" for piece in reading.pieces)


def _must_stay_ordered(reading: Reading, other: Reading) -> bool:
    """Return whether two chunks must keep their order: those of different choices or messages need
    not."""
    if None not in (reading.message, other.message) and reading.message != other.message:
        return False
    return not (
        reading.choices and other.choices and set(reading.choices).isdisjoint(other.choices)
    )


def _is_by_path(reading: Reading) -> bool:
    """Return whether a chunk ends no block, and has what is judged by its path."""
    pieces = reading.pieces
    return reading.waits is None and any(
        each.kind in ("unknown", "held", "name", "mark") for each in pieces
    )


def _cannot_wait(reading: Reading) -> bool:
    """Return whether a chunk must not wait for held text, because it adds to a text or ends one."""
    ends = bool(reading.finished) or reading.failed
    return ends or any(piece.kind in NEW for piece in reading.pieces)
