"""The flow of bytes: chunks as they come over the wire, guarded, and bytes again.

What the guard leaves alone goes out byte for byte. Bytes are no text: a source may cut them
anywhere, inside of a character too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, TypeAlias

from guardstream.errors import AdapterError, StageError
from guardstream.events import Finding, FinishReason
from guardstream.framing.frames import FRAMES, EventFrames, Frame, Frames, Media, sniffed
from guardstream.framing.json import json_object
from guardstream.providers.adapter import Adapter, Call, Slot
from guardstream.providers.any_json import AnyJSON
from guardstream.providers.text import PlainText
from guardstream.stream.chunks import ChunkFlow
from guardstream.stream.flow import Sent
from guardstream.stream.text import TextFlow

Choose: TypeAlias = Callable[[Any], Adapter[Any]]
"""Returns the adapter for a stream that begins with this chunk."""

Make: TypeAlias = Callable[[Adapter[Any]], "ChunkFlow[Any] | TextFlow"]
"""Returns the flow for an adapter."""

Check: TypeAlias = Callable[[str], bool]
"""Tells whether a text may be shown as it is."""


class WireFlow:
    """One stream of bytes. `media` is found out by the first byte if it is None.

    Comments between events go out if the policy leaves them as they are. An event that is held
    has no place to go back to: text that it held comes in the next, and its id with that.
    """

    def __init__(self, media: Media | None, choose: Choose, make: Make, check: Check) -> None:
        self.ended: FinishReason | None = None
        self.error: Exception | None = None
        self._frames: Frames | None = FRAMES[media]() if media else None
        self._choose = choose
        self._make = make
        self._check = check
        self._start = b""
        self._flow: ChunkFlow[Any] | TextFlow | None = None
        self._sse_end = ""
        self._name: Callable[[Any], str] | None = None
        self._last: Frame | None = None
        self._settled = False

    @property
    def findings(self) -> list[Finding]:
        return self._flow.findings if self._flow else []

    @property
    def blocked_by(self) -> str | None:
        return self._flow.blocked_by if self._flow else None

    @property
    def calls(self) -> Mapping[Slot, Call]:
        return self._flow.calls if self._flow else {}

    @property
    def usage(self) -> Any:
        return self._flow.usage if self._flow else None

    @property
    def provider(self) -> str:
        return self._flow.provider if self._flow else "bytes"

    @property
    def held(self) -> int:
        return self._flow.held if self._flow else 0

    def feed(self, chunk: bytes) -> Sequence[Sent[bytes]]:
        if not isinstance(chunk, (bytes, bytearray, memoryview)):
            raise AdapterError(f"a chunk of type {type(chunk).__qualname__!r} in a stream of bytes")
        data = bytes(chunk)
        if self._frames is None:
            data = self._start = self._start + data
            media = sniffed(data)
            if media is None:
                return ()
            self._frames = FRAMES[media]()
        return self._take(self._frames.feed(data))

    def finish(self) -> Sequence[Sent[bytes]]:
        frames = self._frames
        if frames is None:
            frames = self._frames = EventFrames()
            sent = self._take(chain(frames.feed(self._start), frames.finish()))
        else:
            sent = self._take(frames.finish())
        if self.ended is None:
            sent += self._settle()
            self.ended = self.ended or (self._flow.ended if self._flow else "stop")
        return sent

    def _take(self, frames: Iterator[Frame]) -> list[Sent[bytes]]:
        """Take frames until one ends the stream; a fault is raised after what came before it."""
        sent: list[Sent[bytes]] = []
        try:
            for frame in frames:
                sent += self._pass(frame)
                if self.ended is not None:
                    break
        except (AdapterError, StageError) as error:
            if not sent:
                raise
            self.error, self.ended = error, "content_filter"
        return sent

    def _pass(self, frame: Frame) -> list[Sent[bytes]]:
        if frame.note and not self._check(frame.note):
            return []
        if frame.done:
            return [*self._settle(), Sent(frame.raw)] if not self._settled else []
        if not frame.value:
            return [Sent(frame.raw)]
        if self._settled:
            raise AdapterError("a chunk follows the end of the stream")
        flow = self._flow or self._begin(frame.value)
        if isinstance(frame.value, str) and self._disguised(frame.value):
            raise AdapterError("a chunk in JSON among the events of a stream of text")
        self._last = frame
        sent = self._written(flow.feed(frame.value, frame), frame)  # type: ignore[arg-type]
        if flow.ended is not None:
            self.ended = flow.ended
            sent += self._close()
        return sent

    def _begin(self, value: Any) -> ChunkFlow[Any] | TextFlow:
        adapter = self._choose(value)
        self._sse_end = getattr(adapter, "sse_end", "")
        self._name = getattr(adapter, "event_name", None)
        self._flow = self._make(adapter)
        return self._flow

    def _disguised(self, text: str) -> bool:
        """Tell whether an event's text is a provider's chunk, in which text may stand escaped."""
        if not isinstance(self._frames, EventFrames) or text.lstrip()[:1] != "{":
            return False
        value = json_object(text)
        try:
            return value is not None and type(self._choose(value)) not in (PlainText, AnyJSON)
        except AdapterError:
            return False  # of no format: text that looks like JSON

    def _settle(self) -> list[Sent[bytes]]:
        """Let the chunks' flow end: what it holds goes out, or blocks."""
        if self._settled or self._flow is None:
            return []
        self._settled = True
        sent = self._written(self._flow.finish(), self._last)
        if self._flow.ended == "content_filter":
            self.ended = "content_filter"
            sent += self._close()
        return sent

    def _close(self) -> list[Sent[bytes]]:
        """Return the frame that ends such streams, where the guard ends it before the source."""
        assert self._frames is not None
        end = self._frames.close("" if self.ended == "error" else self._sse_end)
        return [Sent(end)] if end else []

    def _written(self, sent: Sequence[Sent[Any]], frame: Frame | None) -> list[Sent[bytes]]:
        """Return chunks as bytes: the very ones that a chunk came as, if it goes out as it came."""
        assert self._frames is not None
        written: list[Sent[bytes]] = []
        for place, each in enumerate(sent, 1):
            chunk, origin = each.chunk, each.origin
            unchanged = origin is not None and origin.value is chunk
            if unchanged:
                raw = origin.raw
            elif frame is not None and chunk == frame.value and isinstance(chunk, str):
                raw = frame.raw
            else:
                name = self._name(chunk) if self._name else ""
                raw = self._frames.write(chunk, frame, keep_id=place == len(sent), name=name)
            raw = self._frames.between(origin if unchanged else None) + raw
            written.append(Sent(raw, each.text, each.characters, each.parts, origin))
        return written
