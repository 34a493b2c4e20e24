"""Checks of text by a schema's `pattern`, in bounded time.

Most patterns run in jsonschema-rs's linear engine. One with look-around or back-references runs in
its backtracking engine, which gives up after a fixed number of steps, and then refuses the text.
What only JavaScript without its flag `u` accepts is read as it is there (ECMA-262, annex B.1.2): a
bracket or brace that closes or opens nothing, and a hyphen beside `\\w`, stand for themselves.
`[^]` is any character and `[]` none, but `[^]]` is anything but a bracket, as in other dialects.
`\\A` and `\\Z` of other dialects are `^` and `$`, and their flags count. `.` is anything that does
not end a line, or anything under `(?s)`; `\\b` is a boundary of what `\\w` is.
Halves of surrogate pairs are joined; alone they match nothing, as no document has any.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Mapping
from contextlib import suppress

import jsonschema_rs

from guardstream.jsonstream.schema.errors import SchemaError
from guardstream.jsonstream.schema.groups import regrouped

STEPS = 10_000
"""How often the backtracking engine may backtrack: about 0.2 ms."""

_LINEAR = jsonschema_rs.RegexOptions()
_BACKTRACKING = jsonschema_rs.FancyRegexOptions(backtrack_limit=STEPS)

_quantifier = re.compile(r"\{[0-9]+(?:,[0-9]*)?\}").match
_ATOM = re.compile(r"\\[pPux]\{[^}]*\}|\\u[0-9a-fA-F]{4}|\\c[a-zA-Z]|\\0[0-9]*|\\.|.", re.DOTALL)
_atom, _atoms = _ATOM.match, _ATOM.findall
_HALF = r"\\u[dD][89a-fA-F][0-9a-fA-F]{2}"
_half = re.compile(_HALF).fullmatch
_flags = re.compile(r"\(\?([a-z]*)(?:-([a-z]*))?([:)])").match
_halves = re.compile(rf"({_HALF})-{_HALF}").match
_pair = re.compile(r"(?<!\\)((?:\\\\)*)\\u([dD][89abAB]..)\\u([dD][c-fC-F]..)").sub
_CLASSES = frozenset("dDwWsSpP")
_CONTROLS = {rf"\c{char}": rf"\x{ord(char) % 32:02x}" for char in string.ascii_letters}
_OUTSIDE = _CONTROLS | {
    "]": r"\]", "{": r"\{", "}": r"\}", r"\<": "<", r"\>": ">", r"\A": "^", r"\Z": "$", r"\z": "$",
    ".": r"[^\n\r\u2028\u2029]",  # ECMA-262, 22.2.2.7; the engines differ
    r"\0": r"\x00",
}  # fmt: skip
_NOTHING, _ANY = r"\P{Any}", r"[\s\S]"
# Before another bracket closes: `[]a]` is a class in other dialects, and a mistake under `u`.
_empty_class = re.compile(r"(\^?)\](?=(?:\\.|[^\\\[\]])*(?:\[|\Z))", re.DOTALL).match
# ECMA-262, 22.2.2.9. jsonschema-rs does this for the linear engine, not for the other one.
_RANGES = {
    r"\d": "0-9",
    r"\D": "\x00-/:-\U0010ffff",
    r"\w": "0-9A-Z_a-z",
    r"\W": "\x00-/:-@\\[-\\^`{-\U0010ffff",
    r"\s": "\t-\r \xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff",
    r"\S": "\x00-\x08\x0e-\x1f!-\x9f\xa1-\u167f\u1681-\u1fff\u200b-\u2027\u202a-\u202e"
    "\u2030-\u205e\u2060-\u2fff\u3001-\ufefe\uff00-\U0010ffff",
}
_INSIDE = _CONTROLS | {r"\<": "<", r"\>": ">", r"\b": r"\x08", r"\0": r"\x00"}
_SPELLED_OUT = {name: f"[{ranges}]" for name, ranges in _RANGES.items()} | {
    r"\b": "(?:(?<![0-9A-Z_a-z])(?=[0-9A-Z_a-z])|(?<=[0-9A-Z_a-z])(?![0-9A-Z_a-z]))",
    r"\B": "(?:(?<![0-9A-Z_a-z])(?![0-9A-Z_a-z])|(?<=[0-9A-Z_a-z])(?=[0-9A-Z_a-z]))",
}  # ECMA-262, 22.2.2.4
_LINEARLY = {r"\b": r"(?-u:\b)", r"\B": r"(?-u:\B)"}


def check(pattern: str) -> Callable[[str], bool]:
    """Return the check for `pattern`. Raises SchemaError if no engine can run it."""
    texts = (loosened(pattern), pattern)
    linear = (_replaced(text, _LINEARLY, {}) for text in texts)
    backtracking = (spelled_out(regrouped(text)) for text in texts)
    for options, read in ((_LINEAR, linear), (_BACKTRACKING, backtracking)):
        for text in read:
            with suppress(jsonschema_rs.ValidationError, ValueError):
                made = jsonschema_rs.Draft202012Validator(
                    {"pattern": text}, pattern_options=options, offline=True
                )
                return made.is_valid
    raise SchemaError(
        "/: a pattern is not a regular expression of ECMA-262, or is too large: "
        "for many repeats use 'maxLength'"
    )


def loosened(pattern: str) -> str:
    """Return the pattern as the engines read it: literal characters are escaped, others are not."""
    joined = _pair(_joined, _with_any_dots(pattern))
    out: list[str] = []
    in_class = False
    at = 0
    while at < len(joined):
        counted = None if in_class or not out else _quantifier(joined, at)
        found = counted or (in_class and _halves(joined, at)) or _atom(joined, at)
        assert found  # any character is an atom
        atom, at = found[found.lastindex or 0], found.end()
        if counted:
            out.append(atom)
        elif in_class:
            in_class = atom != "]"
            _add_to_class(out, atom, joined[at : at + 2])
        elif atom == "[" and (empty := _empty_class(joined, at)):
            out.append(_ANY if empty[1] else _NOTHING)
            at = empty.end()
        else:
            in_class = atom == "["
            out.append(_NOTHING if _half(atom) else _OUTSIDE.get(atom, atom))
    return "".join(out)


def _with_any_dots(pattern: str) -> str:
    """Return the pattern with `[\\s\\S]` for each dot under the flag `s`."""
    if "(?" not in pattern or "s" not in pattern:
        return pattern
    out: list[str] = []
    around: list[bool] = []  # whether the flag is set around each open group
    any_dot = in_class = False
    at = 0
    for atom in _atoms(pattern):
        if in_class:
            in_class = atom != "]"
        elif atom == "(":
            around.append(any_dot)
            flags = _flags(pattern, at)
            if flags:
                any_dot = "s" in flags[1] or (any_dot and "s" not in (flags[2] or ""))
                if flags[3] == ")":  # they hold for what follows
                    around[-1] = any_dot
        elif atom == ")" and around:
            any_dot = around.pop()
        else:
            in_class = atom == "["
        out.append(_ANY if atom == "." and any_dot and not in_class else atom)
        at += len(atom)
    return "".join(out)


def spelled_out(pattern: str) -> str:
    """Return the pattern with explicit ranges for `\\d`, `\\s` and `\\w`, also in `\\b`."""
    return _replaced(pattern, _SPELLED_OUT, _RANGES)


def _replaced(pattern: str, outside: Mapping[str, str], inside: Mapping[str, str]) -> str:
    """Return the pattern with other atoms for some, outside and inside character classes."""
    out: list[str] = []
    in_class = False
    for atom in _atoms(pattern):
        out.append((inside if in_class else outside).get(atom, atom))
        in_class = atom != "]" if in_class else atom == "["
    return "".join(out)


def _joined(found: re.Match[str]) -> str:
    """Return the character whose two surrogates are written as escapes."""
    high, low = int(found[2], 16), int(found[3], 16)
    return found[1] + chr(0x10000 + ((high - 0xD800) << 10) + low - 0xDC00)


def _add_to_class(out: list[str], atom: str, after: str) -> None:
    """Add an atom of a character class, before `after`; surrogates are removed from a range."""
    if atom == "-" and _beside_class(out[-1], after):
        out.append(r"\-")
    elif not _half(atom):
        out.append(_INSIDE.get(atom, atom))
    elif out[-1] == "-" and out[-2] not in ("[", "^"):
        out.append(r"\uD7FF")
    elif after[:1] == "-" and after[1:] != "]":
        out.append(r"\uE000")
    else:
        out.append(_NOTHING)


def _beside_class(before: str, after: str) -> bool:
    return (before[0] == "\\" and before[1:2] in _CLASSES) or (
        after[:1] == "\\" and after[1:] in _CLASSES
    )
