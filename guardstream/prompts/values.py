"""Judges values of unknown shape in messages: each string in them is a text.

A policy may refuse them instead, or let them pass.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeAlias

from guardstream.prompts.objects import SIGNATURES, has_same_values, mapping_of, short_name
from guardstream.prompts.roles import role_of_key, role_of_type
from guardstream.prompts.texts import MessagesBlockedError, Path, Place, Texts

Unknown: TypeAlias = Literal["guard", "refuse", "pass"]
"""How to treat values of unknown shape."""

_MARK = re.compile(r"[!-~]*")
_MARKED = ("type", "id", "data", "status", "format", "mimeType", "mime_type", "media_type")
"""Keys of kinds, ids and files, in addition to those that end in `_id` or `Id`.

Their value is text only if it contains a space or a character that is not ASCII.
"""

_TEXT_KEYS = ("text", "content")
"""Keys of texts, whose values are never files."""

_FILE = re.compile(r"(?:data:[!-+\--~]*,)?[A-Za-z0-9+/_=-]{1024,}")
"""A file in base64, or its URL. A text has a space or another character earlier."""


def is_mark(value: Any) -> bool:
    """Return whether a value is a kind, an id or an address: ASCII without spaces."""
    return isinstance(value, str) and _MARK.fullmatch(value) is not None


def each(value: Any, place: Place, guard: Callable[[Any, Place], Any]) -> Any:
    """Guard a value, or each item of a list; return the same list if nothing changes."""
    if not isinstance(value, (list, tuple)):
        return guard(value, place)
    guarded = [guard(inner, place.at(number)) for number, inner in enumerate(value)]
    same = all(one is other for one, other in zip(guarded, value, strict=True))
    return value if same else guarded


class Values:
    """Guards, refuses or passes values of unknown shape, as the policy says."""

    def __init__(self, texts: Texts, unknown: Unknown) -> None:
        self.passes = unknown == "pass"
        self._guards = unknown == "guard"
        self._refuses = unknown == "refuse"
        self._texts = texts
        self._harmless: set[tuple[str, str]] = set()  # roles, and names of fields without a finding

    def unknown(self, value: Any, place: Place, what: str, kind: str = "") -> Any:
        """Guard, refuse or pass a value of unknown shape; `what` and `kind` are as for `refuse`."""
        if self.passes:
            return value
        self.refuse(place, what, kind)
        return self.guarded(value, place.of(place.role or self._texts.assumed_role))

    def refuse(self, place: Place, what: str, kind: str = "") -> None:
        """Raise AdapterError if the policy refuses values of unknown shape in texts of this role.

        `what` describes the value, with a placeholder (`{!r}`) for its `kind`.
        """
        if self._refuses and self._texts.judges(place.role):
            named = what.format("<str>" if self._texts.has_match(kind) else kind)
            remedy = "'unknown: guard' in the policy's 'input' guards each string in it as text"
            raise self._texts.error(place.path, f"{named} at {{}} is not known; {remedy}")

    def odd(self, value: Any, place: Place) -> Any:
        """Guard a value of another type than the expected text or object.

        AdapterError for a number, which may be a token.
        """
        kind = type(value).__name__
        if self._guards and self._texts.judges(place.role):
            if isinstance(value, (list, tuple)):
                return each(value, place.of(place.role or self._texts.assumed_role), self.odd)
            if isinstance(value, (int, float, bytes)):
                raise self._texts.error(place.path, f"a value of type {kind!r} at {{}} is not text")
        return self.unknown(value, place, f"a value of type {kind!r}")

    def field(self, key: Any, value: Any, place: Place) -> Any:
        """Guard an unknown field. It passes if it is a number, or empty."""
        if value is None or isinstance(value, (int, float)):
            return value
        if isinstance(value, (str, list, tuple, Mapping)) and not value:
            return value
        if self.passes:
            return value
        place = place.of(role_of_key(key, place.role))
        self.refuse(place, "a field")
        return self._guarded_field(key, value, place)

    def meta(self, value: Any, place: Place) -> Any:
        """Guard a field that a model does not read: there could still be a text in it."""
        if self.passes or is_mark(value):
            return value
        if isinstance(value, (list, tuple)):  # of files, say
            return each(value, place, self.meta)
        return self.guarded(value, place) if isinstance(value, (str, Mapping)) else value

    def arguments(self, value: Any, place: Place) -> Any:
        """Guard arguments that are given as an object: each string in their JSON is a text."""
        try:
            text = json.dumps(value, ensure_ascii=False)
        except (TypeError, ValueError):
            return self.odd(value, place)
        guarded = self._texts.guard(text, "tool_args", place)
        if guarded == text:
            return value
        try:
            return json.loads(guarded)
        except ValueError:  # a rule has stopped the text before its end
            raise MessagesBlockedError from None

    def name(self, name: Any, place: Place) -> Any:
        """Guard the name of an unknown field."""
        if name is None or isinstance(name, (int, float)):
            return name
        if not isinstance(name, str):
            kind = type(name).__name__
            problem = f"the name of a field in {{}} is not a str but {kind!r}"
            raise self._texts.error(place.path, problem)
        if self.passes or (place.role, name) in self._harmless:
            return name
        before = len(self._texts.findings)
        guarded = self._texts.guard(name, "text", place)
        if guarded == name and len(self._texts.findings) == before:
            self._harmless.add((place.role, name))
        return guarded

    def object(
        self, given: Any, fields: Mapping[Any, Any], made: dict[Any, Any], path: Path
    ) -> Any:
        """Return the guarded object: the same one if nothing has changed."""
        if len(made) < len(fields):
            problem = "names of fields at {} are the same once they are masked"
            raise self._texts.error(path, problem)
        return given if has_same_values(made, fields) else made

    def guarded(self, value: Any, place: Place) -> Any:
        """Guard all strings and names of fields in a value, except for files and marks."""
        if isinstance(value, str):
            is_file = _FILE.fullmatch(value) and _may_be_file(place.path)
            return value if is_file else self._texts.guard(value, "text", place)
        if value is None or isinstance(value, (int, float)):
            return value
        if isinstance(value, bytes) and _may_be_file(place.path):
            return value
        if isinstance(value, (list, tuple)):
            return each(value, place, self.guarded)
        fields = mapping_of(value)
        if fields is None:
            return self._unreadable(value, place)
        place = place.of(role_of_type(short_name(fields.get("type")), place.role))
        made = {}
        for key, inner in fields.items():
            name = self.name(key, place)
            inside = place.at(name).of(role_of_key(key, place.role))
            made[name] = self._guarded_field(key, inner, inside)
        return self.object(value, fields, made, place.path)

    def _unreadable(self, value: Any, place: Place) -> Any:
        """Raise AdapterError for a value that cannot be read, unless no rule would search it."""
        if self._texts.vault is None and not self._texts.judges(place.role):
            return value
        kind = type(value).__name__
        problem = f"a value of type {kind!r} at {{}} cannot be read: give dicts"
        raise self._texts.error(place.path, problem)

    def _guarded_field(self, key: Any, value: Any, place: Place) -> Any:
        if key in SIGNATURES and isinstance(value, (str, bytes)):
            return value
        if key in _MARKED or str(key).endswith(("_id", "Id")):
            if is_mark(value):
                return value
        elif key in ("input", "arguments") and isinstance(value, (dict, list)):
            return self.arguments(value, place)
        return self.guarded(value, place)


def _may_be_file(path: Path) -> bool:
    """Return whether the value at a path may be a file: its field is not one of texts."""
    names = [step for step in path if isinstance(step, str)]
    return bool(names) and names[-1] not in _TEXT_KEYS
