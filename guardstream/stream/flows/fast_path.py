"""The fast path of a chunk that is like the last one: only its text is processed.

Nearly every chunk of a stream is like that. What is known from the last chunk is not looked up
again: the slot and pipeline of its text, and what surrounds it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guardstream.events import Event, Text
from guardstream.stream.flows.flow import feeding, stage_error

if TYPE_CHECKING:
    from collections.abc import Sequence

    from guardstream.providers.toolkit.alike import Alike
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
