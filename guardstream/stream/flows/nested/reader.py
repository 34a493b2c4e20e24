"""Reads JSON token by token, and abbreviates what is open at its end, for the text after it."""

from __future__ import annotations

import re
from collections import deque

from guardstream.framing.json import BOM
from guardstream.providers.toolkit.fields import KINDS
from guardstream.providers.toolkit.paths import LONGEST_BESIDE
from guardstream.stream.flows.nested.values import (
    CUT,
    DECODER,
    FEW_ITEMS,
    KEPT,
    Nested,
    Open,
    Strings,
    step_to,
)

_TOKEN = re.compile(
    r"""[ \t\n\r]*(?:
        ("[^"\\]*(?:\\.[^"\\]*)*")
        | ([{}\[\],:])
        | (-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?|true|false|null|NaN|-?Infinity)
        | .
    )""",
    re.DOTALL | re.VERBOSE,
)
_STRING, _SCALAR = 1, 3
"""Groups of a token. A token in no group is no JSON, or the incomplete end of the text."""

_REST = re.compile(
    r"""[ \t\n\r]*(?:
        ("[^"\\]*(?:\\(?:u[0-9a-fA-F]{4}|[^u])[^"\\]*)*)(?:\\(?:u[0-9a-fA-F]{0,3})?)?
        | [-+.0-9A-Za-z]*
    )\Z""",
    re.DOTALL | re.VERBOSE,
)
"""An incomplete token at the end of a text: a string without its end, a number or a constant."""

_VALUE = '{["0'
"""How values begin: objects, lists, strings, and (`0`) numbers and constants."""

_TELLING = frozenset({*KINDS, "index"})

_MOST = 1024
"""How many code points the short text of what is open may have: a longer one is dropped."""


class Reader:
    """Reads a text of JSON token by token, however deep it nests."""

    def __init__(self) -> None:
        self._around: Open | None = None  # the innermost list or object that is open
        self._key: str | None = None  # of the value that comes next
        self._expected = _VALUE
        self._opened: list[Open] = []
        self._strings: list[Nested] = []

    def read(self, text: str, place: str = "") -> Strings:
        """Return the strings, numbers and constants in a text, whose places begin with `place`.

        Raises ValueError if the text is not JSON or the beginning of JSON.
        """
        at = len(BOM) * text.startswith(BOM)
        for token in _TOKEN.finditer(text, at):
            if token.lastindex is None:
                break
            at = token.end()
            self._take(token, at, text[at - 1] if token.lastindex != _SCALAR else "0")
        begun = self._begun(self._take_rest(text, at))
        for value in (*self._opened, *self._strings):
            value.place = place
            value.locate()
        return Strings(self._strings, begun, is_json=True)

    def _take(self, token: re.Match[str], end: int, kind: str) -> None:
        self._expect(kind)
        if kind == '"':
            self._take_string(token[_STRING], token.start(_STRING), end)
        elif kind == ",":
            self._expected = '"' if self._is_in_object else _VALUE
        elif kind == ":":
            self._expected = _VALUE
        elif kind == "0":
            self._take_scalar(token[_SCALAR], token.start(_SCALAR), end)
        elif kind in "{[":
            self._open(kind)
        else:
            assert self._around is not None  # only what is open is expected to close
            self._around = self._around.around
            self._expect_more()

    def _take_rest(self, text: str, at: int) -> str:
        """Take the incomplete token at the end of a text, and return it.

        Of a long string, only its quote and the escape that it ends in are returned. Raises
        ValueError if the end is not the beginning of JSON.
        """
        rest = _REST.match(text, at)
        if rest is None or (self._around is None and rest[_STRING] is None and rest[0].strip()):
            raise ValueError("no JSON")
        if rest[_STRING] is None:
            return rest[0].strip()
        self._expect('"')
        quoted = rest[_STRING]
        if "\\" in quoted[-6:] and (half := CUT.search(quoted)):
            quoted = quoted[: half.start(1)]
        self._take_string(f'{quoted}"', rest.start(_STRING), len(text))
        last = self._strings[-1]
        last.is_open = True
        written = text[rest.start(_STRING) :]
        if len(written) <= (KEPT if last.is_key else LONGEST_BESIDE):
            return written
        return f'"{written[len(quoted) :]}'

    def _begun(self, rest: str) -> str:
        """Return a short text of what is open; `rest` is the incomplete token at its end."""
        around = self._around
        if around is None:
            return rest
        step: str | None = ""
        is_within = False  # a value whose string is cut
        if rest.startswith('"'):
            last = self._strings[-1]
            is_within = not last.is_key
            step = step_to(last.key) if is_within else ""
        elif self._key is not None:
            step = step_to(self._key)[: -1 if self._expected == ":" else None]
        elif self._expected[0] == ",":
            step = None
        begun = around.begun(step, KEPT, is_within=is_within) + rest
        while around.around is not None and len(begun) <= _MOST:
            room = min(KEPT, _MOST // 2 - len(begun))
            begun = around.around.begun(step_to(around.key), room, is_within=True) + begun
            around = around.around
        return begun if len(begun) <= _MOST else ""

    def _expect(self, kind: str) -> None:
        if kind not in self._expected:
            raise ValueError("no JSON")

    @property
    def _is_in_object(self) -> bool:
        return self._around is not None and self._around.fields is not None

    def _take_string(self, quoted: str, start: int, end: int) -> None:
        value = DECODER.decode(quoted) if "\\" in quoted else quoted[1:-1]
        around, key = self._around, self._key
        position = around.size if around is not None else None
        nested = Nested(around, key, position, value=value, start=start, end=end)
        self._strings.append(nested)
        if key is None and self._is_in_object:
            nested.is_key = True
            self._key, self._expected = value, ":"
        else:
            self._tell(value)
            self._end_value(nested)

    def _take_scalar(self, scalar: str, start: int, end: int) -> None:
        self._tell(scalar)
        around, key = self._around, self._key
        position = around.size if around is not None else None
        value = Nested(around, key, position, value=scalar, start=start, end=end)
        value.is_number = scalar[-1].isdigit()
        value.is_constant = not value.is_number
        self._strings.append(value)
        self._end_value(value)

    def _open(self, kind: str) -> None:
        around = self._around
        opened = Open(around, self._key, around.size if around is not None else None)
        if kind == "{":
            opened.fields = {}
        else:
            opened.items = deque(maxlen=FEW_ITEMS)
        self._opened.append(opened)
        self._end_value(opened)
        self._around = opened
        self._expected = '"}' if kind == "{" else f"{_VALUE}]"

    def _tell(self, value: str) -> None:
        """Note a value that tells the open object apart from others at its path."""
        around, key = self._around, self._key
        if around is not None and key is not None and key in _TELLING:
            around.tell(key, value)

    def _end_value(self, value: Nested | Open) -> None:
        """Note a value: a string, a number, a constant, or a list or object that opens."""
        if self._around is not None:
            self._around.add(self._key, value)
            self._key = None
        self._expect_more()

    def _expect_more(self) -> None:
        if self._around is None:
            self._expected = _VALUE
        else:
            self._expected = ",}" if self._is_in_object else ",]"
