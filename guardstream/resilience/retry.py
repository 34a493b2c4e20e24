"""A guarded stream that is opened again when its source fails before anything was released.

A consumer never sees an answer start over: once a character is released, an error is raised, unless
`resume` continues from the released text.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, Literal, Protocol, TypeAlias, TypeVar, Unpack

import anyio

from guardstream.errors import BlockedError
from guardstream.events import Finding, FinishReason
from guardstream.resilience.attempts import retried
from guardstream.resilience.resumed import ResumableTexts, Seam
from guardstream.resilience.retryable import retry_after, worth_retrying
from guardstream.stream.arguments import known_arguments
from guardstream.stream.asynchronous import GuardedStream
from guardstream.stream.callbacks import Handlers
from guardstream.stream.context import AsyncContext, TextStream, check_kept, hide
from guardstream.stream.flows.flow import Around
from guardstream.stream.loops import CLOSE_SECONDS, Loop, running_loop
from guardstream.stream.observers import Joined, StreamRecord
from guardstream.stream.opening import (
    OnRetry,
    Open,
    Reopening,
    Resume,
    Retry,
)
from guardstream.stream.options import Delivering
from guardstream.stream.result import Meter, Result, Stats
from guardstream.stream.state import reason_of

if TYPE_CHECKING:
    from guardstream.policy import Policy

C = TypeVar("C")

Attempt: TypeAlias = Callable[[Open[Any], Around | None], GuardedStream[Any]]
"""Guards the chunks of an opened source; `around` wraps their pipelines, if it is given."""


class Guarding(Protocol):
    """The methods of a guard that are used here."""

    @property
    def wrap(self) -> Callable[..., Any]:  # a guard's has overloads, which pyright compares singly
        """Returns a stream of guarded chunks."""
        ...


@known_arguments
def retrying(
    guard: Guarding,
    open_stream: Open[C],
    *,
    fallbacks: Sequence[Open[C]] = (),
    resume: Resume[C] | None = None,
    worth: Callable[[Exception], bool] = worth_retrying,
    attempts: int = 3,
    timeout: float | None = 45.0,
    wait_initial: float = 0.1,
    wait_max: float = 5.0,
    max_retry_after: float = 60.0,
    on: Sequence[Literal["incomplete"]] = (),
    on_retry: OnRetry | None = None,
    **options: Unpack[Delivering],
) -> RetryingStream[C]:
    """Return the guarded chunks of `open_stream()`, which is called again after a temporary error.

    This is `guard.wrap(open_stream, retry=Retry(...), ...)`; the arguments override the policy's
    section `retry`.

    - `attempts`: for each source, within `timeout` seconds in total.
    - `wait_initial`, `wait_max`: waits in seconds grow from one to the other, with jitter. A
      server's `Retry-After` counts instead, up to `max_retry_after` seconds.
    - `on`: ends before anything was released that are worth another attempt: "incomplete".
    - `fallbacks`: functions that are tried in order after that, each with the same number of
      attempts.
    - `worth`: returns whether an error is worth another attempt. A policy's deadline that passes
      before anything was released is.
    - `on_retry(error, attempt)`: sync or async, called before each further attempt, numbered from
      2; if it raises, no attempt is made.
    - `resume`: called with the released text after a later error; opens a source that continues
      it, while fewer than `attempts` sources were opened. Rules see what the provider sent of that
      text and the continuation as one text.
    - `options`: those of `Guard.wrap`.

    Iterating raises the error of the last attempt, or an error after the first released character
    if there is no `resume`. Observers see all attempts as one stream.
    """
    if not hasattr(guard, "wrap"):
        given = type(guard).__qualname__
        raise TypeError(f"retrying() needs a Guard, such as Guard.load(path), not {given!r}")
    retry = Retry(attempts, timeout, wait_initial, wait_max, max_retry_after, on)
    stream: RetryingStream[C] = guard.wrap(
        open_stream,
        retry=retry,
        fallbacks=fallbacks,
        resume=resume,
        worth=worth,
        on_retry=on_retry,
        **options,
    )
    return stream


class RetryingStream(AsyncContext, Generic[C]):
    """An async iterator of guarded chunks; `async with` closes the current source.

    Chunks without text before the first released character are withheld until it comes, so that a
    failed attempt leaves no trace. For one task at a time.
    """

    def __init__(
        self,
        attempt: Attempt,
        sources: Sequence[Open[C]],
        retry: Retry,
        options: Reopening,
        observing: Joined | None = None,
        extraction: Mapping[str, Any] | None = None,
        policy: Policy | None = None,
    ) -> None:
        """Create a stream of `sources`. Each is opened and passed to `attempt`.

        `observing` is notified of all attempts, and notifies its observers of one stream.
        `Guard.wrap` creates it. Raises TypeError for `resume` with `keep_text=False`, because it
        needs the text.
        """
        resume = options.get("resume")
        if resume is not None and not options.get("keep_text", True):
            raise TypeError("resume needs the text so far: leave keep_text=True")
        self.attempts = 0
        """How often a source was opened."""
        self.delta = ""
        """The answer's text in the chunk that was delivered last."""
        self.extraction = extraction or {}
        """The default options of `guardstream.extract` for this stream."""
        self.policy = policy
        """The policy of the guard."""
        self._guarded = attempt
        self._seam = Seam()
        self._texts: ResumableTexts | None = None  # of this source, if another may continue it
        self._sources = sources
        self._resume = resume
        self._retry = retry
        self._is_worth = options.get("worth", worth_retrying)
        self._observing = observing
        self._handlers = Handlers(
            on_finish=options.get("on_finish"), errors=options.get("callback_errors", "raise")
        )
        self._keeps_text = options.get("keep_text", True)
        self._on_retry = options.get("on_retry")
        self._failed: Exception | None = None  # the error that the next attempt follows
        self._callback_error: Exception | None = None
        self._stream: GuardedStream[Any] | None = None
        self._ready = False  # whether the stream is one to deliver
        self._early: deque[tuple[C, str]] = deque()
        self._withheld = False  # whether its first text was dropped undelivered
        self._late = False  # whether the last attempt has missed a deadline
        self._before: Result | None = None
        self._finish: FinishReason | None = None
        self._reading = False
        self._stopped = False
        self._loop: Loop | None = None
        self._opening: anyio.CancelScope | None = None

    @property
    def result(self) -> Result:
        """A snapshot of what was delivered so far, with the text and findings of all attempts."""
        current = self._stream.result if self._stream else Result("", (), None)
        if self._early or self._withheld:  # the last of them has the only text
            current = Result("", current.findings, current.finish, blocked_by=current.blocked_by)
        if self._before is not None:
            current = joined(self._before, current)
        return replace(current, finish=self.finish)

    @property
    def findings(self) -> Sequence[Finding]:
        """The findings in the delivered text."""
        return self.result.findings

    @property
    def finish(self) -> FinishReason | None:
        """Why the stream ended; None while it is open, or may be resumed after an error."""
        reason = self._finish or self._reason_of_last()
        failed = reason == "error" and self._finish is None
        return None if failed and self._resume is not None else reason

    @property
    def blocked_by(self) -> str | None:
        """The id of the rule that blocked the stream, if one did."""
        return self._stream.blocked_by if self._stream else None

    @property
    def held(self) -> int:
        """How many code points are held back now."""
        return self._stream.held if self._stream else 0

    @property
    def text_stream(self) -> TextStream:
        """The answer's text alone, as an async iterator that reads this stream."""
        return TextStream(self)

    @property
    def failure(self) -> bytes | None:
        """The guard's own last chunk, if it is an error in place of a finish reason; else None."""
        return self._stream.failure if self._stream and not self._early else None

    @property
    def stats(self) -> Stats:
        """The counters of the stream that is read now."""
        return self._stream.stats if self._stream else Meter().stats()

    async def __anext__(self) -> C:
        """Return the next guarded chunk."""
        if self._reading:
            raise RuntimeError("another task is reading this stream")
        self._reading = True
        try:
            return await self._read()
        finally:
            self._reading = False

    async def _read(self) -> C:
        while self._finish is None:
            try:
                return await self._next()
            except StopAsyncIteration:
                await self._conclude(self._reason_of_last() or "cancelled")
            except BaseException as error:
                if self._resumable(error):
                    self._go_on()
                    continue
                self._early.clear()
                try:
                    await self._conclude(self._reason_of(error))
                except Exception as later:
                    hide(later)
                if isinstance(error, BlockedError):  # that of the last attempt
                    error.result = self.result
                raise
        if self._stream is not None:  # another task may have ended this stream while it was read
            await self._stream.aclose()
        raise StopAsyncIteration

    def ready(self) -> list[C]:
        """Return the further chunks that can be delivered already, without waiting.

        They count as delivered: iterating continues after them.
        """
        if self._reading or not self._ready or self._stream is None:
            return []
        chunks = [chunk for chunk, self.delta in self._early]
        self._early.clear()
        further: list[C] = self._stream.ready()
        if further:
            self.delta = self._stream.delta
        return [*chunks, *further]

    async def text(self) -> str:
        """Read the stream to its end; return the guarded text of choice 0 from the start.

        RuntimeError with `keep_text=False`; otherwise what iterating raises.
        """
        check_kept(is_kept=self._keeps_text)
        return await super().text()

    def stop(self) -> None:
        """End the stream now, from any thread; no further attempt is made."""
        self._stopped = True
        # The stream's own thread may be about to clear both.
        stream, opening = self._stream, self._opening
        if stream is not None:
            stream.stop()
        if self._loop is not None and opening is not None:
            self._loop.call(opening.cancel)

    async def aclose(self) -> None:
        """Close the source; what was not delivered yet is dropped. Idempotent."""
        self.stop()
        self._withheld = self._withheld or bool(self._early)
        self._early.clear()
        if self._stream is not None:
            await self._stream.aclose()
        await self._conclude(self._reason_of_last() or "cancelled")

    # Opening

    async def _next(self) -> C:
        if not self._ready:
            await self._begin()
        stream = self._stream
        if stream is None or not self._ready:
            self._early.clear()
            raise StopAsyncIteration
        if self._early:
            chunk, self.delta = self._early.popleft()
            return chunk
        following: C = await anext(stream)
        self.delta = stream.delta
        return following

    async def _begin(self) -> None:
        """Open the first source that works, unless `stop` is called meanwhile."""
        self._loop = self._loop or running_loop()
        with anyio.CancelScope() as self._opening:
            if not self._stopped:
                await self._try_all()
        self._opening = None

    async def _try_all(self) -> None:
        for place, source in enumerate(self._sources, 1):
            try:
                await retried(partial(self._attempt, source), self._wait, self._retry)
                return
            except Exception as error:
                if place == len(self._sources) or not self._worth(error):
                    raise

    def _worth(self, error: Exception) -> bool:
        """Return whether to try again; never after the error of a callback."""
        ours = self._stream is not None and self._stream.callback_error is error
        if ours or error is self._callback_error or not self._is_worth(error):
            return False
        self._failed = error
        return True

    def _wait(self, error: Exception) -> bool | float:
        """Return whether to try again, or the seconds to wait if the server sends them."""
        if not self._worth(error):
            return False
        asked = retry_after(error)
        if asked is None:
            return True
        return asked if asked <= self._retry.max_retry_after else False

    async def _attempt(self, source: Open[C]) -> None:
        """Open a source and read it until it releases something, or ends."""
        self._early.clear()
        self._stream, self._late = None, False
        await self._announce()
        self.attempts += 1
        self._texts = ResumableTexts(self._seam) if self._resume is not None else None
        around = self._texts.around if self._texts is not None else None
        stream = self._stream = self._guarded(source, around)
        if self._stopped:
            stream.stop()
        async for chunk in stream:
            self._early.append((chunk, stream.delta))
            if _released(stream):
                break
        self._late = stream.finish == "timeout" and not _released(stream)
        if self._late:
            raise TimeoutError("nothing was released before the deadline")
        if stream.finish in self._retry.on and not _released(stream):
            raise ConnectionError("the stream broke off before anything was released")
        self._ready = True

    async def _announce(self) -> None:
        """Tell `on_retry` that another attempt is about to be made."""
        # Dropped, because its traceback leads here and would keep alive a stream that was left.
        failed, self._failed = self._failed, None
        if self._on_retry is None or failed is None:
            return
        try:
            returned = self._on_retry(failed, self.attempts + 1)
            if isinstance(returned, Awaitable):
                await returned
        except Exception as error:
            self._callback_error = error
            raise

    # Going on, and the end

    def _reason_of_last(self) -> FinishReason | None:
        """Return why the last attempt ended, if it is one to deliver."""
        return self._stream.finish if self._ready and self._stream is not None else None

    def _reason_of(self, error: BaseException) -> FinishReason:
        """Return why the stream ends when `error` is raised in it.

        If only the closing of a finished source is cancelled, the source's own reason counts,
        unless the attempt failed.
        """
        if self._late:
            return "timeout"
        ended = self._stream.finish if self._stream is not None else None
        if isinstance(error, Exception) or ended in (None, "error", "timeout"):
            return reason_of(error)
        return ended

    def _resumable(self, error: BaseException) -> bool:
        if self._resume is None or not self._ready or self._stopped:
            return False
        more = self.attempts < self._retry.attempts
        return more and isinstance(error, Exception) and self._worth(error)

    def _go_on(self) -> None:
        """Open a source that continues the released text."""
        assert self._resume is not None
        assert self._texts is not None
        resume, self._before = self._resume, self.result
        text = self._before.text
        self._seam = self._texts.seam(text)
        if self._observing is not None:
            self._observing.goes_on(self._before.findings)
        self._sources = [lambda: resume(text)]
        self._stream, self._ready = None, False

    async def _conclude(self, reason: FinishReason) -> None:
        """End the stream, and call `on_finish` once with the whole result, not for each attempt."""
        if self._finish is not None:
            return
        self._finish = reason
        try:
            await self._call_on_finish()
        finally:
            if self._observing is not None:
                self._observing.settle(self._recorded)

    def _recorded(self, record: StreamRecord) -> StreamRecord:
        """Return the record of the last attempt. If the stream was abandoned, a failed attempt is
        not its end."""
        assert self._finish is not None
        error = None if self._finish == "cancelled" else record.error
        return replace(record, finish=self._finish, error=error)

    async def _call_on_finish(self) -> None:
        callback = self._handlers.on_finish
        if callback is None:
            return
        with anyio.move_on_after(CLOSE_SECONDS, shield=True):
            try:
                returned = callback(self.result)
                if isinstance(returned, Awaitable):
                    await returned
            except Exception as error:
                if not self._handlers.failed(error):
                    raise


def joined(before: Result, current: Result) -> Result:
    """Return the result of a stream that continues another one."""
    channels = {
        key: before.channels.get(key, "") + current.channels.get(key, "")
        for key in {**before.channels, **current.channels}
    }
    calls = [call for call in before.tool_calls if call.complete]
    return Result(
        text=before.text + current.text,
        findings=(*before.findings, *current.findings),
        finish=current.finish,
        channels=channels,
        tool_calls=(*calls, *current.tool_calls),
        usage=current.usage or before.usage,
        blocked_by=current.blocked_by,
    )


def _released(stream: GuardedStream[Any]) -> bool:
    """Return whether something was released that must not be repeated: text, or a tool call."""
    calls = stream.result.tool_calls
    return stream.stats.characters_out > 0 or any(call.complete for call in calls)
