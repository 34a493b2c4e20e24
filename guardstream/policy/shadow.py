"""Shadow mode: a pipeline that reports what another one would do, and passes text unchanged."""

from __future__ import annotations

from guardstream.events import Event, Finding, Finish, Stage, Text


class Shadow:
    """Passes the source at once and unchanged, with the findings of the stage that it shadows.

    There are no findings after the position where that stage would have ended the stream. The stage
    is fed character by character, so that each finding comes where it settled.
    """

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._ended = False
        self._finished = False

    @property
    def held(self) -> int:
        """Nothing is ever held back."""
        return 0

    def feed(self, text: str) -> list[Event]:
        """Return the text itself, and what has been found by its end."""
        if self._finished:
            return []
        events: list[Event] = []
        start = 0
        for end, character in enumerate("" if self._ended else text, 1):
            found = self._found(self._stage.feed(character))
            if found:
                events += [Text(text[start:end]), *found]
                start = end
            if self._ended:
                break
        if start < len(text):
            events.append(Text(text[start:]))
        return events

    def finish(self) -> list[Event]:
        """Return what is found at the source's end."""
        if self._finished:
            return []
        self._finished = True
        found = [] if self._ended else self._found(self._stage.finish())
        return [*found, Finish("stop")]

    def _found(self, events: list[Event]) -> list[Event]:
        if events and isinstance(events[-1], Finish):
            self._ended = True
        return [event for event in events if isinstance(event, Finding)]
