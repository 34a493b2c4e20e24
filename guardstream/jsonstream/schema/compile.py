"""From a JSON Schema (draft 2020-12) to nodes: each keyword to the earliest place that decides it.

What no node can decide early is given to jsonschema-rs, which also has the last word on the whole.
Patterns run in its linear engine; a pattern that this engine cannot run is refused when loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import reduce
from operator import or_
from typing import Any
from urllib.parse import quote

import jsonschema_rs

from guardstream.jsonstream.schema import nodes as n
from guardstream.jsonstream.schema.errors import SchemaError
from guardstream.jsonstream.schema.nodes import ANY, NEVER, Choice, Node
from guardstream.jsonstream.schema.refs import ROOT, References, Schema

_TYPES = {
    "object": 1 << n.OBJECT,
    "array": 1 << n.ARRAY,
    "string": 1 << n.STRING,
    "number": 1 << n.NUMBER,
    "integer": 1 << n.NUMBER,
    "boolean": 1 << n.TRUE | 1 << n.FALSE,
    "null": 1 << n.NULL,
}
_LATE = {
    "not": n.ANYTHING,
    "if": n.ANYTHING,
    "contains": 1 << n.ARRAY,
    "unevaluatedItems": 1 << n.ARRAY,
    "dependentRequired": 1 << n.OBJECT,
    "dependentSchemas": 1 << n.OBJECT,
    "dependencies": 1 << n.OBJECT,
    "unevaluatedProperties": 1 << n.OBJECT,
}
_NUMBERS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
_OPTIONS = jsonschema_rs.RegexOptions()


def validator(schema: Schema | bool, root: Schema | None = None) -> jsonschema_rs.Validator:
    """The jsonschema-rs validator for `schema`, whose references may lead into `root`."""
    registry = None if root is None else jsonschema_rs.Registry([(ROOT, root)])
    try:
        return jsonschema_rs.Draft202012Validator(
            schema, pattern_options=_OPTIONS, registry=registry, offline=True
        )
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as error:
        place = "/".join(str(part) for part in getattr(error, "instance_path", ()))
        raise SchemaError(f"/{place}: {_why(error)}") from error


def _why(error: Exception) -> str:
    first = str(error).partition("\n")[0]
    if first.endswith('is not a "regex"'):
        return "a pattern must run in linear time: no look-around, no back-reference"
    return f"not a valid schema: {first}"


class Compiler:
    """Compiles one schema. Each subschema becomes one node, however often it is referred to."""

    def __init__(self, root: Schema) -> None:
        self._root = root
        self._references = References(root)
        self._nodes: dict[int, Node] = {}

    def compile(self) -> Node:
        """The node of the root. Raises SchemaError for what cannot be checked."""
        node = self._node(self._root)
        if self._references.dynamic():  # a judge of a part would not know how the part was reached
            for each in self._nodes.values():
                each.late = 0
        return node

    def _node(self, schema: Any) -> Node:
        if isinstance(schema, bool):
            return ANY if schema else NEVER
        known = self._nodes.get(id(schema))
        if known:
            return known
        node = self._nodes[id(schema)] = Node()
        if not self._references.foreign(schema):
            self._in_place(node, schema)
            self._values(node, schema)
            self._strings_and_numbers(node, schema)
            self._objects(node, schema)
            self._arrays(node, schema)
            self._unevaluated(node, schema)
            self._late(node, schema)
            node.seal()
        return node

    def _in_place(self, node: Node, schema: Schema) -> None:
        same = [self._node(each) for each in schema.get("allOf", ())]
        if "$ref" in schema:
            same += self._target(self._references.resolve(schema, schema["$ref"]))
        if "$dynamicRef" in schema:
            same += self._target(self._references.resolve_dynamic(schema, schema["$dynamicRef"]))
        node.all_of = tuple(same)
        choices = []
        for keyword in ("anyOf", "oneOf"):
            if keyword in schema:
                branches = tuple(self._node(each) for each in schema[keyword])
                choices.append(Choice(branches, keyword == "oneOf"))
        if "if" in schema and ("then" in schema or "else" in schema):
            then = Node(all_of=(self._node(schema["if"]), self._node(schema.get("then", True))))
            choices.append(Choice((then, self._node(schema.get("else", True)))))
        node.choices = tuple(choices)
        if "oneOf" in schema:
            self._judge(node, schema)

    def _target(self, schema: Schema | bool | None) -> list[Node]:
        return [] if schema is None else [self._node(schema)]

    def _values(self, node: Node, schema: Schema) -> None:
        denied = schema.get("not")
        if isinstance(denied, bool) or (denied is not None and set(denied) <= {"type"}):
            node.mask &= ~_certain(denied)
        if "type" in schema:
            types = schema["type"]
            names = [types] if isinstance(types, str) else types
            node.mask &= _union(_TYPES[name] for name in names)
            if "integer" in names and "number" not in names:
                node.number_checks += (("type", _is_integer),)
        for keyword in ("enum", "const"):
            if keyword in schema:
                values = schema[keyword] if keyword == "enum" else [schema[keyword]]
                self._one_of_values(node, keyword, values)

    def _one_of_values(self, node: Node, keyword: str, values: list[Any]) -> None:
        node.mask &= _union(1 << n.kind_of(value) for value in values)
        if any(isinstance(value, dict | list) for value in values):
            node.choices += (Choice(tuple(map(n.constant, values))),)
            return
        texts = {value for value in values if isinstance(value, str)}
        node.texts = tuple(sorted(texts if node.texts is None else texts.intersection(node.texts)))
        numbers = [value for value in values if n.kind_of(value) == n.NUMBER]
        node.number_checks += ((keyword, numbers.__contains__),)

    def _strings_and_numbers(self, node: Node, schema: Schema) -> None:
        if "maxLength" in schema:
            node.max_length = int(schema["maxLength"])
        node.min_length = int(schema.get("minLength", 0))
        if "pattern" in schema:
            node.text_checks += (("pattern", _check({"pattern": schema["pattern"]})),)
        for keyword in _NUMBERS:
            if keyword in schema:
                check = _check({keyword: schema[keyword]})
                node.number_checks += ((keyword, check),)

    def _objects(self, node: Node, schema: Schema) -> None:
        node.names = {k: self._node(v) for k, v in schema.get("properties", {}).items()}
        node.patterns = tuple(
            (_check({"pattern": pattern}), self._node(each))
            for pattern, each in schema.get("patternProperties", {}).items()
        )
        if "additionalProperties" in schema:
            node.extra = self._node(schema["additionalProperties"])
        node.required = tuple(schema.get("required", ()))
        if "maxProperties" in schema:
            node.max_properties = int(schema["maxProperties"])
        node.min_properties = int(schema.get("minProperties", 0))
        if "propertyNames" in schema:
            names = schema["propertyNames"]
            self._node(names)  # refuses what cannot be resolved
            node.name_check = self._checker(names)

    def _arrays(self, node: Node, schema: Schema) -> None:
        node.prefix = tuple(self._node(each) for each in schema.get("prefixItems", ()))
        if "items" in schema:
            node.items = self._node(schema["items"])
        if "maxItems" in schema:
            node.max_items = int(schema["maxItems"])
        node.min_items = int(schema.get("minItems", 0))
        node.unique = schema.get("uniqueItems", False)

    def _unevaluated(self, node: Node, schema: Schema) -> None:
        """Take a name or index that no applied schema can evaluate for unevaluated at once."""
        if "unevaluatedProperties" not in schema and "unevaluatedItems" not in schema:
            return
        reach = self._references.reach(schema)
        if "unevaluatedProperties" in schema and not reach.any_name:
            node.names = dict.fromkeys(reach.names, ANY) | node.names
            node.patterns += tuple((_check({"pattern": each}), ANY) for each in reach.patterns)
            node.extra = self._node(schema["unevaluatedProperties"])
        if "unevaluatedItems" in schema and not reach.any_item:
            node.prefix += (ANY,) * (reach.items - len(node.prefix))
            node.items = self._node(schema["unevaluatedItems"])

    def _late(self, node: Node, schema: Schema) -> None:
        for keyword, kinds in _LATE.items():
            if keyword in schema:
                node.late |= kinds
                node.late_keyword = node.late_keyword or keyword
                self._judge(node, schema)

    def _judge(self, node: Node, schema: Schema) -> None:
        check = self._checker(schema)
        node.judge = lambda value, _source: check(value)

    def _checker(self, schema: Schema | bool) -> Callable[[Any], bool]:
        if isinstance(schema, bool):
            return lambda _: schema
        pointer = self._references.pointer_of(schema)
        return _Lazy({"$ref": f"{ROOT}#{quote(pointer)}"}, self._root)


class _Lazy:
    """A check by jsonschema-rs that is compiled when it is first needed."""

    def __init__(self, schema: Schema, root: Schema) -> None:
        self._schema = schema
        self._root = root
        self._valid: Callable[[Any], bool] | None = None

    def __call__(self, value: Any) -> bool:
        if self._valid is None:
            self._valid = validator(self._schema, self._root).is_valid
        return self._valid(value)


def _check(schema: Schema) -> Callable[[Any], bool]:
    return validator(schema).is_valid


def _is_integer(value: float) -> bool:
    return isinstance(value, int) or value.is_integer()


def _certain(schema: Schema | bool) -> int:
    """The kinds of which `schema`, a type or a boolean, allows every value."""
    if isinstance(schema, bool):
        return n.ANYTHING if schema else 0
    types = schema.get("type", list(_TYPES))
    names = [types] if isinstance(types, str) else types
    return _union(_TYPES[name] for name in names if name != "integer")


def _union(masks: Iterable[int]) -> int:
    return reduce(or_, masks, 0)
