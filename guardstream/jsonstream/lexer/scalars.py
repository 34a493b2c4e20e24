"""The lexer's steps inside strings, numbers and literals, one function each, as in `structure`.

`begin_…` reads on from a value's first character, `in_…` is the step while the value is open, and
`end_…` adds its token.
"""

from __future__ import annotations

import re

from guardstream.jsonstream.lexer import tokens as t
from guardstream.jsonstream.lexer.state import LexerState

_stop = re.compile(r'["\\\x00-\x1f\ud800-\udfff]').search  # where a run in a string ends
_EXPONENT = r"([eE][+-]?[0-9]+)?"
_FRACTION = r"(\.[0-9]+)?" + _EXPONENT
_number = re.compile(r"(-?(?:0|[1-9][0-9]*))" + _FRACTION).match
_digits = re.compile(r"[0-9]*").match

_ESCAPES = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_STRING, _KEY = t.STRING, t.KEY  # global look-ups are faster than attributes
_HEX = frozenset("0123456789abcdefABCDEF")
_DELIMITERS = frozenset(" \t\n\r,]}")
_LITERALS = {"t": ("true", True), "f": ("false", False), "n": ("null", None)}

# The states of a number that has begun and not ended, RFC 8259 section 6.
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
# What may follow in each state while the number is complete; the groups are those of `_number`.
_MORE = {
    "zero": re.compile("()" + _FRACTION).match,
    "int": re.compile("([0-9]*)" + _FRACTION).match,
    "fraction": re.compile("()([0-9]*)" + _EXPONENT).match,
    "exponent": re.compile("()()([0-9]*)").match,
}
_AFTER_GROUP = {2: "fraction", 3: "exponent"}
WHOLE = {"zero": t.INTEGER, "int": t.INTEGER, "fraction": t.FLOAT, "exponent": t.FLOAT}


def begin_string(state: LexerState, text: str, index: int) -> int:
    state.parts = []
    end = text.find('"', index)
    run = text[index:] if end < 0 else text[index:end]
    if run and len(run) <= state.max_string and run.isprintable() and "\\" not in run:
        if end >= 0:
            return end_string(state, text, index, end)
        start = state.base + index
        state.parts.append(run)
        state.length = len(run)
        state.step = in_string
        state.out.append((state.kind + 1, run, start, start + len(run)))
        return len(text)
    if end == index:
        return end_string(state, text, index, end)
    start = state.base + index
    state.length = 0
    state.step = in_string
    state.out.append((state.kind + 1, "", start, start))
    return index


def in_string(state: LexerState, text: str, index: int) -> int:
    match = _stop(text, index)
    if match is None:
        return _whole_run(state, text, index)
    end = match.start()
    state.length += end - index
    if state.length > state.max_string:
        return _too_long(state, text, index, end)
    char = text[end]
    if char == '"':
        return end_string(state, text, index, end)
    if end > index:
        _add_run(state, text[index:end], index)
    if char != "\\":
        reason = "control character in a string" if char < " " else "unpaired surrogate"
        raise state.fault(end, reason)
    simple = _ESCAPES.get(text[end + 1 : end + 2])
    if simple is not None:
        return _add_escape(state, simple, end + 2, 2)
    state.escape = ""
    state.high = ""
    state.waits = True
    state.step = _in_escape
    return end + 1


def _whole_run(state: LexerState, text: str, index: int) -> int:
    """Take the rest of a text, which lies within the open string."""
    size = len(text)
    state.length += size - index
    if state.length > state.max_string:
        return _too_long(state, text, index, size)
    run = text[index:] if index else text
    state.parts.append(run)
    base = state.base
    state.out.append((state.kind + 1, run, base + index, base + size))
    return size


def _add_run(state: LexerState, run: str, index: int) -> None:
    start = state.base + index
    state.out.append((state.kind + 1, run, start, start + len(run)))
    state.parts.append(run)


def _add_escape(state: LexerState, char: str, index: int, length: int) -> int:
    """Add the escape of `length` source characters that ends at `index`."""
    state.length += 1
    if state.length > state.max_string:
        state.waits = True
        raise state.fault(index - 1, "the string is too long")
    end = state.base + index
    state.out.append((state.kind + 1, char, end - length, end))
    state.parts.append(char)
    state.waits = False
    state.step = in_string
    return index


def _too_long(state: LexerState, text: str, index: int, end: int) -> int:
    cut = end - (state.length - state.max_string)
    _add_run(state, text[index:cut], index)
    raise state.fault(cut, "the string is too long")


def _in_escape(state: LexerState, text: str, index: int) -> int:
    char = text[index]
    so_far = state.escape
    if not so_far:
        if char in _ESCAPES and not state.high:
            return _add_escape(state, _ESCAPES[char], index + 1, 2)
        if char != "u":
            raise state.fault(index, "no such escape" if not state.high else "unpaired surrogate")
    elif char not in _HEX:
        raise state.fault(index, "expected a hexadecimal digit")
    escape = state.escape = so_far + char
    if len(escape) in (2, 3) and _unpaired(escape.lower(), bool(state.high)):
        raise state.fault(index, "unpaired surrogate")
    return _end_unicode(state, index + 1) if len(escape) == 5 else index + 1


def _unpaired(escape: str, after_high: bool) -> bool:
    """Return whether `u` and one or two digits (RFC 8259 section 7) can only be half of a pair."""
    if after_high:
        return escape[1] != "d" or (len(escape) == 3 and escape[2] < "c")
    return len(escape) == 3 and escape[1] == "d" and escape[2] >= "c"


def _end_unicode(state: LexerState, index: int) -> int:
    code = int(state.escape[1:], 16)
    if state.high:
        high = int(state.high[1:], 16)
        return _add_escape(
            state, chr(0x10000 + ((high - 0xD800) << 10) + (code - 0xDC00)), index, 12
        )
    if 0xD800 <= code < 0xDC00:
        state.high = state.escape
        state.escape = ""
        state.step = _second_half
        return index
    return _add_escape(state, chr(code), index, 6)


def _second_half(state: LexerState, text: str, index: int) -> int:
    if text[index] != "\\":
        raise state.fault(index, "unpaired surrogate")
    state.step = _in_escape
    return index + 1


def end_string(state: LexerState, text: str, index: int, end: int) -> int:
    run = text[index:end]
    value = "".join(state.parts) + run if state.parts else run
    base = state.base
    if state.kind == _STRING:
        state.out.append((_STRING, value, base + index, base + end + 1))
        state.step = state.next
        if not state.path:
            state.finish()
        return end + 1
    if not state.duplicates:
        seen = state.keys[-1]
        if value in seen:
            _add_run(state, run, index)
            raise state.fault(end, "the object repeats a key")
        seen.add(value)
    state.path[-1] = value
    state.out.append((_KEY, value, base + index, base + end + 1))
    if text.startswith(": ", end + 1):
        state.step = state.before_value
        return end + 3
    state.step = state.after_key
    return end + 1


def _end_scalar(state: LexerState, index: int) -> int:
    state.step = state.next
    if not state.path:
        state.finish()
    return index


def begin_number(state: LexerState, text: str, index: int) -> int:
    start = state.base + index
    run = first = text[index]
    within = "minus" if first == "-" else "zero" if first == "0" else "int"
    end = index + 1
    if end < len(text):
        match = _number(text, index)
        if match and match.end() - index <= state.max_digits:
            run, end = match[0], match.end()
            if text[end : end + 1] in _DELIMITERS:
                kind = t.INTEGER if match.lastindex == 1 else t.FLOAT
                state.out.append((kind, run, start, state.base + end))
                return _end_scalar(state, end)
            within = _within(match, "zero" if run in ("0", "-0") else "int")
    state.out.append((t.SCALAR_PART, run, start, state.base + end))
    state.start = start
    state.parts = [run]
    state.length = end - index
    state.within = within
    state.step = in_number
    return end


def in_number(state: LexerState, text: str, index: int) -> int:
    within = state.within
    if within not in WHOLE:
        return _by_character(state, text, index)
    if text[index] in _DELIMITERS:
        return end_number(state, index)
    match = _MORE[within](text, index)
    assert match  # the match may be empty
    end = match.end()
    length = state.length + end - index
    ends = text[end : end + 1] in _DELIMITERS
    if length > state.max_digits or not (ends or end == len(text)):
        return _by_character(state, text, index)
    state.length = length
    state.within = _within(match, within)
    if ends:
        state.parts.append(match[0])
        return end_number(state, end)
    return _add_digits(state, match[0], end)


def _within(match: re.Match[str], before: str) -> str:
    """Return the state after `match`; `before` if it contains no fraction and no exponent."""
    return _AFTER_GROUP.get(match.lastindex or 1, before)


def _by_character(state: LexerState, text: str, index: int) -> int:
    within = state.within
    following = _NUMBER[within].get(text[index])
    if following is None:
        if within in WHOLE:
            return end_number(state, index)
        raise state.fault(index, "expected a digit")
    state.within = following
    end = index + 1
    if following in _RUNS and end < len(text):
        end = _digits(text, end).end()  # type: ignore[union-attr]
    state.length += end - index
    if state.length > state.max_digits:
        cut = end - (state.length - state.max_digits)
        _add_digits(state, text[index:cut], cut)
        raise state.fault(cut, "the number has too many digits")
    return _add_digits(state, text[index:end], end)


def _add_digits(state: LexerState, run: str, end: int) -> int:
    if run:
        state.parts[0] = text = state.parts[0] + run
        state.out.append((t.SCALAR_PART, text, state.start, state.base + end))
    return end


def end_number(state: LexerState, index: int) -> int:
    kind = WHOLE[state.within]
    state.out.append((kind, "".join(state.parts), state.start, state.base + index))
    return _end_scalar(state, index)


def begin_literal(state: LexerState, text: str, index: int) -> int:
    word, value = _LITERALS[text[index]]
    start = state.base + index
    if text.startswith(word, index):
        state.out.append((t.LITERAL, value, start, start + len(word)))
        return _end_scalar(state, index + len(word))
    state.out.append((t.SCALAR_PART, text[index], start, start + 1))
    state.start = start
    state.within = (word, value)
    state.step = in_literal
    state.length = 1
    if word.startswith(text[index:]):
        state.length = len(text) - index
    return index + state.length


def in_literal(state: LexerState, text: str, index: int) -> int:
    word, value = state.within
    rest = word[state.length :]
    piece = text[index : index + len(rest)]
    if not rest.startswith(piece):
        same = next(at for at, char in enumerate(piece) if char != rest[at])
        raise state.fault(index + same, "expected a value")
    index += len(piece)
    state.length += len(piece)
    if state.length == len(word):
        state.out.append((t.LITERAL, value, state.start, state.base + index))
        return _end_scalar(state, index)
    return index
