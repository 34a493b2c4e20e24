"""Betterleaks' filters: an expression says which findings of a rule are dropped.

https://github.com/betterleaks/betterleaks/blob/main/docs/filters.md

A policy can express conditions on the secret alone, if they are the whole expression or joined by
`||`: a bound of entropy, patterns, and words. Others are left out, so that more is found.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from guardstream.cli.importing.re2 import part
from guardstream.cli.importing.write import any_of, containing

_SECRET = r'finding\["secret"\]'

_ENTROPY = re.compile(rf"(?:filter\.)?entropy\({_SECRET}\)\s*<=?\s*(\d+(?:\.\d+)?)")

_STRING = r'`[^`]*`|"(?:\\.|[^"\\])*"'

_ANY = re.compile(
    rf"(?:filter\.)?(matches|contains)Any\({_SECRET},\s*\[((?:\s*(?:{_STRING})\s*,?)*)\s*\]\)"
)

_TOKEN = re.compile(rf"{_STRING}|\|\||.", re.DOTALL)


class Filter(NamedTuple):
    """The part of a filter that a policy can express: the entropy that a secret needs, and patterns
    for allowed secrets. `is_whole` says that nothing is left out."""

    entropy: float
    allowed: tuple[str, ...]
    is_whole: bool


def read_filter(expression: str) -> Filter:
    """Read an expression."""
    entropy, allowed, is_whole = 0.0, [], True
    for each in _parts(expression):
        bound, listed = _ENTROPY.fullmatch(each), _ANY.fullmatch(each)
        if bound:
            entropy = max(entropy, float(bound[1]))
        elif listed:
            strings = [_unquoted(string) for string in re.findall(_STRING, listed[2])]
            if listed[1] == "matches":
                allowed += [containing(part(string)) for string in strings]
            elif strings:
                allowed.append(containing(any_of(strings)))
        else:
            is_whole = False
    return Filter(entropy, tuple(allowed), is_whole)


def _parts(expression: str) -> Iterator[str]:
    """Yield the operands of the outermost `||`, without parentheses around them."""
    expression = _bare(expression)
    parts, depth = [""], 0
    for token in _TOKEN.findall(expression):
        depth += (token in ("(", "[", "{")) - (token in (")", "]", "}"))
        if token == "||" and depth == 0:
            parts.append("")
        else:
            parts[-1] += token
    if len(parts) == 1:
        yield from filter(None, (expression,))
        return
    for each in parts:
        yield from _parts(each)


def _bare(expression: str) -> str:
    """Return an expression without the spaces and parentheses around it."""
    expression = expression.strip()
    depth = 0
    for place, token in enumerate(tokens := _TOKEN.findall(expression)):
        depth += (token == "(") - (token == ")")
        if depth == 0 and place < len(tokens) - 1:
            return expression
    return _bare(expression[1:-1]) if expression.startswith("(") else expression


def _unquoted(string: str) -> str:
    """Return the value of a string literal: a raw one in backquotes, or one with escapes."""
    inside = string[1:-1]
    return inside if string.startswith("`") else re.sub(r"\\(.)", r"\1", inside)
