"""Objects of SDKs as data: `{"!": "module:Class", …}` stands for an object with these fields."""

from __future__ import annotations

import dataclasses
import importlib
from datetime import date, datetime
from enum import Enum
from operator import attrgetter
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from pydantic import BaseModel

MARK = "!"


def encoded(value: Any) -> Any:
    """A value as JSON. Raises TypeError if it has something that is no model and no dataclass."""
    kind = type(value)
    if value is None or kind in (str, int, float, bool):
        return value
    if kind is dict and all(type(name) is str for name in value):
        return {name: encoded(inner) for name, inner in value.items()}
    if kind is list:
        return [encoded(inner) for inner in value]
    if kind is bytes:
        return {MARK: "bytes", "text": value.decode("utf-8", "surrogateescape")}
    if kind is tuple:
        return {MARK: "tuple", "items": [encoded(inner) for inner in value]}
    return {MARK: _path(kind), **{name: encoded(each) for name, each in _fields(value).items()}}


def _path(kind: type) -> str:
    path = f"{kind.__module__}:{kind.__qualname__}"
    if _class(path) is not kind:
        raise TypeError(path)
    return path


def _class(path: str) -> Any:
    module, _, name = path.partition(":")
    try:
        return attrgetter(name)(importlib.import_module(module))
    except (ImportError, AttributeError) as error:
        raise TypeError(path) from error


def _fields(value: Any) -> dict[str, Any]:
    """The fields of an object that were set."""
    if isinstance(value, BaseModel):
        own = value.model_fields_set - (value.model_extra or {}).keys()
        named = {name: getattr(value, name) for name in type(value).model_fields if name in own}
        return {**named, **(value.model_extra or {})}
    if isinstance(value, Enum):
        return {"value": value.value}
    if type(value) in TEXTS:
        return {"text": str(value)}
    if isinstance(value, SimpleNamespace):
        return vars(value)
    if dataclasses.is_dataclass(value) and not hasattr(type(value), "__pydantic_config__"):
        fields = dataclasses.fields(value)
        return {each.name: getattr(value, each.name) for each in fields if each.init}
    raise TypeError(type(value).__name__)


TEXTS: dict[type, Any] = {
    datetime: datetime.fromisoformat,
    date: date.fromisoformat,
    UUID: UUID,
}
"""Classes whose objects are texts, and what reads them."""


def decoded(value: Any) -> Any:
    """The value that JSON stands for."""
    if isinstance(value, list):
        return [decoded(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    fields = {name: decoded(inner) for name, inner in value.items() if name != MARK}
    if MARK not in value:
        return fields
    if value[MARK] == "bytes":
        return fields["text"].encode("utf-8", "surrogateescape")
    if value[MARK] == "tuple":
        return tuple(fields["items"])
    kind = _class(value[MARK])
    if kind in TEXTS:
        return TEXTS[kind](fields["text"])
    if issubclass(kind, BaseModel):
        return kind.model_construct(**fields)
    return kind(**fields)


def packages(value: Any) -> set[str]:
    """The packages of the classes that data names."""
    if isinstance(value, list):
        return {name for inner in value for name in packages(inner)}
    if not isinstance(value, dict):
        return set()
    module = str(value.get(MARK, "")).partition(":")
    own = {module[0]} if module[1] else set()
    return own | {name for inner in value.values() for name in packages(inner)}
