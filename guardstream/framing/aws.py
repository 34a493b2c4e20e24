"""Amazon's event streams: binary messages with headers, a payload of JSON, and checksums.

https://docs.aws.amazon.com/transcribe/latest/dg/event-stream.html and Smithy's
`application/vnd.amazon.eventstream`. A message consists of its length, the length of its headers, a
CRC of both, the headers, the payload, and a CRC of everything. An event becomes what boto3 returns:
an object with one field, named after its type.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct, error
from typing import Any
from zlib import crc32

from guardstream.errors import AdapterError
from guardstream.framing.json import json_object

_PRELUDE = Struct(">III")
_U16 = Struct(">H")
_U32 = Struct(">I")

MAX_MESSAGE = 24 * 1024 * 1024
"""The maximum bytes of a message: what Amazon's own clients accept."""

_STRING, _BYTES = 7, 6
_ERRORS = {_STRING: "strict", _BYTES: "replace"}
"""How a header value that is not UTF-8 is handled; values of other types hold no text."""

_SIZES = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
"""The size of a header value in bytes, by its type; types 6 and 7 have a length before the
value."""

Headers = dict[str, str]

_TYPES = {":event-type": "event", ":exception-type": "exception", ":error-code": "error"}
"""The headers that name a message, and the `:message-type` for each.

An error is not modelled by the service: a header describes it, and there is no payload.
"""

_MESSAGE = ":error-message"

_TELLING = frozenset(
    {
        (":content-type", "application/json"),
        *((":message-type", kind) for kind in _TYPES.values()),
    }
)
"""The headers of nearly every message."""


class Messages:
    """Splits the bytes of one stream into messages: their bytes, headers and payload."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[bytes, Headers, bytes]]:
        """Take the next bytes; yield the messages that they complete. AdapterError for invalid
        ones."""
        self._rest += data
        while len(self._rest) >= _PRELUDE.size:
            size, headers, check = _PRELUDE.unpack_from(self._rest)
            if crc32(self._rest[:8]) != check or not headers + 16 <= size <= MAX_MESSAGE:
                raise AdapterError("a message in an event stream has a wrong length or checksum")
            if len(self._rest) < size:
                return
            raw = bytes(self._rest[:size])
            del self._rest[:size]
            if crc32(raw[:-4]) != _U32.unpack_from(raw, size - 4)[0]:
                raise AdapterError("a message in an event stream has a wrong checksum")
            yield raw, _headers(raw[12 : 12 + headers]), raw[12 + headers : -4]

    @property
    def rest(self) -> bytes:
        """The beginning of a message that is not complete."""
        return bytes(self._rest)


def event(headers: Headers, payload: bytes) -> dict[str, Any]:
    """Return a message as an object with one field. AdapterError unless it is an event with
    JSON."""
    named = _named(headers)
    value = json_object(payload) if payload else {}
    if named is None or value is None:
        raise AdapterError("a message in an event stream is not an event with JSON")
    if _TYPES[named] == "error":
        value = {"message": headers.get(_MESSAGE, ""), **value}
    return {headers[named]: value}


def kind_of(raw: bytes) -> str:
    """Return the kind of a message: `event`, `exception` or `error`."""
    ((_, headers, _),) = Messages().feed(raw)
    return _TYPES[_named(headers) or ":event-type"]


def other_headers(headers: Headers) -> str:
    """Return the unknown headers of a message, as lines."""
    named = _named(headers)
    known = (named, _MESSAGE) if named == ":error-code" else (named,)
    return "\n".join(
        f"{name}: {value}"
        for name, value in headers.items()
        if name not in known and (name, value) not in _TELLING
    )


def _named(headers: Headers) -> str | None:
    """Return the header that names a message; None if there is none."""
    kind = headers.get(":message-type")
    present = [name for name in _TYPES if headers.get(name)]
    return next((name for name in present if _TYPES[name] == kind), present[0] if present else None)


def message(name: str, payload: bytes, kind: str = "event", why: str | None = None) -> bytes:
    """Return the bytes of a message of a `kind`, with a payload of JSON; `why` describes an
    error."""
    named = next(header for header, each in _TYPES.items() if each == kind)
    fields = {named: name, ":content-type": "application/json", ":message-type": kind}
    if why is not None:
        fields[_MESSAGE] = why
    headers = b"".join(map(_header, fields, fields.values()))
    size = len(headers) + len(payload) + 16
    prelude = _U32.pack(size) + _U32.pack(len(headers))
    body = prelude + _U32.pack(crc32(prelude)) + headers + payload
    return body + _U32.pack(crc32(body))


def _header(name: str, value: str) -> bytes:
    raw_name, raw_value = name.encode(), value.encode()
    return (
        bytes([len(raw_name)]) + raw_name + bytes([_STRING]) + _U16.pack(len(raw_value)) + raw_value
    )


def _headers(data: bytes) -> Headers:
    found: Headers = {}
    at = 0
    try:
        while at < len(data):
            name = data[at + 1 : (at := at + 1 + data[at])].decode()
            kind, at = data[at], at + 1
            size = _SIZES.get(kind)
            if size is None:
                size, at = _U16.unpack_from(data, at)[0], at + 2
            if name in found:
                raise AdapterError("a message in an event stream repeats a header")
            value = data[at : at + size] if kind in _ERRORS else b""
            found[name] = value.decode(errors=_ERRORS.get(kind, "strict"))
            at += size
    except (IndexError, ValueError, error):
        raise AdapterError("a message in an event stream has headers that cannot be read") from None
    if at != len(data):
        raise AdapterError("a message in an event stream has headers that cannot be read")
    return found
