"""Judges requests in no known format by their content.

Nothing shows which part of such a request is meant for a model. So all text in the path, the query
and the body counts as the user's, and JSON is judged by its paths. Images, audio and video pass.
Anything else that is not UTF-8 is refused, except for files in forms.
"""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import parse_qsl, quote_plus, unquote_plus, urlencode

from guardstream.framing.json import json_start
from guardstream.guard import Guard
from guardstream.http.bodies import Body, Outgoing, body_of, check_charset, field_of, text_of
from guardstream.http.media import FIELDS, NAME, PARTS, is_text, media_of
from guardstream.http.queries import MOST, query_parts
from guardstream.http.request import (
    RefusedError,
    checked_messages,
    judged_messages,
    refused,
)


class _RequestTexts:
    """The texts of a request, judged together, so that rules are prepared only once for a vault."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._messages: list[dict[str, Any]] = []
        self._judged: Sequence[Any] = ()
        self._also: list[tuple[int, Callable[[Any], Any]]] = []

    def text(self, text: str) -> int:
        """Add a text; return its number."""
        self._messages.append({"role": "user", "content": text})
        return len(self._messages) - 1

    def json(self, value: Any) -> int:
        """Add a value of JSON; return its number."""
        content = [{"": value}]  # under a name in which no rule finds anything
        self._messages.append({"role": "user", "content": content})
        return len(self._messages) - 1

    def body(self, body: Body) -> int:
        """Add a body; return its number."""
        number = self.text(body.value) if body.form == "text" else self.json(body.value)
        if body.form == "text":
            self.also(number, json_start)
        return number

    def also(self, number: int, read: Callable[[Any], Any]) -> None:
        """Also judge another reading of the text or body with this number, once rules have been
        applied to it. In that reading, rules must not mask anything."""
        self._also.append((number, read))

    def check(self) -> None:
        """Judge everything that was added. RefusedError if a rule forbids any of it."""
        guard = self._guard

        def check() -> list[Any]:
            return checked_messages(guard, self._messages)

        self._judged = self._messages
        if guard.policy.input is None:
            return
        self._judged = check() if guard.vault is None else guard.vault.settled(check)
        with refused():
            readings = [made for number, read in self._also if (made := read(self[number]))]
        if not readings:
            return
        again = _RequestTexts(guard)
        again.json(readings)
        again.check()
        if again[0] != readings:
            why = "the policy masks text that only some readers find in the request"
            raise RefusedError(400, "unguarded_input", why)

    def __getitem__(self, number: int) -> Any:
        """Return the judged text or body with this number."""
        content = self._judged[number]["content"]
        return content if isinstance(content, str) else content[0][""]


def finds_in(guard: Guard, path: str) -> bool:
    """Judge the path of a request, without escapes; return whether a rule finds anything in it, be
    it one that changes nothing.

    RefusedError if a rule forbids or masks any of it.
    """
    if guard.policy.input is None:
        return False
    messages = [{"role": "user", "content": path}]
    judged = judged_messages(guard, messages)
    if judged.messages != messages:
        raise RefusedError(400, "unguarded_input", "the policy masks part of the path")
    return bool(judged.findings)


def checked(guard: Guard, kind: str, query: str, body: bytes) -> Outgoing:
    """Return the request to forward, whose path is judged by `finds_in`. RefusedError if a rule
    forbids it, or if its body cannot be judged.

    `kind` is its content type.
    """
    judged = _RequestTexts(guard)
    parts = [(each, _add_query_part(judged, each, text)) for each, text in query_parts(query)]
    write_body = _add_body(judged, kind, body)
    judged.check()
    changed = {each: written() for each, written in parts}
    content_type, made = write_body()
    return Outgoing(
        made, content_type, "&".join(changed.get(each, each) for each in query.split("&"))
    )


def _add_query_part(judged: _RequestTexts, part: str, text: str) -> Callable[[], str]:
    """Add a part of a query; return a function that returns it after judging."""
    name, equals, value = text.partition("=")
    content = field_of(value)
    if content.form == "text":
        number = judged.text(text)
        judged.also(number, lambda each: json_start(each.partition("=")[2]))
        return lambda: part if judged[number] == text else _escaped(judged[number])
    named, number = judged.text(name), judged.body(content)

    def written() -> str:
        if (judged[named], judged[number]) == (name, content.value):
            return part
        return quote_plus(judged[named]) + equals + quote_plus(content.written(judged[number]))

    return written


def _escaped(text: str) -> str:
    name, equals, value = text.partition("=")
    return quote_plus(name) + equals + quote_plus(value)


def _add_body(judged: _RequestTexts, kind: str, body: bytes) -> Any:
    """Add a body; return a function that returns its content type and the body after judging."""
    media = media_of(kind)
    if not body:
        return lambda: (None, b"")
    if media == "multipart/form-data":
        return _add_form(judged, kind, body)
    if media == FIELDS and not is_undeclared_json(body):
        return _add_plain_form(judged, form_fields(body))
    if media and not NAME.fullmatch(media):
        raise RefusedError(400, "invalid_request", "the request's content type is invalid")
    if media.startswith(PARTS):
        raise RefusedError(415, "unguarded_input", "the body is multipart, but not a form")
    content = body_of(media, body)
    if content.form == "unread":
        return lambda: (media.encode() or None, body)
    plain = media or ("text/plain" if content.form == "text" else "application/json")
    content_type = f"{plain}; charset=utf-8" if is_text(plain) else plain
    number = judged.body(content)
    if media == FIELDS:
        judged.also(number, lambda value: unquote_plus(content.written(value).decode()))
    return lambda: (content_type.encode(), _as_judged(content, judged[number], body))


def _as_judged(content: Body, value: Any, body: bytes) -> bytes:
    """Return a body after judging: the same bytes if nothing changed."""
    return body.removeprefix(BOM_UTF8) if value == content.value else content.written(value)


def _add_form(judged: _RequestTexts, kind: str, body: bytes) -> Any:
    """Add the fields of a form, their names, and the files in it that are texts."""
    try:
        from guardstream.http.forms import read_form, write_form
    except ModuleNotFoundError as error:
        why = "forms with files are judged by python-multipart: pip install 'guardstream[serve]'"
        raise RefusedError(415, "unguarded_input", why) from error
    taken, parts = [], read_form(kind, body)
    for part in parts:
        if part.filename is None:
            content = field_of(part.text())
        else:
            content = body_of(part.kind.decode().lower() or "application/octet-stream", part.data)
            part.judged = True
        names = judged.text(part.name), judged.text(part.filename or "")
        number = None if content.form == "unread" else judged.body(content)
        taken.append((part, content, names, number))

    def written() -> tuple[bytes, bytes]:
        for part, content, (name, filename), number in taken:
            part.name = judged[name]
            part.filename = None if part.filename is None else judged[filename]
            if number is not None:
                part.data = _as_judged(content, judged[number], part.data)
        return write_form(parts)

    return written


def _add_plain_form(judged: _RequestTexts, fields: list[tuple[str, str]]) -> Any:
    """Add the fields of a form without files, and their names."""
    taken = []
    for name, text in fields:
        content = field_of(text)
        taken.append((judged.text(name), content, judged.body(content), text.encode()))

    def written() -> tuple[bytes, bytes]:
        pairs = [
            (judged[name], _as_judged(content, judged[n], text)) for name, content, n, text in taken
        ]
        return FIELDS.encode(), urlencode(pairs).encode()

    return written


def is_undeclared_json(body: bytes) -> bool:
    """Return whether a body that is declared as a form is JSON."""
    text = text_of(body)
    return text is not None and field_of(text).form != "text"


def form_fields(body: bytes) -> list[tuple[str, str]]:
    """Return the fields of a form without files."""
    try:
        fields = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=MOST,
        )
    except ValueError as error:
        raise RefusedError(400, "invalid_form", "the form cannot be read") from error
    for name, text in fields:
        check_charset(name, text)
    return fields
