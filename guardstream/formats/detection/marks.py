"""What marks a chunk: its type, its keys, the values of some, the module of its class.

A mark is a function of a chunk and its fields. Marks are made of data, so that a format is told
apart by a row of a table, and its module is imported only once it is chosen.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeAlias

from guardstream.formats.toolkit.fields import fields_of
from guardstream.formats.toolkit.protobuf import is_message

Mark: TypeAlias = Callable[[Any, Mapping[str, Any]], bool]
"""Returns whether a chunk is marked so, given the chunk and its fields."""


def is_text(chunk: Any, _fields: Mapping[str, Any]) -> bool:
    """Return whether a chunk is text."""
    return isinstance(chunk, str)


def is_dict(chunk: Any, _fields: Mapping[str, Any]) -> bool:
    """Return whether a chunk is a dict."""
    return isinstance(chunk, dict)


def is_object(chunk: Any, _fields: Mapping[str, Any]) -> bool:
    """Return whether a chunk is neither a dict nor text nor bytes."""
    return not isinstance(chunk, (str, bytes, dict))


def has(*names: str) -> Mark:
    """Mark chunks with all of these fields."""
    wanted = frozenset(names)
    return lambda _, fields: wanted <= fields.keys()


def some(*names: str) -> Mark:
    """Mark chunks with at least one of these fields."""
    wanted = frozenset(names)
    return lambda _, fields: not wanted.isdisjoint(fields)


def lacks(*names: str) -> Mark:
    """Mark chunks with none of these fields."""
    refused = frozenset(names)
    return lambda _, fields: refused.isdisjoint(fields)


def only(*names: str) -> Mark:
    """Mark chunks with these fields and no others."""
    wanted = frozenset(names)
    return lambda _, fields: fields.keys() == wanted


def within(*names: str) -> Mark:
    """Mark chunks with no other fields than these."""
    known = frozenset(names)
    return lambda _, fields: fields.keys() <= known


def given(name: str) -> Mark:
    """Mark chunks whose field has a value, not None."""
    return lambda _, fields: fields.get(name) is not None


def single(_chunk: Any, fields: Mapping[str, Any]) -> bool:
    """Return whether a chunk has one field."""
    return len(fields) == 1


def says(name: str, values: Collection[str]) -> Mark:
    """Mark chunks whose field says one of these texts."""
    known = frozenset(values)

    def mark(_: Any, fields: Mapping[str, Any]) -> bool:
        value = fields.get(name)
        return isinstance(value, str) and value in known

    return mark


def ends(name: str, values: Collection[str]) -> Mark:
    """Mark chunks whose field says a dotted name that ends with one of these."""
    known = frozenset(values)
    return lambda _, fields: str(fields.get(name)).rpartition(".")[2] in known


def begins(name: str, *prefixes: str) -> Mark:
    """Mark chunks whose field is a text that begins so."""

    def mark(_: Any, fields: Mapping[str, Any]) -> bool:
        value = fields.get(name)
        return isinstance(value, str) and value.startswith(prefixes)

    return mark


def is_a(name: str, *kinds: type) -> Mark:
    """Mark chunks whose field is of one of these types."""
    return lambda _, fields: isinstance(fields.get(name), kinds)


def holds(name: str, *marks: Mark) -> Mark:
    """Mark chunks whose field is a chunk with all of these marks."""
    return lambda _, fields: is_marked(marks, fields.get(name))


def each(name: str, *marks: Mark) -> Mark:
    """Mark chunks whose field is a list of chunks, at least one, with all of these marks."""

    def mark(_: Any, fields: Mapping[str, Any]) -> bool:
        items = fields.get(name)
        return isinstance(items, list) and bool(items) and all(is_marked(marks, i) for i in items)

    return mark


def first(name: str, *marks: Mark) -> Mark:
    """Mark chunks whose field is a list, the first item of which has all of these marks."""

    def mark(_: Any, fields: Mapping[str, Any]) -> bool:
        items = fields.get(name)
        return isinstance(items, list) and bool(items) and is_marked(marks, items[0])

    return mark


def counts(name: str, length: int) -> Mark:
    """Mark chunks whose field is a list of so many items."""

    def mark(_: Any, fields: Mapping[str, Any]) -> bool:
        items = fields.get(name)
        return isinstance(items, list) and len(items) == length

    return mark


def lacking(mark: Mark) -> Mark:
    """Mark chunks without a mark."""
    return lambda chunk, fields: not mark(chunk, fields)


def either(*marks: Mark) -> Mark:
    """Mark chunks with at least one of these marks."""
    return lambda chunk, fields: any(mark(chunk, fields) for mark in marks)


def together(*marks: Mark) -> Mark:
    """Mark chunks with all of these marks."""
    return lambda chunk, fields: all(mark(chunk, fields) for mark in marks)


def of(*packages: str) -> Mark:
    """Mark models and messages of these packages, by the modules of their classes."""
    return lambda chunk, _: is_of(chunk, packages)


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


def is_marked(marks: Collection[Mark], chunk: Any) -> bool:
    """Return whether a chunk has all of these marks."""
    fields = fields_of(chunk)
    return all(mark(chunk, fields) for mark in marks)
