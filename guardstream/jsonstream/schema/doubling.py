"""Detects schemas whose evaluation could double at each level of nesting.

jsonschema-rs is fast, but evaluates a subschema again for each way that leads to it. If two ways
lead to the same subschema for the same value, and again for the values inside, or through a chain
of references, the ways multiply: the time is exponential in the depth of the value or of the chain.
Such schemas are left to the evaluator, which evaluates each subschema once per value.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from guardstream.jsonstream.schema.dialects import SchemaDict
from guardstream.jsonstream.schema.refs import References

_STEPS = 200_000
"""The maximum cost of the analysis; beyond it, the safe answer is given."""
_FREE, _TIMES = 256, 4
"""How many subschemas may inspect one value: this many, and this many times their number."""


_INSIDE = frozenset(
    (
        "additionalProperties", "contains", "items", "patternProperties", "prefixItems",
        "properties", "propertyNames",
    )
)  # fmt: skip


_OF_ARRAYS = frozenset(("contains", "items", "prefixItems"))


class _Unsure(Exception):  # noqa: N818  # no error: the safe answer is given
    pass


def may_double(references: References, root: SchemaDict) -> bool:
    """Return whether the ways through `root` may multiply. May be true although they do not."""
    if references.uses("unevaluatedProperties", "unevaluatedItems", "$dynamicRef", "$recursiveRef"):
        return True  # jsonschema-rs evaluates the schemas beside these keywords again
    try:
        ways = _Ways(references)
        return ways.most(root) > _FREE + _TIMES * ways.met
    except (_Unsure, RecursionError):
        return True


class _Ways:
    """Counts how often subschemas inspect one value."""

    def __init__(self, references: References) -> None:
        self._references = references
        self._steps = 0
        self._schemas: dict[int, SchemaDict] = {}
        self._inside: dict[int, list[Counter[int]]] = {}  # by schema, for each member or element
        self._weights: dict[int, int] = {}
        self._most: dict[int, int] = {}
        self._hold: dict[int, Counter[int]] = {}

    @property
    def met(self) -> int:
        """The number of subschemas."""
        return len(self._schemas)

    def most(self, root: SchemaDict) -> int:
        """Return how many subschemas inspect one value, at most."""
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
        self._most[at] = most  # for a recursive schema: what each level adds
        for place in self._inside[at]:
            self._step(len(place))
            recursive = [to for to in place if to in rings]
            if len(recursive) > 1 or any(place[to] > 1 for to in recursive):
                raise _Unsure
            most = max(most, sum(times * self._looks(to, rings) for to, times in place.items()))
        self._most[at] = most
        return most

    def _expand(self, schema: SchemaDict) -> list[Counter[int]]:
        """Record what applies to a value together with `schema`, and to the values inside it."""
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

    def _members(
        self, reads: list[tuple[SchemaDict, int]]
    ) -> Iterator[list[tuple[list[Any], int]]]:
        """Return what may apply to each named member, and to one that no schema names."""
        named: dict[str, list[tuple[SchemaDict, int]]] = {}
        others = []  # those about members that they do not name
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

    def _applied(self, schema: SchemaDict) -> Counter[int]:
        """Return how often each schema applies to a value that `schema` applies to."""
        known = self._hold.get(id(schema))
        if known is not None:
            if not known:
                raise _Unsure  # it refers to itself
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

    def _in_place(self, schema: SchemaDict) -> Iterator[Any]:
        read = self._references.read(schema)
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


def _member(read: SchemaDict, name: str | None) -> list[Any]:
    """Return what may apply to the member `name`, or to one that no schema names."""
    found = [*read.get("patternProperties", {}).values()]
    properties = read.get("properties", {})
    if name is not None and name in properties:
        return [*found, properties[name]]
    return [*found, read.get("additionalProperties")]


def _element(read: SchemaDict, index: int) -> list[Any]:
    prefix = read.get("prefixItems", ())
    return [prefix[index] if index < len(prefix) else read.get("items"), read.get("contains")]


def _rings(edges: Mapping[int, set[int]]) -> frozenset[int]:
    """Return the schemas that lead back to themselves: those that remain after removing dead ends
    from both sides."""
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
