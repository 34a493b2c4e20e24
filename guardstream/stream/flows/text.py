"""The flow of `str` chunks: one pipeline, and the hot path of the package."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from guardstream.errors import AdapterError
from guardstream.events import CLOSED, GUARD, Event, Finding, FinishReason, Stage, Text
from guardstream.formats.adapter import Call, Slot
from guardstream.stream.flows.flow import Sent, blocking, feeding, following, stage_error
from guardstream.stream.result import Meter


def _not_text(chunk: object) -> AdapterError:
    hint = ": leave it out" if chunk is None else ": give text alone"
    return AdapterError(f"a chunk of type {type(chunk).__qualname__!r} in a stream of text{hint}")


class TextFlow:
    """One stream of text; every chunk is part of the answer.

    `inspect` gets each chunk before it is guarded, until it returns that it needs no more.
    """

    error: Exception | None = None
    ending = ()
    format = "text"
    has_timer = False  # a text has no sign of its end
    awaits_silence = awaits_event = False

    def __init__(self, stage: Stage, meter: Meter, block_message: str) -> None:
        self.findings: list[Finding] = []
        self.calls: dict[Slot, Call] = {}
        self.usage: Any = None
        self.ended: FinishReason | None = None
        self.blocked_by: str | None = None
        self.sent: Sequence[Sent[str]] = ()
        self._stage = stage
        self._feed, self._rest, self._holder = feeding(stage)
        self._meter = meter
        self._block_message = block_message
        self.inspect: Callable[[str], bool] | None = None
        self.last_released = ""  # the last released text

    @property
    def held(self) -> int:
        return self._stage.held

    def feed(self, chunk: str, origin: Any = None) -> Sequence[Sent[str]]:
        text = self.feed_chunk(chunk, origin)
        return self.sent if text is None else (Sent(text, text, len(text), (), origin),)

    def feed_chunk(self, chunk: str, origin: Any = None) -> str | None:
        """Take a chunk; return the text that goes out, if the result is just that.

        Otherwise return None; what may go out is in `sent`. Nearly every chunk is text and nothing
        else: it then goes out without a `Sent`.
        """
        if type(chunk) is not str and not isinstance(chunk, str):
            raise _not_text(chunk)
        if self.inspect is not None and not self.inspect(chunk):
            self.inspect = None
        try:
            fed = self._feed(chunk)
            if type(fed) is str:
                held = self._holder.held
            else:
                fed = self._rest(chunk, fed)
                held = self._stage.held
        except Exception as error:
            raise stage_error(error) from error
        meter = self._meter
        if meter.chunks_in:
            # The same as `received`, without the call.
            meter.chunks_in += 1
            meter.characters_in += len(chunk)
            meter.held = held
            meter.held_total += held
            if held > meter.held_max:
                meter.held_max = held
        else:
            meter.received(len(chunk), held)
        if isinstance(fed, str):
            text = fed
        elif len(fed) == 1 and type(event := fed[0]) is Text:
            text = event.text
        else:
            self.sent = self._sort(fed, origin) if fed else ()
            return None
        if text:
            self.last_released = text
            return text
        self.sent = ()
        return None

    def feed_part(self, text: str, origin: Any, characters: int) -> Sequence[Sent[str]]:
        """Take a part of a chunk, of which more follows; count it as `characters` of that chunk."""
        meter = self._meter
        before = meter.chunks_in, meter.characters_in, meter.held_total
        sent = self.feed(text, origin)
        if self.ended is None:
            meter.chunks_in, meter.characters_in, meter.held_total = before
            meter.characters_in += characters
        return sent

    def finish(self) -> Sequence[Sent[str]]:
        try:
            events = self._stage.finish()
        except Exception as error:
            raise stage_error(error) from error
        return self._sort(events)

    def release_events(self) -> Sequence[Sent[str]]:
        return ()

    def believe(self) -> Sequence[Sent[str]]:
        return ()

    def forget(self) -> None:
        """Drop the last text."""
        self.last_released, self.sent = self.last_released[-1:], ()

    def block(self, rule: str | None) -> Sequence[Sent[str]]:
        """End the stream as blocked by something outside its text; return its last chunks."""
        self.ended = "error" if rule == GUARD else "content_filter"
        self.blocked_by = rule
        return self._message()

    def _sort(self, events: Sequence[Event], origin: Any = None) -> Sequence[Sent[str]]:
        text = ""
        for event in events:
            if isinstance(event, Text):
                text += event.text
            elif isinstance(event, Finding):
                self.findings.append(event)
            else:
                self.ended = event.reason
                self.blocked_by = blocking(event, self.findings)
        self.last_released = text or self.last_released
        sent = [Sent(text, text, len(text), (), origin)] if text else []
        return sent + self._message() if self.ended in CLOSED else sent

    def _message(self) -> list[Sent[str]]:
        message = following(self.last_released, self._block_message)
        return [Sent(message, message, len(message))] if message else []
