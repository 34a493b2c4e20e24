"""What marks a value: its kind, its fields, what some of them say, the module of its class.

A mark is a function of a value and its fields. Marks are made of data, so that a format is told by
an entry of `first.yaml`, and its module is imported only once it is chosen.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Mapping, Sequence, Set
from typing import Any, TypeAlias

from guardstream.formats.detection import is_chat, shapes
from guardstream.formats.toolkit.fields import BYTES, fields_of
from guardstream.formats.toolkit.protobuf import is_message

Mark: TypeAlias = Callable[[Any, Mapping[str, Any]], bool]
"""Returns whether a value is marked so, given the value and its fields."""

_KINDS: Mapping[str, Mark] = {
    "chat": is_chat,
    "text": lambda value, _: isinstance(value, str),
    "dict": lambda value, _: isinstance(value, dict),
    "object": lambda value, _: not isinstance(value, (str, bytes, dict)),
    "list": lambda value, _: isinstance(value, list),
    "flag": lambda value, _: isinstance(value, bool),
    "number": lambda value, _: isinstance(value, int),
    "data": lambda value, _: isinstance(value, (str, *BYTES)),
    "given": lambda value, _: value is not None,
    "missing": lambda value, _: value is None,
    "single": lambda _, fields: len(fields) == 1,
}
"""Kinds of values; those of single formats are functions of `shapes`."""


def mark_of(said: Any, names: Callable[[], Set[str]]) -> Mark:
    """Return the mark that an entry describes; `names` returns those of the format's own file.

    Conditions are asked in the entry's order.
    """
    if said == "$names":
        return lambda value, _: isinstance(value, str) and value in names()
    if isinstance(said, (str, list)):
        known = frozenset([said] if isinstance(said, str) else said)
        return lambda value, _: isinstance(value, str) and value in known
    return _all([_condition(name, value, names) for name, value in said.items()])


def _condition(name: str, said: Any, names: Callable[[], Set[str]]) -> Mark:
    if name in _OF_NAMES:
        return _OF_NAMES[name](names if said == "$names" else _constant(said))
    if name == "$count":
        return lambda value, _: isinstance(value, list) and len(value) == said
    if name in _OF_MARKS:
        inner = [mark_of(each, names) for each in (said if isinstance(said, list) else [said])]
        return _OF_MARKS[name](inner)
    inside = mark_of(said, names)

    def mark(_: Any, fields: Mapping[str, Any]) -> bool:
        value = fields.get(name)
        return inside(value, fields_of(value))

    return mark


def _constant(said: str | Sequence[str]) -> Callable[[], frozenset[str]]:
    known = frozenset([said] if isinstance(said, str) else said)
    return lambda: known


def _all(marks: Sequence[Mark]) -> Mark:
    return lambda value, fields: all(mark(value, fields) for mark in marks)


def _not(marks: Sequence[Mark]) -> Mark:
    return lambda value, fields: not all(mark(value, fields) for mark in marks)


def _any(marks: Sequence[Mark]) -> Mark:
    return lambda value, fields: any(mark(value, fields) for mark in marks)


def _items(first: int | None) -> Callable[[Sequence[Mark]], Mark]:
    """Return what marks a list by its items, up to the `first` ones."""

    def of(marks: Sequence[Mark]) -> Mark:
        (inner,) = marks
        return lambda value, _: (
            isinstance(value, list)
            and bool(value)
            and all(inner(each, fields_of(each)) for each in value[:first])
        )

    return of


def _kinds(names: Callable[[], Set[str]]) -> Mark:
    own = (_KINDS[each] if each in _KINDS else getattr(shapes, f"is_{each}") for each in names())
    return _all([*own])


def _of(names: Callable[[], Set[str]]) -> Mark:
    return lambda value, _: is_of(value, names())


_OF_NAMES: Mapping[str, Callable[[Callable[[], Set[str]]], Mark]] = {
    "$is": _kinds,
    "$has": lambda names: lambda _, fields: fields.keys() >= names(),
    "$some": lambda names: lambda _, fields: not fields.keys().isdisjoint(names()),
    "$lacks": lambda names: lambda _, fields: fields.keys().isdisjoint(names()),
    "$only": lambda names: lambda _, fields: fields.keys() == names(),
    "$within": lambda names: lambda _, fields: fields.keys() <= names(),
    "$ends": lambda names: lambda value, _: str(value).rpartition(".")[2] in names(),
    "$begins": lambda names: (
        lambda value, _: isinstance(value, str) and value.startswith((*names(),))
    ),
    "$of": _of,
    "$class": lambda names: lambda value, _: type(value).__name__ in names(),
}

_OF_MARKS: Mapping[str, Callable[[Sequence[Mark]], Mark]] = {
    "$all": _all,
    "$any": _any,
    "$not": _not,
    "$each": _items(None),
    "$first": _items(1),
}


def is_of(value: Any, packages: Collection[str]) -> bool:
    """Return whether a value is a model or a message whose class is of one of these packages."""
    return (_is_model(value) or is_message(value)) and bool(module_of(value, packages))


def module_of(value: Any, packages: Collection[str]) -> str:
    """Return the module of one of these packages that has an object's class or one of its bases.

    It is "" if there is none.
    """
    modules = (base.__module__ or "" for base in type(value).__mro__)
    return next((name for name in modules if name.partition(".")[0] in packages), "")


def _is_model(value: Any) -> bool:
    """Return whether a value is a model of pydantic, which need not be imported for this."""
    base = getattr(sys.modules.get("pydantic"), "BaseModel", None)
    return base is not None and isinstance(value, base)
