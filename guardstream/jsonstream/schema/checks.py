"""Checks of one keyword on one value: patterns, formats, numbers, and lists of values.

jsonschema-rs decides formats and the remainder of a division; the rest is decided here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from typing import Any, TypeAlias

import jsonschema_rs

from guardstream.hints import hint
from guardstream.jsonstream.lexer.errors import json_pointer
from guardstream.jsonstream.schema import nodes as n
from guardstream.jsonstream.schema import patterns
from guardstream.jsonstream.schema.dialects import (
    ANNOTATIONS,
    CONTENT,
    DRAFT_4,
    DRAFT_7,
    Dialect,
    SchemaDict,
    declared,
    declares,
    without_annotations,
)
from guardstream.jsonstream.schema.errors import SchemaError

Check: TypeAlias = Callable[[Any], bool]

_OPTIONS = jsonschema_rs.RegexOptions()
_ERRORS = (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError, TypeError)


class KeywordChecks:
    """Returns the check for a keyword and its operand, the same one each time."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._known: dict[Any, Check] = {}
        self._kept: list[Any] = []  # keeps objects alive, so that no identity below is reused

    def __call__(self, keyword: str, operand: Any) -> Check:
        """Return the check. Raises SchemaError for what cannot be checked."""
        plain = isinstance(operand, str | int | float) and not isinstance(operand, bool)
        key = keyword, operand if plain and keyword != "const" else id(operand)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._made(keyword, operand)
            self._kept.append(operand)
        return found

    def _made(self, keyword: str, operand: Any) -> Check:
        if keyword in ("enum", "const"):
            values = operand if keyword == "enum" else [operand]
            allowed = {n.canonical(value) for value in values}
            return lambda value: n.canonical(value) in allowed
        bound = _BOUNDS.get(keyword)
        if bound:
            return bound(operand)
        if keyword == "pattern":
            return patterns.check(operand)
        schema = operand if keyword == CONTENT else {keyword: operand}
        return validator(schema, self._dialect, formats=keyword == "format").is_valid


def validator(
    schema: SchemaDict | bool,
    dialect: Dialect,
    documents: Mapping[str, SchemaDict | bool] | None = None,
    *,
    formats: bool = False,
    base: str | None = None,
) -> jsonschema_rs.Validator:
    """Return the jsonschema-rs validator of `schema`, whose references may lead into
    `documents`."""
    try:
        # References beyond the known documents are never fetched.
        registry = (
            jsonschema_rs.Registry(list(documents.items()), retriever=_nowhere)
            if documents
            else None
        )
        return dialect.check(
            schema,
            pattern_options=_OPTIONS,
            registry=registry,
            validate_formats=formats,
            base_uri=base,
            offline=True,
        )
    except _ERRORS as error:
        raise SchemaError(_complaint(error)) from error


def _nowhere(address: str) -> None:
    raise ValueError(f"{address!r} was not given")


def draft_of(schema: SchemaDict, given: str | None) -> Dialect:
    """Return the dialect of a schema, and check the schema's shape.

    A schema that declares no draft and is invalid in 2020-12 is read as the first of draft-07 and
    draft-04 that allows it: `items` as an array and `exclusiveMinimum: true` come from these.
    """
    dialect = declared(schema, given)
    try:
        check_shape(schema, dialect)
    except SchemaError as error:
        if given is not None or declares(schema):
            raise
        mistakes = []
        for older in (DRAFT_7, DRAFT_4):
            try:
                check_shape(schema, older)
            except SchemaError as found:
                mistakes.append(str(found))
            else:
                return older
        complaints = _complaints(schema, dialect)
        for mistake in reversed(mistakes):
            if mistake in complaints:  # the first may only say that it is of an older draft
                raise SchemaError(mistake) from error
        raise
    return dialect


def _complaints(schema: SchemaDict, dialect: Dialect) -> list[str]:
    with suppress(*_ERRORS):
        return [_complaint(error) for error in _metaschema(dialect).iter_errors(schema)]
    return []


def check_shape(schema: SchemaDict, dialect: Dialect) -> None:
    """Raise SchemaError for what the draft's metaschema does not allow, except in annotations. In
    draft 4, `required` may be empty, too, as generators write it."""
    try:
        _metaschema(dialect).validate(schema)
    except _ERRORS as error:
        path = getattr(error, "instance_path", ())
        if not _DECIDING_NOTHING.isdisjoint(map(str, path)):
            plain = without_annotations(schema)
            if plain != schema:
                return check_shape(plain, dialect)
        raise SchemaError(_complaint(error)) from error


@cache
def _metaschema(dialect: Dialect) -> jsonschema_rs.Validator:
    # Formats are left out: schema generators write references with characters that are invalid in
    # URIs, and whether a pattern can run is checked for each one.
    return dialect.check({"$ref": dialect.meta}, validate_formats=False, offline=True)


def is_integer(value: float) -> bool:
    """Return whether a number has no fraction, which makes it an integer in JSON Schema."""
    return isinstance(value, int) or value.is_integer()


def _complaint(error: Exception) -> str:
    first = str(error).partition("\n")[0]
    path = getattr(error, "instance_path", ())
    name = getattr(error, "instance", None)
    if path and path[-1] == "type" and isinstance(name, str):
        near = name.lower() if name.lower() in _TYPES else name
        first = f"unknown type {name!r}: {hint(near, _TYPES, 'the types are')}"
    if len(first) > _LONGEST:  # its beginning says what is wrong, its end what is right
        first = f"{first[:_BEGINNING]} … {first[_BEGINNING - _LONGEST :]}"
    return f"{json_pointer(path) or '/'}: not a valid schema: {first}"


_DECIDING_NOTHING = ANNOTATIONS | {"required"}
_BEGINNING, _LONGEST = 80, 240  # code points of an error message
_TYPES = ("array", "boolean", "integer", "null", "number", "object", "string")


_BOUNDS: dict[str, Callable[[Any], Check]] = {
    "minimum": lambda bound: lambda value: bool(value >= bound),
    "maximum": lambda bound: lambda value: bool(value <= bound),
    "exclusiveMinimum": lambda bound: lambda value: bool(value > bound),
    "exclusiveMaximum": lambda bound: lambda value: bool(value < bound),
}
"""Python compares integers and floats exactly, and has infinity."""

NUMERIC = (*_BOUNDS, "multipleOf")
"""The keywords about numbers."""
