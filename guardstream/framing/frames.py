"""How bytes carry chunks: server-sent events, lines of JSON, or text. Bytes in, frames out.

A frame keeps its original bytes, so that what the guard does not change goes out unchanged.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol, TypeAlias

from guardstream.errors import AdapterError, SSEError
from guardstream.framing import aws, sse
from guardstream.framing.json import json_bytes, json_data, json_line, json_object
from guardstream.framing.objects import Ends, Unfinished
from guardstream.framing.packets import SEPARATOR, split_packet
from guardstream.framing.templates import EncodedTemplate, Template

Media: TypeAlias = Literal[
    "sse", "ndjson", "json_array", "data_stream", "event_stream", "packets", "text", "messages"
]

Value: TypeAlias = dict[str, Any] | list[Any] | str
"""What a frame carries: JSON, or text."""

UNNAMED = ("", "message")
"""Event names without meaning: `message` is the default (HTML, "Server-sent events")."""

DONE = "[DONE]"
"""The data of the event that ends a stream of chat completions."""


Form: TypeAlias = Literal["object", "list", "string", "text", "alike", "line", "number"]
"""What the data of a frame is: JSON of some type, or text that is not JSON.

`alike` is an object of which only the text was read, because it matches the template of an earlier
one. In lines and arrays of JSON, which are not events, a string is a `line`, and a `number` its
digits.
"""


@dataclass(frozen=True, slots=True)
class Frame:
    """A piece of the source. `value` is JSON or text, by its `form`; None if it has neither.

    `data` is the text that an event's value was decoded from. `note` is text outside of the chunks,
    a comment. `name`, `id` and `retry` are the event's; `done` marks the stream's end. `lead` is
    what came between the last chunk and `raw`.
    """

    value: Value | None
    raw: bytes
    form: Form = "object"
    data: str = ""
    note: str = ""
    name: str = ""
    id: str | None = None
    retry: int | None = None
    done: bool = False
    lead: bytes = b""
    array: int = 0  # the array of the item, if several follow each other


class Frames(Protocol):
    """A way to carry chunks in bytes. AdapterError is raised after the frames before an error."""

    media: Media

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Take the next bytes; yield the frames that they complete."""
        ...

    def finish(self) -> Iterator[Frame]:
        """Take the end of the bytes."""
        ...

    def write(self, value: Value, like: Frame | None, *, keep_id: bool, name: str = "") -> bytes:
        """Return a frame with `value`, named like the frame that it derives from."""
        ...

    def between(self, source: Frame | None) -> bytes:
        """Return what comes before the next chunk that goes out; `source` is its frame if it goes
        out unchanged."""
        ...

    def close(self, mark: str) -> bytes:
        """Return what ends the chunks here; `mark` is the format's end marker, if it has one."""
        ...


class _Plain:
    """The base of frames without names and ids."""

    def write(
        self,
        value: Value,
        like: Frame | None,  # noqa: ARG002
        *,
        keep_id: bool,  # noqa: ARG002
        name: str = "",  # noqa: ARG002
    ) -> bytes:
        return self._bytes(value)

    @staticmethod
    def _bytes(value: Value) -> bytes:
        return json_bytes(value)

    def between(self, source: Frame | None) -> bytes:  # noqa: ARG002
        return b""

    def close(self, mark: str) -> bytes:  # noqa: ARG002
        return b""


_AS_TEXT = "; if the bytes are plain text, pass framing='text'"
_AS_UNFRAMED = f"{_AS_TEXT}, or name their type in 'text_types' of the middleware's route"
_AS_LINES = "; the chunks are lines without their ends: add them, or wrap the bytes as they come"

_JOINED = re.compile(rb"[^\r\n]data: ?[{\[]")
"""The data of an event in the middle of a line: a line end is missing before it."""

_BEGUN = re.compile(sse.FIELD_START)
"""The beginning of an event that was cut, as by a lost connection."""

_UNREAD = re.compile(rb"(?:^|[\r\n])(?!%b|(?:data|event|id|retry)[\r\n])[^\r\n]" % sse.FIELD_START)
"""The beginning of a line that is no field of an event, which clients therefore ignore."""

_ERROR = b"error:"
"""The beginning of a non-standard line, by which llama.cpp reports that its stream has failed."""


class EventFrames(_Plain):
    """Server-sent events with JSON or text as their data; each event decides."""

    media: Media = "sse"

    def __init__(self) -> None:
        self._decoder = sse.Decoder(strict=True)
        self.template: Template | None = None  # matches most events, once known
        self.named = "message"  # the name of those events
        self._has_events = False
        self._has_unread = False  # whether lines without any field came before the first event

    def feed(self, data: bytes) -> Iterator[Frame]:
        try:
            items = self._decoder.feed(data)
        except SSEError as error:
            raise AdapterError(str(error)) from error
        for item in items:
            yield self._frame(item)
        if self._decoder.error is not None:
            raise AdapterError(str(self._decoder.error)) from self._decoder.error

    def around(self, frame: Frame) -> EncodedTemplate | None:
        """Return the template of the next event's bytes, after an event that matched its template.

        None if more than the data of an event must be read.
        """
        template = self.template
        if template is None or not self._decoder.is_between:
            return None
        name = "" if frame.name == "message" else f"event: {frame.name}\n"
        if frame.raw != f"{name}data: {frame.data}\n\n".encode():
            return None
        return template.around(f"{name}data: ")

    def skip(self, size: int) -> None:
        """Count the bytes of events that were only compared."""
        self._decoder.skip(size)

    def finish(self) -> Iterator[Frame]:
        for item in self._decoder.finish():
            yield self._frame(item)
        if self._decoder.dropped:
            yield self._last(self._decoder.dropped)
        elif self._has_unread and not self._has_events:
            raise AdapterError("the stream has lines, but no server-sent event" + _AS_UNFRAMED)

    def write(self, value: Value, like: Frame | None, *, keep_id: bool, name: str = "") -> bytes:
        given, name = name, name or (like.name if like else "message")
        if name == "message" and isinstance(value, dict) and not (keep_id and like and like.id):
            size = len(like.raw) if like else 0
            return b"data: %b\n\n" % json_bytes(value, size)  # the common case, without an Event
        kind = value.get("type") if isinstance(value, dict) else None
        if name != "message" and not given and isinstance(kind, str):
            name = kind
        data = value if isinstance(value, str) else json_bytes(value).decode()
        return sse.encode(sse.Event(data, name, id=like.id if like and keep_id else None))

    def close(self, mark: str) -> bytes:
        return self.write(mark, None, keep_id=False) if mark else b""

    def _last(self, rest: bytes) -> Frame:
        """Return the last event, with the blank line that it lacks, which is common."""
        try:
            items = sse.Decoder(strict=True).feed(rest + b"\n\n")
        except SSEError as error:
            raise AdapterError(str(error)) from error
        for item in items:
            if isinstance(item, sse.Event) and (item.data == DONE or json_object(item.data)):
                return self._frame(item)
        hint = "" if _BEGUN.match(rest) else _AS_UNFRAMED
        if _JOINED.search(rest):
            hint = _AS_LINES
        raise AdapterError("the stream ends inside a server-sent event" + hint)

    def _frame(self, item: sse.Item) -> Frame:
        if isinstance(item, sse.Comment):
            return Frame(None, item.raw, note=item.text)
        if isinstance(item, sse.Blank):
            error = json_object(item.raw[len(_ERROR) :]) if item.raw.startswith(_ERROR) else None
            if error is not None:
                return Frame({"error": error}, item.raw)
            if not (item.plain or self._has_events):
                unread = _UNREAD.search(item.raw.removeprefix(codecs.BOM_UTF8))
                self._has_unread = self._has_unread or unread is not None
            raw = item.raw if item.plain else sse.encode(item)
            return Frame(None, raw, name=item.event, id=item.id, retry=item.retry)
        raw = item.raw if item.plain else sse.encode(item)
        bare = item.id is None and item.retry is None
        if self.template is not None and item.event == self.named and bare:
            text = self.template.text(item.data)
            if text is not None:
                return Frame(text, raw, "alike", item.data, name=item.event)
        self._has_events = True
        if item.data == DONE:
            return Frame(None, raw, name=item.event, id=item.id, retry=item.retry, done=True)
        value, form = json_data(item.data)
        return Frame(value, raw, form, item.data, name=item.event, id=item.id, retry=item.retry)


_NO_JSON = "a line in a stream of JSON is not JSON"

_RECORD = b"\x1e"
"""The byte before each value in a sequence of JSON texts (RFC 7464)."""

_BETWEEN = b" \t\r" + _RECORD
_GAP = re.compile(rb"[ \t\r\x1e]*")
_JOINT = re.compile(rb"[\]}][ \t\r\x1e]*[\[{]")
_OPENS = (b"{", b"[")


class LineFrames(_Plain):
    """JSON: one value on each line. Objects and arrays may span several lines if they are
    pretty-printed, or share a line.

    There may be a mark before each value, as in sequences of JSON texts.
    """

    media: Media = "ndjson"

    def __init__(self) -> None:
        self._rest = bytearray()
        self._look_at_rest()
        self._is_closed = False  # whether the last byte read was a closing bracket
        self._unfinished: Unfinished | None = None
        self._start = codecs.BOM_UTF8  # may come before the first value
        self._mark = b""  # comes before each value
        self._last: Frame | None = None  # the stream's last line, which has no end
        self._is_open = False  # the last frame has gone out

    def feed(self, data: bytes) -> Iterator[Frame]:
        self._rest += data
        self._look_at(data)
        if b"\n" in data:
            lines = self._rest.split(b"\n")
            self._rest = lines.pop()
            self._look_at_rest()
            for line in lines:
                yield from self._take(bytes(line) + b"\n")
        if self._may_join:
            yield from self._joined()
        self._check_size(self._rest)

    def finish(self) -> Iterator[Frame]:
        for frame in self._take(bytes(self._rest)) if self._rest else ():
            self._last = frame
            yield frame
        if self._unfinished is not None:
            raise AdapterError("the stream ends inside a JSON value")

    def write(
        self,
        value: Value,
        like: Frame | None,
        *,
        keep_id: bool,  # noqa: ARG002
        name: str = "",  # noqa: ARG002
    ) -> bytes:
        written = self._mark + self._bytes(value)
        ends_so = like is not None and like.raw.endswith(b"\r\n")
        return written.replace(b"\n", b"\r\n") if ends_so else written

    def between(self, source: Frame | None) -> bytes:
        lead = b"\n" if self._is_open else b""
        self._is_open = source is not None and source is self._last
        return lead

    def _look_at(self, data: bytes) -> None:
        """Check whether another value may follow in the rest, which is rare."""
        opens = data.lstrip(_BETWEEN).startswith(_OPENS)
        if (self._is_closed and opens) or _JOINT.search(data):
            self._may_join = True
        if stripped := data.rstrip(_BETWEEN):
            self._is_closed = stripped.endswith((b"}", b"]"))

    def _look_at_rest(self) -> None:
        self._may_join = _JOINT.search(self._rest) is not None
        self._ends = Ends()  # of the value at the beginning of the rest
        self._end: int | None = None
        self._next = 0  # the start of what follows it

    def _joined(self) -> Iterator[Frame]:
        """Yield the values of a line that have others after them."""
        while self._unfinished is None:
            if self._end is None:
                self._end = self._ends.find(self._rest)
                self._next = self._end or 0
            if self._end is None:
                return
            gap = _GAP.match(self._rest, self._next)
            self._next = gap.end() if gap else self._next
            if not self._rest.startswith(_OPENS, self._next):
                return
            piece = bytes(self._rest[: self._end])
            del self._rest[: self._end]
            self._look_at_rest()
            yield from self._take(piece)

    def _take(self, line: bytes) -> Iterator[Frame]:
        """Take a line, or a value of one; yield the frames that it completes."""
        if self._unfinished is None and len(line) <= sse.MAX_EVENT:
            value = json_object(line)
            if value is not None:
                self._start = b""
                yield Frame(value, line)
                return
        for piece in self._pieces(line) if _JOINT.search(line) else (line,):
            if self._unfinished is None:
                frame = self._begin(piece)
            else:
                frame = self._go_on(self._unfinished, piece)
            if frame is not None:
                yield frame

    def _pieces(self, line: bytes) -> Iterator[bytes]:
        """Split a line after each value that has another one after it."""
        ends = Ends() if self._unfinished is None else self._unfinished.ends()
        at = 0
        while (end := ends.find(line)) is not None:
            gap = _GAP.match(line, end)
            if gap is None or not line.startswith(_OPENS, gap.end()):
                break
            yield line[at:end]
            at, ends = end, Ends(end)
        yield line[at:]

    def _begin(self, line: bytes) -> Frame | None:
        """Take a line on which a value begins, if one does."""
        rest = line.lstrip(_SPACE)
        if rest.startswith(self._start):
            rest = rest.removeprefix(self._start).lstrip(_SPACE)
        if rest.startswith(_RECORD):
            self._mark = _RECORD
            rest = rest.lstrip(_SPACE + _RECORD)
        if not rest.strip():
            return Frame(None, line)
        is_first, self._start = bool(self._start), b""
        self._check_size(rest)
        frame = _value_frame(rest, line)
        if frame is not None:
            return frame
        if not rest.startswith(_OPENS):
            raise AdapterError(_NO_JSON + _AS_TEXT * is_first)
        self._unfinished = Unfinished(line[: len(line) - len(rest)])
        return self._go_on(self._unfinished, rest)

    def _go_on(self, unfinished: Unfinished, line: bytes) -> Frame | None:
        """Take a line of a value that spans several; return the frame that it completes."""
        may_be = unfinished.take(line)
        self._check_size(unfinished.raw)
        if may_be and not unfinished.is_over:
            return None
        self._unfinished, raw = None, bytes(unfinished.raw)
        frame = _value_frame(raw, unfinished.lead + raw) if may_be else None
        if frame is None:
            raise AdapterError(_NO_JSON)
        return frame

    @staticmethod
    def _bytes(value: Value) -> bytes:
        return json_bytes(value) + b"\n"

    @staticmethod
    def _check_size(lines: bytes | bytearray) -> None:
        if len(lines) > sse.MAX_EVENT:
            raise AdapterError(f"a value of more than {sse.MAX_EVENT} bytes in a stream of JSON")


def _value_frame(value: bytes, raw: bytes, lead: bytes = b"") -> Frame | None:
    """Return the frame of one JSON value; None if it is not JSON."""
    found = json_line(value)
    return None if found is None else Frame(found[0], raw, found[1], lead=lead)


_CODED = re.compile(rb"\s*([0-9a-z]):(.*)", re.DOTALL)


class CodedFrames(LineFrames):
    """A letter, a colon and JSON on each line, as an object with one field: Vercel's data
    stream."""

    media: Media = "data_stream"

    @staticmethod
    def _bytes(value: Value) -> bytes:
        assert isinstance(value, dict)
        return b"".join(b"%b:%b\n" % (c.encode(), json_bytes(each)) for c, each in value.items())

    def _joined(self) -> Iterator[Frame]:
        return iter(())

    def _take(self, line: bytes) -> Iterator[Frame]:
        if not line.strip():
            yield Frame(None, line)
            return
        self._check_size(line)
        found = _CODED.fullmatch(line)
        value = json_object(b'{"%b":%b}' % (found[1], found[2].rstrip())) if found else None
        if value is None or len(value) != 1:
            raise AdapterError("a line in a data stream is not a letter, a colon and JSON")
        yield Frame(value, line)


class BinaryFrames(_Plain):
    """Amazon's event streams, as objects with one field: the event's type, and its payload."""

    media: Media = "event_stream"

    def __init__(self) -> None:
        self._messages = aws.Messages()

    def feed(self, data: bytes) -> Iterator[Frame]:
        for raw, headers, payload in self._messages.feed(data):
            yield Frame(aws.event(headers, payload), raw, id=aws.other_headers(headers) or None)

    def finish(self) -> Iterator[Frame]:
        self._messages.finish()
        return iter(())

    def write(
        self,
        value: Value,
        like: Frame | None,
        *,
        keep_id: bool,  # noqa: ARG002
        name: str = "",  # noqa: ARG002
    ) -> bytes:
        assert isinstance(value, dict)
        return b"".join(_message(kind, payload, like) for kind, payload in value.items())


def _message(name: str, fields: dict[str, Any], like: Frame | None) -> bytes:
    """Return a message; an exception or an error if the frame `like` has one of that name."""
    is_same = like is not None and isinstance(like.value, dict) and name in like.value
    kind = aws.kind_of(like.raw) if like is not None and is_same else "event"
    if kind != "error":
        return aws.message(name, json_bytes(fields), kind)
    rest = {field: each for field, each in fields.items() if field != "message"}
    payload = json_bytes(rest) if rest else b""
    return aws.message(name, payload, kind, str(fields.get("message", "")))


_SPACE = b" \t\r\n"
_START = _SPACE + codecs.BOM_UTF8
_ITEM_END = re.compile(rb"[,\] \t\r\n]")


class ArrayFrames(_Plain):
    """JSON in an array, as Gemini's REST interface sends it without `alt=sse`.

    More arrays, or lines of JSON, may follow.
    """

    media: Media = "json_array"

    def __init__(self) -> None:
        self._rest = bytearray()
        self._read = 0  # how much of the rest was inspected
        self._item: int | None = None  # the start of the incomplete item
        self._ends: Ends | None = None  # of that item, unless it is a number or a word
        self._is_open = False
        self._over = False  # at least one array is complete
        self._array = 0  # the number of arrays so far, and of values outside of them
        self._wrote = 0  # the array of the last item that went out

    def feed(self, data: bytes) -> Iterator[Frame]:
        self._rest += data
        while (frame := self._next()) is not None:
            yield frame
        self._check_size(len(self._rest))

    def finish(self) -> Iterator[Frame]:
        if self._item is not None and self._ends is None and not self._is_open:
            yield self._cut_item(self._item)
        if self._rest.strip() or self._is_open:
            raise AdapterError("the stream ends inside a JSON array")

    def between(self, source: Frame | None) -> bytes:
        lead = source.lead if source else b""
        array = source.array if source else self._array or 1
        first, self._wrote = array != self._wrote, array
        if first:
            return lead.replace(b",", b"")
        return lead if b"," in lead else b"," + lead

    def close(self, mark: str) -> bytes:  # noqa: ARG002
        return b"" if self._over and not self._is_open else b"]"

    def _next(self) -> Frame | None:
        """Return the next complete frame."""
        while self._item is None:
            if self._read == len(self._rest):
                return None
            byte = bytes(self._rest[self._read : self._read + 1])
            self._read += 1
            if self._over and not self._is_open and byte in _SPACE:
                return Frame(None, self._cut())
            if byte in (_SPACE if self._is_open or self._over else _START):
                continue
            if byte == b"[" and not self._is_open:
                self._is_open = True
                self._array += 1
                return Frame(None, self._cut())
            if byte == b"]" and self._is_open:
                self._is_open, self._over = False, True
                return Frame(None, self._cut(), done=True)
            if byte != b"," or not self._is_open:
                self._begin_item(byte)
        return self._ended_item(self._item)

    def _begin_item(self, byte: bytes) -> None:
        if not (self._is_open or self._over):
            raise AdapterError("a stream of JSON in an array begins with something else")
        self._read -= 1
        self._item = self._read
        self._array += not self._is_open  # no comma comes before it
        self._ends = Ends(self._item) if byte in b'{["' else None

    def _ended_item(self, start: int) -> Frame | None:
        """Return the frame of the current item, if it is complete."""
        if self._ends is not None:
            end = self._ends.find(self._rest)
        else:
            found = _ITEM_END.search(self._rest, self._read)
            end = None if found is None else found.start()
        self._read = len(self._rest) if end is None else end
        return None if end is None else self._cut_item(start)

    def _cut_item(self, start: int) -> Frame:
        """Return the frame of the item that has been read."""
        item, self._item = self._cut(), None
        frame = _value_frame(item[start:], item[start:], item[:start])
        if frame is None:
            raise AdapterError("an item in a stream of JSON is not JSON")
        frame = replace(frame, array=self._array)
        return frame if frame.value else Frame(None, self.between(frame) + frame.raw)

    @staticmethod
    def _check_size(size: int) -> None:
        if size > sse.MAX_EVENT:
            raise AdapterError(f"more than {sse.MAX_EVENT} bytes of one item in a JSON array")

    def _cut(self) -> bytes:
        self._check_size(self._read)
        cut = bytes(self._rest[: self._read])
        del self._rest[: self._read]
        self._read = 0
        return cut


class TextFrames(_Plain):
    """Text in UTF-8."""

    media: Media = "text"

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("strict")

    def feed(self, data: bytes) -> Iterator[Frame]:
        yield from self._read(data, final=False)

    def finish(self) -> Iterator[Frame]:
        yield from self._read(b"", final=True)

    @staticmethod
    def _bytes(value: Value) -> bytes:
        assert isinstance(value, str)
        return value.encode("utf-8", "surrogatepass")

    def _read(self, data: bytes, *, final: bool) -> Iterator[Frame]:
        fault = None
        try:
            text = self._decoder.decode(data, final)
        except UnicodeDecodeError as error:
            # What comes before the error is valid; the bytes that the decoder keeps are part of the
            # error.
            text, fault = error.object[: error.start].decode(), error
        text, nul, _ = text.partition("\0")
        if text:
            yield Frame(text, text.encode(), "text", text)
        if nul:  # readers may take the text for UTF-16, in which it means something else
            raise AdapterError("a NUL in a stream of text, which may not be in UTF-8")
        if fault is not None:
            raise AdapterError("invalid UTF-8 in a stream of text") from None


class MessageFrames(_Plain):
    """Messages of a WebSocket: each fed message is JSON or text by itself."""

    media: Media = "messages"

    def feed(self, data: bytes) -> Iterator[Frame]:
        try:
            text = data.decode()
        except UnicodeDecodeError:
            raise AdapterError("invalid UTF-8 in a message") from None
        value, form = json_data(text)
        yield Frame(value, data, form, text)

    def finish(self) -> Iterator[Frame]:
        return iter(())

    @staticmethod
    def _bytes(value: Value) -> bytes:
        if isinstance(value, str):
            return value.encode("utf-8", "surrogatepass")
        return json_bytes(value)


class PacketFrames(_Plain):
    """Packets of Socket.IO in the body of an answer: JSON or text after a few marks."""

    media: Media = "packets"

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        self._rest += data
        if SEPARATOR in data:
            packets = self._rest.split(SEPARATOR)
            self._rest = packets.pop()
            for packet in packets:
                yield self._frame(bytes(packet + SEPARATOR))
        if len(self._rest) > sse.MAX_EVENT:
            raise AdapterError(f"a packet of more than {sse.MAX_EVENT} bytes")

    def finish(self) -> Iterator[Frame]:
        if self._rest:
            yield self._frame(bytes(self._rest))

    def write(
        self,
        value: Value,
        like: Frame | None,
        *,
        keep_id: bool,  # noqa: ARG002
        name: str = "",  # noqa: ARG002
    ) -> bytes:
        assert like is not None  # nothing is held that could come later
        data = str(value).encode() if like.form == "line" else json_bytes(value)
        return like.note.encode() + data + SEPARATOR * like.raw.endswith(SEPARATOR)

    @staticmethod
    def _frame(raw: bytes) -> Frame:
        try:
            packet = raw.removesuffix(SEPARATOR).decode()
        except UnicodeDecodeError:
            raise AdapterError("invalid UTF-8 in a packet") from None
        lead, data = split_packet(packet)
        value, form = json_data(data)
        if form in ("object", "list"):
            return Frame(value, raw, "list", note=lead)
        return Frame(packet[1:], raw, "line", note=packet[:1])


FRAMES: dict[Media, type[Frames]] = {
    kind.media: kind
    for kind in (
        *(EventFrames, LineFrames, ArrayFrames, CodedFrames),
        *(BinaryFrames, PacketFrames, TextFrames, MessageFrames),
    )
}
