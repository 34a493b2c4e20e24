"""Detects whether the source of an event stream gives its events ids: it then does its own replay.

It reads the source's bytes, not the released ones: the beginning of an event goes out without its
id while the event's end is held (`stream/flows/event_fields.py`).
"""

from __future__ import annotations

from collections.abc import Iterator

from guardstream.errors import SSEError
from guardstream.framing.sse import Comment, Decoder, Event


class SourceIdDetector:
    """Passes on the bytes of a stream, and reads its first event, or its first id if that is
    earlier. `detected` is set before anything of that event can be released."""

    def __init__(self) -> None:
        self.detected = False
        self._decoder: Decoder | None = Decoder()  # until the first event is complete

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take the next bytes, and yield them."""
        if self._decoder is not None:
            self._read(self._decoder, data)
        yield data

    def finish(self) -> Iterator[bytes]:
        """Take the end: nothing is kept back."""
        return iter(())

    def _read(self, decoder: Decoder, data: bytes) -> None:
        try:
            items = decoder.feed(data)
        except SSEError:  # the guard refuses it, too
            self._decoder = None
            return
        for item in items:
            if isinstance(item, Comment):
                continue
            self.detected = item.id is not None
            if self.detected or isinstance(item, Event):
                self._decoder = None
                return
