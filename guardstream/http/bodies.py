"""What a body is, whatever it calls itself: JSON, lines of JSON, a text, or a file.

Readers differ in what they go by, so nothing is taken for what its media type says alone.
"""

from __future__ import annotations

import json
import re
from codecs import BOM_UTF8
from typing import Any, Literal, NamedTuple

from guardstream.errors import AdapterError
from guardstream.framing.json import WORDS, json_bytes, json_data, json_start
from guardstream.http.media import kind_of
from guardstream.http.request import RefusedError, refused

_SCALAR = re.compile(rf"\s*(?:-?[\d.eE+-]+|{'|'.join(WORDS)})\s*")

SIGN = 1445
"""Bytes of a body that tell whether it is a text
(https://mimesniff.spec.whatwg.org/#reading-the-resource-header)."""

BINARY = frozenset(range(0x20)) - {*b"\t\n\f\r\x1b"}
"""Bytes that stand in no text (https://mimesniff.spec.whatwg.org/#binary-data-byte)."""

_CHARSET = "_charset_"
"""The field that says in which charset the others are (RFC 7578, section 4.6)."""


def _line_of(line: str) -> tuple[Any, str]:
    """Return what a line stands for as JSON, and of which form that is."""
    value, form = json_data(line)
    if form != "text" or not _SCALAR.fullmatch(line):
        return value, form
    values, _ = json_data(f"[{line}]")
    return (values[0], "scalar") if isinstance(values, list) else (line, "text")


def check_charset(name: str, text: str) -> None:
    """Raise RefusedError for a field that says that the others are not in UTF-8."""
    if name == _CHARSET and text.lower() not in ("utf-8", "us-ascii"):
        raise RefusedError(400, "invalid_form", "the form is not in UTF-8")


class Outgoing(NamedTuple):
    """What may be sent on of a request: what was judged, and nothing else.

    `body` is its body, `kind` its content type if it has one, and `query` its query, None if that
    was not judged.
    """

    body: bytes
    kind: bytes | None = None
    query: str | None = None


class Body(NamedTuple):
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


def body_of(media: str, body: bytes) -> Body:
    """Tell what a body is, whatever it calls itself: readers differ in what they go by."""
    text = text_of(body)
    if text is None:
        if is_file(media, body):
            return Body("unread", body)
        why = "the request's body is neither text in UTF-8 nor of a type that is a file"
        raise RefusedError(415, "unguarded_input", why)
    with refused():
        found = json_of(media, text)
    if found is None:
        raise RefusedError(400, "invalid_json", "the request's body is not JSON")
    return found


def text_of(body: bytes) -> str | None:
    """Return the text that bytes are; None if they are none in UTF-8, in which no NUL stands."""
    try:
        return None if b"\0" in body else body.removeprefix(BOM_UTF8).decode()
    except UnicodeDecodeError:
        return None


def is_file(media: str, body: bytes) -> bool:
    """Tell whether a body that is not text in UTF-8 is a file which nobody reads as text: its media
    type is one of files, or says nothing."""
    return kind_of(media) in ("unspecified", "file", "unread") and not _may_be_text(body)


def _may_be_text(body: bytes) -> bool:
    """Tell whether some readers take bytes for text or JSON that are not text in UTF-8.

    They find out that it is UTF-16 or UTF-32, or read the JSON that it begins with, whatever
    follows and though characters in it are broken.
    """
    named = json.detect_encoding(body)
    try:
        if not named.startswith("utf-8") and body.decode(named):
            return True
    except UnicodeDecodeError:
        pass
    return begins_with_json(body)


def begins_with_json(body: bytes) -> bool:
    """Tell whether readers find JSON at the beginning of bytes, whatever follows it."""
    try:
        return bool(json_start(body.removeprefix(BOM_UTF8).decode(errors="replace")))
    except AdapterError:  # other readers might read it
        return True


def field_of(text: str) -> Body:
    """Tell what a field of a form or of a query is."""
    with refused():
        found = json_of("", text)
    assert found is not None  # it does not say that it is JSON
    return found


def json_of(media: str, text: str) -> Body | None:
    """Return a text as the JSON that it is; None if it says so and is not. AdapterError for JSON
    that cannot be judged."""
    value, form = json_data(text)
    if form != "text":
        return Body("json", value)
    lines = [_line_of(line) for line in text.split("\n") if line.strip()]
    forms = {form for _, form in lines}
    if forms and "text" not in forms and forms != {"scalar"}:
        return Body("lines", [value for value, _ in lines])
    if kind_of(media) in ("json", "lines") and not _SCALAR.fullmatch(text):
        return None
    return Body("text", text)
