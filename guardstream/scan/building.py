"""What a thread builds for all streams is not seen half built: by other threads because of a lock,
and by itself because of the check here.

The handler of a signal, or a finalizer, may interrupt a thread anywhere, and guard text with the
same rules. If it needs what the thread is building, its stream fails; the thread's own goes on.
"""

from __future__ import annotations

from threading import RLock
from typing import TypeAlias

from guardstream.forks import kept_across_forks

BuildLock: TypeAlias = "RLock"


def build_lock() -> BuildLock:
    """A lock for building, which is free in a forked process."""
    return kept_across_forks(RLock())


def check_not_building(lock: BuildLock) -> None:
    """RuntimeError if this thread holds the lock. Streams call it before they begin to build."""
    if lock._is_owned():  # type: ignore[attr-defined]  # as `threading.Condition` asks an RLock
        raise RuntimeError(
            "the handler of a signal, or a finalizer, guards text while it interrupts a guard of "
            "the same rules: guard its text elsewhere, or with a guard of its own"
        )
