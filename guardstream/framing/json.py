"""JSON objects as they come and go over the wire.

What is passed on byte for byte must not say more than was read of it: an object that names a key
twice is refused, as one reader takes the first value and another one the last.
"""

from __future__ import annotations

import json
from json.scanner import py_make_scanner  # type: ignore[attr-defined]
from typing import Any, Literal

from guardstream.errors import AdapterError

_SPACE = " \t\r\n"
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_ASCII_ENCODER = json.JSONEncoder(separators=(",", ":"))


def json_object(data: str | bytes) -> dict[str, Any] | None:
    """Return the JSON object that `data` is; None if it is none, or not in UTF-8.

    AdapterError if it names a key twice.
    """
    try:
        text = data if isinstance(data, str) else data.decode()
        if text[:1] != "{" and not text.lstrip().startswith("{"):
            return None
        value = _decoder(text).decode(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


_FORMS: dict[type, Literal["object", "list", "string"]] = {
    dict: "object",
    list: "list",
    str: "string",
}


def json_data(
    data: str,
) -> tuple[dict[str, Any] | list[Any] | str, Literal["object", "list", "string", "text"]]:
    """Return what a text stands for as JSON, and of which form that is; numbers stay text.

    AdapterError if an object in it names a key twice, or it is JSON that cannot be read here: other
    readers might.
    """
    if data.lstrip(_SPACE)[:1] not in ("{", "[", '"'):
        return data, "text"
    try:
        value = _decoder(data).decode(data)
    except json.JSONDecodeError:
        return data, "text"
    except (ValueError, RecursionError):  # a number of thousands of digits, or too deep
        raise AdapterError("JSON too deep, or with too long a number, to be guarded") from None
    return value, _FORMS[type(value)]


def json_bytes(value: Any, size: int = 0) -> bytes:
    """Return a value as JSON in UTF-8. `size` is about how many bytes it will have.

    One that is long is written piece by piece, so that other threads have their turn.
    """
    try:
        return _written(_ENCODER, value, size)
    except UnicodeEncodeError:  # half a surrogate pair, which JSON can only escape
        return _written(_ASCII_ENCODER, value, size)


def _written(encoder: json.JSONEncoder, value: Any, size: int) -> bytes:
    if size < _LONG:
        return encoder.encode(value).encode()
    return b"".join([piece.encode() for piece in encoder.iterencode(value)])


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise AdapterError("an object in JSON names a key twice: readers differ in what it says")
    return value


class _Interruptible(json.JSONDecoder):
    """Reads values one by one in Python, so that other threads have their turn: a million numbers
    would hold them all up for a tenth of a second, a hundred long strings for a fiftieth."""

    def __init__(self) -> None:
        super().__init__(object_pairs_hook=_unique)
        self.scan_once = py_make_scanner(self)


_DECODER = json.JSONDecoder(object_pairs_hook=_unique)
_LONG_DECODER = _Interruptible()

_LONG = 1024 * 1024
"""Characters from which on others would notice how long a text takes."""


def _decoder(text: str) -> json.JSONDecoder:
    return _LONG_DECODER if len(text) >= _LONG else _DECODER
