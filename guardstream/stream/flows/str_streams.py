"""Streams of `str` that are no text: lines of JSON, server-sent events, or the whole text so far.

As text, lines are guarded together with the JSON or the fields around their text. A client that
parses them may read a match that spans two lines, or that escapes hide. So the stream is refused
before such a match is complete, and if lines are cut, because their text cannot be read then.

That a stream has events is certain when data is a JSON object or `[DONE]`, when a second line has
data, or when a blank line ends data that has other fields beside it. Before that, at most one part
of an answer has passed.

If each chunk repeats all text before it, a match at the end of one chunk would be judged together
with the beginning of the next, and could be missed. So such a stream is refused, too, as soon as
this is certain.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from types import NoneType
from typing import Any

from guardstream.errors import AdapterError
from guardstream.events import Finding, FindingKind
from guardstream.stream.flows.growth import Growth
from guardstream.stream.flows.recurring import Tail, without

_SAME = 128 * 1024
"""After so many chunks that equal the last one, they are deltas.

A cumulative source may repeat its text for each token that the model thinks before it answers, but
models think for fewer tokens than that.
"""


class Grown:
    """Inspects the beginning of a text; `if_new` is what to pass if none of it is repeated."""

    def __init__(self, if_new: str = "framing='text'") -> None:
        self._if_new = if_new
        self._growth = Growth()
        self._same = 0  # chunks that say the same as the one before

    def may_be_cumulative(self, chunk: str) -> bool:
        """Take the next text; return whether it may still be cumulative. AdapterError if it is
        certain."""
        if chunk and chunk == self._growth.last:
            self._same += 1
            return self._same < _SAME
        verdict = self._growth.take(chunk)
        if verdict == "cumulative":
            raise AdapterError(
                "each chunk repeats the text before it: pass format='cumulative_text'; if all of "
                f"it is new, pass {self._if_new}"
            )
        return verdict != "deltas"


_FIELD = re.compile(r"(?:data|event|id|retry):")

_STARTS = ("data:", "event:", "id:", "retry:", ":")

_JSON = re.compile(r"data: ?(?:\{\s*[\"}]|\[DONE\]|\[\s*\{\s*\")")

_LINE_END = re.compile(r"\r\n|\r|\n")

_ENOUGH = 64
"""Characters of a line that suffice to classify it."""


class EventLines:
    """Inspects the beginning of a text.

    The chunking makes no difference, except for lines that come without their ends, as HTTP clients
    yield them: such a line has ended when the next chunk is empty or begins with a field.
    """

    def __init__(self) -> None:
        self._line = ""  # the beginning of the current line
        self._fields = 0  # the number of complete lines of the current event
        self._has_data = False  # whether one of them was data
        self._had_data = False  # whether any event had data
        self._after_return = False

    def may_be_events(self, chunk: str) -> bool:
        """Take the next text; return whether it may still be events. AdapterError if it is
        certain."""
        if self._line.startswith(_STARTS) and (not chunk or _FIELD.match(chunk)):
            chunk = "\n" + (chunk or "\n")
        elif self._after_return and chunk:
            self._after_return = False
            chunk = chunk.removeprefix("\n")
        self._after_return = self._after_return or chunk.endswith("\r")
        first, *others = _LINE_END.split(chunk)
        return self._goes_on(first) and all(
            self._end_line() and self._goes_on(line) for line in others
        )

    def _goes_on(self, text: str) -> bool:
        """Take more of a line; return whether it may be a line of an event."""
        self._line = line = self._line + text[: _ENOUGH - len(self._line)]
        if _JSON.match(line) or (self._had_data and line.startswith("data:")):
            raise _refused_events()
        return line.startswith(_STARTS) or any(start.startswith(line) for start in _STARTS)

    def _end_line(self) -> bool:
        """Process the line that has ended; return whether it may be a line of an event."""
        line, self._line = self._line, ""
        if not line:
            if self._has_data and self._fields > 1:
                raise _refused_events()
            self._fields, self._has_data = 0, False
        elif _FIELD.match(line):
            self._fields += 1
            if line.startswith("data:"):
                self._has_data = self._had_data = True
        return not line or line.startswith(_STARTS)


def _refused_events() -> AdapterError:
    return AdapterError(
        "the text is server-sent events: pass framing='sse', or wrap the response's bytes; "
        "if it is text, pass framing='text'"
    )


_CODE = re.compile(r'[0-9a-z]:(?=["{\[])')
"""What a data stream of the AI SDK has before the JSON of each line."""

_BEFORE_CODE = re.compile("[0-9a-z]:?")

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')

_SCALAR = re.compile(r"[-0-9tfn]|\"")
"""How a value begins that is neither an object nor an array."""

_ANY_END = re.compile(r"[\r\n]+")

_PART = re.compile(
    r"|t(ru?)?|f(a(ls?)?)?|n(ul?)?|N(aN?)?|-?(I(n(f(i(n(it?)?)?)?)?)?)?|\.|[.\d]*[eE][-+]?"
)
"""What a parser has not read of a line that was cut outside of a string."""

_DECODER = json.JSONDecoder()

_PLACE = re.compile(r"\[[0-9]+\]")

_ENDS = ("\n", "\r")

_OTHERS = 32
"""How many lines of other text may come before the first line of JSON."""

_AFTER_VALUE = re.compile(r"[ \t]*(?:[\r\n{\[]|\Z)")
"""What may follow a value in a line of JSON; anything else is prose."""

_WORD = re.compile(r"\w+\s*[\r\n]")
"""A word that servers send as a status or to keep a connection open, such as `null`."""

_PATHS = 4096
"""How many paths such lines may have text at."""


class JSONLines:
    """Inspects a text while its chunks are whole lines of JSON.

    `find` returns the findings in a text. `memory` is how many code points are kept of each path.
    """

    def __init__(self, find: Callable[[str], Sequence[Finding]], memory: int) -> None:
        self._find = find
        self._memory = memory
        self._chunks = 0
        self._others = 0  # chunks with other text
        self._is_mixed = False  # whether other text came after lines, or before them
        self._tails: dict[str, Tail] = {}  # the last text at each path

    def may_be_lines(self, chunk: str) -> bool:
        """Take the next text; return whether lines of JSON came, or may come. AdapterError if a
        match in them would be missed.

        Lines may have other text between them, and white space before them.
        """
        text = chunk.strip()
        if not text:
            return True
        lines = _lines(text) or self._scalars(text, chunk)
        if lines is None:
            lines, rest = _leading_values(text)
            if self._chunks > 1 and not self._is_mixed and _is_cut(text, rest):
                raise _refusal("some are cut")
            self._is_mixed = self._is_mixed or bool(rest)
            if self._chunks or lines or _WORD.match(text):
                lines += _lines_in(rest)
            self._others += 1
            if not lines:
                return self._chunks > 0 or (chunk.endswith(_ENDS) and self._others < _OTHERS)
        self._chunks += any(not isinstance(value, (int, float, NoneType)) for _, value in lines)
        for line, value in lines:
            for path, found in _texts(value, "$"):
                places = {path, _PLACE.sub("[*]", path)}  # one item, and all items of a list
                spans = [self._spans_lines(each, found) for each in places]
                if any(spans):
                    raise _refusal("a match spans several")
            if self._hides(line):
                raise _refusal("escapes hide a match")
        return True

    def _scalars(self, text: str, chunk: str) -> list[tuple[str, Any]] | None:
        """Return lines of strings, numbers and words of JSON with their values; None for text.

        A string without a line end is text, such as a word in quotes, unless it is among lines.
        """
        if not _SCALAR.match(text):
            return None
        try:
            values = [(line, json.loads(line)) for line in text.splitlines() if line.strip()]
        except (ValueError, RecursionError):
            return None
        is_line = chunk.endswith(_ENDS) or (self._chunks > 0 and not self._is_mixed)
        return values if is_line or not any(isinstance(value, str) for _, value in values) else None

    def _spans_lines(self, path: str, text: str) -> bool:
        """Return whether a match begins in earlier text at a path and ends in this one.

        A match within one line is masked there, and so is not part of another one. An overflow of
        values that only recur does not count; see `recurring`.
        """
        tail = self._tails.get(path)
        if tail is None:
            if len(self._tails) == _PATHS:
                raise _refusal(f"they have text at more than {_PATHS} paths")
            tail = self._tails[path] = Tail(self._memory)
        text = without(text, self._masks(text))
        across = self._across(tail.text, text)
        if across == {"overflow"} and tail.recurs(text):
            across = self._across(*tail.shortened(text))
        tail.add(text)
        return bool(across)

    def _across(self, tail: str, text: str) -> set[FindingKind]:
        """Return the kinds of findings in earlier text that end in this one."""
        border, found = len(tail), self._masks(tail + text) if tail else ()
        return {each.kind for each in found if each.start < border < each.end}

    def _hides(self, line: str) -> bool:
        """Return whether a string of a line has a match that its escapes hide."""
        for written in _STRING.findall(line) if "\\" in line else ():
            seen = Counter([found.rule for found in self._masks(written)])
            decoded = Counter([found.rule for found in self._masks(json.loads(written))])
            if decoded - seen:
                return True
        return False

    def _masks(self, text: str) -> Sequence[Finding]:
        return [found for found in self._find(text) if found.action != "monitor"]


def _refusal(why: str) -> AdapterError:
    return AdapterError(
        f"the chunks are lines of JSON, and {why}: encode them, or wrap what json.loads makes of "
        "each line; if they are text, pass framing='text'"
    )


def _lines(chunk: str) -> list[tuple[str, Any]]:
    """Return the lines of a chunk with their values; none if it is not one JSON value that may
    have text, or lines of such values."""
    if not _begins_as_json(chunk):
        return []
    lines = [line.strip() for line in _ANY_END.split(chunk) if line.strip()]
    for each in (lines, [chunk]):
        values = [_value(line) for line in each]
        if None not in values:
            return [*zip(each, values, strict=True)]
    return []


def _lines_in(text: str) -> list[tuple[str, Any]]:
    """Return the lines of a text that have JSON with text, with their values."""
    found = [line.strip() for line in _ANY_END.split(text)]
    values = [(line, _value(line)) for line in found if _begins_as_json(line)]
    return [(line, value) for line, value in values if value is not None]


def _begins_as_json(chunk: str) -> bool:
    return chunk.startswith(("{", "[")) or _CODE.match(chunk) is not None


def _leading_values(text: str) -> tuple[list[tuple[str, Any]], str]:
    """Return the objects and arrays with text at the beginning of a text, as lines with their
    values, and what follows all values."""
    found = []
    while text.startswith(("{", "[")):
        try:
            value, end = _DECODER.raw_decode(text)
        except (ValueError, RecursionError):
            break
        if _has_text(value) and _AFTER_VALUE.match(text, end):
            found.append((text[:end], value))
        text = text[end:].lstrip()
    return found, text


def _is_cut(text: str, rest: str) -> bool:
    """Return whether a text of JSON may end within a line; `rest` follows its complete values."""
    if not rest or not _begins_as_json(text):
        return False
    if not _begins_as_json(rest):
        return rest.startswith('"') or _BEFORE_CODE.fullmatch(rest) is not None
    try:
        json.loads(rest)
    except json.JSONDecodeError as error:
        if error.msg.startswith(("Unterminated", "Invalid \\u")):
            return True
        return _CODE.match(rest) is not None or _PART.fullmatch(rest[error.pos :]) is not None
    except RecursionError:
        return True
    return False


def _value(line: str) -> Any:
    """Return the value of a line: an object, an array with text, or any value under its code; None
    for any other line."""
    code = _CODE.match(line)
    try:
        value = json.loads(line[code.end() :] if code else line)
    except (ValueError, RecursionError):
        return None
    if code:
        return {code[0]: value}
    return value if _has_text(value) else None


def _has_text(value: Any) -> bool:
    """Return whether a value is an object, or an array with text."""
    in_array = isinstance(value, list) and any(isinstance(each, (str, dict)) for each in value)
    return isinstance(value, dict) or in_array


def _texts(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Yield the strings in a value with their paths."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, list):
        for place, each in enumerate(value):
            yield from _texts(each, f"{path}[{place}]")
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from _texts(each, f"{path}.{key}")
