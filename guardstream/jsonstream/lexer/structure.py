"""The lexer's steps between strings, numbers and literals, one function each.

A step takes the text and the index of its next character, and returns the index after what it has
read; JSONSyntaxError at a character that nothing valid continues. A space is skipped in each step
itself: a call of `skip` for it takes longer than the rest of the step.
"""

from __future__ import annotations

import re

from guardstream.jsonstream.lexer import tokens as t
from guardstream.jsonstream.lexer.scalars import (
    begin_literal,
    begin_number,
    begin_string,
)
from guardstream.jsonstream.lexer.state import LexerState

_not_space = re.compile(r"[^ \t\n\r]").search
_SPACE = frozenset(" \t\n\r")
_NUMBER_FIRST = frozenset("-0123456789")
_LITERAL_FIRST = frozenset("tfn")


class End(Exception):  # noqa: N818  # no error: the document is over and text is left
    """The document ended before `index` in the text."""

    def __init__(self, index: int) -> None:
        self.index = index


def skip(state: LexerState, text: str, index: int) -> int:
    """Return the index of the next character that is not white space."""
    match = _not_space(text, index)
    end = match.start() if match else len(text)
    if "\n" in text[index:end]:
        state.count_lines(text[index:end], index)
    return end


def begin(state: LexerState) -> None:
    """Set the steps at the beginning of a document."""
    state.step = state.before_value = value
    state.after_key = colon
    state.next = past


def value(state: LexerState, text: str, index: int) -> int:
    char = text[index]
    if char == " ":
        index += 1
        if index == len(text):
            return index
        char = text[index]
    if char in _SPACE:
        index = skip(state, text, index)
        if index == len(text):
            return index
        char = text[index]
    if char == '"':
        state.kind = t.STRING
        return begin_string(state, text, index + 1)
    if char in _NUMBER_FIRST:
        return begin_number(state, text, index)
    if char in "{[":
        return _open(state, char, index)
    if char in _LITERAL_FIRST:
        return begin_literal(state, text, index)
    raise state.fault(index, "expected a value")


def _first_item(state: LexerState, text: str, index: int) -> int:
    index = skip(state, text, index)
    if index == len(text):
        return index
    if text[index] == "]":
        return _close(state, t.CLOSE_ARRAY, index)
    return value(state, text, index)


def _first_key(state: LexerState, text: str, index: int) -> int:
    index = skip(state, text, index)
    if index == len(text):
        return index
    if text[index] == "}":
        return _close(state, t.CLOSE_OBJECT, index)
    if text[index] != '"':
        raise state.fault(index, "expected a name in quotes or '}'")
    return _key(state, text, index)


def _key(state: LexerState, text: str, index: int) -> int:
    char = text[index]
    if char == " ":
        index += 1
        if index == len(text):
            return index
        char = text[index]
    if char in _SPACE:
        index = skip(state, text, index)
        if index == len(text):
            return index
        char = text[index]
    if char != '"':
        raise state.fault(index, "expected a name in quotes")
    state.kind = t.KEY
    return begin_string(state, text, index + 1)


def colon(state: LexerState, text: str, index: int) -> int:
    if text[index] != ":":
        index = skip(state, text, index)
        if index == len(text):
            return index
        if text[index] != ":":
            raise state.fault(index, "expected ':'")
    state.step = value
    return index + 1


def after_item(state: LexerState, text: str, index: int) -> int:
    char = text[index]
    if char == " ":
        index += 1
        if index == len(text):
            return index
        char = text[index]
    if char in _SPACE:
        index = skip(state, text, index)
        if index == len(text):
            return index
        char = text[index]
    if char == ",":
        offset = state.base + index
        state.out.append((t.COMMA, None, offset, offset + 1))
        state.path[-1] += 1  # type: ignore[operator]  # an array's key is a number
        state.step = value
        return index + 1
    if char == "]":
        return _close(state, t.CLOSE_ARRAY, index)
    raise state.fault(index, "expected ',' or ']'")


def after_member(state: LexerState, text: str, index: int) -> int:
    char = text[index]
    if char == " ":
        index += 1
        if index == len(text):
            return index
        char = text[index]
    if char in _SPACE:
        index = skip(state, text, index)
        if index == len(text):
            return index
        char = text[index]
    if char == ",":
        offset = state.base + index
        state.out.append((t.COMMA, None, offset, offset + 1))
        state.path[-1] = None
        if text.startswith(' "', index + 1):
            state.kind = t.KEY
            return begin_string(state, text, index + 3)
        state.step = _key
        return index + 1
    if char == "}":
        return _close(state, t.CLOSE_OBJECT, index)
    raise state.fault(index, "expected ',' or '}'")


def past(_: LexerState, __: str, index: int) -> int:
    raise End(index)


def _open(state: LexerState, char: str, index: int) -> int:
    if len(state.path) == state.limits.depth:
        raise state.fault(index, "the document is nested too deeply")
    offset = state.base + index
    state.after.append(state.next)
    if char == "{":
        state.out.append((t.OPEN_OBJECT, None, offset, offset + 1))
        state.keys.append(set())
        state.path.append(None)
        state.next = after_member
        state.step = _first_key
    else:
        state.out.append((t.OPEN_ARRAY, None, offset, offset + 1))
        state.path.append(0)
        state.next = after_item
        state.step = _first_item
    return index + 1


def _close(state: LexerState, kind: int, index: int) -> int:
    offset = state.base + index
    state.out.append((kind, None, offset, offset + 1))
    state.path.pop()
    if kind == t.CLOSE_OBJECT:
        state.keys.pop()
    state.step = state.next = state.after.pop()
    if not state.path:
        state.finish()
    return index + 1
