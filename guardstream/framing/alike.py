"""Events whose data differs from an earlier one's in a single string are read without parsing them.

What stands around that string is the same, character for character: so the rest of the object is
the same, too, and keys that were unique are. Fields that mean nothing and are never the same
(a running number, padding) may differ: they hold a number where one was, or a string.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator
from itertools import pairwise
from json.encoder import encode_basestring, encode_basestring_ascii
from typing import Any, NamedTuple

from guardstream.framing.padding import PADDING

_PROBE = "\N{SNOWMAN} probe"
_PADS: dict[type, Any] = {str: "0probe", int: 8675309}

_TEXT = re.compile(r'[^"\\]*(?:\\.[^"\\]*)*')
_STRING = re.compile(PADDING + '(?=")', re.ASCII)
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?![0-9.eE])")
"""What stands in a place that differs: between the quotes of a string, or for a number."""


class _Place(NamedTuple):
    """Where something stands that differs from event to event, and what may stand there."""

    start: int
    end: int
    may_be: re.Pattern[str]
    probe: str


class Template:
    """The data of an event, of which `text` is one string; `value` is the object that it is.

    `literals` are what stands around the places that differ, of which each has its pattern; the
    text stands in the place `at`. What stood before and after the text of the last data is tried
    first: most of what may differ seldom does.
    """

    def __init__(
        self, literals: list[str], may_be: list[re.Pattern[str]], at: int, value: dict[str, Any]
    ) -> None:
        self.value = value
        self._parts = list(zip(literals, may_be, strict=False))
        self._last = literals[-1]
        self._at = at
        self._before = self._after = "?"  # no data begins and ends so
        self.stays = False
        self._read = "", 0, 0  # the last data, and where its text stands

    def text(self, data: str) -> str | None:
        """Return the string that stands in other data in the same place; None if it is not like."""
        start, end = len(self._before), len(data) - len(self._after)
        same = start <= end and data.startswith(self._before) and data.startswith(self._after, end)
        if not same:
            place = self._place(data)
            if place is None:
                return None
            start, end = place
            self._before, self._after = data[:start], data[end:]
        self._read = data, start, end
        self.stays = same
        return _string(data[start:end])

    def around(self) -> tuple[str, str]:
        """What stands before and after the text in the data read last; it `stays` if it did."""
        return self._before, self._after

    def saying(self, text: str, data: str) -> str:
        """Return data that says another text, like `data`, which is like this."""
        read, start, end = self._read
        if read is not data:
            place = self._place(data)
            assert place is not None
            start, end = place
        return data[:start] + _literal(text) + data[end:]

    def _place(self, data: str) -> tuple[int, int] | None:
        """Return where the text stands in data that is like this; None if it is not."""
        at = 0
        found = (0, 0)
        for number, (literal, may_be) in enumerate(self._parts):
            if not data.startswith(literal, at):
                return None
            start = at + len(literal)
            match = may_be.match(data, start)
            if match is None:
                return None
            at = match.end()
            if number == self._at:
                found = (start, at)
        same = data.startswith(self._last, at) and len(data) == at + len(self._last)
        return found if same else None


class Around:
    """The bytes of an event of which later ones differ in a text alone.

    `lead` stands before the data, `before` in it before the text, `after` after that.
    """

    __slots__ = ("_after", "_before", "_lead", "_size")

    def __init__(self, lead: str, before: str, after: str) -> None:
        self._lead = len(lead.encode())
        self._before = f"{lead}{before}".encode()
        self._after = after.encode()
        self._size = len(self._before) + len(self._after)

    def text(self, raw: bytes) -> str | None:
        """Return the text in some bytes; None if they are not one such event."""
        if (
            len(raw) <= self._size
            or not raw.startswith(self._before)
            or not raw.endswith(self._after)
        ):
            return None
        try:
            return _string(raw[len(self._before) : -len(self._after)].decode())
        except UnicodeDecodeError:
            return None

    def data(self, raw: bytes) -> str:
        """Return the data of such an event, of which the last two bytes are its blank line."""
        return raw[self._lead : -2].decode()

    def saying(self, text: str) -> bytes:
        """Return an event with another text."""
        return b"%b%b%b" % (self._before, _literal(text).encode(), self._after)


def _string(literal: str) -> str | None:
    """Return what stands between the quotes of a string; None for nothing, or what is none."""
    if '"' not in literal and "\\" not in literal and literal.isprintable():
        return literal or None
    try:
        text = json.loads(f'"{literal}"')
    except ValueError:
        return None
    return text if isinstance(text, str) and text else None


def _literal(text: str) -> str:
    """Return a text as it stands between the quotes of a string."""
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
    saying: Callable[[str], dict[str, Any]],
) -> Template | None:
    """Return what later data is compared with; None if it cannot be told where the text stands.

    `saying` makes an object like `value` that says another text, `padding` are fields of `value`
    that mean nothing.
    """
    said = _string_at(data, text)
    places = [said, *_padding_at(data, value, padding)]
    if said is None or None in places:
        return None
    inner = sorted(place for place in places if place is not None)
    edges = [0, *(edge for place in inner for edge in (place.start, place.end)), len(data)]
    literals = [data[start:end] for start, end in list(pairwise(edges))[::2]]
    probed = "".join(literal + place.probe for literal, place in zip(literals, inner, strict=False))
    told = {**saying(_PROBE), **{name: _PADS[type(value[name])] for name in _given(value, padding)}}
    try:
        same = json.loads(probed + literals[-1]) == told
    except ValueError:
        return None
    if not same:
        return None
    return Template(literals, [place.may_be for place in inner], inner.index(said), value)


def _given(value: dict[str, Any], padding: Collection[str]) -> list[str]:
    """Return the fields of padding that an object has, and that hold something."""
    return [name for name in padding if type(value.get(name)) in _PADS and value[name] != ""]


def _padding_at(
    data: str, value: dict[str, Any], padding: Collection[str]
) -> Iterator[_Place | None]:
    """The places of an object's padding; None for one of which nobody can tell."""
    for name in _given(value, padding):
        if isinstance(value[name], str):
            place = _string_at(data, value[name])
            probe = str(_PADS[str])
            yield place and place._replace(may_be=_STRING, probe=probe)
        else:
            key = re.escape(json.dumps(name))
            found = list(re.finditer(rf"{key}\s*:\s*({_NUMBER.pattern})", data))
            span = found[0].span(1) if len(found) == 1 else None
            yield span and _Place(*span, _NUMBER, str(_PADS[int]))


def _string_at(data: str, text: str) -> _Place | None:
    """Return where a text stands as the only such string of JSON: within its quotes."""
    for encoded in dict.fromkeys((encode_basestring(text), encode_basestring_ascii(text))):
        start = data.find(encoded)
        if start >= 0:
            if data.find(encoded, start + 1) >= 0:
                return None
            return _Place(start + 1, start + len(encoded) - 1, _TEXT, _PROBE)
    return None
