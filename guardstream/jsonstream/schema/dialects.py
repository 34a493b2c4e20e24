"""The drafts of JSON Schema, each read as if it were 2020-12.

A reading of a schema maps the effective keywords, by their names in 2020-12, to their values; the
subschemas in it are the very objects of the schema, so that JSON pointers still lead to them. The
releases of json-schema.org document the changes between drafts; `nullable` and the rest of
"openapi-3.0" are the schema object of OpenAPI 3.0.3.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, TypeAlias

import jsonschema_rs

from guardstream.jsonstream.lexer.errors import json_pointer
from guardstream.jsonstream.schema.errors import SchemaError

SchemaDict: TypeAlias = dict[str, Any]

DYNAMIC = "$recursive"
"""The name of the single dynamic anchor of draft 2019-09, which no `$dynamicAnchor` can have."""

CONTENT = "content"
"""In a reading: what drafts 6 and 7 require of the data inside a string, and later drafts only
annotate."""

ANNOTATIONS = frozenset(
    (
        "$comment",
        "default",
        "deprecated",
        "description",
        "examples",
        "readOnly",
        "title",
        "writeOnly",
    )
)
"""The keywords that decide nothing, in any draft."""

WRITTEN = "integer without a fraction"
"""In a reading: the type that draft 4 calls an integer, which excludes `1.0`."""

_CONTENT = ("contentEncoding", "contentMediaType")
_ONE = frozenset(
    (
        "additionalProperties", "contains", "contentSchema", "else", "if", "items", "not",
        "propertyNames", "then", "unevaluatedItems", "unevaluatedProperties",
    )
)  # fmt: skip
_SEVERAL = frozenset(("allOf", "anyOf", "oneOf", "prefixItems"))
_NAMED = frozenset(("$defs", "definitions", "dependentSchemas", "patternProperties", "properties"))

_OF_4 = frozenset(
    (
        "additionalItems", "additionalProperties", "allOf", "anyOf", "definitions", "dependencies",
        "enum", "exclusiveMaximum", "exclusiveMinimum", "format", "items", "maxItems", "maxLength",
        "maxProperties", "maximum", "minItems", "minLength", "minProperties", "minimum",
        "multipleOf", "not", "oneOf", "pattern", "patternProperties", "properties", "required",
        "type", "uniqueItems", "$ref",
    )
)  # fmt: skip
_OF_6 = _OF_4 | {"const", "contains", "contentEncoding", "contentMediaType", "propertyNames"}
_OF_7 = _OF_6 | {"if", "then", "else"}
_OF_2019 = (_OF_7 - {"contentEncoding", "contentMediaType"}) | {
    "$defs", "$recursiveRef", "contentSchema", "dependentRequired", "dependentSchemas",
    "maxContains", "minContains", "unevaluatedItems", "unevaluatedProperties",
}  # fmt: skip
_OF_2020 = (_OF_2019 - {"additionalItems", "$recursiveRef"}) | {"prefixItems", "$dynamicRef"}
_OF_OPENAPI = (_OF_4 - {"patternProperties", "dependencies", "definitions"}) | {"nullable"}


@dataclass(frozen=True)
class Dialect:
    """One draft: its keywords, and its differences from 2020-12.

    `lonely_ref` says that siblings of a `$ref` are ignored, `id` which keyword identifies a schema,
    `anchor_ids` that an identifier such as `#name` is an anchor. `contains_evaluates` says whether
    an element that `contains` accepts is evaluated, `written` whether integers must be written
    without a fraction. `check` creates jsonschema-rs's validator.
    """

    name: str
    uri: str
    keywords: frozenset[str]
    check: Callable[..., jsonschema_rs.Validator]
    id: str = "$id"
    lonely_ref: bool = False
    anchor_ids: bool = False
    contains_evaluates: bool = False
    written: bool = False

    @property
    def meta(self) -> str:
        """The URI of the metaschema that a schema must be valid for."""
        return self.uri if self.uri.startswith("http") else DRAFT_4.uri

    def read(self, schema: SchemaDict) -> SchemaDict:
        """Return the effective keywords of `schema`, by their names in 2020-12."""
        if self.lonely_ref and "$ref" in schema:
            return {"$ref": schema["$ref"]}
        found = {name: each for name, each in schema.items() if name in self.keywords}
        if "additionalItems" in self.keywords:
            _elements(found)
        if found.get("dependencies"):
            _dependencies(found)
        if isinstance(found.get("exclusiveMinimum"), bool):
            _exclusive(found, "exclusiveMinimum", "minimum")
        if isinstance(found.get("exclusiveMaximum"), bool):
            _exclusive(found, "exclusiveMaximum", "maximum")
        content = {name: found.pop(name) for name in _CONTENT if name in found}
        if content:
            found[CONTENT] = content
        if self.written and "type" in found:
            found["type"] = [WRITTEN if n == "integer" else n for n in listed(found["type"])]
        if found.pop("nullable", None) is True and "type" in found:
            found["type"] = [*listed(found["type"]), "null"]
        return found

    def identifier(self, schema: SchemaDict) -> str | None:
        """Return the identifier of `schema`."""
        if self.lonely_ref and "$ref" in schema:
            return None
        found = schema.get(self.id)
        return found if isinstance(found, str) else None


def _elements(found: SchemaDict) -> None:
    """Translate `items` as an array, and `additionalItems`, which only counts beside it."""
    extra = found.pop("additionalItems", None)
    if isinstance(found.get("items"), list):
        found["prefixItems"] = found.pop("items")
        if extra is not None:
            found["items"] = extra


def _dependencies(found: SchemaDict) -> None:
    dependencies = found.pop("dependencies")
    names = {name: each for name, each in dependencies.items() if isinstance(each, list)}
    schemas = {name: each for name, each in dependencies.items() if not isinstance(each, list)}
    if names:
        found["dependentRequired"] = names | found.get("dependentRequired", {})
    if schemas:
        found["dependentSchemas"] = schemas | found.get("dependentSchemas", {})


def _exclusive(found: SchemaDict, exclusive: str, bound: str) -> None:
    """Translate a boolean that makes the other keyword's bound exclusive."""
    if found.pop(exclusive) and bound in found:
        found[exclusive] = found.pop(bound)


def listed(types: str | list[str]) -> list[str]:
    """Return the operand of `type` as a list."""
    return [types] if isinstance(types, str) else types


_PLACE = "json-schema.org"

DRAFT_4 = Dialect(
    "draft-04", f"http://{_PLACE}/draft-04/schema", _OF_4, jsonschema_rs.Draft4Validator,
    id="id", lonely_ref=True, anchor_ids=True, written=True,
)  # fmt: skip
DRAFT_6 = Dialect(
    "draft-06", f"http://{_PLACE}/draft-06/schema", _OF_6, jsonschema_rs.Draft6Validator,
    lonely_ref=True, anchor_ids=True,
)  # fmt: skip
DRAFT_7 = Dialect(
    "draft-07", f"http://{_PLACE}/draft-07/schema", _OF_7, jsonschema_rs.Draft7Validator,
    lonely_ref=True, anchor_ids=True,
)  # fmt: skip
DRAFT_2019 = Dialect(
    "2019-09", f"https://{_PLACE}/draft/2019-09/schema", _OF_2019,
    jsonschema_rs.Draft201909Validator,
)  # fmt: skip
DRAFT_2020 = Dialect(
    "2020-12", f"https://{_PLACE}/draft/2020-12/schema", _OF_2020,
    jsonschema_rs.Draft202012Validator, contains_evaluates=True,
)  # fmt: skip
OPENAPI = Dialect(
    "openapi-3.0", "openapi-3.0", _OF_OPENAPI, jsonschema_rs.Draft4Validator,
    id="", lonely_ref=True, written=True,
)  # fmt: skip

DIALECTS: Mapping[str, Dialect] = {
    each.name: each for each in (DRAFT_4, DRAFT_6, DRAFT_7, DRAFT_2019, DRAFT_2020, OPENAPI)
}

_uri = re.compile(
    r"(?:https?:)?(?://)?(?:www\.)?json-schema[.-]org/(?:(?:draft[-/])?(0?[4567]|2019-09|2020-12)/)?"
    r"(?:hyper-)?schema(?:\.json)?/?#?/?"
).fullmatch
_openapi = re.compile(
    r"https?://spec\.openapis\.org/oas/3\.[12]/dialect/(?:base|[0-9]{4}-[0-9]{2}-[0-9]{2})#?"
).fullmatch
_vocabulary = re.compile(
    r"https?://json-schema\.org/draft/(2019-09|2020-12)/meta/[a-z-]+"
).fullmatch


def named(uri: str) -> Dialect | None:
    """Return the dialect of a `$schema`, None if it is not one of json-schema.org's.

    A URI without a draft means the latest. `json-schema-org`, `draft-7` and the like are common
    mistakes; draft 5 has the metaschema of draft 4. The dialect of OpenAPI 3.1 and 3.2 is 2020-12
    with annotations of its own (OpenAPI Specification 3.1.1, section 4.8.24).
    """
    if _openapi(uri):
        return DRAFT_2020
    found = _uri(uri)
    if found is None:
        return None
    draft = found[1] or DRAFT_2020.name
    if len(draft) > 2:
        return DIALECTS[draft]
    number = "4" if draft[-1] == "5" else draft[-1]
    return DIALECTS[f"draft-0{number}"]


def vocabulary(uri: str) -> Dialect | None:
    """Return the dialect whose metaschema has the part with this URI, None if there is none."""
    found = _vocabulary(uri)
    return DIALECTS[found[1]] if found else None


def content_keyword(read: SchemaDict) -> str:
    """Return the keyword of the schema behind `CONTENT` in its reading."""
    return next(name for name in reversed(_CONTENT) if name in read[CONTENT])


def declares(schema: SchemaDict) -> bool:
    """Return whether a schema says what dialect it is in."""
    return "$schema" in schema or "openapi" in schema


def declared(schema: SchemaDict, given: str | None) -> Dialect:
    """Return the dialect of a schema: the `given` one, the one that it declares, or 2020-12.

    A document of OpenAPI declares one by its version.
    """
    if given is not None:
        if given not in DIALECTS:
            raise SchemaError(f"/: unknown draft {given!r}; use one of {', '.join(DIALECTS)}")
        return DIALECTS[given]
    uri = schema.get("$schema")
    if uri is None:
        return OPENAPI if str(schema.get("openapi")).startswith("3.0.") else DRAFT_2020
    found = named(uri) if isinstance(uri, str) else None
    if found is None:
        raise SchemaError(
            f"/$schema: {uri!r} is not supported; use {DRAFT_2020.uri!r}, or name the draft"
        )
    return found


def subschemas(schema: SchemaDict) -> Iterator[tuple[str, Any]]:
    """Yield the subschemas directly inside `schema`, in any draft, each with its pointer."""
    for keyword, found in schema.items():
        if keyword in _SEVERAL or (keyword == "items" and isinstance(found, list)):
            if isinstance(found, list):
                yield from ((f"/{keyword}/{index}", sub) for index, sub in enumerate(found))
        elif keyword in _NAMED or keyword == "dependencies":
            if isinstance(found, dict):
                for name, sub in found.items():
                    yield json_pointer((keyword, name)), sub
        elif keyword in _ONE or keyword == "additionalItems":
            yield f"/{keyword}", found


def without_annotations(schema: SchemaDict) -> SchemaDict:
    """Return a copy of `schema` without what decides nothing: annotations, and a `required` of no
    names. All other objects are shared with the copy."""
    plain = deepcopy(schema)
    todo = [plain]
    while todo:
        each = todo.pop()
        for name in ANNOTATIONS & each.keys():
            del each[name]
        if each.get("required") == []:
            del each["required"]
        todo += (sub for _, sub in subschemas(each) if isinstance(sub, dict))
    return plain
