"""Checks of text by a schema's `pattern`, in bounded time.

Most patterns run in jsonschema-rs's linear engine. One with look-around or back-references runs in
its backtracking engine, which gives up after a fixed number of steps, and then refuses the text.
What only JavaScript without its flag `u` accepts is read as it is there (ECMA-262, annex B.1.2): a
bracket or brace that closes or opens nothing, and a hyphen beside `\\w`, stand for themselves.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress

import jsonschema_rs

from guardstream.jsonstream.schema.errors import SchemaError

STEPS = 10_000
"""How often the backtracking engine may turn back: about 0.2 ms."""

_LINEAR = jsonschema_rs.RegexOptions()
_BACKTRACKING = jsonschema_rs.FancyRegexOptions(backtrack_limit=STEPS)

_quantifier = re.compile(r"\{[0-9]+(?:,[0-9]*)?\}").match
_CLASSES = frozenset("dDwWsS")


def check(pattern: str) -> Callable[[str], bool]:
    """The check for `pattern`. Raises SchemaError for one that no engine runs."""
    for options in (_LINEAR, _BACKTRACKING):
        for text in (pattern, loosened(pattern)):
            with suppress(jsonschema_rs.ValidationError, ValueError):
                made = jsonschema_rs.Draft202012Validator(
                    {"pattern": text}, pattern_options=options, offline=True
                )
                return made.is_valid
    raise SchemaError("/: a pattern is no regular expression of ECMA-262")


def loosened(pattern: str) -> str:
    """The pattern with a backslash before what stands for itself only without the flag `u`."""
    out: list[str] = []
    in_class = False
    at = 0
    while at < len(pattern):
        atom = pattern[at : at + 2] if pattern[at] == "\\" else pattern[at]
        counted = None if in_class else _quantifier(pattern, at)
        if counted and out:
            atom = counted[0]
        elif in_class:
            if atom == "-" and _beside_class(out[-1], pattern[at + 1 : at + 3]):
                atom = "\\-"
            in_class = atom != "]"
        elif atom == "[":
            in_class = True
        elif atom in ("]", "{", "}"):
            atom = "\\" + atom
        out.append(atom)
        at += len(atom) - (atom in _ADDED and pattern[at] != "\\")
    return "".join(out)


_ADDED = frozenset(("\\-", "\\]", "\\{", "\\}"))


def _beside_class(before: str, after: str) -> bool:
    return (before[0] == "\\" and before[1:] in _CLASSES) or (
        after[:1] == "\\" and after[1:] in _CLASSES
    )
