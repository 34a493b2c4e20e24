"""The early schema of a pydantic model: which beginnings no accepted value can have.

It is derived from the model's core schema, not from its JSON Schema, which describes the intended
values and not what a lax model accepts (`"5"` for an int). If a validator may convert one kind of
value into another, anything may come. The model itself validates each closed element of an
outermost list, and finally the whole.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from functools import cached_property
from typing import Any, TypeAlias, cast

from pydantic import TypeAdapter, ValidationError
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import SchemaValidator

from guardstream.jsonstream.schema import nodes as n
from guardstream.jsonstream.schema.dialects import DRAFT_2020
from guardstream.jsonstream.schema.expected import Expectations
from guardstream.jsonstream.schema.nodes import ANY, NEVER, Choice, Node
from guardstream.jsonstream.schema.refs import References
from guardstream.jsonstream.schema.schema import Verdict
from guardstream.jsonstream.schema.unions import Unions, choices, fields

Core: TypeAlias = Mapping[str, Any]

_SCALARS = 1 << n.STRING | 1 << n.NUMBER | 1 << n.TRUE | 1 << n.FALSE
_BOOLEANS = 1 << n.TRUE | 1 << n.FALSE
_LISTED = _SCALARS | 1 << n.NULL
"""The kinds of a literal or enum that has other values than strings."""

_SCALAR_TYPES = (
    "int", "float", "decimal", "bool", "date", "time", "datetime", "timedelta", "url",
    "multi-host-url", "uuid", "bytes", "complex",
)  # fmt: skip

_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
"""A number as RFC 8259 writes it."""

_UNION = "union"
"""The keyword for a value for which pydantic would try the choices of unions too often."""

_INNER = {
    "default": "schema",
    "function-after": "schema",
    "custom-error": "schema",
    "json-or-python": "json_schema",
}


class EarlySchema:
    """A model's early schema, without validation by the model."""

    def __init__(self, model: Any, *, judge_items: bool = False) -> None:
        self._adapter: TypeAdapter[Any]
        self._adapter = model if isinstance(model, TypeAdapter) else TypeAdapter(model)
        self._node = early(self._adapter.core_schema, judge_items=judge_items)
        self._unions = Unions(self._adapter.core_schema)

    @property
    def reads_source(self) -> bool:
        """Models validate JSON text, whose rules differ from those for Python values."""
        return True

    @property
    def node(self) -> Node:
        """The node that decides what can be decided while the document arrives."""
        return self._node

    def explain(
        self,
        path: list[str | int],
        keyword: str,
        value: Any,
        by: Any = None,
    ) -> tuple[str, str]:
        """Return the pointer to what was refused, and what its JSON Schema says.

        Keys that this does not name are given by position: all, if the model has none.
        """
        known = self._expected or _expectations({})
        return known.pointer(path, value), self._words(path, keyword, by)

    def _words(self, path: list[str | int], keyword: str, by: Any) -> str:
        """Return the expectation of the model's JSON Schema; only the keyword if it has none."""
        if keyword == _UNION:
            return "less nesting of the model's unions, which have no discriminator"
        if by and keyword in by:
            return _expectations(by).words([], keyword)
        expected = self._expected
        if expected is None:
            return keyword
        if keyword == "str" or keyword in _SCALAR_TYPES:
            return f"{keyword} {expected.value(path)}".rstrip()
        return expected.words(path, keyword)

    @cached_property
    def _expected(self) -> Expectations | None:
        """The model's JSON Schema, created when something is refused; None if it has none."""
        try:
            return _expectations(self._adapter.json_schema(schema_generator=_Quiet))
        except Exception:  # user code may raise anything
            return None

    def verdict(self, value: Any, text: str, *, followed: bool = False) -> Verdict:  # noqa: ARG002
        """Return None if the model may be built, because its builder gets the verdict."""
        return (_UNION, []) if self._unions.too_many(value, len(text)) else None


class ModelSchema(EarlySchema):
    """What a document is checked against if it is to become a `model`, any type that pydantic
    knows."""

    def __init__(self, model: Any) -> None:
        super().__init__(model, judge_items=True)

    def verdict(self, value: Any, text: str, *, followed: bool = False) -> Verdict:
        """Return the model's verdict on the whole document."""
        refused = super().verdict(value, text, followed=followed)
        return refused or _verdict(self._adapter.validate_json, text, value)


class _Quiet(GenerateJsonSchema):
    """Generates JSON Schemas without warnings, because the user did not ask for one."""

    def emit_warning(self, kind: Any, detail: str) -> None:
        pass


def _expectations(schema: dict[str, Any]) -> Expectations:
    return Expectations(schema, References(schema, DRAFT_2020))


def _verdict(validate: Callable[[str], object], text: str, value: Any = None) -> Verdict:
    """Return the verdict on a text; `value` is what it says, needed only for the path."""
    try:
        validate(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        return first["type"], _path(first["loc"], value)
    return None


def _path(location: Sequence[str | int], value: Any) -> list[str | int]:
    """Return the path in `value` to pydantic's `location`, which also names branches of unions, and
    members that are missing."""
    path: list[str | int] = []
    for part in location:
        if isinstance(value, list):
            inside = isinstance(part, int) and part < len(value)
        else:
            inside = isinstance(value, dict) and part in value
        if inside:
            path.append(part)
            value = value[part]
    return path


def early(core: Core, *, judge_items: bool = True) -> Node:
    """Return the node of pydantic's core schema `core`, with a judge for elements that are
    models."""
    translator = _Translator()
    node = translator.node(core, {}, judge_items)
    n.settle(translator.nodes)
    for each in translator.nodes:
        each.seal()
    return node


class _Translator:
    def __init__(self) -> None:
        self._definitions: dict[str, Core] = {}
        self._known: dict[tuple[str, bool], Node] = {}
        self.nodes: list[Node] = []

    def node(self, core: Core, config: Core, outer: bool) -> Node:
        """Return the node of `core` under a model's `config`; `outer` if it is not inside an
        element."""
        kind = core["type"]
        if kind == "definitions":
            self._definitions |= {each["ref"]: each for each in core["definitions"]}
            return self.node(core["schema"], config, outer)
        if kind == "definition-ref":
            definition = self._definitions.get(core["schema_ref"])
            return self.node(definition, config, outer) if definition else ANY
        key = core.get("ref", ""), outer
        if key[0] and key in self._known:
            return self._known[key]
        node = Node()
        if key[0]:
            self._known[key] = node
        self.nodes.append(node)
        self._fill(node, core, config, outer)
        return node

    def _fill(self, node: Node, core: Core, config: Core, outer: bool) -> None:
        kind = core["type"]
        if core.get("on_error", "raise") != "raise":
            return  # invalid values are replaced, not refused
        if kind in _INNER:
            node.all_of = (self.node(core[_INNER[kind]], config, outer),)
        elif kind in ("model", "dataclass"):
            if not core.get("custom_init"):
                inner = {**core.get("config", {})}
                node.all_of = (self.node(core["schema"], inner, outer),)
        elif kind in ("model-fields", "typed-dict", "dataclass-args"):
            self._object(node, core, config, outer)
        elif kind == "dict":
            node.mask = 1 << n.OBJECT
            # The value of a key that is left out may be anything.
            if "values_schema" in core and not self._may_omit(core.get("keys_schema")):
                node.extra = self.node(core["values_schema"], config, outer)
        elif kind in ("list", "set", "frozenset", "tuple"):
            self._array(node, core, config, outer)
        elif kind in ("nullable", "union", "tagged-union"):
            self._union(node, core, config, outer)
        else:
            _fill_scalar(node, core, config)

    def _object(self, node: Node, core: Core, config: Core, outer: bool) -> None:
        node.mask = 1 << n.OBJECT
        required = []
        for name, each in fields(core):
            if each.get("init") is False:
                continue  # a dataclass's own: a member of that name is one more
            keys = _keys(name, each, config)
            child = self.node(each["schema"], config, outer)
            for key in keys:
                # If a field has several names, the value under one of them may be unused.
                plain = len(keys) == 1 and key not in node.names
                node.names[key] = child if plain else ANY
            optional = each["schema"]["type"] == "default" or each.get("required") is False
            if len(keys) == 1 and not optional and core["type"] == "model-fields":
                required += keys
        node.required = tuple(required)
        extra = core.get("extra_behavior") or config.get("extra_fields_behavior")
        if extra == "forbid":
            node.extra = NEVER
        node.schema = {"properties": {key: {} for key in node.names}, "required": required}
        node.schema |= {"additionalProperties": False} if extra == "forbid" else {}

    def _array(self, node: Node, core: Core, config: Core, outer: bool) -> None:
        node.mask = 1 << n.ARRAY
        items = core.get("items_schema")
        if core["type"] == "tuple":
            if core.get("variadic_item_index") is None:
                node.prefix = tuple(self.node(each, config, False) for each in items or ())
                node.max_items = len(node.prefix)
        elif items:
            cls = self._model(items)
            judges = outer and cls is not None
            node.items = self.node(items, config, outer and not judges)
            node.item_judge = _judge(cls) if judges else None
        if core["type"] == "list" and not self._may_omit(items):
            node.max_items = core.get("max_length")

    def _may_omit(self, core: Core | None) -> bool:
        """Return whether invalid values are left out, and so do not count as elements."""
        if core is None:
            return False
        kind = core["type"]
        if kind == "definition-ref":
            return self._may_omit(self._definitions.get(core["schema_ref"]))
        if kind in ("union", "tagged-union"):
            return any(self._may_omit(each) for each in choices(core) if isinstance(each, Mapping))
        inner = None if kind in ("model", "dataclass") else core.get(_INNER.get(kind, "schema"))
        return core.get("on_error") == "omit" or self._may_omit(inner)

    def _model(self, core: Core) -> Any:
        """Return the model class that `core` leads to, if there is one."""
        while core["type"] == "definition-ref":
            core = self._definitions.get(core["schema_ref"], {"type": "any"})
        return core["cls"] if core["type"] == "model" else None

    def _union(self, node: Node, core: Core, config: Core, outer: bool) -> None:
        if core["type"] == "nullable":
            branches = [
                self.node(core["schema"], config, outer),
                Node(mask=1 << n.NULL, allows=1 << n.NULL),
            ]
        else:
            branches = [
                self.node(each, config, outer) if isinstance(each, Mapping) else ANY
                for each in choices(core)
            ]
        node.choices = (Choice(tuple(branches)),)


def _judge(cls: Any) -> n.Judge:
    validate = cls.__pydantic_validator__.validate_json
    unions = Unions(cls.__pydantic_core_schema__)

    def judge(value: Any, source: Callable[[], str], _known: object) -> str | None:
        text = source()
        refused = unions.too_many(value, len(text)) or _verdict(validate, text)
        return "model" if refused else None

    return judge


def _keys(name: str, field: Core, config: Core) -> list[str]:
    """Return the first keys under which a field's value may be."""
    alias = field.get("validation_alias")
    if alias is None:
        return [name]
    by_name = config.get("validate_by_name") or config.get("populate_by_name")
    keys = [name] if by_name else []
    if isinstance(alias, str):
        if config.get("validate_by_alias", True):
            keys.append(alias)
        return keys
    paths = alias if isinstance(alias[0], list) else [alias]
    # Two entries, like a field with several names, because the value may be nested deeper.
    return [*keys, *(str(path[0]) for path in paths), name]


def _fill_scalar(node: Node, core: Core, config: Core) -> None:
    kind = core["type"]
    strict = core.get("strict", config.get("strict", False))
    if kind == "none":
        node.mask = 1 << n.NULL
    elif kind == "str":
        numbers = core.get("coerce_numbers_to_str", config.get("coerce_numbers_to_str"))
        node.mask = _SCALARS if numbers else 1 << n.STRING
        strips = core.get("strip_whitespace", config.get("str_strip_whitespace"))
        node.max_length = None if strips else core.get("max_length")
    elif kind == "literal":
        _one_of(node, core["expected"])
    elif kind == "enum" and not _has_missing(core["cls"]):
        _one_of(node, [member.value for member in core["members"]])
    elif kind in _SCALAR_TYPES:
        node.mask = _SCALARS
        if strict and kind in ("int", "bool"):
            node.mask = 1 << n.NUMBER if kind == "int" else _BOOLEANS
    if kind == "str" or kind in _SCALAR_TYPES:
        node.judge = _scalar_judge(core, config, kind)
        node.late = _SCALARS
    elif node.mask == _LISTED:
        node.judge = _scalar_judge(core, config, "enum")
        node.late = _LISTED


def _scalar_judge(core: Core, config: Core, keyword: str) -> n.Judge:
    """Return a judge of a field of a simple type, as soon as its value is complete."""
    validate = SchemaValidator(cast(Any, core), cast(Any, config)).validate_json

    def judge(value: Any, source: Callable[[], str], _known: object) -> str | None:
        # A number is judged as it is written; its text includes the character that ends it, which
        # may be any, such as the quote of a member after a missing comma.
        number = isinstance(value, int | float) and not isinstance(value, bool)
        written = _NUMBER.match(source()) if number else None
        text = written[0] if written else json.dumps(value)
        return keyword if _verdict(validate, text) else None

    return judge


def _has_missing(cls: type[Enum]) -> bool:
    """Return whether an enum can create a member from an unknown value: then anything may come."""
    own = next(each for each in cls.__mro__ if "_missing_" in vars(each))
    return own.__module__ != Enum.__module__


def _one_of(node: Node, values: list[Any]) -> None:
    if all(isinstance(value, str) and not isinstance(value, Enum) for value in values):
        node.mask = 1 << n.STRING
        node.texts = tuple(sorted(values))
        return
    plain = [value.value if isinstance(value, Enum) else value for value in values]
    if all(isinstance(value, str | int | float | bool | None) for value in plain):
        node.mask = _LISTED
