"""Translates patterns of Go's RE2 and Rust's `regex` into the dialect of Python's `regex`.

https://github.com/google/re2/wiki/Syntax, https://docs.rs/regex/latest/regex/#syntax

What differs is written out: `\\w`, `\\d`, `\\s`, `\\b` and `[[:alpha:]]` know ASCII alone there, a
flag such as `(?i)` holds to the end of its group, `(?U)` swaps greedy and lazy, `\\Q...\\E` quotes.
"""

from __future__ import annotations

import re
from itertools import accumulate

_LAST = 0x10FFFF

_DIGIT = frozenset(range(0x30, 0x3A))
_UPPER = frozenset(range(0x41, 0x5B))
_LOWER = frozenset(range(0x61, 0x7B))
_ALNUM = _DIGIT | _UPPER | _LOWER
_WORD = _ALNUM | {0x5F}
_GRAPH = frozenset(range(0x21, 0x7F))

_KINDS = {"d": _DIGIT, "w": _WORD, "s": frozenset(b"\t\n\f\r ")}

_POSIX = {
    "alnum": _ALNUM,
    "alpha": _UPPER | _LOWER,
    "ascii": frozenset(range(0x80)),
    "blank": frozenset(b"\t "),
    "cntrl": frozenset((*range(0x20), 0x7F)),
    "digit": _DIGIT,
    "graph": _GRAPH,
    "lower": _LOWER,
    "print": _GRAPH | {0x20},
    "punct": _GRAPH - _ALNUM,
    "space": frozenset(b"\t\n\v\f\r "),
    "upper": _UPPER,
    "word": _WORD,
    "xdigit": frozenset(b"0123456789ABCDEFabcdef"),
}

_FOLDED = {0x4B: 0x212A, 0x6B: 0x212A, 0x53: 0x17F, 0x73: 0x17F}
"""The letter outside of ASCII that equals an ASCII letter if case is ignored."""

_QUOTED = re.compile(r"\\Q(.*?)(?:\\E|\Z)|\\.", re.DOTALL)
_VERBOSE = re.compile(r"\s+(?=\(\?[a-wyz]*x)")
_FLAGS = re.compile(r"\(\?([a-zA-Z]*)(?:-([a-zA-Z]+))?([:)])")
_GROUP = re.compile(r"\((?:\?(?:P?<\w+>|<?[=!]|[>|]))?")
_COUNT = re.compile(r"\{\d+(?:,\d*)?\}|[*+?]")
_CODE = re.compile(r"\\(?:x\{([0-9A-Fa-f]{1,8})\}|x([0-9A-Fa-f]{2})|(0[0-7]{0,2}|[1-7][0-7]{1,2}))")
_PROPERTY = re.compile(r"\\[pP](?:\{[^}]*\}|.)", re.DOTALL)
_POSIX_CLASS = re.compile(r"\[:(\^?)([a-z]+):\]")
_KIND = re.compile(r"\\([dDwWsS])")
_RANGE = re.compile(r"-[^\]]")
_COMMENT = re.compile(r"\(\?#[^)]*\)")
_SPACES = re.compile(r"(?:\s|#[^\n]*)+")


_MOST_NESTED = 100
"""How deeply groups may be nested; the engine takes fewer."""


def re2(pattern: str) -> str:
    """Return a pattern of RE2 in the dialect of `regex`; unchanged if it is nested too deeply."""
    if pattern.count("(") > _MOST_NESTED and _is_deep(pattern):
        return pattern
    plain = _QUOTED.sub(_unquoted, pattern)
    return _Writer(_VERBOSE.sub("", plain, count=1) if plain[:1].isspace() else plain).written()


def part(pattern: str) -> str:
    """Return a pattern in the dialect of `regex`, for use inside another one."""
    written = re2(pattern)
    flags = _FLAGS.match(written)
    if flags and flags[3] == ")":
        return f"(?{flags[1]}:{written[flags.end() :]})"
    return f"(?:{written})"


def _is_deep(pattern: str) -> bool:
    steps = ((mark == "(") - (mark == ")") for mark in pattern)
    return max(accumulate(steps)) > _MOST_NESTED


class _Writer:
    """Reads a pattern from left to right, and writes it in the other dialect.

    Its methods take the flags that are `on`, as letters.
    """

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._at = 0
        self._out: list[str] = []

    def written(self) -> str:
        head = self._head()
        while self._at < len(self._pattern):
            self._branches(head, head)
            self._copy(1)  # a parenthesis too many, which the engine refuses
        return (f"(?{_written(head)})" if _written(head) else "") + "".join(self._out)

    def _head(self) -> frozenset[str]:
        """Take the flags at the beginning of the pattern."""
        on: frozenset[str] = frozenset()
        while (found := self._look(_FLAGS)) and found[3] == ")" and not found[2]:
            on |= set(found[1])
            self._at = found.end()
        return on

    def _look(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        return pattern.match(self._pattern, self._at)

    def _copy(self, size: int) -> None:
        self._out.append(self._pattern[self._at : self._at + size])
        self._at += size

    def _branches(self, on: frozenset[str], outer: frozenset[str]) -> None:
        """Write everything up to the end of a group, with the flags `outer`.

        A flag that is set inside also holds in the later branches, so each of them is put into a
        group with the flag.
        """
        wrapped = False
        while (character := self._next(on)) not in ("", ")"):
            flags = self._look(_FLAGS)
            is_set = flags is not None and flags[3] == ")"
            if wrapped and (is_set or character == "|"):
                self._out.append(")")
                wrapped = False
            if flags is not None and is_set:
                self._at = flags.end()
                on = _with(on, flags)
            elif character == "|":
                self._copy(1)
            else:
                if not wrapped and _written(on) != _written(outer):
                    self._out.append(_opened(on, outer))
                    wrapped = True
                self._piece(character, on)
        if wrapped:
            self._out.append(")")

    def _next(self, on: frozenset[str]) -> str:
        """Return the next character, except for comments and spaces in a verbose pattern."""
        while found := self._look(_COMMENT) or ("x" in on and self._look(_SPACES)):
            self._at = found.end()
        return self._pattern[self._at : self._at + 1]

    def _piece(self, character: str, on: frozenset[str]) -> None:
        """Write one atom and its quantifier."""
        if character == "\\":
            self._escape(on)
        elif character == "[":
            self._class(on)
        elif character == "(":
            self._group(on)
        elif character == "$" and "m" not in on:
            self._out.append(r"\Z")  # here `$` comes before a last line feed as well
            self._at += 1
        elif character == "{":
            self._out.append(r"\{")
            self._at += 1
        else:
            self._copy(1)
        self._next(on)
        if count := self._look(_COUNT):
            self._copy(len(count[0]))
            lazy = self._pattern.startswith("?", self._at)
            self._at += lazy
            self._out.append("?" if lazy != ("U" in on) else "")

    def _group(self, on: frozenset[str]) -> None:
        flags, inside = self._look(_FLAGS), on
        if flags is not None:
            self._at = flags.end()
            inside = _with(on, flags)
            self._out.append(_opened(inside, on))
        else:
            found = self._look(_GROUP)
            assert found is not None
            self._copy(len(found[0]))
        self._branches(inside, inside)
        self._copy(1)

    def _escape(self, on: frozenset[str]) -> None:
        """Write an escape outside of a class."""
        kind = self._pattern[self._at + 1 : self._at + 2]
        if kind == "z":
            written = r"\Z"
        elif kind in ("b", "B") and "u" not in on:
            written = rf"(?a:\{kind})"
        elif kind and kind in "dDwWsS" and "u" not in on:
            inside = _ranges(_KINDS[kind.lower()])
            written = f"[^{inside}]" if kind.isupper() else f"[{inside}]"
        else:
            self._escaped()
            return
        self._out.append(written)
        self._at += 2

    def _escaped(self) -> None:
        """Write an escape that means the same inside and outside of a class."""
        code, named = self._look(_CODE), self._look(_PROPERTY)
        if code is not None:
            self._out.append(_character(_number(code)))
            self._at = code.end()
        else:
            self._copy(len(named[0]) if named is not None else 2)

    def _class(self, on: frozenset[str]) -> None:
        self._copy(2 if self._pattern.startswith("[^", self._at) else 1)
        first = True
        while (character := self._pattern[self._at : self._at + 1]) and (first or character != "]"):
            if "x" in on and character.isspace():
                self._at += 1
                continue
            first = False
            self._item(on)
        self._copy(1)

    def _item(self, on: frozenset[str]) -> None:
        """Write an item of a class: another class, a character, or a range."""
        posix = self._look(_POSIX_CLASS)
        kind = self._look(_KIND) if "u" not in on else None
        if posix is not None and posix[2] in _POSIX:
            self._out.append(_ranges(_POSIX[posix[2]], negated=bool(posix[1]), on=on))
            self._at = posix.end()
        elif kind is not None:
            found = _KINDS[kind[1].lower()]
            self._out.append(_ranges(found, negated=kind[1].isupper(), on=on))
            self._at = kind.end()
        else:
            self._in_class()
            if self._look(_RANGE):
                self._copy(1)
                self._in_class()

    def _in_class(self) -> None:
        """Write one character of a class."""
        character = self._pattern[self._at : self._at + 1]
        if character == "\\":
            self._escaped()
        elif character in ("[", "]") or self._look(_RANGE):
            self._out.append(f"\\{character}")
            self._at += 1
        else:
            self._copy(1)


def _unquoted(found: re.Match[str]) -> str:
    return found[0] if found[1] is None else re.escape(found[1])


def _with(on: frozenset[str], flags: re.Match[str]) -> frozenset[str]:
    return (on | set(flags[1])) - set(flags[2] or "")


def _written(on: frozenset[str]) -> str:
    """Return the flags to write: `U` and `x` are applied instead."""
    return "".join(sorted(on - set("Ux")))


def _opened(on: frozenset[str], outer: frozenset[str]) -> str:
    """Return the beginning of a group with other flags than around it."""
    off = _written(outer - on)
    return f"(?{_written(on - outer)}{'-' if off else ''}{off}:"


def _number(code: re.Match[str]) -> int:
    return int(code[3], 8) if code[3] else int(code[1] or code[2], 16)


def _character(number: int) -> str:
    return f"\\x{number:02X}" if number < 0x100 else f"\\U{number:08X}"


def _ranges(
    characters: frozenset[int], *, negated: bool = False, on: frozenset[str] = frozenset()
) -> str:
    """Return some characters, or all others, as the inside of a class."""
    left = set(characters)
    if negated and "i" in on:
        left |= {_FOLDED[each] for each in characters & _FOLDED.keys()}
    starts = sorted(each for each in left if each - 1 not in left)
    ends = sorted(each for each in left if each + 1 not in left)
    if negated:
        starts, ends = [0, *(each + 1 for each in ends)], [*(each - 1 for each in starts), _LAST]
    pairs = [(start, end) for start, end in zip(starts, ends, strict=True) if start <= end]
    return "".join(
        _shown(start) if start == end else f"{_shown(start)}-{_shown(end)}" for start, end in pairs
    )


def _shown(number: int) -> str:
    character = chr(number)
    return character if number in _WORD else _character(number)
