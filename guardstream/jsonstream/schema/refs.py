"""Where the references of a JSON Schema lead: identifiers, anchors and pointers in one document.

Only what the schema itself contains can be referred to; everything else is refused when loaded, so
that nothing is fetched while a stream runs. JSON Schema draft 2020-12 core, sections 8.2 and 9.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from urllib.parse import unquote, urldefrag, urljoin

from guardstream.jsonstream.schema.errors import SchemaError

Schema: TypeAlias = dict[str, Any]

DRAFT = "https://json-schema.org/draft/2020-12/schema"
ROOT = "urn:guardstream:schema"  # the base of a schema that has no `$id`

ONE = (
    "additionalProperties", "contains", "contentSchema", "else", "if", "items", "not",
    "propertyNames", "then", "unevaluatedItems", "unevaluatedProperties",
)  # fmt: skip
SEVERAL = ("allOf", "anyOf", "oneOf", "prefixItems")
NAMED = ("$defs", "definitions", "dependentSchemas", "patternProperties", "properties")


def subschemas(schema: Schema) -> Iterator[tuple[str, Any]]:
    """The schemas directly inside `schema`, each with its pointer from there."""
    for keyword in ONE:
        if keyword in schema:
            yield f"/{keyword}", schema[keyword]
    for keyword in SEVERAL:
        if isinstance(schema.get(keyword), list):
            for index, sub in enumerate(schema[keyword]):
                yield f"/{keyword}/{index}", sub
    for keyword in NAMED:
        if isinstance(schema.get(keyword), dict):
            for name, sub in schema[keyword].items():
                escaped = name.replace("~", "~0").replace("/", "~1")
                yield f"/{keyword}/{escaped}", sub


@dataclass
class Reach:
    """Which members and elements the schemas that hold for one object or array may evaluate.

    `names` and `patterns` are those that are named, `items` the number of leading elements;
    `any_name` and `any_item` say that it may be any.
    """

    names: set[str] = field(default_factory=set)
    patterns: set[str] = field(default_factory=set)
    items: int = 0
    any_name: bool = False
    any_item: bool = False


class References:
    """The schemas of one document by address. `pointer_of` and `foreign` take a schema of it."""

    def __init__(self, root: Schema) -> None:
        self._resources: dict[str, Schema] = {}
        self._anchors: dict[str, Schema] = {}
        self._dynamic: dict[str, list[Schema]] = {}
        self._bases: dict[int, str] = {}
        self._pointers: dict[int, str] = {}
        self._foreign: set[int] = set()
        self._schemas: list[Schema] = []
        self._add(root, ROOT, "")
        self._resources.setdefault(ROOT, root)

    def pointer_of(self, schema: Schema) -> str:
        """The JSON pointer of `schema` from the document's root."""
        return self._pointers[id(schema)]

    def foreign(self, schema: Schema) -> bool:
        """Whether `schema` belongs to a part written in another draft or vocabulary."""
        return id(schema) in self._foreign

    def resolve(self, schema: Schema, reference: str) -> Schema | bool | None:
        """The schema that `reference`, standing in `schema`, means; None for the metaschema."""
        address = urljoin(self._bases[id(schema)], reference)
        if not reference.startswith("#") and reference in self._resources:
            address = reference  # urljoin knows no `urn:`
        elif reference.startswith("#"):
            address = urldefrag(self._bases[id(schema)]).url + reference
        uri, fragment = urldefrag(address)
        if uri.startswith("https://json-schema.org/draft/") and uri not in self._resources:
            return None
        if fragment and not fragment.startswith("/"):
            found: Any = self._anchors.get(f"{uri}#{fragment}")
        else:
            found = self._at(uri, unquote(fragment))
        if not isinstance(found, dict | bool):
            place = self._pointers[id(schema)] or "/"
            raise SchemaError(
                f"{place}: reference {reference!r} leads nowhere in this schema; "
                "put what it refers to under '$defs'"
            )
        return found

    def resolve_dynamic(self, schema: Schema, reference: str) -> Schema | bool | None:
        """As `resolve`, or None where the answer depends on how the schema was reached."""
        name = urldefrag(reference).fragment
        candidates = self._dynamic.get(name, [])
        found = self.resolve(schema, reference)
        if not candidates or all(each is not found for each in candidates):
            return found  # no dynamic anchor there: it acts as `$ref`
        return found if len(candidates) == 1 else None

    def reach(self, schema: Schema) -> Reach:
        """What `unevaluatedProperties` and `unevaluatedItems` in `schema` must leave out."""
        reach = Reach()
        self._extend(reach, schema, set())
        return reach

    def _extend(self, reach: Reach, schema: Any, seen: set[int]) -> None:
        if not isinstance(schema, dict) or id(schema) in seen:
            return
        reach.names |= set(schema.get("properties", ()))
        reach.patterns |= set(schema.get("patternProperties", ()))
        reach.items = max(reach.items, len(schema.get("prefixItems", ())))
        reach.any_name |= "additionalProperties" in schema or self.foreign(schema)
        reach.any_item |= "items" in schema or "contains" in schema or self.foreign(schema)
        if seen:
            reach.any_name |= "unevaluatedProperties" in schema
            reach.any_item |= "unevaluatedItems" in schema
        seen.add(id(schema))
        if "$ref" in schema:
            self._extend(reach, self.resolve(schema, schema["$ref"]), seen)
        if "$dynamicRef" in schema:
            target = self.resolve_dynamic(schema, schema["$dynamicRef"])
            reach.any_name |= target is None
            reach.any_item |= target is None
            self._extend(reach, target, seen)
        for keyword in ("allOf", "anyOf", "oneOf"):
            for each in schema.get(keyword, ()):
                self._extend(reach, each, seen)
        for keyword in ("if", "then", "else"):
            self._extend(reach, schema.get(keyword), seen)
        for each in schema.get("dependentSchemas", {}).values():
            self._extend(reach, each, seen)

    def dynamic(self) -> bool:
        """Whether some `$dynamicRef` leads to different places, by how it was reached."""
        return any(
            "$dynamicRef" in schema and self.resolve_dynamic(schema, schema["$dynamicRef"]) is None
            for schema in self._schemas
        )

    def _add(self, schema: Any, base: str, pointer: str, foreign: bool = False) -> None:
        if not isinstance(schema, dict):
            return
        if isinstance(schema.get("$id"), str):
            base = urldefrag(urljoin(base, schema["$id"])).url or base
            self._resources[base] = schema
        if pointer and schema.get("$schema", DRAFT).rstrip("#") != DRAFT:
            foreign = True
        self._schemas.append(schema)
        self._bases[id(schema)] = base
        self._pointers[id(schema)] = pointer
        if foreign:
            self._foreign.add(id(schema))
        for keyword in ("$anchor", "$dynamicAnchor"):
            if isinstance(schema.get(keyword), str):
                self._anchors[f"{base}#{schema[keyword]}"] = schema
        if isinstance(schema.get("$dynamicAnchor"), str):
            self._dynamic.setdefault(schema["$dynamicAnchor"], []).append(schema)
        for place, sub in subschemas(schema):
            self._add(sub, base, pointer + place, foreign)

    def _at(self, uri: str, pointer: str) -> Any:
        found: Any = self._resources.get(uri)
        if found is None:
            return None
        base, at = uri, self._pointers[id(found)]
        for part in pointer.split("/")[1:]:
            name = part.replace("~1", "/").replace("~0", "~")
            if isinstance(found, list) and name.isdigit() and int(name) < len(found):
                found = found[int(name)]
            elif isinstance(found, dict) and name in found:
                found = found[name]
            else:
                return None
            at += "/" + part
            base = self._bases.get(id(found), base)
        if isinstance(found, dict) and id(found) not in self._bases:
            self._add(found, base, at)  # below a keyword that is not of the standard
        return found
