"""A memory budget that several holders share."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field


class MemoryBudget:
    """A budget of `most` bytes, from which holders acquire bytes until they release all of theirs.

    When the budget is used up, holders wait in order. The one that has held bytes the longest may
    always acquire more, so that at least one holder can finish.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._total = 0
        self._taken: dict[object, int] = {}  # ordered by first acquisition
        self._waiting: deque[_Waiter] = deque()

    @property
    def taken(self) -> int:
        """The number of acquired bytes."""
        return self._total

    async def acquire(self, holder: object, size: int) -> None:
        """Acquire `size` more bytes, waiting if necessary."""
        waiter = _Waiter(holder, size)
        if not self._granted(waiter):
            self._waiting.append(waiter)
            try:
                await waiter.granted.wait()
            except BaseException:
                if waiter in self._waiting:
                    self._waiting.remove(waiter)
                raise

    def release(self, holder: object) -> None:
        """Release all bytes of a holder."""
        if (size := self._taken.pop(holder, None)) is None:
            return
        self._total -= size
        # One pass, without waking those that must wait on: each wake-up costs a loop iteration.
        self._waiting = deque([each for each in self._waiting if not self._granted(each)])

    def _granted(self, waiter: _Waiter) -> bool:
        first = next(iter(self._taken), waiter.holder) is waiter.holder
        if not first and self._total + waiter.size > self._most:
            return False
        self._total += waiter.size
        self._taken[waiter.holder] = self._taken.get(waiter.holder, 0) + waiter.size
        waiter.granted.set()
        return True


@dataclass(eq=False, slots=True)
class _Waiter:
    """A holder that waits for bytes."""

    holder: object
    size: int
    granted: asyncio.Event = field(default_factory=asyncio.Event)
