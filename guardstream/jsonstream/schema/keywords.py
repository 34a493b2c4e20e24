"""Finds misspelt keywords of a schema: unknown ones that resemble a keyword of a draft.

A schema may have other vocabularies' keywords, and validators ignore unknown ones. So a typo
silently changes what is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from guardstream.hints import nearest
from guardstream.jsonstream.lexer.errors import pointer_parts
from guardstream.jsonstream.schema.dialects import ANNOTATIONS, DIALECTS, subschemas

_DECIDING = frozenset(name for dialect in DIALECTS.values() for name in dialect.keywords)
_DECIDING |= {"$schema", "$id", "$anchor", "$dynamicAnchor"}
_KNOWN = _DECIDING | ANNOTATIONS | {"id", "$recursiveAnchor", "$vocabulary"}

_OF_OTHERS = frozenset(
    (
        # OpenAPI 3.0.3 and 3.1.1, "Schema Object"
        "discriminator", "example", "externalDocs", "xml",
        # editors: https://code.visualstudio.com/docs/languages/json
        "comment", "defaultSnippets", "deprecationMessage", "enumDescriptions", "enumNames",
        "errorMessage", "markdownDescription", "patternErrorMessage",
        # models' APIs, such as Gemini's
        "propertyOrdering", "propertyOrder", "strict",
        # ajv's: https://ajv.js.org/packages/ajv-keywords.html
        "allRequired", "anyRequired", "deepProperties", "deepRequired", "dynamicDefaults",
        "exclusiveRange", "instanceof", "oneRequired", "patternRequired", "range", "regexp",
        "select", "selectCases", "selectDefault", "transform", "typeof", "uniqueItemProperties",
    )
)  # fmt: skip
"""Keywords of other vocabularies, which are not typos."""

_LIKE = 0.8
_SHORTEST = 4
"""The minimum length of keywords that others are compared with: `note` is not a typo of `not`."""

_COMPARED = sorted(name for name in _DECIDING if len(name) >= _SHORTEST)


class Slip(NamedTuple):
    """A keyword that is probably a typo: its path, and the keyword that it resembles."""

    path: tuple[str | int, ...]
    meant: str


def slips(schema: Any) -> Iterator[Slip]:
    """Yield the keywords in a schema, and in its subschemas, that are probably misspelt."""
    todo: list[tuple[tuple[str | int, ...], Any]] = [((), schema)]
    while todo:
        path, each = todo.pop()
        if not isinstance(each, dict):
            continue
        for name in each:
            if name in _KNOWN or name in _OF_OTHERS or name.lower().startswith("x-"):
                continue
            meant = nearest(name, _COMPARED, _LIKE)
            if meant is not None:
                yield Slip((*path, name), meant)
        todo += (((*path, *_keys(pointer)), sub) for pointer, sub in subschemas(each))


def _keys(pointer: str) -> Iterator[str | int]:
    first, *rest = pointer_parts(pointer)
    yield first
    for key in rest:
        yield int(key) if first in _LISTED and key.isdecimal() else key


_LISTED = ("allOf", "anyOf", "items", "oneOf", "prefixItems")
