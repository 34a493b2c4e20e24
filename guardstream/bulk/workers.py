"""Worker processes on this machine: they are started once, and get items in order."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from typing import Any, TypeVar

from guardstream.bulk.report import BulkError

A = TypeVar("A")
R = TypeVar("R")

_work: Callable[[Any], Any] | None = None
"""What this process was started to do."""


def by_processes(work: Callable[[A], R], items: Iterable[A], jobs: int) -> Iterator[R]:
    """Yield the result of `work` for each item, in order. BulkError if a process dies.

    `work` is pickled once for each of the processes, which are started anew.
    """
    source = iter(items)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, context, _begin, (work,)) as pool:
        waiting: deque[Future[Any]] = deque(
            pool.submit(_do, item) for item in islice(source, 2 * jobs)
        )
        try:
            while waiting:
                made = waiting.popleft().result()
                for item in islice(source, 1):
                    waiting.append(pool.submit(_do, item))
                yield made
        except BaseException as error:
            # At the end of all work the pool is waited for: if the interpreter ends before the
            # pool's own thread does, that prints a traceback.
            pool.shutdown(wait=False, cancel_futures=True)
            if isinstance(error, BrokenProcessPool):
                raise BulkError("a worker died, probably out of memory: use fewer jobs") from error
            raise


def _begin(work: Callable[[Any], Any]) -> None:
    global _work
    _work = work
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this process when its parent is killed: the pool's own pipes would not tell it."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _do(item: Any) -> Any:
    assert _work is not None
    return _work(item)
