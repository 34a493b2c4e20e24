"""Compiles a JSON Schema to nodes, so that each keyword is decided as early as possible.

What no node can decide early is left to the evaluator, which also has the final verdict.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from math import inf
from operator import or_
from typing import Any

from guardstream.jsonstream.schema import nodes as n
from guardstream.jsonstream.schema.checks import NUMERIC, KeywordChecks, is_integer
from guardstream.jsonstream.schema.dialects import (
    CONTENT,
    WRITTEN,
    SchemaDict,
    content_keyword,
    listed,
    subschemas,
)
from guardstream.jsonstream.schema.digits import digits_of
from guardstream.jsonstream.schema.errors import SchemaError
from guardstream.jsonstream.schema.evaluate import Evaluator
from guardstream.jsonstream.schema.nodes import ANY, NEVER, Choice, Node
from guardstream.jsonstream.schema.prefixes import of_format, of_pattern
from guardstream.jsonstream.schema.refs import META, References

_TYPES = {
    "object": 1 << n.OBJECT,
    "array": 1 << n.ARRAY,
    "string": 1 << n.STRING,
    "number": 1 << n.NUMBER,
    "integer": 1 << n.NUMBER,
    WRITTEN: 1 << n.NUMBER,
    "boolean": 1 << n.TRUE | 1 << n.FALSE,
    "null": 1 << n.NULL,
}
_LATE = {
    META: n.ANYTHING,
    "not": n.ANYTHING,
    "if": n.ANYTHING,
    "contains": 1 << n.ARRAY,
    "unevaluatedItems": 1 << n.ARRAY,
    "dependentRequired": 1 << n.OBJECT,
    "dependentSchemas": 1 << n.OBJECT,
    "unevaluatedProperties": 1 << n.OBJECT,
}
_REFERENCES = frozenset(("$ref", "$dynamicRef", "$recursiveRef"))
_REACHED = 20_000  # schemas and names that all `unevaluated…` together may inspect


class Compiler:
    """Compiles one schema. Each subschema becomes one node, however often it is referred to."""

    def __init__(
        self, root: SchemaDict, references: References, checks: KeywordChecks, evaluator: Evaluator,
        formats: bool,
    ) -> None:  # fmt: skip
        self._root = root
        self._references = references
        self._check = checks
        self._evaluator = evaluator
        self._formats = formats
        self._nodes: dict[int, Node] = {}
        self._todo: list[tuple[Node, SchemaDict]] = []
        self._unread = _REACHED
        self.ambiguous = False

    def compile(self) -> Node:
        """Return the node of the root. Raises SchemaError for what cannot be checked."""
        root = self._node(self._root)
        while self._todo:
            self._fill(*self._todo.pop())
        nodes = list(self._nodes.values())
        n.settle(nodes)
        for node in nodes:
            if self.ambiguous:
                self._defer(node)
            node.seal()
        return root

    def _defer(self, node: Node) -> None:
        """Leave to the final verdict what depends on how a part was reached: its judge does not
        know that, and more branches of an exclusive choice may seem to hold."""
        node.late = 0
        node.judge = None
        for choice in node.choices:
            choice.exclusive = False
        if node.name_check and _refers(self._references.read(node.schema)["propertyNames"]):
            node.name_check = None

    def _node(self, schema: Any) -> Node:
        if isinstance(schema, bool):
            return ANY if schema else NEVER
        known = self._nodes.get(id(schema))
        if known is None:
            known = self._nodes[id(schema)] = Node(schema=schema)
            self._todo.append((known, schema))
        return known

    def _fill(self, node: Node, schema: SchemaDict) -> None:
        read = self._references.read(schema)
        try:
            self._in_place(node, schema, read)
            self._values(node, read)
            self._strings_and_numbers(node, read)
            self._objects(node, read)
            self._arrays(node, read)
            self._unevaluated(node, schema, read)
            self._late(node, schema, read)
        except SchemaError as error:
            if not str(error).startswith("/: "):
                raise
            where = self._references.pointer_of(schema) or "/"
            raise SchemaError(where + str(error)[1:]) from error

    def _in_place(self, node: Node, schema: SchemaDict, read: SchemaDict) -> None:
        same = [self._node(each) for each in read.get("allOf", ())]
        if "$ref" in read:
            same.append(self._node(self._references.resolve(schema, read["$ref"])))
        for keyword in ("$dynamicRef", "$recursiveRef"):
            if keyword in read:
                target = self._references.resolve_dynamic(schema, read[keyword])
                same += [] if target is None else [self._node(target)]
                self.ambiguous |= target is None
        node.all_of = tuple(same)
        choices = []
        for keyword in ("anyOf", "oneOf"):
            if keyword in read:
                branches = tuple(self._node(self._aim(each)) for each in read[keyword])
                choices.append(Choice(branches, keyword, exclusive=keyword == "oneOf"))
        if "if" in read and ("then" in read or "else" in read):
            then = self._made(all_of=(self._node(read["if"]), self._node(read.get("then", True))))
            choices.append(Choice((then, self._node(read.get("else", True))), "if"))
        node.choices = tuple(choices)
        if "oneOf" in read:
            self._judge(node, schema)

    def _aim(self, schema: Any) -> Any:
        """Return the schema that `schema` leads to, if it is nothing but a reference."""
        passed: set[int] = set()
        while isinstance(schema, dict) and id(schema) not in passed:
            passed.add(id(schema))
            read = self._references.read(schema)
            if read.keys() != {"$ref"}:
                break
            schema = self._references.resolve(schema, read["$ref"])
        return schema

    def _made(self, **fields: Any) -> Node:
        """Return a node that does not correspond to a single schema."""
        node = Node(**fields)
        self._nodes[id(node)] = node
        return node

    def _values(self, node: Node, read: SchemaDict) -> None:
        denied = read.get("not")
        if isinstance(denied, bool) or (denied is not None and set(denied) <= {"type"}):
            node.mask &= ~_certain(denied)
        if "type" in read:
            names = listed(read["type"])
            node.mask &= _union(_TYPES[name] for name in names)
            if "number" not in names:
                if "integer" in names:
                    node.number_checks += (("type", is_integer),)
                elif WRITTEN in names:
                    node.number_checks += (("type", lambda value: isinstance(value, int)),)
        for keyword in ("enum", "const"):
            if keyword in read:
                values = read[keyword] if keyword == "enum" else [read[keyword]]
                self._one_of_values(node, keyword, values)

    def _one_of_values(self, node: Node, keyword: str, values: list[Any]) -> None:
        node.mask &= _union(1 << n.kind_of(value) for value in values)
        numbers = {value for value in values if n.kind_of(value) == n.NUMBER}
        node.number_checks += ((keyword, numbers.__contains__),)
        if any(isinstance(value, dict | list) for value in values):
            node.choices += (Choice(tuple(map(n.constant, values)), keyword),)
            return
        texts = {value for value in values if isinstance(value, str)}
        node.texts = tuple(sorted(texts if node.texts is None else texts.intersection(node.texts)))
        if not node.texts:  # the lists of two keywords may be disjoint
            node.mask &= ~(1 << n.STRING)

    def _strings_and_numbers(self, node: Node, read: SchemaDict) -> None:
        if "maxLength" in read:
            node.max_length = int(read["maxLength"])
        node.min_length = int(read.get("minLength", 0))
        if "pattern" in read:
            node.text_checks += (("pattern", self._check("pattern", read["pattern"])),)
            early = of_pattern(read["pattern"])
            node.prefixes = ("pattern", early) if early else None
        if CONTENT in read:
            node.text_checks += ((content_keyword(read), self._check(CONTENT, read[CONTENT])),)
        if self._formats and "format" in read:
            check = self._check("format", read["format"])
            node.text_checks += (("format", check),)
            early = of_format(read["format"], check)
            node.prefixes = node.prefixes or (("format", early) if early else None)
        for keyword in NUMERIC:
            if keyword in read:
                check = self._check(keyword, read[keyword])
                node.number_checks += ((keyword, check),)
        _numbers(node, read)

    def _objects(self, node: Node, read: SchemaDict) -> None:
        node.names = {k: self._node(v) for k, v in read.get("properties", {}).items()}
        node.patterns = tuple(
            (self._check("pattern", pattern), self._node(each))
            for pattern, each in read.get("patternProperties", {}).items()
        )
        node.written = tuple(read.get("patternProperties", ()))
        if "additionalProperties" in read:
            node.extra = self._node(read["additionalProperties"])
        node.required = tuple(read.get("required", ()))
        if "maxProperties" in read:
            node.max_properties = int(read["maxProperties"])
        node.min_properties = int(read.get("minProperties", 0))
        if "propertyNames" in read:
            names = read["propertyNames"]
            self._node(names)  # raises for what cannot be resolved
            valid = self._evaluator.valid
            node.name_check = lambda name: valid(names, name, {})

    def _arrays(self, node: Node, read: SchemaDict) -> None:
        node.prefix = tuple(self._node(each) for each in read.get("prefixItems", ()))
        if "items" in read:
            node.items = self._node(read["items"])
        if "maxItems" in read:
            node.max_items = int(read["maxItems"])
        node.min_items = int(read.get("minItems", 0))
        node.unique = read.get("uniqueItems", False)

    def _unevaluated(self, node: Node, schema: SchemaDict, read: SchemaDict) -> None:
        """Let a name or index that no applied schema can evaluate count as unevaluated
        immediately."""
        if "unevaluatedProperties" not in read and "unevaluatedItems" not in read:
            return
        if self._unread <= 0:  # it is judged when the value is complete
            return
        reach = self._references.reach(schema, self._unread)
        self._unread -= reach.size
        if "unevaluatedProperties" in read and not reach.any_name:
            node.names = dict.fromkeys(reach.names, ANY) | node.names
            node.patterns += tuple((self._check("pattern", each), ANY) for each in reach.patterns)
            node.written += tuple(reach.patterns)
            node.extra = self._node(read["unevaluatedProperties"])
            node.extra_keyword = "unevaluatedProperties"
        if "unevaluatedItems" in read and not reach.any_item:
            node.prefix += (ANY,) * (reach.items - len(node.prefix))
            node.items = self._node(read["unevaluatedItems"])

    def _late(self, node: Node, schema: SchemaDict, read: SchemaDict) -> None:
        for keyword, kinds in _LATE.items():
            if keyword in read:
                node.late |= kinds
                self._judge(node, schema)
        # References that only the evaluator follows must exist, too.
        for keyword in ("not", "if", "contains"):
            self._node(read.get(keyword, True))
        for each in read.get("dependentSchemas", {}).values():
            self._node(each)

    def _judge(self, node: Node, schema: SchemaDict) -> None:
        refusing = self._evaluator.refusing
        node.judge = lambda value, _source, known: refusing(schema, value, known)


def _refers(schema: Any) -> bool:
    """Return whether `schema`, or one in it, refers to another."""
    if not isinstance(schema, dict):
        return False
    return not _REFERENCES.isdisjoint(schema) or any(_refers(sub) for _, sub in subschemas(schema))


def _certain(schema: SchemaDict | bool) -> int:
    """Return the kinds of which `schema`, a type or a boolean, allows every value."""
    if isinstance(schema, bool):
        return n.ANYTHING if schema else 0
    names = listed(schema.get("type", list(_TYPES)))
    return _union(_TYPES[name] for name in names if name not in ("integer", WRITTEN))


def _union(masks: Iterable[int]) -> int:
    return reduce(or_, masks, 0)


def _numbers(node: Node, read: SchemaDict) -> None:
    """Set what the beginning of a number decides."""
    asked = {keyword for keyword, _ in node.number_checks}
    low, high = read.get("minimum", -inf), read.get("maximum", inf)
    if asked <= {"type", "minimum", "maximum"}:
        node.whole = low, high
    above, below = read.get("exclusiveMinimum", -inf), read.get("exclusiveMaximum", inf)
    types = read.get("type", ())
    written = "type" in asked and WRITTEN in types
    multiple = read.get("multipleOf")
    step = multiple if isinstance(multiple, int) else int("type" in asked)
    values = [read["const"]] if "const" in read else read.get("enum")
    node.digits = digits_of(
        node.number_checks,
        (max(low, above), min(high, below), above >= low, below <= high),
        step=step,
        written=written,
        values=values and [value for value in values if n.kind_of(value) == n.NUMBER],
    )
