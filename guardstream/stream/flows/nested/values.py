"""What is in a text of JSON: strings, numbers, constants, and the lists and objects around them.

The values beside a string may tell which text it continues. Strings and numbers are replaced so
that the text stays JSON.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict, deque
from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import islice

from guardstream.formats.adapter import Beside
from guardstream.formats.toolkit.paths import LONGEST_BESIDE

DECODER = json.JSONDecoder(strict=False)
_INTEGER = re.compile("-?[0-9]+")
CUT = re.compile(
    r"""(?<!\\)(?:\\\\)*((?:\\u[dD][89abAB][0-9a-fA-F]{2})?(?:\\(?:u[0-9a-fA-F]{0,3})?)?)\Z"""
)
"""Group 1 is the beginning of an escape, or of a pair of surrogates, at the end of a string."""

_LONG = 256
"""How long a path may be, in code points: a longer one becomes a digest."""

KEPT = 256
"""How much is kept of a line, a name, a number, a key, or an object's short values that are open at
the end of a text, in code points."""

_ITEMS = 32
"""How many of the last values of an open object are kept, and how many items of a list count."""

FEW_ITEMS = 8
"""How many items a list may have, for its values to be kept: a longer one has rows or events, of
which only the last one tells which text its strings continue."""


@dataclass(slots=True, eq=False)
class _Value:
    """A value in a text of JSON, and the list or object around it.

    Its `path` has `[*]` for items of lists. Values at one path differ in `place` if their objects
    differ in kind, `index` or position in a list. A value that a later one of the same key replaces
    has a path of its own, as most readers never see it. If several values follow each other in a
    text, all that is in one of them has the same `event`.
    """

    around: Open | None
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
            self.path = within(around.path, "[*]")
            self.place = within(around.place, f"[{self.position}]")
        else:
            self.path = within(around.path, f".{self.key!r}{'!' * self.is_replaced}")
            self.place = around.place


@dataclass(slots=True, eq=False)
class Nested(_Value):
    """A string, a key, a number or a constant: its `value`, and its offsets in the text, with its
    quotes.

    The value of a number is as it is written. If a string began in an earlier text, `value` is the
    part in this text, and `before` the part in that one, if it is short.
    """

    value: str = ""
    start: int = 0
    end: int = 0
    is_key: bool = False
    is_number: bool = False
    is_constant: bool = False  # true, false, null
    is_data: bool = False  # data of an event that is no JSON
    depth: int = 0  # of data: how many events are around it
    is_open: bool = False  # the text ends in it
    is_continued: bool = False  # it began in an earlier text: this is the rest of it
    cut: str = ""  # the beginning of an escape that an earlier text ended in
    before: str = ""

    @property
    def whole(self) -> str:
        """Its value, with its part in earlier texts."""
        return self.before + self.value

    @property
    def came_before(self) -> bool:
        """Whether it was in an earlier text, or is a constant that began there."""
        return self.end <= 0 or (self.is_continued and self.is_constant)

    @property
    def _is_string(self) -> bool:
        return not (self.is_number or self.is_constant)

    def move(self, text: str, by: int) -> None:
        """Count offsets from `by` in the joined `text`: what is before that is an earlier text."""
        if self.start < by < self.end:
            self.is_continued = True
            found = CUT.search(text, self.start, by) if not self.is_data else None
            self.cut = found[1] if found is not None else ""
            if self._is_string and not self.is_data:
                quoted = text[self.start : by - len(self.cut)]
                self.before = DECODER.decode(f'{quoted}"')
                self.value = self.value[len(self.before) :]
        self.start = max(self.start - by, 0)
        self.end -= by

    def short(self, room: int) -> str | None:
        """Return it as JSON, if it is short and may tell which text others continue.

        A number that may go on is cut if it is long.
        """
        if self.is_open or (self._is_string and len(self.value) > LONGEST_BESIDE):
            return None
        if self._is_string:
            written = json.dumps(self.value, ensure_ascii=False)
        else:
            written = self.value[:KEPT]
        return written if len(written) <= room else None


@dataclass(slots=True, eq=False)
class Open(_Value):
    """An object, which has `fields`: the last value of each key; or a list, which has `items`: the
    last ones of `size`.

    `tells` has its `index`, if that is an integer, and the kind of an object that is in no other.
    """

    fields: dict[str, Nested | Open] | None = None
    items: deque[Nested | Open] | None = None
    size: int = 0
    tells: dict[str, str] | None = None

    def add(self, key: str | None, value: Nested | Open) -> None:
        """Note a value in it: a string, a number, a constant, or a list or object that opens."""
        if self.items is not None:
            self.size += 1
            self.items.append(value)
        if self.fields is None or key is None:
            return
        before = self.fields.pop(key, None)  # the last one comes last
        if before is not None:
            before.is_replaced = True
        self.fields[key] = value

    def tell(self, key: str, value: str) -> None:
        """Note a value that may tell this object apart from others at its path."""
        if (key == "index" and _INTEGER.fullmatch(value)) or self.around is None:
            self.tells = {**(self.tells or {}), key: value}

    def begun(self, step: str | None, room: int, *, is_within: bool) -> str:
        """Return its beginning as short JSON, up to its next value.

        `step` is that value's key with its colon, empty in a list, None if no comma came after the
        last value. `is_within`: the text ends in that value, which is already noted. Short values
        are kept, which tell which text others continue, in `room` code points.
        """
        kept = self._kept(room, is_within=is_within)
        bracket, any_value = ("[", "1") if self.fields is None else ("{", '"":1')
        if step is None:
            return bracket + ",".join(kept or [any_value])
        return bracket + "".join(f"{each}," for each in kept) + step

    def short(self, room: int) -> str | None:
        """Return it as JSON without its long values; None if that is longer than `room`."""
        if room < 2:
            return None
        brackets = "[]" if self.fields is None else "{}"
        written = ",".join(self._kept(room - 2)).join(brackets)
        return written if len(written) <= room else None

    def _kept(self, room: int, *, is_within: bool = False) -> list[str]:
        """Return its last values as short JSON, in `room` code points."""
        if self.fields is None:
            return self._kept_items(room, is_within=is_within)
        last = islice(reversed(self.fields.items()), is_within, _ITEMS)
        steps = ((step_to(key), each) for key, each in last)
        return [each for each in _in_room(steps, room) if each is not None][::-1]

    def _kept_items(self, room: int, *, is_within: bool) -> list[str]:
        """Return items with `1` in place of those that are not kept: of many, only a number at the
        end is, as it may go on."""
        items = list(self.items or ())[: -1 if is_within else None]
        if self.size > FEW_ITEMS:
            items = [each for each in items[-1:] if isinstance(each, Nested) and each.is_number]
        kept = [each or "1" for each in _in_room((("", each) for each in reversed(items)), room)]
        before = min(self.size - is_within, _ITEMS) - len(kept)
        return ["1"] * before + kept[::-1]

    def locate(self) -> None:
        """Set path, place and event; its `index`, if any, replaces its position in the place."""
        _Value.locate(self)
        self.fields = self.items = None  # leaves no cycles for the garbage collector
        if self.tells:
            around = self.around.place if self.around else ""
            before = around if "index" in self.tells else self.place
            self.place = within(before, repr(sorted(self.tells.items())))


@dataclass(frozen=True, slots=True)
class Strings:
    """The strings, numbers and constants in a text; `begun` is a short text of what is open at its
    end, `is_json` whether all of it is JSON."""

    values: Sequence[Nested] = ()
    begun: str = ""
    is_json: bool = False


def _in_room(values: Iterable[tuple[str, Nested | Open]], room: int) -> Iterator[str | None]:
    """Return values after their steps, as short JSON in `room` code points; None for longer ones.

    The first object or list that is longer is the last one that is read, so that the work is
    bounded.
    """
    reads = True
    for step, each in values:
        is_open = isinstance(each, Open)
        written = each.short(room - len(step)) if reads or not is_open else None
        if written is None:
            reads = reads and not is_open
            yield None
        else:
            room -= len(step) + len(written) + 1
            yield step + written


def within(path: str, step: str) -> str:
    joined = path + step
    if len(joined) <= _LONG:
        return joined
    return f"#{blake2b(joined.encode(errors='surrogatepass')).hexdigest()}"


def step_to(key: str | None) -> str:
    if key is None:
        return ""
    return f"{json.dumps(key[:LONGEST_BESIDE], ensure_ascii=False)}:"


_LEVELS = 6
"""How many objects and lists around a string in larger JSON are looked at."""


def by_events(values: Iterable[Nested]) -> Mapping[object, Sequence[Nested]]:
    """Return the values by event."""
    found: defaultdict[object, list[Nested]] = defaultdict(list)
    for each in values:
        found[each.event].append(each)
    return found


def by_items(values: Iterable[Nested]) -> Mapping[object, Sequence[Nested]]:
    """Return the values in objects, by object, for all objects at any depth in a list."""
    found: defaultdict[object, list[Nested]] = defaultdict(list)
    for each in values:
        if each.key is not None and "[*]" in each.path:
            found[each.around].append(each)
    return found


def around_each(nested: Nested, of: Mapping[object, Sequence[Nested]]) -> Sequence[Nested]:
    """Return the values `of` the innermost objects around a string, outermost first."""
    found: list[Nested] = []
    around = nested.around
    for _ in range(_LEVELS):
        if around is None:
            break
        found[:0] = of.get(around, ())
        around = around.around
    return found


def values_beside(nested: Nested, telling: Collection[Nested]) -> Beside:
    """Return the values of `telling`, except the string itself, each with a name.

    The name is the value's path, after `~` if it is in another event than the string. A value that
    is in none of the objects and lists around the string is also numbered among those of its path,
    and an item of a list around it has its position in the list.
    """
    way = set()
    sought = {each.around for each in telling}
    around = nested.around
    while around is not None and sought:
        if around in sought:
            sought.remove(around)
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


_LINE_END = re.compile(r"\r\n?|\n")
_HIGH = re.compile("[\ud800-\udbff]")
_SURROGATE = re.compile("[\ud800-\udfff]")

_ESCAPE = re.compile(
    r"""\\(?:u[dD][89abAB][0-9a-fA-F]{2}(?:\\u[dD][c-fC-F][0-9a-fA-F]{2})?|u[0-9a-fA-F]{4}|[^u])"""
)
"""An escape, or a pair of surrogates."""


def with_strings(text: str, changes: Mapping[Nested, str]) -> str:
    """Return the text with other JSON in place of some of its strings and numbers; all else stays
    as it is."""
    made, end = [], 0
    for nested, written in changes.items():
        made += [text[end : nested.start], written]
        end = nested.end
    return "".join([*made, text[end:]])


def written_in(text: str, nested: Nested, value: str) -> str:
    """Return `value` as it is written in place of a string or a number in a text.

    It becomes a string of JSON, without a quote that is in another text; for an event's data, lines
    of data. An escape that the text cuts stays, as its rest is in another text. The rest of a
    number becomes a digit.
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

    The escape stays if the value begins with its character; otherwise any character completes it.
    """
    escape = _ESCAPE.match(cut + quoted) if cut else None
    if escape is not None:
        meant = DECODER.decode(f'"{escape[0]}"')
        if value.startswith(meant):
            return quoted[: escape.end() - len(cut)], value[len(meant) :]
    return _completed(cut), value


def _cut_end(quoted: str, cut: str) -> str:
    """Return the beginning of an escape, or of a pair of surrogates, at the end of a string."""
    found = CUT.search(cut + quoted)
    return quoted[max(found.start(1) - len(cut), 0) :] if found is not None else ""


def _completed(cut: str) -> str:
    """Return the rest of an escape whose beginning is out: that of any valid character."""
    before, _, begun = cut.rpartition("\\")
    if not cut:
        return ""
    if len(begun) == 5:  # a high surrogate
        return "\\udcaa"
    escape = begun + ("udcaa" if before else "uaaaa")[len(begun) :]
    return escape[len(begun) :] + ("\\udcaa" if _HIGH.match(chr(int(escape[1:], 16))) else "")
