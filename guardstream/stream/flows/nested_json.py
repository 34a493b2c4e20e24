"""JSON in a string: the strings in it, which are judged as if they were fields of the event."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b

from guardstream.providers.spec import KINDS

_BOM = "\ufeff"
_SPACE = " \t\n\r"
_BEGINS = re.compile(f'{_BOM}?[{_SPACE}]*["{{\\[]')
_ENDS = ('"', "}", "]")
_TOKEN = re.compile(
    r"""[ \t\n\r]*(?:
        ("[^"\\]*(?:\\.[^"\\]*)*")
        | ([{}\[\],:])
        | (-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?|true|false|null|NaN|-?Infinity)
    )""",
    re.DOTALL | re.VERBOSE,
)
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
class _Placed:
    """A value or a key in a text of JSON, its path, and the list or object around it.

    Of strings at one path, `place` tells apart those in objects of another kind, at another
    `position` of a list or with another `index`, and those before another value of the same key.
    """

    around: _Open | None
    path: str
    position: int | None = None
    is_replaced: bool = False  # by a later value of the same key
    place: str = ""

    def find_place(self) -> None:
        """Set the place, once that of what is around is set."""
        place = self.around.place if self.around else ""
        step = self._step() + "!" * self.is_replaced
        self.place = _within(place, step) if step else place

    def _step(self) -> str:
        return "" if self.position is None else f"[{self.position}]"


@dataclass(slots=True, eq=False)
class Nested(_Placed):
    """A string: what it says, and where it stands in the text, with its quotes."""

    value: str = ""
    start: int = 0
    end: int = 0
    is_key: bool = False


@dataclass(slots=True, eq=False)
class _Open(_Placed):
    """A list, or an object, which has `fields`: the last value of each key.

    `tells` are the strings that tell the kind of an event, and the integer that is its `index`.
    """

    fields: dict[str, _Placed | None] | None = None
    size: int = 0
    tells: dict[str, str] | None = None

    @property
    def ending(self) -> str:
        return "]" if self.fields is None else "}"

    def _step(self) -> str:
        tells = self.tells or {}
        place = _Placed._step(self) if "index" not in tells else ""
        return place + "".join(f".{key}={tells[key]!r}" for key in _TELLING if key in tells)


def strings(text: str) -> list[Nested]:
    """Return the strings of a text that is an object, a list or a string of JSON, or several of
    them in a row; none if it is not."""
    if not (_BEGINS.match(text) and text.rstrip(_SPACE).endswith(_ENDS)):
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


def written_in(text: str, value: str) -> str:
    """Return a value as a string of JSON that may stand in a text."""
    escapes = text.isascii() or _SURROGATE.search(value) is not None
    return json.dumps(value, ensure_ascii=escapes)


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
        at, end = len(_BOM) * text.startswith(_BOM), len(text.rstrip(_SPACE))
        while at < end and (token := _TOKEN.match(text, at)):
            at = token.end()
            self._take(token)
        if at != end or self._around is not None:
            raise ValueError("no JSON")
        for placed in (*self._opened, *self._strings):
            placed.find_place()
        return self._strings

    def _take(self, token: re.Match[str]) -> None:
        string, mark, scalar = token.groups()
        kind = mark or (_STRING if scalar is None else _SCALAR)
        if kind not in self._expected:
            raise ValueError("no JSON")
        if kind == _STRING:
            self._take_string(json.loads(string, strict=False), *token.span(1))
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

    def _take_string(self, value: str, start: int, end: int) -> None:
        around = self._around
        if around is not None and self._is_in_object and self._key is None:
            self._key, self._expected = value, ":"
            self._strings.append(
                Nested(around, around.path, value=value, start=start, end=end, is_key=True)
            )
            return
        if around is not None and around.around is None and self._key in KINDS:
            around.tells = {**(around.tells or {}), self._key: value}
        nested = Nested(around, *self._next_place(), value=value, start=start, end=end)
        self._strings.append(nested)
        self._end_value(nested)

    def _take_scalar(self, scalar: str) -> None:
        around = self._around
        if around is not None and self._key == "index" and _INTEGER.fullmatch(scalar):
            around.tells = {**(around.tells or {}), self._key: scalar}
        self._end_value(None)

    def _open(self, fields: dict[str, _Placed | None] | None, expected: str) -> None:
        opened = _Open(self._around, *self._next_place(), fields=fields)
        self._end_value(opened)
        self._opened.append(opened)
        self._around, self._expected = opened, expected

    def _close(self) -> None:
        assert self._around is not None  # only what is open is expected to close
        self._around = around = self._around.around
        self._expected = f",{around.ending}" if around else _VALUE

    def _next_place(self) -> tuple[str, int | None]:
        """Return the path of the value that comes next, and its position in a list."""
        around = self._around
        if around is None:
            return "", None
        if around.fields is None:
            return _within(around.path, "[*]"), around.size
        return _within(around.path, f".{self._key!r}"), None

    def _end_value(self, value: _Placed | None) -> None:
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
