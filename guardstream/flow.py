"""Chunks in, guarded chunks out: the pipelines of one stream, without any I/O.

A Flow asks an adapter where the text of a chunk is, runs each slot's text through a pipeline of
its own, and has the adapter build the chunks that may go out. It fails closed: whatever a stage or
an adapter raises becomes a StageError or AdapterError, and nothing of that chunk goes out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

from guardstream.errors import AdapterError, StageError
from guardstream.events import Event, Finding, Finish, FinishReason, Stage, Text
from guardstream.providers.base import Adapter, Reading, Slot
from guardstream.providers.text import PlainText
from guardstream.stats import Meter

C = TypeVar("C")

Sent: TypeAlias = tuple[C, str, int]
"""A chunk that may go out, the text of choice 0 in it, and how many characters it shows."""

MakeStage: TypeAlias = Callable[[str], Stage]
"""Returns a new pipeline for a channel."""


class Flow(Protocol[C]):
    """One stream's way through the guard.

    `ended` is the reason to stop reading the source, `blocked_by` the rule that blocked it.
    """

    findings: list[Finding]
    ended: FinishReason | None
    blocked_by: str | None

    @property
    def held(self) -> int:
        """How many code points are held back now."""
        ...

    def feed(self, chunk: C) -> Sequence[Sent[C]]:
        """Take a chunk; return what may go out now."""
        ...

    def finish(self) -> Sequence[Sent[C]]:
        """Take the source's end; return the rest and set `ended`."""
        ...


def make_flow(
    adapter: Adapter[Any], make_stage: MakeStage, meter: Meter, block_message: str = ""
) -> Flow[Any]:
    """Return the flow for an adapter; plain text has a shorter way.

    `block_message` is said, as an ordinary chunk, before a blocked stream ends.
    """
    if type(adapter) is PlainText:
        return TextFlow(make_stage("text"), meter, block_message)
    return ChunkFlow(adapter, make_stage, meter, block_message)


class TextFlow:
    """The flow of `str` chunks: one pipeline, and the hot path of the package."""

    def __init__(self, stage: Stage, meter: Meter, block_message: str = "") -> None:
        self.findings: list[Finding] = []
        self.ended: FinishReason | None = None
        self.blocked_by: str | None = None
        self._stage = stage
        self._feed = stage.feed
        self._meter = meter
        self._block_message = block_message

    @property
    def held(self) -> int:
        return self._stage.held

    def feed(self, chunk: str) -> Sequence[Sent[str]]:
        if not isinstance(chunk, str):
            raise AdapterError(f"a chunk of type {type(chunk).__qualname__!r} in a stream of text")
        try:
            events = self._feed(chunk)
            held = self._stage.held
        except Exception as error:
            raise _stage_error(error) from error
        meter = self._meter
        if meter.chunks_in:
            # What `received` does, without the call.
            meter.chunks_in += 1
            meter.characters_in += len(chunk)
            meter.held_total += held
            if held > meter.held_max:
                meter.held_max = held
        else:
            meter.received(len(chunk), held)
        if len(events) == 1 and type(event := events[0]) is Text:
            text = event.text
            return ((text, text, len(text)),)
        return self._sort(events) if events else ()

    def finish(self) -> Sequence[Sent[str]]:
        try:
            events = self._stage.finish()
        except Exception as error:
            raise _stage_error(error) from error
        return self._sort(events)

    def _sort(self, events: Sequence[Event]) -> Sequence[Sent[str]]:
        text = ""
        for event in events:
            if isinstance(event, Text):
                text += event.text
            elif isinstance(event, Finding):
                self.findings.append(event)
            else:
                self.ended = event.reason
                self.blocked_by = _blocking(event, self.findings)
        said = [text] if text else []
        if self.ended == "content_filter" and self._block_message:
            said.append(self._block_message)
        return [(part, part, len(part)) for part in said]


@dataclass(slots=True)
class _Lane(Generic[C]):
    """A slot's pipeline, and the last chunk that had text for it."""

    stage: Stage
    chunk: C
    done: bool = False


class ChunkFlow(Generic[C]):
    """The flow of provider chunks: a pipeline for each slot, chunks rebuilt by the adapter."""

    def __init__(
        self,
        adapter: Adapter[C],
        make_stage: MakeStage,
        meter: Meter,
        block_message: str = "",
    ) -> None:
        self.findings: list[Finding] = []
        self.ended: FinishReason | None = None
        self.blocked_by: str | None = None
        self._adapter = adapter
        self._make_stage = make_stage
        self._meter = meter
        self._block_message = block_message
        self._lanes: dict[Slot, _Lane[C]] = {}
        self._open: dict[int, C] = {}
        self._finished: dict[int, FinishReason] = {}

    @property
    def held(self) -> int:
        return sum([lane.stage.held for lane in self._lanes.values()])

    def feed(self, chunk: C) -> Sequence[Sent[C]]:
        try:
            reading = self._adapter.read(chunk)
            for choice in reading.choices:
                if choice not in self._finished:
                    self._open[choice] = chunk
            sent = self._pass(chunk, reading)
        except (AdapterError, StageError):
            raise
        except Exception as error:
            raise _adapter_error(error) from error
        self._meter.received(sum([len(piece.text) for piece in reading.pieces]), self.held)
        return sent

    def finish(self) -> Sequence[Sent[C]]:
        try:
            sent = self._settle(self._lanes)
            if self.ended:
                return sent + self._ends()
        except StageError:
            raise
        except Exception as error:
            raise _adapter_error(error) from error
        self.ended = self._finished.get(min(self._finished, default=0), "stop")
        return sent

    def _pass(self, chunk: C, reading: Reading) -> list[Sent[C]]:
        texts = [""] * len(reading.pieces)
        for place, (slot, text, whole) in enumerate(reading.pieces):
            take = self._check if whole else self._feed
            texts[place] = take(slot, text, chunk)
            if self.ended:
                break
        before = [] if self.ended else self._finish_choices(reading, texts)
        sent = before + self._written(chunk, reading, texts)
        if self.ended == "content_filter":
            return sent + self._ends()
        if self.ended:
            return sent + self._settle(self._lanes) + self._ends()
        if reading.failed:
            self.ended = "error"
            self._lanes.clear()
        for choice in reading.finished:
            self._open.pop(choice, None)
        self._finished |= reading.finished
        return sent

    def _finish_choices(self, reading: Reading, texts: list[str]) -> list[Sent[C]]:
        """Settle the choices that end with this chunk; add to its texts, or go before it."""
        if not reading.finished:
            return []
        places = {piece.slot: place for place, piece in enumerate(reading.pieces)}
        before: list[Sent[C]] = []
        for slot, lane in self._lanes.items():
            if slot.choice not in reading.finished or lane.done:
                continue
            text = self._finish_lane(slot, lane)
            if text and slot in places:
                texts[places[slot]] += text
            elif text:
                before.append(self._extra(slot, lane, text))
            if self.ended == "content_filter":
                break
        return before

    def _written(self, chunk: C, reading: Reading, texts: list[str]) -> list[Sent[C]]:
        ends = self.ended is None
        written: C | None = chunk
        if texts != [piece.text for piece in reading.pieces] or (reading.finished and not ends):
            written = self._adapter.write(chunk, texts, ends=ends)
        if written is None:
            return []
        shown, characters = "", 0
        for piece, text in zip(reading.pieces, texts, strict=True):
            characters += len(text)
            if _main(piece.slot):
                shown += text
        return [(written, shown, characters)]

    def _settle(self, lanes: dict[Slot, _Lane[C]]) -> list[Sent[C]]:
        """Settle pipelines that are still open; each one's rest goes out in a chunk of its own."""
        sent: list[Sent[C]] = []
        for slot, lane in lanes.items():
            if not lane.done:
                text = self._finish_lane(slot, lane)
                if text:
                    sent.append(self._extra(slot, lane, text))
                if self.ended == "content_filter":
                    break
        return sent

    def _extra(self, slot: Slot, lane: _Lane[C], text: str) -> Sent[C]:
        return self._sent(slot, self._adapter.extra(lane.chunk, slot, text), text)

    def _ends(self) -> list[Sent[C]]:
        """Return the chunks that end every open choice, and forget what is held."""
        assert self.ended is not None
        messages = self._messages()
        self._lanes.clear()
        chunks = [
            self._adapter.end(chunk, choice, self.ended) for choice, chunk in self._open.items()
        ]
        return messages + [(chunk, "", 0) for chunk in chunks if chunk is not None]

    def _messages(self) -> list[Sent[C]]:
        """Return the chunks that say the block message, one for each open choice."""
        message = self._block_message
        if self.ended != "content_filter" or not message:
            return []
        spoken = {
            slot.choice: (slot, lane.chunk)
            for slot, lane in self._lanes.items()
            if slot.channel == "text"
        }
        sent: list[Sent[C]] = []
        for choice, chunk in self._open.items():
            slot, last = spoken.get(choice, (Slot(choice, "text", "content"), chunk))
            with suppress(AdapterError, LookupError):  # a format may have no place for it
                sent.append(self._sent(slot, self._adapter.extra(last, slot, message), message))
        return sent

    @staticmethod
    def _sent(slot: Slot, chunk: C, text: str) -> Sent[C]:
        return chunk, text if _main(slot) else "", len(text)

    def _feed(self, slot: Slot, text: str, chunk: C) -> str:
        lane = self._lanes.get(slot)
        if lane is None:
            lane = self._lanes[slot] = _Lane(self._make_stage(slot.channel), chunk)
        lane.chunk = chunk
        try:
            events = lane.stage.feed(text)
        except Exception as error:
            raise _stage_error(error) from error
        return self._text_of(slot, lane, events)

    def _check(self, slot: Slot, text: str, chunk: C) -> str:
        """Guard a whole text at once; what it holds is settled right away."""
        lane = _Lane(self._make_stage(slot.channel), chunk)
        try:
            events = lane.stage.feed(text)
        except Exception as error:
            raise _stage_error(error) from error
        shown = self._text_of(slot, lane, events)
        return shown if lane.done else shown + self._finish_lane(slot, lane)

    def _finish_lane(self, slot: Slot, lane: _Lane[C]) -> str:
        try:
            events = lane.stage.finish()
        except Exception as error:
            raise _stage_error(error) from error
        ended = self.ended
        text = self._text_of(slot, lane, events)
        # A pipeline that ends as its source ends is no reason to end the stream.
        self.ended = "content_filter" if self.ended == "content_filter" else ended
        return text

    def _text_of(self, slot: Slot, lane: _Lane[C], events: Sequence[Event]) -> str:
        text = ""
        for event in events:
            if isinstance(event, Text):
                text += event.text
            elif isinstance(event, Finding):
                self.findings.append(replace(event, channel=slot.channel, choice=slot.choice))
            elif isinstance(event, Finish):
                lane.done = True
                self.ended = event.reason
                self.blocked_by = _blocking(event, self.findings)
        return text


def _blocking(finish: Finish, findings: Sequence[Finding]) -> str | None:
    """Return the rule that caused a finish: a block's finding stands right before it."""
    return findings[-1].rule if finish.reason == "content_filter" and findings else None


def _main(slot: Slot) -> bool:
    """Tell whether text of this slot belongs to the stream's result."""
    return slot.choice == 0 and slot.channel == "text" and slot.field in ("", "content")


def _stage_error(error: Exception) -> StageError:
    return StageError(f"a stage failed ({type(error).__name__}): the stream was blocked")


def _adapter_error(error: Exception) -> AdapterError:
    return AdapterError(f"malformed chunk ({type(error).__name__}): the stream was blocked")
