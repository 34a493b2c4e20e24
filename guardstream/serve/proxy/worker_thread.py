"""Runs long work in a thread, so that it does not block other streams.

There is only one thread, because threads compete for the GIL: with each further one, the event loop
would wait longer, at every socket, to get the GIL back.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from threading import Lock
from time import perf_counter
from typing import Any, TypeVar

import anyio

from guardstream.serve.proxy.loop_budget import LoopBudget
from guardstream.serve.proxy.memory_budget import MemoryBudget

T = TypeVar("T")

MOST = 64 * 1024 * 1024
"""Bytes of incomplete long events that all streams together may keep."""

SHORT = 16 * 1024
"""Bytes of a text that is guarded in the event loop: that takes a few milliseconds at most."""

_MIDDLING = 1024 * 1024
"""Bytes of a text that does not have to queue behind longer texts."""


@dataclass(eq=False, slots=True)
class Job:
    """Work that waits for the thread."""

    kind: str
    work: Callable[[], Any]
    context: Context = field(default_factory=copy_context)
    future: Future[Any] = field(default_factory=Future)


class FairQueue:
    """Queues of jobs by kind. The next job is of the kind that has used the least thread time.

    So a piece of an event waits for at most one long text, however many are queued.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._waiting: dict[str, deque[Job]] = {}
        self._used: dict[str, float] = {}  # thread time in seconds, by kind
        self._now = 0.0  # the time used by the last job's kind, when that job was taken

    def put(self, job: Job) -> None:
        """Queue a job. A kind whose queue was empty gets no credit for the time it was idle."""
        with self._lock:
            if job.kind not in self._waiting:
                self._used[job.kind] = max(self._used.get(job.kind, 0.0), self._now)
            self._waiting.setdefault(job.kind, deque()).append(job)

    def take(self) -> Job | None:
        """Return the next job; None if there is none because its caller was cancelled."""
        with self._lock:
            if not self._waiting:
                return None
            kind = min(self._waiting, key=self._used.__getitem__)
            self._now = self._used[kind]
            job = self._waiting[kind].popleft()
            self._tidy(kind)
            return job

    def drop(self, job: Job) -> bool:
        """Remove a job from its queue; return False if it has been taken."""
        with self._lock:
            if job not in self._waiting.get(job.kind, ()):
                return False
            self._waiting[job.kind].remove(job)
            self._tidy(job.kind)
            return True

    def took(self, job: Job, seconds: float) -> None:
        """Record how long a job took."""
        with self._lock:
            self._used[job.kind] += seconds

    def _tidy(self, kind: str) -> None:
        if not self._waiting[kind]:
            del self._waiting[kind]


class WorkerThread:
    """The thread that runs long work one job at a time, and the budgets of memory and loop time."""

    def __init__(self, most: int = MOST) -> None:
        self.memory = MemoryBudget(most)
        self.loop_time = LoopBudget()
        self._queue = FairQueue()
        self._thread = ThreadPoolExecutor(1, "guardstream-long")

    async def event(self, work: Callable[[], T]) -> T:
        """Run `work` for an event in the thread.

        A cancelled caller returns at once if the work has not begun, otherwise when it is done.
        """
        return await self._done("event", work, to_its_end=True)

    async def text(self, size: int, work: Callable[[], T]) -> T:
        """Run `work` on a text of `size` bytes, in the thread if the text is long.

        A cancelled caller returns at once, and the result of the work is dropped.
        """
        if size <= SHORT:
            return work()
        return await self._done(_kind(size), work, to_its_end=False)

    def text_of_thread(self, size: int, work: Callable[[], T]) -> T:
        """Like `text`, for another thread, which blocks until the work is done."""
        if size <= SHORT:
            return work()
        made: T = self._begun(_kind(size), work).future.result()
        return made

    def _begun(self, kind: str, work: Callable[[], Any]) -> Job:
        job = Job(kind, work)
        self._queue.put(job)
        self._thread.submit(self._next)
        return job

    async def _done(self, kind: str, work: Callable[[], T], *, to_its_end: bool) -> T:
        job = self._begun(kind, work)
        doing: asyncio.Future[T] = asyncio.wrap_future(job.future)
        try:
            await asyncio.wait([doing])
        except asyncio.CancelledError:
            if not self._queue.drop(job) and to_its_end:
                with anyio.CancelScope(shield=True):
                    await asyncio.wait([doing])
            doing.cancel()
            raise
        return doing.result()

    def _next(self) -> None:
        """Run the next job. This is called once for each job."""
        job = self._queue.take()
        if job is None or not job.future.set_running_or_notify_cancel():
            return
        began = perf_counter()
        try:
            made = job.context.run(job.work)
        except BaseException as error:
            job.future.set_exception(error)
        else:
            job.future.set_result(made)
        self._queue.took(job, perf_counter() - began)

    def close(self) -> None:
        """Stop the thread; callers that wait for queued work are cancelled."""
        self._thread.shutdown(wait=False, cancel_futures=True)
        while (job := self._queue.take()) is not None:
            job.future.cancel()


def _kind(size: int) -> str:
    return "text" if size <= _MIDDLING else "long text"
