"""The flow of provider chunks, most of which differ from the one before only in their text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from guardstream.errors import AdapterError
from guardstream.events import CLOSED, GUARD, Event, Finding
from guardstream.formats.adapter import NEW, Adapter, Piece, Reading, Slot, Unknown
from guardstream.stream.flows.event_flow import EventFlow
from guardstream.stream.flows.fast_path import FastPath
from guardstream.stream.flows.flow import MakeStage, Part, Sent, fail_closed
from guardstream.stream.flows.identities import Identities, OneText, Waiting, lies_across, size_of
from guardstream.stream.flows.identities import Part as Came
from guardstream.stream.flows.slots import Track
from guardstream.stream.result import Meter

if TYPE_CHECKING:
    from guardstream.formats.toolkit.alike import Alike

C = TypeVar("C")


class ChunkFlow(EventFlow[C]):
    """One stream of chunks: each is read, or compared with the last, and guarded.

    Three paths give the same answer, from the general one to the fastest:

    - `PieceFlow` handles any chunk, piece by piece.
    - A chunk with a single text and nothing else has only that text guarded.
    - With a `steady` adapter, a chunk that differs from the last only in its text is not read.
      While only the answer streams, `FastPath` caches what such chunks have in common. Bytes may be
      compared, too: then only the text is fed, and the chunk itself is parsed only if the guard has
      to model others on it.
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
        self.last_released = ""
        self.sent: Sequence[Sent[C]] = ()
        self._single_text: Reading | None = None  # of the last chunk, if it had one
        self._was_alike = False  # whether the last chunk was like the one before
        self._fast_path: FastPath | None = None
        self._unread: tuple[C, Callable[[], C]] | None = None  # the last chunk that was not read
        self._latest: C | None = None  # the last chunk that was read
        self._recurs = False  # whether the slot of the last single text had more than one
        self.event_name = ""  # that of the next chunk's event, unless the chunk itself has it
        self._unreported: Callable[[], C] | None = None  # what `passed` has yet to see
        super().__init__(
            adapter,
            make_stage,
            meter,
            block_message,
            memory,
            unknown=unknown,
            breaks_off=breaks_off,
        )
        self._identities: Identities | None = Identities()  # None once texts are one
        self._unsure = self._identities.unsure

    def _read_by(self, adapter: Adapter[C]) -> None:
        super()._read_by(adapter)
        self._alike = self.hooks.alike if self.hooks.taken is None else None

    def feed_chunk(self, chunk: C) -> C | None:
        """Take a chunk; return the one that goes out, if the result is just that one.

        `last_released` is the text in what was returned. Otherwise return None; what may go out
        is in `sent`.
        """
        fast = self._fast_path
        try:
            text = None if fast is None else fast.compared.text(chunk)
            if fast is None or text is None:
                self.sent = self.feed(chunk)
                self._fast_path = self.fast_path if self._was_alike else None
                return None
            self._choices.open[fast.choice] = fast.track.chunk = chunk
            released = fast.feed(text)
            if released:
                self.last_released = released
                made: C = chunk if released is text else fast.compared.with_text(released, chunk)
                return made
            self.sent = () if released is not None else self.go_on(fast, text, chunk)
        except Exception as error:
            fail_closed(error, self.format)
        return None

    def go_on(
        self,
        fast: FastPath,
        text: str,
        chunk: C,
        origin: Any = None,
        write: Callable[[C, Sequence[str]], C | None] | None = None,
    ) -> Sequence[Sent[C]]:
        """Return what goes out for a text that led to more than text on the fast path, which is
        left if that ended a choice or the stream."""
        try:
            if write is None and self._alike is not None:
                self._alike(chunk)  # so that the adapter need not read it to write it
            write = write or self._write
            sent = self._sent_text(fast.track, text, fast.events, chunk, origin, write)
        except Exception as error:
            fail_closed(error, self.format)
        if self.ended is not None or self._choices.cut:
            fast.is_over, self._fast_path = True, None
        return sent

    @property
    def fast_path(self) -> FastPath | None:
        """The fast path for chunks like the last one, if it can be taken and the adapter need not
        see them."""
        if (
            self._single_text is None
            or self._alike is None
            or self._is_busy
            or self.ended is not None
        ):
            return None
        if self._lanes.remember or self._single_text.pieces[0].slot.name:
            return None
        compared = self._compared_with()
        track = self._lanes.only(self._single_text.pieces[0].slot)
        if (
            compared is None
            or track is None
            or self.hooks.passed
            or len(self._single_text.choices) != 1
        ):
            return None
        return FastPath(compared, track, self._single_text.choices[0], self._meter)

    def feed(self, chunk: C, origin: Any = None) -> Sequence[Sent[C]]:
        self._fast_path, self._was_alike = None, False
        try:
            if self._unread is not None:
                self._read_last()
            if self._alike is not None and self._single_text is not None and not self._is_busy:
                text = self._alike(chunk)
                if text is not None and not self._may_grow(self._single_text, text):
                    self._was_alike = self._recurs = True
                    return self._feed_text(
                        chunk, self._single_text, text, origin, chunk, self._write
                    )
            chunk = self._taken(chunk)
            reading = self._named(self.adapter.read(chunk))
            if self._recurs:
                self._note_recurring()
            if self.hooks.recognised is not None:
                known = self.hooks.recognised(chunk, reading)
                if known is not None:
                    sent, self._is_new = self._settle_rows(), bool(self._rows.alone)
                    self._read_by(known)
                    self._latest = None
                    return sent if self.ended else [*sent, *self.feed(chunk, origin)]
            reading = self._with_texts(chunk, reading)
            self._single_text = None
            self._lanes.remember = self.adapter.repeats or bool(self._growths.last)
            if self._identities is not None:
                return self._identify(Waiting(chunk, reading, origin), self._identities)
            return self._take(chunk, reading, origin)
        except Exception as error:
            fail_closed(error, self.format)

    def _take(self, chunk: C, reading: Reading, origin: Any) -> Sequence[Sent[C]]:
        """Take a chunk that was read; it waits while its texts may be cumulative."""
        if self._one is not None:
            return self._handle(chunk, self._one.read(reading), origin)
        if self._in_turn:
            return self._handle(chunk, reading, origin)
        verdict = self._growths.take(reading)
        if verdict == "pass":
            return self._handle(chunk, reading, origin)
        self._growths.waiting.append(Waiting(chunk, reading, origin))
        self._single_text = None  # the next chunk is compared with this one, which was not guarded
        return self._told() if verdict == "told" else ()

    def _handle(self, chunk: C, reading: Reading, origin: Any) -> Sequence[Sent[C]]:
        """Guard a chunk whose texts are understood."""
        if self._growths.last:
            reading = self._growths.read(reading)
        alone = reading.only_text and len(reading.pieces) == 1
        if alone and not (self._is_busy or self._marks.found):
            self._single_text, text = reading, reading.pieces[0].text
            return self._feed_text(chunk, reading, text, origin, chunk, self._write)
        sent = self._admit(chunk, reading, origin)
        characters = sum([len(p.text) for p in reading.pieces if p.kind in NEW])
        self._meter.received(characters, self.held)
        return sent

    # The text so far in place of deltas

    def _told(self) -> list[Sent[C]]:
        """Take the chunks that waited, now that their texts are understood."""
        growths, sent = self._growths, list[Sent[C]]()
        waiting = growths.decide(self._changes)
        for slot, first in growths.last.items():
            track = self._lanes.get(slot)
            if track is not None and not track.source:
                track.source, track.released = [first], [track.last_delta]
        self._lanes.remember = self.adapter.repeats or bool(growths.last)
        for each in waiting:
            if self.ended is None:
                sent += self._handle(*each)
        return sent

    @property
    def is_watched(self) -> bool:
        """Whether a text may still be cumulative."""
        return bool(self._growths.open)

    def may_grow(self, text: str) -> bool:
        """Return whether the next text, like the last, may be cumulative."""
        return self._single_text is not None and self._may_grow(self._single_text, text)

    def _may_grow(self, like: Reading, text: str) -> bool:
        """Return whether the text of a chunk like the last one may be cumulative."""
        return bool(self._growths.open) and self._growths.may_grow(like.pieces[0].slot, text)

    def _changes(self, slot: Slot, text: str) -> bool:
        """Return whether a rule changes a text, read by itself."""
        events = self._lanes.check(slot.channel, text, slot)
        return any(isinstance(each, Finding) and each.action != "monitor" for each in events)

    # Indexes that may count chunks

    def _identify(self, taken: Waiting, identities: Identities) -> Sequence[Sent[C]]:
        """Take a chunk while each text has come in one chunk."""
        verdict = "apart" if self._in_turn else identities.take(taken.reading)
        if verdict == "wait":
            identities.waiting.append(taken)
            self._single_text = None
            return ()
        if verdict == "pass":
            return self._take(*taken)
        if verdict == "either":
            return [*self._decide(), *self._take_all([taken])]
        if verdict == "one":
            self._make_one(identities)
        return self._take_all([*identities.release(), taken])

    def _decide(self) -> list[Sent[C]]:
        """Take the chunks that wait; if no match lies across their texts, each is over."""
        identities = self._identities
        if identities is None:
            return []
        if self._is_one(identities):
            self._make_one(identities)
            return self._take_all(identities.release())
        over = identities.slots_of_many()
        sent = self._settle_all(over) if identities.waiting else []
        for each in identities.release():
            sent += self._take_all([each]) + self._settle_all(over)
        return sent

    def _take_waiting(self) -> list[Sent[C]]:
        """Take all chunks that wait, because nothing more comes."""
        sent = self._decide()
        return sent + self._told() if self._growths.waiting else sent

    def _settle_all(self, slots: Sequence[Slot]) -> list[Sent[C]]:
        return [] if self.ended else self._settle_believed(self._lanes.of(slots), {})

    def _make_one(self, identities: Identities) -> None:
        """Read the texts of all indexes as one from here on."""
        families = identities.families()
        held = [
            Came(track.chunk, family.first, family.slots[family.first][-size:])
            for family in families
            if (track := self._lanes.get(family.first)) and (size := track.lane.stage.held)
        ]
        self._one = self._added.one = OneText(families, held)
        self._identities = None

    def _take_all(self, waiting: Sequence[Waiting]) -> list[Sent[C]]:
        """Take chunks that waited, until one ends the stream."""
        sent: list[Sent[C]] = []
        for each in waiting:
            if self.ended is None:
                sent += self._take(*each)
        return sent

    def _note_recurring(self) -> None:
        """Take note that the slot of the last chunk, and of those like it, recurs."""
        self._recurs = False
        if self._single_text is not None and self._identities is not None:
            self._identities.note_recurring(self._single_text.pieces[0].slot)

    def _is_one(self, identities: Identities) -> bool:
        """Return whether a match lies across texts, so that they must be read as one."""
        for family in identities.families():
            if not family.may_be_one:
                continue
            first = family.first
            check = partial(self._lanes.check, first.channel, slot=first)
            if lies_across([*family.slots.values()], check):
                return True
        return False

    @property
    def _undecided(self) -> Sequence[Waiting]:
        """The chunks that wait because their texts may be one, or cumulative."""
        found = [] if self._identities is None else self._identities.waiting
        return [*self._growths.waiting, *found]

    @property
    def is_undecided(self) -> bool:
        """Whether chunks wait until it is known what their texts are."""
        return bool(self._undecided)

    @property
    def held(self) -> int:
        return super().held + size_of(self._undecided)

    @property
    def awaits_silence(self) -> bool:
        return super().awaits_silence or (self.has_timer and bool(self._undecided))

    def _believed(self) -> list[Sent[C]]:
        sent = self._take_waiting()
        return sent if self.ended else sent + super()._believed()

    def _taken(self, chunk: C) -> C:
        """Return a chunk, or a copy of it if it is the same object as the last one.

        Its source may have changed it in place, so that what is known of it is out of date.
        """
        chunk = self.hooks.taken(chunk) if self.hooks.taken else chunk
        if chunk is not self._latest:
            self._latest = chunk
            return chunk
        from guardstream.formats.toolkit.detached import detached

        self.hooks.forget()
        return detached(chunk)  # type: ignore[no-any-return]

    def enter(self, event_name: str) -> None:
        """Take the name of the event that the next chunk comes in, unless the chunk has it."""
        if event_name != self.event_name:
            self.event_name, self._single_text = event_name, None

    def _named(self, reading: Reading) -> Reading:
        """Return a reading with the event's name in the slots of unknown texts, and in all slots if
        the format keeps the texts of each name apart.

        Then held text of other names goes out first, because a client that reads all names joins
        them.
        """
        name, apart = self.event_name, self.hooks.apart_by_name
        if not (name and (apart or any(piece.kind == "unknown" for piece in reading.pieces))):
            return reading
        pieces = [
            piece._replace(slot=piece.slot._replace(name=name))
            if apart or piece.kind == "unknown"
            else piece
            for piece in reading.pieces
        ]
        begun = {piece.slot._replace(name="") for piece in pieces if apart and piece.kind in NEW}
        open_slots = [lane.track.slot for lane in self._lanes.open()] if begun else []
        other = (slot for slot in open_slots if slot.name != name)
        over = [slot for slot in other if slot._replace(name="") in begun]
        only_text = reading.only_text and not over
        return reading._replace(pieces=pieces, closed=[*reading.closed, *over], only_text=only_text)

    @property
    def template(self) -> Alike | None:
        """The event to compare chunks with, if the last one had a single text and nothing else."""
        if self._single_text is None or (self.hooks.passed and self.hooks.notes_alike is True):
            return None
        return self._compared_with()

    def _compared_with(self) -> Alike | None:
        return self.hooks.compared() if self.hooks.compared else None

    def feed_alike(
        self,
        text: str,
        model: C,
        origin: Any,
        write: Callable[[C, Sequence[str]], C | None],
        whole: Callable[[], C],
    ) -> Sequence[Sent[C]] | None:
        """Take a chunk like the last one, of which only the text is known; None if it must be read.

        `model` is a similar chunk. What goes out is `origin.value` if the text is unchanged,
        otherwise it is written by `write`. `whole` returns the chunk itself, if others have to be
        modelled on it.
        """
        if self._single_text is None or self._is_busy or self._may_grow(self._single_text, text):
            return None
        self._unread, self._recurs = (model, whole), True
        try:
            return self._feed_text(
                origin.value, self._single_text, text, origin, model, write, whole
            )
        except Exception as error:
            fail_closed(error, self.format)

    def replace_last_unread(self, model: C, whole: Callable[[], C]) -> None:
        """Remember another chunk as the last unread one; `model` is the last one that was read."""
        self._unread = self._unread[0] if self._unread is not None else model, whole

    def _read_last(self) -> None:
        """Read the last unread chunk, before others are modelled on it."""
        if self._unread is None:
            return
        (model, whole), noted = self._unread, self._unreported
        self._unread = self._unreported = None
        if noted is not None and self.hooks.passed is not None:
            self.hooks.passed(noted())
        last = whole()
        self._choices.replace(model, last)
        for track in self._lanes.tracks():
            if track.chunk is model:
                track.chunk = last

    def _write(self, chunk: C, texts: Sequence[str]) -> C | None:
        return self.adapter.write(chunk, texts)

    def _feed_text(
        self,
        chunk: C,
        reading: Reading,
        text: str,
        origin: Any,
        model: C,
        write: Callable[[C, Sequence[str]], C | None],
        whole: Callable[[], C] | None = None,
    ) -> Sequence[Sent[C]]:
        """Guard a chunk that has a single text and nothing else.

        `reading` is its own, or that of a chunk like it except for the text.
        """
        slot = reading.pieces[0].slot
        for choice in reading.choices:
            self._choices.open[choice] = model
        track, events = self._feed_slot(slot, text, model)
        return self._sent_text(track, text, events, chunk, origin, write, whole)

    def _sent_text(
        self,
        track: Track,
        text: str,
        events: Sequence[Event],
        chunk: C,
        origin: Any,
        write: Callable[[C, Sequence[str]], C | None],
        whole: Callable[[], C] | None = None,
    ) -> Sequence[Sent[C]]:
        """Return what goes out for a chunk that has a single text and nothing else."""
        slot = track.slot
        released = self._apply_events(slot, events) if events else ""
        written = chunk
        if released == text:
            released = text  # the same object, so that a long text is stored once
        track.last_delta = released
        self._lanes.note_released(track, released)
        if released is not text and released:
            rewritten = write(chunk, (released,))
            if rewritten is None:
                raise AdapterError(
                    f"the adapter {self.format!r} writes no chunk for text: `write` may return "
                    "None only if nothing is left to say"
                )
            written = rewritten
        sent: list[Sent[C]] = []
        if released:
            if whole is not None:  # there is no chunk to read
                self._unreported = whole if self.hooks.notes_alike == "last" else None
            elif self.hooks.passed:
                self.hooks.passed(written)
            answer, parts = (released, ()) if track.is_answer else ("", (Part(slot, released),))
            begins = self._is_new and self._begins(answer)
            sent.append(Sent(written, answer, len(released), parts, origin, begins=begins))
        if self.ended is not None or self._choices.cut:
            self._read_last()
            sent += self._end_after_text()
        self._meter.received(len(text), self._lanes.held)
        return sent

    def _end_after_text(self) -> list[Sent[C]]:
        """End what a chunk with a single text has ended."""
        if self.ended in CLOSED:
            return self._end_stream()
        return self._end_cut_choices() if self._choices.cut else []

    def forget(self) -> None:
        """Drop the last chunk's text, if nothing else is in the chunk and nothing can need it."""
        self._fast_path = self._latest = None
        try:
            self._forget()
        except Exception as error:
            fail_closed(error, self.format)

    def _forget(self) -> None:
        if self._single_text is None or self.adapter.repeats or self._is_busy:
            return
        self._read_last()
        track = self._lanes.get(self._single_text.pieces[0].slot)
        if track is None:
            return
        last = track.chunk
        try:
            made = self._added.chunks(last, track.slot, " ")
        except Exception:
            return  # it fails again where the error is handled
        if len(made) != 1:
            return
        track.chunk = made[0]  # others are modelled on it
        track.last_delta, track.last_released = "", track.last_released[-1:]
        self._choices.replace(last, made[0])
        self._single_text = None
        self.hooks.forget()

    def finish(self) -> Sequence[Sent[C]]:
        self._fast_path = None
        try:
            self._read_last()
            kept = self.hooks.kept() if self.hooks.kept else None
            sent = self._take_waiting() if kept is None else self.feed(kept)
            return sent if self.ended else [*sent, *self._finish()]
        except Exception as error:
            fail_closed(error, self.format)

    def settle_texts(self) -> Sequence[Sent[C]]:
        """Take the end of all texts, before the source's last chunks; return what was held."""
        self._fast_path = None
        try:
            self._read_last()
            return self._settle(self._lanes.open()) if self.ended is None else ()
        except Exception as error:
            fail_closed(error, self.format)

    def block(self, rule: str | None) -> Sequence[Sent[C]]:
        """End the stream as blocked by something outside its chunks; return its last chunks."""
        self.ended = "error" if rule == GUARD else "content_filter"
        self.blocked_by, self._fast_path = rule, None
        try:
            self._read_last()
            return self._end_stream()
        except Exception as error:
            fail_closed(error, self.format)

    def guard_name(self, path: str, name: str) -> None:
        """Judge a name that comes outside of the chunks; `ended` is set if a rule matches it."""
        self._guard_unknown(Piece(Slot(0, "text", path), name, "name"))

    def guard_named(self, name: str, text: str, *, changes: bool) -> str:
        """Judge text under an event name for matches across a change of names; return what it
        becomes. `ended` is set if a rule blocks it."""
        slot = Slot(0, "text", "$.data")
        events = self._event_names.judge(name, text, changes=changes)
        return self._apply_events_at("$.data", slot, events)
