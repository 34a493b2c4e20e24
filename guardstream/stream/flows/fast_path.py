"""The fast path of a chunk that is like the last one: only its text is processed.

Nearly every chunk of a stream is like that. What is known from the last chunk is not looked up
again: the slot and pipeline of its text, and what surrounds it. An event of bytes that matches a
template need not even be parsed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from guardstream.events import Event, Text
from guardstream.framing.frames.event import EventFrames
from guardstream.framing.frames.frame import Frame
from guardstream.framing.templates import Template, template
from guardstream.stream.flows.flow import feeding, stage_error

if TYPE_CHECKING:
    from collections.abc import Sequence

    from guardstream.formats.toolkit.alike import Alike
    from guardstream.stream.flows.chunks import ChunkFlow
    from guardstream.stream.flows.slots import Track
    from guardstream.stream.result import Meter


class FastPath:
    """The pipeline of the answer's text while nothing else is open; `compared` recognises such
    chunks.

    `events` are the events of the last text, if it led to more than text; `is_over` says that they
    ended something, so that the path is left.
    """

    __slots__ = (
        "_feed",
        "_holder",
        "_meter",
        "_rest",
        "_stage",
        "choice",
        "compared",
        "events",
        "is_over",
        "track",
    )

    def __init__(self, compared: Alike, track: Track, choice: int, meter: Meter) -> None:
        self.compared = compared
        self.track = track
        self.choice = choice
        self.events: Sequence[Event] = ()
        self.is_over = False
        self._stage = track.lane.stage
        self._feed, self._rest, self._holder = feeding(self._stage)
        self._meter = meter

    def feed(self, text: str) -> str | None:
        """Return the released text, the same object if it is unchanged; or None.

        None means that the text led to more than text. That is in `events`, and nothing was
        counted.
        """
        try:
            fed = self._feed(text)
            if type(fed) is str:
                held = self._holder.held
            else:
                fed = self._rest(text, fed)
                held = self._stage.held
        except Exception as error:
            raise stage_error(error) from error
        released = ""
        if isinstance(fed, str):
            released = fed
        elif len(fed) == 1 and type(event := fed[0]) is Text:
            released = event.text
        elif fed:
            self.events = fed
            return None
        if released:
            if released == text:
                released = text
            self.track.last_released = released
        self.track.last_delta = released
        self._meter.received(len(text), held)
        return released


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
        if "\n" in frame.data:  # a template is written on one line
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
