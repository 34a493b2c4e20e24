"""Judges whole values by JSON Schema: every keyword, in time bounded by value and schema.

The verdict of a schema on a value is computed once, however many ways lead to it: results are
shared per (schema, value), so that a schema that refers to another one twice at each of many levels
costs no more than one that does so once. There is no recursion: neither a chain of references nor a
deep value can exhaust the stack. The rules are those of draft 2020-12; other drafts are read as
that.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from typing import Any, NamedTuple, TypeAlias

from guardstream.jsonstream.schema import nodes as n
from guardstream.jsonstream.schema.checks import NUMERIC, KeywordChecks, is_integer
from guardstream.jsonstream.schema.dialects import (
    CONTENT,
    WRITTEN,
    SchemaDict,
    content_keyword,
    listed,
)
from guardstream.jsonstream.schema.refs import META, References
from guardstream.jsonstream.schema.tags import Tags


class Evaluated(NamedTuple):
    """The members and elements of an allowed value that a schema evaluated."""

    names: frozenset[str] = frozenset()
    items: frozenset[int] = frozenset()


NOTHING = Evaluated()


class Refusal(NamedTuple):
    """Why a schema refuses a value: by `keyword`, or because `inner`, which its keyword `own` asks,
    was refused at `part`."""

    keyword: str
    inner: Any = None  # the inner question, if that says more
    part: tuple[str | int, ...] = ()
    own: str = ""


Outcome: TypeAlias = "Evaluated | Refusal"
Known: TypeAlias = "dict[Any, Outcome]"
Scope: TypeAlias = tuple[tuple[str, int], ...]  # the dynamic anchors encountered, and their schemas
_Ask: TypeAlias = tuple[Any, Any, Any]  # schema, value, scope
_Task: TypeAlias = Generator[_Ask, Outcome, Outcome]
_Step: TypeAlias = "Generator[_Ask, Outcome, Refusal | None]"

_TYPES: dict[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "number": lambda value: n.kind_of(value) == n.NUMBER,
    "integer": lambda value: n.kind_of(value) == n.NUMBER and is_integer(value),
    WRITTEN: lambda value: n.kind_of(value) == n.NUMBER and isinstance(value, int),
}
_TEXTS = ("pattern", CONTENT, "format")


class Evaluator:
    """Judges values by the schemas of `references`; `checks` returns the check of a leaf
    keyword."""

    def __init__(self, references: References, checks: KeywordChecks, formats: bool) -> None:
        self._references = references
        self._check = checks
        self._formats = formats
        self._annotates = self._dynamic = True
        self._targets: dict[int, Any] = {}
        self._plans: dict[int, tuple[SchemaDict, tuple[Any, ...]]] = {}
        self._tags = Tags(references)

    def settle(self) -> None:
        """Drop what no schema uses, once all schemas are known."""
        references = self._references
        self._annotates = references.uses("unevaluatedProperties", "unevaluatedItems")
        self._dynamic = references.uses("$dynamicRef", "$recursiveRef")

    def valid(self, schema: SchemaDict | bool, value: Any, known: Known) -> bool:
        """Return whether `schema` allows `value`; `known` are earlier answers about the same
        document."""
        return isinstance(self._outcome((schema, value, ()), known), Evaluated)

    def refusing(self, schema: SchemaDict | bool, value: Any, known: Known) -> str | None:
        """Like `valid`, but return the keyword of `schema` that refuses `value`, None if none
        does."""
        found = self._outcome((schema, value, ()), known)
        return (found.own or found.keyword) if isinstance(found, Refusal) else None

    def fault(self, schema: SchemaDict | bool, value: Any) -> tuple[str, list[str | int]] | None:
        """Return the keyword that refuses `value`, and the path to the refused value."""
        known: Known = {}
        ask: _Ask = (schema, value, ())
        found = self._outcome(ask, known)
        path: list[str | int] = []
        seen = set()
        while isinstance(found, Refusal):
            path += found.part
            inner = found.inner
            if inner is None or _key(inner) in seen:
                return found.keyword, path
            seen.add(_key(inner))
            keyword, found = found.keyword, self._outcome(inner, known)
            if not isinstance(found, Refusal):
                return keyword, path
        return None

    def _outcome(self, ask: _Ask, known: Known) -> Outcome:
        """Answer one question; `known` are the answers so far, by `_key`."""
        key = _key(ask)
        reply: Outcome | _Task = known.get(key) or self._begin(*ask)
        stack: list[tuple[Any, _Task]] = []
        asked = set()
        while True:
            answer: Outcome | None = None
            if isinstance(reply, Evaluated | Refusal):
                known[key] = answer = reply
                if not stack:
                    return reply
            else:
                asked.add(key)
                stack.append((key, reply))
            try:
                ask = stack[-1][1].send(answer)  # type: ignore[arg-type]  # None begins
            except StopIteration as over:
                key, reply = stack.pop()[0], over.value
                continue
            key = _key(ask)
            # A schema that depends on itself: nothing else refuses the value.
            reply = known.get(key) or (NOTHING if key in asked else self._begin(*ask))

    def _begin(self, schema: SchemaDict | bool, value: Any, scope: Scope) -> Outcome | _Task:
        """Return the outcome, or, if it depends on other schemas, the task that finds it."""
        if isinstance(schema, bool):
            return NOTHING if schema else Refusal("false")
        read, steps = self._plan(schema)
        if META in read:
            allowed: bool = read[META](value)
            return NOTHING if allowed else Refusal("$ref")
        keyword = self._leaf(read, value)
        if keyword:
            return Refusal(keyword)
        if not steps:
            return NOTHING
        if self._dynamic:
            scope = self._entered(schema, scope)
        return self._task(Question(self, schema, read, value, scope), steps)

    def _plan(self, schema: SchemaDict) -> tuple[SchemaDict, tuple[Any, ...]]:
        """Return the effective keywords of a schema, and the steps for those with subschemas."""
        found = self._plans.get(id(schema))
        if found is None:
            read = self._references.read(schema)
            steps = [
                (keyword, kind, step)
                for keywords, kind, step in _STEPS
                for keyword in keywords
                if keyword in read
            ]
            found = self._plans[id(schema)] = read, tuple(steps)
        return found

    def _task(self, question: Question, steps: tuple[Any, ...]) -> _Task:
        for keyword, kind, step in steps:
            if kind is None or isinstance(question.value, kind):
                refusal: Refusal | None = yield from step(question, keyword)
                if refusal is not None:
                    return refusal if refusal.inner is None else refusal._replace(own=keyword)
        if not self._annotates or not (question.names or question.items):
            return NOTHING
        return Evaluated(frozenset(question.names), frozenset(question.items))

    def _leaf(self, read: SchemaDict, value: Any) -> str | None:
        """Return the keyword without subschemas that refuses `value`."""
        if "type" in read and not any(_TYPES[name](value) for name in listed(read["type"])):
            return "type"
        kind = n.kind_of(value)
        if kind == n.STRING:
            keyword = self._text(read, value)
        elif kind == n.OBJECT:
            keyword = _object(read, value)
        elif kind == n.ARRAY:
            keyword = _array(read, value)
        else:
            keyword = self._asked(read, NUMERIC, value) if kind == n.NUMBER else None
        return keyword or self._asked(read, ("enum", "const"), value)

    def _asked(self, read: SchemaDict, keywords: Iterable[str], value: Any) -> str | None:
        """Return the first of the keywords whose check refuses `value`."""
        for keyword in keywords:
            if keyword in read and not self._check(keyword, read[keyword])(value):
                return keyword
        return None

    def _text(self, read: SchemaDict, value: str) -> str | None:
        if len(value) > read.get("maxLength", len(value)):
            return "maxLength"
        if len(value) < read.get("minLength", 0):
            return "minLength"
        keyword = self._asked(read, _TEXTS if self._formats else _TEXTS[:-1], value)
        return content_keyword(read) if keyword == CONTENT else keyword

    # References

    def _entered(self, schema: SchemaDict, scope: Scope) -> Scope:
        """Return the scope within `schema`: the first resource with a dynamic anchor keeps it."""
        anchors = self._references.dynamic_anchors(schema)
        known = {name for name, _ in scope}
        new = [(name, id(each)) for name, each in anchors.items() if name not in known]
        if not new:
            return scope
        for name in anchors:
            self._targets[id(anchors[name])] = anchors[name]
        return (*scope, *sorted(new))

    def target(
        self, schema: SchemaDict, keyword: str, reference: str, scope: Scope
    ) -> SchemaDict | bool:
        """Return the schema that a reference leads to within `scope`."""
        references = self._references
        if keyword != "$ref":
            name = references.dynamic_name(schema, reference)
            for known, target in scope:
                if known == name:
                    return self._targets[target]  # type: ignore[no-any-return]
        return references.resolve(schema, reference)

    def left(self, branches: list[Any], value: Any) -> Sequence[Any]:
        """Return the branches of a choice that may allow `value`."""
        return self._tags.left(branches, value)

    def matches(self, pattern: str, name: str) -> bool:
        """Return whether a member's name matches."""
        return self._check("pattern", pattern)(name)

    def contains_evaluates(self, schema: SchemaDict) -> bool:
        """Return whether what `contains` accepts counts as evaluated."""
        return self._references.dialect_of(schema).contains_evaluates


def _key(ask: _Ask) -> Any:
    """Return the key of a question: containers are compared by identity."""
    schema, value, scope = ask
    asked: Any = schema if isinstance(schema, bool) else id(schema)
    if isinstance(value, dict | list):
        return asked, id(value), None, scope
    return asked, value, value.__class__, scope


class Question:
    """A question: does a schema allow a value? Collects what the applied schemas have evaluated."""

    __slots__ = ("items", "judge", "names", "read", "schema", "scope", "value")

    def __init__(
        self, judge: Evaluator, schema: SchemaDict, read: SchemaDict, value: Any, scope: Scope
    ) -> None:
        self.judge = judge
        self.schema = schema
        self.read = read
        self.value = value
        self.scope = scope
        self.names: set[str] = set()
        self.items: set[int] = set()

    def add(self, found: Outcome) -> bool:
        """Add what a schema has evaluated; return whether it allowed the value."""
        if isinstance(found, Refusal):
            return False
        self.names |= found.names
        self.items |= found.items
        return True

    def here(self, schema: SchemaDict | bool) -> _Step:
        """Ask another schema that must allow the same value."""
        found = yield (schema, self.value, self.scope)
        if isinstance(found, Refusal):
            return Refusal(found.keyword, (schema, self.value, self.scope))
        self.add(found)
        return None

    def inside(self, schema: SchemaDict | bool, value: Any, part: str | int, keyword: str) -> _Step:
        """Ask a schema that must allow a value inside; a refusal by `false` is attributed to
        `keyword`."""
        found = yield (schema, value, self.scope)
        if not isinstance(found, Refusal):
            return None
        if schema is False:
            return Refusal(keyword)
        return Refusal(found.keyword, (schema, value, self.scope), (part,))


# The steps, one for each keyword. They ask questions, and return the refusal if there is one.


def _reference(q: Question, keyword: str) -> _Step:
    return q.here(q.judge.target(q.schema, keyword, q.read[keyword], q.scope))


def _all(q: Question, keyword: str) -> _Step:
    for each in q.read[keyword]:
        refusal = yield from q.here(each)
        if refusal:
            return refusal
    return None


def _choice(q: Question, keyword: str) -> _Step:
    allowed = 0
    for each in q.judge.left(q.read[keyword], q.value):
        found = yield (each, q.value, q.scope)
        allowed += q.add(found)
    return None if allowed == 1 or (allowed and keyword == "anyOf") else Refusal(keyword)


def _not(q: Question, keyword: str) -> _Step:
    found = yield (q.read[keyword], q.value, q.scope)
    return None if isinstance(found, Refusal) else Refusal(keyword)


def _condition(q: Question, keyword: str) -> _Step:
    found = yield (q.read[keyword], q.value, q.scope)
    follows = "then" if q.add(found) else "else"
    if follows in q.read:
        return (yield from q.here(q.read[follows]))
    return None


def _dependents(q: Question, keyword: str) -> _Step:
    for name, each in q.read[keyword].items():
        if name in q.value:
            refusal = yield from q.here(each)
            if refusal:
                return refusal
    return None


def _members(q: Question, keyword: str) -> _Step:
    """Apply `properties`, `patternProperties` and `additionalProperties`, at the first of them."""
    read = q.read
    if keyword != next(each for each in _MEMBERS if each in read):
        return None
    properties, patterns = read.get("properties", {}), read.get("patternProperties", {})
    looked_at = []
    for name, member in q.value.items():
        apply = [properties[name]] if name in properties else []
        apply += (each for pattern, each in patterns.items() if q.judge.matches(pattern, name))
        keyword = "properties"
        if not apply and "additionalProperties" in read:
            apply, keyword = [read["additionalProperties"]], "additionalProperties"
        for each in apply:
            refusal = yield from q.inside(each, member, name, keyword)
            if refusal:
                return refusal
        if apply:
            looked_at.append(name)
    q.names.update(looked_at)
    return None


def _names(q: Question, keyword: str) -> _Step:
    for name in q.value:
        found = yield (q.read[keyword], name, q.scope)
        if isinstance(found, Refusal):
            return Refusal(keyword)
    return None


def _other_members(q: Question, keyword: str) -> _Step:
    for name, member in q.value.items():
        if name not in q.names:
            refusal = yield from q.inside(q.read[keyword], member, name, keyword)
            if refusal:
                return refusal
    q.names |= q.value.keys()
    return None


def _elements(q: Question, keyword: str) -> _Step:
    """Apply `prefixItems` and `items`, at the first of them."""
    prefix, rest = q.read.get("prefixItems", ()), q.read.get("items")
    if keyword == "items" and prefix:
        return None
    for index, item in enumerate(q.value):
        each = prefix[index] if index < len(prefix) else rest
        if each is None:
            break
        refusal = yield from q.inside(each, item, index, "items")
        if refusal:
            return refusal
        q.items.add(index)
    return None


def _contains(q: Question, keyword: str) -> _Step:
    held = []
    for index, item in enumerate(q.value):
        found = yield (q.read[keyword], item, q.scope)
        if not isinstance(found, Refusal):
            held.append(index)
    if len(held) < q.read.get("minContains", 1):
        return Refusal(keyword)
    if len(held) > q.read.get("maxContains", len(held)):
        return Refusal("maxContains")
    if q.judge.contains_evaluates(q.schema):
        q.items.update(held)
    return None


def _other_elements(q: Question, keyword: str) -> _Step:
    for index, item in enumerate(q.value):
        if index not in q.items:
            refusal = yield from q.inside(q.read[keyword], item, index, keyword)
            if refusal:
                return refusal
    q.items.update(range(len(q.value)))
    return None


_MEMBERS = ("properties", "patternProperties", "additionalProperties")

_STEPS: tuple[tuple[tuple[str, ...], type | None, Callable[[Question, str], _Step]], ...] = (
    (("$ref", "$dynamicRef", "$recursiveRef"), None, _reference),
    (("allOf",), None, _all),
    (("anyOf", "oneOf"), None, _choice),
    (("not",), None, _not),
    (("if",), None, _condition),
    (("dependentSchemas",), dict, _dependents),
    (_MEMBERS, dict, _members),
    (("propertyNames",), dict, _names),
    (("unevaluatedProperties",), dict, _other_members),
    (("prefixItems", "items"), list, _elements),
    (("contains",), list, _contains),
    (("unevaluatedItems",), list, _other_elements),
)
"""Keywords for the value itself come first, then those for its parts, then the unevaluated ones."""


def _object(read: SchemaDict, value: dict[str, Any]) -> str | None:
    if len(value) > read.get("maxProperties", len(value)):
        return "maxProperties"
    if len(value) < read.get("minProperties", 0):
        return "minProperties"
    if any(name not in value for name in read.get("required", ())):
        return "required"
    for name, others in read.get("dependentRequired", {}).items():
        if name in value and any(other not in value for other in others):
            return "dependentRequired"
    return None


def _array(read: SchemaDict, value: list[Any]) -> str | None:
    if len(value) > read.get("maxItems", len(value)):
        return "maxItems"
    if len(value) < read.get("minItems", 0):
        return "minItems"
    if read.get("uniqueItems") is True:
        seen = set()
        for item in value:
            key = n.canonical(item)
            if key in seen:
                return "uniqueItems"
            seen.add(key)
    return None
