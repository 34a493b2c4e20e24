"""The lexer's states inside strings, numbers and literals: one function for each.

A state is called with at least one character left and returns how far it has read.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from guardstream.jsonstream import tokens as t

if TYPE_CHECKING:
    from guardstream.jsonstream.lexer.lexer import Lexer

_stop = re.compile(r'["\\\x00-\x1f\ud800-\udfff]').search  # where a run in a string ends
_EXPONENT = r"([eE][+-]?[0-9]+)?"
_FRACTION = r"(\.[0-9]+)?" + _EXPONENT
_number = re.compile(r"(-?(?:0|[1-9][0-9]*))" + _FRACTION).match
_digits = re.compile(r"[0-9]*").match

_ESCAPES = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_STRING, _KEY = t.STRING, t.KEY  # a module's own names are found faster
_HEX = frozenset("0123456789abcdefABCDEF")
_DELIMITERS = frozenset(" \t\n\r,]}")
_LITERALS = {"t": ("true", True), "f": ("false", False), "n": ("null", None)}

# The states of a number that began and is not over, RFC 8259 section 6.
_NUMBER: dict[str, dict[str, str]] = {
    "minus": {"0": "zero", **dict.fromkeys("123456789", "int")},
    "zero": {".": "point", "e": "e", "E": "e"},
    "int": {**dict.fromkeys("0123456789", "int"), ".": "point", "e": "e", "E": "e"},
    "point": dict.fromkeys("0123456789", "fraction"),
    "fraction": {**dict.fromkeys("0123456789", "fraction"), "e": "e", "E": "e"},
    "e": {**dict.fromkeys("0123456789", "exponent"), "+": "sign", "-": "sign"},
    "sign": dict.fromkeys("0123456789", "exponent"),
    "exponent": dict.fromkeys("0123456789", "exponent"),
}
_RUNS = frozenset(("int", "fraction", "exponent"))
# What may follow in them as far as it leaves the number whole; the groups are those of `_number`.
_MORE = {
    "zero": re.compile("()" + _FRACTION).match,
    "int": re.compile("([0-9]*)" + _FRACTION).match,
    "fraction": re.compile("()([0-9]*)" + _EXPONENT).match,
    "exponent": re.compile("()()([0-9]*)").match,
}
_BEHIND_GROUP = {2: "fraction", 3: "exponent"}
WHOLE = {"zero": t.INTEGER, "int": t.INTEGER, "fraction": t.FLOAT, "exponent": t.FLOAT}


def finish_document(lexer: Lexer) -> None:
    lexer.done = lexer.ended = True
    lexer._bound = -1


def begin_string(lexer: Lexer, text: str, index: int) -> int:
    lexer._parts = []
    end = text.find('"', index)
    run = text[index:] if end < 0 else text[index:end]
    if run and len(run) <= lexer._max_string and run.isprintable() and "\\" not in run:
        if end >= 0:
            return end_string(lexer, text, index, end)
        start = lexer._base + index
        lexer._parts.append(run)
        lexer._length = len(run)
        lexer._state = in_string
        lexer._out.append((lexer._kind + 1, run, start, start + len(run)))
        return len(text)
    if end == index:
        return end_string(lexer, text, index, end)
    start = lexer._base + index
    lexer._length = 0
    lexer._state = in_string
    lexer._out.append((lexer._kind + 1, "", start, start))
    return index


def in_string(lexer: Lexer, text: str, index: int) -> int:
    match = _stop(text, index)
    if match is None:
        return whole_run(lexer, text, index)
    end = match.start()
    lexer._length += end - index
    if lexer._length > lexer._max_string:
        return _too_long(lexer, text, index, end)
    char = text[end]
    if char == '"':
        return end_string(lexer, text, index, end)
    if end > index:
        _add_run(lexer, text[index:end], index)
    if char != "\\":
        reason = "control character in a string" if char < " " else "unpaired surrogate"
        raise lexer._error(end, reason)
    simple = _ESCAPES.get(text[end + 1 : end + 2])
    if simple is not None:
        return _add_escape(lexer, simple, end + 2, 2)
    lexer._escape = ""
    lexer._high = ""
    lexer.waits = True
    lexer._state = _in_escape
    return end + 1


def whole_run(lexer: Lexer, text: str, index: int) -> int:
    size = len(text)
    lexer._length += size - index
    if lexer._length > lexer._max_string:
        return _too_long(lexer, text, index, size)
    run = text[index:] if index else text
    lexer._parts.append(run)
    base = lexer._base
    lexer._out.append((lexer._kind + 1, run, base + index, base + size))
    return size


def _add_run(lexer: Lexer, run: str, index: int) -> None:
    start = lexer._base + index
    lexer._out.append((lexer._kind + 1, run, start, start + len(run)))
    lexer._parts.append(run)


def _add_escape(lexer: Lexer, char: str, index: int, length: int) -> int:
    """Add the escape of `length` source characters that ends at `index`."""
    lexer._length += 1
    if lexer._length > lexer._max_string:
        raise lexer._error(index - 1, "the string is too long")
    end = lexer._base + index
    lexer._out.append((lexer._kind + 1, char, end - length, end))
    lexer._parts.append(char)
    lexer.waits = False
    lexer._state = in_string
    return index


def _too_long(lexer: Lexer, text: str, index: int, end: int) -> int:
    cut = end - (lexer._length - lexer._max_string)
    _add_run(lexer, text[index:cut], index)
    raise lexer._error(cut, "the string is too long")


def _in_escape(lexer: Lexer, text: str, index: int) -> int:
    char = text[index]
    so_far = lexer._escape
    if not so_far:
        if char in _ESCAPES and not lexer._high:
            return _add_escape(lexer, _ESCAPES[char], index + 1, 2)
        if char != "u":
            raise lexer._error(index, "no such escape" if not lexer._high else "unpaired surrogate")
    elif char not in _HEX:
        raise lexer._error(index, "expected a hexadecimal digit")
    escape = lexer._escape = so_far + char
    if len(escape) in (2, 3) and _unpaired(escape.lower(), bool(lexer._high)):
        raise lexer._error(index, "unpaired surrogate")
    return _end_unicode(lexer, index + 1) if len(escape) == 5 else index + 1


def _unpaired(escape: str, after_high: bool) -> bool:
    """Whether `u` and one or two digits (RFC 8259 section 7) can only be half of a pair."""
    if after_high:
        return escape[1] != "d" or (len(escape) == 3 and escape[2] < "c")
    return len(escape) == 3 and escape[1] == "d" and escape[2] >= "c"


def _end_unicode(lexer: Lexer, index: int) -> int:
    code = int(lexer._escape[1:], 16)
    if lexer._high:
        high = int(lexer._high[1:], 16)
        return _add_escape(
            lexer, chr(0x10000 + ((high - 0xD800) << 10) + (code - 0xDC00)), index, 12
        )
    if 0xD800 <= code < 0xDC00:
        lexer._high = lexer._escape
        lexer._escape = ""
        lexer._state = _second_half
        return index
    return _add_escape(lexer, chr(code), index, 6)


def _second_half(lexer: Lexer, text: str, index: int) -> int:
    if text[index] != "\\":
        raise lexer._error(index, "unpaired surrogate")
    lexer._state = _in_escape
    return index + 1


def end_string(lexer: Lexer, text: str, index: int, end: int) -> int:
    run = text[index:end]
    value = "".join(lexer._parts) + run if lexer._parts else run
    base = lexer._base
    if lexer._kind == _STRING:
        lexer._out.append((_STRING, value, base + index, base + end + 1))
        lexer._state = lexer._next
        if not lexer.path:
            finish_document(lexer)
        return end + 1
    if not lexer._duplicates:
        seen = lexer._keys[-1]
        if value in seen:
            _add_run(lexer, run, index)
            raise lexer._error(end, "the object names a key twice")
        seen.add(value)
    lexer.path[-1] = value
    lexer._out.append((_KEY, value, base + index, base + end + 1))
    if text.startswith(": ", end + 1):
        lexer._state = lexer._before_value
        return end + 3
    lexer._state = lexer._after_key
    return end + 1


def _end_scalar(lexer: Lexer, index: int) -> int:
    lexer._state = lexer._next
    if not lexer.path:
        finish_document(lexer)
    return index


def begin_number(lexer: Lexer, text: str, index: int) -> int:
    start = lexer._base + index
    run = first = text[index]
    within = "minus" if first == "-" else "zero" if first == "0" else "int"
    end = index + 1
    if end < len(text):
        match = _number(text, index)
        if match and match.end() - index <= lexer._max_digits:
            run, end = match[0], match.end()
            if text[end : end + 1] in _DELIMITERS:
                kind = t.INTEGER if match.lastindex == 1 else t.FLOAT
                lexer._out.append((kind, run, start, lexer._base + end))
                return _end_scalar(lexer, end)
            within = _within(match, "zero" if run in ("0", "-0") else "int")
    lexer._out.append((t.SCALAR_PART, first, start, start + 1))
    lexer._start = start
    lexer._parts = [run]
    lexer._length = end - index
    lexer._within = within
    lexer._state = in_number
    return end


def in_number(lexer: Lexer, text: str, index: int) -> int:
    within = lexer._within
    if within not in WHOLE:
        return _by_character(lexer, text, index)
    if text[index] in _DELIMITERS:
        return end_number(lexer, index)
    match = _MORE[within](text, index)
    assert match  # it may be empty
    end = match.end()
    length = lexer._length + end - index
    ends = text[end : end + 1] in _DELIMITERS
    if length > lexer._max_digits or not (ends or end == len(text)):
        return _by_character(lexer, text, index)
    lexer._parts.append(match[0])
    lexer._length = length
    lexer._within = _within(match, within)
    return end_number(lexer, end) if ends else end


def _within(match: re.Match[str], before: str) -> str:
    """The state at the end of `match`; `before` if there is no fraction and no exponent in it."""
    return _BEHIND_GROUP.get(match.lastindex or 1, before)


def _by_character(lexer: Lexer, text: str, index: int) -> int:
    within = lexer._within
    following = _NUMBER[within].get(text[index])
    if following is None:
        if within in WHOLE:
            return end_number(lexer, index)
        raise lexer._error(index, "expected a digit")
    lexer._within = following
    end = index + 1
    if following in _RUNS and end < len(text):
        end = _digits(text, end).end()  # type: ignore[union-attr]
    lexer._length += end - index
    if lexer._length > lexer._max_digits:
        cut = end - (lexer._length - lexer._max_digits)
        raise lexer._error(cut, "the number has too many digits")
    lexer._parts.append(text[index:end])
    return end


def end_number(lexer: Lexer, index: int) -> int:
    kind = WHOLE[lexer._within]
    lexer._out.append((kind, "".join(lexer._parts), lexer._start, lexer._base + index))
    return _end_scalar(lexer, index)


def begin_literal(lexer: Lexer, text: str, index: int) -> int:
    word, value = _LITERALS[text[index]]
    start = lexer._base + index
    if text.startswith(word, index):
        lexer._out.append((t.LITERAL, value, start, start + len(word)))
        return _end_scalar(lexer, index + len(word))
    lexer._out.append((t.SCALAR_PART, text[index], start, start + 1))
    lexer._start = start
    lexer._within = (word, value)
    lexer._state = in_literal
    lexer._length = 1
    if word.startswith(text[index:]):
        lexer._length = len(text) - index
    return index + lexer._length


def in_literal(lexer: Lexer, text: str, index: int) -> int:
    word, value = lexer._within
    rest = word[lexer._length :]
    piece = text[index : index + len(rest)]
    if not rest.startswith(piece):
        same = next(at for at, char in enumerate(piece) if char != rest[at])
        raise lexer._error(index + same, "expected a value")
    index += len(piece)
    lexer._length += len(piece)
    if lexer._length == len(word):
        lexer._out.append((t.LITERAL, value, lexer._start, lexer._base + index))
        return _end_scalar(lexer, index)
    return index
