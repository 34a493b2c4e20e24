"""The flow of provider chunks: a pipeline for each slot, chunks rebuilt by the adapter."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, Generic, TypeVar

from guardstream.errors import AdapterError, StageError
from guardstream.events import UNKNOWN, Event, Finding, FinishReason, Text
from guardstream.providers.adapter import NEW, Adapter, Call, Piece, Reading, Slot
from guardstream.stream.protocol import MakeStage, Part, Sent, adapter_error, blocking
from guardstream.stream.repeats import repeated
from guardstream.stream.result import Meter
from guardstream.stream.slots import Lane, Lanes
from guardstream.stream.unknown import UnknownTexts

C = TypeVar("C")


class ChunkFlow(Generic[C]):
    """One stream of chunks. A chunk whose text did not change is passed on as the same object.

    A block ends the stream; a stop or a limit ends its choice, and the stream with the last one.
    """

    def __init__(
        self,
        adapter: Adapter[C],
        make_stage: MakeStage,
        meter: Meter,
        block_message: str = "",
        memory: int = 256,
    ) -> None:
        self.findings: list[Finding] = []
        self.ended: FinishReason | None = None
        self.blocked_by: str | None = None
        self.error: Exception | None = None
        self.calls: dict[Slot, Call] = {}
        self.usage: Any = None
        self._adapter = adapter
        self._meter = meter
        self._block_message = block_message
        self._lanes = Lanes(make_stage, self.calls, remember=adapter.repeats)
        self._unknown = UnknownTexts(partial(self._lanes.check, UNKNOWN), memory)
        self._open: dict[int, C] = {}
        self._finished: dict[int, FinishReason] = {}
        self._cut: dict[int, FinishReason] = {}
        self._waiting: list[tuple[C, Reading]] = []
        self._taken = getattr(adapter, "taken", None)
        self._passed = getattr(adapter, "passed", None)

    @property
    def held(self) -> int:
        return self._lanes.held

    @property
    def provider(self) -> str:
        return str(getattr(self._adapter, "name", type(self._adapter).__name__))

    @property
    def waiting(self) -> bool:
        """Whether chunks wait behind held text."""
        return bool(self._waiting)

    def feed(self, chunk: C) -> Sequence[Sent[C]]:
        try:
            chunk = self._taken(chunk) if self._taken else chunk
            reading = self._adapter.read(chunk)
            self._note_choices(chunk, reading)
            sent = self._take(chunk, reading)
        except (AdapterError, StageError):
            raise
        except Exception as error:
            raise adapter_error(error) from error
        characters = sum([len(p.text) for p in reading.pieces if p.kind in NEW])
        self._meter.received(characters, self.held)
        return sent

    def finish(self) -> Sequence[Sent[C]]:
        try:
            sent = self._settle(self._lanes.open())
            if self.ended:
                return sent + self._ends()
            sent += self._release_waiting()
        except StageError:
            raise
        except Exception as error:
            raise adapter_error(error) from error
        self.ended = self._finished.get(min(self._finished, default=0), "stop")
        return sent

    def _note_choices(self, chunk: C, reading: Reading) -> None:
        """Remember the last chunk of each open choice; text behind its end opens it again."""
        for choice in reading.choices:
            if choice in self._finished and (choice in self._cut or not reading.pieces):
                continue
            self._finished.pop(choice, None)
            self._open[choice] = chunk

    def _take(self, chunk: C, reading: Reading) -> list[Sent[C]]:
        """Settle what the chunk closes, let out what waited for that, then pass the chunk."""
        if reading.usage is not None:
            self.usage = reading.usage
        self.calls.update(reading.calls)
        if self._waiting and not (reading.closed or reading.joined or _says(reading)):
            self._waiting.append((chunk, reading))
            return []
        sent = self._settle(self._lanes.of(reading.closed))
        if self.ended:
            return sent + self._ends()
        sent += self._release_waiting()
        if self.ended:
            return sent
        for slot, earlier in reading.joined.items():
            self._lanes.join(slot, earlier, chunk)
        if reading.waits is not None and self._lanes.held_of(reading.waits):
            self._waiting.append((chunk, reading))
            return sent
        return sent + self._pass(chunk, reading)

    def _pass(self, chunk: C, reading: Reading) -> list[Sent[C]]:
        over = self.ended is not None
        texts = self._texts(chunk, reading)
        before = [] if self.ended else self._finish_choices(reading, texts)
        fresh = self._repeat(reading, texts)
        sent = before + self._written(chunk, reading, texts, fresh)
        if over:
            return sent
        if self.ended == "content_filter":
            return sent + self._ends()
        sent += self._end_choices()
        if self.ended:
            return sent
        if reading.failed:
            self.ended = "error"
            self._lanes.drop()
        for choice, reason in reading.finished.items():
            self._open.pop(choice, None)
            self._finished.setdefault(choice, reason)
        return sent

    def _texts(self, chunk: C, reading: Reading) -> list[str]:
        """Return what each piece becomes; what repeats text comes later, when all is known."""
        texts = [""] * len(reading.pieces)
        for place, (slot, text, kind) in enumerate(reading.pieces):
            if self.ended:
                break
            if slot.choice in self._cut:
                continue
            if kind in ("delta", "last"):
                track, events = self._lanes.feed(slot, text, chunk)
                track.last = texts[place] = self._text_of(slot, events)
                self._lanes.wrote(track, texts[place])
                if kind == "last" and not (self.ended or slot.choice in self._cut):
                    texts[place] += self._finish_lane(track.lane)
            elif kind in ("unknown", "name"):
                texts[place] = self._unknown_text(reading.pieces[place])
            elif kind == "whole":
                texts[place] = self._text_of(slot, self._lanes.check(slot.channel, text, slot))
                if self._adapter.repeats:
                    self._lanes.note_whole(reading.pieces[place], texts[place])
        return texts

    def _repeat(self, reading: Reading, texts: list[str]) -> set[int]:
        """Fill in what repeats text; return the places of what turned out to be new."""
        fresh = set()
        for place, piece in enumerate(reading.pieces):
            if piece.kind in NEW:
                fresh.add(place)
                continue
            if piece.kind in ("unknown", "name"):
                continue
            if piece.kind == "aside":
                open_still = not (self.ended or piece.slot.choice in self._cut)
                texts[place] = piece.text if open_still and self._lanes.harmless(piece) else ""
                continue
            text = repeated(self._lanes, piece, reading.waits)
            if text is None and not (self.ended or piece.slot.choice in self._cut):
                told = piece.kind != "parsed" or piece.slot in self.calls
                if told and self._lanes.get(piece.slot) is None:
                    fresh.add(place)
                events = self._lanes.check(piece.slot.channel, piece.text, piece.slot)
                text = self._text_of(piece.slot, events)
                self._lanes.note_whole(piece, text)
            texts[place] = text or ""
        return fresh

    def _unknown_text(self, piece: Piece) -> str:
        path, before = piece.slot.field, len(self.findings)
        judge = self._unknown.judge if piece.kind == "unknown" else self._unknown.judge_name
        text = self._text_of(piece.slot, judge(path, piece.text))
        if len(self.findings) > before:
            shown = self._unknown.shown(path)
            self.findings[before:] = [replace(each, path=shown) for each in self.findings[before:]]
        return text

    def _finish_choices(self, reading: Reading, texts: list[str]) -> list[Sent[C]]:
        """Settle what ends with this chunk; add to its texts, or go before it."""
        if not (reading.finished or reading.complete):
            return []
        places = {
            piece.slot: place for place, piece in enumerate(reading.pieces) if piece.kind == "delta"
        }
        before: list[Sent[C]] = []
        lanes = list(self._lanes.of(reading.complete))
        for choice, reason in reading.finished.items():
            if reason == "error":
                self._lanes.drop(choice)
            lanes += [lane for lane in self._lanes.open(choice) if lane not in lanes]
        for lane in lanes:
            track = lane.track
            text = self._finish_lane(lane)
            if track.slot in places:
                texts[places[track.slot]] += text
            elif text:
                before += self._extra(track.chunk, track.slot, text)
            if self.ended:
                break
        return before

    def _written(
        self, chunk: C, reading: Reading, texts: list[str], fresh: set[int]
    ) -> list[Sent[C]]:
        cut = self._cut.keys() & set(reading.choices)
        if cut and cut == set(reading.choices) and not any(texts) and reading.usage is None:
            return []
        ends = self.ended is None and not cut
        written: C | None = chunk
        if texts != [piece.text for piece in reading.pieces] or (reading.finished and not ends):
            written = self._adapter.write(chunk, texts, ends=ends)
        if written is None:
            return []
        if self._passed:
            self._passed(written)
        return [self._counted(written, reading, texts, fresh)]

    def _counted(self, chunk: C, reading: Reading, texts: list[str], fresh: set[int]) -> Sent[C]:
        shown, characters = "", 0
        parts: list[Part] = []
        for place in sorted(fresh):
            slot, text = reading.pieces[place].slot, texts[place]
            characters += len(text)
            if slot.is_answer:
                shown += text
            elif text:
                parts.append(Part(slot, text))
        if self.calls:
            done = [slot for slot in self.calls if slot.choice in reading.finished]
            done += [s for s in (*reading.closed, *reading.complete) if s in self.calls]
            if self.ended != "content_filter":
                parts += [Part(s, "", done=True) for s in done if s.choice not in self._cut]
        return chunk, shown, characters, parts

    def _settle(self, lanes: Iterable[Lane]) -> list[Sent[C]]:
        """Settle pipelines that are still open; each one's rest goes out in a chunk of its own."""
        sent: list[Sent[C]] = []
        for lane in lanes:
            track = lane.track
            text = self._finish_lane(lane)
            if text:
                sent += self._extra(track.chunk, track.slot, text)
            if self.ended:
                break
        return sent

    def _finish_lane(self, lane: Lane) -> str:
        """Settle a pipeline whose source is over: of its ends only a block is one of the stream."""
        track = lane.track
        text = self._text_of(track.slot, self._lanes.finish(lane), over=True)
        self._lanes.wrote(track, text)
        return text

    def _release_waiting(self) -> list[Sent[C]]:
        """Let out what waited. If one of those chunks ends the stream, the rest are dropped."""
        waiting, self._waiting = self._waiting, []
        over = self.ended is not None
        sent: list[Sent[C]] = []
        for chunk, reading in waiting:
            sent += self._pass(chunk, reading)
            if self.ended and not over:
                break
        return sent

    def _end_choices(self) -> list[Sent[C]]:
        """End the choices that a stop or a limit has just cut; and the stream with the last."""
        sent: list[Sent[C]] = []
        for choice in [choice for choice in self._cut if choice not in self._finished]:
            reason = self._cut[choice]
            if reason == "stop":
                sent += self._settle(self._lanes.open(choice))
                if self.ended:
                    return sent + self._ends()
            self._lanes.drop(choice)
            self._finished[choice] = reason
            sent += self._release_waiting()
            if choice in self._open:
                sent += self._end(self._open.pop(choice), choice, reason)
        if self._cut and not self._open:
            self.ended = self._finished[min(self._finished)]
        return sent

    def _ends(self) -> list[Sent[C]]:
        """Return the chunks that end every open choice, and forget what is held."""
        assert self.ended is not None
        self._lanes.drop()
        sent = self._release_waiting() + self._messages()
        for choice, chunk in self._open.items():
            sent += self._end(chunk, choice, self.ended)
        self._open.clear()
        return sent

    def _end(self, chunk: C, choice: int, reason: FinishReason) -> list[Sent[C]]:
        chunks = self._adapter.end(chunk, choice, reason, self._lanes.said)
        return [(each, "", 0, ()) for each in chunks]

    def _messages(self) -> list[Sent[C]]:
        """Return the chunks that say the block message, one for each open choice."""
        message = self._block_message
        if self.ended != "content_filter" or not message:
            return []
        spoken = {
            track.slot.choice: (track.slot, track.chunk)
            for track in self._lanes.tracks()
            if track.slot.channel == "text"
        }
        sent: list[Sent[C]] = []
        for choice, chunk in self._open.items():
            slot, last = spoken.get(choice, (Slot(choice, "text", "content"), chunk))
            self._lanes.say(slot, message)
            with suppress(AdapterError, LookupError):  # a format may have no place for it
                sent += self._extra(last, slot, message)
        return sent

    def _extra(self, chunk: C, slot: Slot, text: str) -> list[Sent[C]]:
        """Return chunks that say `text` alone; it is counted with the first of them."""
        chunks = self._adapter.extra(chunk, slot, text, self._lanes.said)
        answer = slot.is_answer
        sent: list[Sent[C]] = [(each, "", 0, ()) for each in chunks]
        if sent:
            parts = () if answer else (Part(slot, text),)
            sent[0] = (chunks[0], text if answer else "", len(text), parts)
        return sent

    def _text_of(self, slot: Slot, events: Sequence[Event], *, over: bool = False) -> str:
        """Return the text among a pipeline's events, and note the rest of them."""
        text = ""
        for event in events:
            if isinstance(event, Text):
                text += event.text
            elif isinstance(event, Finding):
                self.findings.append(replace(event, channel=slot.channel, choice=slot.choice))
            elif event.reason == "content_filter":
                self.ended = event.reason
                self.blocked_by = blocking(event, self.findings)
            elif not over:
                choices = list(self._open) if event.ends == "stream" else [slot.choice]
                self._cut.update(dict.fromkeys(choices, event.reason))
        return text


def _says(reading: Reading) -> bool:
    """Tell whether a chunk says something new: it then cannot wait behind held text."""
    return bool(reading.finished) or any(p.kind in NEW for p in reading.pieces)
