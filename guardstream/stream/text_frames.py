"""Frames of text in a stream of bytes: plain, or as JSON strings.

The first text decides. What can be read in two ways is guarded both ways: `"a \\u0062"` both
decoded and as it is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from guardstream.framing.frames import Frame, Frames
from guardstream.framing.json import json_bytes
from guardstream.stream.flow import Sent
from guardstream.stream.other_frames import OtherFrames
from guardstream.stream.text import TextFlow


class TextFrames:
    """Guards frames of text; `quoted` says that they are JSON strings."""

    def __init__(self, flow: TextFlow, frames: Frames, *, quoted: bool) -> None:
        self.flow = flow
        self.quoted = quoted
        self._frames = frames
        self.name: str | None = None  # of the last event with text

    def say(self, frame: Frame, beside: OtherFrames | None) -> list[Sent[bytes]]:
        """Guard a frame's text, and its other reading with `beside`; return nothing if that
        blocks."""
        said, quoted = frame.data, False
        if beside is not None:
            quoted = self.quoted
            decoded = str(frame.value)
            reading, text = ("raw", frame.data) if quoted else ("decoded", decoded)
            apart = beside.judged(reading, text)
            if beside.flow.ended is not None:
                return []
            if quoted:
                said, quoted = (decoded, True) if apart == frame.data else (apart, False)
            elif apart != decoded:
                said = json_bytes(apart).decode()
        return self._written(self.flow.feed(said, frame), frame, said, quoted=quoted)

    def say_as(self, frame: Frame, said: str) -> list[Sent[bytes]]:
        """Guard the text of a frame that is not a JSON string."""
        return self._written(self.flow.feed(said, frame), frame, said, quoted=False)

    def block(self, rule: str | None, last: Frame | None) -> list[Sent[bytes]]:
        """End the text as blocked by something else; `last` is the frame that came last."""
        return self._written(self.flow.block(rule), last, "", quoted=self.quoted)

    def finish(self, last: Frame | None) -> list[Sent[bytes]]:
        """Take the source's end; `last` is the frame that came last, which need not be text."""
        quoted = self.quoted and (last is None or last.form == "string")
        if last is not None and self.name not in (None, last.name):
            last = replace(last, name=self.name or "", id=None)
        return self._written(self.flow.finish(), last, "", quoted=quoted)

    def _written(
        self, sent: Sequence[Sent[str]], frame: Frame | None, said: str, *, quoted: bool
    ) -> list[Sent[bytes]]:
        if said and frame is not None:
            self.name = frame.name
        own = frame.value if frame is not None and quoted else frame.data if frame else None
        written = []
        for place, each in enumerate(sent, 1):
            if frame is not None and each.chunk == said == own:
                raw = frame.raw
            else:
                text = json_bytes(each.chunk).decode() if quoted else each.chunk
                raw = self._frames.write(text, frame, keep_id=place == len(sent))
            written.append(Sent(raw, each.text, each.characters, each.parts, each.origin))
        return written
