"""The proxy's state about its clients: used tokens, running requests, stored objects.

In this process's memory, for one worker; `state_redis` is for several.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import asdict, dataclass
from json import dumps, loads
from time import time
from typing import NamedTuple, Protocol

from guardstream.errors import GuardstreamError

MAX_OBJECTS = 200_000
"""How many stored objects are remembered; the oldest are forgotten, and then belong to nobody."""

KEPT = 30 * 86_400
"""Seconds after which a stored object is forgotten, as providers do by default."""


class StateError(GuardstreamError):
    """The state cannot be accessed."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A stored object: its owner, the name of its upstream, and the tokens of a batch."""

    owner: str
    upstream: str
    tokens: int | None = None

    def dumped(self) -> str:
        """Serialise it."""
        return dumps(asdict(self))

    @classmethod
    def loaded(cls, text: str | bytes) -> Stored:
        """Return the object that `dumped` has serialised."""
        return cls(**loads(text))


class Window(NamedTuple):
    """One period of a budget: the name it is counted under, and when it ends."""

    name: str
    end: float


def window(name: str, seconds: float, now: float) -> Window:
    """Return the period of a budget that contains `now`, in seconds since 1970."""
    number = int(now // seconds)
    return Window(f"{name}:{seconds:g}:{number}", (number + 1) * seconds)


class State(Protocol):
    """Stores the state. All methods raise StateError if that fails, and none waits long."""

    async def reserve(self, spent: Window, tokens: int, limit: int) -> bool:
        """Add tokens to the used ones; return False, and add nothing, if that exceeds the limit."""
        ...

    async def settle(self, spent: Window, difference: int) -> None:
        """Add the difference between used and reserved tokens."""
        ...

    async def enter(self, name: str, place: str, most: int) -> bool:
        """Take one of `most` concurrency slots for `LEASE` seconds; return False if there is
        none."""
        ...

    async def renew(self, name: str, place: str) -> None:
        """Keep a slot for `LEASE` more seconds."""
        ...

    async def leave(self, name: str, place: str) -> None:
        """Release a slot."""
        ...

    async def keep(self, object_id: str, stored: Stored) -> None:
        """Remember an object's owner, unless it is known already."""
        ...

    async def stored(self, object_id: str) -> Stored | None:
        """Return an object's owner; None if it is unknown."""
        ...


LEASE = 60.0
"""Seconds after which a slot that is not renewed expires."""


class MemoryState:
    """The state in this process's memory."""

    def __init__(self, clock: Callable[[], float] = time, max_objects: int = MAX_OBJECTS) -> None:
        self._clock = clock
        self._max_objects = max_objects
        self._spent: dict[Window, int] = {}
        self._places: dict[str, set[str]] = {}
        self._objects: OrderedDict[str, tuple[float, Stored]] = OrderedDict()

    async def reserve(self, spent: Window, tokens: int, limit: int) -> bool:
        if spent not in self._spent:
            now = self._clock()
            self._spent = {each: used for each, used in self._spent.items() if each.end > now}
        used = self._spent.get(spent, 0)
        if used + tokens > limit:
            return False
        self._spent[spent] = used + tokens
        return True

    async def settle(self, spent: Window, difference: int) -> None:
        if spent in self._spent:
            self._spent[spent] += difference

    async def enter(self, name: str, place: str, most: int) -> bool:
        places = self._places.setdefault(name, set())
        if len(places) >= most:
            return False
        places.add(place)
        return True

    async def renew(self, name: str, place: str) -> None:
        """Do nothing: a slot in memory is released when its request is over."""

    async def leave(self, name: str, place: str) -> None:
        places = self._places.get(name, set())
        places.discard(place)
        if not places:
            self._places.pop(name, None)

    async def keep(self, object_id: str, stored: Stored) -> None:
        if object_id not in self._objects:
            self._objects[object_id] = self._clock(), stored
        while len(self._objects) > self._max_objects:
            self._objects.popitem(last=False)

    async def stored(self, object_id: str) -> Stored | None:
        since, stored = self._objects.get(object_id, (0.0, None))
        return stored if since + KEPT > self._clock() else None
