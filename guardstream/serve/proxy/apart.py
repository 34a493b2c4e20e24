"""Long work beside the event loop, so that other streams go on.

All of it is done by one thread. Whoever works has the interpreter's lock, and with each thread more
the event loop would have to wait for another one, at every socket, before it has the lock again.
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

from guardstream.serve.proxy.room import Room
from guardstream.serve.proxy.turns import Turns

T = TypeVar("T")

MOST = 64 * 1024 * 1024
"""Bytes of long events that may wait for their ends, of all streams together."""

SHORT = 16 * 1024
"""Bytes of a text that is guarded at once: some milliseconds at most."""

_MIDDLING = 1024 * 1024
"""Bytes of a text up to which it need not wait for all longer ones that came before it."""


@dataclass(eq=False, slots=True)
class Job:
    """Work that waits for the thread."""

    kind: str
    work: Callable[[], Any]
    context: Context = field(default_factory=copy_context)
    future: Future[Any] = field(default_factory=Future)


class Shares:
    """What waits, by its kind: next is the kind that has had the least of the thread's time.

    So a piece of an event waits for one long text at most, however many there are.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._waiting: dict[str, deque[Job]] = {}
        self._had: dict[str, float] = {}  # seconds
        self._now = 0.0  # what the kind that was taken last had had then

    def put(self, job: Job) -> None:
        """Have a job wait. A kind of which none has waited is not given what it did not need."""
        with self._lock:
            if job.kind not in self._waiting:
                self._had[job.kind] = max(self._had.get(job.kind, 0.0), self._now)
            self._waiting.setdefault(job.kind, deque()).append(job)

    def take(self) -> Job | None:
        """Return the next job; None if there is none, since its caller has left."""
        with self._lock:
            if not self._waiting:
                return None
            kind = min(self._waiting, key=self._had.__getitem__)
            self._now = self._had[kind]
            job = self._waiting[kind].popleft()
            self._tidy(kind)
            return job

    def drop(self, job: Job) -> bool:
        """Have a job wait no more; False if it has been taken."""
        with self._lock:
            if job not in self._waiting.get(job.kind, ()):
                return False
            self._waiting[job.kind].remove(job)
            self._tidy(job.kind)
            return True

    def took(self, job: Job, seconds: float) -> None:
        """Note how long a job has taken."""
        with self._lock:
            self._had[job.kind] += seconds

    def _tidy(self, kind: str) -> None:
        if not self._waiting[kind]:
            del self._waiting[kind]


class Apart:
    """The thread that does what is long, one piece after the other; and room for what waits."""

    def __init__(self, most: int = MOST) -> None:
        self.room = Room(most)
        self.turns = Turns()
        self._shares = Shares()
        self._thread = ThreadPoolExecutor(1, "guardstream-long")

    async def event(self, work: Callable[[], T]) -> T:
        """Do work for an event in the thread.

        A caller that is cancelled leaves at once if it has not begun, else when it is done.
        """
        return await self._done("event", work, to_its_end=True)

    async def text(self, size: int, work: Callable[[], T]) -> T:
        """Do work on a text of `size` bytes, in the thread if it is long.

        A caller that is cancelled leaves at once, and nobody is told what work has made.
        """
        if size <= SHORT:
            return work()
        return await self._done(_kind(size), work, to_its_end=False)

    def text_of_thread(self, size: int, work: Callable[[], T]) -> T:
        """Do what `text` does, for another thread, which waits for it."""
        if size <= SHORT:
            return work()
        made: T = self._begun(_kind(size), work).future.result()
        return made

    def _begun(self, kind: str, work: Callable[[], Any]) -> Job:
        job = Job(kind, work)
        self._shares.put(job)
        self._thread.submit(self._next)
        return job

    async def _done(self, kind: str, work: Callable[[], T], *, to_its_end: bool) -> T:
        job = self._begun(kind, work)
        doing: asyncio.Future[T] = asyncio.wrap_future(job.future)
        try:
            await asyncio.wait([doing])
        except asyncio.CancelledError:
            if not self._shares.drop(job) and to_its_end:
                with anyio.CancelScope(shield=True):
                    await asyncio.wait([doing])
            doing.cancel()
            raise
        return doing.result()

    def _next(self) -> None:
        """Do a job. This is called once for each."""
        job = self._shares.take()
        if job is None or not job.future.set_running_or_notify_cancel():
            return
        began = perf_counter()
        try:
            made = job.context.run(job.work)
        except BaseException as error:
            job.future.set_exception(error)
        else:
            job.future.set_result(made)
        self._shares.took(job, perf_counter() - began)

    def close(self) -> None:
        """Do nothing more; who waits for it is cancelled."""
        self._thread.shutdown(wait=False, cancel_futures=True)
        while (job := self._shares.take()) is not None:
            job.future.cancel()


def _kind(size: int) -> str:
    return "text" if size <= _MIDDLING else "long text"
