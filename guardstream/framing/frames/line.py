"""Lines of JSON as frames, and those of Vercel's data stream."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

from guardstream.errors import AdapterError
from guardstream.framing import sse
from guardstream.framing.frames.frame import AS_TEXT, Frame, Media, PlainFrames, Value
from guardstream.framing.json import json_bytes, json_line, json_object
from guardstream.framing.objects import Ends, Unfinished

SPACE = b" \t\r\n"
"""White space of JSON (RFC 8259, section 2)."""

_NO_JSON = "a line in a stream of JSON is not JSON"

_RECORD = b"\x1e"
"""The byte before each value in a sequence of JSON texts (RFC 7464)."""

_BETWEEN = b" \t\r" + _RECORD
_GAP = re.compile(rb"[ \t\r\x1e]*")
_JOINT = re.compile(rb"[\]}][ \t\r\x1e]*[\[{]")
_OPENS = (b"{", b"[")


class LineFrames(PlainFrames):
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
        begun = self._unfinished
        rest = (begun.lead + begun.raw if begun else b"") + self._rest
        may_be_cut = not self._start or rest.lstrip(SPACE).startswith(_OPENS)
        try:
            for frame in self._take(bytes(self._rest)) if self._rest else ():
                self._last, rest = frame, rest[len(frame.raw) :]
                yield frame
        except AdapterError:
            if not may_be_cut:
                raise
        if rest:
            yield Frame(None, bytes(rest), cut=True)

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
        rest = line.lstrip(SPACE)
        if rest.startswith(self._start):
            rest = rest.removeprefix(self._start).lstrip(SPACE)
        if rest.startswith(_RECORD):
            self._mark = _RECORD
            rest = rest.lstrip(SPACE + _RECORD)
        if not rest.strip():
            return Frame(None, line)
        is_first, self._start = bool(self._start), b""
        self._check_size(rest)
        frame = value_frame(rest, line)
        if frame is not None:
            return frame
        if not rest.startswith(_OPENS):
            raise AdapterError(_NO_JSON + AS_TEXT * is_first)
        self._unfinished = Unfinished(line[: len(line) - len(rest)])
        return self._go_on(self._unfinished, rest)

    def _go_on(self, unfinished: Unfinished, line: bytes) -> Frame | None:
        """Take a line of a value that spans several; return the frame that it completes."""
        may_be = unfinished.take(line)
        self._check_size(unfinished.raw)
        if may_be and not unfinished.is_over:
            return None
        self._unfinished, raw = None, bytes(unfinished.raw)
        frame = value_frame(raw, unfinished.lead + raw) if may_be else None
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


def value_frame(value: bytes, raw: bytes, lead: bytes = b"") -> Frame | None:
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
        self._start = b""
        yield Frame(value, line)
