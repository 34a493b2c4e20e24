"""Release modes: settled text waits until a sentence, a paragraph or the whole text is complete.

This is not hold-back: no rule can change the text any more. It has a bound of its own, where it
fails closed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Literal, TypeAlias

from guardstream.events import CLOSED, Event, Finding, Finish, Stage, Text
from guardstream.stages.units import Paragraphs, Sentences, Units, Whole

Mode: TypeAlias = Literal["sentence", "paragraph", "complete"]

UNITS: Mapping[Mode, Callable[[], Units]] = MappingProxyType(
    {"sentence": Sentences, "paragraph": Paragraphs, "complete": Whole}
)

RULE = "limits.release"
"""The rule in the finding about text that would wait for longer than the bound."""


class Release:
    """A stage around another that releases its text unit by unit; findings do not wait.

    A block drops what waits, so that with "complete" it releases nothing at all. Every other end
    releases it. More than `bound` waiting code points block; that finding's span is the text that
    waits, in the guarded text.
    """

    def __init__(self, stage: Stage, mode: Mode, bound: int) -> None:
        self._stage = stage
        self._units = UNITS[mode]()
        self._bound = bound
        self._parts: list[str] = []
        self._waiting = 0
        self._released = 0
        self._finished = False

    @property
    def held(self) -> int:
        """How many code points wait: held back by the stage inside, or settled."""
        return 0 if self._finished else self._waiting + self._stage.held

    def feed(self, text: str) -> list[Event]:
        """Take the next characters and return the events that are settled."""
        return [] if self._finished else self._pass(self._stage.feed(text))

    def finish(self) -> list[Event]:
        """Take the source's end, which completes the last unit."""
        return [] if self._finished else self._pass(self._stage.finish())

    def _pass(self, events: list[Event]) -> list[Event]:
        out: list[Event] = []
        for event in events:
            if isinstance(event, Text):
                self._add(event.text, out)
            elif isinstance(event, Finish):
                if event.reason not in CLOSED:
                    self._release(out)
                self._finished = True
                out.append(event)
            else:
                out.append(event)
            if self._finished:
                break
        return out

    def _add(self, text: str, out: list[Event]) -> None:
        start = 0
        for known, end in self._units.read(text):
            if self._waiting + known - start > self._bound:
                break
            self._parts.append(text[start:end])
            self._waiting += end - start
            start = end
            self._release(out)
        self._parts.append(text[start:])
        self._waiting += len(text) - start
        if self._waiting > self._bound:
            self._finished = True
            end = self._released + self._bound
            out += [
                Finding(RULE, self._released, end, "block", kind="overflow"),
                Finish("content_filter"),
            ]

    def _release(self, out: list[Event]) -> None:
        """Release the waiting text."""
        if self._waiting:
            out.append(Text("".join(self._parts)))
        self._released += self._waiting
        self._waiting = 0
        self._parts.clear()
