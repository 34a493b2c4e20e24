"""A schema that a document can be checked against while it arrives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jsonschema_rs

from guardstream.jsonstream.schema.compile import Compiler, validator
from guardstream.jsonstream.schema.errors import SchemaError
from guardstream.jsonstream.schema.nodes import ANY, NEVER, Node
from guardstream.jsonstream.schema.refs import DRAFT

#: A verdict on a whole value: the keyword that refuses it and the path to where, or None.
Verdict = tuple[str, list[str | int]] | None


class Schema:
    """A JSON Schema of draft 2020-12, compiled once and shared by any number of documents.

    Raises SchemaError for what is no schema of that draft, refers to something outside it, or has
    a pattern that cannot run in linear time.
    """

    def __init__(self, schema: Mapping[str, Any] | bool) -> None:
        plain = schema if isinstance(schema, bool) else dict(schema)
        if isinstance(plain, dict) and str(plain.get("$schema", DRAFT)).rstrip("#") != DRAFT:
            raise SchemaError(f"/$schema: {plain['$schema']!r} is not supported; use {DRAFT!r}")
        self._validator = validator(plain)
        if isinstance(plain, bool):
            self._node = ANY if plain else NEVER
        else:
            self._node = Compiler(plain).compile()

    @property
    def reads_source(self) -> bool:
        """Whether judges and verdict read the text: a JSON Schema's read only the value."""
        return False

    @property
    def node(self) -> Node:
        """The node of the root, for a walker."""
        return self._node

    def verdict(self, value: Any, _text: str) -> Verdict:
        """The last word on a whole document, from which `value` was built."""
        if self._validator.is_valid(value):
            return None
        error = next(self._validator.iter_errors(value))
        return _keyword(error), list(error.instance_path)


def _keyword(error: jsonschema_rs.ValidationError) -> str:
    path = [part for part in error.schema_path if isinstance(part, str)]
    return path[-1] if path else "false"
