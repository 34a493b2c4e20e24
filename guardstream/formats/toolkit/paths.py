"""The steps to a value in an event, and rebuilding an event with some values changed.

Steps are nested: `()` is the event itself, `(steps, name)` a field and `(steps, place)` an item of
the value at `steps`. Only objects on the way to a change are copied.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from enum import Enum
from itertools import islice
from typing import Any, NamedTuple, TypeAlias
from uuid import UUID

from guardstream.formats.adapter import Beside, Slot
from guardstream.formats.toolkit.fields import (
    BYTES,
    LISTS,
    fields_of,
    listed,
    replaced,
    with_names,
)

Steps: TypeAlias = tuple[Any, ...]


_MOST_BESIDE = 16
"""How many values beside a text are compared: more than any event needs to tell its sources apart.
Also how many values of an object or list are read, and how many objects and lists beside the
way."""

LONGEST_BESIDE = 128
"""The maximum length of a value that tells apart texts, in code points."""

_PLAIN = (str, int, bool, type(None))

_UNTOLD = (str, float, type, *BYTES)
"""Types of values that neither tell texts apart nor have parts that do."""


class Key(NamedTuple):
    """A last step that stands for a key itself instead of its value."""

    name: str


GONE = object()
"""Stands for a value that is removed: a list loses the item, an object with such a field is
removed."""


def keys(steps: Steps) -> list[Any]:
    """Return the names and positions on the way, outermost first."""
    found = []
    while steps:
        steps, last = steps
        found.append(last)
    found.reverse()
    return found


def places(steps: Steps) -> tuple[int, ...]:
    """Return the positions in lists on the way, outermost first."""
    return tuple(key for key in keys(steps) if isinstance(key, int))


def indices(event: Any, steps: Steps) -> tuple[int, ...]:
    """Return what distinguishes the items on the way: each `index`, or else the position in its
    list."""
    found = []
    for key in keys(steps):
        if type(key) is int:
            event = event[key] if isinstance(event, Sequence) else None  # a set has no positions
            if type(fields_of(event).get("index")) is not int:
                found.append(key)
        else:
            own = fields_of(event).get("index")
            found += [own] if type(own) is int else []
            event = fields_of(event).get(key)
    return tuple(found)


def beside(event: Any, steps: Steps) -> Beside:
    """Return values beside a text that may tell which earlier text it continues, at most 16: first
    those beside the steps to it, outermost first, then those in objects and lists beside the steps.

    Their names are their paths, without the positions of lists on the way.
    """
    found: list[tuple[str, Hashable]] = []
    aside: deque[tuple[str, Any]] = deque()
    way = ""
    for key in [*keys(steps), None]:
        _add_telling(event, way, key, found, aside)
        if isinstance(event, LISTS):
            event = event[key] if isinstance(event, Sequence) and key is not None else None
        elif key is not None:
            event, way = fields_of(event).get(key), f"{way}.{key}"
    for _ in range(_MOST_BESIDE):
        if not aside or len(found) == _MOST_BESIDE:
            break
        way, event = aside.popleft()
        _add_telling(event, way, None, found, aside)
    return found


def beside_each(event: Any, texts: Iterable[tuple[Slot, Steps]]) -> dict[Slot, list[Beside]]:
    """Return the values `beside` each text, by slot. Texts in one object have the same; a text
    without steps, such as a key, has none."""
    known: dict[Steps, Beside] = {}
    found: dict[Slot, list[Beside]] = {}
    for slot, steps in texts:
        others: Beside = ()
        if steps:
            around = steps[0]
            if around not in known:
                known[around] = beside(event, around)
            others = known[around]
        found.setdefault(slot, []).append(others)
    return found


def _add_telling(
    value: Any,
    way: str,
    on: Any,
    found: list[tuple[str, Hashable]],
    aside: deque[tuple[str, Any]],
) -> None:
    """Add the values in an object or a list to `found`, and objects and lists in it to `aside`,
    except the one that is `on` the way."""
    if isinstance(value, LISTS):  # a long list has rows that say nothing about each other
        named: Iterable[tuple[Any, Any]] = enumerate(value) if len(value) <= _MOST_BESIDE else ()
    else:
        named = fields_of(value).items()
    for name, inner in islice(named, _MOST_BESIDE):
        path = f"{way}.{name}"
        if _may_tell(inner):
            told = _plain(inner)
        elif name == on or isinstance(inner, _UNTOLD):
            continue
        elif isinstance(inner, LISTS) and _all_tell(inner):
            told = tuple(map(_plain, inner))
        else:
            aside.append((path, inner))
            continue
        if len(found) == _MOST_BESIDE:
            return
        found.append((path, told))


def _may_tell(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) <= LONGEST_BESIDE
    return value is None or isinstance(value, (int, Enum, UUID))


def _all_tell(items: Collection[Any]) -> bool:
    return 0 < len(items) <= _MOST_BESIDE and all(map(_may_tell, items))


def _plain(value: Any) -> Hashable:
    """Return a value that tells texts apart, in a form that can be a key."""
    if type(value) in _PLAIN:
        return value  # type: ignore[no-any-return]
    if isinstance(value, Enum):
        return value.name
    return str(value)


def spoken(steps: Steps) -> str:
    """Return the steps as JSONPath (RFC 9535), with positions in lists as `[*]`:
    `$.choices[*].delta`.

    A key that is judged itself has a `~` after it.
    """
    parts = ["$"]
    for key in keys(steps):
        name = key.name if isinstance(key, Key) else key
        if isinstance(key, int):
            parts.append("[*]")
        elif isinstance(name, str) and name.isidentifier():
            parts.append(f".{name}")
        else:
            parts.append(f"[{name!r}]")
        if isinstance(key, Key):
            parts.append("~")
    return "".join(parts)


class _New(NamedTuple):
    value: Any


def rebuilt(value: Any, updates: Mapping[Steps, Any]) -> Any:
    """Return a copy of `value` with other values at the end of some steps.

    An item that becomes GONE is removed; an object with a part that becomes GONE is GONE. A key of
    which nothing is left is removed with its value.
    """
    if not updates:
        return value
    if len(updates) == 1:
        ((steps, new),) = updates.items()
        return _with(value, keys(steps), 0, new)
    tree: dict[Any, Any] = {}
    for steps, new in updates.items():
        *way, last = keys(steps) or [None]
        if last is None:
            return new
        node: Any = tree
        for key in way:
            node = node.setdefault(key, {})
            if isinstance(node, _New):
                break  # it is removed with everything in it
        else:
            node[last] = _New(new)
    return _rebuilt(value, tree)


def _with(value: Any, way: list[Any], at: int, new: Any) -> Any:
    """The same as `_rebuilt` for a single change; `at` is the number of steps taken."""
    if at == len(way):
        return new
    key = way[at]
    if isinstance(value, LISTS):
        items = list(value)
        items[key] = _with(items[key], way, at + 1, new)
        return listed(value, [item for item in items if item is not GONE])
    if type(key) is Key:
        return _rebuilt(value, {key: _New(new)})
    inner = _with(fields_of(value)[key], way, at + 1, new)
    return GONE if inner is GONE else replaced(value, {key: inner})


def _rebuilt(value: Any, node: Any) -> Any:
    if isinstance(node, _New):
        return node.value
    if isinstance(value, LISTS):
        items = list(value)
        for place, inner in node.items():
            items[place] = _rebuilt(items[place], inner)
        return listed(value, [item for item in items if item is not GONE])
    fields = fields_of(value)
    renamed = {key.name: inner.value for key, inner in node.items() if isinstance(key, Key)}
    changed = {
        name: _rebuilt(fields[name], inner)
        for name, inner in node.items()
        if not isinstance(name, Key)
    }
    if any(new is GONE for new in changed.values()):
        return GONE
    if not renamed:
        return replaced(value, changed)
    kept = {name: new for name in fields if (new := renamed.get(name, name)) or name == new}
    told = _told_apart(kept)
    return with_names(value, {told[name]: changed.get(name, fields[name]) for name in kept})


def _told_apart(kept: Mapping[str, str]) -> dict[str, str]:
    """Return new names by old ones: where several become the same, such as a mask, all but the
    first get a number."""
    taken = {name for name, new in kept.items() if new == name}
    numbers: dict[str, int] = {}
    told = {}
    for name, new in kept.items():
        made = new
        while made != name and made in taken:
            numbers[new] = numbers.get(new, 1) + 1
            made = f"{new} {numbers[new]}"
        told[name] = made
        taken.add(made)
    return told
