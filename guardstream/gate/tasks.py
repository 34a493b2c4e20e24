"""The tasks of a gated stream: one reads the source, and one judges each unit.

All of them end with the gate. What a check has not allowed is not released.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeAlias, TypeVar

import anyio

from guardstream.errors import BlockedError
from guardstream.formats.hooks import Reader
from guardstream.gate.chunks import Chunks, chunks_of
from guardstream.gate.judging import GateError
from guardstream.gate.queue import Queue, Unit
from guardstream.gate.verdict import Check, Verdict, verdict_of
from guardstream.stages.units import Units
from guardstream.stream.flows.choosing import Choose
from guardstream.stream.flows.flow_maker import Framing
from guardstream.stream.loops import (
    CLOSE_SECONDS,
    Loop,
    Signal,
    aclose_source,
    iterator_of,
    left_its_loop,
    running_loop,
)
from guardstream.stream.observers import Joined
from guardstream.stream.on_block import BlockError
from guardstream.stream.result import Meter

C = TypeVar("C")

Otherwise: TypeAlias = Literal["block", "allow"]


@dataclass(frozen=True, slots=True)
class Delivery:
    """How a stream is read and delivered by its gates; `choose` returns the adapter for its first
    chunk."""

    choose: Choose
    framing: Framing | None = None
    """The framing that `Guard.wrap` was given."""
    block_error: BlockError | None = None
    """The message of the error that ends blocked bytes; None ends them with a finish reason."""
    raise_on_block: bool = False
    """Whether a block raises BlockedError after the last chunk."""
    keep_text: bool = True
    """Whether the delivered text is kept for `result` and `text()`."""


@dataclass(frozen=True, slots=True)
class Options:
    """How a gate judges; see `gate`."""

    make_units: Callable[[], Units]
    deadline: float
    ahead: int
    on_error: Otherwise
    on_timeout: Otherwise
    channels: frozenset[str] | None
    delivery: Delivery
    is_named: bool = True
    """Whether the caller named the format: a text that is not may turn out to be cumulative."""
    hold: bool = True
    overlap: int = 0
    rule: str = "gate"
    of_guard: bool = False
    """Whether the stream is the guard's own: its findings are reported as this one's, too."""
    observing: Joined | None = None
    """Notified of how the stream ended; it has the guard's record."""


class Tasks(Generic[C]):
    """The tasks of one gated stream. They know nothing of the stream itself, which may be dropped.

    `queue` has the chunks that wait. `changed` wakes the tasks that wait for any of this to change.
    """

    def __init__(self, source: AsyncIterable[C], check: Check, options: Options) -> None:
        self.chunks: Chunks | None = None
        self.queue: Queue[Any] | None = None
        self.reader: Reader[Any] | None = None  # reads what is delivered, for `end`
        self.error: BaseException | None = None
        self.failure: C | None = None  # the error that ends the stream before, which nobody judges
        self.over = False  # nothing more will be read
        self.closed = False
        self.stopping = False
        self.meter = Meter()
        self.errors: list[Exception] = []
        self.changed: Signal
        self._source = source
        self._iterator, self._sources = iterator_of(source)
        self._check = check
        self._options = options
        self._loop: Loop | None = None
        self._scopes: dict[Unit | None, anyio.CancelScope] = {}
        self._observing = options.observing

    @property
    def begun(self) -> bool:
        """Whether the source is being read."""
        return self._loop is not None

    def check_loop(self) -> None:
        """Raise RuntimeError in another event loop than that of the tasks, which may be gone."""
        if self._loop is not None and not self._loop.is_current():
            raise left_its_loop()

    def begin(self) -> None:
        """Begin to read the source."""
        self._loop = running_loop()
        self.changed = Signal()
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
            if self._loop is None:
                await aclose_source(*self._sources)
                return
            if not self._loop.is_current():
                self._loop.call(self.halt)
                return
            self.halt()
            while self._scopes or not self.closed:
                await self.changed.wait()

    def abandon(self) -> None:
        """Stop everything, from any thread: the consumer has left."""
        if self._loop is not None:
            self._loop.call(self._left)

    def stop(self) -> None:
        """Stop everything, from any thread, and wake the reader."""
        self.stopping = True
        if self._loop is not None:
            self._loop.call(self.halt)

    def _left(self) -> None:
        self.halt()
        if self._observing is not None:
            self._observing.abandon()

    def _start(self, unit: Unit | None, function: Callable[[], Awaitable[None]]) -> None:
        """Run a task that `halt` cancels: the reader, or a unit's check."""
        scope = self._scopes[unit] = anyio.CancelScope()

        async def run() -> None:
            try:
                with scope:
                    await function()
            except BaseException as error:
                # Also what comes in one group with a cancellation, under trio.
                if _passes(error):
                    raise
                self._failed(unit, _as_exception(error))
            finally:
                self._scopes.pop(unit, None)
                self.changed.notify()

        assert self._loop is not None
        self._loop.spawn(run)

    def _failed(self, unit: Unit | None, error: Exception) -> None:
        """Note what a task raised: nobody waits for it, and under trio it would end the program."""
        if unit is None:
            self.error = error
        else:
            self.errors.append(error)

    # Reading

    async def _read(self) -> None:
        try:
            await self._read_all()
        except anyio.get_cancelled_exc_class():
            if not self._scopes[None].cancel_called:
                self.error = GateError("the stream was cancelled from inside")
            raise
        except BaseException as error:
            if _passes(error):
                raise
            self.error = error
        finally:
            self.over = True
            self.changed.notify()
            try:
                await aclose_source(*self._sources)
            finally:  # closing may be cancelled, too
                self.closed = True

    async def _read_all(self) -> None:
        options = self._options
        while True:
            try:
                chunk = await self._iterator.__anext__()
            except StopAsyncIteration:
                break
            except BlockedError as error:  # a guard's, after its last chunk
                self.error = error
                break
            if chunk is getattr(self._source, "failure", None):
                self.failure = chunk
                break
            if self.chunks is None:
                delivery = options.delivery
                self.chunks = chunks_of(
                    delivery.choose, chunk, delivery.framing, is_named=options.is_named
                )
            for each in self.chunks.cut(chunk):
                await self._take(each)
                if self.queue is not None and self.queue.barred:
                    return
        for each in self.chunks.rest() if self.chunks is not None else ():
            await self._take(each)
        if self.queue is not None:
            self._judge(self.queue.finish())

    async def _take(self, each: Any) -> None:
        """Take what the stream's adapter reads at once, and wait until there is room for more."""
        queue = self.queue or self._begin_queue(each)
        before = queue.taken
        self._judge(queue.take(each))
        self.meter.received(queue.taken - before, queue.waiting)
        self.meter.holding()
        self.changed.notify()
        while queue.waiting > self._options.ahead and not queue.stuck:
            await self.changed.wait()

    def _begin_queue(self, first: Any) -> Queue[Any]:
        assert self.chunks is not None
        options = self._options
        self.reader = Reader(self.chunks.adapter(first))
        self.queue = Queue(
            self.chunks.adapter(first),
            options.make_units,
            options.channels,
            options.ahead,
            hold=options.hold,
            overlap=options.overlap,
            rule=options.rule,
        )
        return self.queue

    # Judging

    def _judge(self, units: Sequence[Unit]) -> None:
        for unit in units:
            self._start(unit, lambda unit=unit: self._judge_unit(unit))  # type: ignore[misc]

    async def _judge_unit(self, unit: Unit) -> None:
        queue, rule = self.queue, self._options.rule
        assert queue is not None
        verdict, failed, left = Verdict("block", rule=rule), True, True
        try:
            verdict, failed = await self._ask(unit)
            left = False
        finally:
            # However the check was left, its text has a verdict now.
            queue.judge(unit, verdict, "rule_error" if failed else "match", left=left)
            if queue.barred:
                # Nothing after the unit will go out; earlier ones are still being judged.
                self._stop_reading()

    async def _ask(self, unit: Unit) -> tuple[Verdict, bool]:
        """Ask the check; return the verdict, and whether it is in place of one that failed."""
        options = self._options
        otherwise = options.on_error
        try:
            with anyio.move_on_after(options.deadline) as scope:
                answer = self._check(unit.text, unit.context)
                answer = await answer if isinstance(answer, Awaitable) else answer
                verdict = verdict_of(answer, options.rule)
                # One that blocks the event loop, or ignores its cancellation, answers late.
                late = anyio.current_time() >= scope.deadline
                if not late or (options.on_timeout == "allow" and verdict.action != "allow"):
                    return verdict, False
            otherwise = options.on_timeout
        except anyio.get_cancelled_exc_class():
            if self._scopes[unit].cancel_called:
                raise
            # It came out of the check: the task was not cancelled by the gate.
            self._failed(unit, GateError("a check was cancelled from inside"))
        except BaseException as error:
            if _passes(error) or self._scopes[unit].cancel_called:
                raise
            self._failed(unit, _as_exception(error))
        return Verdict(otherwise, rule=options.rule), True

    def _stop_reading(self) -> None:
        self.over = True
        if self._observing is not None:
            self._observing.concluding = True  # the source ends as cancelled: the verdict says more
        scope = self._scopes.get(None)
        if scope is not None:
            scope.cancel()


def _passes(error: BaseException) -> bool:
    """Return whether an error belongs to the event loop or the program, not to what was called."""
    return isinstance(
        error,
        (KeyboardInterrupt, SystemExit, GeneratorExit, anyio.get_cancelled_exc_class()),
    )


def _as_exception(error: BaseException) -> Exception:
    """Return an error as it is, or only its type if it is no Exception: event loops log
    messages."""
    if isinstance(error, Exception):
        return error
    return GateError(f"a check raised {type(error).__name__}, which is not an Exception")
