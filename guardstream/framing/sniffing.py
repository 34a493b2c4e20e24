"""Detects by their beginning how bytes carry chunks.

The beginning is inspected again with each byte that arrives, so its length is bounded by
`MAX_MARK`.
"""

from __future__ import annotations

import codecs
import re

import regex

from guardstream.errors import AdapterError
from guardstream.framing import sse
from guardstream.framing.frames import Media
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
"""Bytes of an incomplete first event after which it counts as one."""

_EVENT_START = regex.compile(
    rb'(?:\xef\xbb\xbf)?(?:(?:(?:event|id|retry)?:[^\r\n]*+)?(?:\r\n?+|\n))*+data: ?(?:\{|\[\{?) *"'
)
"""The fields of an event up to its first data, which is JSON that begins with a string or a key."""

_EVENT_REST = regex.compile(
    rb"[^\r\n]*+(?:\r\n?+|\n)(?:(?:data|event|id|retry)?:[^\r\n]*+(?:\r\n?+|\n))*+[\r\n]"
)
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


def space_before(start: bytes | bytearray, passed: int = 0) -> int:
    """Return how many bytes of white space come before what identifies a format; `passed` of them
    came before `start`.

    They are in no frame: some servers send white space to keep the connection alive while a model
    thinks.
    """
    mark = len(codecs.BOM_UTF8) if not passed and start.startswith(codecs.BOM_UTF8) else 0
    space = len(start) - mark - len(start[mark:].lstrip(_SPACE))
    return mark + space if space else 0


def check_space(count: int) -> None:
    """Raise AdapterError if there is more white space than keeps a connection alive."""
    if count > sse.MAX_LINE:
        raise AdapterError(f"more than {sse.MAX_LINE} bytes of white space before a stream")


def sniffed(start: bytes) -> Media | None:
    """Distinguish JSON and coded lines from server-sent events by their beginning; None while that
    is undecided.

    An array is read item by item if its first item is an object.
    """
    if codecs.BOM_UTF8.startswith(start):
        return None
    plain = start.removeprefix(codecs.BOM_UTF8)
    stripped = plain.lstrip()
    if _CODE.fullmatch(stripped):
        return None
    if _CODE_START.match(stripped):
        return "data_stream"
    if stripped.startswith(b"["):
        item = stripped[1:].lstrip()[:1]
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

    A data stream is recognised at once if its first line is text; what else such streams begin with
    (thinking, data, a call) could be text, too, until a line has ended as theirs do. Events are
    recognised by the first one that has data: JSON, which begins in the first `MAX_MARK` bytes.
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
