"""Templates, by which events that differ from an earlier one in a single string need no parsing.

If the characters around that string are the same, the rest of the object is the same, too, and keys
that were unique still are. Fields without meaning may differ (a running number, a time, padding),
as long as a number stays a number and a string a string.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from copy import deepcopy
from itertools import pairwise
from json.encoder import encode_basestring, encode_basestring_ascii
from typing import Any, AnyStr, Generic, NamedTuple, TypeAlias

from guardstream.framing.padding import PADDING

_PROBE = "\N{SNOWMAN} probe"
_PADS: dict[type, Any] = {str: "0probe", int: 8675309}

_TEXT = re.compile(r'[^"\\]*(?:\\.[^"\\]*)*')
_STRING = re.compile(PADDING + '(?=")', re.ASCII)
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*)(?![0-9.eE])")
_NUMBER = re.compile(
    r"(?:-?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,20})?(?:[eE][-+]?[0-9]{1,2})?(?![0-9.eE])"
    r"|true|false|null)"
)
"""What a place that differs may hold: the inside of a string, or a number."""

_IN_BYTES = {
    each: re.compile(each.pattern.encode()) for each in (_TEXT, _STRING, _INTEGER, _NUMBER)
}

Way: TypeAlias = tuple[str | int, ...]
"""The names and indices that lead to a field of an object."""


class _Place(NamedTuple):
    """A place that differs from event to event, and what it may hold."""

    start: int
    end: int
    may_be: re.Pattern[str]
    probe: str


class _Places(Generic[AnyStr]):
    """What surrounds the places that differ, and what each may hold; the text is in place `at`."""

    __slots__ = ("at", "last", "parts")

    def __init__(
        self, parts: Sequence[tuple[AnyStr, re.Pattern[AnyStr]]], last: AnyStr, at: int
    ) -> None:
        self.parts: Sequence[tuple[AnyStr, re.Pattern[AnyStr]]] = parts
        self.last: AnyStr = last
        self.at = at

    def text(self, data: AnyStr) -> tuple[int, int] | None:
        """Return the span of the text in matching data; None if the data does not match."""
        at = 0
        found = (0, 0)
        for number, (literal, may_be) in enumerate(self.parts):
            if not data.startswith(literal, at):
                return None
            start = at + len(literal)
            match = may_be.match(data, start)
            if match is None:
                return None
            at = match.end()
            if number == self.at:
                found = (start, at)
        same = data.startswith(self.last, at) and len(data) == at + len(self.last)
        return found if same else None


class Template:
    """The data of an event, one string of which is the text; `value` is the parsed object.

    `literals` surround the places that differ, and `may_be` has a pattern for each place; the text
    is in place `at`. What surrounded the text of the last data is tried first, because the other
    places seldom change.
    """

    def __init__(
        self, literals: list[str], may_be: list[re.Pattern[str]], at: int, value: dict[str, Any]
    ) -> None:
        self.value = value
        self._places = _Places(list(zip(literals, may_be, strict=False)), literals[-1], at)
        self._before = self._after = "?"  # no data begins and ends like this
        self._read = "", 0, 0  # the last data, and the span of its text

    def text(self, data: str) -> str | None:
        """Return the text of other data; None if that does not match."""
        start, end = len(self._before), len(data) - len(self._after)
        same = start <= end and data.startswith(self._before) and data.startswith(self._after, end)
        if not same:
            place = self._places.text(data)
            if place is None:
                return None
            start, end = place
            self._before, self._after = data[:start], data[end:]
        self._read = data, start, end
        return _string(data[start:end])

    def around(self, lead: str) -> EncodedTemplate:
        """Return the template of bytes that are `lead`, such data and a blank line."""
        parts = [(literal.encode(), _IN_BYTES[may_be]) for literal, may_be in self._places.parts]
        (first, may_be), *others = parts
        parts = [(lead.encode() + first, may_be), *others]
        last = self._places.last.encode() + b"\n\n"
        return EncodedTemplate(_Places(parts, last, self._places.at), len(lead.encode()))

    def with_text(self, text: str, data: str) -> str:
        """Return `data`, which matches, with another text."""
        read, start, end = self._read
        if read is not data:
            place = self._places.text(data)
            assert place is not None
            start, end = place
        return data[:start] + _literal(text) + data[end:]


class EncodedTemplate:
    """A template of an event's bytes.

    `lead` counts the bytes before the data. What surrounded the last text is tried first, as in a
    Template.
    """

    __slots__ = ("_after", "_before", "_lead", "_places")

    def __init__(self, places: _Places[bytes], lead: int) -> None:
        self._places = places
        self._lead = lead
        self._before = self._after = b"?"

    def text(self, raw: bytes) -> str | None:
        """Return the text of an event; None if the bytes do not match."""
        start, end = len(self._before), len(raw) - len(self._after)
        if start > end or not (raw.startswith(self._before) and raw.startswith(self._after, end)):
            place = self._places.text(raw)
            if place is None:
                return None
            start, end = place
            self._before, self._after = raw[:start], raw[end:]
        try:
            return _string(raw[start:end].decode())
        except UnicodeDecodeError:
            return None

    def data(self, raw: bytes) -> str:
        """Return the data of a matching event, whose last two bytes are its blank line."""
        return raw[self._lead : -2].decode()

    def with_text(self, text: str) -> bytes:
        """Return the last event with another text."""
        return b"%b%b%b" % (self._before, _literal(text).encode(), self._after)


def _string(literal: str) -> str | None:
    """Decode the inside of a JSON string; None if it is empty or invalid."""
    if '"' not in literal and "\\" not in literal and literal.isprintable():
        return literal or None
    try:
        text = json.loads(f'"{literal}"')
    except ValueError:
        return None
    return text if isinstance(text, str) and text else None


def _literal(text: str) -> str:
    """Encode a text as the inside of a JSON string."""
    try:
        text.encode()
    except UnicodeEncodeError:  # half a surrogate pair, which JSON can only escape
        return encode_basestring_ascii(text)[1:-1]
    return encode_basestring(text)[1:-1]


def template(
    data: str,
    value: dict[str, Any],
    text: str,
    padding: Collection[str],
    with_text: Callable[[str], dict[str, Any]],
    measured: Iterable[Way] = (),
) -> Template | None:
    """Return a template of `data`; None if the text cannot be located for certain.

    `with_text` returns an object like `value` with another text, `padding` names fields of `value`
    without meaning, `measured` leads to other such fields, with numbers or objects of numbers.
    """
    text_place = _string_at(data, text)
    expected = deepcopy(with_text(_PROBE))
    places = [text_place]
    for name in padding:
        if type(value.get(name)) in _PADS and value[name] != "":
            expected[name] = _PADS[type(value[name])]
            places.append(_padding_at(data, name, value[name]))
    for way in measured:
        *steps, last = way
        holder: Any = value
        probed: Any = expected
        for step in steps:
            holder, probed = holder[step], probed[step]
        places += _measured_at(data, last, holder[last], probed)
    if text_place is None or None in places:
        return None
    inner = sorted(place for place in places if place is not None)
    edges = [0, *(edge for place in inner for edge in (place.start, place.end)), len(data)]
    literals = [data[start:end] for start, end in list(pairwise(edges))[::2]]
    probes = "".join(literal + place.probe for literal, place in zip(literals, inner, strict=False))
    try:
        same = json.loads(probes + literals[-1]) == expected
    except ValueError:
        return None
    if not same:
        return None
    return Template(literals, [place.may_be for place in inner], inner.index(text_place), value)


def _padding_at(data: str, name: str, value: str | int) -> _Place | None:
    """Return the place of an object's padding; None if it is ambiguous."""
    if isinstance(value, int):
        return _number_at(data, name, value, _INTEGER)
    place = _string_at(data, value)
    return place and place._replace(may_be=_STRING, probe=str(_PADS[str]))


def _measured_at(data: str, name: Any, value: Any, probed: Any) -> Iterator[_Place | None]:
    """Yield the place of a number, or of each number in an object; None for an ambiguous one.

    Sets the probes in `probed`.
    """
    if isinstance(value, dict):
        for inner, each in value.items():
            yield from _measured_at(data, inner, each, probed[name])
    else:
        probed[name] = _PADS[int]
        yield _number_at(data, name, value, _NUMBER)


def _number_at(data: str, name: str, value: Any, may_be: re.Pattern[str]) -> _Place | None:
    """Return the place of a field with a number, if there is exactly one."""
    key = re.escape(json.dumps(name))
    found = [
        each.span(1)
        for each in re.finditer(rf"{key}\s*:\s*({may_be.pattern})", data)
        if json.loads(each[1]) == value
    ]
    return _Place(*found[0], may_be, str(_PADS[int])) if len(found) == 1 else None


def _string_at(data: str, text: str) -> _Place | None:
    """Return the place of a text inside the quotes of a JSON string, if there is exactly one."""
    for encoded in dict.fromkeys((encode_basestring(text), encode_basestring_ascii(text))):
        start = data.find(encoded)
        if start >= 0:
            if data.find(encoded, start + 1) >= 0:
                return None
            return _Place(start + 1, start + len(encoded) - 1, _TEXT, _PROBE)
    return None
