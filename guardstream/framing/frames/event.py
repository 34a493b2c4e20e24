"""Server-sent events as frames."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace

from guardstream.errors import AdapterError, SSEError
from guardstream.framing import sse
from guardstream.framing.frames.frame import AS_TEXT, Frame, Media, PlainFrames, Value
from guardstream.framing.json import json_bytes, json_data, json_object
from guardstream.framing.templates import EncodedTemplate, Template

DONE = "[DONE]"
"""The data of the event that ends a stream of chat completions."""

_AS_UNFRAMED = f"{AS_TEXT}, or name their type in 'text_types' of the middleware's route"
_AS_LINES = "; the chunks are lines without their ends: add them, or wrap the bytes as they come"

_INSIDE = "the stream ends inside a server-sent event"

_JOINED = re.compile(rb"[^\r\n]data: ?[{\[]")
"""The data of an event in the middle of a line: a line end is missing before it."""

_BEGUN = re.compile(sse.FIELD_START)
"""The beginning of an event that was cut, as by a lost connection."""

_UNREAD = re.compile(rb"(?:^|[\r\n])(?!%b|(?:data|event|id|retry)[\r\n])[^\r\n]" % sse.FIELD_START)
"""The beginning of a line that is no field of an event, which clients therefore ignore."""

_ONCE_MORE = re.compile(r"\A(?:data: ?)+(?=[{\[])")
"""The name of the field in front of its own data, which some gateways write twice."""

_ERROR = b"error:"
"""The beginning of a non-standard line, by which llama.cpp reports that its stream has failed."""


class EventFrames(PlainFrames):
    """Server-sent events with JSON or text as their data; each event decides."""

    media: Media = "sse"

    def __init__(self) -> None:
        self._decoder = sse.Decoder(strict=True, apart=True)
        self.template: Template | None = None  # matches most events, once known
        self.named = "message"  # the name of those events
        self._has_events = False
        self._lacking = b""  # what the last event lacks at its end, if it goes out as it came
        self._unended: Frame | None = None
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

    def between(self, source: Frame | None) -> bytes:
        """End the last event, if it has gone out without its end."""
        lead, self._lacking = self._lacking, b""
        if source is not None and source is self._unended:
            self._lacking = b"\n" if source.raw.endswith((b"\n", b"\r")) else b"\n\n"
        return lead

    def close(self, mark: str) -> bytes:
        return self.write(mark, None, keep_id=False) if mark else b""

    def _last(self, rest: bytes) -> Frame:
        """Return the last event, which lacks the blank line at its end: that is common."""
        items: Iterable[sse.Item] = ()
        with suppress(SSEError):  # a character that is cut, too
            items = sse.Decoder(strict=True).feed(rest + b"\n\n")
        for item in items:
            data = item.data if isinstance(item, sse.Event) else getattr(item, "unread", "")
            if _is_done(data) or json_object(data):
                return self._without_end(self._frame(item), rest)
        if _JOINED.search(rest):
            raise AdapterError(_INSIDE + _AS_LINES)
        if self._has_events or _BEGUN.match(rest):
            return Frame(None, rest, cut=True)
        raise AdapterError(_INSIDE + _AS_UNFRAMED)

    def _without_end(self, frame: Frame, rest: bytes) -> Frame:
        """Return the last frame as it came, if nothing in it is changed."""
        if frame.raw not in (rest + b"\n", rest + b"\n\n"):
            return frame
        self._unended = replace(frame, raw=rest)
        return self._unended

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
            unframed = json_object(item.unread) if item.unread else None
            if unframed is not None:
                self._has_events = True
                return replace(self._beside(Frame(unframed, item.raw), item), unread="", spare=b"")
            raw = item.raw if item.plain or item.unread else sse.encode(item)
            return self._beside(Frame(None, raw), item)
        raw = item.raw if item.plain or item.unread else sse.encode(item)
        bare = item.id is None and item.retry is None and not item.unread
        if self.template is not None and item.event == self.named and bare:
            text = self.template.text(item.data)
            if text is not None:
                return Frame(text, raw, "alike", item.data, name=item.event)
        self._has_events = True
        data = _ONCE_MORE.sub("", item.data)
        if _is_done(data):
            return self._beside(Frame(None, raw, done=True), item)
        value, form = json_data(data)
        if form == "text":
            data = item.data
            value = data
        return self._beside(Frame(value, raw, form, data), item)

    def _beside(self, frame: Frame, item: sse.Event | sse.Blank) -> Frame:
        """Return a frame with what an event has beside its data. Lines that clients ignore stay
        only where nothing else can move to another event, as an id can."""
        frame = replace(frame, name=item.event, id=item.id, retry=item.retry)
        if not item.unread:
            return frame
        spare = sse.encode(item)
        if item.id is not None or item.retry is not None:
            return replace(frame, raw=spare)
        return replace(frame, unread=item.unread, spare=spare)


def _is_done(data: str) -> bool:
    """Return whether data ends a stream of chat completions, in any of its spellings."""
    return data.strip().upper() == DONE
