"""A gated stream: iterate it instead of the guarded one.

Text that waits for a verdict is in its queue. Its tasks read the stream and judge (`tasks`), so
that no task group surrounds a `yield`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from guardstream.errors import BlockedError
from guardstream.events import Finding, FinishReason, is_refused
from guardstream.formats.adapter import NEW, Call, Reading, Slot
from guardstream.formats.hooks import model_of
from guardstream.gate.queue import Passed, Queue
from guardstream.gate.tasks import Options, Tasks
from guardstream.gate.verdict import Check
from guardstream.stream.context import AsyncContext, TextStream, check_kept, hide
from guardstream.stream.flows.flow import Part
from guardstream.stream.observers import ObserverError, StreamRecord
from guardstream.stream.protocol import ChunkStream
from guardstream.stream.result import Result, Stats
from guardstream.stream.state import reason_of
from guardstream.stream.transcript import Delivered, result_of

if TYPE_CHECKING:
    from guardstream.policy import Policy

C = TypeVar("C")


class GatedStream(AsyncContext, Generic[C]):
    """An async iterator of the chunks that a check has allowed, of the same type as the source's.

    Use it as `async with gate(stream, check) as gated:` so that the source is closed as soon as the
    block is left. One task reads it at a time. Its properties describe what it has delivered; the
    stream before it has its own counters and findings. `gate` creates it.
    """

    def __init__(self, source: AsyncIterable[C], check: Check, options: Options) -> None:
        self.delta = ""
        """The answer's text in the chunk that was delivered last."""
        self.failure: C | None = None
        """The last chunk, if it is an error instead of a finish reason; it has no text of the
        answer."""
        self._source = source
        self._of_guard = options.of_guard
        self._observing = options.observing
        self._block_error = options.delivery.block_error
        self._raises = options.delivery.raise_on_block
        self._tasks: Tasks[C] = Tasks(source, check, options)
        self._ready: deque[_Ready[C]] = deque()
        self._delivered = Delivered() if options.delivery.keep_text else None
        self._calls: dict[Slot, Call] = {}
        self._usage: Any = None
        self._written: dict[Slot, list[str]] = {}
        self._open: dict[int, Any] = {}
        self._finished: dict[int, FinishReason] = {}
        self._finish: FinishReason | None = None
        self._reading = False

    @property
    def source(self) -> AsyncIterable[C]:
        """The stream that is judged: the guard's, or that of the gate before this one."""
        return self._source

    @property
    def findings(self) -> Sequence[Finding]:
        """What the check has blocked, changed or reported, and where it failed.

        Those of an earlier gate come first. If the gate belongs to the guard's policy, the findings
        of the rules come before them.
        """
        before: Sequence[Finding] = ()
        if self._of_guard or isinstance(self._source, GatedStream):
            before = self._source.findings  # type: ignore[attr-defined]
        return (*before, *(self._tasks.queue.findings if self._tasks.queue else ()))

    @property
    def errors(self) -> Sequence[Exception]:
        """The exceptions of the check, and of earlier gates."""
        before = self._source.errors if isinstance(self._source, GatedStream) else ()
        return (*before, *self._tasks.errors)

    @property
    def finish(self) -> FinishReason | None:
        """Why the stream ended; None while it is open."""
        if self._finish is None and self._tasks.stopping and self._tasks.closed:
            return "cancelled"  # by `stop`, and nobody has read on
        return self._finish

    @property
    def blocked_by(self) -> str | None:
        """The rule that blocked the stream: a verdict's, or that of the guard before."""
        queue = self._tasks.queue
        unit = queue.blocked or queue.barred if queue else None
        if unit is not None and self._finish == "content_filter":
            return unit.finding.rule
        rule: str | None = getattr(self._source, "blocked_by", None)
        return rule

    @property
    def extraction(self) -> Mapping[str, Any]:
        """The default options of `guardstream.extract` for this stream."""
        extraction: Mapping[str, Any] = getattr(self._source, "extraction", {})
        return extraction

    @property
    def policy(self) -> Policy | None:
        """The policy of the guard before; None if it is not known."""
        policy: Policy | None = getattr(self._source, "policy", None)
        return policy

    @property
    def held(self) -> int:
        """How many code points wait for a verdict, or after those that do."""
        queue = self._tasks.queue
        return queue.waiting if queue and self._finish is None else 0

    @property
    def stats(self) -> Stats:
        """The counters as they stand; held characters are those that wait at the gate."""
        return self._tasks.meter.stats(self._usage)

    @property
    def result(self) -> Result:
        """A snapshot of what was delivered so far, with the findings of the check."""
        kept, rule = self._delivered, self.blocked_by
        return result_of(kept, self.findings, self._finish, self._calls, self._usage, rule)

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
            while not self._ready:
                if self._finish is not None:
                    raise self._nothing_more()
                await self._advance()
            return self._deliver(self._ready.popleft())
        except StopAsyncIteration:
            raise
        except BaseException as error:
            await self._end(reason_of(error), error)
            if isinstance(error, BlockedError):  # a guard's: the gate has withheld some of its text
                error.result = self.result
            raise
        finally:
            self._reading = False

    def ready(self) -> list[C]:
        """Return the further chunks that go out with the last one, without waiting.

        They count as delivered: iterating continues after them.
        """
        if self._reading:
            return []
        return [self._deliver(self._ready.popleft()) for _ in range(len(self._ready))]

    async def text(self) -> str:
        """Read the stream to its end; return the text of choice 0 that was let through.

        RuntimeError with `keep_text=False`; otherwise what iterating raises.
        """
        check_kept(is_kept=self._delivered is not None)
        return await super().text()

    def stop(self) -> None:
        """End the stream now: what waits is dropped, checks are cancelled, the source is closed.

        Callable from any thread, at any time, any number of times; a reader that waits is woken.
        The finish reason becomes `cancelled`.
        """
        self._tasks.stop()
        if not self._tasks.begun and isinstance(self._source, ChunkStream):
            self._source.stop()

    async def aclose(self) -> None:
        """Stop all checks and close the source; what was not delivered is dropped. Idempotent."""
        self._ready.clear()
        await self._end("cancelled")

    def __del__(self) -> None:
        # A consumer that left without closing: the tasks of the gate end, and close the source.
        tasks = getattr(self, "_tasks", None)
        if tasks is not None:
            tasks.abandon()

    async def _advance(self) -> None:
        """Take from the queue what may go out now, or wait until something changes."""
        tasks = self._tasks
        if tasks.stopping:
            await self._end("cancelled")
            return
        if not tasks.begun:
            tasks.begin()
        queue = tasks.queue
        passed = queue.pop() if queue else None
        if passed is not None:
            self._pass(passed)
            tasks.changed.notify()
        elif queue and (queue.blocked or (queue.barred and self._settled(queue))):
            queue.give_up()
            await self._end("content_filter")
            self._ready.extend(_Ready(end) for end in self._ends())
        elif self._settled(queue):
            await self._exhausted()
        else:
            tasks.check_loop()
            await tasks.changed.wait()

    def _nothing_more(self) -> Exception:
        """Return what ends the iteration: BlockedError, once, if `raise_on_block` asks for it."""
        rule = self.blocked_by
        if not self._raises or rule is None or not is_refused(self._finish, rule):
            return StopAsyncIteration()
        self._raises = False
        return BlockedError(rule, result=self.result)

    def _settled(self, queue: Queue[Any] | None) -> bool:
        """Return whether nothing more is read, and everything that was read has its verdict."""
        return self._tasks.over and self._tasks.closed and not (queue and queue.pending)

    async def _exhausted(self) -> None:
        error = self._tasks.error
        if error is not None:
            self._tasks.check_loop()
            raise error
        reason = getattr(self._source, "finish", None)
        await self._end(reason or self._finished.get(min(self._finished, default=0), "stop"))
        if self._tasks.failure is not None:
            self.failure = self._tasks.failure
            self._ready.append(_Ready(self.failure))

    async def _end(self, reason: FinishReason, error: BaseException | None = None) -> None:
        if self._finish is not None:
            return
        self._finish = reason
        self._tasks.meter.end()
        observing = self._observing
        if observing is not None:
            observing.concluding = True
        recorded = partial(self._recorded, error=error)
        try:
            await self._tasks.close()
        except BaseException:  # cancelled: the source closes without this task
            if observing is not None:
                observing.abandon(recorded)
            raise
        if observing is None:
            return
        try:
            observing.settle(recorded)
        except ObserverError as failure:
            if error is None:
                raise
            hide(failure)

    def _recorded(self, record: StreamRecord, error: BaseException | None) -> StreamRecord:
        """Return the record of the guard's stream, as the gate has ended it."""
        assert self._finish is not None
        raised = type(error).__name__ if isinstance(error, Exception) else None
        return replace(
            record,
            finish=self._finish,
            blocked_by=self.blocked_by,
            findings=self.findings,
            error=record.error or raised,
        )

    def _pass(self, passed: Passed[Any]) -> None:
        chunk, written, reading, texts = passed
        reader = self._tasks.reader
        assert reader is not None
        reader.read(chunk)
        still_open = [choice for choice in reading.choices if choice not in self._finished]
        if still_open:
            self._open |= dict.fromkeys(still_open, model_of(reader.hooks, chunk, reading))
        fresh = [
            Part(piece.slot, text)
            for piece, text in zip(reading.pieces, texts, strict=True)
            if piece.kind in NEW
        ]
        for part in fresh:
            self._written.setdefault(part.slot, []).append(part.text)
        queue = self._tasks.queue
        if queue is None or queue.blocked is None:
            for choice, reason in reading.finished.items():
                self._finished[choice] = reason
                self._open.pop(choice, None)
        if written is not None:
            assert self._tasks.chunks is not None
            first, *rest = self._tasks.chunks.chunks(written)
            self._ready.append(_Ready(first, fresh, reading))
            self._ready.extend(_Ready(each) for each in rest)
            if reader.hooks.passed:
                reader.hooks.passed(written)

    def _deliver(self, ready: _Ready[C]) -> C:
        """Count a chunk as delivered, and keep what it says."""
        chunk, parts, reading = ready
        characters = sum(len(part.text) for part in parts)
        self._tasks.meter.delivered(characters)
        self.delta = "".join(part.text for part in parts if part.slot.is_answer)
        kept = self._delivered
        if kept is not None:
            kept.answer.write(self.delta)
            kept.add([part for part in parts if not part.slot.is_answer])
        if reading is not None:
            self._calls.update(reading.calls)
            self._usage = self._usage if reading.usage is None else reading.usage
            over = {*reading.closed, *reading.complete}
            if kept is not None and (over or reading.finished):
                done = [s for s in self._calls if s in over or s.choice in reading.finished]
                kept.add([Part(slot, "", done=True) for slot in done])
        return chunk

    def _ends(self) -> list[C]:
        """Return the chunks that end every open choice of a blocked stream."""
        chunks, reader = self._tasks.chunks, self._tasks.reader
        assert chunks is not None
        assert reader is not None
        if self._block_error is not None:
            failed = chunks.fail(self._block_error(self.blocked_by))
            if failed is not None:
                self.failure = next(iter(failed), None)
                return [*failed]

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
    """A chunk to deliver, its parts with new text, and its reading."""

    chunk: C
    parts: Sequence[Part] = ()
    reading: Reading | None = None
