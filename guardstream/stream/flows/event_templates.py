"""The template of a stream's events, which differ from each other only in their text.

An event that matches it need not be parsed: only its text is guarded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from guardstream.framing.frames.event import EventFrames
from guardstream.framing.frames.frame import Frame
from guardstream.framing.templates import Template, template

if TYPE_CHECKING:
    from guardstream.providers.toolkit.alike import Alike
    from guardstream.stream.flows.chunks import ChunkFlow


class EventTemplates:
    """Creates the template of `EventFrames` from an event that has a single text and nothing else.

    It holds as long as the flow of chunks would compare further chunks with the same one.
    """

    def __init__(self) -> None:
        self._source: Alike | None = None  # what the last template was created from
        self._event_name = ""
        self._left = 16  # how many more may be created: each takes longer than parsing an event

    def note(self, frames: EventFrames, frame: Frame, chunks: ChunkFlow[Any]) -> None:
        """Create a template from a frame that `chunks` has just guarded, if there is none and it
        can be one."""
        if frames.template is not None or frame.id is not None or not self._left:
            return
        compared = chunks.template
        if compared is None:
            return
        assert isinstance(frame.value, dict)
        self._left -= 1
        text = compared.text(frame.value)
        if text is None:
            return
        frames.template = template(
            frame.data,
            frame.value,
            text,
            compared.padding,
            lambda other: compared.with_text(other, frame.value),
            compared.measured,
        )
        frames.named = frame.name
        self._event_name = chunks.event_name
        self._source = compared

    def still_holds(self, chunks: ChunkFlow[Any]) -> bool:
        """Return whether `chunks` compares its chunks with what the template was created from."""
        return chunks.template is self._source and chunks.event_name == self._event_name

    def of(self, frames: EventFrames, chunks: ChunkFlow[Any] | None) -> Template | None:
        """Return the template of an event that matched it; None, and drop it, if it does not hold
        any more."""
        if chunks is None or not self.still_holds(chunks):
            frames.template = None
        return frames.template
