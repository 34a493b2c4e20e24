"""Resolves the references of a JSON Schema: identifiers, anchors and pointers.

A reference may lead into the schema itself, into the documents given with it, and to the
metaschemas of json-schema.org. Everything else is refused when the schema is loaded: nothing is
ever fetched. JSON Schema draft 2020-12 core, sections 8.2 and 9; 2019-09 core, section 8.2.4.2.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from urllib.parse import unquote, urldefrag, urljoin

import jsonschema_rs

from guardstream.jsonstream.lexer.errors import pointer_parts
from guardstream.jsonstream.schema.checks import check_shape
from guardstream.jsonstream.schema.dialects import (
    DYNAMIC,
    Dialect,
    SchemaDict,
    declared,
    declares,
    named,
    subschemas,
    vocabulary,
)
from guardstream.jsonstream.schema.errors import SchemaError

ROOT = "urn:guardstream:schema"
"""The base URI of a schema without an identifier and a file."""

META = "$metaschema"
"""In a reading: the schema is a metaschema of json-schema.org, and this is its check."""

SchemasByURI: TypeAlias = Mapping[str, "SchemaDict | bool"]


@dataclass
class Reach:
    """The members and elements that the schemas for one object or array may evaluate.

    `names` and `patterns` are the named ones, `items` the number of leading elements; `any_name`
    and `any_item` say that any may be evaluated. `size` counts schemas and the names in them.
    """

    names: set[str] = field(default_factory=set)
    patterns: set[str] = field(default_factory=set)
    items: int = 0
    any_name: bool = False
    any_item: bool = False
    size: int = 0


@dataclass(frozen=True)
class _Place:
    """The place of a schema: the base URI of its references, and its pointer."""

    base: str
    pointer: str
    dialect: Dialect
    document: str


class References:
    """A schema with its documents, by URI. Methods take a schema that is part of one of them."""

    def __init__(
        self,
        root: SchemaDict,
        dialect: Dialect,
        documents: SchemasByURI | None = None,
        base: str = ROOT,
    ) -> None:
        self.used: dict[str, SchemaDict | bool] = {}
        """The documents, apart from the root, that references have led into so far."""
        self._dialect = dialect
        self._documents = {} if documents is None else documents
        self._resources: dict[str, SchemaDict | bool] = {}
        self._anchors: dict[str, SchemaDict] = {}
        self._dynamic: dict[str, dict[str, SchemaDict]] = {}  # by base, then by name
        self._places: dict[int, _Place] = {}
        self._readings: dict[int, SchemaDict] = {}
        self._schemas: list[SchemaDict] = []
        self._metaschemas: dict[str, SchemaDict] = {}
        self._unseen: set[int] = set()  # schemas below a keyword of another draft
        self._root = base
        self._add(root, base, "", dialect, "")
        self._resources.setdefault(base, root)

    def pointer_of(self, schema: SchemaDict) -> str:
        """Return the JSON pointer of `schema` from its document's root, after the document's
        URI."""
        place = self._places[id(schema)]
        return f"{place.document}{place.pointer}"

    def base_of(self, schema: SchemaDict) -> str:
        """Return the URI of the resource that `schema` belongs to."""
        place = self._places.get(id(schema))
        return place.base if place else self._root

    def read(self, schema: SchemaDict) -> SchemaDict:
        """Return the effective keywords of `schema`, by their names in 2020-12."""
        found = self._readings.get(id(schema))
        if found is None:
            place = self._places[id(schema)]
            found = self._readings[id(schema)] = place.dialect.read(schema)
        return found

    def readings(self, schemas: Iterable[Any], keywords: Iterable[str]) -> Iterator[SchemaDict]:
        """Yield the effective keywords of schemas, and of all that they refer to or have under
        `keywords`, in order."""
        todo, seen = [*schemas][::-1], set()
        while todo:
            schema = todo.pop()
            if not isinstance(schema, dict) or id(schema) in seen:
                continue
            seen.add(id(schema))
            read = self.read(schema)
            yield read
            if "$ref" in read:
                todo.append(self.resolve(schema, read["$ref"]))
            for operand in [read[keyword] for keyword in keywords if keyword in read][::-1]:
                todo += operand[::-1] if isinstance(operand, list) else [operand]

    def dialect_of(self, schema: SchemaDict | bool) -> Dialect:
        """Return the dialect of `schema`."""
        place = self._places.get(id(schema))
        return place.dialect if place else self._dialect

    def uses(self, *keywords: str) -> bool:
        """Return whether one of the keywords is in a schema encountered so far."""
        return any(
            keyword in schema and keyword in self._places[id(schema)].dialect.keywords
            for schema in self._schemas
            for keyword in keywords
        )

    def resolve(self, schema: SchemaDict, reference: Any) -> SchemaDict | bool:
        """Return the schema that `reference` in `schema` leads to. Raises SchemaError."""
        place = self._places[id(schema)]
        if not isinstance(reference, str):
            raise SchemaError(f"{self.pointer_of(schema)}/$ref: a reference must be a string")
        uri, fragment = self._split(schema, reference)
        if uri not in self._resources and uri not in self._documents:
            dialect, part = named(uri), vocabulary(uri)
            if dialect:
                return self._metaschema(schema, dialect, f"{dialect.meta}#{fragment}")
            if part:
                return self._metaschema(schema, part, f"{uri}#{fragment}")
        self._fetch(uri)
        if fragment and not fragment.startswith("/"):
            found: Any = self._anchors.get(f"{uri}#{fragment}")
        else:
            found = self._at(uri, unquote(fragment))
        if not isinstance(found, dict | bool):
            raise SchemaError(self._nowhere(schema, reference, uri))
        target: SchemaDict | bool = found
        if isinstance(target, dict) and id(target) in self._unseen:
            place = self._places[id(target)]
            self._check_unseen(target, place, place.pointer)
        return target

    def _split(self, schema: SchemaDict, reference: str) -> tuple[str, str]:
        """Return the URI of the document that `reference` leads into, and the fragment there."""
        base = self._places[id(schema)].base
        if reference.startswith("#"):
            return base, reference[1:]
        try:
            uri, fragment = urldefrag(reference)
            if uri in self._resources:  # urljoin does not know `urn:`
                return uri, fragment
            uri, fragment = urldefrag(urljoin(base, reference))
        except ValueError:
            raise SchemaError(
                f"{self.pointer_of(schema) or '/'}: the reference {reference!r} is not a URI"
            ) from None
        return uri, fragment

    def dynamic_name(self, schema: SchemaDict, reference: str) -> str | None:
        """Return the name of a dynamic reference's anchor, None if the reference works like
        `$ref`."""
        found = self.resolve(schema, reference)
        name = DYNAMIC if "$recursiveRef" in schema else urldefrag(reference).fragment
        if isinstance(found, dict) and self.dynamic_anchors(found).get(name) is found:
            return name
        return None

    def dynamic_anchors(self, schema: SchemaDict) -> Mapping[str, SchemaDict]:
        """Return the dynamic anchors of the resource that `schema` belongs to."""
        return self._dynamic.get(self.base_of(schema), {})

    def resolve_dynamic(self, schema: SchemaDict, reference: str) -> SchemaDict | bool | None:
        """Like `resolve`, or None if the answer depends on how the schema was reached."""
        name = self.dynamic_name(schema, reference)
        found = self.resolve(schema, reference)
        if name is None:
            return found
        candidates = [names[name] for names in self._dynamic.values() if name in names]
        return found if len(candidates) == 1 else None

    def reach(self, schema: SchemaDict, most: int) -> Reach:
        """Return what `unevaluatedProperties` and `unevaluatedItems` in `schema` must leave out.

        That is anything, if it depends on more than `most` schemas and names.
        """
        reach = Reach()
        seen: set[int] = set()
        todo: list[Any] = [schema]
        while todo:
            each = todo.pop()
            if isinstance(each, dict) and id(each) not in seen:
                todo += self._extend(reach, each, inner=bool(seen))
                seen.add(id(each))
                reach.size = len(seen) + len(reach.names) + len(reach.patterns) + reach.items
                if reach.size > most:
                    reach.any_name = reach.any_item = True
                    return reach
        return reach

    def _extend(self, reach: Reach, schema: SchemaDict, *, inner: bool) -> Iterator[Any]:
        """Add what `schema` may evaluate; the schemas that apply with it follow."""
        read = self.read(schema)
        reach.names |= set(read.get("properties", ()))
        reach.patterns |= set(read.get("patternProperties", ()))
        reach.items = max(reach.items, len(read.get("prefixItems", ())))
        reach.any_name |= "additionalProperties" in read or META in read
        reach.any_item |= "items" in read or "contains" in read or META in read
        if inner:
            reach.any_name |= "unevaluatedProperties" in read
            reach.any_item |= "unevaluatedItems" in read
        if "$ref" in read:
            yield self.resolve(schema, read["$ref"])
        for keyword in ("$dynamicRef", "$recursiveRef"):
            if keyword in read:
                target = self.resolve_dynamic(schema, read[keyword])
                reach.any_name |= target is None
                reach.any_item |= target is None
                yield target
        for keyword in ("allOf", "anyOf", "oneOf"):
            yield from read.get(keyword, ())
        for keyword in ("if", "then", "else"):
            yield read.get(keyword)
        yield from read.get("dependentSchemas", {}).values()

    def _metaschema(self, schema: SchemaDict, dialect: Dialect, address: str) -> SchemaDict:
        """Return a metaschema of json-schema.org, or a part of one, from jsonschema-rs."""
        if address not in self._metaschemas:
            found: SchemaDict = {"$ref": address}
            try:
                check = dialect.check(found, offline=True).is_valid
            except (jsonschema_rs.ReferencingError, jsonschema_rs.ValidationError) as error:
                raise SchemaError(self._nowhere(schema, address, self._root)) from error
            self._metaschemas[address] = found
            self._places[id(found)] = _Place(dialect.uri, "", dialect, address)
            self._readings[id(found)] = {META: check}
        return self._metaschemas[address]

    def _nowhere(self, schema: SchemaDict, reference: str, uri: str) -> str:
        found = self._resources.get(uri)
        inner = found is not None and found is not self._resources[self._root]
        where = repr(uri) if inner else "this schema"
        outside = "nothing is fetched: " if found is None else ""
        return (
            f"{self.pointer_of(schema) or '/'}: reference {reference!r} leads nowhere in {where}; "
            f"{outside}put what it refers to under '$defs', or give its document with the schema"
        )

    def _fetch(self, uri: str) -> None:
        """Register the document at `uri`, if it was given and is not registered yet."""
        if uri in self._resources:
            return
        document = self._documents.get(uri)
        if document is None:
            return
        self.used[uri] = self._resources[uri] = document
        if isinstance(document, dict):
            uses = declared(document, None) if declares(document) else self._dialect
            try:
                check_shape(document, uses)
            except SchemaError as error:
                raise SchemaError(f"/: the document {uri!r}: {error}") from error
            self._add(document, uri, "", uses, f"{uri}#")

    def _add(self, root: Any, base: str, pointer: str, dialect: Dialect, document: str) -> None:
        todo = [(root, base, pointer, dialect)]
        while todo:
            schema, base, pointer, dialect = todo.pop()
            if not isinstance(schema, dict):
                continue
            base, dialect = self._note(schema, base, pointer, dialect, document)
            for place, sub in subschemas(schema):
                if id(schema) in self._unseen or place.split("/")[1] not in dialect.keywords:
                    self._unseen.add(id(sub))
                todo.append((sub, base, pointer + place, dialect))

    def _note(
        self, schema: SchemaDict, base: str, pointer: str, dialect: Dialect, document: str
    ) -> tuple[str, Dialect]:
        """Register one schema with its names; return the context for the schemas inside it."""
        own = dialect.identifier(schema)
        uri = schema.get("$schema")
        if own is not None and isinstance(uri, str):
            dialect = named(uri) or dialect
        if own is not None:
            try:
                address, anchor = urldefrag(urljoin(base, own))
            except ValueError:
                raise SchemaError(
                    f"{document}{pointer}/{dialect.id}: the identifier {own!r} is not a URI"
                ) from None
            if dialect.anchor_ids and anchor:
                self._anchors[f"{address or base}#{anchor}"] = schema
            if not (dialect.anchor_ids and own.startswith("#")):
                base = address or base
                self._resources[base] = schema
        self._places[id(schema)] = _Place(base, pointer, dialect, document)
        self._schemas.append(schema)
        if "$defs" in dialect.keywords:
            self._note_anchors(schema, base)
        return base, dialect

    def _note_anchors(self, schema: SchemaDict, base: str) -> None:
        for keyword in ("$anchor", "$dynamicAnchor"):
            if isinstance(schema.get(keyword), str):
                self._anchors[f"{base}#{schema[keyword]}"] = schema
        if isinstance(schema.get("$dynamicAnchor"), str):
            self._dynamic.setdefault(base, {})[schema["$dynamicAnchor"]] = schema
        if schema.get("$recursiveAnchor") is True:
            self._dynamic.setdefault(base, {})[DYNAMIC] = schema

    def _at(self, uri: str, pointer: str) -> Any:
        found: Any = self._resources.get(uri)
        if not isinstance(found, dict):
            return found if not pointer else None
        place = self._places[id(found)]
        at = place.pointer + pointer
        for name in pointer_parts(pointer):
            if isinstance(found, list) and name in map(str, range(len(found))):
                found = found[int(name)]
            elif isinstance(found, dict) and name in found:
                found = found[name]
            else:
                return None
            place = self._places.get(id(found), place)
        if isinstance(found, dict) and id(found) not in self._places:
            self._check_unseen(found, place, at)
            self._add(found, place.base, at, place.dialect, place.document)
        return found

    def _check_unseen(self, schema: SchemaDict, place: _Place, at: str) -> None:
        """Check the shape of a schema below a keyword that is not in its draft, which the
        metaschema has therefore not checked."""
        self._unseen.discard(id(schema))
        try:
            check_shape(schema, place.dialect)
        except SchemaError as error:
            raise SchemaError(f"{place.document}{at}{error}") from error
