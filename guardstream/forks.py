"""Locks that can be acquired in a forked process, where what they protect is consistent.

A fork copies a lock that another thread holds, but not that thread, so that nobody would ever
release the copy. So a fork first takes all locks that are kept here: it waits until nobody holds
one.
"""

from __future__ import annotations

import os
from threading import RLock, get_ident
from time import monotonic
from typing import Protocol, TypeVar
from weakref import WeakSet

_WAIT_SECONDS = 5.0
"""Seconds that a fork waits. The thread that forks may hold a lock itself, as in the handler of a
signal."""


class AnyLock(Protocol):
    """A Lock or an RLock."""

    def acquire(self, blocking: bool = ..., timeout: float = ...) -> bool:
        """Acquire the lock."""
        ...

    def release(self) -> None:
        """Release the lock."""
        ...


L = TypeVar("L", bound=AnyLock)

_adding = RLock()
_kept: WeakSet[AnyLock] = WeakSet()
_taken: dict[int, list[AnyLock]] = {}
"""The locks that a fork has taken, by its thread."""


def kept_across_forks(lock: L) -> L:
    """Return `lock`, which forks take from now on, as long as it is there."""
    with _adding:
        _kept.add(lock)
    return lock


def _take_all() -> None:
    end = monotonic() + _WAIT_SECONDS
    # What is in it is released, also if memory runs out meanwhile.
    taken: list[AnyLock] = []
    _taken[get_ident()] = taken
    if not _adding.acquire(timeout=_WAIT_SECONDS):
        return
    taken.append(_adding)
    while (busy := _take_or_find_busy(taken)) is not None:
        # It is not kept: its thread may wait for another one, which the next round needs.
        if not busy.acquire(timeout=max(end - monotonic(), 0)):
            return
        busy.release()


def _take_or_find_busy(taken: list[AnyLock]) -> AnyLock | None:
    """Add all locks to `taken`; if one is held by somebody, return it and add none."""
    known = len(taken)
    for lock in list(_kept):
        if not lock.acquire(blocking=False):
            _release(taken[known:])
            del taken[known:]
            return lock
        taken.append(lock)
    return None


def _release_all() -> None:
    _release(_taken.pop(get_ident(), []))


def _release(locks: list[AnyLock]) -> None:
    for lock in reversed(locks):
        lock.release()


if hasattr(os, "register_at_fork"):  # Windows has no forks
    os.register_at_fork(before=_take_all, after_in_parent=_release_all, after_in_child=_release_all)
