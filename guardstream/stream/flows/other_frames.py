"""Frames that are neither a chunk nor text: other JSON, and the names and ids of events.

Nothing shows which of these continue another, so each is judged at once, by its path.
"""

from __future__ import annotations

import re
from typing import Any

from guardstream.framing.frames.frame import Frame
from guardstream.stream.flows.chunks import ChunkFlow

_PROTOCOL = re.compile(r"[a-z]+(?:_[a-z]+)*(?:[./][a-z_]+)+|[a-z]+(?:_[a-z]+)+")
"""How formats name their events: lower-case words, joined by dots, slashes or underscores."""

_MOST_NAMES = 256
"""How many harmless event names are remembered."""


def name_beside(frame: Frame) -> str:
    """Return the name of an event, unless its data is JSON that has it, too."""
    kind = frame.value.get("type") if isinstance(frame.value, dict) else None
    return "" if kind == frame.name else frame.name


class OtherFrames:
    """Guards frames of unknown JSON, names and ids, in a flow of its own."""

    def __init__(self, flow: ChunkFlow[Any]) -> None:
        self.flow = flow
        self._names: set[str] = {"message"}  # event names known to be harmless

    def judged(self, reading: str, text: str, name: str) -> str:
        """Guard another `reading` ("raw" or "decoded") of an event's text; none of it is held."""
        self.flow.enter(name)
        sent = self.flow.feed({reading: text})
        return str(sent[0].chunk.get(reading, "")) if sent else ""

    def judged_by_name(self, name: str, text: str, *, changes: bool) -> str:
        """Guard text together with earlier text of its event name, and of all names."""
        return self.flow.guard_named(name, text, changes=changes)

    def value(self, frame: Frame) -> Any | None:
        """Return the guarded value of a frame: itself if unchanged, None if all of it is
        removed."""
        self.flow.enter(name_beside(frame))
        sent = self.flow.feed(frame.value, frame)
        if not sent:
            return None
        value = sent[0].chunk
        return frame.value if value == frame.value else value

    def judge_names(self, frame: Frame) -> None:
        """Judge an event's name and id, which clients depend on: a match blocks."""
        for what, text in (("event", frame.name), ("id", frame.id or "")):
            if text and text not in self._names and not _PROTOCOL.fullmatch(text):
                self.flow.guard_name(f"$.{what}", text)
        if self.flow.ended is None and len(self._names) < _MOST_NAMES:
            self._names.add(frame.name)

    def has_named(self, frame: Frame) -> bool:
        """Return whether a frame has a name or an id that has not been judged."""
        return bool(frame.name and frame.name not in self._names) or frame.id not in (None, "")

    @property
    def knows_names(self) -> bool:
        """Whether the source names its events."""
        return len(self._names) > 1
