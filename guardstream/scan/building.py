"""Makes sure that nothing sees shared caches half built: a lock keeps out other threads, and a
check keeps out code that interrupts the building thread.

The handler of a signal, or a finalizer, may interrupt a thread anywhere, and guard text with the
same rules. If it needs what the thread is building, the handler's stream fails, and the thread's
own stream goes on.
"""

from __future__ import annotations

from threading import RLock
from typing import TypeAlias

from guardstream.forks import kept_across_forks

BuildLock: TypeAlias = "RLock"

_INTERRUPTED = (
    "the handler of a signal, or a finalizer, guards text while it interrupts a guard of "
    "the same rules: guard its text elsewhere, or with a guard of its own"
)


def build_lock() -> BuildLock:
    """A lock for building, which is free in a forked process."""
    return kept_across_forks(RLock())


def building(lock: BuildLock) -> BuildLock:
    """Return the lock, to be held while something is built.

    Raises RuntimeError as `check_not_building` does. Code that builds a part of something else
    takes the lock itself.
    """
    if lock._is_owned():  # type: ignore[attr-defined]  # as `threading.Condition` asks an RLock
        raise RuntimeError(_INTERRUPTED)
    return lock


def check_not_building(lock: BuildLock) -> None:
    """Raise RuntimeError if this thread holds the lock: it was interrupted while it was building.

    Streams call it before they read, since reading may build.
    """
    if lock._is_owned():  # type: ignore[attr-defined]
        raise RuntimeError(_INTERRUPTED)
