"""Server-sent events, both ways: bytes in, events out, and back; no I/O.

The decoder follows the WHATWG standard (https://html.spec.whatwg.org/#server-sent-events, section
9.2.6), returns the same items for every chunking, and loses no bytes: the `raw` of all items and
`dropped`, joined, are the input.
"""

from __future__ import annotations

import json
import re
from codecs import BOM_UTF8
from dataclasses import dataclass, field
from typing import TypeAlias

from guardstream.errors import SSEError
from guardstream.framing.json import json_object

__all__ = [
    "MAX_EVENT",
    "MAX_LINE",
    "Blank",
    "Comment",
    "Decoder",
    "Event",
    "Item",
    "complete",
    "content",
    "encode",
    "error",
    "start",
]

MAX_LINE = 4 * 1024 * 1024
"""Bytes in a line; a provider's longest, an image in base64, have one or two million."""

MAX_EVENT = 8 * 1024 * 1024
"""Bytes in an event, all its lines together."""

FIELD_START = rb"(?:data|event|id|retry)?:"
"""How a line of an event begins, as a pattern; with the colon alone it is a comment."""

_LF, _COLON = b"\n:"

_LINE_END = re.compile(rb"\r\n?|\n")

_ONE_LINE = re.compile(rb"(?:event: ?([^\r\n]*)\n)?data: ?([^\r\n]*)\n\n")

_NEWLINE = re.compile(r"\r\n?|\n")

_RETRY_DIGITS = 15


@dataclass(frozen=True, slots=True)
class Event:
    """An event as a client sees it.

    `data` is its text, with line feeds between the lines. `event` is "message" if none is named.
    `id` is the event's own, `last_id` the last one in the stream so far, which a client would send
    as `Last-Event-ID`. `retry` is in milliseconds. `raw` are the original bytes, including the
    blank line; unless the event is `plain`, they contain more than the other fields: comments,
    unknown fields, or invalid UTF-8. `unread` are the lines that set nothing.
    """

    data: str
    event: str = "message"
    id: str | None = None
    retry: int | None = None
    last_id: str = field(default="", compare=False)
    plain: bool = field(default=True, compare=False)
    raw: bytes = field(default=b"", compare=False, repr=False)
    unread: str = field(default="", compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment line before an event or by itself, such as a heartbeat.

    `text` is what follows the colon, `raw` the original bytes.
    """

    text: str
    raw: bytes = field(default=b"", compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Blank:
    """A blank line, or fields without data: nothing is dispatched, but id and retry may be set.

    `event` is the name that such a heartbeat may have; clients do not see it. `plain`, `raw` and
    `unread` are those of an Event.
    """

    id: str | None = None
    retry: int | None = None
    plain: bool = field(default=True, compare=False)
    raw: bytes = field(default=b"", compare=False, repr=False)
    event: str = field(default="message", compare=False)
    unread: str = field(default="", compare=False, repr=False)


Item: TypeAlias = Event | Comment | Blank

_LEADING = (b"event:", b"id:", b"retry:")
"""The fields that an event may begin with."""


@dataclass(slots=True)
class _Next:
    """The fields after an event's data, which may be those of the next one.

    `start` is where they begin in the buffer, `given` what was set before them, `unread` how many
    lines had set nothing.
    """

    start: int
    given: tuple[str | None, str | None, int | None, bool, str]
    unread: int
    lines: list[bytes] = field(default_factory=list)


class Decoder:
    """Bytes of one stream in, items out.

    The work is linear in the bytes for every chunking. SSEError is raised for a line of more than
    `max_line` bytes, an event of more than `max_event` bytes, and, if `strict`, for invalid UTF-8,
    which otherwise becomes U+FFFD. Items before an error are returned first: then `error` is set,
    and the next call raises it. With `apart`, lines of data that are objects of JSON each are
    events of their own, because some servers write one line end between events.

    `dropped` is set by `finish`: the bytes of an event that the stream's end has cut off.
    """

    def __init__(
        self,
        *,
        max_line: int = MAX_LINE,
        max_event: int = MAX_EVENT,
        strict: bool = False,
        apart: bool = False,
    ) -> None:
        self.dropped = b""
        self.error: SSEError | None = None
        self.last_id = ""
        self._max_line = max_line
        self._max_event = max_event
        self._strict = strict
        self._apart = apart
        self._buffer = bytearray()
        self._before = 0  # bytes of the stream before the buffer
        self._start = 0  # the item's start in the buffer
        self._line = 0
        self._searched = 0
        self._began = False
        self._crlf = True
        self._skip_lf = False
        self._open_block()

    def feed(self, data: bytes) -> list[Item]:
        """Take the next bytes; return the items that they complete."""
        self._buffer += data
        return self._read(last=False)

    @property
    def is_between(self) -> bool:
        """Whether all bytes so far belong to items that were returned, and none may follow."""
        return self._began and not (self._buffer or self._in_block or self._skip_lf or self.error)

    def skip(self, size: int) -> None:
        """Count whole events that were read elsewhere, between two items."""
        self._before += size

    def finish(self) -> list[Item]:
        """Take the stream's end; return the item that waited for a line feed after its `\\r`."""
        items = self._read(last=True)
        rest = bytes(self._buffer)
        if rest and not self._in_block and self._line == len(rest):
            items.append(Blank(raw=rest))  # a lone byte order mark, or the rest of a line end
            rest = b""
        self.dropped = rest
        self._buffer.clear()
        self._start = self._line = self._searched = 0
        return items

    def _read(self, *, last: bool) -> list[Item]:
        if self.error is not None:
            raise self.error
        items: list[Item] = []
        try:
            if self._began or self._begin(last=last):
                self._read_lines(items, last=last)
        except SSEError as error:
            self.error = error
            if not items:
                raise
        self._forget()
        return items

    def _begin(self, *, last: bool) -> bool:
        """Skip the byte order mark; return whether the first line has begun."""
        size = len(self._buffer)
        if not last and size < len(BOM_UTF8) and BOM_UTF8.startswith(self._buffer):
            return False
        self._began = True
        if self._buffer.startswith(BOM_UTF8):
            self._line = self._searched = len(BOM_UTF8)
        return True

    def _read_lines(self, items: list[Item], *, last: bool) -> None:
        while self._one_line(items):
            pass
        while (ends := self._line_end(last=last)) is not None:
            end, after = ends
            self._check_size(end)
            line = bytes(self._buffer[self._line : end])
            self._searched = after
            if not line:
                items.append(self._dispatch(after))
            elif line[0] == _COLON and not self._in_block:
                text = self._text(line[1:].removeprefix(b" "))
                self._plain = True
                items.append(Comment(text, self._raw(after)))
            else:
                if self._apart and self._data:
                    self._part(items, line)
                self._field(line)
            self._line = after
            while self._one_line(items):
                pass
        self._check_size(self._searched)

    def _one_line(self, items: list[Item]) -> bool:
        """Take an event with a single line of data, which most are; return whether there is one.

        Its name may come before it. Anything unusual is left to the general path.
        """
        if self._in_block or self._skip_lf or self._searched != self._line:
            return False
        found = _ONE_LINE.match(self._buffer, self._line)
        if found is None:
            return False
        end = found.end(2)
        if end - self._line > self._max_line or end >= self._start + self._max_event:
            return False
        name = found[1]
        try:
            data = found[2].decode()
            event = name.decode() if name else "message"
        except UnicodeDecodeError:
            return False
        self._crlf = False
        raw = self._raw(end + 2)
        items.append(Event(data, event, None, None, self.last_id, self._plain, raw))
        self._plain = True
        self._line = self._searched = end + 2
        return True

    def _line_end(self, *, last: bool) -> tuple[int, int] | None:
        """Return the end of the line and the start of the next one; None if the line is incomplete.

        An item ends with the `\\r` of its last line if lines have not ended in `\\r\\n` so far,
        because it must not wait for a line feed that may never come. If it does come, it belongs to
        the next item.
        """
        buffer = self._buffer
        if self._skip_lf and self._line < len(buffer):
            self._skip_lf = False
            if buffer[self._line] == _LF:
                self._crlf = True
                self._line = self._searched = self._line + 1
        found = _LINE_END.search(buffer, self._searched)
        if found is None:
            self._searched = len(buffer)
            return None
        end, after = found.span()
        if buffer[end] == _LF:
            self._crlf = False
        elif not self._crlf:
            self._skip_lf = True
            after = end + 1
        elif after == end + 1:
            if after == len(buffer) and not last:
                self._searched = end
                return None
            self._crlf = False
        return end, after

    def _check_size(self, end: int) -> None:
        line, event = self._line + self._max_line, self._start + self._max_event
        if end <= min(line, event):
            return
        what, size = ("a line", self._max_line) if line <= event else ("an event", self._max_event)
        at = self._before + (self._line if line <= event else self._start)
        raise SSEError(f"{what} of more than {size} bytes in an event stream, from byte {at} on")

    def _open_block(self) -> None:
        self._in_block = False
        self._data: list[str] = []
        self._event: str | None = None
        self._id: str | None = None
        self._retry: int | None = None
        self._plain = True
        self._unread: list[bytes] = []
        self._leads = False  # whether a name or an id came before the data
        self._next: _Next | None = None

    def _field(self, line: bytes) -> None:
        """Take a line of a block; one that is overridden later is only in `raw`."""
        self._in_block = True
        self._leads = self._leads or (not self._data and line.startswith(_LEADING))
        name, _, value = line.partition(b":")
        if value[:1] == b" ":
            value = value[1:]
        if name == b"data":
            self._data.append(self._text(value))
        elif name == b"event":
            self._plain &= self._event is None
            self._event = self._text(value)
        elif name == b"id" and b"\0" not in value:
            self._plain &= self._id is None
            self._id = self.last_id = self._text(value)
        elif name == b"retry" and value.isdigit() and len(value) <= _RETRY_DIGITS:
            self._plain &= self._retry is None
            self._retry = int(value)
        else:
            self._plain = False
            self._unread.append(line)

    def _part(self, items: list[Item], line: bytes) -> None:
        """End an event before another line of data, if what it has is an object of JSON.

        Fields between the two are those of the next event, if this one began with fields.
        """
        if len(self._data) != 1 or json_object(self._data[0]) is None:
            return
        if not line.startswith(b"data:"):
            if self._leads and self._next is None and line.startswith(_LEADING):
                given = self._event, self._id, self._retry, self._plain, self.last_id
                self._next = _Next(self._line, given, len(self._unread))
            if self._next is not None:
                self._next.lines.append(line)
            return
        following, name = self._next, self._event
        if following is None:
            items.append(self._dispatch(self._line))
            self._in_block, self._event = True, name
            return
        self._event, self._id, self._retry, self._plain, self.last_id = following.given
        del self._unread[following.unread :]
        items.append(self._dispatch(following.start))
        for each in following.lines:
            self._field(each)

    def _dispatch(self, after: int) -> Event | Blank:
        raw = self._raw(after)
        if not self._in_block:
            return Blank(raw=raw)
        item: Event | Blank
        if self._data:
            data = self._data[0] if len(self._data) == 1 else "\n".join(self._data)
            event = self._event or "message"
            plain, last = self._plain, self.last_id
            item = Event(data, event, self._id, self._retry, last, plain, raw, self._lines())
        else:
            name = self._event or "message"
            item = Blank(self._id, self._retry, self._plain, raw, name, self._lines())
        self._open_block()
        return item

    def _lines(self) -> str:
        """Return the lines of a block that set nothing."""
        return b"\n".join(self._unread).decode(errors="replace") if self._unread else ""

    def _raw(self, after: int) -> bytes:
        raw = bytes(self._buffer[self._start : after])
        self._start = after
        return raw

    def _text(self, value: bytes) -> str:
        try:
            return value.decode()
        except UnicodeDecodeError:
            if self._strict:
                at = self._before + self._line
                raise SSEError(f"invalid UTF-8 in an event stream, line at byte {at}") from None
            self._plain = False
            return value.decode(errors="replace")

    def _forget(self) -> None:
        """Drop the bytes of items that were returned."""
        start = self._start
        if start:
            del self._buffer[:start]
            self._before += start
            self._start = 0
            self._line -= start
            self._searched -= start
            if self._next is not None:
                self._next.start -= start


def encode(item: Item) -> bytes:
    """Return the bytes of an item, made from its fields; `raw` is ignored.

    Each line of data has a `data:` line: `\\r` and `\\r\\n` in it become `\\n`, because the format
    has no other. SSEError for what the format cannot express: a line end in `event` or `id`, NUL in
    `id`, half a surrogate pair.
    """
    if isinstance(item, Comment):
        lines = [f": {line}" for line in _NEWLINE.split(item.text)]
    else:
        lines = _fields(item)
    try:
        return "\n".join([*lines, "", ""] if lines else ["", ""]).encode()
    except UnicodeEncodeError:
        raise SSEError("an event with an unpaired surrogate cannot be sent as UTF-8") from None


def _fields(item: Event | Blank) -> list[str]:
    lines = []
    if isinstance(item, Event) and item.event != "message":
        lines.append(f"event: {_one_line('event', item.event)}")
    if item.id is not None:
        if "\0" in item.id:
            raise SSEError("an 'id' with NUL is ignored by clients: leave it out")
        lines.append(f"id: {_one_line('id', item.id)}")
    if item.retry is not None:
        if item.retry < 0:
            raise SSEError(f"'retry' is {item.retry}: it must not be negative")
        lines.append(f"retry: {item.retry}")
    if isinstance(item, Event):
        lines += [f"data: {line}" for line in _NEWLINE.split(item.data)]
    return lines


def _one_line(name: str, value: str) -> str:
    if _NEWLINE.search(value):
        raise SSEError(f"{name!r} of an event must not contain a line end")
    return value


def start(id: str, **fields: object) -> Event:  # noqa: A002
    """Return the event that begins the answer `id`; `fields` are added to its JSON object."""
    return _named("start", {"id": id, **fields})


def content(text: str, **fields: object) -> Event:
    """Return an event with the next piece of an answer."""
    return _named("content", {"text": text, **fields})


def complete(finish: str = "stop", **fields: object) -> Event:
    """Return the event that ends an answer, with its finish reason."""
    return _named("complete", {"finish": finish, **fields})


def error(code: str, message: str, **fields: object) -> Event:
    """Return the event that ends an answer that went wrong.

    Its data is a JSON object with `code`, for programs, `message`, for people, and the `fields`.
    `EventSource` reports its own failures under the same name, without data.
    """
    return _named("error", {"code": code, "message": message, **fields})


def _named(name: str, payload: dict[str, object]) -> Event:
    return Event(json.dumps(payload, ensure_ascii=False, separators=(",", ":")), name)
