"""Detects by their beginning how bytes carry chunks.

The answer does not depend on how the bytes are cut.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

import regex

from guardstream.errors import AdapterError
from guardstream.framing import sse
from guardstream.framing.frames.frame import Frame, Frames, Media
from guardstream.framing.frames.kinds import FRAMES
from guardstream.framing.json import json_object
from guardstream.framing.packets import are_packets

_SPACE = b" \t\r\n"

_MAX_SPACE = 1024
"""Bytes of white space within what identifies a format."""

MAX_MARK = 2 * _MAX_SPACE + 8
"""Bytes that suffice to detect a format, unless that takes a whole first line."""

_SNIFFED: dict[bytes, Media] = {
    **dict.fromkeys((b"{", b"[", b'"', b"\x1e", b"-"), "ndjson"),  # the fourth: RFC 7464
    **{b"%d" % digit: "ndjson" for digit in range(10)},
    b"\0": "event_stream",
}
_WORDS = (b"true", b"false", b"null", b"NaN", b"Infinity")

_MAX_EVENT = 16 * 1024
"""After so many bytes, an incomplete first event counts as an event."""

_LINE_END = re.compile(rb"[\r\n]")
_LONGEST_NAME = len(b"event:")
_FIELD = regex.compile(rb"%b[^\r\n]*+(?:\r\n?+|\n)" % sse.FIELD_START)
_FIELDS = regex.compile(rb"(?:(?<=\r)\n)?+(?:%b)*+" % _FIELD.pattern)
"""Whole lines of an event; the first of them may be the rest of a line's end."""

_EVENT_START = regex.compile(
    rb'(?:\xef\xbb\xbf)?(?:(?:(?:event|id|retry)?:[^\r\n]*+)?(?:\r\n?+|\n))*+data: ?(?:\{|\[\{?) *"'
)
"""The fields of an event up to its first data, which is JSON that begins with a string or a key."""

_EVENT_REST = regex.compile(rb"[^\r\n]*+(?:\r\n?+|\n)(?:%b)*+[\r\n]" % _FIELD.pattern)
"""The rest of that line, and all lines up to the blank line that ends the event."""

_CODED_STARTS = (b'0:"', b'f:{"messageId"')
"""Lines of Vercel's data stream that identify it at once: a line of text, and a message's start."""

_CODED_LINE = re.compile(rb'(?:[28]:\[|[3gj]:["{]|[9bchik]:\{)')
"""The beginnings of its other lines: a code, and the kind of JSON that goes with it."""

_LINE_CODE = re.compile(rb"[2389bcg-k]:?")
"""The beginning of such a line."""

_CODE = re.compile(rb"[0-9a-z](?::\s{0,%d})?" % _MAX_SPACE)
_CODE_START = re.compile(rb'[0-9a-z]:\s{0,%d}["{\[]' % _MAX_SPACE)
"""A code with JSON; `_CODE` may become one."""


class Beginning:
    """The first bytes of a stream, held until they show its framing.

    White space before everything else is in no frame: some servers send it to keep the connection
    alive while a model thinks. It goes out at once, up to `MAX_LINE` bytes of it. With
    `media="text"` it is text, and is held like the rest.
    """

    def __init__(self, media: Media | None, *, may_be_lines: bool = False) -> None:
        """`media` is the framing, None if it is to be detected. If text `may_be_lines`, it may
        turn out to be a data stream, packets or events."""
        is_known = media is not None and not (media == "text" and may_be_lines)
        self.frames: Frames | None = FRAMES[media]() if media and is_known else None
        self._is_text = media == "text"
        self._held = bytearray()
        self._space = b""  # what goes out next
        self._passed = 0  # bytes of white space so far
        self._line = 0  # where the last line begins, in a long event

    def take(self, data: bytes) -> Frames | None:
        """Take the next bytes; return what reads the stream from here on, once that is known.

        `read` has what goes out now. Once the framing is known, all later bytes are for the
        returned frames.
        """
        before = len(self._held)
        self._held += data
        if not self._is_text:
            self._cut_space()
        media = self._detected(before)
        if media is not None:
            self.frames = FRAMES[media]()
        return self.frames

    def end(self) -> Frames:
        """Take the end of the stream; return what reads its rest. `read` has what goes out now."""
        media: Media = "text" if self._is_text else sniffed_at_end(bytes(self._held))
        self.frames = FRAMES[media]()
        return self.frames

    def read(self) -> Iterator[Frame]:
        """Yield, once, the frames that are complete.

        AdapterError if more than `MAX_LINE` bytes of white space come before a stream, after that
        many; and what the framing raises.
        """
        space, self._space = self._space, b""
        if space:
            yield Frame(None, space)
        if self._passed > sse.MAX_LINE:
            raise AdapterError(f"more than {sse.MAX_LINE} bytes of white space before a stream")
        if self.frames is not None:
            held, self._held = bytes(self._held), bytearray()
            yield from self.frames.feed(held)

    def _cut_space(self) -> None:
        """Move white space from the beginning of what is held to what goes out."""
        count = _space_before(self._held, is_first=not self._passed)
        self._space = bytes(self._held[: min(count, sse.MAX_LINE - self._passed)])
        del self._held[:count]
        self._passed += count

    def _detected(self, before: int) -> Media | None:
        """Return the framing that the held bytes show, `before` of which were looked at before."""
        if self._is_text:
            return sniffed_text(bytes(self._held)) if self._may_differ(before) else None
        mark = bytes(self._held[:MAX_MARK])
        return sniffed(mark) or (sniffed_at_end(mark) if len(mark) == MAX_MARK else None)

    def _may_differ(self, before: int) -> bool:
        """Return whether text may show a framing that its first `before` bytes did not.

        A long beginning is looked at again only where that can tell more, so that the work stays
        linear: at a bound, at the end of a data stream's first line, and at a line that ends an
        event or cannot be part of one.
        """
        held, now = self._held, len(self._held)
        if before < MAX_MARK or before < _MAX_EVENT <= now or before <= sse.MAX_LINE < now:
            return True
        if _CODED_LINE.match(held):
            return held.find(b"\n", before) >= 0
        if not self._line:
            self._line = 1 + max(held.rfind(b"\n", 0, before), held.rfind(b"\r", 0, before))
        if before > self._line + _LONGEST_NAME and not _LINE_END.search(held, before):
            return False
        fields = _FIELDS.match(held, self._line)
        self._line = fields.end() if fields else self._line
        rest = _FIELD.fullmatch(held, self._line, partial=True)
        return rest is None or not rest.partial


def _space_before(start: bytes | bytearray, *, is_first: bool) -> int:
    """Return how many bytes of white space `start` begins with.

    A byte order mark counts if white space follows it, and nothing comes before it.
    """
    mark = len(codecs.BOM_UTF8) if is_first and start.startswith(codecs.BOM_UTF8) else 0
    space = len(start) - mark - len(start[mark:].lstrip(_SPACE))
    return mark + space if space else 0


def sniffed(start: bytes) -> Media | None:
    """Distinguish JSON and coded lines from server-sent events by their beginning; None while that
    is undecided.

    An array is read item by item if its first item is an object.
    """
    if codecs.BOM_UTF8.startswith(start):
        return None
    plain = start.removeprefix(codecs.BOM_UTF8)
    stripped = plain.lstrip(_SPACE)
    if _CODE.fullmatch(stripped):
        return None
    if _CODE_START.match(stripped):
        return "data_stream"
    if stripped.startswith(b"["):
        item = stripped[1 : _MAX_SPACE + 1].lstrip(_SPACE)[:1]
        if not item and len(stripped) <= _MAX_SPACE:
            return None
        return "json_array" if item in (b"{", b"") else "ndjson"
    if stripped.startswith(_WORDS):
        return "ndjson"
    if any(word.startswith(stripped) for word in _WORDS):
        return None
    packets = are_packets(stripped)
    if packets is not False:
        return "packets" if packets else None
    return _SNIFFED.get(stripped[:1], "sse")


def sniffed_at_end(start: bytes) -> Media:
    """Detect what a complete beginning is; events if nothing else matches."""
    opens = start.removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"[")
    return sniffed(start + b"\n") or ("json_array" if opens else "sse")


def sniffed_text(start: bytes) -> Media | None:
    """Distinguish the lines of a data stream, packets, and events from other text by their
    beginning; None while that is undecided.

    A data stream is recognised at once if its first line is a text. Its other lines (thinking,
    data, a call) could be plain text until the first one has ended and its JSON is valid. Events
    are recognised by the first one with data: JSON that begins in the first `MAX_MARK` bytes.
    """
    event = _EVENT_START.match(start[:MAX_MARK], partial=len(start) < MAX_MARK)
    if event is not None and event.partial:
        return None
    if event is not None and (
        rest := _EVENT_REST.match(start[:_MAX_EVENT], event.end(), partial=True)
    ):
        return None if rest.partial and len(start) < _MAX_EVENT else "sse"
    packets = are_packets(start)
    if packets is not False:
        return "packets" if packets else None
    if any(mark.startswith(start) for mark in _CODED_STARTS) or _LINE_CODE.fullmatch(start):
        return None
    if start.startswith(_CODED_STARTS):
        return "data_stream"
    if not _CODED_LINE.match(start):
        return "text"
    line, ended, _ = start.partition(b"\n")
    if len(line) > sse.MAX_LINE:
        return "text"
    if not ended:
        return None
    return "data_stream" if json_object(b'{"%b":%b}' % (line[:1], line[2:])) else "text"
