"""A value that grows: typed snapshots of a JSON document, each sharing what is complete.

A snapshot copies only the containers that are open, and only those that changed since the last; so
a snapshot never changes once it was given out.
"""

from __future__ import annotations

import json
from functools import lru_cache
from types import UnionType
from typing import Annotated, Any, TypeAlias, Union, get_args, get_origin

from pydantic import AliasChoices, BaseModel, TypeAdapter, ValidationError

from guardstream.jsonstream.lexer import tokens as t
from guardstream.jsonstream.lexer.tokens import Token

Path: TypeAlias = tuple[str | int, ...]

_ABSENT = object()


class _Frame:
    """An open object or array: its type, what it holds, and the key or index being filled."""

    __slots__ = ("key", "kind", "values")

    def __init__(self, kind: Any, values: Any) -> None:
        self.kind = kind
        self.values = values
        self.key: Any = None


class Growing:
    """Takes tokens, gives snapshots of `model`: pydantic models without the fields still to come.

    Fields that a model gives defaults have them. `strings` says whether strings that are not over
    are shown.
    """

    def __init__(self, model: Any, *, strings: bool) -> None:
        self._root = model
        self._strings = strings
        self._frames: list[_Frame] = []
        self._value: Any = None
        self._text: list[str] | None = None
        self._length = 0
        self.changed = False

    def take(self, tokens: list[Token]) -> None:
        """Take the next tokens; `changed` then says whether there is more to show."""
        for kind, value, _, _ in tokens:
            if kind == t.STRING_PART:
                self._text = [] if self._text is None else self._text
                self._text.append(value)
                self._length += len(value)
                self.changed |= self._strings
            elif kind == t.KEY:
                self._frames[-1].key = value
            elif kind in (t.OPEN_OBJECT, t.OPEN_ARRAY):
                self._open({} if kind == t.OPEN_OBJECT else [])
            elif kind in (t.CLOSE_OBJECT, t.CLOSE_ARRAY):
                self._close()
            elif kind in (t.STRING, t.INTEGER, t.FLOAT, t.LITERAL):
                self._text = None
                self._length = 0
                self._add(_scalar(kind, value, self._next()))

    def cost(self) -> float:
        """What a snapshot copies: entries of open containers, and 256 characters as one."""
        return sum(len(frame.values) for frame in self._frames) + self._length / 256

    def snapshot(self) -> Any:
        """The value as it is now."""
        self.changed = False
        value: Any = None
        shown = False
        if self._text is not None and self._strings and _shows_text(self._next()):
            value, shown = "".join(self._text), True
            self._text = [value]
        for frame in reversed(self._frames):
            value, shown = _with(frame, value, shown), True
        return value if shown else self._value

    def _next(self) -> Any:
        """The type of the next value."""
        if not self._frames:
            return self._root
        frame = self._frames[-1]
        return _member(frame.kind, frame.key) if isinstance(frame.values, dict) else _item(frame)

    def _open(self, values: Any) -> None:
        kind = _chosen(self._next(), isinstance(values, dict))
        self._frames.append(_Frame(kind, values))
        self.changed = True

    def _close(self) -> None:
        frame = self._frames.pop()
        self._add(_with(frame, None, False))

    def _add(self, value: Any) -> None:
        self.changed = True
        if not self._frames:
            self._value = value
            return
        frame = self._frames[-1]
        if isinstance(frame.values, dict):
            frame.values[frame.key] = value
        else:
            frame.values.append(value)


def _with(frame: _Frame, value: Any, shown: bool) -> Any:
    """The frame's container, with the open `value` in its place if that is shown."""
    if isinstance(frame.values, list):
        return [*frame.values, value] if shown else list(frame.values)
    values = {**frame.values, frame.key: value} if shown else dict(frame.values)
    if not _is_model(frame.kind):
        return values
    fields = _fields(frame.kind, values)
    return frame.kind.model_construct(_fields_set=set(fields), **fields)


def _fields(model: type[BaseModel], values: dict[str, Any]) -> dict[str, Any]:
    """The fields that `values`, by the keys of the JSON, fill; of several keys the first counts."""
    fields: dict[str, Any] = {}
    known: set[Any] = set()
    for name, paths in _paths(model).items():
        known.update(path[0] for path in paths)
        found = next(
            (each for path in paths if (each := _at(values, path)) is not _ABSENT), _ABSENT
        )
        if found is not _ABSENT:
            fields[name] = found
    if model.model_config.get("extra") == "allow":
        fields |= {key: each for key, each in values.items() if key not in known}
    return fields


def _at(value: Any, path: Path) -> Any:
    """What stands at a path of keys and indices."""
    for part in path:
        if not isinstance(value, dict | list):
            return _ABSENT
        try:
            value = value[part]  # type: ignore[index]  # a wrong kind of key is a TypeError
        except (KeyError, IndexError, TypeError):
            return _ABSENT
    return value


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


@lru_cache(maxsize=256)
def _paths(model: type[BaseModel]) -> dict[str, tuple[Path, ...]]:
    """Where in the JSON each field's value may stand, in the order in which pydantic looks."""
    config = model.model_config
    by_name = config.get("populate_by_name") or config.get("validate_by_name")
    by_alias = config.get("validate_by_alias", True)
    found: dict[str, tuple[Path, ...]] = {}
    for name, info in model.model_fields.items():
        alias = info.validation_alias
        paths: list[Path] = []
        if by_alias and alias is not None:
            choices = alias.choices if isinstance(alias, AliasChoices) else [alias]
            paths = [(each,) if isinstance(each, str) else tuple(each.path) for each in choices]
        if by_name or alias is None:
            paths.append((name,))
        found[name] = tuple(paths)
    return found


@lru_cache(maxsize=256)
def _names(model: type[BaseModel]) -> dict[str, str]:
    """The field that each key of the JSON fills by itself."""
    return {
        path[0]: name
        for name, paths in _paths(model).items()
        for path in paths
        if len(path) == 1 and isinstance(path[0], str)
    }


def _branches(kind: Any) -> list[Any]:
    origin = get_origin(kind)
    if origin is Annotated:
        return _branches(get_args(kind)[0])
    if origin in (Union, UnionType):
        return [each for arg in get_args(kind) for each in _branches(arg)]
    return [kind]


def _chosen(kind: Any, is_object: bool) -> Any:
    """The type of an object or array that has begun, Any where several are possible."""
    branches = [each for each in _branches(kind) if each is not type(None)]
    if len(branches) != 1 or (_is_model(branches[0]) and not is_object):
        return Any
    return branches[0]


def _member(kind: Any, key: str) -> Any:
    if _is_model(kind):
        info = kind.model_fields.get(_names(kind).get(key, key))
        if info is None:
            return Any
        return Annotated[info.annotation, info] if info.metadata else info.annotation
    arguments = get_args(kind)
    return arguments[1] if get_origin(kind) is dict and len(arguments) == 2 else Any


def _item(frame: _Frame) -> Any:
    origin, arguments = get_origin(frame.kind), get_args(frame.kind)
    if origin is tuple and arguments[-1:] != (...,):
        index = len(frame.values)
        return arguments[index] if index < len(arguments) else Any
    return arguments[0] if arguments else Any


def _shows_text(kind: Any) -> bool:
    return any(each in (str, Any) for each in _branches(kind))


def _scalar(kind: int, value: Any, declared: Any) -> Any:
    """A complete scalar as the declared type has it; as JSON has it, where that is refused."""
    plain = int(value) if kind == t.INTEGER else float(value) if kind == t.FLOAT else value
    branches = _branches(declared)
    if type(plain) in branches or Any in branches:
        return plain
    text = value if kind in (t.INTEGER, t.FLOAT) else json.dumps(value)
    try:
        return _adapter(declared).validate_json(text)
    except (ValidationError, TypeError):
        return plain


@lru_cache(maxsize=1024)
def _adapter(declared: Any) -> TypeAdapter[Any]:
    return TypeAdapter(declared)
