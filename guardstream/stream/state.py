"""The sans-I/O core of a stream: chunks in, guarded chunks out, its counters, and how it ended.

A driver reads the source, feeds chunks to a `StreamState`, and delivers those in its queue.
This module has the common part of asynchronous streams, synchronous streams and bodies of bytes;
waiting, waking and closing are left to the driver.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from io import StringIO
from typing import Any, Generic, TypeAlias, TypeVar

from guardstream.errors import AdapterError, BlockedError, StageError
from guardstream.events import GUARD, Finding, FinishReason
from guardstream.formats.adapter import NONE
from guardstream.formats.toolkit.reasons import Told
from guardstream.stream.callbacks import Callbacks, Due
from guardstream.stream.context import check_kept
from guardstream.stream.flows.event_texts import SILENCE
from guardstream.stream.flows.flow import Flow, Known, Sent
from guardstream.stream.observers import Observation, StreamRecord, StreamStart
from guardstream.stream.options import Options, Watch
from guardstream.stream.result import Meter, Result, Stats
from guardstream.stream.transcript import Delivered, result_of

C = TypeVar("C")

MakeFlow: TypeAlias = Callable[[Any, Meter], Flow[C]]
"""Creates the flow once the first chunk shows the format; the chunk is None for an empty source."""


class StopRequestedError(Exception):
    """The stream has to end now, with this finish reason."""

    def __init__(self, reason: FinishReason = "cancelled") -> None:
        super().__init__(reason)
        self.reason = reason


class StreamState(Generic[C]):
    """One stream. `queue` holds the chunks that may go out but have not been delivered.

    `finish` is set once, by `end`. `stopping` says that the stream has to end, because of `stop` or
    a deadline: `check_stop` then raises StopRequestedError. `callback_error` is the exception with
    which a callback ended the stream. `delta` is the answer's text in the last delivered chunk.
    """

    def __init__(self, make_flow: MakeFlow[C], options: Options) -> None:
        if options.handlers.on_tool_call and not options.keep_text:
            raise TypeError("on_tool_call needs the arguments so far: leave keep_text=True")
        self.flow: Flow[C] | None = None
        self.queue: deque[Sent[C]] = deque()
        self.delta = ""
        self.finish: FinishReason | None = None
        self._told: str | None = None  # the source's own word for it, if nobody knows it
        self.stopping = False
        self.expired = False
        self.callback_error: BaseException | None = None
        self.callbacks = Callbacks(options.handlers) if options.handlers else None
        self.watch = Watch(options.deadlines, options.clock) if options.deadlines else None
        self.settle_seconds = options.deadlines.settle
        self.has_timer = False  # whether the driver notices silence
        self.extraction = options.extraction
        self.policy = options.policy
        self._observed = Observation(options.observing) if options.observing else None
        self._direct_flow: Any = None  # the flow, if nothing else needs its chunks
        self._failed = False  # the flow has raised: it does not know any more what it holds
        self._delivered = Delivered() if options.keep_text else None
        self._known_at_failure: Known | None = None  # what was known when a callback failed
        self._last_due: list[Due] = []  # for calls that the source's end completes
        self._meter = Meter()
        self._make_flow = make_flow
        self._raise_on_block = options.raise_on_block
        self._rule_before: str | None = None  # which blocked the source, a guarded stream
        self._error_raised = False
        self._error: str | None = None

    # The state of the stream

    @property
    def findings(self) -> Sequence[Finding]:
        """What the rules have found so far, over all choices and channels."""
        return tuple(self.flow.findings[: self._known.findings]) if self.flow else ()

    @property
    def blocked_by(self) -> str | None:
        """The id of the rule that blocked the stream, or the guarded stream that it reads."""
        if self._known_at_failure is not None:
            return None
        flow = self.flow
        if flow is None or (self.callback_error is not None and flow.error is not None):
            return self._rule_before  # a callback failed before the flow's error was due
        return flow.blocked_by or self._rule_before

    @property
    def ended(self) -> FinishReason | None:
        """The reason to stop reading the source, if there is one."""
        return self.flow.ended if self.flow else None

    @property
    def held(self) -> int:
        """How many code points are held back now."""
        return self.flow.held if self.flow and self.finish is None else 0

    @property
    def stats(self) -> Stats:
        """The counters as they stand."""
        return self._meter.stats(self._known.usage)

    @property
    def result(self) -> Result:
        """A snapshot of what was delivered so far."""
        kept, known, rule = self._delivered, self._known, self.blocked_by
        found = result_of(kept, self.findings, self.finish, known.calls, known.usage, rule)
        return found if self._told is None else replace(found, provider_reason=self._told)

    @property
    def _known(self) -> Known:
        """What the flow knows; after a failed callback, what it knew at that point."""
        if self._known_at_failure is not None:
            return self._known_at_failure
        flow = self.flow
        return Known(len(flow.findings), flow.calls, flow.usage) if flow else Known(0, NONE, None)

    def check_kept(self) -> None:
        """Raise RuntimeError if the delivered text is not kept."""
        check_kept(is_kept=self._delivered is not None)

    # Chunks

    def begin(self, chunk: C | None) -> Flow[C]:
        """Create the flow for a stream that begins with this chunk."""
        flow = self.flow = self._make_flow(chunk, self._meter)
        flow.has_timer = self.has_timer
        if not (self.callbacks or self._observed or self.watch) and hasattr(flow, "feed_chunk"):
            self._direct_flow = flow
        return flow

    def step(self, chunk: C) -> C | None:
        """Pass a chunk through the guard; return the chunk to deliver, if it is the only one.

        Otherwise return None: the chunks to deliver are in `queue`, and the flow may have ended.
        """
        flow = self._direct_flow
        if flow is None and self.flow is None:
            flow = self._begin_directly(chunk)
        if flow is None:
            sent = self.feed(chunk)
        else:
            try:
                ready: C | None = flow.feed_chunk(chunk)
            except BaseException:
                self._failed, self._direct_flow = True, None
                raise
            if ready is not None:
                # Only answer text: the same as `deliver`, without the call.
                self.delta = text = flow.last_released
                meter = self._meter
                meter.chunks_out += 1
                if not meter.characters_out:
                    meter.release_began()
                meter.characters_out += len(text)
                if self._delivered is not None:
                    self._delivered.answer.write(text)
                return ready
            sent = flow.sent
        if not sent:
            return None
        one = len(sent) == 1 and self.callbacks is None and self.ended is None
        if one and not (self.has_timer and self.awaits_event):
            return self.deliver(sent[0])
        self.queue.extend(sent)
        return None

    def _begin_directly(self, chunk: C) -> Any:
        """Create the flow, and return it if chunks are passed to it directly."""
        self._check_not_failed()
        try:
            self.begin(chunk)
        except BaseException:
            self._failed = True
            raise
        return self._direct_flow

    def feed(self, chunk: C) -> Sequence[Sent[C]]:
        """Pass a chunk through the guard; return what may go out."""
        self._check_not_failed()
        try:
            flow = self.flow or self.begin(chunk)
            sent = flow.feed(chunk)
        except BaseException:
            self._failed = True
            raise
        if self._observed is not None:
            self._meter.holding()
        if self.watch is not None and self._meter.characters_in:
            self.watch.begun = True
        return sent

    @property
    def awaits_silence(self) -> bool:
        """Whether text is held after a sign of its end, which silence would prove."""
        return self.flow is not None and self.flow.awaits_silence

    @property
    def awaits_event(self) -> bool:
        """Whether text of an event is held, which goes out soon if no other event comes."""
        return self.flow is not None and self.flow.awaits_event

    @property
    def patience(self) -> float:
        """How many seconds of silence prove what waits for them."""
        return min(self.settle_seconds, SILENCE) if self.awaits_event else self.settle_seconds

    def believe(self) -> None:
        """Take silence as the proof of the ends that wait for one; what goes out is in `queue`."""
        self._check_not_failed()
        assert self.flow is not None
        try:
            self.queue.extend(self.flow.believe())
        except BaseException:
            self._failed = True
            raise

    def lapse(self) -> None:
        """Settle what is held after a sign of its end, because a deadline has passed; if that
        fails, it is dropped."""
        if self.flow is not None and not self._failed:
            with suppress(Exception):
                self.believe()

    def forget(self) -> None:
        """Drop the last chunk's text, which was long and has been delivered."""
        self.delta = ""

    def settle(self, blocked_by: str | None = None) -> Sequence[Sent[C]]:
        """Take the source's end; return the rest. `blocked_by` is the rule that blocked it."""
        self._check_not_failed()
        try:
            flow = self.flow or self.begin(None)
            sent = flow.finish()
        except BaseException:
            self._failed = True
            raise
        self._rule_before = blocked_by
        if flow.ending and self._delivered is not None:
            if self.callbacks is not None:
                self._last_due = self.callbacks.completing(flow.ending, self._delivered)
            self._delivered.add(flow.ending)
        return sent

    def _check_not_failed(self) -> None:
        """Raise StageError once the flow has raised. The driver should have ended the stream then,
        but may fail to do so when memory runs out."""
        if self._failed:
            raise StageError("the guard of this stream has failed")

    def deliver(self, sent: Sent[C]) -> C:
        """Count a chunk as delivered; return it."""
        self.delta = text = sent.text
        self._meter.delivered(sent.characters)
        delivered = self._delivered
        if delivered is not None:
            if sent.begins:
                delivered.answer = StringIO()
            if text:
                delivered.answer.write(text)
            if sent.parts:
                delivered.add(sent.parts)
        return sent.chunk

    # The end

    def check_stop(self) -> None:
        """Raise StopRequestedError if the stream has to end, or a deadline has passed."""
        if self.watch is not None and not self.stopping and self.watch.remaining() <= 0:
            self.expired = self.stopping = True
        if self.stopping:
            raise self.stop_error()

    def stop_error(self) -> StopRequestedError:
        """Return the exception that ends a stream that has to end."""
        return StopRequestedError("timeout" if self.expired else "cancelled")

    def end(self, reason: FinishReason) -> None:
        """Set the finish reason and stop the clock; later calls have no effect."""
        self._meter.end()
        if self.finish is None:
            self._told = reason.word if isinstance(reason, Told) else None
            self.finish = "stop" if isinstance(reason, Told) else reason

    def note_error(self, error: BaseException) -> None:
        """Record the type of the exception that ends the stream, and the rule that a block names;
        later calls have no effect."""
        if isinstance(error, BlockedError):
            self._rule_before, self._error_raised = error.rule, True
            # The error's own result may have text that this stream held back.
            error.result = replace(self.result, finish=reason_of(error))
        if isinstance(error, (AdapterError, StageError)):
            self._rule_before = self._rule_before or GUARD
        if isinstance(error, Exception) and not isinstance(error, StopRequestedError):
            self._error = self._error or type(error).__name__

    def error_at_end(self) -> Exception | None:
        """Return, once, the error after the last chunk: the flow's, or a block's if requested."""
        if self._error_raised or self.flow is None:
            return None
        self._error_raised = True
        if self.flow.error is not None:
            self.note_error(self.flow.error)
            return self.flow.error
        if self._raise_on_block and self.blocked_by is not None:
            return BlockedError(self.blocked_by, result=self.result)
        return None

    # Callbacks

    def due(self) -> list[Due]:
        """Return the callbacks that are due before the next chunk in the queue is delivered."""
        assert self.callbacks is not None
        assert self.flow is not None
        return self.callbacks.before(self.queue[0], self.flow, self._delivered)

    def due_findings(self) -> list[Due]:
        """Return the callbacks that are due for unreported findings, as the stream ends."""
        if self.callbacks is None or self.flow is None:
            return []
        last, self._last_due = self._last_due, []
        return self.callbacks.found(self.flow, self._known.findings) + last

    def due_at_end(self) -> list[Due]:
        """Return the callbacks that are due once, at the end."""
        return self.callbacks.finished(self.result) if self.callbacks is not None else []

    def callback_failed(self, error: BaseException) -> None:
        """Drop what was not reported to callbacks, because of `error`."""
        self.callback_error = error
        if self.queue:  # what came after the chunk in the same input is dropped
            self._known_at_failure = self.queue[0].known
            self._error_raised = self.flow is not None and self.flow.error is not None
        self.queue.clear()
        if self.finish is not None:
            self.finish = reason_of(error)
        self.note_error(error)

    # Observers

    def open(self) -> None:
        """Notify observers, once, that the stream begins; ObserverError if requested."""
        if self._observed is not None:
            self._observed.open()

    def report(self) -> None:
        """Notify observers, once, that the stream has ended; ObserverError if requested."""
        if self._observed is not None:
            self._observed.close(self._record)

    def unreported(self) -> Callable[[], None] | None:
        """Return, once, what notifies observers of the end without raising; None if they know."""
        return self._observed.closing(self._record) if self._observed is not None else None

    def _record(self, start: StreamStart) -> StreamRecord:
        flow = self.flow
        return StreamRecord(
            start=start,
            format=flow.format if flow else None,
            finish=self.finish or "cancelled",
            blocked_by=self.blocked_by,
            error=self._error,
            findings=self.findings,
            stats=self.stats,
            usage=self._known.usage,
        )


def reason_of(error: BaseException) -> FinishReason:
    """Return the finish reason of a stream that `error` ended."""
    if isinstance(error, StopRequestedError):
        return error.reason
    if isinstance(error, BlockedError):
        return "content_filter"
    return "error" if isinstance(error, Exception) else "cancelled"
