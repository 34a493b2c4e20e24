"""Requests to paths that the proxy does not know, and their answers: judged by what they are.

Nothing says there what is meant for a model. So all that is text is taken for the user's, in the
path, the query and the body, and for a model's in the answer; JSON is judged by its paths. Images,
sound and films pass; what else is no text in UTF-8 is refused, but for files that are sent.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from json import detect_encoding
from typing import Any, Literal, NamedTuple
from urllib.parse import parse_qsl, quote_plus, unquote, unquote_plus, urlencode

from guardstream.errors import AdapterError, GuardstreamError
from guardstream.framing.json import json_bytes, json_data, json_start
from guardstream.guard import Guard
from guardstream.http.body import Beside
from guardstream.http.request import RefusedError, checked_messages, refused
from guardstream.serve.endings import told
from guardstream.serve.proxy.answers import Guarded, UpstreamError, judged_strings
from guardstream.serve.proxy.beginnings import AMAZON, EVENTS, LINES
from guardstream.serve.proxy.budgets import FILE
from guardstream.serve.proxy.forms import Part, check_charset, read_form, write_form
from guardstream.serve.proxy.keys import is_key
from guardstream.serve.proxy.requests import Read, Sent
from guardstream.stream.result import Result

_TEXTS = frozenset({"application/xml", "application/javascript", "application/yaml"})
_TEXTS |= {"application/x-yaml", "application/toml", "application/graphql", "application/sql"}
"""The media types of texts beside `text/…`, `…+xml` and `…+yaml`."""

_MEDIA = ("image/", "audio/", "video/", "font/")
"""How media types begin of what is no text, whoever reads it."""

_FILES = frozenset({"", "application/octet-stream", "application/pdf", "application/zip"})
_FILES |= {"application/gzip", "application/x-gzip", "application/x-tar"}
"""The media types of files that are sent unread, if they are no text."""

_FIELDS = "application/x-www-form-urlencoded"
"""The media type of a form without files, which some clients name whatever they send."""

_PARTS = "multipart/"
"""How media types begin of bodies in parts, each of a type of its own."""

_NAME = re.compile(r"[\w.+-]+/[\w.+-]+", re.ASCII)
_APART = re.compile(r"[^\w.-]+")
_SCALAR = re.compile(r"\s*(?:-?[\d.eE+-]+|true|false|null)\s*")
_MOST = 1000
"""Fields of a form, or of a query."""


def media_of(content_type: str) -> str:
    """Return the media type of a body, in lower case, without parameters."""
    return content_type.partition(";")[0].strip().lower()


def is_text(media: str) -> bool:
    """Tell whether a media type is of a text that is none of JSON."""
    return media.startswith("text/") or media in _TEXTS or media.endswith(("+xml", "+yaml"))


def is_stream(media: str, *, gated: bool) -> bool:
    """Tell whether a body of a media type may come bit by bit: events, lines, or a text.

    Where it is `gated`, a text waits for its end: gates judge the chunks of a format.
    """
    return media in (EVENTS, AMAZON) or media in LINES or (is_text(media) and not gated)


def may_be_another(media: str) -> bool:
    """Tell whether how an answer begins may tell another media type than it names."""
    return media in _FILES or media in LINES or (is_text(media) and media != EVENTS)


def is_unread(media: str) -> bool:
    """Tell whether a media type is of what nobody reads: images, sound, films."""
    named = _NAME.fullmatch(media) is not None
    return named and media.startswith(_MEDIA) and not is_text(media)


def _is_json(media: str) -> bool:
    return "json" in media


# -- requests


class _Body(NamedTuple):
    """A body, or a field, as it is judged: JSON, lines of JSON, a text, or `bytes` that are not
    read.
    """

    form: Literal["json", "lines", "text", "unread"]
    value: Any

    def written(self, value: Any) -> bytes:
        """Return it with another value in its place."""
        if self.form == "text":
            return str(value).encode()
        values = value if self.form == "lines" else [value]
        with refused():
            return b"\n".join(json_bytes(each) for each in values)


class _Judged:
    """What a request says, judged in one go: rules are made ready for a vault once."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._messages: list[dict[str, Any]] = []
        self._judged: Sequence[Any] = ()
        self._also: list[tuple[int, Callable[[Any], Any]]] = []

    def text(self, text: str) -> int:
        """Take a text; return its number."""
        self._messages.append({"role": "user", "content": text})
        return len(self._messages) - 1

    def json(self, value: Any) -> int:
        """Take a value of JSON; return its number."""
        content = [{"type": "request", "body": value}]
        self._messages.append({"role": "user", "content": content})
        return len(self._messages) - 1

    def body(self, body: _Body) -> int:
        """Take a body; return its number."""
        number = self.text(body.value) if body.form == "text" else self.json(body.value)
        if body.form == "text":
            self.also(number, json_start)
        return number

    def also(self, number: int, read: Callable[[Any], Any]) -> None:
        """Judge, too, what some readers make of what was taken: of what is left of it after all
        rules, which they may not mask then."""
        self._also.append((number, read))

    def check(self) -> None:
        """Judge all of them. RefusedError if a rule forbids one."""
        guard = self._guard

        def check() -> list[Any]:
            return checked_messages(guard, self._messages)

        self._judged = self._messages
        if guard.policy.input is None:
            return
        self._judged = check() if guard.vault is None else guard.vault.settled(check)
        with refused():
            said = [made for number, read in self._also if (made := read(self[number]))]
        if not said:
            return
        again = _Judged(guard)
        again.json(said)
        again.check()
        if again[0] != said:
            why = "the policy masks what only some readers find in the request"
            raise RefusedError(400, "unguarded_input", why)

    def __getitem__(self, number: int) -> Any:
        """Return what may be sent of the text or the body of a number."""
        content = self._judged[number]["content"]
        return content if isinstance(content, str) else content[0]["body"]


def checked(guard: Guard, kind: str, path: str, query: str, body: bytes) -> Sent:
    """Return what may be sent on of a request. RefusedError if a rule forbids it, and for a body
    that cannot be judged. `kind` is its content type, `path` without escapes.
    """
    judged = _Judged(guard)
    place = judged.text(path)
    asked = [(each, _asking(judged, each, text)) for each, text in _asked(query)]
    sending = _sending(judged, kind, body)
    judged.check()
    if judged[place] != path:
        raise RefusedError(400, "unguarded_input", "the policy masks what stands in the path")
    changed = {each: written() for each, written in asked}
    content_type, made = sending()
    return Sent(made, content_type, "&".join(changed.get(each, each) for each in query.split("&")))


def read(kind: str, query: str, body: bytes) -> Read:
    """Return what the proxy reads of a request. RefusedError for what cannot be read."""
    media = media_of(kind)
    fields: dict[str, Any] = {}
    if media == "multipart/form-data":
        parts = read_form(kind, body)
        fields = {part.name: _weighed(part) for part in parts}
    elif media == _FIELDS and not _is_json_all_the_same(body):
        fields = dict(_fields(body))
    elif body:
        form, value = _body(media, body)
        fields = value if form == "json" and isinstance(value, dict) else {"": value}
        fields = {"": _FILE} if form == "unread" else fields
    return Read({**fields, "?": [text for _, text in _asked(query)]}, [])


_FILE = "data:" + "." * FILE
"""Stands for a file, to count it as one."""


def _weighed(part: Part) -> str:
    """Return what a field of a form is counted by."""
    return part.text() if part.filename is None else _FILE


def named_in(path: str, query: str) -> Iterator[str]:
    """Yield what in a path and its query may be the id of a stored object."""
    for text in (path, *(text for _, text in _asked(query))):
        yield from (name for name in _APART.split(unquote(text)) if name)


def _asked(query: str) -> list[tuple[str, str]]:
    """Return the parts of a query that say something but a key: as they came, and without
    escapes."""
    named = [each for each in query.split("&") if each and not is_key(each)]
    if len(named) > _MOST:
        raise RefusedError(400, "invalid_request", f"the query has more than {_MOST} parts")
    try:
        return [(each, unquote_plus(each, errors="strict")) for each in named]
    except UnicodeDecodeError as error:
        raise RefusedError(400, "invalid_request", "the query is not in UTF-8") from error


def _asking(judged: _Judged, part: str, text: str) -> Callable[[], str]:
    """Take a part of a query to be judged; return a function that returns it."""
    name, equals, value = text.partition("=")
    said = _field(value)
    if said.form == "text":
        number = judged.text(text)
        judged.also(number, lambda each: json_start(each.partition("=")[2]))
        return lambda: part if judged[number] == text else _escaped(judged[number])
    named, number = judged.text(name), judged.body(said)

    def written() -> str:
        if (judged[named], judged[number]) == (name, said.value):
            return part
        return quote_plus(judged[named]) + equals + quote_plus(said.written(judged[number]))

    return written


def _escaped(text: str) -> str:
    name, equals, value = text.partition("=")
    return quote_plus(name) + equals + quote_plus(value)


def _sending(judged: _Judged, kind: str, body: bytes) -> Any:
    """Take a body to be judged; return a function that returns its content type and itself."""
    media = media_of(kind)
    if not body:
        return lambda: (None, b"")
    if media == "multipart/form-data":
        return _form(judged, read_form(kind, body))
    if media == _FIELDS and not _is_json_all_the_same(body):
        return _plain_form(judged, _fields(body))
    if media and not _NAME.fullmatch(media):
        raise RefusedError(400, "invalid_request", "the request's content type is none")
    if media.startswith(_PARTS):
        raise RefusedError(415, "unguarded_input", "the request's body has parts, and is no form")
    said = _body(media, body)
    if said.form == "unread":
        return lambda: (media.encode() or None, body)
    plain = media or ("text/plain" if said.form == "text" else "application/json")
    content_type = f"{plain}; charset=utf-8" if is_text(plain) else plain
    number = judged.body(said)
    if media == _FIELDS:
        judged.also(number, lambda value: unquote_plus(said.written(value).decode()))
    return lambda: (content_type.encode(), _as_judged(said, judged[number], body))


def _as_judged(said: _Body, value: Any, body: bytes) -> bytes:
    """Return a body with what may be sent of it: the same bytes if nothing changed."""
    return body.removeprefix(_MARK) if value == said.value else said.written(value)


def _form(judged: _Judged, parts: list[Part]) -> Any:
    """Take the fields of a form, their names, and the files in it that are texts."""
    taken = []
    for part in parts:
        if part.filename is None:
            said = _field(part.text())
        else:
            said = _body(part.kind.decode().lower() or "application/octet-stream", part.data)
            part.judged = True
        names = judged.text(part.name), judged.text(part.filename or "")
        number = None if said.form == "unread" else judged.body(said)
        taken.append((part, said, names, number))

    def written() -> tuple[bytes, bytes]:
        for part, said, (name, filename), number in taken:
            part.name = judged[name]
            part.filename = None if part.filename is None else judged[filename]
            if number is not None:
                part.data = _as_judged(said, judged[number], part.data)
        return write_form(parts)

    return written


def _plain_form(judged: _Judged, fields: list[tuple[str, str]]) -> Any:
    """Take the fields of a form without files, and their names."""
    taken = []
    for name, text in fields:
        said = _field(text)
        taken.append((judged.text(name), said, judged.body(said), text.encode()))

    def written() -> tuple[bytes, bytes]:
        pairs = [(judged[name], _as_judged(said, judged[n], text)) for name, said, n, text in taken]
        return _FIELDS.encode(), urlencode(pairs).encode()

    return written


def _is_json_all_the_same(body: bytes) -> bool:
    """Tell whether a body that says that it is a form is JSON."""
    text = _text(body)
    return text is not None and _field(text).form != "text"


def _fields(body: bytes) -> list[tuple[str, str]]:
    """Return the fields of a form without files."""
    try:
        fields = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MOST
        )
    except ValueError as error:
        raise RefusedError(400, "invalid_form", "the form cannot be read") from error
    for name, text in fields:
        check_charset(name, text)
    return fields


_MARK = b"\xef\xbb\xbf"
"""What may stand before a text in UTF-8."""


def _body(media: str, body: bytes) -> _Body:
    """Tell what a body is, whatever it calls itself: readers differ in what they go by."""
    text = _text(body)
    if text is None:
        if (media in _FILES or is_unread(media)) and not _may_be_text(body):
            return _Body("unread", body)
        why = "the request's body is neither text in UTF-8 nor of a type that is a file"
        raise RefusedError(415, "unguarded_input", why)
    with refused():
        found = _json(media, text)
    if found is None:
        raise RefusedError(400, "invalid_json", "the request's body is no JSON")
    return found


def _text(body: bytes) -> str | None:
    """Return the text that bytes are; None if they are none in UTF-8, in which no NUL stands."""
    try:
        return None if b"\0" in body else body.removeprefix(_MARK).decode()
    except UnicodeDecodeError:
        return None


def _may_be_text(body: bytes) -> bool:
    """Tell whether some readers take bytes for text or JSON that are no text in UTF-8.

    They find out that it is UTF-16 or UTF-32, or read the JSON that it begins with, whatever
    follows and though characters in it are broken.
    """
    named = detect_encoding(body)
    try:
        if not named.startswith("utf-8") and body.decode(named):
            return True
    except UnicodeDecodeError:
        pass
    try:
        return bool(json_start(body.removeprefix(_MARK).decode(errors="replace")))
    except AdapterError:
        return True


def _field(text: str) -> _Body:
    """Tell what a field of a form or of a query is."""
    with refused():
        found = _json("", text)
    assert found is not None  # it does not say that it is JSON
    return found


def _json(media: str, text: str) -> _Body | None:
    """Return a text as the JSON that it is; None if it says so and is not. AdapterError for JSON
    that cannot be judged."""
    value, form = json_data(text)
    if form != "text":
        return _Body("json", value)
    lines = [json_data(line) for line in text.split("\n") if line.strip()]
    if lines and all(form != "text" for _, form in lines):
        return _Body("lines", [value for value, _ in lines])
    if _is_json(media) and not _SCALAR.fullmatch(text):
        return None
    return _Body("text", text)


# -- answers


def guarded(guard: Guard, kind: str, body: bytes, attributes: Mapping[str, str]) -> Guarded:
    """Guard a whole answer by what it is; `kind` is its media type.

    UpstreamError if it is none that can be guarded, or a rule blocks it where nothing can say so.
    """
    try:
        return _guarded(guard, kind, body, attributes)
    except GuardstreamError as error:
        raise UpstreamError(502, "unguarded_answer", told(guard, error)) from error
    except RecursionError as error:
        why = "the upstream's answer is nested too deeply"
        raise UpstreamError(502, "unguarded_answer", why) from error


async def judged(guard: Guard, rules: Callable[[], Guarded], beside: Beside) -> Guarded:
    """Do what `rules` does by `beside`, and await the checks of the guard's gates, if it has any.

    They judge each string by itself. UpstreamError, too, for an answer that they block.
    """
    answer = await beside(rules)
    if not guard.gates or not answer.body:
        return answer
    try:
        return answer._replace(body=await judged_strings(guard, answer.body))
    except GuardstreamError as error:
        raise UpstreamError(502, "unguarded_answer", told(guard, error)) from error


def _guarded(guard: Guard, kind: str, body: bytes, attributes: Mapping[str, str]) -> Guarded:
    if not body:
        return Guarded(b"")
    text = None if kind.startswith(_PARTS) else _text(body)
    if text is None:
        why = "the upstream's answer is neither text in UTF-8 nor of a type that may pass"
        raise UpstreamError(502, "unguarded_answer", why)
    if kind == EVENTS:
        return _guarded_stream(guard, body, attributes)
    said = _json(kind, text)
    if said is None:
        raise UpstreamError(502, "upstream_invalid", "the upstream's answer is no JSON")
    if said.form == "lines" and all(isinstance(each, dict) for each in said.value):
        lines = _guarded_stream(guard, text.encode(), attributes)
        return lines._replace(body=lines.body if text[-1] == "\n" else lines.body.rstrip(b"\n"))
    if said.form == "text":
        return _guarded_text(guard, body, text, attributes)
    values = said.value if said.form == "lines" else [said.value]
    out, result = _through(guard, values, attributes)
    if out == values:
        return Guarded(body, result)
    try:
        return Guarded(said.written(out if said.form == "lines" else out[0]), result)
    except RefusedError as error:
        raise AdapterError(error.message) from error


def _guarded_stream(guard: Guard, body: bytes, attributes: Mapping[str, str]) -> Guarded:
    """Guard events or lines of objects that came as a whole, in the format that the first tells."""
    stream = guard.wrap_sync([body], keep_text=False, attributes=attributes)
    with stream:
        out = b"".join(stream)
        result = stream.result
    if result.finish == "content_filter":
        raise UpstreamError(502, "content_filter", "the policy blocked the answer")
    return Guarded(out, result)


def _guarded_text(guard: Guard, body: bytes, text: str, attributes: Mapping[str, str]) -> Guarded:
    """Guard a text; what some readers find in it must be left as it is then."""
    result = guard.check(text)
    start = json_start(result.text)
    if start and _through(guard, start, attributes)[0] != start:
        why = "the policy changes the JSON that the upstream's answer begins with, and is none"
        raise UpstreamError(502, "unguarded_answer", why)
    return Guarded(body if result.text == text else result.text.encode(), result)


def _through(
    guard: Guard, values: Sequence[Any], attributes: Mapping[str, str]
) -> tuple[list[Any], Result]:
    """Return what is left of values in JSON, which are guarded by their paths."""
    chunks = [{"body": value} for value in values]
    stream = guard.wrap_sync(chunks, provider="json", keep_text=False, attributes=attributes)
    with stream:
        out = [each["body"] for each in stream]
        result = stream.result
    if result.finish == "content_filter" or len(out) != len(values):
        raise UpstreamError(502, "content_filter", "the policy blocked the answer")
    return out, result
