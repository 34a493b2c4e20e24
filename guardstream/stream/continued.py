"""A pipeline for text that comes after its end: it goes on from what was held there.

Some sources say more after a finish reason. What was held when it came has been released, as no
match; whoever joins the text would still read one. So rules see that text again, it is not emitted
a second time, and what turns out to be the rest of a match is masked or blocked.
"""

from __future__ import annotations

from dataclasses import replace

from guardstream.events import Event, Finding, Stage, Text


class Continued:
    """A pipeline that has seen `tail` already; findings count from the text after it."""

    def __init__(self, stage: Stage, tail: str) -> None:
        self._stage = stage
        self._tail = tail
        self._ahead = tail  # what the pipeline has yet to be fed
        self._again = tail  # what it emits a second time

    @property
    def held(self) -> int:
        """How many code points of the new text are held back now."""
        return max(self._stage.held - len(self._again), 0)

    def feed(self, text: str) -> list[Event]:
        """Take the next characters and return what can be said now."""
        ahead, self._ahead = self._ahead, ""
        return self._new(self._stage.feed(ahead + text))

    def finish(self) -> list[Event]:
        """Take the source's end and return the rest."""
        return self._new(self._stage.finish())

    def _new(self, events: list[Event]) -> list[Event]:
        found: list[Event] = []
        for event in events:
            if isinstance(event, Text):
                text = self._without(event.text)
                found += [Text(text)] if text else []
            elif not isinstance(event, Finding):
                found.append(event)
            elif event.end > len(self._tail):
                start, end = event.start - len(self._tail), event.end - len(self._tail)
                found.append(replace(event, start=max(start, 0), end=end))
        return found

    def _without(self, text: str) -> str:
        """Leave out what was emitted before; a mask that reaches into it is emitted whole."""
        again = self._again
        if again.startswith(text):
            self._again = again[len(text) :]
            return ""
        self._again = ""
        return text[len(again) :] if text.startswith(again) else text
