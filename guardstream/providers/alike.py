"""Events that differ from the one before in a single text are read by comparing the two.

Nearly every event of a stream is like the last: the same fields, the same values, and a few more
characters. To compare them costs a fraction of what it takes to look at each field.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

from guardstream.framing.padding import is_padding
from guardstream.providers.adapter import NONE, Piece, Reading, Slot
from guardstream.providers.fields import fields_of, plain_model, with_field
from guardstream.providers.paths import Steps, keys

PATIENCE = 16
"""How many events in a row may differ from the one before until no more are compared."""

_SCALARS = (str, int, float, bool, type(None))


class _Level(NamedTuple):
    """An object on the way to the text: the field that leads on, and the fields beside it.

    It has `size` fields, and what `beside` gets of them is `same`; None if there are no others.
    `listed` tells that it is the only item of a list, `padding` are fields that mean nothing and
    are never the same, with what each is: a string or a number.
    """

    step: str
    size: int
    beside: Callable[[Mapping[str, Any]], Any] | None
    same: Any
    listed: bool
    padding: Mapping[str, type[Any]]


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
        """The fields of an event that mean nothing and are never the same."""
        return self._levels[0].padding

    def text(self, event: Any) -> str | None:
        """Return what an event says if it is like this one but for its text; otherwise None."""
        value = event
        for step, size, beside, same, listed, padding in self._levels:
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
                for name, kind in padding.items():
                    pad = fields[name]
                    if type(pad) is not kind or (kind is str and not is_padding(pad)):
                        return None
                value = fields[step]
            except KeyError:
                return None
        return value if type(value) is str and value else None

    def reading(self, text: str) -> Reading:
        """Return what an event means that says `text` alone."""
        pieces = (Piece(self._slot, text, "delta"),)
        return Reading(pieces, self._choices, NONE, False, (), NONE, None, NONE, None, (), True)

    def saying(self, text: str, event: Any) -> Any:
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

    __slots__ = ("_holder", "_last", "_like", "_steps")

    def __init__(
        self, levels: Sequence[_Level], slot: Slot, choices: Sequence[int], event: dict[str, Any]
    ) -> None:
        super().__init__(levels, slot, choices)
        steps = [step for level in levels for step in ((0, level.step)[not level.listed :])]
        *self._steps, self._last = steps
        self._like, self._holder = _copied(event, self._steps)

    def text(self, event: Any) -> str | None:
        """Return what an event says if it is like this one but for its text; otherwise None."""
        if type(event) is not dict:
            return None
        try:
            holder: Any = event
            for step in self._steps:
                holder = holder[step]
            text = holder[self._last]
            for name, kind in self._levels[0].padding.items():
                pad = event[name]
                if type(pad) is not kind or (kind is str and not is_padding(pad)):
                    return None
                self._like[name] = pad
        except (KeyError, IndexError, TypeError):
            return None
        if type(text) is not str or not text:
            return None
        self._holder[self._last] = text
        return text if event == self._like else None

    def saying(self, text: str, event: Any) -> Any:
        """Return an event that is like this one with another text."""
        made, holder = _copied(event, self._steps)
        holder[self._last] = text
        return made


class _Model(NamedTuple):
    """A model on the way to the text, as a _Level is; its fields are compared with `like`.

    `pads` is what padding there is beyond the fields of its class.
    """

    kind: type[Any]
    step: str
    like: dict[str, Any]
    listed: bool
    padding: Sequence[tuple[str, type[Any]]]
    pads: Mapping[str, type[Any]]


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
        for kind, step, like, listed, padding, pads in self._models:
            if listed:
                if type(value) is not list or len(value) != 1:
                    return None
                value = value[0]
            if type(value) is not kind:
                return None
            extra = value.__pydantic_extra__
            if (extra or pads) and not _is_padded(extra or {}, pads):
                return None
            fields = value.__dict__
            try:
                for name, pad in padding:
                    like[name] = given = fields[name]
                    if type(given) is not pad or (pad is str and not is_padding(given)):
                        return None
                like[step] = value = fields[step]
            except KeyError:
                return None
            if fields != like:
                return None
        return value if type(value) is str and value else None


def _is_padded(extra: Mapping[str, Any], pads: Mapping[str, type[Any]]) -> bool:
    """Tell whether a model has that padding, and nothing else, beyond its class's fields."""
    return extra.keys() == pads.keys() and all(
        type(each) is pads[name] and (type(each) is not str or is_padding(each))
        for name, each in extra.items()
    )


def _models(event: Any, levels: Sequence[_Level]) -> list[_Model] | None:
    """Return an event's models on the way to its text; None if not all are such."""
    models = []
    value = event
    for level in levels:
        value = value[0] if level.listed else value
        if not plain_model(value):
            return None
        fields, extra = value.__dict__, value.__pydantic_extra__ or {}
        if level.step in extra or not extra.keys() <= level.padding.keys():
            return None
        padding = tuple((name, kind) for name, kind in level.padding.items() if name in fields)
        pads = {name: kind for name, kind in level.padding.items() if name not in fields}
        models.append(_Model(type(value), level.step, dict(fields), level.listed, padding, pads))
        value = fields[level.step]
    return models


def _copied(event: dict[str, Any], steps: Sequence[Any]) -> tuple[Any, Any]:
    """Return a copy of an event, and what stands at the end of some steps in it, copied too."""
    made = holder = event.copy()
    for step in steps:
        holder[step] = holder = holder[step].copy()
    return made, holder


def alike(
    event: Any, steps: Steps, slot: Slot, choices: Sequence[int], padding: frozenset[str]
) -> Alike | None:
    """Return what later events are compared with.

    None where that is not worth it: for a text in one of several items, or objects beside it.
    `padding` are fields of the event itself.
    """
    levels: list[_Level] = []
    value = event
    listed = False
    for step in keys(steps):
        if isinstance(step, int):
            if listed or type(value) is not list or len(value) != 1:
                return None
            value, listed = value[0], True
            continue
        fields = fields_of(value)
        padded = {
            name: type(fields[name])
            for name in (padding.intersection(fields) if value is event else ())
            if type(fields[name]) in (str, int)
        }
        names = [name for name in fields if name not in padded and name != step]
        if not all(_is_plain(fields[name]) for name in names):
            return None
        beside = itemgetter(*names) if names else None
        same = beside(fields) if beside else None
        levels.append(_Level(step, len(fields), beside, same, listed, padded))
        value, listed = fields[step], False
    if listed:
        return None
    if _is_plain(event):
        return AlikeDicts(levels, slot, choices, event)
    models = _models(event, levels)
    if models is not None:
        return AlikeModels(levels, slot, choices, models)
    return Alike(levels, slot, choices)


def _is_plain(value: Any) -> bool:
    """Tell whether a value is plain JSON, which equals nothing but the same."""
    if type(value) in (list, dict):
        return all(map(_is_plain, value.values() if isinstance(value, dict) else value))
    return type(value) in _SCALARS
