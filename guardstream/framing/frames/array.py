"""The items of JSON arrays as frames."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import replace

from guardstream.errors import AdapterError
from guardstream.framing import sse
from guardstream.framing.frames.frame import Frame, Media, PlainFrames
from guardstream.framing.frames.line import SPACE, value_frame
from guardstream.framing.objects import Ends

_START = SPACE + codecs.BOM_UTF8
_ITEM_END = re.compile(rb"[,\] \t\r\n]")


class ArrayFrames(PlainFrames):
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
            yield Frame(None, bytes(self._rest), cut=True)

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
            if self._over and not self._is_open and byte in SPACE:
                return Frame(None, self._cut())
            if byte in (SPACE if self._is_open or self._over else _START):
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
        frame = value_frame(item[start:], item[start:], item[:start])
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
