"""A pipeline that has seen earlier text, which it does not emit again."""

from __future__ import annotations

from dataclasses import replace
from itertools import takewhile

from guardstream.events import Event, Finding, Stage, Text


class Continued:
    """Wraps a pipeline that is fed `tail` first; findings count from the text after it."""

    def __init__(self, stage: Stage, tail: str) -> None:
        self._stage = stage
        self._tail = tail
        self._ahead = tail  # not yet fed to the pipeline
        self._again = tail  # what the pipeline has yet to emit a second time
        self._same = len(tail)  # how much of the tail is emitted as it was

    @property
    def held_before(self) -> str:
        """The earlier text, while a match that ends in new text may begin in it; else empty."""
        return self._again if self._stage.held >= len(self._again) else ""

    @property
    def context(self) -> str:
        """The end of the text, the earlier one included."""
        context: str = getattr(self._stage, "context", "")
        return context

    @property
    def held(self) -> int:
        """How many code points of the new text are held back now."""
        held = self._stage.held
        return max(held - len(self._again), 1) if held else 0  # a mask may be shorter than its text

    def feed(self, text: str) -> list[Event]:
        """Take the next characters; return the events that are certain."""
        ahead, self._ahead = self._ahead, ""
        return self._new(self._stage.feed(ahead + text))

    def finish(self) -> list[Event]:
        """Take the source's end and return the rest."""
        return self._new(self._stage.finish())

    def _new(self, events: list[Event]) -> list[Event]:
        found: list[Event] = []
        earlier: Finding | None = None  # the last event, if it is only of the earlier text
        masks = [each for each in events if isinstance(each, Finding) and each.action == "mask"]
        # A mask comes before its finding.
        self._same = min([self._same, *(mask.start for mask in masks)])
        for event in events:
            if isinstance(event, Finding):
                start, end = event.start - len(self._tail), event.end - len(self._tail)
                moved = replace(event, start=max(start, 0), end=max(end, 0))
                earlier = None if end > 0 else moved
                found += [moved] if end > 0 else []
                continue
            if isinstance(event, Text):
                text = self._without(event.text)
                found += [Text(text)] if text else []
            else:
                found += [event] if earlier is None else [earlier, event]  # it says which rule ends
            earlier = None
        return found

    def _without(self, text: str) -> str:
        """Strip what was emitted before; a mask that reaches into it is emitted whole."""
        again = self._again[: max(len(self._again) + self._same - len(self._tail), 0)]
        if again.startswith(text):
            self._again = self._again[len(text) :]
            return ""
        self._again = ""
        same = takewhile(lambda pair: pair[0] == pair[1], zip(again, text, strict=False))
        return text[sum(1 for _ in same) :]  # a unit may have text before its mask
