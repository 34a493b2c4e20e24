"""How a gate reads a stream: a provider's chunks as they are, bytes as the frames in them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Protocol

from guardstream.errors import AdapterError
from guardstream.events import FinishReason
from guardstream.formats.adapter import Adapter, Reading, Released, Slot
from guardstream.formats.errors import BLOCKED_CODE, errors_of
from guardstream.formats.generic.any_json import AnyJSON
from guardstream.formats.generic.text import PlainText
from guardstream.formats.hooks import Hooks, hooks_of
from guardstream.framing.frames.frame import UNNAMED, Frame, Frames
from guardstream.framing.frames.kinds import FRAMES
from guardstream.framing.json import json_bytes
from guardstream.framing.lines import EventText
from guardstream.stream.flows.choosing import Choose, beginning_of
from guardstream.stream.flows.flow_maker import Framing
from guardstream.stream.flows.str_streams import Grown


class Chunks(Protocol):
    """One stream's chunks, cut into what an adapter reads at once, and put together again."""

    def adapter(self, first: Any) -> Adapter[Any]:
        """Return an adapter for what `cut` returns; `first` is the first of that."""
        ...

    def cut(self, chunk: Any) -> Iterable[Any]:
        """Take a chunk; return the units of reading that it completes. AdapterError for an unknown
        one, after the units before the fault."""
        ...

    def rest(self) -> Iterable[Any]:
        """Take the end; return what is complete with it."""
        ...

    def chunks(self, read: Any) -> Sequence[Any]:
        """Return the chunks that go out for something that was read, or written in its place."""
        ...

    def close(self) -> Sequence[Any]:
        """Return the chunks that end a stream which a check has blocked."""
        ...

    def fail(self, message: str) -> Sequence[Any] | None:
        """Return the chunks that end it with an error instead; None unless it is in bytes."""
        ...


def chunks_of(
    choose: Choose, first: Any, framing: Framing | None, *, is_named: bool = True
) -> Chunks:
    """Return how a stream is read that begins with `first`; `framing` is that of `Guard.wrap`.

    Text is refused if it turns out to be cumulative, unless its format `is_named`.
    """
    if isinstance(first, (bytes, bytearray, memoryview)):
        return _Bytes(choose, framing)
    if not isinstance(first, str):
        return _Unframed(choose)
    if framing == "sse":
        return _Lines(choose)
    return _Unframed(choose) if is_named else _Text(choose)


class _Unframed:
    """A provider's chunks, or text."""

    def __init__(self, choose: Choose) -> None:
        self._choose = choose

    def adapter(self, first: Any) -> Adapter[Any]:
        return self._choose(first)

    def cut(self, chunk: Any) -> Sequence[Any]:
        return (chunk,)

    def rest(self) -> Sequence[Any]:
        return ()

    def chunks(self, read: Any) -> Sequence[Any]:
        return (read,)

    def close(self) -> Sequence[Any]:
        return ()

    def fail(self, message: str) -> Sequence[Any] | None:  # noqa: ARG002
        return None


class _Text(_Unframed):
    """Text. Raises AdapterError if each chunk repeats the text so far, which would be judged
    again."""

    def __init__(self, choose: Choose) -> None:
        super().__init__(choose)
        self._growth: Grown | None = Grown(if_new="format='text'")

    def cut(self, chunk: Any) -> Sequence[Any]:
        growth = self._growth if isinstance(chunk, str) else None
        self._growth = growth if growth and growth.may_be_cumulative(chunk) else None
        return super().cut(chunk)


class _Bytes:
    """Bytes, in the framing that their beginning shows; each frame goes out whole.

    What checks do not change goes out byte for byte.
    """

    def __init__(self, choose: Choose, framing: Framing | None = None) -> None:
        self._choose = choose
        self._beginning = beginning_of(framing, choose)
        self._frames = self._beginning.frames  # reads what came
        self._out: Frames | None = None  # writes what goes out, which may end earlier
        self._adapters: list[FrameAdapter] = []

    def adapter(self, first: Any) -> Adapter[Any]:  # noqa: ARG002
        return FrameAdapter(self._choose, self._writer, self._adapters)

    def cut(self, chunk: Any) -> Iterable[Frame]:
        if not isinstance(chunk, (bytes, bytearray, memoryview)):
            raise AdapterError(f"a chunk of type {type(chunk).__qualname__!r} in a stream of bytes")
        if self._frames is not None:
            return self._frames.feed(bytes(chunk))
        self._frames = self._beginning.take(bytes(chunk))
        return self._beginning.read()

    def rest(self) -> Iterator[Frame]:
        if self._frames is None:
            self._frames = self._beginning.end()
            yield from self._beginning.read()
        yield from self._frames.finish()

    def chunks(self, read: Frame) -> Sequence[Any]:
        lead = self._writer().between(read) if read.value is not None else b""
        return (lead + read.raw,)

    def close(self) -> Sequence[Any]:
        mark = next((each.mark for each in self._adapters if each.mark), "")
        end = self._writer().close(mark) if self._frames is not None else b""
        return (end,) if end else ()

    def fail(self, message: str) -> Sequence[Any]:
        formats = (each.format for each in self._adapters)
        errors = errors_of(next((name for name in formats if name), None))
        end = errors.written(self._writer(), BLOCKED_CODE, message)
        return (end,) if end else ()

    def _writer(self) -> Frames:
        if self._out is None:
            assert self._frames is not None
            self._out = FRAMES[self._frames.media]()
        return self._out


class _Lines(_Bytes):
    """Server-sent events as `str`."""

    def __init__(self, choose: Choose) -> None:
        super().__init__(choose, "sse")
        self._text = EventText()

    def cut(self, chunk: Any) -> Iterable[Frame]:
        return super().cut(self._text.encode(chunk))

    def chunks(self, read: Frame) -> Sequence[str]:
        return self._decoded(super().chunks(read))

    def close(self) -> Sequence[str]:
        return self._decoded(super().close())

    def fail(self, message: str) -> Sequence[str]:
        return self._decoded(super().fail(message))

    def _decoded(self, frames: Sequence[bytes]) -> list[str]:
        return [line for frame in frames for line in self._text.decode(frame)]


_NOTHING = Reading((), ())


class FrameAdapter:
    """Reads frames as the chunks in them: by the stream's format, as text, or as any JSON.

    `adapters` lists all that read the stream, this one too. `writer` returns what writes frames,
    once it is known.
    """

    def __init__(
        self, choose: Choose, writer: Callable[[], Frames], adapters: list[FrameAdapter]
    ) -> None:
        self.repeats = False
        self._adapters = adapters
        adapters.append(self)
        self._choose = choose
        self._writer = writer
        self._chunks: Adapter[Any] | None = None
        self._hooks: Hooks[Any] | None = None
        self._text = PlainText()
        self._other = AnyJSON()
        self._by_event = False  # chunks are events with their names

    @property
    def mark(self) -> str:
        """What ends a stream of this format."""
        return self._hooks.sse_end if self._hooks else ""

    @property
    def format(self) -> str:
        """The name of the stream's format, once it is known."""
        return self._hooks.name if self._hooks else ""

    @property
    def in_turn(self) -> bool:
        """Whether a frame can be written only before the next one is read."""
        return self._hooks is not None and self._hooks.in_turn

    def taken(self, chunk: Frame) -> Frame:
        """Return what stands for a frame that came in, where its format changes it."""
        if not chunk.value:
            return chunk
        self._recognise(chunk)
        adapter, value = self._of(chunk)
        taken = self._hooks.taken if self._hooks and adapter is self._chunks else None
        changed = value if taken is None else taken(value)
        return chunk if changed is value else self._frame(changed, chunk)

    def read(self, chunk: Frame) -> Reading:
        """Find the text in a frame. AdapterError for what its format does not know."""
        if not chunk.value:
            return _NOTHING
        self._recognise(chunk)
        adapter, value = self._of(chunk)
        return adapter.read(value)

    def recognised(self, chunk: Frame, reading: Reading) -> FrameAdapter | None:
        """Return what reads the stream from this frame on, if it shows a known format."""
        recognised = self._hooks.recognised if self._hooks else None
        if recognised is None or chunk.form != "object" or not chunk.value:
            return None
        known = recognised(chunk.value, reading)
        return FrameAdapter(lambda _: known, self._writer, self._adapters) if known else None

    def write(self, chunk: Frame, texts: Sequence[str], *, ends: bool = True) -> Frame | None:
        """Return a frame like `chunk` that says `texts` instead; None if nothing is left of it."""
        if not chunk.value:
            return chunk
        adapter, value = self._of(chunk)
        written = adapter.write(value, texts, ends=ends)
        if written is None or written is value:
            return None if written is None else chunk
        return self._frame(written, chunk)

    def without_unknown(self, chunk: Frame) -> Frame:
        """Return a frame without unknown text, as a model for further ones."""
        adapter, value = self._of(chunk)
        return replace(chunk, value=hooks_of(adapter).without_unknown(value))

    def extra(self, chunk: Frame, slot: Slot, text: str, released: Released) -> Sequence[Frame]:
        """Return frames that only say `text`."""
        adapter, value = self._of(chunk)
        return [self._frame(each, chunk) for each in adapter.extra(value, slot, text, released)]

    def end(
        self, chunk: Frame, choice: int, reason: FinishReason, released: Released
    ) -> Sequence[Frame]:
        """Return the frames that end `choice`."""
        adapter, value = self._of(chunk)
        ends = adapter.end(value, choice, reason, released)
        return [self._frame(each, chunk, ours=True) for each in ends]

    def passed(self, chunk: Frame) -> None:
        """Take note of a frame that goes out."""
        adapter, value = self._of(chunk)
        if chunk.value and adapter is self._chunks and self._hooks and self._hooks.passed:
            self._hooks.passed(value)

    def _recognise(self, frame: Frame) -> None:
        if self._chunks is None and (frame.form == "object" or frame.name not in UNNAMED):
            self._begin(frame)

    def _begin(self, frame: Frame) -> None:
        named = {"event": frame.name, "data": frame.value}
        if frame.name not in UNNAMED:
            try:
                adapter = self._choose(named)
            except AdapterError:
                adapter = None
            if adapter is not None and hooks_of(adapter).by_event:
                self._chunks, self._by_event = adapter, True
        if self._chunks is None and frame.form == "object":
            self._chunks = self._choose(frame.value)
        if self._chunks is not None:
            self._hooks, self.repeats = hooks_of(self._chunks), self._chunks.repeats

    def _of(self, frame: Frame) -> tuple[Adapter[Any], Any]:
        if self._by_event:
            assert self._chunks is not None
            return self._chunks, {"event": frame.name, "data": frame.value}
        if frame.form == "object" and self._chunks is not None:
            return self._chunks, frame.value
        return (self._text if isinstance(frame.value, str) else self._other), frame.value

    def _frame(self, written: Any, like: Frame, *, ours: bool = False) -> Frame:
        """Return what was written in the place of a frame, or after it, as a frame."""
        value, name = (written["data"], written["event"]) if self._by_event else (written, "")
        if ours and not self._by_event and like.name not in UNNAMED:
            named = self._hooks.event_name if self._hooks else None
            name = named(value) if named else ""
        data = json_bytes(value).decode() if like.form == "string" else value
        raw = self._writer().write(data, like, keep_id=not ours, name=name)
        return replace(like, value=value, raw=raw, lead=b"\n")
