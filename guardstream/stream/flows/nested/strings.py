"""The values in a string that is JSON, or server-sent events.

A string may end amid JSON or an event, as the chunks of a connection do. What is open then is kept
as a short text: the next string is read after it as it would be after all earlier text.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Sequence
from contextlib import suppress

from guardstream.formats.toolkit.fields import KINDS
from guardstream.formats.toolkit.paths import LONGEST_BESIDE
from guardstream.framing.json import BOM
from guardstream.stream.flows.nested.values import (
    CUT,
    DECODER,
    FEW_ITEMS,
    KEPT,
    Nested,
    Open,
    Strings,
    step_to,
    within,
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


_EVENTS = re.compile(rf"(?:\A{BOM}?|[\r\n])(?:data|event):")
"""A text with such a line, of data or of an event's name, may be server-sent events."""

_EVENT_ENDS = tuple(word[:size] for word in ("data", "event") for size in range(1, len(word) + 1))
_EVENT_BEGINS = re.compile(rf"(?:\A{BOM}?|[\r\n])((?:d(?:a(?:ta?)?)?|e(?:v(?:e(?:nt?)?)?)?)\Z)")
"""The incomplete beginning of such a line at the end of a text."""

_LINE = re.compile(r"(?:(data|event)(?:: ?|(?=[\r\n]|\Z)))?([^\r\n]*)(?:\r\n?|\n|\Z)")
"""A line: its field, if that is data or event, and the rest without one space (section 9.2.6)."""

_NEXT_LINE = re.compile(r"(?:\r\n?|\n)(?:data: ?)?")
"""The text between two lines of data that follow each other."""


def begun_in(text: str) -> str:
    """Return the incomplete beginning of an event's line at the end of a text, or an empty text."""
    if text.endswith(_EVENT_ENDS) and (begins := _EVENT_BEGINS.search(text[-7:])):
        return begins[1]
    return ""


def may_be_events(text: str) -> bool:
    """Return whether a text has a line of an event."""
    return ("data:" in text or "event:" in text) and _EVENTS.search(text) is not None


def in_events(text: str) -> Strings:
    """Return what is in the data of server-sent events, the last of which may be cut."""
    found: list[Nested] = []
    lines: list[tuple[int, int]] = []  # of data: where they begin and end
    name = rest = ""
    for line in _LINE.finditer(text, len(BOM) * text.startswith(BOM)):
        is_cut = line.end() == len(text) and line.end() == line.end(2)
        if is_cut and not (line[1] == "data" and line[2]):
            rest = line[0][:KEPT]
            break
        if line[1] == "data":
            lines.append(line.span(2))
        elif line[1] == "event":
            name = line[2]
        elif not line[2]:
            found += _in_event(text, lines, name).values if lines else ()
            lines, name = [], ""
        if is_cut:
            break
    begun = f"event: {name[:KEPT]}\n" if name else ""
    if lines:
        last = _in_event(text, lines, name)
        found += last.values
        begun += f"data: {last.begun}" + "\n" * (lines[-1][1] < len(text))
    if begun.endswith("\n") and text.endswith("\r"):
        begun = f"{begun[:-1]}\r"  # a line feed that comes next belongs to it
    return Strings(found, begun + rest)


def _in_event(text: str, lines: Sequence[tuple[int, int]], name: str) -> Strings:
    """Return what is in an event's data: its strings and numbers, or all of it if it is no JSON.

    The lines keep their offsets in the text: spaces replace what is between them.

        data: {"a":        {"a":
        data: "b"}               "b"}
    """
    place = within("event:", name) if name else ""
    parts: list[str] = []
    start = at = lines[0][0]
    for begin, end in lines:
        parts += [" " * (begin - at), text[begin:end]]
        at = end
    data = "".join(parts)
    with suppress(ValueError):
        if data.lstrip().startswith(("{", "[", '"')):
            read = Reader().read(data, place)
            for value in read.values:
                value.start += start
                value.end += start
            return read
    return Strings(
        [
            Nested(
                *(None, None, None),
                path="(data)",
                place=place,
                value="\n".join(text[begin:end] for begin, end in run),
                start=run[0][0],
                end=run[-1][1],
                is_data=True,
            )
            for run in _runs(text, lines)
        ]
    )


def _runs(text: str, lines: Sequence[tuple[int, int]]) -> list[list[tuple[int, int]]]:
    """Group the lines of data that follow each other without another line between them."""
    runs = [[lines[0]]]
    for line in lines[1:]:
        between = text[runs[-1][-1][1] : line[0]]
        if _NEXT_LINE.fullmatch(between):
            runs[-1].append(line)
        else:
            runs.append([line])
    return runs


_BEGINS = re.compile(rf"{BOM}?[ \t\n\r]*[{{\[]")
_BEGINS_ANEW = re.compile(rf"{BOM}?[ \t\n\r]*(?:[{{\[]|(?:data|event):)")
"""How a text begins that may be JSON or events of its own, even if it could continue another."""

_DEEPEST = 2
"""How deep events may nest: a server that frames events again makes two levels.

Each level takes five characters and reads the rest of the text once more.
"""

_NOTHING = Strings()


def strings(text: str, depth: int = 0, begun: str = "") -> Strings:
    """Return the strings, numbers and constants in a text, and what is open at its end.

    The text may be JSON, also several values in a row or the beginning of one, or server-sent
    events, whose data is JSON or one value. A string alone counts only in an event: elsewhere it
    may be the answer itself, which is guarded as it is written. `depth` is how many events are
    around the text; in two, events are not read. `begun` is what an earlier text ended in; if this
    one continues it, its values come first.
    """
    joined, border = begun + text, len(begun)
    found = _read(joined, depth)
    if begun and (found is None or not _continues(found, joined, border)):
        return strings(text, depth)
    if found is None:
        return _NOTHING
    for each in found.values if begun else ():
        each.move(joined, border)
    return found


def begins_anew(text: str) -> bool:
    """Return whether a text looks like JSON or events of its own, whatever it may continue."""
    return _BEGINS_ANEW.match(text) is not None


def _read(text: str, depth: int) -> Strings | None:
    """Return what is in a text; None if it is neither JSON nor events."""
    if _BEGINS.match(text):
        with suppress(ValueError):
            return Reader().read(text)
    if depth == _DEEPEST:
        return None
    if may_be_events(text):
        found = in_events(text)
        for each in found.values:
            each.depth = depth + each.is_data
        return found
    if begun := begun_in(text):
        return Strings(begun=begun)
    return None


def _continues(found: Strings, joined: str, border: int) -> bool:
    """Return whether the text after a border continues the text before it.

    It does not if data that is no JSON spans the border, and has text before it, or begins anew.
    """
    return not any(
        begins_anew(joined[border : each.end]) or joined[each.start : border].strip()
        for each in found.values
        if each.is_data and each.start <= border < each.end
    )
