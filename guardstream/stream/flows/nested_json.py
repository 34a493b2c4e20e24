"""JSON in a string: the strings in it, which are judged as if they were fields of the event."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b

from guardstream.providers.spec import KINDS

_BOM = "\ufeff"
_BEGINS = re.compile(f'{_BOM}?[ \t\n\r]*["{{\\[]')
_TOKEN = re.compile(
    r"""[ \t\n\r]*(?:
        ("[^"\\]*(?:\\.[^"\\]*)*")
        | ([{}\[\],:])
        | (-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?|true|false|null|NaN|-?Infinity)
    )""",
    re.DOTALL | re.VERBOSE,
)
_REST = re.compile(
    r"""[ \t\n\r]*(?:
        ("[^"\\]*(?:\\(?:u[0-9a-fA-F]{4}|[^u])[^"\\]*)*)(?:\\(?:u[0-9a-fA-F]{0,3})?)?
        | [-+.0-9A-Za-z]*
    )\Z""",
    re.DOTALL | re.VERBOSE,
)
"""What a text may end in that is the beginning of JSON: a string without the rest, or a number."""

_INTEGER = re.compile("-?[0-9]+")
_SURROGATE = re.compile("[\ud800-\udfff]")

_TELLING = (*KINDS, "index")

_STRING, _SCALAR = '"', "0"
"""What stands for tokens that are strings, or numbers and constants; others stand for
themselves."""

_VALUE = '{["0'
"""The tokens that a value begins with."""

_LONG = 256
"""How long a path may be, in code points: a longer one becomes a digest."""


@dataclass(slots=True, eq=False)
class _Value:
    """A value in a text of JSON, and the list or object around it.

    Its `path` has `[*]` for items of lists. Of strings at one path, `place` tells apart those in
    objects of another kind, at another position of a list or with another `index`. A value that a
    later one of the same key replaces has a path of its own, as most readers never see it.
    """

    around: _Open | None
    key: str | None
    position: int | None
    is_replaced: bool = False
    path: str = ""
    place: str = ""

    def locate(self) -> None:
        """Set path and place, once those of what is around are set."""
        around = self.around
        if around is not None:
            step = "[*]" if self.key is None else f".{self.key!r}{'!' * self.is_replaced}"
            self.path = _within(around.path, step)
        self.place = _within(around.place if around else "", self._distinction())

    def _distinction(self) -> str:
        return "" if self.position is None else f"[{self.position}]"


@dataclass(slots=True, eq=False, kw_only=True)
class Nested(_Value):
    """A string, or a key: what it says, and where it stands in the text, with its quotes."""

    value: str
    start: int
    end: int
    is_key: bool = False
    is_open: bool = False  # the text ends in it


@dataclass(slots=True, eq=False, kw_only=True)
class _Open(_Value):
    """A list, or an object, which has `fields`: the last value of each key.

    `tells` has the strings that tell the kind of an event, and the integer that is its `index`.
    """

    fields: dict[str, _Value | None] | None
    size: int = 0
    tells: dict[str, str] = field(default_factory=dict)

    @property
    def ending(self) -> str:
        return "]" if self.fields is None else "}"

    def _distinction(self) -> str:
        tells = self.tells
        position = "" if "index" in tells else _Value._distinction(self)
        return position + "".join(f".{key}={tells[key]!r}" for key in _TELLING if key in tells)


def strings(text: str) -> list[Nested]:
    """Return the strings of a text that is JSON, or the beginning of an object or a list.

    That is an object, a list or a string, or several of them in a row.
    """
    if not _BEGINS.match(text):
        return []
    try:
        return _Reader().read(text)
    except ValueError:
        return []


def with_strings(text: str, changes: Mapping[Nested, str]) -> str:
    """Return the text with other JSON in place of some of its strings; all else stays as it is."""
    made, end = [], 0
    for nested, written in changes.items():
        made += [text[end : nested.start], written]
        end = nested.end
    return "".join([*made, text[end:]])


def written_in(text: str, nested: Nested, value: str) -> str:
    """Return another value of a string in a text as JSON, without the quote that it lacks."""
    escapes = text.isascii() or _SURROGATE.search(value) is not None
    written = json.dumps(value, ensure_ascii=escapes)
    return written[:-1] if nested.is_open else written


class _Reader:
    """Reads a text of JSON token by token, however deep it nests."""

    def __init__(self) -> None:
        self._around: _Open | None = None  # the innermost list or object that is open
        self._key: str | None = None  # of the value that comes next
        self._expected = _VALUE
        self._opened: list[_Open] = []
        self._strings: list[Nested] = []

    def read(self, text: str) -> list[Nested]:
        """Return the strings in it; ValueError if it is no JSON."""
        at = len(_BOM) * text.startswith(_BOM)
        while token := _TOKEN.match(text, at):
            at = token.end()
            self._take(token)
        rest = _REST.match(text, at)
        if rest is None or (self._around is None and rest[0].strip()):
            raise ValueError("no JSON")
        if rest[1] is not None:
            self._expect(_STRING)
            self._take_string(f'{rest[1]}"', rest.start(1), len(text))
            self._strings[-1].is_open = True
        for value in (*self._opened, *self._strings):
            value.locate()
        return self._strings

    def _expect(self, kind: str) -> None:
        if kind not in self._expected:
            raise ValueError("no JSON")

    def _take(self, token: re.Match[str]) -> None:
        string, mark, scalar = token.groups()
        kind = mark or (_STRING if scalar is None else _SCALAR)
        self._expect(kind)
        if kind == _STRING:
            self._take_string(string, *token.span(1))
        elif kind == _SCALAR:
            self._take_scalar(scalar)
        elif kind == "{":
            self._open({}, '"}')
        elif kind == "[":
            self._open(None, _VALUE + "]")
        elif kind == ",":
            self._expected = _STRING if self._is_in_object else _VALUE
        elif kind == ":":
            self._expected = _VALUE
        else:
            self._close()

    @property
    def _is_in_object(self) -> bool:
        return self._around is not None and self._around.fields is not None

    def _take_string(self, quoted: str, start: int, end: int) -> None:
        value = json.loads(quoted, strict=False)
        around, key, position = self._next_place()
        nested = Nested(around, key, position, value=value, start=start, end=end)
        self._strings.append(nested)
        if self._is_in_object and key is None:
            nested.is_key = True
            self._key, self._expected = value, ":"
            return
        if around is not None and around.around is None and key in KINDS:
            around.tells[key] = value
        self._end_value(nested)

    def _take_scalar(self, scalar: str) -> None:
        around = self._around
        if around is not None and self._key == "index" and _INTEGER.fullmatch(scalar):
            around.tells["index"] = scalar
        self._end_value(None)

    def _open(self, fields: dict[str, _Value | None] | None, expected: str) -> None:
        opened = _Open(*self._next_place(), fields=fields)
        self._opened.append(opened)
        self._end_value(opened)
        self._around, self._expected = opened, expected

    def _close(self) -> None:
        assert self._around is not None  # only what is open is expected to close
        self._around = around = self._around.around
        self._expected = f",{around.ending}" if around else _VALUE

    def _next_place(self) -> tuple[_Open | None, str | None, int | None]:
        """Return what is around the value that comes next, its key, and its position in a list."""
        around = self._around
        is_item = around is not None and around.fields is None
        return around, self._key, around.size if around is not None and is_item else None

    def _end_value(self, value: _Value | None) -> None:
        """Note a value: a string, or what opens; None for a number or a constant."""
        around = self._around
        if around is None:
            self._expected = _VALUE
            return
        if around.fields is None:
            around.size += 1
        elif self._key is not None:
            if (before := around.fields.get(self._key)) is not None:
                before.is_replaced = True
            around.fields[self._key] = value
        self._key = None
        self._expected = f",{around.ending}"


def _within(path: str, step: str) -> str:
    joined = path + step
    if len(joined) <= _LONG:
        return joined
    return f"#{blake2b(joined.encode(errors='surrogatepass')).hexdigest()}"
