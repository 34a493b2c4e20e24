"""Messages of Protocol Buffers, read and copied by their fields.

https://protobuf.dev/reference/python/python-generated/. No module of that package is imported: a
message describes itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

BEYOND = "unknown fields"
"""Stands for what a message has beyond the fields of its class, which cannot be read."""


def is_message(value: object) -> bool:
    """Return whether a value is a message of Protocol Buffers."""
    return is_message_class(type(value))


def is_message_class(kind: type[Any]) -> bool:
    """Return whether a class is one of such messages."""
    return hasattr(kind, "DESCRIPTOR") and hasattr(kind, "DiscardUnknownFields")


def fields_in(message: Any) -> dict[str, Any]:
    """Return the fields that are set, lists and maps as lists and dicts.

    What its class does not know is an iterator, which readers refuse.
    """
    fields = {field.name: _plain(value) for field, value in message.ListFields()}
    return fields if known_alone(message) is message else {**fields, BEYOND: _beyond()}


def _beyond() -> Iterator[None]:
    yield


def known_alone(message: Any) -> Any:
    """Return a message without fields that its class does not know: they cannot be read."""
    known = type(message)()
    known.CopyFrom(message)
    known.DiscardUnknownFields()
    return message if known.ByteSize() == message.ByteSize() else known


def _plain(value: Any) -> Any:
    if isinstance(value, (str, bytes)) or is_message(value):
        return value
    if hasattr(value, "items"):
        return dict(value)
    return list(value) if hasattr(value, "extend") else value


def message_with(message: Any, updates: Mapping[str, Any]) -> Any:
    """Return a copy of a message with other values in some fields; None leaves one out."""
    made = type(message)()
    made.CopyFrom(message)
    for name, new in updates.items():
        if name == BEYOND:
            made.DiscardUnknownFields()
            continue
        made.ClearField(name)
        if new is not None:
            _set(made, name, new)
    return made


def _set(message: Any, name: str, new: Any) -> None:
    held = getattr(message, name)
    if isinstance(new, Mapping):
        for key, value in new.items():
            if is_message(value):
                held[key].CopyFrom(value)
            else:
                held[key] = value
    elif is_message(new):
        held.CopyFrom(new)
    elif isinstance(new, list):
        held.extend(new)
    else:
        setattr(message, name, new)
