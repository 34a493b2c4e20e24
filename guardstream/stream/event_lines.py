"""Tells server-sent events from text that begins as they do, while it comes as `str`.

Lines of events that are taken for text are guarded with what stands around them, so that a match
over two of them would go out. They are refused where they are told for sure: where data is a JSON
object or `[DONE]`, where a second line has data, and where a blank line ends data that has other
fields beside it. What comes before that has no two parts of an answer.
"""

from __future__ import annotations

import re

from guardstream.errors import AdapterError

_FIELD = re.compile(r"(?:data|event|id|retry):")

_STARTS = ("data:", "event:", "id:", "retry:", ":")

_JSON = re.compile(r"data: ?(?:\{\s*[\"}]|\[DONE\]|\[\s*\{\s*\")")

_LINE_END = re.compile(r"\r\n|\r|\n")

_ENOUGH = 64
"""Characters of a line that tell what it is."""


class EventLines:
    """Watches how a text begins.

    Where it is cut makes no difference, but for lines that come without their ends, as clients of
    HTTP give them: such a line has ended where the next chunk is empty, or begins with a field.
    """

    def __init__(self) -> None:
        self._line = ""  # how the line in hand begins
        self._fields = 0  # of the event in hand, in lines that have ended
        self._has_data = False  # whether one of them was data
        self._had_data = False  # whether any event's was
        self._after_return = False

    def may_be_events(self, chunk: str) -> bool:
        """Take the next text; tell whether it may still be events. AdapterError if it is."""
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
        """Take more of a line; tell whether it may be one of an event."""
        self._line = line = self._line + text[: _ENOUGH - len(self._line)]
        if _JSON.match(line) or (self._had_data and line.startswith("data:")):
            raise _refusal()
        return line.startswith(_STARTS) or any(start.startswith(line) for start in _STARTS)

    def _end_line(self) -> bool:
        """Note the line that has ended; tell whether it may be one of an event."""
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
        "the text is lines of server-sent events: wrap such lines with framing='sse', or the "
        "response's bytes; if it is text, pass framing='text'"
    )
