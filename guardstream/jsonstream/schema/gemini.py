"""Gemini's schemas, read as JSON Schemas.

They are a subset of OpenAPI 3.0 with types in capitals, 64-bit counts that may be strings, and
names that the Python packages write with underscores: https://ai.google.dev/api/caching#Schema and
https://cloud.google.com/vertex-ai/docs/reference/rest/v1/Schema.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

from guardstream.jsonstream.schema.dialects import SchemaDict, subschemas

_TYPES = frozenset({"STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT", "NULL"})
_UNSPECIFIED = "TYPE_UNSPECIFIED"

_NAMES = {
    "any_of": "anyOf",
    "prefix_items": "prefixItems",
    "additional_properties": "additionalProperties",
    "defs": "$defs",
    "ref": "$ref",
    **{f"{bound}_{of.lower()}": f"{bound}{of}" for bound in ("min", "max") for of in
       ("Items", "Length", "Properties")},
}  # fmt: skip
"""Keywords by their names with underscores."""

_COUNTS = frozenset(name for name in _NAMES.values() if name.startswith(("min", "max")))


_NULL = {"type": "null"}


def is_gemini(schema: Mapping[str, Any]) -> bool:
    """Return whether a schema has types in capitals, which no JSON Schema has."""
    return any(_capital(each.get("type")) for each in _schemas(_renamed(schema)))


def as_json_schema(schema: Mapping[str, Any]) -> SchemaDict:
    """Return a Gemini schema as one of 2020-12."""
    made = _renamed(deepcopy(dict(schema)))
    for each in _schemas(made):
        if each.get("type") == _UNSPECIFIED:
            del each["type"]
        elif _capital(each.get("type")):
            each["type"] = each["type"].lower()
        for name in _COUNTS & each.keys():
            each[name] = _count(each[name])
        if each.pop("nullable", None) is True:
            _allow_null(each)
    return made


def _renamed(schema: Mapping[str, Any]) -> SchemaDict:
    """Return a schema with the original names of its keywords."""
    made = {_NAMES.get(name, name): value for name, value in schema.items()}
    for name in ("properties", "$defs"):
        if isinstance(named := made.get(name), Mapping):
            made[name] = {key: _inside(value) for key, value in named.items()}
    for name in ("anyOf", "prefixItems"):
        if isinstance(listed := made.get(name), list):
            made[name] = [_inside(value) for value in listed]
    for name in ("items", "additionalProperties"):
        if name in made:
            made[name] = _inside(made[name])
    return made


def _inside(schema: Any) -> Any:
    return _renamed(schema) if isinstance(schema, Mapping) else schema


def _schemas(schema: SchemaDict) -> Iterator[SchemaDict]:
    """Yield a schema and all schemas in it."""
    todo = [schema]
    while todo:
        each = todo.pop()
        yield each
        todo += [inner for _, inner in subschemas(each) if isinstance(inner, dict)]


def _capital(kind: Any) -> bool:
    return isinstance(kind, str) and (kind in _TYPES or kind == _UNSPECIFIED)


def _count(value: Any) -> Any:
    return int(value) if isinstance(value, str) and value.isdecimal() else value


def _allow_null(schema: SchemaDict) -> None:
    if "$ref" in schema:  # the target may refuse null
        inner = dict(schema)
        schema.clear()
        schema["anyOf"] = [inner, _NULL]
        return
    kind = schema.get("type")
    if kind not in (None, "null"):
        schema["type"] = [kind, "null"]
    if isinstance(schema.get("enum"), list):
        schema["enum"] = [*schema["enum"], None]
    if isinstance(schema.get("anyOf"), list):
        schema["anyOf"] = [*schema["anyOf"], _NULL]
