"""Reads and copies the fields of chunks, whether they are dicts or objects.

Objects are duck-typed: pydantic models, or anything with attributes. Nothing is changed in place.
"""

from __future__ import annotations

import copy
import sys
from collections import OrderedDict, deque
from collections.abc import Callable, Collection, Iterator, Mapping, MutableMapping, Sequence
from contextlib import suppress
from dataclasses import is_dataclass
from types import MemberDescriptorType
from typing import Any

from guardstream.errors import AdapterError
from guardstream.formats.toolkit.protobuf import (
    fields_in,
    is_message,
    is_message_class,
    message_with,
)

LISTS = (list, tuple, set, frozenset, deque)
"""The types of collections of items without names."""

BYTES = (bytes, bytearray, memoryview)

KINDS = (
    *("type", "event", "event_type", "kind", "object", "channel", "role", "name"),
    *("agent", "agent_id", "agentId", "agent_name", "agentName", "author", "model", "node"),
    *("sender", "source", "speaker", "message_id", "messageId", "run_id", "runId"),
)
"""Fields that distinguish kinds of events in unknown formats, and who says a text. They are looked
for in an event of any size; of all other fields (`paths.beside`) only some are compared."""

KIND_ENDS = tuple(f".{name}" for name in KINDS)
"""The ends of the paths of such fields."""

_SLOTS: dict[type[Any], tuple[str, ...] | None] = {}
"""The fields of a class's objects that are not in their `__dict__`; None for mappings."""

_MESSAGES: set[type[Any]] = set()
"""Classes of Protocol Buffers messages."""

_MODELS: dict[type[Any], bool] = {}
"""Classes of pydantic models, and whether they use pydantic's own copying."""


_NOTES = frozenset({"_hidden_params", "_response_headers", "_response_ms"})
"""LiteLLM's private attributes, with data about a call such as headers. They contain a model's text
only in fields of a provider's own."""

_MODEL_SLOTS = ("__dict__", "__pydantic_extra__", "__pydantic_fields_set__", "__pydantic_private__")

_SETTERS: list[Callable[[Any, Any], None]] = []
"""Setters of these slots of pydantic models that bypass the models' `__setattr__`."""


def fields_of(value: Any) -> Mapping[str, Any]:
    """Return the fields of a mapping or an object, including those outside of its model or
    `__dict__`.

    Private attributes are included, because properties and methods may return their content. A dict
    with attributes has both; of an attribute and an item with one name, the attribute counts:
    Hugging Face's chunks have all values in both, and classes of their own in the attributes.
    """
    kind = type(value)
    if kind is dict:
        return value  # type: ignore[no-any-return]
    if kind in _MODELS:
        extra, private = value.__pydantic_extra__, value.__pydantic_private__
        if private and not all(map(_is_note, private, private.values())):
            return {**value.__dict__, **(extra or {}), **_private_of(value)}
        return {**value.__dict__, **extra} if extra else value.__dict__
    return _fields_of(value, kind)


def _fields_of(value: Any, kind: type[Any]) -> Mapping[str, Any]:
    if kind in _MESSAGES:
        return fields_in(value)
    if kind not in _SLOTS:
        if is_message_class(kind):
            _MESSAGES.add(kind)
            return fields_in(value)
        _SLOTS[kind] = None if issubclass(kind, Mapping) else _slots_of(kind)
        if (
            _SLOTS[kind] == ()
            and hasattr(kind, "__pydantic_extra__")
            and hasattr(value, "__dict__")
        ):
            _MODELS[kind] = _copies_plainly(kind)
    slots = _SLOTS[kind]
    if slots is None:
        mapping: Mapping[str, Any] = value
        own = _attributes(value) if isinstance(value, dict) else None
        return {**mapping, **own} if own else mapping
    fields: dict[str, Any] = getattr(value, "__dict__", None) or {}
    if slots:
        fields = {**fields, **{name: getattr(value, name, None) for name in slots}}
    if not hasattr(kind, "__pydantic_extra__"):  # some objects say that they have any attribute
        return fields
    extra, private = getattr(value, "__pydantic_extra__", None), _private_of(value)
    return {**fields, **(extra or {}), **private} if extra or private else fields


def _private_of(value: Any) -> Mapping[str, Any]:
    """Return the private attributes of a pydantic model that may contain text."""
    private = getattr(value, "__pydantic_private__", None) or {}
    return {name: each for name, each in private.items() if not _is_note(name, each)}


def _is_note(name: str, value: Any) -> bool:
    """Return whether a private attribute has data about a call, and nothing that a model said."""
    if name not in _NOTES:
        return False
    return not (isinstance(value, Mapping) and value.get("provider_specific_fields"))


def _attributes(value: dict[str, Any]) -> dict[str, Any]:
    """Return the attributes of an instance of a dict subclass that do not merely mirror
    its items."""
    own: dict[str, Any] = getattr(value, "__dict__", {})
    return {} if own is value else own


_RECORDS = (
    *("__dataclass_fields__", "model_fields", "__fields__"),  # pydantic's of version 2 and 1
    *("__attrs_attrs__", "__struct_fields__"),  # msgspec's
)
"""Attributes of classes whose objects consist only of their fields."""


def is_record(value: object) -> bool:
    """Return whether a value is an object that consists of its fields: a model, a dataclass, a
    message."""
    return is_record_class(type(value))


def is_record_class(kind: type[Any]) -> bool:
    """Return whether a class is one of such objects."""
    return is_message_class(kind) or any(hasattr(kind, name) for name in _RECORDS)


def names_in(value: Any) -> Collection[str]:
    """Return the names of a value's fields that no class declares, and that could be any text."""
    if isinstance(value, Mapping) and not is_message(value):
        return value.keys()
    extra = getattr(value, "__pydantic_extra__", None)
    return extra.keys() if isinstance(extra, dict) else ()


def index_in(value: Any, otherwise: int = 0, name: str = "index") -> int:
    """Return the number that distinguishes a value from others; `otherwise` if it is not a number.

    Any other value could be text, and must not appear in events that are created after it.
    """
    index = fields_of(value).get(name)
    return index if isinstance(index, int) else otherwise


def kind_of(value: Any) -> str:
    """Return what the field `type` of an event, an item or a part says, also LiteLLM's Enum.

    An object without one that has an `error` is an "error": gateways put theirs into any stream.
    """
    fields = value if type(value) is dict else fields_of(value)
    kind = fields.get("type")
    return "error" if kind is None and fields.get("error") else as_text(kind)


def as_text(value: Any) -> str:
    """Return a value as text; a member of an Enum, which may be equal to its text but be written
    otherwise, as its own value."""
    return value if type(value) is str else str(getattr(value, "value", value))


def _slots_of(kind: type[Any]) -> tuple[str, ...]:
    names = [name for base in kind.__mro__ for name in _slots_in(base)]
    if issubclass(kind, BaseException):
        names += ["args", *_members_of(kind)]
    return tuple(names)


def _slots_in(base: type[Any]) -> Iterator[str]:
    """Yield the slots that a class adds, by their mangled names, without those of Python."""
    given = vars(base).get("__slots__", ())
    for name in [given] if isinstance(given, str) else given:
        if not name.startswith("__"):
            yield name
        elif not name.endswith("__"):
            yield f"_{base.__name__.lstrip('_')}{name}"


def _members_of(kind: type[BaseException]) -> Iterator[str]:
    """Yield the fields of Python's own exceptions, without the objects that they refer to."""
    for base in kind.__mro__:
        for name, member in vars(base).items():
            if isinstance(member, MemberDescriptorType) and name != "obj":
                yield name


def replaced(value: Any, updates: Mapping[str, Any]) -> Any:
    """Return a shallow copy of a dict or object with some fields changed."""
    kind = type(value)
    if kind is dict:
        return {**value, **updates}
    if _MODELS.get(kind):
        return _copied(value, kind, updates)
    if is_message(value):  # some are mappings, too
        return message_with(value, updates)
    if isinstance(value, dict):
        return _like_dict(value, updates)
    if isinstance(value, MutableMapping):
        # Azure's packages have such mappings, which are used by attribute.
        return _made_mapping(type(value), {**value, **updates})
    if isinstance(value, Mapping):
        return {**value, **updates}
    if hasattr(kind, "model_copy"):
        return _model_like(value, updates)
    if isinstance(value, BaseException):
        return _raised(value, updates)
    return _copied_object(value, updates)


def _copied_object(value: Any, updates: Mapping[str, Any]) -> Any:
    clone = copy.copy(value)
    if clone is value:  # there is but one, such as a member of an Enum
        return _remade(value, updates)
    if getattr(clone, "__dict__", ()) is getattr(value, "__dict__", None):  # pydantic's, version 1
        _put(clone, "__dict__", {**clone.__dict__})
    plain = is_dataclass(value) or hasattr(value, "__fields_set__")
    put = object.__setattr__ if plain else setattr  # some refuse, some warn
    for name, new in updates.items():
        try:
            put(clone, name, new)
        except AttributeError:  # it is frozen; the copy is nobody's yet
            try:
                object.__setattr__(clone, name, new)
            except TypeError:  # its class is not written in Python, as those of msgspec
                return _remade(value, updates)
    return clone


def _remade(value: Any, updates: Mapping[str, Any]) -> Any:
    """Return an object of the same class with other fields; AdapterError if that is impossible."""
    remake = getattr(value, "__replace__", None)
    if remake is None:
        kind = type(value).__qualname__
        raise AdapterError(
            f"a {kind!r} cannot be copied with other text: wrap an iterator of its text, or of "
            "dicts with its fields"
        )
    return remake(**updates)


def with_names(value: Any, fields: Mapping[str, Any]) -> Any:
    """Return a copy of a mapping, or of a model with undeclared fields, with `fields` as its only
    fields. They must include those that a model declares."""
    if isinstance(value, dict) and type(value) is not dict:
        kept = _attributes(value).keys()
        items = {name: new for name, new in fields.items() if name in value or name not in kept}
        return _made_like(value, items, {name: fields[name] for name in kept if name in fields})
    if isinstance(value, MutableMapping):
        return _made_mapping(type(value), fields)
    if not getattr(value, "__pydantic_extra__", None):
        return dict(fields)
    own = value.__dict__.keys() | _private_of(value).keys()
    copied = replaced(value, {name: fields[name] for name in own})
    extra = {name: new for name, new in fields.items() if name not in own}
    _put(copied, "__pydantic_extra__", extra)
    given = value.__pydantic_fields_set__ - value.__pydantic_extra__.keys()
    _put(copied, "__pydantic_fields_set__", given | extra.keys())
    return copied


def with_field(value: Any, name: str, new: Any) -> Any:
    """Return the same as `replaced` for one field, in half the time."""
    kind = type(value)
    if kind is dict:
        return {**value, name: new}
    if not (_MODELS.get(kind) and name in value.__pydantic_fields_set__):
        return replaced(value, {name: new})
    fields, extra = value.__dict__, value.__pydantic_extra__
    if name not in fields or value.__pydantic_private__ is not None:
        return replaced(value, {name: new})
    copied = object.__new__(kind)
    set_dict, set_extra, set_given, set_private = _SETTERS
    fresh = fields.copy()
    fresh[name] = new
    set_dict(copied, fresh)
    set_extra(copied, extra and extra.copy())
    set_given(copied, value.__pydantic_fields_set__.copy())
    set_private(copied, None)
    return copied


def plain_model(value: Any) -> bool:
    """Return whether a value is a pydantic model that consists of its fields and is copied by
    pydantic.

    A model with private attributes is not.
    """
    fields_of(value)
    return _MODELS.get(type(value), False) and not _private_of(value)


def _copied(value: Any, kind: type[Any], updates: Mapping[str, Any]) -> Any:
    """Return the same as a model's `model_copy(update=updates)`, in half the time."""
    fields = value.__dict__
    fresh = {**fields, **updates}
    if len(fresh) > len(fields) or value.__pydantic_private__ is not None:
        return _model_like(value, updates)
    copied = object.__new__(kind)
    extra = value.__pydantic_extra__
    _put(copied, "__dict__", fresh)
    _put(copied, "__pydantic_extra__", dict(extra) if extra is not None else None)
    _put(copied, "__pydantic_fields_set__", {*value.__pydantic_fields_set__, *updates})
    _put(copied, "__pydantic_private__", None)
    return copied


def _model_like(value: Any, updates: Mapping[str, Any]) -> Any:
    """Return a copy of a model with some of its fields changed, created by its class."""
    private = getattr(value, "__pydantic_private__", None) or {}
    copied = value.model_copy(update={n: new for n, new in updates.items() if n not in private})
    changed = {name: updates[name] for name in private if name in updates}
    if changed:
        _put(copied, "__pydantic_private__", {**private, **changed})
    return copied


def _like_dict(value: dict[str, Any], updates: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of an instance of a dict subclass, with some items and attributes changed."""
    own = _attributes(value)
    items = {name: new for name, new in updates.items() if name in value or name not in own}
    attributes = {name: updates.get(name, old) for name, old in own.items()}
    return _made_like(value, {**value, **items}, attributes)


def _made_mapping(
    kind: type[MutableMapping[str, Any]], items: Mapping[str, Any]
) -> MutableMapping[str, Any]:
    """Return a mapping of a class other than dict; a dict if its class cannot be created from
    one."""
    with suppress(Exception):  # its constructor may need other arguments
        made: MutableMapping[str, Any] = kind(items)  # type: ignore[call-arg]
        if dict(made) == items:
            return made
    return dict(items)


def _made_like(
    value: dict[str, Any], items: Mapping[str, Any], attributes: Mapping[str, Any]
) -> dict[str, Any]:
    """Return a dict of the class of `value`, whose own methods, which may need anything, are not
    called."""
    clone = type(value).__new__(type(value))
    put: Callable[..., None] = dict.__setitem__
    if isinstance(clone, OrderedDict):
        put = OrderedDict.__setitem__
    for name, item in items.items():
        put(clone, name, item)
    if getattr(value, "__dict__", None) is value:
        _put(clone, "__dict__", clone)
    for name, attribute in attributes.items():
        _put(clone, name, attribute)
    return clone


def _raised(error: BaseException, updates: Mapping[str, Any]) -> BaseException:
    """Return an exception like another with other fields.

    Its `__init__` may need anything, so it is not called. The causes and the traceback are dropped,
    because they contain the original text.
    """
    fields = {**_fields_of(error, type(error)), **updates}
    clone = type(error).__new__(type(error), *fields["args"])
    for name, new in fields.items():
        with suppress(AttributeError, TypeError):  # some fields cannot be set
            setattr(clone, name, new)
    return clone


_put = object.__setattr__


def _copies_plainly(kind: type[Any]) -> bool:
    base = getattr(sys.modules.get("pydantic"), "BaseModel", None)
    if base is None or not issubclass(kind, base):
        return False
    if not _SETTERS:
        _SETTERS.extend(vars(base)[name].__set__ for name in _MODEL_SLOTS)
    return all(getattr(kind, name) is getattr(base, name) for name in ("model_copy", "__copy__"))


def listed(like: Any, items: Sequence[Any]) -> Any:
    """Return items in the type of their collection: a list, a tuple, a named tuple, a set."""
    if type(like) is list:
        return list(items)
    make = getattr(like, "_make", None)
    if make is not None and len(items) == len(like):
        return make(items)
    kind = next(kind for kind in LISTS if isinstance(like, kind))
    return kind(items)


def only(value: Any, updates: Mapping[str, Any]) -> Any:
    """Return a copy with only `updates`: other keys of a mapping are removed, other fields of an
    object are None."""
    if type(value) is dict:
        return dict(updates)
    if isinstance(value, dict):
        return _made_like(value, updates, {name: updates.get(name) for name in _attributes(value)})
    private = getattr(value, "__pydantic_private__", None) or ()
    blank = {
        name: type(old)() if name in private and isinstance(old, (dict, list)) else None
        for name, old in fields_of(value).items()
        if old
    }
    return replaced(value, {**blank, **updates})


def map_strings(value: Any, change: Callable[[str], str]) -> Any:
    """Change every string in `value`, at any depth; return `value` itself if none changed."""
    if isinstance(value, str):
        return same_or(value, change(value)) if value else value
    if isinstance(value, list):
        items = [map_strings(item, change) for item in value]
        return value if all(a is b for a, b in zip(items, value, strict=True)) else items
    if value is None or isinstance(value, (bool, int, float)):
        return value
    mapped = {name: map_strings(item, change) for name, item in fields_of(value).items()}
    updates = {name: new for name, new in mapped.items() if new is not fields_of(value)[name]}
    return replaced(value, updates) if updates else value


def has_text(value: Any) -> bool:
    """Return whether `value` contains any text, at any depth."""
    if isinstance(value, (str, bytes)):
        return bool(value)
    if isinstance(value, (list, tuple)):
        return any(has_text(item) for item in value)
    if value is None or isinstance(value, (bool, int, float)):
        return False
    return any(has_text(item) for item in fields_of(value).values())


def same_or(old: str, new: str) -> str:
    """Return `old` itself if `new` equals it, so that identity shows whether text changed."""
    return old if new == old else new
