"""Distinguishes server-sent events from text that begins like them, in a stream of `str`.

Event lines that are taken for text would be guarded together with the fields around them, and a
match that spans two of them would be missed. So the stream is refused as soon as it is certain that
it has events: when data is a JSON object or `[DONE]`, when a second line has data, or when a blank
line ends data that has other fields beside it. Before that, at most one part of an answer has
passed.
"""

from __future__ import annotations

import re

from guardstream.errors import AdapterError

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
            raise _refusal()
        return line.startswith(_STARTS) or any(start.startswith(line) for start in _STARTS)

    def _end_line(self) -> bool:
        """Process the line that has ended; return whether it may be a line of an event."""
        line, self._line = self._line, ""
        if not line:
            if self._has_data and self._fields > 1:
                raise _refusal()
            self._fields, self._has_data = 0, False
        elif _FIELD.match(line):
            self._fields += 1
            if line.startswith("data:"):
                self._has_data = self._had_data = True
        return not line or line.startswith(_STARTS)


def _refusal() -> AdapterError:
    return AdapterError(
        "the text is server-sent events: pass framing='sse', or wrap the response's bytes; "
        "if it is text, pass framing='text'"
    )
