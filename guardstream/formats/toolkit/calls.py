"""The calls of a stream whose format is described: which part belongs to which call.

A call is known by its index, or else by its id, or by what tells texts apart. Without any of them,
a name begins a call, and other parts belong to the last one.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from enum import Enum
from hashlib import blake2b
from typing import Any
from uuid import UUID

from guardstream.errors import AdapterError
from guardstream.formats.adapter import Call, Slot
from guardstream.formats.toolkit.fields import BYTES
from guardstream.formats.toolkit.nodes import Path
from guardstream.formats.toolkit.places import CallPlace, said_of, values_at
from guardstream.formats.toolkit.reused import Reused

_MOST = 4096
"""The most calls of a stream."""

_LONGEST = 128
"""The length in code points above which only the digest of a string is remembered."""


class Calls:
    """The calls of a stream, and those in the last chunk.

    `begun` are those that begin in the chunk, `complete` the slots whose arguments end in it, and
    `over` those that ended before it; `choices` are the choices that have calls.
    """

    def __init__(self, name: str, places: Sequence[CallPlace]) -> None:
        self.begun: dict[Slot, Call] = {}
        self.complete: list[Slot] = []
        self.over: list[Slot] = []
        self.choices: set[int] = set()
        self._name = name
        self._places = places
        self._here: dict[Path, int] = {}
        self._known: dict[Hashable, Slot] = {}  # by choice, and index or id
        self._last: dict[int, Slot] = {}  # the call that parts without an index or id belong to
        self._named: set[Slot] = set()
        self._count = 0
        self._reused = Reused()

    def read(self, event: Mapping[str, Any], choice_of: Any, mark_of: Any) -> None:
        """Take the calls of the next chunk."""
        self.begun, self.complete, self.over, self._here = {}, [], [], {}
        for place in self._places:
            for path, call in values_at(event, place.steps):
                said = said_of(call, place)
                if any(value not in (None, "") for value in said.values()):
                    told = {**said, "by": mark_of(event, path)}
                    self._take(place, path, told, choice_of(event, path))

    def _take(self, place: CallPlace, path: Path, said: Mapping[str, Any], choice: int) -> None:
        slot = self._slot(place, said, choice)
        self._here[path] = slot.number
        if said["by"] is not None:  # later parts may say nothing else
            self._known[self._key({"by": said["by"]}, choice)[1]] = slot
        name = said.get("name")
        if name and slot not in self._named:
            self._named.add(slot)
            self.choices.add(choice)
            self.begun[slot] = Call(str(name), said.get("id"))
        if place.is_whole or said.get("end"):
            self.complete.append(slot)
            self._last.pop(choice, None)

    def _slot(self, place: CallPlace, said: Mapping[str, Any], choice: int) -> Slot:
        if place.is_whole:
            return self._new(place, choice, None)
        role, key = self._key(said, choice)
        name = said.get("name")
        if role == "index" and self._reused.take(key, name, said.get("id"), said.get("arguments")):
            self.over.append(self._known.pop(key))
        begins = name and role not in ("index", "id")
        known = None if begins else self.known(said, choice)
        if known is not None:
            return known
        if role == "index":
            return self._new(place, choice, said["index"], key)
        return self._begin(place, choice, key if role == "id" else None)

    def _begin(self, place: CallPlace, choice: int, key: Hashable) -> Slot:
        """Return the slot of a call whose later parts need not say which it is."""
        before = self._last.get(choice)
        if before is not None:
            self.over.append(before)
        self._last[choice] = self._new(place, choice, None, key)
        return self._last[choice]

    def _new(self, place: CallPlace, choice: int, index: Any, key: Hashable = None) -> Slot:
        if self._count == _MOST:
            raise AdapterError(f"{self._name}: more than {_MOST} calls in one stream: blocked")
        taken = {slot.number for slot in self._known.values()}
        number = index if isinstance(index, int) and index not in taken else self._count
        self._count += 1
        slot = Slot(choice, "tool_args", place.field, number)
        self._known[key if key is not None else slot] = slot
        return slot

    def known(self, said: Mapping[str, Any], choice: int) -> Slot | None:
        """Return the slot of the call that a part belongs to, by what the part says; None if it is
        of no call that has begun."""
        role, key = self._key(said, choice)
        if key in self._known or role in ("index", "id"):
            return self._known.get(key)
        return self._last.get(choice)

    @staticmethod
    def _key(said: Mapping[str, Any], choice: int) -> tuple[str, Hashable]:
        """Return what tells a call apart: the role of the first value that says it, and a key."""
        for role in ("index", "id", "by"):
            if said.get(role) is not None:
                return role, (choice, role, key_of(said[role]))
        return "", None

    def number(self, path: Path) -> int:
        """Return the number of the call whose arguments are at some positions in the last chunk."""
        for size in range(len(path), -1, -1):
            if path[:size] in self._here:
                return self._here[path[:size]]
        return 0

    def passed_by(self, texts: Sequence[Slot]) -> list[Slot]:
        """Return the calls that end because a text of their choice goes on."""
        choices = {slot.choice for slot in texts if slot.channel != "tool_args"}
        return [self._last.pop(choice) for choice in choices & self._last.keys()]


def key_of(value: Any) -> tuple[str, Hashable] | None:
    """Return the key for a value that tells texts apart; None if the value has parts.

    Equal numbers have the same key, as where events are compared.
    """
    if isinstance(value, str) and len(value) > _LONGEST:
        return "digest", blake2b(value.encode(errors="surrogatepass")).digest()
    if isinstance(value, str):
        return "text", value
    if value is None or isinstance(value, (int, float)):
        return "number", value if value == value else "NaN"
    if isinstance(value, tuple):
        keys = [key_of(each) for each in value]
        return None if None in keys else ("several", (*keys,))
    return ("other", repr(value)) if isinstance(value, (Enum, UUID, *BYTES)) else None
