"""Shapes: how a growing object or array becomes its declared type, such as a model or a list.

A shape knows the type of each member or element, and builds the value of the content so far. The
branches of a union are told apart by the members that have arrived: by a literal that only one
branch allows, or by a key that closed models do not have.
"""

from __future__ import annotations

import dataclasses
from collections.abc import (
    Collection,
    Iterable,
    Mapping,
    MutableMapping,
    MutableSequence,
    Sequence,
)
from functools import lru_cache
from typing import (
    Any,
    get_args,
    get_origin,
)

from pydantic import (
    BaseModel,
    ConfigDict,
    RootModel,
)
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from guardstream.extract._errors import MISSING
from guardstream.extract._types import (
    Path,
    add_alias,
    branches,
    declared_type,
    hints_of,
    is_class,
    is_named_tuple,
    literals,
    may_be_omitted,
    paths_of,
)
from guardstream.extract._validated import kept, typed, typed_scalar

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
        found = {key: literals(kind) for key, kind in types.items()}
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
        self._paths = paths_of(model.model_fields, model.model_config)
        types = {name: declared_type(info) for name, info in model.model_fields.items()}
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
        declared = declared_type(self._model.model_fields["root"])
        return _made(self._model, {"root": self._inner.complete(values, declared)})

    def decided(self, values: Any) -> Shape:
        inner = self._inner.decided(values)
        return self if inner is self._inner else _Root(self._model, inner)


class _Dataclass(Record):
    """A dataclass, created without calling its `__init__`."""

    def __init__(self, kind: Any) -> None:
        self._cls = cls = get_origin(kind) or kind
        hints = hints_of(kind)
        self.config = getattr(cls, "__pydantic_config__", None)
        self._paths: dict[str, tuple[Path, ...]]
        own = {each.name: ((each.name,),) for each in dataclasses.fields(cls)}
        named = own | paths_of(getattr(cls, "__pydantic_fields__", {}), self.config or {})
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
        hints = hints_of(kind)
        fields = {name: FieldInfo.from_annotation(each) for name, each in hints.items()}
        for name, info in fields.items():
            add_alias(name, info, config.get("alias_generator"))
        self._paths = paths_of(fields, config)
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
    if is_class(kind, RootModel):
        return _Root(kind, shape(kind.model_fields["root"].annotation, is_object=is_object))
    if kind is Any:
        return PLAIN
    record = _record(kind)
    if record is not None:
        return record if is_object else None
    if is_object:
        if origin in _DICTS or is_class(origin, dict):
            values, keys = (arguments[1], arguments[0]) if len(arguments) == 2 else (Any, str)
            return _Values(values, keys, plain=origin in _DICTS)
        return None
    if is_named_tuple(origin):
        return _Tuple(tuple(hints_of(kind).values()))
    if origin is tuple and arguments and arguments[-1] is not ...:
        return _Tuple(arguments)
    if origin is Iterable or (is_class(origin, Collection) and not is_class(origin, _NO_ARRAYS)):
        return _Values(arguments[0] if arguments else Any, plain=origin in _LISTS)
    return None


_DICTS = (dict, Mapping, MutableMapping)
_LISTS = (list, Iterable, Collection, Sequence, MutableSequence)
"""The types whose values are plain dicts, or lists, as in JSON."""
_NO_ARRAYS = (str, bytes, bytearray, Mapping)


@lru_cache(maxsize=256)
def _record(kind: Any) -> Record | None:
    if is_class(kind, BaseModel):
        return _Model(kind)
    origin = get_origin(kind) or kind
    if hasattr(origin, "__required_keys__"):  # also a TypedDict of typing_extensions
        return _TypedDict(kind)
    if isinstance(origin, type) and dataclasses.is_dataclass(origin):
        return _Dataclass(kind)
    return None


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


def _is_scalar(values: dict[str, Any], key: str) -> bool:
    return key in values and not isinstance(values[key], dict | list)


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
