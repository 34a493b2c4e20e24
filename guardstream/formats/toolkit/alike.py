"""Reads events that differ from the last one only in a single text, by comparing the two.

Nearly every event of a stream is like the last: the same fields, the same values, and a few more
characters. Comparing them costs a fraction of inspecting each field.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from operator import itemgetter
from typing import Any, NamedTuple, TypeAlias

from guardstream.formats.adapter import Piece, Reading, Slot
from guardstream.formats.toolkit.fields import fields_of, plain_model, with_field
from guardstream.formats.toolkit.paths import Steps, keys
from guardstream.framing.padding import is_padding
from guardstream.framing.templates import Way

_SCALARS = (str, int, float, bool, type(None))

_NUMBERS = frozenset({int, float, bool, type(None)})
"""The types of values of an unknown field that are not text."""

Names: TypeAlias = Mapping[Steps, Collection[str]]
"""Names of fields, by the steps to their object."""

MayBe: TypeAlias = Callable[[Any], bool]
"""Returns whether a field may have this value in an event with the same meaning."""


class _Level(NamedTuple):
    """An object on the path to the text: the field that leads on, and the fields beside it.

    It has `size` fields. `beside` gets the other fields, which must equal `same`; it is None if
    there are none. `listed` says that the object is the only item of a list. `free` are fields
    without meaning, which may differ, with a check of their values.
    """

    step: str
    size: int
    beside: Callable[[Mapping[str, Any]], Any] | None
    same: Any
    listed: bool
    free: Mapping[str, MayBe]


class Alike:
    """An event with one text and nothing else. A similar event has its text in the same slot."""

    __slots__ = ("_backwards", "_choices", "_levels", "_slot")

    def __init__(self, levels: Sequence[_Level], slot: Slot, choices: Sequence[int]) -> None:
        self._levels = levels
        self._backwards = tuple(reversed(levels))
        self._slot = slot
        self._choices = choices

    @property
    def padding(self) -> Collection[str]:
        """The top-level fields without meaning: running numbers or padding."""
        free = self._levels[0].free
        return [name for name, may_be in free.items() if may_be in (_is_integer, _is_string)]

    @property
    def measured(self) -> Collection[Way]:
        """The paths to other fields without meaning, which have numbers."""
        return [way for way in self.free if len(way) > 1 or way[0] not in self.padding]

    @property
    def free(self) -> Mapping[Way, MayBe]:
        """The paths to all fields without meaning, with the check of their values."""
        found: dict[Way, MayBe] = {}
        way: Way = ()
        for level in self._levels:
            way = (*way, 0) if level.listed else way
            found |= {(*way, name): may_be for name, may_be in level.free.items()}
            way = (*way, level.step)
        return found

    def text(self, event: Any) -> str | None:
        """Return the text of an event if it is like this one except for its text;
        otherwise None."""
        value = event
        for step, size, beside, same, listed, free in self._levels:
            if listed:
                if type(value) is not list or len(value) != 1:
                    return None
                value = value[0]
            fields = value if type(value) is dict else fields_of(value)
            if len(fields) != size:
                return None
            try:
                if beside is not None and beside(fields) != same:
                    return None
                for name, may_be in free.items():
                    if not may_be(fields[name]):
                        return None
                value = fields[step]
            except KeyError:
                return None
        return value if type(value) is str and value else None

    def reading(self, text: str) -> Reading:
        """Return the reading of a similar event with this `text`."""
        pieces = (Piece(self._slot, text, "delta"),)
        return Reading(pieces, self._choices, only_text=True)

    def with_text(self, text: str, event: Any) -> Any:
        """Return an event like this one with another text."""
        objects = []
        value = event
        for step, _, _, _, listed, _ in self._levels:
            value = value[0] if listed else value
            objects.append(value)
            value = fields_of(value)[step]
        new: Any = text
        for (step, _, _, _, listed, _), value in zip(self._backwards, objects[::-1], strict=True):
            new = with_field(value, step, new)
            if listed:
                new = [new]
        return new


class AlikeDicts(Alike):
    """The same for events of plain dicts and lists: an event is compared at once, as a whole.

    Before each comparison, the free fields and the text of `like` are set to those of the other
    event. That takes half the time of comparing the objects on the path one by one.
    """

    __slots__ = ("_free", "_holder", "_last", "_like", "_steps")

    def __init__(
        self, levels: Sequence[_Level], slot: Slot, choices: Sequence[int], event: dict[str, Any]
    ) -> None:
        super().__init__(levels, slot, choices)
        steps = [step for level in levels for step in ((0, level.step)[not level.listed :])]
        *self._steps, self._last = steps
        self._like = self._holder = _own(event)
        for step in self._steps:
            self._holder = self._holder[step]
        self._free: list[tuple[Way, str | int, MayBe, Any]] = []
        for (*way, name), may_be in self.free.items():
            like: Any = self._like
            for step in way:
                like = like[step]
            self._free.append((tuple(way), name, may_be, like))

    def text(self, event: Any) -> str | None:
        """Return the text of an event if it is like this one except for its text;
        otherwise None."""
        if type(event) is not dict:
            return None
        try:
            holder: Any = event
            for step in self._steps:
                holder = holder[step]
            text = holder[self._last]
            for way, name, may_be, like in self._free:
                holder = event
                for step in way:
                    holder = holder[step]
                given = holder[name]
                if not may_be(given):
                    return None
                like[name] = given
        except (KeyError, IndexError, TypeError):
            return None
        if type(text) is not str or not text:
            return None
        self._holder[self._last] = text
        return text if event == self._like else None

    def with_text(self, text: str, event: Any) -> Any:
        """Return an event like this one with another text."""
        made, holder = _copied(event, self._steps)
        holder[self._last] = text
        return made


class _Model(NamedTuple):
    """A model on the path to the text, like a _Level; its fields are compared with `like`.

    `free` and `extra` are its fields that may differ: those of its class, and additional ones.
    """

    kind: type[Any]
    step: str
    like: dict[str, Any]
    listed: bool
    free: Sequence[tuple[str, MayBe]]
    extra: Mapping[str, MayBe]


class AlikeModels(Alike):
    """The same for pydantic models in lists: the fields of each model are compared at once."""

    __slots__ = ("_models",)

    def __init__(
        self, levels: Sequence[_Level], slot: Slot, choices: Sequence[int], models: Sequence[_Model]
    ) -> None:
        super().__init__(levels, slot, choices)
        self._models = models

    def text(self, event: Any) -> str | None:
        """Return the text of an event if it is like this one except for its text;
        otherwise None."""
        value = event
        for kind, step, like, listed, free, free_extra in self._models:
            if listed:
                if type(value) is not list or len(value) != 1:
                    return None
                value = value[0]
            if type(value) is not kind:
                return None
            extra = value.__pydantic_extra__
            if (extra or free_extra) and not _are_free(free_extra, extra):
                return None
            fields = value.__dict__
            try:
                for name, may_be in free:
                    like[name] = given = fields[name]
                    if not may_be(given):
                        return None
                like[step] = value = fields[step]
            except KeyError:
                return None
            if fields != like:
                return None
        return value if type(value) is str and value else None


def _is_string(value: Any) -> bool:
    return type(value) is str and is_padding(value) is not None


def _is_integer(value: Any) -> bool:
    return type(value) is int


def _is_number(value: Any) -> bool:
    return type(value) in _NUMBERS


def _are_free(fields: Mapping[str, MayBe], value: Any) -> bool:
    """Return whether a value is a dict of exactly these fields, with allowed values."""
    if type(value) is not dict or len(value) != len(fields):
        return False
    for name, each in value.items():
        may_be = fields.get(name)
        if may_be is None or not may_be(each):
            return False
    return True


def _padding(value: Any) -> MayBe | None:
    """Return the check for padding like this value; None if the value is not padding."""
    if type(value) is int:
        return _is_integer
    if type(value) is str and value:
        return _is_string
    return _numbers(value) if type(value) is dict else None


def _numbers(value: Any) -> MayBe | None:
    """Return the check for numbers, possibly in an object; None if the value contains anything
    else."""
    if type(value) in _NUMBERS:
        return _is_number
    if type(value) is not dict:
        return None
    inner = {name: _numbers(each) for name, each in value.items()}
    fields = {name: may_be for name, may_be in inner.items() if may_be is not None}
    return partial(_are_free, fields) if len(fields) == len(value) else None


def _models(event: Any, levels: Sequence[_Level]) -> list[_Model] | None:
    """Return an event's models on the path to its text; None if not all objects are models."""
    models = []
    value = event
    for level in levels:
        value = value[0] if level.listed else value
        if not plain_model(value):
            return None
        fields, extra = value.__dict__, value.__pydantic_extra__ or {}
        if level.step in extra or not extra.keys() <= level.free.keys():
            return None
        free = tuple((name, may_be) for name, may_be in level.free.items() if name in fields)
        beyond = {name: may_be for name, may_be in level.free.items() if name not in fields}
        like = {name: _own(each) for name, each in fields.items() if name != level.step}
        like[level.step] = None
        models.append(_Model(type(value), level.step, like, level.listed, free, beyond))
        value = fields[level.step]
    return models


def _own(value: Any) -> Any:
    """Return a copy of plain JSON, which stays as it is when the producer of `value` changes it."""
    if type(value) is dict:
        return {name: _own(each) for name, each in value.items()}
    return type(value)(map(_own, value)) if type(value) in (list, tuple) else value


def _copied(event: dict[str, Any], steps: Sequence[Any]) -> tuple[Any, Any]:
    """Return a copy of an event, and the copied object at the end of some steps in it."""
    made = holder = event.copy()
    for step in steps:
        holder[step] = holder = holder[step].copy()
    return made, holder


def alike(
    event: Any,
    steps: Steps,
    slot: Slot,
    choices: Sequence[int],
    padding: frozenset[str],
    unknown: Names,
) -> Alike | None:
    """Return the object to compare later events with; None if comparing is not worthwhile.

    That is so for a text in one of several items, or with objects beside it. `padding` are fields
    of the event itself. `unknown` are unknown fields without text, whose numbers may differ.
    """
    levels: list[_Level] = []
    value = event
    listed = False
    at: Steps = ()
    for step in keys(steps):
        if isinstance(step, int):
            if listed or type(value) is not list or len(value) != 1:
                return None
            value, listed, at = value[0], True, (at, step)
            continue
        fields = fields_of(value)
        given = {name: _numbers(fields[name]) for name in unknown.get(at, ())}
        if value is event:
            given |= {name: _padding(fields[name]) for name in padding.intersection(fields)}
        free = {name: may_be for name, may_be in given.items() if may_be is not None}
        names = [name for name in fields if name not in free and name != step]
        if not all(_is_plain(fields[name]) for name in names):
            return None
        beside = itemgetter(*names) if names else None
        same = _own(beside(fields)) if beside else None
        levels.append(_Level(step, len(fields), beside, same, listed, free))
        value, listed, at = fields[step], False, (at, step)
    if listed:
        return None
    if _is_plain(event):
        return AlikeDicts(levels, slot, choices, event)
    models = _models(event, levels)
    if models is not None:
        return AlikeModels(levels, slot, choices, models)
    return Alike(levels, slot, choices)


def _is_plain(value: Any) -> bool:
    """Return whether a value is plain JSON, which only equals the same JSON."""
    if type(value) in (list, dict):
        return all(map(_is_plain, value.values() if isinstance(value, dict) else value))
    return type(value) in _SCALARS
