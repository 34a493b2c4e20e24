"""What both kinds of guarded stream share: what was found and delivered, and who is told of it."""

from __future__ import annotations

import logging
import secrets
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic, time
from typing import Any, Generic, Literal, TypedDict, TypeVar

from guardstream.errors import AdapterError, BlockedError, StageError
from guardstream.events import Finding, FinishReason
from guardstream.stream.callbacks import Due, Hooks, Returned
from guardstream.stream.deadlines import Deadlines, Watch
from guardstream.stream.flow import Flow, Part, Sent
from guardstream.stream.observers import Observing, StreamRecord, StreamStart
from guardstream.stream.result import Meter, Result, Stats, ToolCall
from guardstream.stream.transcript import Delivered, result_of

C = TypeVar("C")

log = logging.getLogger("guardstream")

Start = Callable[[Any, Meter], Flow[C]]
"""Makes the flow once the first chunk (None: the source was empty) shows what it is."""


class Delivering(TypedDict, total=False):
    """Options of `Guard.wrap` about delivery.

    `raise_on_block`: a block raises BlockedError after the last chunk. `keep_text=False`: delivered
    text is not kept for `result` and `text()`. `on_text`, `on_part`, `on_tool_call`, `on_finding`,
    `on_finish`: callbacks, sync or async, called before the chunk is handed out; if one raises, the
    stream ends with its error, or, with `callback_errors="report"`, the error's type is logged.
    `deadlines` take the place of the policy's; `clock` gives seconds, monotonic. `attributes` go
    into the record that observers get.
    """

    raise_on_block: bool
    keep_text: bool
    on_text: Callable[[str], Returned] | None
    on_part: Callable[[Part], Returned] | None
    on_tool_call: Callable[[ToolCall], Returned] | None
    on_finding: Callable[[Finding], Returned] | None
    on_finish: Callable[[Result], Returned] | None
    callback_errors: Literal["raise", "report"]
    deadlines: Deadlines | None
    clock: Callable[[], float]
    attributes: Mapping[str, str] | None


@dataclass(frozen=True, slots=True)
class Options:
    """How a stream is delivered."""

    raise_on_block: bool = False
    keep_text: bool = True
    hooks: Hooks = field(default_factory=Hooks)
    deadlines: Deadlines = field(default_factory=Deadlines)
    clock: Callable[[], float] = monotonic
    observing: Observing = field(default_factory=Observing)


class Delivery(Generic[C]):
    """One stream's delivery: its counters, its result, and how it ended."""

    def __init__(self, start: Start[C], options: Options) -> None:
        if options.hooks.on_tool_call and not options.keep_text:
            raise TypeError("on_tool_call needs the arguments so far: leave keep_text=True")
        self.delta = ""
        """The answer's text in the chunk that was delivered last."""
        self._start = start
        self._options = options
        self._hooks = options.hooks or None
        self._observing = options.observing or None
        self._watch = Watch(options.deadlines, options.clock) if options.deadlines else None
        self._delivered = Delivered() if options.keep_text else None
        self._meter = Meter()
        self._flow: Flow[C] | None = None
        self._queue: deque[Sent[C]] = deque()
        self._stopping = False
        self._faulted = False
        self._concluded = False
        self._told = 0  # findings that callbacks have been told
        self._opened: StreamStart | None = None
        self._error: str | None = None
        self._finish: FinishReason | None = None

    @property
    def findings(self) -> Sequence[Finding]:
        """What the rules have found so far, over all choices and channels."""
        return tuple(self._flow.findings) if self._flow else ()

    @property
    def blocked_by(self) -> str | None:
        """The id of the rule that blocked the stream, if one did."""
        return self._flow.blocked_by if self._flow else None

    @property
    def held(self) -> int:
        """How many code points are held back now."""
        return self._flow.held if self._flow and self._finish is None else 0

    @property
    def stats(self) -> Stats:
        """The counters as they stand."""
        return self._meter.stats()

    @property
    def result(self) -> Result:
        """A snapshot of what was delivered so far."""
        return result_of(self._flow, self._delivered, self._finish)

    def _begin(self, chunk: C | None) -> Flow[C]:
        """Make the flow that the first chunk asks for."""
        self._flow = self._start(chunk, self._meter)
        return self._flow

    def _feed(self, chunk: C) -> Sequence[Sent[C]]:
        """Pass a chunk through the guard."""
        flow = self._flow or self._begin(chunk)
        sent = flow.feed(chunk)
        if self._observing is not None:
            self._meter.holding()
        if self._watch is not None and self._meter.characters_in:
            self._watch.begun = True
        return sent

    def _settle(self) -> Sequence[Sent[C]]:
        """Take the source's end; return the rest."""
        flow = self._flow or self._begin(None)
        return flow.finish()

    def _deliver(self, sent: Sent[C]) -> C:
        text, characters = sent.text, sent.characters
        self.delta = text
        meter = self._meter
        meter.chunks_out += 1
        if characters:
            if not meter.characters_out:
                meter.release_began()
            meter.characters_out += characters
        kept = self._delivered
        if kept is not None:
            if text:
                kept.answer.write(text)
            for part in sent.parts:
                kept.add(part)
        return sent.chunk

    def _due(self, sent: Sent[C]) -> list[Due]:
        """The callbacks that are due before a chunk is delivered."""
        assert self._hooks is not None
        assert self._flow is not None
        due = self._hooks.due(sent, self._flow, self._delivered)
        return [*self._due_findings(), *due] if len(self._flow.findings) > self._told else due

    def _due_findings(self) -> list[Due]:
        """The callbacks that are due for findings that they do not know."""
        if self._hooks is None or self._flow is None:
            return []
        found = self._flow.findings[self._told :]
        self._told += len(found)
        return self._hooks.found(found)

    def _due_at_end(self) -> list[Due]:
        """The callbacks that are due once, at the end."""
        callback = self._hooks.on_finish if self._hooks is not None else None
        return [(callback, self.result)] if callback else []

    def _open(self) -> None:
        """Tell observers, once, that the stream begins."""
        observing = self._observing
        if observing is None or self._opened is not None:
            return
        self._opened = StreamStart(
            id=secrets.token_hex(8),
            started=time(),
            policy=observing.policy,
            fingerprint=observing.fingerprint,
            shadow=observing.shadow,
            attributes=observing.attributes,
        )
        observing.open(self._opened)

    def _record(self) -> None:
        """Tell observers, once, that the stream has ended."""
        record = self._take_record()
        if record is not None:
            self._options.observing.close(record)

    def _take_record(self) -> StreamRecord | None:
        """Return, once, what observers are told of the stream; None if they know nothing of it."""
        start, self._opened = self._opened, None
        if start is None:
            return None
        flow = self._flow
        return StreamRecord(
            start=start,
            provider=flow.provider if flow else None,
            finish=self._finish or "cancelled",
            blocked_by=self.blocked_by,
            error=self._error,
            findings=self.findings,
            stats=self.stats,
            usage=flow.usage if flow else None,
        )

    def _end(self, reason: FinishReason) -> None:
        self._meter.end()
        if self._finish is None:
            self._finish = reason

    def _note(self, error: BaseException) -> None:
        """Remember the type of the exception that ends the stream; the first one counts."""
        if isinstance(error, Exception) and not isinstance(error, StopRequestedError):
            self._error = self._error or type(error).__name__

    def _fault(self) -> Exception | None:
        """Return, once, the error behind the last chunk: the flow's, or a block's if asked for."""
        if self._faulted or self._flow is None:
            return None
        self._faulted = True
        if self._flow.error is not None:
            self._note(self._flow.error)
            return self._flow.error
        if self._options.raise_on_block and self.blocked_by is not None:
            return BlockedError(self.blocked_by)
        return None

    def _kept_text(self) -> str:
        if self._delivered is None:
            raise RuntimeError("the text was not kept: wrap the stream with keep_text=True")
        return self._delivered.answer.getvalue()


class Streaming(Delivery[C]):
    """The delivery of a stream that is iterated."""

    callback_error: BaseException | None = None
    """What a callback raised to end the stream."""

    _expired = False  # whether a deadline has passed
    _calling = False  # whether callbacks are being called

    @property
    def finish(self) -> FinishReason | None:
        """Why the stream ended; None while it is open."""
        return self._finish

    def _look(self) -> None:
        """Raise StopRequestedError if the stream was stopped, or a deadline has passed."""
        if self._watch is not None and not self._stopping and self._watch.remaining() <= 0:
            self._expired = self._stopping = True
        if self._stopping:
            raise self._stopped()

    def _stopped(self) -> StopRequestedError:
        return StopRequestedError("timeout" if self._expired else "cancelled")

    def _call_failed(self, error: BaseException) -> None:
        """Drop what callbacks were not told of, because of `error`."""
        self.callback_error = error
        self._queue.clear()
        if self._finish is not None:
            self._finish = reason_of(error)
        self._note(error)


class StopRequestedError(Exception):
    """The stream is to end now, with this reason."""

    def __init__(self, reason: FinishReason = "cancelled") -> None:
        super().__init__(reason)
        self.reason = reason


def hide(error: Exception) -> None:
    """Log an error that comes behind another one, which is the one that is raised."""
    log.error("a guarded stream that had failed failed again (%s)", type(error).__name__)


def reason_of(error: BaseException) -> FinishReason:
    """Return the finish reason of a stream that `error` ended."""
    if isinstance(error, StopRequestedError):
        return error.reason
    if isinstance(error, (AdapterError, StageError)):
        return "content_filter"
    return "error" if isinstance(error, Exception) else "cancelled"
