"""Complete values as their declared types, which pydantic makes of them."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Annotated, Any, get_origin

from pydantic import (
    ConfigDict,
    PydanticSchemaGenerationError,
    PydanticUserError,
    TypeAdapter,
    ValidationError,
)
from pydantic_core import SchemaError

from guardstream.extract._types import branches

# A type that is only usable with its model's configuration, such as a pattern, raises SchemaError.
REFUSALS = (
    ValidationError,
    TypeError,
    PydanticUserError,
    PydanticSchemaGenerationError,
    SchemaError,
)

_PLAIN = frozenset({str, int, float, bool})

_MOST_TYPES = 1_024
_types: dict[int, tuple[Any, TypeAdapter[Any]]] = {}
"""Types and their adapters, by the identities of the types. The type is there to stay alive."""

_lists: dict[tuple[int, int], tuple[Any, ConfigDict | None, TypeAdapter[Any]]] = {}
"""Types, configurations and the adapters for lists of the types, by the identities of both."""


def adapter(declared: Any) -> TypeAdapter[Any]:
    """Return the adapter for a declared type; TypeError if it cannot be hashed."""
    known = _types.get(id(declared))
    if known is None:
        if len(_types) >= _MOST_TYPES:
            _types.clear()
        known = _types[id(declared)] = declared, _adapter(declared, repr(declared))
    return known[1]


@lru_cache(maxsize=_MOST_TYPES)
def _adapter(declared: Any, written: str) -> TypeAdapter[Any]:
    """Return the adapter of a type. `written` distinguishes unions of the same types in another
    order: they are equal, but pydantic tries the types in order."""
    del written
    return TypeAdapter(declared)


def typed_scalar(plain: Any, declared: Any, written: str | None = None) -> Any:
    """Return a complete scalar as its declared type; `plain` if the type rejects it. `written` is a
    number as the text has it."""
    kinds = branches(declared)
    # In a union with a type such as `date`, or in the mode "left_to_right", pydantic may prefer
    # another type.
    smart = len(kinds) == 1 or get_origin(declared) is not Annotated
    if declared is Any or (type(plain) in kinds and smart and _PLAIN.issuperset(kinds)):
        return plain
    try:
        return adapter(declared).validate_json(written or json.dumps(plain))
    except REFUSALS:
        return plain


def typed(value: Any, declared: Any) -> Any:
    """Return a complete value as the declared type; unchanged if the type rejects it."""
    if declared is Any or not isinstance(value, str | int | float | dict | list | None):
        return value
    try:
        known = adapter(declared)
        try:
            written = json.dumps(value)
        except TypeError:  # something in it has its type already
            return known.validate_python(value)
        # From JSON a strict type accepts more: a text for a date, an array for a set.
        return known.validate_json(written)
    except REFUSALS:
        return value


def kept(plain: Any, declared: Any, config: ConfigDict | None) -> list[Any]:
    """Return a list of a complete value as its declared type; an empty list if the value is
    omitted, or can only be validated with the whole.

    `config` is that of the class around it, which may be strict.
    """
    try:
        written = json.dumps([plain])
    except TypeError:  # something in it has its type already
        return [plain]
    try:
        found: list[Any] = _list_of(declared, config).validate_json(written)
    except REFUSALS:
        return []
    return found


def _list_of(declared: Any, config: ConfigDict | None) -> TypeAdapter[Any]:
    known = _lists.get((id(declared), id(config)))
    if known is None:
        if len(_lists) >= _MOST_TYPES:
            _lists.clear()
        made = TypeAdapter(list[declared], config=config)
        known = _lists[id(declared), id(config)] = declared, config, made
    return known[2]
