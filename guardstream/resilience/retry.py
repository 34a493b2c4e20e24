"""A guarded stream that is opened again when its source fails before anything was released.

Nobody who has seen text sees it begin anew: once a character is released, an error passes on,
unless `resume` says how to go on from what was released.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterable, Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from types import TracebackType
from typing import Any, Generic, TypeAlias, TypeVar, Unpack, cast

try:
    import stamina
except ImportError as error:  # pragma: no cover
    raise ImportError("retrying needs stamina: pip install 'guardstream[retry]'") from error

from guardstream.delivery import Delivering
from guardstream.events import Finding, FinishReason
from guardstream.guard import Guard
from guardstream.guarded import GuardedStream
from guardstream.resilience.worth import retry_after, worth_retrying
from guardstream.stats import Result

C = TypeVar("C")

Opened: TypeAlias = AsyncIterable[C] | str
"""A stream, or a whole answer as text, which then is its only chunk."""

Open: TypeAlias = Callable[[], Awaitable[Opened[C]] | Opened[C]]
"""Opens a source: a coroutine function, or a function that returns the stream."""

Resume: TypeAlias = Callable[[str], Awaitable[Opened[C]] | Opened[C]]
"""Opens a source that goes on from the released text that it is given."""


def retrying(
    guard: Guard,
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
    **options: Unpack[Delivering],
) -> RetryingStream[C]:
    """Return the guarded chunks of `open_stream()`, opened anew on errors that are `worth` it.

    Each source has so many `attempts` within `timeout` seconds, with waits between `wait_initial`
    and `wait_max` that grow and vary; a server's `Retry-After` counts instead, up to
    `max_retry_after`. Then the `fallbacks` are tried in order, each as often. A policy's deadline
    that passes before anything was released is an error worth it. `options` are those of
    `Guard.wrap`; the error of the last attempt is raised.
    """
    waits = {"attempts": attempts, "timeout": timeout, "wait_initial": wait_initial}
    plan = _Plan(worth, max_retry_after, {**waits, "wait_max": wait_max})
    return RetryingStream(guard, [open_stream, *fallbacks], resume, plan, options)


class _Plan:
    """When to try again, in the terms of stamina."""

    def __init__(
        self,
        worth: Callable[[Exception], bool],
        max_retry_after: float,
        waits: dict[str, Any],
    ) -> None:
        self.worth = worth
        self.waits = waits
        self._max_retry_after = max_retry_after

    def hook(self, error: Exception) -> bool | float:
        """Return whether to try again, or after how many seconds."""
        if not self.worth(error):
            return False
        asked = retry_after(error)
        if asked is None:
            return True
        return asked if asked <= self._max_retry_after else False


class RetryingStream(Generic[C]):
    """An async iterator of guarded chunks; `async with` closes whatever source is open.

    Chunks without text that precede the first released character are held until it comes, so that
    an attempt that fails leaves no trace.
    """

    def __init__(
        self,
        guard: Guard,
        sources: Sequence[Open[C]],
        resume: Resume[C] | None,
        plan: _Plan,
        options: Delivering,
    ) -> None:
        self.attempts = 0
        """How often a source was opened."""
        self._guard = guard
        self._sources = sources
        self._resume = resume
        self._plan = plan
        self._on_finish = options.get("on_finish")
        self._options: Delivering = {**options, "on_finish": None}
        self._stream: GuardedStream[Any] | None = None
        self._early: deque[Any] = deque()
        self._before: Result | None = None
        self._stopped = False

    @property
    def result(self) -> Result:
        """What was delivered so far; text and findings of all the streams that it came from."""
        current = self._stream.result if self._stream else Result("", (), None)
        before = self._before
        if before is None:
            return current
        text = before.text + current.text
        return replace(
            current,
            text=text,
            findings=(*before.findings, *current.findings),
            channels={**current.channels, (0, "text"): text},
        )

    @property
    def findings(self) -> Sequence[Finding]:
        """What the rules have found in what was delivered."""
        return self.result.findings

    @property
    def finish(self) -> FinishReason | None:
        """Why the stream ended; None while it is open."""
        return self._stream.finish if self._stream else None

    def __aiter__(self) -> RetryingStream[C]:
        return self

    async def __anext__(self) -> C:
        """Return the next guarded chunk."""
        if self._stream is None:
            await self._begin()
        if self._early:
            chunk: C = self._early.popleft()
            return chunk
        stream = self._stream
        assert stream is not None
        try:
            return cast("C", await anext(stream))
        except StopAsyncIteration:
            await self._conclude()
            raise
        except Exception as error:
            if not self._resumable(error):
                await self._conclude()
                raise
        await self._go_on()
        return await anext(self)

    async def __aenter__(self) -> RetryingStream[C]:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def text(self) -> str:
        """Read the stream to its end; return the guarded text of choice 0 from the start."""
        async for _ in self:
            pass
        return self.result.text

    def stop(self) -> None:
        """End the stream now, as `GuardedStream.stop` does; no further attempt is made."""
        self._stopped = True
        if self._stream is not None:
            self._stream.stop()

    async def aclose(self) -> None:
        """Close the source; what was not delivered yet is dropped. Idempotent."""
        self._stopped = True
        self._early.clear()
        if self._stream is not None:
            await self._stream.aclose()
            await self._conclude()

    async def _begin(self) -> None:
        """Open the first source that works."""
        for place, source in enumerate(self._sources, 1):
            try:
                await self._try(source)
                return
            except Exception as error:
                if place == len(self._sources) or not self._plan.worth(error):
                    await self._conclude()
                    raise

    def _resumable(self, error: Exception) -> bool:
        if self._resume is None or self._stopped or self.attempts >= self._plan.waits["attempts"]:
            return False
        return self._plan.worth(error)

    async def _go_on(self) -> None:
        """Open a source that goes on from what was released."""
        assert self._resume is not None
        resume, self._before = self._resume, self.result
        self._stream = None
        text = self._before.text
        await self._try(lambda: resume(text))

    async def _conclude(self) -> None:
        """Call `on_finish` once, with the whole result: each attempt would call it otherwise."""
        callback, self._on_finish = self._on_finish, None
        if callback is not None:
            returned = callback(self.result)
            if isinstance(returned, Awaitable):
                await returned

    async def _try(self, source: Open[C]) -> None:
        """Open a source and read it until it releases text, or ends; again if that fails."""
        async for attempt in stamina.retry_context(on=self._plan.hook, **self._plan.waits):
            with attempt:
                await self._attempt(source)

    async def _attempt(self, source: Open[C]) -> None:
        self.attempts += 1
        self._early.clear()
        opened = source()
        if isinstance(opened, Awaitable):
            opened = await opened
        chunks: Any = _one(opened) if isinstance(opened, str) else opened
        stream = self._stream = self._guard.wrap(chunks, **self._options)
        try:
            async for chunk in stream:
                self._early.append(chunk)
                if stream.stats.characters_out:
                    return
        except BaseException:
            with suppress(Exception):
                await stream.aclose()
            raise
        if stream.finish == "timeout" and not self._stopped:
            raise TimeoutError("nothing was released before the deadline")


async def _one(text: str) -> Any:
    yield text
