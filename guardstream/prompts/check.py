"""Judges messages in the shapes of OpenAI, Anthropic, Gemini and Bedrock.

Their shapes are distinguished by their fields: chat messages, items of the Responses API, and the
messages of the other APIs. Each text in them is judged by itself. Images, audio and files are not
read. In unknown parts, each string is a text, too, unless the policy refuses or passes them.

Sources: OpenAI's API reference, "Create chat completion" (messages) and "Create a model response"
(input); Anthropic's, "Create a Message" (messages, content blocks);
https://ai.google.dev/api/caching#Content,
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ContentBlock.html.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from guardstream.errors import AdapterError, PolicyError
from guardstream.events import FinishReason
from guardstream.policy import Policy
from guardstream.policy.model import InputFile
from guardstream.prompts.adjacent import join_stand_ins, join_values
from guardstream.prompts.objects import is_signed, mapping_of, short_name
from guardstream.prompts.roles import NO_ROLE, ROLES, role_of_item, role_of_key, role_of_type
from guardstream.prompts.shapes import ADDRESS, ITEMS, MESSAGE, OBJECTS, PARTS, SOURCES, Fields
from guardstream.prompts.texts import MessageFinding, MessagesBlockedError, Place, Texts
from guardstream.prompts.values import Unknown, Values, each, is_mark
from guardstream.vault.vault import Vault

_WITH_ANY_ROLE: Fields = {**MESSAGE, "role": "text"}


@dataclass(frozen=True, slots=True)
class MessagesResult:
    """The messages to send, none if they are blocked, and the findings in them.

    An unchanged message is the same object; a changed one is a copy, as a plain dict.
    """

    messages: list[Any]
    findings: Sequence[MessageFinding]
    finish: FinishReason

    @property
    def blocked(self) -> bool:
        """Whether a rule blocks the messages."""
        return self.finish == "content_filter"


def check_messages(
    policy: Policy, messages: Iterable[Any], vault: Vault | None = None
) -> MessagesResult:
    """Apply the section `input` of a policy to messages; they are not changed.

    With a `vault`, reversible rules write stand-ins, in the texts of all roles; those of system
    prompts are the same in all conversations. Signed content stays byte for byte unless it contains
    a value.

    Raises PolicyError if there is no such section, AdapterError for an object that cannot be read,
    or not by all in the same way, and, with `unknown: refuse`, for unknown parts, StageError if a
    stage fails, VaultError if the vault is full, and TypeError for a text or a single message in
    place of a list.
    """
    if isinstance(messages, (str, bytes, Mapping)) or not isinstance(messages, Iterable):
        kind = type(messages).__name__
        raise TypeError(f"check_messages() needs a list of messages, not {kind!r}")
    rules = policy.input
    given = list(messages)
    if rules is None:
        named = f" {policy.name!r}" if policy.name else ""
        raise PolicyError(
            f"the policy{named} has no section 'input', so that nothing would be checked: "
            "say there what to look for, as in 'input: {extends: guardstream/injection}'"
        )
    section = policy.file.input or InputFile()

    def checked() -> MessagesResult:
        texts = Texts(rules, section.roles, vault)
        try:
            made = _Messages(texts, section.unknown).all(given)
        except MessagesBlockedError:
            return MessagesResult([], tuple(texts.findings), "content_filter")
        except RecursionError:
            problem = "it is nested too deeply or contains itself"
            raise AdapterError(f"message {texts.message}: {problem}") from None
        return MessagesResult(made, tuple(texts.findings), "stop")

    return checked() if vault is None else vault.settled(checked)


class _Messages:
    """Walks messages along their shapes."""

    def __init__(self, texts: Texts, unknown: Unknown) -> None:
        self._texts = texts
        self._values = Values(texts, unknown)

    def all(self, messages: list[Any]) -> list[Any]:
        made = []
        for self._texts.message, message in enumerate(messages):
            made.append(self._message(message))
        return made

    def _message(self, message: Any) -> Any:
        fields = mapping_of(message)
        if fields is None:
            return self._values.odd(message, Place((), NO_ROLE))
        named = fields.get("role") or ("user" if "parts" in fields else None)  # as in Gemini's
        kind, name = short_name(fields.get("type") or "message"), short_name(named)
        role = ROLES.get(name)
        if kind == "message" or kind in ROLES:  # LangChain's type is the role
            if role is None:
                self._values.refuse(Place(("role",), NO_ROLE), "the role {!r}", name)
                place = Place((), role_of_type(kind, self._texts.assumed_role))
                return self._fields(message, fields, _WITH_ANY_ROLE, place)
            return self._fields(message, fields, MESSAGE, Place((), role))
        place = Place((), self._role_of_item(kind, role))
        if kind in ITEMS:
            return self._fields(message, fields, ITEMS[kind], place)
        self._values.refuse(Place((), NO_ROLE), "an item of type {!r}", kind)
        return self._values.unknown(message, place, "an item of type {!r}", kind)

    def _role_of_item(self, kind: str, role: str | None) -> str:
        """Return the role of an item. If its type and its role say different ones, a role that is
        judged takes precedence."""
        by_type = role_of_item(kind, role or self._texts.assumed_role)
        if role is not None and self._texts.judges(role) and not self._texts.judges(by_type):
            return role
        return by_type

    def _fields(self, given: Any, fields: Mapping[str, Any], kinds: Fields, place: Place) -> Any:
        """Guard the fields of an object; return the same object if nothing changes."""
        texts = self._texts
        outer, texts.signed = texts.signed, is_signed(fields)
        try:
            made = dict(self._field(key, value, kinds, place) for key, value in fields.items())
        finally:
            texts.signed = outer
        return self._values.object(given, fields, made, place.path)

    def _field(self, key: Any, value: Any, kinds: Fields, place: Place) -> tuple[Any, Any]:
        """Guard a field; return its name and its value."""
        kind = kinds.get(key)
        if kind == "meta":
            return key, self._values.meta(value, place.at(key))
        if kind:
            inside = place.at(key).of(role_of_key(key, place.role))
            return key, value if value is None else self._value(kind, value, inside)
        if isinstance(key, str) and key.casefold() in map(str.casefold, kinds):
            # Programs in Go take it for the other: https://pkg.go.dev/encoding/json#Unmarshal.
            problem = "the field {} is spelled in a form that only some readers recognise"
            raise self._texts.error((*place.path, key), problem)
        name = self._values.name(key, place)
        return name, self._values.field(key, value, place.at(name))

    def _value(self, kind: str, value: Any, place: Place) -> Any:
        if kind == "parts":
            return self._parts(value, place)
        if kind in OBJECTS:
            fields = OBJECTS[kind]
            return each(value, place, lambda inner, at: self._object(inner, fields, at))
        if kind == "source":
            return self._typed(value, SOURCES, place)
        if kind == "url":
            return self._address(value, place)
        if kind == "arguments" and not isinstance(value, str):
            return self._values.arguments(value, place)
        if not isinstance(value, str):
            return self._values.odd(value, place)
        return self._texts.guard(value, "tool_args" if kind == "arguments" else kind, place)

    def _parts(self, parts: Any, place: Place) -> Any:
        if self._texts.vault is None:
            return each(parts, place, self._part)
        joined = join_values(parts, self._texts, place.role)
        return join_stand_ins(each(joined, place, self._part), self._texts, place)

    def _part(self, part: Any, place: Place) -> Any:
        if isinstance(part, str):
            return self._texts.guard(part, "text", place)
        return self._typed(part, PARTS, place)

    def _typed(self, value: Any, shapes: Mapping[str, Fields], place: Place) -> Any:
        """Guard an object whose type defines its fields."""
        fields = mapping_of(value)
        if fields is None:
            return self._values.odd(value, place)
        kind = short_name(fields.get("type") or "")
        place = place.of(role_of_type(kind, place.role))
        if kind not in shapes:
            return self._values.unknown(value, place, "a part of type {!r}", kind)
        return self._fields(value, fields, shapes[kind], place)

    def _object(self, value: Any, kinds: Fields, place: Place) -> Any:
        fields = mapping_of(value)
        if fields is None:
            return self._values.odd(value, place)
        return self._fields(value, fields, kinds, place)

    def _address(self, value: Any, place: Place) -> Any:
        """Mask the vault's values in a URL that is fetched; the URL itself is not judged.

        A string with a space is not a URL, and is guarded as text.
        """
        if not isinstance(value, str):
            return self._object(value, ADDRESS, place)
        judged = not (is_mark(value) or self._values.passes)
        if not judged and (self._texts.vault is None or value.startswith("data:")):
            return value
        return self._texts.guard(value, "text", place, judged=judged)
