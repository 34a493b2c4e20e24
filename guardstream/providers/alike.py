"""Events that differ from the one before in a single text are read by comparing the two.

Nearly every event of a stream is like the last: the same fields, the same values, and a few more
characters. To compare them costs a fraction of what it takes to look at each field.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from operator import itemgetter
from typing import Any, NamedTuple, TypeAlias

from guardstream.framing.padding import is_padding
from guardstream.framing.templates import Way
from guardstream.providers.adapter import NONE, Piece, Reading, Slot
from guardstream.providers.fields import fields_of, plain_model, with_field
from guardstream.providers.paths import Steps, keys

PATIENCE = 16
"""How many events in a row may differ from the one before until no more are compared."""

_SCALARS = (str, int, float, bool, type(None))

_NUMBERS = frozenset({int, float, bool, type(None)})
"""What an unknown field may hold without being text."""

Names: TypeAlias = Mapping[Steps, Collection[str]]
"""Names of fields, by the steps to the object that has them."""

MayBe: TypeAlias = Callable[[Any], bool]
"""Returns whether a field may hold a value in an event that means the same."""


class _Level(NamedTuple):
    """An object on the way to the text: the field that leads on, and the fields beside it.

    It has `size` fields, and what `beside` gets of them is `same`; None if there are no others.
    `listed` tells that it is the only item of a list, `free` are fields that mean nothing and may
    differ, with what each may hold.
    """

    step: str
    size: int
    beside: Callable[[Mapping[str, Any]], Any] | None
    same: Any
    listed: bool
    free: Mapping[str, MayBe]


class Alike:
    """An event that said one text and nothing else; others like it say theirs in the same slot."""

    __slots__ = ("_backwards", "_choices", "_levels", "_slot")

    def __init__(self, levels: Sequence[_Level], slot: Slot, choices: Sequence[int]) -> None:
        self._levels = levels
        self._backwards = tuple(reversed(levels))
        self._slot = slot
        self._choices = choices

    @property
    def padding(self) -> Collection[str]:
        """The fields of an event that mean nothing, with a running number or padding."""
        free = self._levels[0].free
        return [name for name, may_be in free.items() if may_be in (_is_integer, _is_string)]

    @property
    def measured(self) -> Collection[Way]:
        """The ways to other fields that mean nothing, with numbers."""
        return [way for way in self.free if len(way) > 1 or way[0] not in self.padding]

    @property
    def free(self) -> Mapping[Way, MayBe]:
        """The ways to the fields that mean nothing and may differ, with what each may hold."""
        found: dict[Way, MayBe] = {}
        way: Way = ()
        for level in self._levels:
            way = (*way, 0) if level.listed else way
            found |= {(*way, name): may_be for name, may_be in level.free.items()}
            way = (*way, level.step)
        return found

    def text(self, event: Any) -> str | None:
        """Return what an event says if it is like this one but for its text; otherwise None."""
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
        """Return what an event means that says `text` alone."""
        pieces = (Piece(self._slot, text, "delta"),)
        # By position: it is made for each chunk, and a keyword costs a tenth more.
        return Reading(pieces, self._choices, NONE, False, (), NONE, None, NONE, None, (), True)

    def with_text(self, text: str, event: Any) -> Any:
        """Return an event that is like this one with another text."""
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
    """The same where all is plain dicts and lists: an event is compared at once, as a whole.

    `like` is an event that becomes, for each comparison, what the other one should be. That takes
    half of what it takes to compare the objects on the way one by one.
    """

    __slots__ = ("_free", "_holder", "_last", "_like", "_steps")

    def __init__(
        self, levels: Sequence[_Level], slot: Slot, choices: Sequence[int], event: dict[str, Any]
    ) -> None:
        super().__init__(levels, slot, choices)
        steps = [step for level in levels for step in ((0, level.step)[not level.listed :])]
        *self._steps, self._last = steps
        self._like, self._holder = _copied(event, self._steps)
        self._free: list[tuple[Way, str | int, MayBe, Any]] = []
        for (*way, name), may_be in self.free.items():
            like: Any = self._like
            for step in way:
                like = like[step]
            self._free.append((tuple(way), name, may_be, like))

    def text(self, event: Any) -> str | None:
        """Return what an event says if it is like this one but for its text; otherwise None."""
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
        """Return an event that is like this one with another text."""
        made, holder = _copied(event, self._steps)
        holder[self._last] = text
        return made


class _Model(NamedTuple):
    """A model on the way to the text, as a _Level is; its fields are compared with `like`.

    `free` and `extra` are its fields that may differ: those of its class, and those beyond them.
    """

    kind: type[Any]
    step: str
    like: dict[str, Any]
    listed: bool
    free: Sequence[tuple[str, MayBe]]
    extra: Mapping[str, MayBe]


class AlikeModels(Alike):
    """The same where all is pydantic models in lists: the fields of each are compared at once."""

    __slots__ = ("_models",)

    def __init__(
        self, levels: Sequence[_Level], slot: Slot, choices: Sequence[int], models: Sequence[_Model]
    ) -> None:
        super().__init__(levels, slot, choices)
        self._models = models

    def text(self, event: Any) -> str | None:
        """Return what an event says if it is like this one but for its text; otherwise None."""
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
    """Return whether a value is a dict of these fields alone, each with what it may hold."""
    if type(value) is not dict or len(value) != len(fields):
        return False
    for name, each in value.items():
        may_be = fields.get(name)
        if may_be is None or not may_be(each):
            return False
    return True


def _padding(value: Any) -> MayBe | None:
    """Return what padding like a value may be; None if it is none."""
    if type(value) is int:
        return _is_integer
    if type(value) is str and value:
        return _is_string
    return _numbers(value) if type(value) is dict else None


def _numbers(value: Any) -> MayBe | None:
    """Return what may stand for numbers, in an object or not; None if a value is more than that."""
    if type(value) in _NUMBERS:
        return _is_number
    if type(value) is not dict:
        return None
    inner = {name: _numbers(each) for name, each in value.items()}
    fields = {name: may_be for name, may_be in inner.items() if may_be is not None}
    return partial(_are_free, fields) if len(fields) == len(value) else None


def _models(event: Any, levels: Sequence[_Level]) -> list[_Model] | None:
    """Return an event's models on the way to its text; None if not all are such."""
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
        models.append(_Model(type(value), level.step, dict(fields), level.listed, free, beyond))
        value = fields[level.step]
    return models


def _copied(event: dict[str, Any], steps: Sequence[Any]) -> tuple[Any, Any]:
    """Return a copy of an event, and what stands at the end of some steps in it, copied too."""
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
    """Return what later events are compared with.

    None where that is not worth it: for a text in one of several items, or objects beside it.
    `padding` are fields of the event itself, `unknown` are fields of which nothing is known, and
    that hold no text: numbers in them may be others.
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
        same = beside(fields) if beside else None
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
    """Return whether a value is plain JSON, which equals nothing but the same."""
    if type(value) in (list, dict):
        return all(map(_is_plain, value.values() if isinstance(value, dict) else value))
    return type(value) in _SCALARS
