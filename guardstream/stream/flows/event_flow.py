"""The flow of events with texts that no format names."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from guardstream.events import FinishReason, Text
from guardstream.formats.adapter import Adapter, Piece, Reading, Slot
from guardstream.stream.flows.event_texts import (
    MAX_IDLE,
    MAX_TEXTS,
    Came,
    EventTexts,
    Row,
    is_ping,
)
from guardstream.stream.flows.flow import Sent, fail_closed
from guardstream.stream.flows.pieces import Incoming, PieceFlow
from guardstream.stream.flows.slots import Lane, Track

C = TypeVar("C")


class EventFlow(PieceFlow[C]):
    """Guards such texts as texts, piece by piece; what is held of one leaves in its own events.

    It leaves once the next piece has decided it, after some events without one, or in silence.
    """

    finds_texts = True
    """Whether strings may be texts that are held."""

    _rows: EventTexts

    def _read_by(self, adapter: Adapter[C]) -> None:
        super()._read_by(adapter)
        if hasattr(adapter, "exact"):
            adapter.exact = self._rows.alone

    def _with_texts(self, chunk: C, reading: Reading) -> Reading:
        """Return a reading in which the texts of events are told from their marks. Records of a
        program's own are no events."""
        is_event = isinstance(chunk, dict) or self.hooks.name != "json"
        alone, every = self._is_unnamed and is_event, self._mode == "hold" and self.finds_texts
        if reading.failed or not (alone or every):
            return reading  # an error is all that its event says
        return self._rows.read(reading, alone=alone, every=every)

    @property
    def _is_unnamed(self) -> bool:
        """Whether no format names what is in the chunks."""
        return self.finds_texts and bool(getattr(self.adapter, "is_unnamed", False))

    # The path of a chunk

    def _admit(self, chunk: C, reading: Reading, origin: Any) -> list[Sent[C]]:
        before = self._settle_over() if self._rows.over or self._rows.turned else []
        if self.ended:
            return before
        held = self._rows.held
        if held and self._is_unnamed and not (self._has_more(reading) or is_ping(reading)):
            # Clients may stop reading at it, so it waits for the text before it.
            reading = reading._replace(waits=next(reversed(held)))
        sent = super()._admit(chunk, reading, origin)
        if not (held or before):
            return sent
        return [*before, *sent, *self._after_event()]

    def _has_more(self, reading: Reading) -> bool:
        """Return whether an event has text at the path of one that is held."""
        paths = {slot.field for slot in self._rows.held}
        return any(_is_text(each) and each.slot.field in paths for each in reading.pieces)

    def _settle_over(self) -> list[Sent[C]]:
        """Settle texts that others follow, and those that are judged at once from here on."""
        rows = self._rows
        over, turned = rows.over, rows.turned
        rows.over, rows.turned = [], []
        ended = [slot for slot in rows.rows if slot in over or slot.field in turned]
        sent = self._settle_rows(ended)
        self._forget_rows(ended)
        for path in turned:
            for (slot, beside, _), text in rows.last_pieces(path):
                self._unknown.judge(path, text, slot.number, slot.name, beside)
        return sent

    def _after_event(self) -> list[Sent[C]]:
        """Settle the texts of which no event had more for long."""
        rows = self._rows.held.items()
        late = [slot for slot, row in rows if row.idle == MAX_IDLE]
        for row in self._rows.held.values():
            row.idle += 1
        return self._settle_rows(late) if late else []

    def _settle_rows(self, slots: Iterable[Slot] | None = None) -> list[Sent[C]]:
        """Let go of what is held of such texts, of all by default, and what waits for it."""
        if self.ended is not None:
            return []
        sent = self._settle([*self._lanes.of([*(self._rows.held if slots is None else slots)])], {})
        if self.ended or self._choices.newly_cut():
            return sent + (self._end_stream() if self.ended else self._end_cut_choices())
        return sent if self._rows.held or not self._is_unnamed else sent + self._release_waiting()

    @property
    def awaits_silence(self) -> bool:
        return super().awaits_silence or (self.has_timer and bool(self._rows.held))

    @property
    def awaits_event(self) -> bool:
        """Whether a text of an event waits for the next one."""
        return bool(self._rows.held)

    def release_events(self) -> Sequence[Sent[C]]:
        """Return what is held of events: the other side speaks, or nothing comes."""
        try:
            return self._settle_rows()
        except Exception as error:
            fail_closed(error, self.format)

    def _believed(self) -> list[Sent[C]]:
        sent = self._settle_rows()
        return sent if self.ended else sent + super()._believed()

    # A piece of such a text

    def _guard_delta(self, incoming: Incoming[C], index: int) -> str:
        piece = incoming.reading.pieces[index]
        if piece.slot in self._rows.rows and piece.slot.is_event:
            return self._guard_event(incoming, index, piece)
        return super()._guard_delta(incoming, index)

    def _guard_event(self, incoming: Incoming[C], index: int, piece: Piece) -> str:
        """Guard a piece of a text; what was held of it goes out before its event."""
        slot, text, _ = piece
        row = self._rows.rows[slot]
        rest = self._rows.rest.pop(slot, "")
        if rest and self._lanes.get(slot) is None:
            self._lanes.open_after(slot, rest, incoming.chunk)
        track, events = self._lanes.feed(slot, text, incoming.chunk)
        released = track.last_delta = self._apply_events_at(slot.field, slot, events)
        self._lanes.note_released(track, released)
        own = released
        if slot in self._growths.last:  # its events have all of it, and so has one for the rest
            row.held = [Came(incoming, index, "")] if track.lane.stage.held else []
        else:
            row.held.append(Came(incoming, index, text))
            own = self._placed(incoming, slot, row, released, track.lane.stage.held)
        row.idle = 0
        if row.held:
            self._rows.held[slot] = row
        else:
            self._rows.held.pop(slot, None)
        if len(self._rows.rows) > MAX_TEXTS:
            oldest = [next(iter(self._rows.rows))]
            incoming.early += self._settle([*self._lanes.of(oldest)], {})
            self._forget_rows(oldest)
        return own

    def _placed(self, incoming: Incoming[C], slot: Slot, row: Row, released: str, held: int) -> str:
        """Return what goes out in an event; what goes out in earlier ones is noted there."""
        own = ""
        for each in row.placed(released, held):
            text = self._judged(slot, each.text)
            if each.event is incoming:
                own += text
            elif text:
                incoming.early += self._copy(each, text)
        return own

    def _judged(self, slot: Slot, text: str) -> str:
        """Return what becomes of a piece of a text, which is judged alone, too: clients see what is
        in one event, whatever comes before and after it."""
        events = self._check(text)
        if self.ended is not None:  # by what comes after it; of a match in it nothing goes out
            return "".join(each.text for each in events if isinstance(each, Text))
        return self._apply_events_at(slot.field, slot, events)

    def _forget_rows(self, slots: Collection[Slot]) -> None:
        """Forget texts that nothing continues."""
        self._rows.forget(slots)
        for slot in slots:
            self._lanes.remove(slot)

    def _settle_lane(self, lane: Lane, finished: Mapping[int, FinishReason] | None) -> str:
        before, slot = len(self.findings), lane.track.slot
        text = super()._settle_lane(lane, finished)
        if slot.is_event:
            self._note_path(before, slot.field)
        return text

    def _rest(self, track: Track, text: str) -> list[Sent[C]]:
        row = self._rows.held.pop(track.slot, None)
        if row is None:
            return super()._rest(track, text)
        sent: list[Sent[C]] = []
        if track.slot in self._growths.last:
            return self._copy(row.held[-1], self._lanes.released(track.slot)) if text else sent
        for each in row.placed(text, 0):
            if rest := self._judged(track.slot, each.text):
                sent += self._copy(each, rest)
        return sent

    # Events that go out later

    def _rebuilt(self, incoming: Incoming[C]) -> list[Sent[C]]:
        incoming.is_late = self.ended is None and self._is_held(incoming)
        if incoming.is_late or self._is_empty(incoming):
            return []
        return super()._rebuilt(incoming)

    def _is_empty(self, incoming: Incoming[C]) -> bool:
        """Return whether nothing is left of an event: its text is blocked, or it is left out."""
        is_blocked = self.ended is not None and _has_text(incoming.reading)
        if not self._is_unnamed or not (is_blocked or self._mode == "drop"):
            return False
        told = zip(incoming.reading.pieces, incoming.texts, strict=True)
        return not any(text and (_is_text(piece) or not is_blocked) for piece, text in told)

    def _leaves_out(self, reading: Reading) -> bool:
        return self._mode == "drop" and not (self._is_unnamed and _has_text(reading))

    def _texts_of(self, choice: int) -> Iterator[Lane]:
        """Yield the open lanes of a choice that are no arguments, nor text beside known text."""
        for lane in super()._texts_of(choice):
            if self._is_unnamed or not lane.track.slot.is_event:
                yield lane

    def _is_held(self, incoming: Incoming[C]) -> bool:
        """Return whether all text of an event is held, so that it goes out with that."""
        if not self._rows.held or incoming.reading.choices:
            return False
        held = {
            each.at
            for row in self._rows.held.values()
            for each in row.held
            if each.event is incoming and each.text
        }
        pieces = zip(incoming.reading.pieces, incoming.texts, strict=True)
        return bool(held) and all(
            at in held and not text for at, (piece, text) in enumerate(pieces) if _is_text(piece)
        )

    def _copy(self, came: Came, text: str) -> list[Sent[C]]:
        """Return a copy of an event that has only one of its texts."""
        event: Incoming[C] = came.event
        pieces = event.reading.pieces
        own, _, kind = pieces[came.at]
        texts = [
            text if piece.slot == own else each if piece.kind == "unknown" else ""
            for piece, each in zip(pieces, event.texts, strict=True)
        ]
        is_same = event.is_late and texts == [piece.text for piece in pieces]
        written: C | None = event.chunk
        if not is_same:
            ends = not event.reading.finished
            written = self.adapter.write(event.chunk, self._own_texts(pieces, texts), ends=ends)
        event.is_late = False
        if written is None:
            return []
        origin = event.origin if is_same else None
        sent = Sent(written, origin=origin, name=getattr(event.origin, "name", ""))
        if kind == "delta":
            sent.text, sent.characters = text, len(text)
        return [sent]

    def _own_texts(self, pieces: Sequence[Piece], texts: Sequence[str]) -> Sequence[str]:
        return self._growths.own_texts(pieces, texts)


def _has_text(reading: Reading) -> bool:
    return any(map(_is_text, reading.pieces))


def _is_text(piece: Piece) -> bool:
    return piece.slot.is_event and piece.kind in ("delta", "held")
