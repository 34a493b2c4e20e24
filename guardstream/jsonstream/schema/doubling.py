"""Tells schemas that one way through them judges from those whose ways double at each level.

jsonschema-rs is fast and asks a subschema again for each way that leads to it. Where two ways lead
to the same subschema for the same value, and again for the values inside, or through a chain of
references, the ways multiply: its time is exponential in the depth of the value or of the chain.
Such schemas are left to the evaluator, which asks once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from guardstream.jsonstream.schema.dialects import Schema
from guardstream.jsonstream.schema.refs import META, References

_STEPS = 200_000
"""What the question may cost; past it the answer is the safe one."""
_FREE, _TIMES = 256, 4
"""How many subschemas may look at one value: so many, and so often as many as there are."""


_INSIDE = frozenset(
    (
        "additionalProperties", "contains", "items", "patternProperties", "prefixItems",
        "properties", "propertyNames",
    )
)  # fmt: skip


_OF_ARRAYS = frozenset(("contains", "items", "prefixItems"))


class _Unsure(Exception):  # noqa: N818  # no error: the answer is the safe one
    pass


def doubles(references: References, root: Schema) -> bool:
    """Whether the ways through `root` may multiply. Sometimes yes where they do not."""
    if references.uses("unevaluatedProperties", "unevaluatedItems", "$dynamicRef", "$recursiveRef"):
        return True  # their judging runs the schemas beside them again
    try:
        ways = _Ways(references)
        return ways.most(root) > _FREE + _TIMES * ways.met
    except (_Unsure, RecursionError):
        return True


class _Ways:
    """Counts, for one value, how often subschemas look at it."""

    def __init__(self, references: References) -> None:
        self._references = references
        self._steps = 0
        self._schemas: dict[int, Schema] = {}
        self._inside: dict[int, list[Counter[int]]] = {}  # by schema, for each member or element
        self._weights: dict[int, int] = {}
        self._most: dict[int, int] = {}
        self._hold: dict[int, Counter[int]] = {}

    @property
    def met(self) -> int:
        """How many subschemas there are."""
        return len(self._schemas)

    def most(self, root: Schema) -> int:
        """How many subschemas look at one value, at most."""
        todo = [root]
        while todo:
            schema = todo.pop()
            if id(schema) in self._inside:
                continue
            places = self._expand(schema)
            todo += (self._schemas[each] for place in places for each in place)
        rings = _rings(
            {
                each: {to for place in places for to in place}
                for each, places in self._inside.items()
            }
        )
        return self._looks(id(root), rings)

    def _looks(self, at: int, rings: frozenset[int]) -> int:
        known = self._most.get(at)
        if known is not None:
            return known
        most = self._weights[at]
        self._most[at] = most  # of a recursive one: what each level adds
        for place in self._inside[at]:
            self._step(len(place))
            recursive = [to for to in place if to in rings]
            if len(recursive) > 1 or any(place[to] > 1 for to in recursive):
                raise _Unsure
            most = max(most, sum(times * self._looks(to, rings) for to, times in place.items()))
        self._most[at] = most
        return most

    def _expand(self, schema: Schema) -> list[Counter[int]]:
        """Note what holds for a value together with `schema`, and for the values inside it."""
        applied = self._applied(schema)
        self._weights[id(schema)] = applied.total()
        reads = [(self._references.read(self._schemas[key]), n) for key, n in applied.items()]
        if all(_INSIDE.isdisjoint(read) for read, _ in reads):
            self._inside[id(schema)] = []
            return []
        places = [self._gather(each) for each in self._members(reads)]
        elements = [(read, n) for read, n in reads if not _OF_ARRAYS.isdisjoint(read)]
        longest = max((len(read.get("prefixItems", ())) for read, _ in elements), default=0)
        for index in range(longest + 1):
            self._step(len(elements))
            places.append(self._gather((_element(read, index), n) for read, n in elements))
        places.append(self._gather(([read.get("propertyNames")], n) for read, n in reads))
        self._inside[id(schema)] = places
        return places

    def _members(self, reads: list[tuple[Schema, int]]) -> Iterator[list[tuple[list[Any], int]]]:
        """What may hold for each member that a schema names, and for one that none does."""
        named: dict[str, list[tuple[Schema, int]]] = {}
        others = []  # those that speak of members which they do not name
        for read, n in reads:
            for name in read.get("properties", ()):
                named.setdefault(name, []).append((read, n))
            if read.get("patternProperties") or isinstance(read.get("additionalProperties"), dict):
                others.append((read, n))
        for name, by in named.items():
            self._step(len(others))
            by += [each for each in others if name not in each[0].get("properties", ())]
            yield [(_member(read, name), n) for read, n in by]
        yield [(_member(read, None), n) for read, n in others]

    def _applied(self, schema: Schema) -> Counter[int]:
        """How often each schema holds for a value that `schema` holds for."""
        known = self._hold.get(id(schema))
        if known is not None:
            if not known:
                raise _Unsure  # it asks itself
            return known
        self._schemas[id(schema)] = schema
        self._hold[id(schema)] = Counter()
        found = Counter({id(schema): 1})
        for each in self._in_place(schema):
            if isinstance(each, dict):
                inner = self._applied(each)
                self._step(len(inner))
                found.update(inner)
        if found.total() > _STEPS:
            raise _Unsure
        self._hold[id(schema)] = found
        return found

    def _in_place(self, schema: Schema) -> Iterator[Any]:
        read = self._references.read(schema)
        if META in read:
            return
        if "$ref" in read:
            yield self._references.resolve(schema, read["$ref"])
        for keyword in ("allOf", "anyOf", "oneOf"):
            yield from read.get(keyword, ())
        for keyword in ("not", "if", "then", "else"):
            yield read.get(keyword)
        yield from read.get("dependentSchemas", {}).values()

    def _gather(self, lists: Iterable[tuple[list[Any], int]]) -> Counter[int]:
        found: Counter[int] = Counter()
        for schemas, times in lists:
            for each in schemas:
                if isinstance(each, dict):
                    self._step(1)
                    self._schemas[id(each)] = each
                    found[id(each)] += times
        return found

    def _step(self, count: int) -> None:
        self._steps += count
        if self._steps > _STEPS:
            raise _Unsure


def _member(read: Schema, name: str | None) -> list[Any]:
    """What may hold for the member `name`, or for one that no schema names."""
    found = [*read.get("patternProperties", {}).values()]
    properties = read.get("properties", {})
    if name is not None and name in properties:
        return [*found, properties[name]]
    return [*found, read.get("additionalProperties")]


def _element(read: Schema, index: int) -> list[Any]:
    prefix = read.get("prefixItems", ())
    return [prefix[index] if index < len(prefix) else read.get("items"), read.get("contains")]


def _rings(edges: Mapping[int, set[int]]) -> frozenset[int]:
    """The schemas that lead back to themselves: what is left without ends, from both sides."""
    left = {at: set(to) for at, to in edges.items()}
    for turned in (False, True):
        if turned:
            left = _turned(left)
        ends = [at for at, to in left.items() if not to]
        before = _turned(left)
        while ends:
            at = ends.pop()
            del left[at]
            for each in before.get(at, ()):
                if each in left:
                    left[each].discard(at)
                    if not left[each]:
                        ends.append(each)
    return frozenset(left)


def _turned(edges: Mapping[int, set[int]]) -> dict[int, set[int]]:
    found: dict[int, set[int]] = {at: set() for at in edges}
    for at, others in edges.items():
        for to in others:
            found.setdefault(to, set()).add(at)
    return found
