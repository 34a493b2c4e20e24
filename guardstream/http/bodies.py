"""Detects what a body is, whatever type it declares: JSON, lines of JSON, a text, or a file.

Clients and servers differ in whether they trust the declared media type, so this module does not.
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
"""How many bytes of a body show whether it is a text
(https://mimesniff.spec.whatwg.org/#reading-the-resource-header)."""

BINARY = frozenset(range(0x20)) - {*b"\t\n\f\r\x1b"}
"""Bytes that occur in no text (https://mimesniff.spec.whatwg.org/#binary-data-byte)."""

_CHARSET = "_charset_"
"""The field with the charset of the other fields (RFC 7578, section 4.6)."""


def _line_of(line: str) -> tuple[Any, str]:
    """Return the value of a line, and its form: a type of JSON, or text."""
    value, form = json_data(line)
    if form != "text" or not _SCALAR.fullmatch(line):
        return value, form
    values, _ = json_data(f"[{line}]")
    return (values[0], "scalar") if isinstance(values, list) else (line, "text")


def check_charset(name: str, text: str) -> None:
    """Raise RefusedError for a field that declares another charset than UTF-8 for the others."""
    if name == _CHARSET and text.lower() not in ("utf-8", "us-ascii"):
        raise RefusedError(400, "invalid_form", "the form is not in UTF-8")


class Outgoing(NamedTuple):
    """The part of a request that may be forwarded: what was judged, and nothing else.

    `body` is its body, `kind` its content type if it has one. `query` is its query; None if that
    was not judged.
    """

    body: bytes
    kind: bytes | None = None
    query: str | None = None


class Body(NamedTuple):
    """The content of a body or a field: JSON, lines of JSON, a text, or bytes that are not read."""

    form: Literal["json", "lines", "text", "unread"]
    value: Any

    def written(self, value: Any) -> bytes:
        """Return the bytes of a body of this form with `value`."""
        if self.form == "text":
            return str(value).encode()
        values = value if self.form == "lines" else [value]
        with refused():
            return b"\n".join(json_bytes(each) for each in values)


def body_of(media: str, body: bytes) -> Body:
    """Return the content of a request's body; RefusedError if it is in none of these forms."""
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
    """Decode UTF-8; None if that is impossible, or if there is a NUL in it."""
    try:
        return None if b"\0" in body else body.removeprefix(BOM_UTF8).decode()
    except UnicodeDecodeError:
        return None


def text_so_far(data: bytes) -> str | None:
    """Decode UTF-8 of which the last character may be cut; None as for `text_of`."""
    for end in range(len(data), max(len(data) - 4, 0), -1):
        text = text_of(data[:end])
        if text is not None:
            return text
    return None


def begins_as_text(start: bytes, *, ended: bool) -> bool | None:
    """Return whether a body that is declared as an image or the like is a text, by its beginning;
    None if that does not show yet."""
    if start and text_so_far(start[:SIGN]) is None:
        return False
    if not ended and len(start) < SIGN:
        return None
    return bool(start)


def is_file(media: str, body: bytes) -> bool:
    """Return whether a body that is not UTF-8 is a file that no client reads as text.

    Its media type has to be that of a file, or unspecified.
    """
    return kind_of(media) in ("unspecified", "file", "media") and not _may_be_text(body)


def _may_be_text(body: bytes) -> bool:
    """Return whether some clients might read bytes that are not UTF-8 as text or JSON.

    They may detect UTF-16 or UTF-32, or read the JSON at the beginning and ignore what follows or
    replace broken characters.
    """
    named = json.detect_encoding(body)
    try:
        if not named.startswith("utf-8") and body.decode(named):
            return True
    except UnicodeDecodeError:
        pass
    return begins_with_json(body)


def begins_with_json(body: bytes) -> bool:
    """Return whether there is JSON at the beginning of some bytes, whatever follows it."""
    try:
        return bool(json_start(body.removeprefix(BOM_UTF8).decode(errors="replace")))
    except AdapterError:  # another parser might accept it
        return True


def field_of(text: str) -> Body:
    """Return the content of a field of a form or of a query."""
    with refused():
        found = json_of("", text)
    assert found is not None  # no media type claims that it is JSON
    return found


def json_of(media: str, text: str) -> Body | None:
    """Return the content of a text; None if its media type claims JSON and it is not JSON.

    AdapterError for JSON that cannot be judged.
    """
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
