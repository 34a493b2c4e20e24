"""JSON objects on the wire.

What is passed on byte for byte must not mean more than was read: an object with a repeated key is
refused, because some readers take the first value and others the last. What is reserialised must
mean what was read: numbers that were too large to read are refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import partial
from json.scanner import py_make_scanner  # type: ignore[attr-defined]
from math import isinf
from typing import Any, Literal, TypeAlias

from guardstream.errors import AdapterError

BOM = "\ufeff"
"""The byte order mark. A reader may ignore one before a JSON text (RFC 8259, section 8.1)."""

_SPACE = " \t\r\n"
_SPACES = re.compile(f"[{_SPACE}]*")
_OPENS = ("{", "[", '"')
_TOO_MUCH = "the JSON is nested too deeply, or has too long a number, to be guarded"


class TooManyValuesError(AdapterError):
    """A document of more values than can be judged without keeping others waiting."""

    def __init__(self, most: int) -> None:
        super().__init__(f"the JSON has more than {most} objects, arrays and strings")


class _Constant(float):
    """`NaN` or `Infinity`, which some servers write although it is not JSON; it is kept as it
    is."""


def json_object(data: str | bytes) -> dict[str, Any] | None:
    """Return the JSON object in `data`; None if it is not one, or not in UTF-8.

    AdapterError if it repeats a key.
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
    """Return a text parsed as JSON, and its form; numbers stay text.

    AdapterError if an object in it repeats a key, or if it is JSON that cannot be read here,
    because other readers might read it.
    """
    if data.lstrip(_SPACE)[:1] not in _OPENS:
        return data, "text"
    try:
        value = _decoder(data).decode(data)
    except json.JSONDecodeError:
        return data, "text"
    except (ValueError, RecursionError):  # a number of thousands of digits, or too deeply nested
        raise AdapterError(_TOO_MUCH) from None
    return value, _FORMS[type(value)]


_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
WORDS = ("true", "false", "null", "NaN", "Infinity", "-Infinity")
"""The values that are words; the last three are not in the standard, but Python writes them."""


_Line: TypeAlias = tuple[
    dict[str, Any] | list[Any] | str | None, Literal["object", "list", "line", "number"]
]
"""The value in a line of JSON, and its form."""


def json_line(line: bytes) -> _Line | None:
    """Return the value in a line of JSON, and its form; None if it is not JSON in UTF-8.

    A number stays as it is written; booleans and null hold nothing. AdapterError as for
    `json_data`.
    """
    try:
        text = line.decode().strip(_SPACE)
    except UnicodeDecodeError:
        return None
    if text in WORDS:
        return None, "number"
    if _NUMBER.fullmatch(text):
        return text, "number"
    value, form = json_data(text)
    if form == "text":
        return None
    return value, "line" if form == "string" else form


def json_start(data: str) -> list[Any]:
    """Return the JSON values at the beginning of a text, whatever follows them.

    Some readers take the first value and ignore the rest. AdapterError for JSON that cannot be read
    here.
    """
    values: list[Any] = []
    at = _end_of_space(data, 0)
    while data[at : at + 1] in _OPENS:
        try:
            value, end = _decoder(data).raw_decode(data, at)
        except json.JSONDecodeError:
            break
        except (ValueError, RecursionError):
            raise AdapterError(_TOO_MUCH) from None
        values.append(value)
        at = _end_of_space(data, end)
    return values


def escaped_strings(text: str) -> Iterator[str]:
    """Yield the strings that contain escapes in the JSON at the beginning of each line of a text.
    AdapterError for JSON that cannot be read here."""
    for line in text.split("\n"):
        left = json_start(line) if "\\" in line else []
        while left:
            each = left.pop()
            if isinstance(each, dict):
                left += [*each, *each.values()]
            elif isinstance(each, list):
                left += each
            elif isinstance(each, str) and f'"{each}"' not in line:
                yield each


def _end_of_space(data: str, at: int) -> int:
    found = _SPACES.match(data, at)
    assert found is not None
    return found.end()


def json_bytes(value: Any, size: int = 0) -> bytes:
    """Return a value as JSON in UTF-8. `size` is the approximate number of bytes.

    A long one is written piece by piece, so that other threads get a turn. AdapterError if it has a
    number that was too large to read, such as 1e999.
    """
    try:
        return _encoded(value, size, _STRICT)
    except ValueError:
        if _has_overflown(value):
            raise AdapterError("a number in the JSON is too large to be reserialised") from None
        return _encoded(value, size, _AS_READ)


def _has_overflown(value: Any) -> bool:
    """Return whether a value has a float that overflowed to infinity when it was read."""
    left = [value]
    while left:
        each = left.pop()
        if isinstance(each, dict):
            left += each.values()
        elif isinstance(each, (list, tuple)):
            left += each
        elif isinstance(each, float) and isinf(each) and not isinstance(each, _Constant):
            return True
    return False


def _encoded(value: Any, size: int, encoders: tuple[json.JSONEncoder, json.JSONEncoder]) -> bytes:
    plain, ascii_only = encoders
    try:
        return _written(plain, value, size)
    except UnicodeEncodeError:  # an unpaired surrogate, which JSON can only escape
        return _written(ascii_only, value, size)


def _written(encoder: json.JSONEncoder, value: Any, size: int) -> bytes:
    if size < _LONG:
        return encoder.encode(value).encode()
    return b"".join([piece.encode() for piece in encoder.iterencode(value)])


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise AdapterError("a JSON object repeats a key: readers differ in which value counts")
    return value


class _Interruptible(json.JSONDecoder):
    """Parses values one by one in Python, so that other threads get a turn: a million numbers would
    block them for a tenth of a second, a hundred long strings for a fiftieth."""

    def __init__(self) -> None:
        super().__init__(object_pairs_hook=_unique, parse_constant=_Constant)
        self.scan_once = py_make_scanner(self)


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_Constant)
_LONG_DECODER = _Interruptible()


def _encoders(*, allow_nan: bool) -> tuple[json.JSONEncoder, json.JSONEncoder]:
    written = partial(json.JSONEncoder, separators=(",", ":"), allow_nan=allow_nan)
    return written(ensure_ascii=False), written()


_STRICT = _encoders(allow_nan=False)
_AS_READ = _encoders(allow_nan=True)

_LONG = 1024 * 1024
"""The number of characters above which a text blocks other threads noticeably."""


def _decoder(text: str) -> json.JSONDecoder:
    """Return the decoder for a text. TooManyValuesError for one with too many values."""
    if len(text) >= MAX_VALUES:
        _check_amount(text)
    return _LONG_DECODER if len(text) >= _LONG else _DECODER


MAX_VALUES = 200_000
"""The objects, arrays and strings of a document, where a number, a flag or null counts a twentieth.

A value takes some 4 µs to be judged and 100 bytes of memory, and `{}` is three bytes long: 13 MB of
these would take the thread that all streams share for 20 s, and prose of that size 0.1 s.
"""

_SCALARS = 20

_VALUE = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[{\[]|[^"{\[]++', re.DOTALL)


def _check_amount(text: str) -> None:
    """Raise TooManyValuesError for a text with more values than MAX_VALUES; it is not parsed."""
    most = text.count("{") + text.count("[") + text.count('"') // 2
    if most + text.count(",") // _SCALARS <= MAX_VALUES:
        return
    left = MAX_VALUES * _SCALARS
    for found in _VALUE.finditer(text):
        is_value = found[0][0] in _OPENS
        left -= _SCALARS if is_value else found[0].count(",")
        if left < 0:
            raise TooManyValuesError(MAX_VALUES)
