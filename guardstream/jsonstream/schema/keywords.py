"""Keywords of a schema that no draft has, though one of a name like theirs does.

A schema may have keywords of others: validators skip what they do not know. So a slip of the hand
changes what is refused, and nothing says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from guardstream.hints import nearest
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
"""Keywords of other vocabularies, which are not slips."""

_LIKE = 0.8
_SHORTEST = 4
"""Characters of the keywords that others are compared with: `note` is no slip of `not`."""

_COMPARED = sorted(name for name in _DECIDING if len(name) >= _SHORTEST)


class Slip(NamedTuple):
    """A keyword that is probably another: where it stands, as keys, and which one is like it."""

    path: tuple[str | int, ...]
    meant: str


def slips(schema: Any) -> Iterator[Slip]:
    """Yield the keywords in a schema, and in those inside it, that are probably misspelt."""
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
    first, *rest = pointer[1:].split("/")
    yield first
    for part in rest:
        key = part.replace("~1", "/").replace("~0", "~")
        yield int(key) if first in _LISTED and key.isdecimal() else key


_LISTED = ("allOf", "anyOf", "items", "oneOf", "prefixItems")
