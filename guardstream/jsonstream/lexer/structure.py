"""The lexer's states between strings, numbers and literals: one function for each.

A state is called with at least one character left and returns how far it has read.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from guardstream.jsonstream import tokens as t
from guardstream.jsonstream.lexer.scalars import (
    begin_literal,
    begin_number,
    begin_string,
    finish_document,
)

if TYPE_CHECKING:
    from guardstream.jsonstream.lexer.lexer import Lexer

_not_space = re.compile(r"[^ \t\n\r]").search
_SPACE = frozenset(" \t\n\r")
_NUMBER_FIRST = frozenset("-0123456789")
_LITERAL_FIRST = frozenset("tfn")


class End(Exception):  # noqa: N818  # no error: the document is over and text is left
    """The document ended before `index` in the text."""

    def __init__(self, index: int) -> None:
        self.index = index


def skip(lexer: Lexer, text: str, index: int) -> int:
    """The index of the next character that is no whitespace."""
    match = _not_space(text, index)
    end = match.start() if match else len(text)
    if "\n" in text[index:end]:
        lexer._count_lines(text[index:end], index)
    return end


# The states. Each is called with at least one character left, and returns how far it has read.


def value(lexer: Lexer, text: str, index: int) -> int:
    char = text[index]
    if char == " ":
        index += 1
        if index == len(text):
            return index
        char = text[index]
    if char in _SPACE:
        index = skip(lexer, text, index)
        if index == len(text):
            return index
        char = text[index]
    if char == '"':
        lexer._kind = t.STRING
        return begin_string(lexer, text, index + 1)
    if char in _NUMBER_FIRST:
        return begin_number(lexer, text, index)
    if char in "{[":
        return _open(lexer, char, index)
    if char in _LITERAL_FIRST:
        return begin_literal(lexer, text, index)
    raise lexer._error(index, "expected a value")


def _first_item(lexer: Lexer, text: str, index: int) -> int:
    index = skip(lexer, text, index)
    if index == len(text):
        return index
    if text[index] == "]":
        return _close(lexer, t.CLOSE_ARRAY, index)
    return value(lexer, text, index)


def _first_key(lexer: Lexer, text: str, index: int) -> int:
    index = skip(lexer, text, index)
    if index == len(text):
        return index
    if text[index] == "}":
        return _close(lexer, t.CLOSE_OBJECT, index)
    if text[index] != '"':
        raise lexer._error(index, "expected a name in quotes or '}'")
    return _key(lexer, text, index)


def _key(lexer: Lexer, text: str, index: int) -> int:
    char = text[index]
    if char == " ":
        index += 1
        if index == len(text):
            return index
        char = text[index]
    if char in _SPACE:
        index = skip(lexer, text, index)
        if index == len(text):
            return index
        char = text[index]
    if char != '"':
        raise lexer._error(index, "expected a name in quotes")
    lexer._kind = t.KEY
    return begin_string(lexer, text, index + 1)


def colon(lexer: Lexer, text: str, index: int) -> int:
    if text[index] != ":":
        index = skip(lexer, text, index)
        if index == len(text):
            return index
        if text[index] != ":":
            raise lexer._error(index, "expected ':'")
    lexer._state = value
    return index + 1


def after_item(lexer: Lexer, text: str, index: int) -> int:
    char = text[index]
    if char == " ":
        index += 1
        if index == len(text):
            return index
        char = text[index]
    if char in _SPACE:
        index = skip(lexer, text, index)
        if index == len(text):
            return index
        char = text[index]
    if char == ",":
        offset = lexer._base + index
        lexer._out.append((t.COMMA, None, offset, offset + 1))
        lexer.path[-1] += 1  # type: ignore[operator]  # an array's part is a number
        lexer._state = value
        return index + 1
    if char == "]":
        return _close(lexer, t.CLOSE_ARRAY, index)
    raise lexer._error(index, "expected ',' or ']'")


def after_member(lexer: Lexer, text: str, index: int) -> int:
    char = text[index]
    if char == " ":
        index += 1
        if index == len(text):
            return index
        char = text[index]
    if char in _SPACE:
        index = skip(lexer, text, index)
        if index == len(text):
            return index
        char = text[index]
    if char == ",":
        offset = lexer._base + index
        lexer._out.append((t.COMMA, None, offset, offset + 1))
        lexer.path[-1] = None
        if text.startswith(' "', index + 1):
            lexer._kind = t.KEY
            return begin_string(lexer, text, index + 3)
        lexer._state = _key
        return index + 1
    if char == "}":
        return _close(lexer, t.CLOSE_OBJECT, index)
    raise lexer._error(index, "expected ',' or '}'")


def past(_: Lexer, __: str, index: int) -> int:
    raise End(index)


def _open(lexer: Lexer, char: str, index: int) -> int:
    if len(lexer.path) == lexer._limits.depth:
        raise lexer._error(index, "the document is nested too deeply")
    offset = lexer._base + index
    lexer._after.append(lexer._next)
    if char == "{":
        lexer._out.append((t.OPEN_OBJECT, None, offset, offset + 1))
        lexer._keys.append(set())
        lexer.path.append(None)
        lexer._next = after_member
        lexer._state = _first_key
    else:
        lexer._out.append((t.OPEN_ARRAY, None, offset, offset + 1))
        lexer.path.append(0)
        lexer._next = after_item
        lexer._state = _first_item
    return index + 1


def _close(lexer: Lexer, kind: int, index: int) -> int:
    offset = lexer._base + index
    lexer._out.append((kind, None, offset, offset + 1))
    lexer.path.pop()
    if kind == t.CLOSE_OBJECT:
        lexer._keys.pop()
    lexer._state = lexer._next = lexer._after.pop()
    if not lexer.path:
        finish_document(lexer)
    return index + 1
