"""The places of tokens in a document, and the paths by which values are selected.

Three ways to write a path: ijson's, keys joined by dots and `item` for the elements of an array
(`orders.item.id`); JSONPath's simplest form (`$.orders[*].id`, `$['a b'][0]`); and JSON Pointer
(RFC 6901: `/orders/0/id`), in which `*` is any element.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeAlias, cast

from guardstream.jsonstream.lexer import tokens as t
from guardstream.jsonstream.lexer.errors import pointer_parts
from guardstream.jsonstream.lexer.tokens import Token

_STRINGS = (t.STRING, t.STRING_PART)
_BEGIN = (t.OPEN_OBJECT, t.OPEN_ARRAY, t.STRING_PART, t.SCALAR_PART)
_SCALARS = (t.STRING, t.INTEGER, t.FLOAT, t.LITERAL)
_MOST = 20  # keys that an error names
_LONGEST = 40  # code points of each
_FILLED = "an array with elements"  # none of them is on the way

Steps: TypeAlias = list[str | int]
_Wanted: TypeAlias = str | int | None  # a key, an index, or None for any element
Match: TypeAlias = Callable[[Steps], int]
"""2 at the path, 1 on the way there, 0 elsewhere."""


_step = re.compile(r"""\.([^.\[\]'"*]+)|\[(\d+)\]|\[\*\]|\.\*|\['([^']*)'\]|\["([^"]*)"\]""").match


def matcher(path: str) -> Match:
    """Return a function that tells whether steps lead to `path`.

    Raises ValueError for a path in no known notation, TypeError for anything but a str.
    """
    if not isinstance(path, str):
        given = type(path).__qualname__
        raise TypeError(f"a path is a str, such as 'orders.item', not {given!r}")
    if path.startswith("/"):
        wanted = pointer_parts(path)
        return _by_steps([None if each == "*" else each for each in wanted], digits=True)
    if path.startswith("$"):
        return _by_steps(_json_path(path), digits=False)
    return _by_prefix(path)


def _json_path(path: str) -> list[_Wanted]:
    steps: list[_Wanted] = []
    at = 1
    while at < len(path):
        found = _step(path, at)
        if found is None:
            raise ValueError(f"cannot read the path {path!r}: write it like $.a[*].b")
        name = next((each for each in found.group(1, 3, 4) if each is not None), None)
        steps.append(int(found[2]) if found[2] else name)
        at = found.end()
    return steps


def _by_steps(wanted: list[_Wanted], *, digits: bool) -> Match:
    """Compare step by step; with `digits` a name may be an index, as in a pointer."""

    def fits(step: str | int, want: _Wanted) -> bool:
        if want is None:
            return isinstance(step, int)
        return step == want or (digits and isinstance(step, int) and str(step) == want)

    def match(steps: Steps) -> int:
        if len(steps) > len(wanted) or not all(map(fits, steps, wanted)):
            return 0
        return 2 if len(steps) == len(wanted) else 1

    return match


def _by_prefix(path: str) -> Match:
    """Compare as ijson does: a key may contain dots."""

    def match(steps: Steps) -> int:
        if not steps:
            return 1 if path else 2
        if len(steps) > len(path) + 1:  # more dots than the path is long
            return 0
        prefix = ".".join("item" if isinstance(step, int) else step for step in steps)
        if prefix == path:
            return 2
        return int(path.startswith(prefix + "."))

    return match


class Place:
    """Follows tokens; `here` says whether the value of the last one is at the path.

    `met` says whether any value was at the path. If none was, `missing` says what was found where
    the document left the path.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._match = matcher(path)
        self._steps: Steps = []
        self._last = self._match(self._steps)
        self.met = False
        self._farthest = 0
        self._keys: list[str] = []  # of the object where the document left the path
        self._kind = "nothing"  # the value there

    @property
    def here(self) -> bool:
        """Whether the value that has begun, or comes next, is at the path."""
        return self._last == 2

    def follow(self, token: Token) -> None:
        """Take the next token."""
        kind, value = token[0], token[1]
        if kind == t.KEY:
            self._note_key(value)
            self._steps[-1] = value
            self._last = self._match(self._steps)
        elif kind == t.COMMA:
            step = self._steps[-1]
            if isinstance(step, int):
                self._steps[-1] = step + 1
                self._last = self._match(self._steps)
        elif kind in (t.OPEN_OBJECT, t.OPEN_ARRAY):
            self._note_kind("an array" if kind == t.OPEN_ARRAY else "an object")
            self._steps.append(0 if kind == t.OPEN_ARRAY else "")
            self._last = self._match(self._steps) if kind == t.OPEN_ARRAY else 0
        elif kind in (t.CLOSE_OBJECT, t.CLOSE_ARRAY):
            self._steps.pop()
            self._last = self._match(self._steps)
        elif kind in _SCALARS:
            self._note_kind("a string" if kind == t.STRING else "a number or literal")

    def restart(self) -> None:
        """Start over for the next document."""
        self._steps = []
        self._last = self._match(self._steps)

    def missing(self) -> str | None:
        """Return the error if there was no value; None if there was one, or an empty array."""
        if self.met or self._kind in ("an array", "nothing"):
            return None
        message = f"there is nothing at {self._path!r}"
        if self._kind == _FILLED:
            return f"{message}: there is an array on the way, and 'item' names its elements"
        if self._kind != "an object":
            return f"{message}: there is {self._kind} on the way"
        names = [repr(each[:_LONGEST]) for each in self._keys[:_MOST]]
        more = ", …" if len(self._keys) > _MOST else ""
        keys = f"the keys there are {', '.join(names)}{more}" if names else "no key is there"
        if self._path.startswith(("$", "/")):
            hint = "; '*' selects the elements of an array" if "*" in self._path else ""
        else:
            hint = "; with brackets a path begins with '$.'" if "[" in self._path else ""
        return f"{message}: {keys}{hint}"

    @property
    def elements(self) -> str:
        """The hint for an array at the path, if something else was expected there."""
        path = self._path
        if path.startswith("/"):
            inner = f"{path}/*"
        else:
            inner = f"{path}[*]" if path.startswith("$") else f"{path}.item".removeprefix(".")
        return f"; it is an array: {inner!r} selects its elements"

    def _note_kind(self, kind: str) -> None:
        """Record that a value has begun: the document leaves the path at the deepest value on
        it."""
        if self._last == 2:
            self.met = True
        elif self._last == 1 and len(self._steps) >= self._farthest and not self.met:
            if len(self._steps) > self._farthest or kind != "an object":
                self._keys = []
            self._farthest, self._kind = len(self._steps), kind
        elif self._kind == "an array" and len(self._steps) == self._farthest + 1:
            self._kind = _FILLED if self._match(self._steps[:-1]) == 1 else self._kind

    def _note_key(self, key: str) -> None:
        outer = self._steps[:-1]
        there = len(outer) == self._farthest and self._match(outer) == 1 and not self.met
        if there and len(self._keys) <= _MOST and key not in self._keys:
            self._keys.append(key)


class TextAt:
    """The text of the strings at a path, as it arrives."""

    def __init__(self, path: str) -> None:
        self.place = Place(path)
        self._path = path
        self._met = False  # a string, or null in place of one
        self._other = ""

    @property
    def other(self) -> str:
        """The error if there were other values at the path, but no string."""
        return "" if self._met else self._other

    def take(self, token: Token) -> str:
        """Return the text that `token` adds at the path."""
        kind, value, start, end = token
        here = self.place.here
        if here:
            self._note(kind, value)
        if kind != t.STRING_PART:
            self.place.follow(token)
        if kind not in _STRINGS or not here:
            return ""
        self.place.met = True
        tail = value[len(value) - (end - 1 - start) :] if kind == t.STRING else value
        return cast(str, tail)

    def _note(self, kind: int, value: object) -> None:
        self._met = self._met or kind in _STRINGS or (kind == t.LITERAL and value is None)
        if self._other:
            return
        if kind == t.OPEN_ARRAY:
            self._other = f"there is no string at {self._path!r}{self.place.elements}"
        elif kind in _OTHERS:
            self._other = f"there is no string at {self._path!r}, but {_OTHERS[kind]}"


_OTHERS = {t.OPEN_OBJECT: "an object", t.INTEGER: "a number", t.FLOAT: "a number"}
_OTHERS |= {t.LITERAL: "true or false"}
"""The values that are not strings. Null is not among them: it is like a string that did not
arrive."""


class SpansAt:
    """The values at a path, each as the offsets at which its text begins and ends."""

    def __init__(self, path: str) -> None:
        self.place = Place(path)
        self._start: int | None = None  # of the value at the path that is open
        self._depth = 0  # of containers open in it

    def take(self, token: Token) -> tuple[int, int] | None:
        """Return the span of the value that `token` ends, if it is at the path."""
        kind, _, start, end = token
        here = self._start is None and self.place.here
        if here and kind in (*_BEGIN, *_SCALARS):
            self._start = start - (kind in _STRINGS)
        opens = kind in (t.OPEN_OBJECT, t.OPEN_ARRAY)
        closes = kind in (t.CLOSE_OBJECT, t.CLOSE_ARRAY)
        self.place.follow(token)
        if self._start is None:
            return None
        self._depth += opens - closes
        if self._depth or not (closes or kind in _SCALARS):
            return None
        found, self._start = (self._start, end), None
        return found
