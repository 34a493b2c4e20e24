"""Room in memory, which those that need much of it share."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field


class Room:
    """Room for `most` bytes, which those that hold some take more of until they give it back.

    Where there is none left, they wait in their order; but whoever holds some for longest may
    always take more, so that one at least comes to its end.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._total = 0
        self._taken: dict[object, int] = {}  # in the order in which they first took some
        self._waiting: deque[_Wish] = deque()

    @property
    def taken(self) -> int:
        """Bytes that are taken."""
        return self._total

    async def take(self, holder: object, size: int) -> None:
        """Take `size` bytes more."""
        wish = _Wish(holder, size)
        if not self._granted(wish):
            self._waiting.append(wish)
            try:
                await wish.granted.wait()
            except BaseException:
                if wish in self._waiting:
                    self._waiting.remove(wish)
                raise

    def give_back(self, holder: object) -> None:
        """Give back all that a holder has taken."""
        if (size := self._taken.pop(holder, None)) is None:
            return
        self._total -= size
        # Each is asked once: all of them looking anew would take turns of the event loop.
        self._waiting = deque([each for each in self._waiting if not self._granted(each)])

    def _granted(self, wish: _Wish) -> bool:
        first = next(iter(self._taken), wish.holder) is wish.holder
        if not first and self._total + wish.size > self._most:
            return False
        self._total += wish.size
        self._taken[wish.holder] = self._taken.get(wish.holder, 0) + wish.size
        wish.granted.set()
        return True


@dataclass(eq=False, slots=True)
class _Wish:
    """Room that a holder wants to have."""

    holder: object
    size: int
    granted: asyncio.Event = field(default_factory=asyncio.Event)
