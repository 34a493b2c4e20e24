"""A gated stream: iterate it instead of the guarded one.

One task of its own reads the stream, one each judges a unit; none of them ever stands around a
`yield`, and all of them end with the gate. What a check has not allowed is not released.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterable, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Generic, Literal, NamedTuple, TypeAlias, TypeVar

import anyio

from guardstream.events import Finding, FinishReason
from guardstream.gate.chunks import Choose, Chunks, chunks_of
from guardstream.gate.judging import GateError
from guardstream.gate.line import Line, Passed, Unit
from guardstream.gate.verdict import Check, Verdict, verdict_of
from guardstream.providers.adapter import NEW, Call, Reading, Slot
from guardstream.providers.hooks import Reader
from guardstream.stages.units import Units
from guardstream.stream.context import AsyncContext, TextStream, hide
from guardstream.stream.flow import Part
from guardstream.stream.loops import CLOSE_SECONDS, Loop, aclose_source, iterator_of, running_loop
from guardstream.stream.observers import Joined, ObserverError, StreamRecord
from guardstream.stream.protocol import ChunkStream
from guardstream.stream.result import Meter, Result, Stats
from guardstream.stream.state import reason_of
from guardstream.stream.transcript import Delivered, result_of

C = TypeVar("C")

Otherwise: TypeAlias = Literal["block", "allow"]


@dataclass(frozen=True, slots=True)
class Options:
    """How a gate judges; see `gate`."""

    make_units: Callable[[], Units]
    deadline: float
    ahead: int
    on_error: Otherwise
    on_timeout: Otherwise
    channels: frozenset[str] | None
    choose: Choose
    lines: bool = False
    """Whether chunks of `str` are lines of server-sent events."""
    hold: bool = True
    overlap: int = 0
    rule: str = "gate"
    of_guard: bool = False
    """Whether the stream is the guard's own: its findings are said as this one's too."""
    observing: Joined | None = None
    """What is told how the stream ended; it has the guard's record."""


class _Signal:
    """Wakes whoever waits for something to change."""

    def __init__(self) -> None:
        self._event = anyio.Event()

    def notify(self) -> None:
        event, self._event = self._event, anyio.Event()
        event.set()

    async def wait(self) -> None:
        await self._event.wait()


class _Core(Generic[C]):
    """What the gate's own tasks share; it knows nothing of the iterator, which may be dropped."""

    def __init__(self, source: AsyncIterable[C], check: Check, options: Options) -> None:
        self.chunks: Chunks | None = None
        self.line: Line[Any] | None = None
        self.reader: Reader[Any] | None = None  # reads what is delivered, for `end`
        self.error: Exception | None = None
        self.over = False  # nothing more will be read
        self.closed = False
        self.stopping = False
        self.meter = Meter()
        self.errors: list[Exception] = []
        self.changed: _Signal
        self._source = source
        self._check = check
        self._options = options
        self._loop: Loop | None = None
        self._scopes: dict[Unit | None, anyio.CancelScope] = {}
        self._observing = options.observing

    @property
    def begun(self) -> bool:
        """Whether the source is being read."""
        return self._loop is not None

    def begin(self) -> None:
        """Begin to read the source."""
        self._loop = running_loop()
        self.changed = _Signal()
        self._start(None, self._read)

    def halt(self) -> None:
        """Stop reading and judging."""
        self.over = True
        for scope in list(self._scopes.values()):
            scope.cancel()
        self.changed.notify()

    async def close(self) -> None:
        """Stop everything and wait until the source is closed."""
        with anyio.move_on_after(CLOSE_SECONDS, shield=True):
            if not self.begun:
                await aclose_source(self._source)
                return
            self.halt()
            while self._scopes or not self.closed:
                await self.changed.wait()

    def abandon(self) -> None:
        """Stop everything, from whatever thread: nobody is there any more."""
        if self._loop is not None:
            self._loop.call(self._left)

    def stop(self) -> None:
        """Stop everything, from whatever thread, and have the reader told."""
        self.stopping = True
        if self._loop is not None:
            self._loop.call(self.halt)

    def _left(self) -> None:
        self.halt()
        if self._observing is not None:
            self._observing.concluding = False
            self._observing.settle_quietly()

    def _start(self, unit: Unit | None, function: Callable[[], Awaitable[None]]) -> None:
        """Run a task that `halt` cancels: the reader, or a unit's check."""
        scope = self._scopes[unit] = anyio.CancelScope()

        async def run() -> None:
            try:
                with scope:
                    await function()
            finally:
                self._scopes.pop(unit, None)
                self.changed.notify()

        assert self._loop is not None
        self._loop.spawn(run)

    # Reading

    async def _read(self) -> None:
        source = self._source
        iterator = iterator_of(source)
        try:
            await self._read_all(iterator)
        except Exception as error:
            self.error = error
        finally:
            self.over = True
            self.changed.notify()
            await aclose_source(*((source,) if iterator is source else (iterator, source)))
            self.closed = True

    async def _read_all(self, iterator: Any) -> None:
        options = self._options
        while True:
            try:
                chunk = await iterator.__anext__()
            except StopAsyncIteration:
                break
            if self.chunks is None:
                self.chunks = chunks_of(options.choose, chunk, lines=options.lines)
            for each in self.chunks.cut(chunk):
                await self._take(each)
                if self.line is not None and self.line.barred:
                    return
        for each in self.chunks.rest() if self.chunks is not None else ():
            await self._take(each)
        if self.line is not None:
            self._judge(self.line.finish())

    async def _take(self, each: Any) -> None:
        """Take what the stream's adapter reads at once, and wait until there is room for more."""
        line = self.line or self._begin_line(each)
        before = line.taken
        self._judge(line.take(each))
        self.meter.received(line.taken - before, line.waiting)
        self.meter.holding()
        self.changed.notify()
        while line.waiting > self._options.ahead and not line.stuck:
            await self.changed.wait()

    def _begin_line(self, first: Any) -> Line[Any]:
        assert self.chunks is not None
        options = self._options
        self.reader = Reader(self.chunks.adapter(first))
        self.line = Line(
            self.chunks.adapter(first),
            options.make_units,
            options.channels,
            options.ahead,
            hold=options.hold,
            overlap=options.overlap,
            rule=options.rule,
        )
        return self.line

    # Judging

    def _judge(self, units: Sequence[Unit]) -> None:
        for unit in units:
            self._start(unit, lambda unit=unit: self._judge_unit(unit))  # type: ignore[misc]

    async def _judge_unit(self, unit: Unit) -> None:
        options, line = self._options, self.line
        assert line is not None
        allow, block = (Verdict(each, rule=options.rule) for each in ("allow", "block"))
        verdict, failed, left = block, True, True
        try:
            with anyio.move_on_after(options.deadline) as scope:
                answer = self._check(unit.text, unit.context)
                verdict = verdict_of(
                    await answer if isinstance(answer, Awaitable) else answer, options.rule
                )
                failed = False
            if scope.cancelled_caught and options.on_timeout == "allow":
                verdict = allow
            left = False
        except anyio.get_cancelled_exc_class():
            if self._scopes[unit].cancel_called:
                raise
            # It came out of the check: the task was not cancelled by the gate.
            self.errors.append(GateError("a check was cancelled from inside"))
            left = False
            verdict = allow if options.on_error == "allow" else block
        except Exception as error:
            self.errors.append(error)
            left = False
            verdict = allow if options.on_error == "allow" else block
        finally:
            # However the check was left, its text has a verdict now.
            line.judge(unit, verdict, "rule_error" if failed else "match", left=left)
            if line.barred:
                # Nothing after the unit will go out; earlier ones are still being judged.
                self._stop_reading()

    def _stop_reading(self) -> None:
        self.over = True
        if self._observing is not None:
            self._observing.concluding = True  # the source ends as cancelled: the verdict says more
        scope = self._scopes.get(None)
        if scope is not None:
            scope.cancel()


class GatedStream(AsyncContext, Generic[C]):
    """An async iterator of chunks that a check has let through, of the same type as the source's.

    Use it as `async with gate(stream, check) as gated:` so that the source is closed as soon as the
    block is left. One task reads it at a time. What it says of itself is about what it delivered:
    the stream before it has counters and findings of its own. `gate` makes it.
    """

    def __init__(self, source: AsyncIterable[C], check: Check, options: Options) -> None:
        self.delta = ""
        """The answer's text in the chunk that was delivered last."""
        self._source = source
        self._of_guard = options.of_guard
        self._observing = options.observing
        self._core: _Core[C] = _Core(source, check, options)
        self._queue: deque[_Ready[C]] = deque()
        self._delivered = Delivered()
        self._calls: dict[Slot, Call] = {}
        self._usage: Any = None
        self._written: dict[Slot, list[str]] = {}
        self._open: dict[int, Any] = {}
        self._finished: dict[int, FinishReason] = {}
        self._finish: FinishReason | None = None
        self._reading = False

    @property
    def findings(self) -> Sequence[Finding]:
        """What the check has blocked, changed or reported, and where it failed.

        Those of a gate before this one come first; before them those of the rules, where the gate
        is the policy's own.
        """
        before: Sequence[Finding] = ()
        if self._of_guard or isinstance(self._source, GatedStream):
            before = self._source.findings  # type: ignore[attr-defined]
        return (*before, *(self._core.line.findings if self._core.line else ()))

    @property
    def errors(self) -> Sequence[Exception]:
        """What the check has raised, and that of a gate before this one."""
        before = self._source.errors if isinstance(self._source, GatedStream) else ()
        return (*before, *self._core.errors)

    @property
    def finish(self) -> FinishReason | None:
        """Why the stream ended; None while it is open."""
        if self._finish is None and self._core.stopping and self._core.closed:
            return "cancelled"  # by `stop`, and nobody has read on
        return self._finish

    @property
    def blocked_by(self) -> str | None:
        """The rule of the verdict that blocked the stream, or the guard's that did before it."""
        line = self._core.line
        unit = line.blocked or line.barred if line else None
        if unit is not None and self._finish == "content_filter":
            return unit.finding.rule
        rule: str | None = getattr(self._source, "blocked_by", None)
        return rule

    @property
    def extraction(self) -> Mapping[str, Any]:
        """How `guardstream.extract` reads the stream, where the call does not say."""
        said: Mapping[str, Any] = getattr(self._source, "extraction", {})
        return said

    @property
    def held(self) -> int:
        """How many code points wait for a verdict, or after those that do."""
        line = self._core.line
        return line.waiting if line and self._finish is None else 0

    @property
    def stats(self) -> Stats:
        """The counters as they stand; held characters are those that wait at the gate."""
        return self._core.meter.stats(self._usage)

    @property
    def result(self) -> Result:
        """A snapshot of what was delivered so far, with the findings of the check."""
        return result_of(self._delivered, self.findings, self._finish, self._calls, self._usage)

    @property
    def text_stream(self) -> TextStream:
        """The answer's text alone, as an async iterator that reads this stream."""
        return TextStream(self)

    async def __anext__(self) -> C:
        """Return the next chunk that may be shown."""
        if self._reading:
            raise RuntimeError("another task is reading this stream")
        self._reading = True
        try:
            while not self._queue:
                if self._finish is not None:
                    raise StopAsyncIteration
                await self._advance()
            return self._deliver(self._queue.popleft())
        except StopAsyncIteration:
            raise
        except BaseException as error:
            await self._end(reason_of(error), error)
            raise
        finally:
            self._reading = False

    def stop(self) -> None:
        """End the stream now: what waits is dropped, checks are cancelled, the source is closed.

        Callable from any thread, at any time, any number of times; a reader that waits is woken.
        The finish reason becomes `cancelled`.
        """
        self._core.stop()
        if not self._core.begun and isinstance(self._source, ChunkStream):
            self._source.stop()

    async def aclose(self) -> None:
        """Stop all checks and close the source; what was not delivered is dropped. Idempotent."""
        self._queue.clear()
        await self._end("cancelled")

    def __del__(self) -> None:
        # A consumer that left without closing: the tasks of the gate end, and close the source.
        core = getattr(self, "_core", None)
        if core is not None:
            core.abandon()

    async def _advance(self) -> None:
        """Put what may go out now into the queue, or wait until something changes."""
        core = self._core
        if core.stopping:
            await self._end("cancelled")
            return
        if not core.begun:
            core.begin()
        line = core.line
        passed = line.pop() if line else None
        if passed is not None:
            self._pass(passed)
            core.changed.notify()
        elif line and (line.blocked or (line.barred and self._settled(line))):
            line.give_up()
            await self._end("content_filter")
            self._queue.extend(_Ready(end) for end in self._ends())
        elif self._settled(line):
            await self._exhausted()
        else:
            await core.changed.wait()

    def _settled(self, line: Line[Any] | None) -> bool:
        """Whether nothing more is read, and everything that was has its verdict."""
        return self._core.over and self._core.closed and not (line and line.pending)

    async def _exhausted(self) -> None:
        error = self._core.error
        if error is not None:
            raise error
        reason = getattr(self._source, "finish", None)
        await self._end(reason or self._finished.get(min(self._finished, default=0), "stop"))

    async def _end(self, reason: FinishReason, error: BaseException | None = None) -> None:
        if self._finish is not None:
            return
        self._finish = reason
        self._core.meter.end()
        observing = self._observing
        if observing is not None:
            observing.concluding = True
        await self._core.close()
        if observing is None:
            return
        try:
            observing.settle(partial(self._recorded, error=error))
        except ObserverError as failure:
            if error is None:
                raise
            hide(failure)

    def _recorded(self, record: StreamRecord, error: BaseException | None) -> StreamRecord:
        """The record of the guard's stream, as the gate has ended it."""
        assert self._finish is not None
        said = type(error).__name__ if isinstance(error, Exception) else None
        return replace(
            record,
            finish=self._finish,
            blocked_by=self.blocked_by,
            findings=self.findings,
            error=record.error or said,
        )

    def _pass(self, passed: Passed[Any]) -> None:
        chunk, written, reading, texts = passed
        reader = self._core.reader
        assert reader is not None
        reader.read(chunk)
        for choice in reading.choices:
            if choice not in self._finished:
                self._open[choice] = chunk
        fresh = [
            Part(piece.slot, text)
            for piece, text in zip(reading.pieces, texts, strict=True)
            if piece.kind in NEW
        ]
        for part in fresh:
            self._written.setdefault(part.slot, []).append(part.text)
        line = self._core.line
        if line is None or line.blocked is None:
            for choice, reason in reading.finished.items():
                self._finished[choice] = reason
                self._open.pop(choice, None)
        if written is not None:
            assert self._core.chunks is not None
            first, *rest = self._core.chunks.chunks(written)
            self._queue.append(_Ready(first, fresh, reading))
            self._queue.extend(_Ready(each) for each in rest)
            if reader.hooks.passed:
                reader.hooks.passed(written)

    def _deliver(self, ready: _Ready[C]) -> C:
        """Count a chunk as delivered, and keep what it says."""
        chunk, parts, reading = ready
        characters = sum(len(part.text) for part in parts)
        self._core.meter.delivered(characters)
        self.delta = "".join(part.text for part in parts if part.slot.is_answer)
        self._delivered.answer.write(self.delta)
        self._delivered.add([part for part in parts if not part.slot.is_answer])
        if reading is not None:
            self._calls.update(reading.calls)
            self._usage = self._usage if reading.usage is None else reading.usage
            over = {*reading.closed, *reading.complete}
            if over or reading.finished:
                done = [s for s in self._calls if s in over or s.choice in reading.finished]
                self._delivered.add([Part(slot, "", done=True) for slot in done])
        return chunk

    def _ends(self) -> list[C]:
        """The chunks that end every open choice of a blocked stream."""
        chunks, reader = self._core.chunks, self._core.reader
        assert chunks is not None
        assert reader is not None

        def written(slot: Slot) -> str:
            return "".join(self._written.get(slot, ()))

        ends = [
            chunk
            for choice, last in self._open.items()
            for end in reader.adapter.end(last, choice, "content_filter", written)
            for chunk in chunks.chunks(end)
        ]
        return [*ends, *chunks.close()]


class _Ready(NamedTuple, Generic[C]):
    """A chunk to be delivered, its parts that say something for the first time, and its reading."""

    chunk: C
    parts: Sequence[Part] = ()
    reading: Reading | None = None
