"""JSON in a string, alone or in server-sent events: the strings and numbers in it, which are judged
as texts of their own, and what tells them apart.

A string may end amid JSON or an event, as the chunks of a connection do. What is open then is kept
as a short text, which is read the same way before the next string as all that came.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import islice

from guardstream.providers.adapter import Beside
from guardstream.providers.toolkit.fields import KINDS
from guardstream.providers.toolkit.paths import LONGEST_BESIDE

_BOM = "\ufeff"
_BEGINS = re.compile(rf"{_BOM}?[ \t\n\r]*[{{\[]")
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
"""The groups of a token; what is in none of them is no JSON, or the rest of it."""

_REST = re.compile(
    r"""[ \t\n\r]*(?:
        ("[^"\\]*(?:\\(?:u[0-9a-fA-F]{4}|[^u])[^"\\]*)*)(?:\\(?:u[0-9a-fA-F]{0,3})?)?
        | [-+.0-9A-Za-z]*
    )\Z""",
    re.DOTALL | re.VERBOSE,
)
"""What a text may end in that is the beginning of JSON: a string without the rest, or a number."""

_EVENTS = re.compile(rf"(?:\A{_BOM}?|[\r\n])(?:data|event):")
"""What a text has that may be server-sent events: a line of data, or an event's name."""

_EVENT_ENDS = tuple(word[:size] for word in ("data", "event") for size in range(1, len(word) + 1))
_EVENT_BEGINS = re.compile(rf"(?:\A{_BOM}?|[\r\n])((?:d(?:a(?:ta?)?)?|e(?:v(?:e(?:nt?)?)?)?)\Z)")
"""What a text may end in that is the beginning of an event."""

_BEGINS_ANEW = re.compile(rf"{_BOM}?[ \t\n\r]*(?:[{{\[]|(?:data|event):)")
"""How a text begins that may continue none, even if it could."""

_LINE = re.compile(r"(?:(data|event)(?:: ?|(?=[\r\n]|\Z)))?([^\r\n]*)(?:\r\n?|\n|\Z)")
"""A line, and its field if that is one of these; one space is left out (section 9.2.6)."""

_NEXT_LINE = re.compile(r"(?:\r\n?|\n)(?:data: ?)?")
"""What is between two lines of data, if no other line is."""

_LINE_END = re.compile(r"\r\n?|\n")

_DEEPEST = 2
"""How many events may be around one another: a server that frames what is framed makes two.

Each level takes five characters and reads the rest of the text once more.
"""

_VALUE = '{["0'
"""How values begin: objects, lists, strings, and (`0`) numbers and constants."""

_DECODER = json.JSONDecoder(strict=False)
_INTEGER = re.compile("-?[0-9]+")
_CUT = re.compile(
    r"""(?<!\\)(?:\\\\)*((?:\\u[dD][89abAB][0-9a-fA-F]{2})?(?:\\(?:u[0-9a-fA-F]{0,3})?)?)\Z"""
)
"""What a string may end in that is the beginning of an escape, or of a pair of surrogates."""

_ESCAPE = re.compile(
    r"""\\(?:u[dD][89abAB][0-9a-fA-F]{2}(?:\\u[dD][c-fC-F][0-9a-fA-F]{2})?|u[0-9a-fA-F]{4}|[^u])"""
)
"""An escape, or a pair of surrogates."""

_HIGH = re.compile("[\ud800-\udbff]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_TELLING = frozenset({*KINDS, "index"})

_LONG = 256
"""How long a path may be, in code points: a longer one becomes a digest."""

_MOST = 1024
"""How long what is open at the end of a text may be as a short text: a longer one is forgotten."""

_ITEMS = 32
"""How many of the last values of an object or a list that is open are kept, if they are short."""


@dataclass(slots=True, eq=False)
class _Value:
    """A value in a text of JSON, and the list or object around it.

    Its `path` has `[*]` for items of lists. Of strings at one path, `place` tells apart those in
    objects of another kind, at another position of a list or with another `index`. A value that a
    later one of the same key replaces has a path of its own, as most readers never see it. All that
    is in one of the values that follow each other in a text has the same `event`.
    """

    around: _Open | None
    key: str | None
    position: int | None
    is_replaced: bool = False
    path: str = ""
    place: str = ""
    event: object = field(default_factory=object)

    def locate(self) -> None:
        """Set path, place and event, once those of what is around are set."""
        around = self.around
        if around is None:
            return
        self.event = around.event
        if self.key is None:
            self.path = _within(around.path, "[*]")
            self.place = _within(around.place, f"[{self.position}]")
        else:
            self.path = _within(around.path, f".{self.key!r}{'!' * self.is_replaced}")
            self.place = around.place


@dataclass(slots=True, eq=False)
class Nested(_Value):
    """A string, a key, a number or a constant: what it says, and where it is in the text, with its
    quotes.

    A number says its digits, as they are written. A string that began in an earlier text says what
    comes now; `before` is what that one had of it, if it is short.
    """

    value: str = ""
    start: int = 0
    end: int = 0
    is_key: bool = False
    is_number: bool = False
    is_constant: bool = False  # true, false, null
    is_data: bool = False  # what an event says, which is no JSON
    depth: int = 0  # how many events are around what one says
    is_open: bool = False  # the text ends in it
    is_continued: bool = False  # it began in an earlier text: this is the rest of it
    cut: str = ""  # the beginning of an escape that an earlier text ended in
    before: str = ""

    @property
    def whole(self) -> str:
        """What it says, with what came in earlier texts."""
        return self.before + self.value

    @property
    def came_before(self) -> bool:
        """Whether it was in an earlier text."""
        return self.end <= 0 or (self.is_continued and self.is_constant)

    @property
    def _is_string(self) -> bool:
        return not (self.is_number or self.is_constant)

    def move(self, text: str, by: int) -> None:
        """Let offsets count from `by` in the text: what is before is another text."""
        if self.start < by < self.end:
            self.is_continued = True
            found = _CUT.search(text, self.start, by) if not self.is_data else None
            self.cut = found[1] if found is not None else ""
            if self._is_string and not self.is_data:
                quoted = text[self.start : by - len(self.cut)]
                self.before = _DECODER.decode(f'{quoted}"')
                self.value = self.value[len(self.before) :]
        self.start = max(self.start - by, 0)
        self.end -= by

    @property
    def is_short(self) -> bool:
        """Whether it may tell what others in its object continue."""
        return not self.is_open and len(self.value) <= LONGEST_BESIDE

    @property
    def as_json(self) -> str:
        """It, as JSON."""
        return json.dumps(self.value, ensure_ascii=False) if self._is_string else self.value


@dataclass(slots=True, eq=False)
class _Open(_Value):
    """A list, or an object, which has `fields`: the last value of each key.

    `tells` has the strings that tell the kind of an event, and the integer that is its `index`.
    """

    fields: dict[str, Nested | _Open] | None = None
    size: int | None = None
    tells: dict[str, str] | None = None

    def add(self, key: str | None, value: Nested | _Open) -> None:
        """Note a value in it: a string, a number, a constant, or what opens."""
        if self.size is not None:
            self.size += 1
        if self.fields is None or key is None:
            return
        before = self.fields.get(key)
        if before is not None:
            before.is_replaced = True
        self.fields[key] = value

    def tell(self, key: str, value: str) -> None:
        """Note what may tell apart this object from others at its path: of an event, its kind."""
        if (key == "index" and _INTEGER.fullmatch(value)) or self.around is None:
            self.tells = {**(self.tells or {}), key: value}

    def begun(self, step: str | None, room: int, *, is_within: bool) -> str:
        """Return it as JSON up to a `step` to its next value; None if no comma came after the last.

        The value may already be noted: the text ends within it. Of an object only short values are
        kept, which tell what others continue, if there is `room` for them.
        """
        kept = ["1"] * min((self.size or 0) - is_within, _ITEMS)
        for key, each in islice(reversed((self.fields or {}).items()), _ITEMS):
            if room <= 0:
                break
            if isinstance(each, Nested) and each.is_short:
                kept.insert(0, f"{_step(key)}{each.as_json}")
                room -= len(kept[0])
        bracket, any_value = ("[", "1") if self.fields is None else ("{", '"":1')
        if step is None:
            return bracket + ",".join(kept or [any_value])
        return bracket + "".join(f"{each}," for each in kept) + step

    def locate(self) -> None:
        """Set path and place, which is that of its `index` rather than its position."""
        _Value.locate(self)
        self.fields = None  # leaves no cycles for the garbage collector
        if self.tells:
            around = self.around.place if self.around else ""
            before = around if "index" in self.tells else self.place
            self.place = _within(before, repr(sorted(self.tells.items())))


@dataclass(frozen=True, slots=True)
class Strings:
    """The strings, numbers and constants in a text, and what is `begun` where it ends."""

    values: Sequence[Nested] = ()
    begun: str = ""


def strings(text: str, depth: int = 0, begun: str = "") -> Strings:
    """Return the strings, numbers and constants of a text that is JSON, or the beginning of an
    object or a list; of server-sent events, those in their data, or what other data say.

    Several values may follow each other. A string alone is guarded as it is written, but for one in
    an event: it may be the answer itself, which is read elsewhere. Events are not read in a text
    with a `depth` of two events around it. The text may continue what another one has `begun`;
    values of that one come first.
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


_NOTHING = Strings()


def _read(text: str, depth: int) -> Strings | None:
    """Return what is in a text; None if it is neither JSON nor events."""
    if _BEGINS.match(text):
        with suppress(ValueError):
            return _Reader().read(text)
    if depth == _DEEPEST:
        return None
    if ("data:" in text or "event:" in text) and _EVENTS.search(text):
        found = _in_events(text)
        for each in found.values:
            each.depth = depth + each.is_data
        return found
    if text.endswith(_EVENT_ENDS) and (begins := _EVENT_BEGINS.search(text[-7:])):
        return Strings(begun=begins[1])
    return None


def _continues(found: Strings, joined: str, border: int) -> bool:
    """Return whether values after a border continue what is before it: JSON goes on as JSON, and
    other data without fields of its own."""
    return not any(
        begins_anew(joined[border : each.end]) or joined[each.start : border].strip()
        for each in found.values
        if each.is_data and each.start <= border < each.end
    )


def by_events(values: Iterable[Nested]) -> Mapping[object, Sequence[Nested]]:
    """Return the values of each event."""
    found: defaultdict[object, list[Nested]] = defaultdict(list)
    for each in values:
        found[each.event].append(each)
    return found


def by_items(values: Iterable[Nested]) -> Mapping[object, Sequence[Nested]]:
    """Return the values of each object that is in a list, or in one that is."""
    found: defaultdict[object, list[Nested]] = defaultdict(list)
    for each in values:
        if each.key is not None and "[*]" in each.path:
            found[each.around].append(each)
    return found


def values_beside(nested: Nested, telling: Collection[Nested]) -> Beside:
    """Return which of some other values tell what a string continues: those in the objects and
    lists around it by their paths there, and the rest by their paths and order in its event, or in
    others."""
    way = set()
    around = nested.around if telling else None
    while around is not None:
        way.add(around)
        around = around.around
    found: list[tuple[str, Hashable]] = []
    counts: Counter[str] = Counter()
    for each in telling:
        if each is nested:
            continue
        name = each.path if each.event is nested.event else f"~{each.path}"
        if each.around not in way:
            counts[name] += 1
            name += f"#{counts[name]}"
        elif each.key is None:
            name += f"#{each.position}"
        found.append((name, each.whole))
    return found


def with_strings(text: str, changes: Mapping[Nested, str]) -> str:
    """Return the text with other JSON in place of some of its strings and numbers; all else stays
    as it is."""
    made, end = [], 0
    for nested, written in changes.items():
        made += [text[end : nested.start], written]
        end = nested.end
    return "".join([*made, text[end:]])


def written_in(text: str, nested: Nested, value: str) -> str:
    """Return another value of a string or a number in a text as a string of JSON, without the quote
    that it lacks; that of an event's data as lines of it.

    An escape that the text cuts stays, as its rest is elsewhere. A number goes on as a number.
    """
    if nested.is_number and nested.is_continued:
        return "0"
    if nested.is_data:
        return "\ndata: ".join(_LINE_END.split(value))
    begun = rest = '"'
    if nested.is_continued:
        begun, value = _after_cut(text[nested.start : nested.end], nested.cut, value)
    if nested.is_open:
        rest = _cut_end(text[nested.start : nested.end], nested.cut)
    escapes = text.isascii() or _SURROGATE.search(value) is not None
    return begun + json.dumps(value, ensure_ascii=escapes)[1:-1] + rest


def _after_cut(quoted: str, cut: str, value: str) -> tuple[str, str]:
    """Return the rest of an escape that an earlier text ended in, and the value after it.

    It stays if the value begins with what it stands for.
    """
    escape = _ESCAPE.match(cut + quoted) if cut else None
    if escape is not None:
        meant = _DECODER.decode(f'"{escape[0]}"')
        if value.startswith(meant):
            return quoted[: escape.end() - len(cut)], value[len(meant) :]
    return _completed(cut), value


def _cut_end(quoted: str, cut: str) -> str:
    """Return the beginning of an escape that the rest of a string ends in, or of a pair."""
    found = _CUT.search(cut + quoted)
    return quoted[max(found.start(1) - len(cut), 0) :] if found is not None else ""


def _completed(cut: str) -> str:
    """Return the rest of an escape whose beginning is out, so that it stands for any character."""
    before, _, begun = cut.rpartition("\\")
    if not cut:
        return ""
    if len(begun) == 5:  # a high surrogate
        return "\\udcaa"
    escape = begun + ("udcaa" if before else "uaaaa")[len(begun) :]
    return escape[len(begun) :] + ("\\udcaa" if _HIGH.match(chr(int(escape[1:], 16))) else "")


def _in_events(text: str) -> Strings:
    """Return what is in the data of server-sent events, the last of which may be cut."""
    found: list[Nested] = []
    lines: list[tuple[int, int]] = []  # of data: where they begin and end
    name = rest = ""
    for line in _LINE.finditer(text, len(_BOM) * text.startswith(_BOM)):
        is_cut = line.end() == len(text) and line.end() == line.end(2)
        if is_cut and not (line[1] == "data" and line[2]):
            rest = line[0][:_LONG]
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
    begun = f"event: {name[:_LONG]}\n" if name else ""
    if lines:
        last = _in_event(text, lines, name)
        found += last.values
        begun += f"data: {last.begun}" + "\n" * (lines[-1][1] < len(text))
    if begun.endswith("\n") and text.endswith("\r"):
        begun = f"{begun[:-1]}\r"  # a line feed that comes next belongs to it
    return Strings(found, begun + rest)


def _in_event(text: str, lines: Sequence[tuple[int, int]], name: str) -> Strings:
    """Return what is in an event's data: its strings and numbers, or all of it if it is no JSON.

    The lines are read as they stand in the text, with spaces in place of what is between them:

        data: {"a":        {"a":
        data: "b"}               "b"}
    """
    place = _within("event:", name) if name else ""
    parts: list[str] = []
    start = at = lines[0][0]
    for begin, end in lines:
        parts += [" " * (begin - at), text[begin:end]]
        at = end
    data = "".join(parts)
    with suppress(ValueError):
        if data.lstrip().startswith(("{", "[", '"')):
            read = _Reader().read(data, place)
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
    """Return lines of data together that no other field divides."""
    runs = [[lines[0]]]
    for line in lines[1:]:
        between = text[runs[-1][-1][1] : line[0]]
        if _NEXT_LINE.fullmatch(between):
            runs[-1].append(line)
        else:
            runs.append([line])
    return runs


class _Reader:
    """Reads a text of JSON token by token, however deep it nests."""

    def __init__(self) -> None:
        self._around: _Open | None = None  # the innermost list or object that is open
        self._key: str | None = None  # of the value that comes next
        self._expected = _VALUE
        self._opened: list[_Open] = []
        self._strings: list[Nested] = []

    def read(self, text: str, place: str = "") -> Strings:
        """Return the strings, numbers and constants in it, in a place; ValueError if it is no
        JSON."""
        at = len(_BOM) * text.startswith(_BOM)
        for token in _TOKEN.finditer(text, at):
            if token.lastindex is None:
                break
            at = token.end()
            self._take(token, at, text[at - 1] if token.lastindex != _SCALAR else "0")
        begun = self._begun(self._take_rest(text, at))
        for value in (*self._opened, *self._strings):
            value.place = place
            value.locate()
        return Strings(self._strings, begun)

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
        """Take what the text ends in, if it is only the beginning of JSON, and return it: of a long
        string only what is not judged yet."""
        rest = _REST.match(text, at)
        if rest is None or (self._around is None and rest[_STRING] is None and rest[0].strip()):
            raise ValueError("no JSON")
        if rest[_STRING] is None:
            return rest[0].strip()
        self._expect('"')
        quoted = rest[_STRING]
        if "\\" in quoted[-6:] and (half := _CUT.search(quoted)):
            quoted = quoted[: half.start(1)]
        self._take_string(f'{quoted}"', rest.start(_STRING), len(text))
        last = self._strings[-1]
        last.is_open = True
        written = text[rest.start(_STRING) :]
        if len(written) <= (_LONG if last.is_key else LONGEST_BESIDE):
            return written
        return f'"{written[len(quoted) :]}'

    def _begun(self, rest: str) -> str:
        """Return what is open as a short text, with the `rest` of a token."""
        around = self._around
        if around is None:
            return rest
        is_string = rest.startswith('"')
        step: str | None = ""
        if is_string:
            last = self._strings[-1]
            step = "" if last.is_key else _step(last.key)
        elif self._key is not None:
            step = _step(self._key)[: -1 if self._expected == ":" else None]
        elif self._expected[0] == ",":
            step = None
        begun = around.begun(step, _LONG, is_within=is_string) + rest
        if step is None and around.fields is None and self._strings and not rest:
            number = self._strings[-1]
            if number.is_number and number.around is around:  # it may go on
                begun = begun[:-1] + number.value[:_LONG]
        while around.around is not None and len(begun) <= _MOST:
            room = min(_LONG, _MOST // 2 - len(begun))
            begun = around.around.begun(_step(around.key), room, is_within=True) + begun
            around = around.around
        return begun if len(begun) <= _MOST else ""

    def _expect(self, kind: str) -> None:
        if kind not in self._expected:
            raise ValueError("no JSON")

    @property
    def _is_in_object(self) -> bool:
        return self._around is not None and self._around.fields is not None

    def _take_string(self, quoted: str, start: int, end: int) -> None:
        value = _DECODER.decode(quoted) if "\\" in quoted else quoted[1:-1]
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
        opened = _Open(around, self._key, around.size if around is not None else None)
        if kind == "{":
            opened.fields = {}
        else:
            opened.size = 0
        self._opened.append(opened)
        self._end_value(opened)
        self._around = opened
        self._expected = '"}' if kind == "{" else f"{_VALUE}]"

    def _tell(self, value: str) -> None:
        """Note what tells apart the object that is open from others at its path."""
        around, key = self._around, self._key
        if around is not None and key is not None and key in _TELLING:
            around.tell(key, value)

    def _end_value(self, value: Nested | _Open) -> None:
        """Note a value: a string, a number, a constant, or what opens."""
        if self._around is not None:
            self._around.add(self._key, value)
            self._key = None
        self._expect_more()

    def _expect_more(self) -> None:
        if self._around is None:
            self._expected = _VALUE
        else:
            self._expected = ",}" if self._is_in_object else ",]"


def _within(path: str, step: str) -> str:
    joined = path + step
    if len(joined) <= _LONG:
        return joined
    return f"#{blake2b(joined.encode(errors='surrogatepass')).hexdigest()}"


def _step(key: str | None) -> str:
    if key is None:
        return ""
    return f"{json.dumps(key[:LONGEST_BESIDE], ensure_ascii=False)}:"
