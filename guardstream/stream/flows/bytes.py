"""The flow of bytes: finds the frames in them, guards these, and turns them back into bytes.

A source may cut bytes anywhere, even inside a character. Server-sent events that come as `str` are
read alike: lines in, lines out; events in, events out.

    async for line in guard.wrap(response.aiter_lines(), framing="sse"): ...
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from operator import attrgetter
from typing import Any

from guardstream.errors import AdapterError
from guardstream.formats.adapter import Unknown
from guardstream.framing.frames.event import EventFrames
from guardstream.framing.frames.frame import Frame, Media
from guardstream.framing.json import json_object
from guardstream.framing.lines import EventText
from guardstream.framing.templates import EncodedTemplate
from guardstream.stream.flows.choosing import Choose, beginning_of
from guardstream.stream.flows.chunks import ChunkFlow
from guardstream.stream.flows.fast_path import FastPath
from guardstream.stream.flows.flow import Sent
from guardstream.stream.flows.frames import LONG_EVENT, Check, FrameFlow, Make
from guardstream.stream.on_block import BlockError


class WireFlow(FrameFlow):
    """One stream of bytes. If `media` is None, it is detected from the first bytes.

    Bytes that are a single event like the last one are not even split into frames: what surrounds
    the text is compared, and the text takes the fast path.
    """

    def __init__(
        self,
        media: Media | None,
        choose: Choose,
        make: Make,
        check: Check,
        unknown: Unknown = "guard",
        block_error: BlockError | None = None,
        is_idle: Callable[[], bool] = bool,
    ) -> None:
        self._beginning = beginning_of(media, choose)
        super().__init__(self._beginning.frames, choose, make, check, unknown, block_error, is_idle)
        self.last_released = ""
        self.sent: Sequence[Sent[bytes]] = ()
        self._around: EncodedTemplate | _Watched | None = (
            None  # what unread events are compared with
        )
        self._fast_path: FastPath | None = None  # the path of their text
        self._compared_bytes = 0  # the size of the events that were not parsed
        self._raw = b""  # the last event that was not parsed

    def feed_chunk(self, chunk: bytes) -> bytes | None:
        """Take bytes; return those that go out, if they are a single event like the last one.

        `last_released` is the text in what was returned. Otherwise return None; what may go out
        is in `sent`.
        """
        around, fast = self._around, self._fast_path
        text = None
        if around is not None and type(chunk) is bytes and len(chunk) <= LONG_EVENT:
            text = around.text(chunk)
        if around is None or fast is None or text is None:
            self.sent = self.feed(chunk)
            if self._last is not None and self._last.form in ("alike", "object"):
                self._compare_next(self._last)
            return None
        self._raw = chunk
        self._compared_bytes += len(chunk)
        released = fast.feed(text)
        if released:
            self.last_released = released
            return chunk if released is text else around.with_text(released)
        self.sent = () if released is not None else self._go_on(fast, text)
        return None

    def _compare_next(self, frame: Frame) -> None:
        """Set up the comparison for the next bytes, after an event that is like the template."""
        frames, chunks = self._frames, self._chunks
        if not isinstance(frames, EventFrames) or chunks is None or self.ended is not None:
            return
        if self._fields.waits:
            return
        self._around = around = frames.around(frame)
        if around is not None:
            if chunks.is_watched:
                self._around = _Watched(self, around, chunks)
            same = self._templates.still_holds(chunks)
            self._fast_path = chunks.fast_path if same else None

    def _go_on(self, fast: FastPath, text: str) -> Sequence[Sent[bytes]]:
        """Return what goes out for an event whose text led to more than text."""
        chunks, frames = self._chunks, self._frames
        self._note_compared()
        frame = self._last
        assert chunks is not None
        assert frame is not None
        assert isinstance(frames, EventFrames)
        alike = frames.template
        assert alike is not None
        sent = chunks.go_on(
            fast, text, frame.value, frame, lambda _, texts: alike.with_text(texts[0], frame.data)
        )
        written = [self._alike_sent(each, frame) for each in sent]
        if not fast.is_over:
            return written
        self._around = self._fast_path = None
        return written + self._note_end()

    def _read_compared(self) -> None:
        """Note the last event that was only compared, and compare no more."""
        self._note_compared()
        self._around = self._fast_path = None

    def _note_compared(self) -> None:
        """Note the last event that was only compared, so that others can be modelled on it."""
        around, fast, raw, last = self._around, self._fast_path, self._raw, self._last
        if not raw or around is None or fast is None or last is None:
            return
        assert isinstance(self._frames, EventFrames)
        self._frames.skip(self._compared_bytes)
        self._raw, self._compared_bytes = b"", 0
        data = around.data(raw)
        self._last = Frame(around.text(raw), raw, "alike", data, name=last.name)
        if self._chunks is not None:
            self._chunks.replace_last_unread(fast.track.chunk, lambda: json_object(data))

    def feed(self, chunk: bytes) -> Sequence[Sent[bytes]]:
        self._read_compared()
        if not isinstance(chunk, (bytes, bytearray, memoryview)):
            raise AdapterError(f"a chunk of type {type(chunk).__qualname__!r} in a stream of bytes")
        data = bytes(chunk)
        if self._frames is not None:
            return self._guard_frames(self._frames.feed(data))
        self._frames = self._beginning.take(data)
        return self._guard_frames(self._beginning.read())

    def believe(self) -> Sequence[Sent[bytes]]:
        self._read_compared()
        return super().believe()

    def finish(self) -> Sequence[Sent[bytes]]:
        self._read_compared()
        if self._frames is None:
            frames = self._frames = self._beginning.end()
            sent = self._guard_frames(chain(self._beginning.read(), frames.finish()))
        else:
            sent = self._guard_frames(self._frames.finish())
        if self.ended is None:
            sent += self._with_id(self._settle())
            ended = (flow.ended for flow in self._flows)
            self.ended = self.ended or next((reason for reason in ended if reason), "stop")
            if self.is_cut and self.ended == "stop":
                self.ended = "incomplete"
        return sent


class _Watched:
    """A template whose next text may be the text so far, which must be read."""

    def __init__(self, flow: WireFlow, around: EncodedTemplate, chunks: ChunkFlow[Any]) -> None:
        self._flow = flow
        self._around = around
        self._chunks = chunks
        self.with_text = around.with_text
        self.data = around.data

    def text(self, chunk: bytes) -> str | None:
        """Return the text of an event like the last; None if it must be read."""
        text = self._around.text(chunk)
        if text is None or self._chunks.may_grow(text):
            return None
        self._flow._around = self._around
        return text


class LineFlow:
    """One stream of lines or events; they go out in the form they came in.

    What it knows of the stream is what the flow of their bytes knows.
    """

    def __init__(self, wire: WireFlow) -> None:
        self._wire = wire
        self._text = EventText()

    findings, ended, blocked_by, calls, usage, format, error, ending, held, awaits_silence = (
        property(attrgetter(f"_wire.{name}"))
        for name in (
            *("findings", "ended", "blocked_by", "calls", "usage", "format", "error", "ending"),
            *("held", "awaits_silence"),
        )
    )

    @property
    def has_timer(self) -> bool:
        return self._wire.has_timer

    @has_timer.setter
    def has_timer(self, value: bool) -> None:
        self._wire.has_timer = value

    @property
    def awaits_event(self) -> bool:
        return self._wire.awaits_event

    def feed(self, chunk: str) -> Sequence[Sent[str]]:
        return self._decoded(self._wire.feed(self._text.encode(chunk)))

    def release_events(self) -> Sequence[Sent[str]]:
        return self._decoded(self._wire.release_events())

    def believe(self) -> Sequence[Sent[str]]:
        return self._decoded(self._wire.believe())

    def finish(self) -> Sequence[Sent[str]]:
        return self._decoded(self._wire.finish())

    def _decoded(self, sent: Sequence[Sent[bytes]]) -> list[Sent[str]]:
        """Return what goes out as `str`; the text of a frame is counted with its first line."""
        decoded: list[Sent[str]] = []
        for each in sent:
            first, *rest = self._text.decode(each.chunk)
            decoded.append(Sent(first, each.text, each.characters, each.parts))
            decoded += [Sent(line) for line in rest]
        return decoded
