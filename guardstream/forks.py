"""Locks that can be acquired in a forked process, and whose data is consistent there.

A fork copies a lock that another thread holds, but not that thread, so nobody would ever release
the copy. So a fork first waits until it has acquired all locks that are registered here.
"""

from __future__ import annotations

import os
from threading import RLock, get_ident
from time import monotonic
from typing import Protocol, TypeVar
from weakref import WeakSet

_WAIT_SECONDS = 5.0
"""Seconds that a fork waits at most: the thread that forks may hold a lock itself, as in a signal
handler."""


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
"""The locks that a fork has acquired, by the thread that forks."""


def kept_across_forks(lock: L) -> L:
    """Register a lock, so that forks acquire it as long as it exists; return it."""
    with _adding:
        _kept.add(lock)
    return lock


def _take_all() -> None:
    end = monotonic() + _WAIT_SECONDS
    # The locks in this list are released even if memory runs out meanwhile.
    taken: list[AnyLock] = []
    _taken[get_ident()] = taken
    if not _adding.acquire(timeout=_WAIT_SECONDS):
        return
    taken.append(_adding)
    while (busy := _take_or_find_busy(taken)) is not None:
        # It is released at once: the thread that held it may need another lock, which this fork
        # takes later.
        if not busy.acquire(timeout=max(end - monotonic(), 0)):
            return
        busy.release()


def _take_or_find_busy(taken: list[AnyLock]) -> AnyLock | None:
    """Acquire all locks and add them to `taken`; if a thread holds one, return that one and add
    none."""
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
