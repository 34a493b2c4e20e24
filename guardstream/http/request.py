"""A request to a model's API, checked by a policy's `input` before it is sent on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Protocol

from guardstream.errors import AdapterError, GuardstreamError
from guardstream.framing.json import json_bytes, json_object
from guardstream.guard import Guard
from guardstream.http.request_fields import (
    BESIDE,
    CONTENT,
    LISTS,
    NAMES,
    OPTIONS,
    SETTINGS,
)
from guardstream.prompts import MessagesResult
from guardstream.providers.toolkit.fields import map_strings


class RefusedError(GuardstreamError):
    """A request that is answered with an error, in the format of its endpoint."""

    def __init__(self, status: int, code: str, message: str, rule: str | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.rule = status, code, message, rule


@contextmanager
def refused() -> Iterator[None]:
    """Refuse a request whose JSON cannot be read or written."""
    try:
        yield
    except AdapterError as error:
        raise RefusedError(400, "invalid_json", str(error)) from error


def checked_request(guard: Guard, provider: str, body: bytes) -> bytes:
    """Return the `body` to forward: the same bytes unless a rule changes it.

    It is judged by the `input` of the guard's policy. `provider` names the adapter of the answer's
    stream, and so the format of the request. Raises RefusedError for a body that is not a JSON
    object, that cannot be reserialised, or that a rule blocks.
    """
    request, guard = object_of(body), guard.pinned()
    if guard.policy.input is None:
        return body
    _check_names(provider, request)
    check = partial(_checked_fields, guard, provider, request)
    checked = check() if guard.vault is None else guard.vault.settled(check)
    if checked is request:
        return body
    with refused():
        return json_bytes(checked, len(body))


def object_of(body: bytes) -> dict[str, Any]:
    """Return the JSON object in a request's body; RefusedError if it is not one."""
    with refused():
        value = json_object(body)
    if value is None:
        raise RefusedError(400, "invalid_json", "the request's body is not a JSON object")
    return value


def _check_names(provider: str, request: dict[str, Any]) -> None:
    """Refuse a field that is a judged field only for parsers that ignore case.

    Programs in Go do: https://pkg.go.dev/encoding/json#Unmarshal.
    """
    known = {*BESIDE.get(provider, ()), LISTS.get(provider, "model")}
    folded = {name.casefold(): name for name in known}
    for field in request.keys() - known:
        if (name := folded.get(field.casefold())) is not None:
            why = f"the field {name!r} is spelled in a form that only some readers recognise"
            raise RefusedError(400, "invalid_request", why)


def _checked_fields(guard: Guard, provider: str, request: dict[str, Any]) -> dict[str, Any]:
    """Judge the texts of a request for the model; return the same request if nothing changes.

    A field that the format does not define counts as the user's text, and so does its name. With a
    vault, values are masked in every field, even where the model does not read it.
    """
    roles = BESIDE.get(provider)
    if roles is None:
        roles = dict.fromkeys(request.keys() - {"model"}, "user")
    checked = {
        field: _beside(guard, role, request[field], content=(provider, field) in CONTENT)
        for field, role in roles.items()
        if request.get(field)
    }
    read = {*roles, *SETTINGS, LISTS.get(provider)}
    for field in request.keys() - read:
        if field not in OPTIONS:
            checked[field] = _beside(guard, "user", request[field], content=False)
        elif guard.vault is not None:
            checked[field] = _beside(guard, "assistant", request[field], content=False)
    if provider in LISTS and request.get(LISTS[provider]):
        checked[LISTS[provider]] = _listed(guard, LISTS[provider], request)
    names = _Texts(guard)
    for field in request:
        names.note("user", field, name=True)
    names.check()
    made = {
        names.checked("user", field, name=True): checked.get(field, value)
        for field, value in request.items()
    }
    return _object(request, made)


def _listed(guard: Guard, field: str, request: dict[str, Any]) -> Any:
    """Judge the messages of a request; a single text counts as a message of the user."""
    given = request[field]
    if isinstance(given, str):
        return _content(guard, "user", given)
    if isinstance(given, dict):  # one of them, as Gemini allows
        checked = checked_messages(guard, [given])
        return given if checked[0] is given else checked
    if not isinstance(given, list):
        raise RefusedError(400, "invalid_request", f"{field!r} is not a list")
    checked = checked_messages(guard, given)
    return given if all(a is b for a, b in zip(checked, given, strict=True)) else checked


class _Texts:
    """The texts of a request, judged together, so that rules are prepared only once for a vault."""

    def __init__(self, guard: Guard) -> None:
        section = guard.policy.file.input
        self._guard = guard
        self._texts: dict[tuple[str, str], str] = {}
        self._names_pass = section is not None and section.unknown == "pass"

    def note(self, role: str, text: str, *, name: bool = False) -> str:
        """Add a text, or the `name` of a field unless the format defines that."""
        return text if name and self._is_known(text) else self._texts.setdefault((role, text), text)

    def check(self) -> None:
        """Judge everything that was added. RefusedError if a rule forbids any of it."""
        given = [{"role": role, "content": text} for role, text in self._texts]
        for text, message in zip(self._texts, checked_messages(self._guard, given), strict=True):
            self._texts[text] = str(message["content"])

    def checked(self, role: str, text: str, *, name: bool = False) -> str:
        """Return the judged text or `name` that was given to `note`."""
        return text if name and self._is_known(text) else self._texts[role, text]

    def _is_known(self, name: str) -> bool:
        return self._names_pass or name in NAMES


class _ChangeText(Protocol):
    def __call__(self, text: str, /, *, name: bool = False) -> str:
        """Return the result for a text, or for the `name` of a field."""
        ...


def _object(given: dict[str, Any], made: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of an object after judging: the same object if none changed."""
    if len(made) < len(given):
        why = "names of fields are the same once they are masked"
        raise RefusedError(400, "unguarded_input", why)
    same = all(name in made and made[name] is inner for name, inner in given.items())
    return given if same else made


def with_names(value: Any, change: _ChangeText) -> Any:
    """Change every string in JSON and every name of a field; return the same value if none changed.

    RefusedError if two fields of an object then have the same name.
    """
    if isinstance(value, list):
        items = [with_names(item, change) for item in value]
        return value if all(a is b for a, b in zip(items, value, strict=True)) else items
    if not isinstance(value, dict):
        return map_strings(value, change)
    mapped = {change(name, name=True): with_names(inner, change) for name, inner in value.items()}
    return _object(value, mapped)


_INSIDE = ("messages", "contents", "parts")
"""The fields of an object beside the messages that hold messages, or the content of one."""


def _beside(guard: Guard, role: str, value: Any, *, content: bool) -> Any:
    """Judge the texts for the model in other fields than the messages."""
    if content:
        return _content(guard, role, value)
    try:
        inside = value if isinstance(value, dict) else {}
        field = next((each for each in _INSIDE if isinstance(inside.get(each), list)), None)
        if field is not None:
            parts = field == "parts"
            judged = _content(guard, role, value[field]) if parts else _listed(guard, field, value)
            rest = {name: inner for name, inner in value.items() if name != field}
            checked = _beside(guard, role, rest, content=False)
            same = judged is value[field] and checked is rest
            return value if same else {**checked, field: judged}
        texts = _Texts(guard)
        with_names(value, partial(texts.note, role))
        texts.check()
        return with_names(value, partial(texts.checked, role))
    except RecursionError:
        raise RefusedError(400, "invalid_request", "the request is nested too deeply") from None


def _content(guard: Guard, role: str, content: Any) -> Any:
    return checked_messages(guard, [{"role": role, "content": content}])[0]["content"]


def check_coding(codings: Iterable[str]) -> None:
    """Refuse a compressed body: it would not be read. `codings` are values of `Content-Encoding`.

    `utf-8` is no coding, but some clients name it.
    """
    named = {each.strip().lower() for value in codings for each in value.split(",")}
    if named - {"", "identity", "utf-8"}:
        why = "the request's body is compressed: send it as it is, so that it can be judged"
        raise RefusedError(415, "unguarded_input", why)


def checked_messages(guard: Guard, messages: list[Any]) -> list[Any]:
    """Return the messages to forward. RefusedError if a rule forbids them."""
    return judged_messages(guard, messages).messages


def judged_messages(guard: Guard, messages: list[Any]) -> MessagesResult:
    """Return the messages to forward, and what was found. RefusedError if a rule forbids them."""
    try:
        checked = guard.check_messages(messages)
    except (GuardstreamError, RecursionError) as error:
        why = str(error) if isinstance(error, GuardstreamError) else "it is nested too deeply"
        raise RefusedError(400, "unguarded_input", why) from error
    if checked.blocked:
        rule = checked.findings[-1].finding.rule if checked.findings else "input"
        raise RefusedError(400, "content_filter", f"the prompt was blocked by rule {rule!r}", rule)
    return checked
