"""Detects the kind of an answer in no known format by its beginning.

Clients parse JSON and events whatever the declared type is, and JSON may escape its text. So an
answer that is declared as text, or not at all, is inspected first.
"""

from __future__ import annotations

import re
from codecs import BOM_UTF8

from guardstream.framing.json import WORDS
from guardstream.http.media import EVENTS, kind_of, may_be_events

WHOLE = ""
"""Returned instead of a media type if the whole answer is needed to decide."""

_MOST = 64 * 1024
"""The bytes after which an incomplete first event counts as an event, and the maximum of leading
white space."""

_SPACE = re.compile(rb"[ \t\r\n]*")
_NAMES = (b"data", b"event", b"id", b"retry")
_NAME = re.compile(rb"(data|event|id|retry|)(?=[:\r\n])")
"""The beginning of a line of events: a field name, or nothing in comments and blank lines."""

_LONGEST = max(map(len, _NAMES)) + 1
"""The number of bytes of a line that show whether it begins like that."""

_SCALAR = re.compile(
    r"(?:-?\d[\d.eE+-]*|{})[ \t]*|(?P<rest>{})".format(
        "|".join(WORDS),
        "|".join(word[:size] for word in WORDS for size in range(1, len(word))),
    ).encode()
)
"""A scalar of JSON, or the `rest` that may become one."""

_MOST_OF_SCALAR = 64
"""The maximum number of bytes of a line that are searched for a scalar."""

_LINE_END = re.compile(rb"\r\n?|\n")
_JSON_DATA = re.compile(rb'^data: ?[{["]', re.MULTILINE)


class Sniffer:
    """Inspects the beginning of an answer of a media type; `read` is what it has read so far.

    The work is linear, however the answer is chunked.
    """

    def __init__(self, media: str) -> None:
        self.read = bytearray()
        self._media = media
        self._begin = 0  # where the content begins, after a byte order mark and space
        self._line: int | None = None  # where the first incomplete line begins
        self._scanned = 0  # from where that line's end is searched for
        self._has_content = False  # whether an event with data, or a comment, has begun

    def feed(self, data: bytes) -> str | None:
        """Take the next bytes; return the media type by which to guard the answer, or None if more
        bytes are needed.

        It is the declared type, EVENTS or WHOLE.
        """
        self.read += data
        return self._detected(ended=False)

    def finish(self) -> str:
        """Take the end; return the media type by which to guard the answer."""
        detected = self._detected(ended=True)
        assert detected is not None  # as nothing more will come
        return detected

    def _detected(self, *, ended: bool) -> str | None:
        marked = self.read.startswith(BOM_UTF8)
        if not ended and not marked and BOM_UTF8.startswith(self.read):
            return None
        self._begin = _end_of_space(self.read, self._begin or len(BOM_UTF8) * marked)
        first = bytes(self.read[self._begin : self._begin + 1])
        if not first:
            return self._detected_space(ended=ended)
        lines = kind_of(self._media) == "lines"
        of_json = self._media if lines else WHOLE
        if first in (b"{", b"[", b'"') or (lines and first == b"\x1e"):
            return of_json
        is_scalar = self._begins_with_scalar(ended=ended)
        if is_scalar is None:
            return None
        if is_scalar:
            return of_json
        if not lines and not may_be_events(self._media):
            return self._media
        is_event = self._is_event(ended=ended)
        if is_event is None:
            return None
        if is_event:
            return EVENTS
        return WHOLE if lines else self._media

    def _detected_space(self, *, ended: bool) -> str | None:
        """Return what is detected while there is nothing but white space."""
        if ended:
            return self._media
        return WHOLE if self._begin >= _MOST else None

    def _begins_with_scalar(self, *, ended: bool) -> bool | None:
        """Return whether the first line is a number, `null` or a flag, as lines of JSON may begin;
        None if more bytes are needed."""
        line = bytes(self.read[self._begin : self._begin + _MOST_OF_SCALAR])
        end = _LINE_END.search(line)
        found = _SCALAR.fullmatch(line if end is None else line[: end.start()])
        if found is None or (end is None and len(line) == _MOST_OF_SCALAR):
            return False
        if end is None and not ended:
            return None
        return found["rest"] is None

    def _is_event(self, *, ended: bool) -> bool | None:
        """Return whether the answer begins with an event or a comment; None if more bytes are
        needed."""
        read, most = self.read, self._begin + _MOST
        if self._line is None:
            self._line = self._begin
        while (named := _NAME.match(read, self._line, most)) is not None:
            end = _LINE_END.search(read, max(self._line, self._scanned), most)
            if end is None or (end.end() == len(read) and end[0] == b"\r" and not ended):
                self._scanned = min(len(read), most) if end is None else end.start()
                break
            if end.start() == self._line and self._has_content:  # a blank line
                return True
            is_comment = not named[1] and end.start() > self._line
            self._has_content = self._has_content or is_comment or named[1] == b"data"
            self._line = end.end()
        rest = bytes(read[self._line : min(self._line + _LONGEST, most)])
        if named is None and not any(name.startswith(rest) for name in _NAMES):
            return False
        if len(read) >= most:
            return True
        return _JSON_DATA.search(bytes(read[self._begin :])) is not None if ended else None


def sniff(media: str, body: bytes) -> str:
    """Return the media type by which to guard a whole answer that declares `media`."""
    sniffer = Sniffer(media)
    detected = sniffer.feed(body)
    return sniffer.finish() if detected is None else detected


def _end_of_space(text: bytearray, at: int) -> int:
    found = _SPACE.match(text, at)
    assert found is not None
    return found.end()
