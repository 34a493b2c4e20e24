"""Stages in a row: each stage's text feeds the next; the first Finish ends them all."""

from __future__ import annotations

from collections.abc import Sequence

from guardstream.events import Event, Finish, Stage, Text


class Pipeline:
    """A row of stages that is a stage itself.

    Events pass on one by one, in the order in which the first stage gives them; whatever would
    come after the first Finish is dropped. A stage that is stopped by an earlier stage's end
    settles what it holds, as at the source's end; a blocked one discards it.
    """

    def __init__(self, stages: Sequence[Stage]) -> None:
        self._stages = tuple(stages)
        self._finished = False

    @property
    def held(self) -> int:
        """How many code points are held back now, over all stages."""
        return sum(stage.held for stage in self._stages)

    def feed(self, text: str) -> list[Event]:
        """Pass `text` through every stage."""
        if self._finished or not text:
            return []
        return self._through([Text(text)], 0)

    def finish(self) -> list[Event]:
        """Settle every stage in order and end with one Finish."""
        if self._finished:
            return []
        return self._through([Finish("stop")], 0)

    def _through(self, events: list[Event], start: int) -> list[Event]:
        for index in range(start, len(self._stages)):
            events = self._step(self._stages[index], events)
        if events and isinstance(events[-1], Finish):
            self._finished = True
        return events

    @staticmethod
    def _step(stage: Stage, events: list[Event]) -> list[Event]:
        out: list[Event] = []
        for event in events:
            if isinstance(event, Text):
                out += stage.feed(event.text)
            elif isinstance(event, Finish) and event.reason != "content_filter":
                settled = stage.finish()
                out += settled[:-1]
                # The stage may have blocked while settling; otherwise the earlier reason stands.
                last = settled[-1]
                out.append(last if last == Finish("content_filter") else event)
            else:
                out.append(event)
            if out and isinstance(out[-1], Finish):
                return out
        return out
