"""Adapters for objects that represent JSON, such as pydantic models and Protocol Buffers messages.

The adapter of a format reads and writes the JSON; this module converts objects to JSON and back.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, ClassVar

from pydantic import BaseModel, RootModel, ValidationError
from pydantic.fields import FieldInfo

from guardstream.errors import AdapterError
from guardstream.events import FinishReason
from guardstream.formats.detection.marks import is_of, module_of
from guardstream.formats.errors import rpc_body
from guardstream.formats.toolkit.envelope import Envelope
from guardstream.formats.toolkit.fields import fields_of, replaced, with_names

Event = dict[str, Any]


class Objects(Envelope):
    """The base of adapters whose chunks are JSON, or objects of a package that represent it.

    `packages` are the top-level modules of the classes.
    """

    name: ClassVar[str]
    repeats = False
    packages: ClassVar[frozenset[str]]

    @classmethod
    def is_own(cls, value: object) -> bool:
        """Return whether a value is a model or a message of the packages."""
        return is_of(value, cls.packages)

    @classmethod
    def module_of(cls, value: object) -> str:
        """Return the module of `packages` of an object's class or of one of its bases."""
        return module_of(value, cls.packages)

    def json_of(self, chunk: Any) -> Event:
        """Return the event that an object represents. AdapterError if it is none of the
        packages'."""
        if not self.is_own(chunk):
            raise AdapterError(f"{self.name}: a {type(chunk).__qualname__!r} is not an event")
        return dumped(chunk)

    def changed(self, chunk: Any, old: Event, new: Event) -> Any:
        """Return an object like `chunk`, which represents `old`, that represents `new`."""
        return with_changes(chunk, old, new)

    def made(self, chunk: Any, event: Event) -> Any:
        """Return an object of the package of `chunk` for an event that the guard adds."""
        raise NotImplementedError

    def unwrapped(self, chunk: Any) -> Any:
        """Return the event in a chunk."""
        return chunk if isinstance(chunk, dict) else self.json_of(chunk)

    def with_inner(self, chunk: Any, inner: Any) -> Any:
        """Return a chunk with another event in it."""
        return (
            inner if isinstance(chunk, dict) else self.changed(chunk, self.inner_of(chunk), inner)
        )

    def beside(self, chunk: Any) -> Mapping[str, Any]:
        """Return an empty mapping: a chunk has nothing but its event."""
        return {}

    def with_added(self, chunk: Any, inner: Any) -> Any:
        """Return a chunk like `chunk` with an event that the guard adds."""
        return inner if isinstance(chunk, dict) else self.made(chunk, inner)


def dumped(model: BaseModel, *, with_nulls: bool = False) -> Event:
    """Return the JSON of a model; of any other object, its fields."""
    event: Event = type(model).__pydantic_serializer__.to_python(
        model,
        mode="json",
        by_alias=True,
        exclude_none=not with_nulls,
        warnings=False,
        fallback=fields_of,
    )
    return event


def rpc_error(reason: FinishReason, message: str = "", own: Any = None) -> Event:
    """Return the error of JSON-RPC for an answer that the guard ends, whose id is `own`."""
    return rpc_body(message or f"the answer was ended: {reason}", own)


def message_json(message: Any, *, named_as_declared: bool = False) -> Event:
    """Return the JSON of a message, with or without camel case in the names of fields."""
    event: Event = import_module("google.protobuf.json_format").MessageToDict(
        message, preserving_proto_field_name=named_as_declared
    )
    return event


def message_like(message: Any, event: Event, name: str = "") -> Any:
    """Return a message for an event: of the same class, or of the class `name` in its module.

    AdapterError if that class has no such fields.
    """
    formats = import_module("google.protobuf.json_format")
    factory = import_module("google.protobuf.message_factory")
    descriptor = message.DESCRIPTOR
    descriptor = descriptor.file.message_types_by_name[name] if name else descriptor
    try:
        return formats.ParseDict(event, factory.GetMessageClass(descriptor)())
    except formats.ParseError:
        raise AdapterError(f"an event cannot be a {descriptor.name!r}") from None


def model_like(kind: type[BaseModel], event: Any) -> Any:
    """Return a model of a class for an event; AdapterError if that is not valid for it."""
    try:
        return kind.model_validate(event)
    except ValidationError:
        raise AdapterError(f"an event cannot be a {kind.__name__!r}") from None


def with_changes(value: Any, old: Any, new: Any) -> Any:
    """Return a copy of the object that represents the JSON `old`, with the changes between `old`
    and `new`.

    Unchanged values are the same objects in `old` and `new`, and so they are in the copy.
    """
    if new is old:
        return value
    if isinstance(value, RootModel):
        return replaced(value, {"root": with_changes(value.root, old, new)})
    if isinstance(value, BaseModel) and isinstance(old, dict) and isinstance(new, dict):
        return _with_changed_fields(value, old, new)
    if isinstance(value, list) and isinstance(new, list) and len(new) == len(value):
        return [with_changes(*each) for each in zip(value, old, new, strict=True)]
    return new


def root_of(model: Any) -> Any:
    """Return the value of a RootModel, which wraps one of several models; otherwise the object."""
    while isinstance(model, RootModel):
        model = model.root
    return model


def _with_changed_fields(model: BaseModel, old: Event, new: Event) -> Any:
    """Copy a model with changes. Names of declared fields are not text; other names may be."""
    held = fields_of(model)
    declared = type(model).model_fields
    names = {_alias(declared.get(name)) or name: name for name in held}
    if old.keys() - names.keys():
        raise AdapterError(f"a {type(model).__name__!r} stands for more than its fields")
    fresh = dict(held)
    renamed = False
    for key, other in zip(old, new if len(new) == len(old) else old, strict=True):
        name = names[key]
        value = with_changes(held[name], old[key], new.get(other))
        if name in declared or other == name in new:
            fresh[name] = value
            continue
        renamed = True
        del fresh[name]
        if other in new:
            fresh[other] = value
    if renamed:
        return with_names(model, fresh)
    return replaced(model, {name: fresh[name] for name in held if fresh[name] is not held[name]})


def _alias(field: FieldInfo | None) -> str | None:
    return (field.serialization_alias or field.alias) if field else None
