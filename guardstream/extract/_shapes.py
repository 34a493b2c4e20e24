"""Shapes: how a growing object or array becomes its declared type, such as a model or a list.

A shape knows the type of each member or element, and builds the value of the content so far. The
branches of a union are told apart by the members that have arrived: by a literal that only one
branch allows, or by a key that closed models do not have.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import (
    Collection,
    Iterable,
    Mapping,
    MutableMapping,
    MutableSequence,
    Sequence,
)
from functools import lru_cache
from types import UnionType
from typing import (
    Annotated,
    Any,
    Literal,
    TypeAlias,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from pydantic import (
    AliasChoices,
    AliasGenerator,
    BaseModel,
    ConfigDict,
    OnErrorOmit,
    PydanticSchemaGenerationError,
    PydanticUserError,
    RootModel,
    TypeAdapter,
    ValidationError,
)
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined, SchemaError

from guardstream.extract._errors import MISSING

Path: TypeAlias = tuple[str | int, ...]

ABSENT: Any = object()


class Shape:
    """The shape of `Any`: values stay plain.

    `omits` says that invalid values may be left out; `config` is the configuration of its class.
    """

    omits = False
    config: ConfigDict | None = None

    def member(self, key: str) -> Any:
        """Return the declared type of a member."""
        del key
        return Any

    def element(self, index: int) -> Any:
        """Return the declared type of an element."""
        del index
        return Any

    def key(self, text: str) -> Any:
        """Return a complete key as its declared type; ABSENT if its member is left out."""
        return text

    def build(self, values: Any) -> Any:
        """Return the value of the members or elements so far."""
        return values

    def complete(self, values: Any, declared: Any) -> Any:
        """Return the value of all members or elements; pydantic makes it if `build` does not know
        its type."""
        return typed(values, declared)

    def decided(self, values: Any) -> Shape:
        """Return the shape that is still possible, given the members that have arrived."""
        del values
        return self


PLAIN = Shape()


class _Values(Shape):
    """A dict or an array whose values have one type; a dict's keys may have another."""

    def __init__(self, inner: Any, keys: Any = str, *, plain: bool) -> None:
        self._inner = inner
        self._keys = keys
        self._plain = plain
        self.omits = may_be_omitted(inner)

    def key(self, text: str) -> Any:
        if may_be_omitted(self._keys):
            return next(iter(kept(text, self._keys, None)), ABSENT)
        return typed_scalar(text, self._keys)

    def member(self, key: str) -> Any:
        del key
        return self._inner

    def element(self, index: int) -> Any:
        del index
        return self._inner

    def complete(self, values: Any, declared: Any) -> Any:
        return values if self._plain else typed(values, declared)


class _Tuple(Shape):
    """An array with a type for each element."""

    def __init__(self, inner: tuple[Any, ...]) -> None:
        self._inner = inner
        self.omits = any(map(may_be_omitted, inner))

    def element(self, index: int) -> Any:
        return self._inner[index] if index < len(self._inner) else Any

    def complete(self, values: Any, declared: Any) -> Any:
        # Once an element was left out, later ones are no longer at their places.
        return tuple(values) if self.omits else typed(values, declared)


class Record(Shape):
    """An object with named fields; `tags` are the literals that distinguish it from others."""

    def __init__(self, types: dict[str, Any], *, closed: bool = False) -> None:
        self._types = types
        self._closed = closed
        self.omits = any(map(may_be_omitted, types.values()))
        found = {key: _literals(kind) for key, kind in types.items()}
        self.tags = {key: values for key, values in found.items() if values}

    def member(self, key: str) -> Any:
        return self._types.get(key, Any)

    def fits(self, values: dict[str, Any]) -> bool:
        """Return whether an object with these members may be of this shape."""
        if self._closed and any(key not in self._types for key in values):
            return False
        return all(
            values[key] in allowed for key, allowed in self.tags.items() if _is_scalar(values, key)
        )

    def complete(self, values: Any, declared: Any) -> Any:
        del declared
        return self.build(values)


class _Model(Record):
    """A model, created without validation: fields that have not arrived have a default
    or MISSING."""

    def __init__(self, model: type[BaseModel]) -> None:
        self._model = model
        self.config = model.model_config
        self._paths = _paths(model.model_fields, model.model_config)
        types = {name: _declared_type(info) for name, info in model.model_fields.items()}
        closed = model.model_config.get("extra") == "forbid" and _all_short(self._paths)
        super().__init__(_by_key(self._paths, types), closed=closed)

    def build(self, values: Any) -> Any:
        opened = self._model.model_config.get("extra") == "allow"
        extra = _extra(values, self._paths) if opened else None
        return _made(self._model, _came(values, self._paths), extra)


class _Root(Shape):
    """A root model, which wraps another type."""

    def __init__(self, model: type[RootModel[Any]], inner: Shape) -> None:
        self._model = model
        self._inner = inner
        self.omits = inner.omits
        self.config = model.model_config

    def key(self, text: str) -> Any:
        return self._inner.key(text)

    def member(self, key: str) -> Any:
        return self._inner.member(key)

    def element(self, index: int) -> Any:
        return self._inner.element(index)

    def build(self, values: Any) -> Any:
        return _made(self._model, {"root": self._inner.build(values)})

    def complete(self, values: Any, declared: Any) -> Any:
        declared = _declared_type(self._model.model_fields["root"])
        return _made(self._model, {"root": self._inner.complete(values, declared)})

    def decided(self, values: Any) -> Shape:
        inner = self._inner.decided(values)
        return self if inner is self._inner else _Root(self._model, inner)


class _Dataclass(Record):
    """A dataclass, created without calling its `__init__`."""

    def __init__(self, kind: Any) -> None:
        self._cls = cls = get_origin(kind) or kind
        hints = _hints(kind)
        self.config = getattr(cls, "__pydantic_config__", None)
        self._paths: dict[str, tuple[Path, ...]]
        own = {each.name: ((each.name,),) for each in dataclasses.fields(cls)}
        named = own | _paths(getattr(cls, "__pydantic_fields__", {}), self.config or {})
        self._paths = {each.name: named[each.name] for each in dataclasses.fields(cls) if each.init}
        super().__init__(_by_key(self._paths, hints))

    def build(self, values: Any) -> Any:
        made = self._cls.__new__(self._cls)
        fields: dict[str, Any] = {}
        for each in dataclasses.fields(self._cls):
            value = _first(values, self._paths.get(each.name, ()))
            fields[each.name] = _declared(each, fields) if value is ABSENT else value
            object.__setattr__(made, each.name, fields[each.name])
        return made


class _TypedDict(Record):
    """A typed dict: the keys that pydantic keeps, by the names of its fields."""

    def __init__(self, kind: Any) -> None:
        origin = get_origin(kind) or kind
        self.config = getattr(origin, "__pydantic_config__", None)
        config = self.config or {}
        hints = _hints(kind)
        fields = {name: FieldInfo.from_annotation(each) for name, each in hints.items()}
        for name, info in fields.items():
            _add_alias(name, info, config.get("alias_generator"))
        self._paths = _paths(fields, config)
        self._open = config.get("extra") == "allow"
        super().__init__(_by_key(self._paths, hints))

    def build(self, values: Any) -> Any:
        extra = {} if not self._open else _extra(values, self._paths)
        return _came(values, self._paths) | extra


class Undecided(Shape):
    """One of several records, until only one is possible."""

    def __init__(self, branches: list[Record]) -> None:
        self._branches = branches
        self.omits = any(each.omits for each in branches)

    def member(self, key: str) -> Any:
        kinds = [each.member(key) for each in self._branches]
        return kinds[0] if all(kind == kinds[0] for kind in kinds) else Any

    def decided(self, values: Any) -> Shape:
        self._branches = [each for each in self._branches if each.fits(values)]
        if len(self._branches) == 1:
            return self._branches[0]
        return self if self._branches else PLAIN


def shape(kind: Any, *, is_object: bool) -> Shape:
    """Return the shape of an object, or an array, of the type `kind`."""
    found = [each for branch in branches(kind) if (each := _shape(branch, is_object)) is not None]
    if len(found) == 1:
        return found[0]
    records = [each for each in found if isinstance(each, Record)]
    return Undecided(records) if records and len(records) == len(found) else PLAIN


def _shape(kind: Any, is_object: bool) -> Shape | None:
    """Return the shape of one branch; None if it is not one of an object or array."""
    origin, arguments = get_origin(kind) or kind, get_args(kind)
    if _is_class(kind, RootModel):
        return _Root(kind, shape(kind.model_fields["root"].annotation, is_object=is_object))
    if kind is Any:
        return PLAIN
    record = _record(kind)
    if record is not None:
        return record if is_object else None
    if is_object:
        if origin in _DICTS or _is_class(origin, dict):
            values, keys = (arguments[1], arguments[0]) if len(arguments) == 2 else (Any, str)
            return _Values(values, keys, plain=origin in _DICTS)
        return None
    if _is_named_tuple(origin):
        return _Tuple(tuple(_hints(kind).values()))
    if origin is tuple and arguments and arguments[-1] is not ...:
        return _Tuple(arguments)
    if origin is Iterable or (_is_class(origin, Collection) and not _is_class(origin, _NO_ARRAYS)):
        return _Values(arguments[0] if arguments else Any, plain=origin in _LISTS)
    return None


_DICTS = (dict, Mapping, MutableMapping)
_LISTS = (list, Iterable, Collection, Sequence, MutableSequence)
"""The types whose values are plain dicts, or lists, as in JSON."""
_NO_ARRAYS = (str, bytes, bytearray, Mapping)


@lru_cache(maxsize=256)
def _record(kind: Any) -> Record | None:
    if _is_class(kind, BaseModel):
        return _Model(kind)
    origin = get_origin(kind) or kind
    if hasattr(origin, "__required_keys__"):  # also a TypedDict of typing_extensions
        return _TypedDict(kind)
    if isinstance(origin, type) and dataclasses.is_dataclass(origin):
        return _Dataclass(kind)
    return None


def _is_named_tuple(kind: Any) -> bool:
    return _is_class(kind, tuple) and hasattr(kind, "_fields")


def _declared_type(info: FieldInfo) -> Any:
    """Return the type of a model's field, with what pydantic needs to tell its values apart."""
    if info.discriminator is not None:
        return Annotated[info.annotation, info]
    return Annotated[info.annotation, *info.metadata] if info.metadata else info.annotation


def _hints(kind: Any) -> dict[str, Any]:
    """Return the declared types of a class's fields; `kind` may bind its type variables."""
    origin = get_origin(kind) or kind
    variables = dict(zip(getattr(origin, "__parameters__", ()), get_args(kind), strict=False))
    hints = get_type_hints(origin, include_extras=True)
    return {key: _filled(_unqualified(each), variables) for key, each in hints.items()}


def _unqualified(kind: Any) -> Any:
    """Return the type inside `Required[int]`, `NotRequired[int]` or `ReadOnly[int]`."""
    while str(get_origin(kind)).endswith(("Required", "ReadOnly")):
        kind = get_args(kind)[0]
    return kind


def _filled(kind: Any, variables: Mapping[Any, Any]) -> Any:
    """Return a type with its type variables replaced."""
    if isinstance(kind, TypeVar):
        return variables.get(kind, kind)
    free = getattr(kind, "__parameters__", ()) if get_args(kind) else ()
    return kind[tuple(variables.get(each, each) for each in free)] if free else kind


def _open(variable: TypeVar) -> Any:
    """Return the type that pydantic uses for an unbound type variable."""
    if getattr(variable, "has_default", bool)():
        return variable.__default__  # type: ignore[attr-defined]  # of typing_extensions
    if variable.__constraints__:
        return Union[variable.__constraints__]  # noqa: UP007  # of a tuple
    return variable.__bound__ or Any


def branches(kind: Any) -> list[Any]:
    """Return the members of a union, without None."""
    within = _within(kind)
    if within is None:
        return [] if kind is type(None) else [kind]
    return [each for member in within for each in branches(member)]


def _within(kind: Any) -> Iterable[Any] | None:
    """Return the types that a union, an alias or the like stands for."""
    if isinstance(kind, TypeVar):
        return (_open(kind),)
    origin = get_origin(kind)
    alias = origin or kind
    value = getattr(alias, "__value__", None)  # of a `type` statement
    if value is not None:
        variables = zip(alias.__type_params__, get_args(kind), strict=False)
        return (_filled(value, dict(variables)),)
    if origin is Annotated:
        return get_args(kind)[:1]
    return get_args(kind) if origin in (Union, UnionType) else None


def _made(
    model: type[BaseModel], came: dict[str, Any], extra: dict[str, Any] | None = None
) -> BaseModel:
    """Return a model of the fields so far, by their names, without validation.

    `model_construct` would take names for aliases, and call the model's `model_post_init`, which
    may rely on fields that have not arrived.
    """
    made = model.__new__(model)
    fields: dict[str, Any] = {}
    for name, info in model.model_fields.items():
        fields[name] = came[name] if name in came else _default(info, fields)
    object.__setattr__(made, "__dict__", fields)
    object.__setattr__(made, "__pydantic_fields_set__", {*came, *(extra or ())})
    if not issubclass(model, RootModel):
        object.__setattr__(made, "__pydantic_extra__", extra)
        object.__setattr__(made, "__pydantic_private__", _private(model))
    return made


def _default(info: FieldInfo, before: dict[str, Any]) -> Any:
    """Return a field's default; MISSING if it has none, or if the default needs earlier fields."""
    if info.is_required():
        return MISSING
    if not getattr(info, "default_factory_takes_validated_data", False):  # since pydantic 2.10
        return info.get_default(call_default_factory=True)
    if any(value is MISSING for value in before.values()):
        return MISSING
    factory: Any = info.default_factory
    try:
        return factory(before)
    except Exception:  # it was written for strings that are whole
        return MISSING


def _private(model: type[BaseModel]) -> dict[str, Any] | None:
    found = {name: each.get_default() for name, each in model.__private_attributes__.items()}
    return {name: each for name, each in found.items() if each is not PydanticUndefined} or None


def _literals(kind: Any) -> tuple[Any, ...]:
    """Return all values of a literal type; none for any other type."""
    found: list[Any] = []
    for each in branches(kind):
        if get_origin(each) is not Literal:
            return ()
        found += get_args(each)
    return tuple(found)


def _is_scalar(values: dict[str, Any], key: str) -> bool:
    return key in values and not isinstance(values[key], dict | list)


def _is_class(kind: Any, of: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, of)


def _declared(field: dataclasses.Field[Any], before: dict[str, Any]) -> Any:
    """Return the default of a dataclass's field, which may be inside of pydantic's `Field`."""
    if isinstance(field.default, FieldInfo):
        return _default(field.default, before)
    if field.default is not dataclasses.MISSING:
        return field.default
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return MISSING


def _all_short(paths: dict[str, tuple[Path, ...]]) -> bool:
    return all(len(path) == 1 for each in paths.values() for path in each)


def _first(values: Any, paths: tuple[Path, ...]) -> Any:
    """Return the value at the first of several paths that has one."""
    return next((each for path in paths if (each := _at(values, path)) is not ABSENT), ABSENT)


def _came(values: dict[str, Any], paths: dict[str, tuple[Path, ...]]) -> dict[str, Any]:
    """Return the values of fields that have arrived, by their names."""
    found = {name: _first(values, each) for name, each in paths.items()}
    return {name: each for name, each in found.items() if each is not ABSENT}


def _extra(values: dict[str, Any], paths: dict[str, tuple[Path, ...]]) -> dict[str, Any]:
    """Return the values that have arrived and belong to no field."""
    known = {path[0] for each in paths.values() for path in each}
    return {key: each for key, each in values.items() if key not in known}


def _by_key(paths: dict[str, tuple[Path, ...]], types: dict[str, Any]) -> dict[str, Any]:
    """Return the types of fields, by their keys in the JSON."""
    return {
        str(path[0]): types[name] for name, each in paths.items() for path in each if len(path) == 1
    }


def _at(value: Any, path: Path) -> Any:
    """Return the value at a path of keys and indices."""
    for part in path:
        if not isinstance(value, dict | list):
            return ABSENT
        try:
            value = value[part]  # type: ignore[index]  # a wrong kind of key is a TypeError
        except (KeyError, IndexError, TypeError):
            return ABSENT
    return value


def _paths(
    fields: Mapping[str, FieldInfo], config: Mapping[str, Any]
) -> dict[str, tuple[Path, ...]]:
    """Return the paths in the JSON at which a field's value may be, in the order in which pydantic
    tries them."""
    by_name = config.get("populate_by_name") or config.get("validate_by_name")
    by_alias = config.get("validate_by_alias", True)
    found: dict[str, tuple[Path, ...]] = {}
    for name, info in fields.items():
        alias = info.validation_alias
        paths: list[Path] = []
        if by_alias and alias is not None:
            choices = alias.choices if isinstance(alias, AliasChoices) else [alias]
            paths = [(each,) if isinstance(each, str) else tuple(each.path) for each in choices]
        if by_name or alias is None:
            paths.append((name,))
        found[name] = tuple(paths)
    return found


def _add_alias(name: str, info: FieldInfo, generator: Any) -> None:
    """Set the alias of a field that the configuration of its class generates."""
    if generator is None or info.validation_alias is not None:
        return
    if isinstance(generator, AliasGenerator):
        alias, validation, _ = generator.generate_aliases(name)
        info.validation_alias = validation or alias
    else:
        info.validation_alias = generator(name)


_MOST_TYPES = 1_024
_types: dict[int, tuple[Any, TypeAdapter[Any]]] = {}
"""Types and their adapters, by the identities of the types. The type is there to stay alive."""


def adapter(declared: Any) -> TypeAdapter[Any]:
    """Return the adapter for a declared type; TypeError if it cannot be hashed."""
    known = _types.get(id(declared))
    if known is None:
        if len(_types) >= _MOST_TYPES:
            _types.clear()
        known = _types[id(declared)] = declared, _adapter(declared, repr(declared))
    return known[1]


@lru_cache(maxsize=_MOST_TYPES)
def _adapter(declared: Any, written: str) -> TypeAdapter[Any]:
    """Return the adapter of a type. `written` distinguishes unions of the same types in another
    order: they are equal, but pydantic tries the types in order."""
    del written
    return TypeAdapter(declared)


def typed_scalar(plain: Any, declared: Any, written: str | None = None) -> Any:
    """Return a complete scalar as its declared type; `plain` if the type rejects it. `written` is a
    number as the text has it."""
    kinds = branches(declared)
    # In a union with a type such as `date`, or in the mode "left_to_right", pydantic may prefer
    # another type.
    smart = len(kinds) == 1 or get_origin(declared) is not Annotated
    if declared is Any or (type(plain) in kinds and smart and _PLAIN.issuperset(kinds)):
        return plain
    try:
        return adapter(declared).validate_json(written or json.dumps(plain))
    except REFUSALS:
        return plain


def may_be_omitted(declared: Any) -> bool:
    """Return whether an invalid value is left out: only at a value's end is it known whether the
    value stays."""
    if _is_class(declared, RootModel):
        return may_be_omitted(_declared_type(declared.model_fields["root"]))
    if get_origin(declared) is Annotated and _OMITS in get_args(declared):
        return True
    return any(map(may_be_omitted, _within(declared) or ()))


def kept(plain: Any, declared: Any, config: ConfigDict | None) -> list[Any]:
    """Return a list of a complete value as its declared type; an empty list if the value is
    omitted, or can only be validated with the whole.

    `config` is that of the class around it, which may be strict.
    """
    try:
        written = json.dumps([plain])
    except TypeError:  # something in it has its type already
        return [plain]
    try:
        found: list[Any] = _list_of(declared, config).validate_json(written)
    except REFUSALS:
        return []
    return found


_lists: dict[tuple[int, int], tuple[Any, ConfigDict | None, TypeAdapter[Any]]] = {}
"""Types, configurations and the adapters for lists of the types, by the identities of both."""


def _list_of(declared: Any, config: ConfigDict | None) -> TypeAdapter[Any]:
    known = _lists.get((id(declared), id(config)))
    if known is None:
        if len(_lists) >= _MOST_TYPES:
            _lists.clear()
        made = TypeAdapter(list[declared], config=config)
        known = _lists[id(declared), id(config)] = declared, config, made
    return known[2]


_OMITS = get_args(OnErrorOmit)[-1]


def typed(value: Any, declared: Any) -> Any:
    """Return a complete value as the declared type; unchanged if the type rejects it."""
    if declared is Any or not isinstance(value, str | int | float | dict | list | None):
        return value
    try:
        known = adapter(declared)
        try:
            written = json.dumps(value)
        except TypeError:  # something in it has its type already
            return known.validate_python(value)
        # From JSON a strict type accepts more: a text for a date, an array for a set.
        return known.validate_json(written)
    except REFUSALS:
        return value


_PLAIN = frozenset({str, int, float, bool})
# A type that is only usable with its model's configuration, such as a pattern, raises SchemaError.
REFUSALS = (
    ValidationError,
    TypeError,
    PydanticUserError,
    PydanticSchemaGenerationError,
    SchemaError,
)
