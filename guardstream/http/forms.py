"""Reads and writes forms with files (https://www.rfc-editor.org/rfc/rfc7578).

The forwarded form is written from the parsed fields, so that no other parser can find other fields
in it.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from guardstream.http.bodies import check_charset
from guardstream.http.queries import MOST
from guardstream.http.request import RefusedError

_FILES = re.compile(r"(?:file|image|mask)(?:\[\d*\])?")
"""The names of file fields in the forms of OpenAI's API. All other fields are texts, even if they
have a file name: servers differ in how they treat such a field."""

_MEDIA = re.compile(rb"[\w.+-]+/[\w.+-]+")
"""A media type without parameters, because parameters could change how a text is decoded."""


@dataclass(slots=True)
class Part:
    """A field of a form: a text, or a file, which has a `filename`."""

    name: str
    data: bytes
    filename: str | None = None
    kind: bytes = b""
    judged: bool = False  # as the text or the file that it is, whatever its name

    @property
    def is_file(self) -> bool:
        """Whether it is a file, which no server reads as a text that would have to be judged."""
        named = self.judged or _FILES.fullmatch(self.name) is not None
        return self.filename is not None and named

    def text(self) -> str:
        """Return the value of a field; RefusedError if it is not in UTF-8."""
        try:
            return self.data.decode()
        except UnicodeDecodeError as error:
            raise _wrong("a field of the form is not in UTF-8") from error


def read_form(content_type: str, body: bytes) -> list[Part]:
    """Return the parts of a form; RefusedError if the body is not a form."""
    kind, options = parse_options_header(content_type)
    boundary = options.get(b"boundary")
    if kind.lower() != b"multipart/form-data" or not boundary:
        raise _wrong("the body is not a form with files (multipart/form-data)")
    reader = _Reader()
    try:
        parser = MultipartParser(boundary, callbacks=reader.callbacks())  # type: ignore[arg-type]
        parser.write(body)
        parser.finalize()
    except (FormParserError, UnicodeDecodeError) as error:
        raise _wrong("the form cannot be read") from error
    if not reader.ended:
        raise _wrong("the form is incomplete")
    return reader.parts


def write_form(parts: Iterable[Part]) -> tuple[bytes, bytes]:
    """Return the content type and the body of a form."""
    boundary = secrets.token_hex(16).encode()
    out = []
    for part in parts:
        named = b'Content-Disposition: form-data; name="%s"' % _quoted(part.name)
        if part.filename is not None:
            named += b'; filename="%s"' % _quoted(part.filename)
        kind = b"\r\nContent-Type: " + part.kind if part.kind and part.is_file else b""
        out.append(b"--%s\r\n%s%s\r\n\r\n%s\r\n" % (boundary, named, kind, part.data))
    body = b"".join(out) + b"--%s--\r\n" % boundary
    return b"multipart/form-data; boundary=" + boundary, body


def _quoted(text: str) -> bytes:
    """Escape a name as browsers do, and backslashes, too: parsers differ in what a backslash
    escapes."""
    return text.translate(_ESCAPES).encode()


_ESCAPES = str.maketrans({'"': "%22", "\r": "%0D", "\n": "%0A", "\\": "%5C"})


def _wrong(message: str) -> RefusedError:
    return RefusedError(400, "invalid_form", message)


@dataclass(slots=True)
class _Reader:
    """Collects the fields that the parser finds."""

    parts: list[Part] = field(default_factory=list)
    ended: bool = False
    _name: bytes = b""
    _value: bytes = b""
    _headers: dict[bytes, bytes] = field(default_factory=dict)
    _data: bytearray = field(default_factory=bytearray)

    def callbacks(self) -> dict[str, object]:
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._on_name,
            "on_header_value": self._on_value,
            "on_header_end": self._on_header,
            "on_part_data": self._on_data,
            "on_part_end": self._end,
            "on_end": self._finish,
        }

    def _begin(self) -> None:
        self._headers, self._data = {}, bytearray()

    def _on_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _on_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header(self) -> None:
        name = self._name.lower()
        if name in self._headers:
            raise _wrong("a field of the form has a header twice")
        self._headers[name], self._name, self._value = self._value, b"", b""

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        self._data += data[start:end]

    def _end(self) -> None:
        kind, options = parse_options_header(self._headers.get(b"content-disposition"))
        name, filename = options.get(b"name"), options.get(b"filename")
        if kind.lower() != b"form-data" or name is None:
            raise _wrong("a field of the form has no name")
        if b"content-transfer-encoding" in self._headers:
            raise _wrong("a field of the form has a transfer encoding")
        if len(self.parts) == MOST:
            raise _wrong(f"the form has more than {MOST} fields")
        shown = None if filename is None else filename.decode()
        made = self._headers.get(b"content-type", b"")
        media = made.partition(b";")[0].strip()
        if media and not _MEDIA.fullmatch(media):
            raise _wrong("a field of the form has an invalid content type")
        part = Part(name.decode(), bytes(self._data), shown, media)
        check_charset(part.name, part.data.decode("latin-1"))
        self.parts.append(part)

    def _finish(self) -> None:
        self.ended = True
