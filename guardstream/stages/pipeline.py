"""Stages in a row: each stage's text feeds the next; the first Finish ends them all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn, Protocol, runtime_checkable

from guardstream.events import Event, Finish, Stage, Text, ends_by_rule
from guardstream.stages.halves import Halves


@runtime_checkable
class Cuttable(Protocol):
    """A stage that completes its output when an earlier stage cuts its text off."""

    def cut(self, finish: Finish) -> list[Event]:
        """Drop what is held and return what completes the output, ending with `finish`."""
        ...


@runtime_checkable
class Readable(Protocol):
    """A stage whose `reader` may be fed in its place, which takes fewer calls.

    The reader's `feed` returns text that goes out, if that is all, and then its `held` is that of
    the stage. Of anything else `feed_unread` makes events, or text.
    """

    reader: Any

    def feed_unread(self, text: str, read: Any) -> str | Sequence[Event]:
        """Take text for which the reader has returned `read`."""
        ...


_SLICE = 64 * 1024
"""How many characters of a long text are fed at once; other threads can run in between."""


def all_events(stage: Stage, text: str) -> list[Event]:
    """Return all events of a stage for a whole text."""
    if len(text) <= _SLICE:
        return [*stage.feed(text), *stage.finish()]
    events: list[Event] = []
    for at in range(0, len(text), _SLICE):
        events += stage.feed(text[at : at + _SLICE])
        if events and isinstance(events[-1], Finish):
            break
    return [*events, *stage.finish()]


class Pipeline:
    """A row of stages that is a stage itself.

    Events pass on one by one, in the order in which the first stage returns them. Events after the
    first Finish, or after a stage has raised, are dropped. If an earlier stage ends the text as
    `stop`, the later ones settle the text that they hold, as at the source's end; any other end
    discards it.
    """

    def __init__(self, stages: Sequence[Stage]) -> None:
        self._stages = tuple(stages)
        self._finished = False
        self._halves = Halves()

    @property
    def held(self) -> int:
        """How many code points are held back now, over all stages."""
        if self._finished:
            return 0
        return sum([stage.held for stage in self._stages]) + len(self._halves.waiting)

    def feed(self, text: str) -> list[Event]:
        """Pass `text` through every stage.

        TypeError unless it is a str; a session raises RuntimeError after `finish`.
        """
        if not isinstance(text, str):
            raise TypeError(f"feed() needs a text, a str, not {type(text).__qualname__!r}")
        if self._finished:
            return self._late()
        if not text.isascii() or self._halves.waiting:
            text = self._halves.joined(text)
        if not text:
            return []
        return self._through([Text(text)])

    def finish(self) -> list[Event]:
        """Settle every stage in order and end with one Finish."""
        if self._finished:
            return []
        rest = self._halves.rest()
        return self._through([*([Text(rest)] if rest else []), Finish("stop")])

    def _late(self) -> list[Event]:
        """Return the events for a text after the end: none, as in any stage."""
        return []

    def _through(self, events: list[Event]) -> list[Event]:
        try:
            for stage in self._stages:
                events = self._step(stage, events)
        except BaseException:
            self._finished = True  # a stage that has failed knows nothing of the text any more
            raise
        if events and isinstance(events[-1], Finish):
            self._finished = True
        return events

    @staticmethod
    def _step(stage: Stage, events: list[Event]) -> list[Event]:
        out: list[Event] = []
        for event in events:
            if isinstance(event, Text):
                out += stage.feed(event.text)
            elif isinstance(event, Finish):
                out += _ended(stage, event)
            else:
                out.append(event)
            if out and isinstance(out[-1], Finish):
                return out
        return out


class Session(Pipeline):
    """A pipeline that is fed by hand: a text after `finish()` is a mistake, and would be lost.

    After a Finish of the rules, such as a block, `feed` returns an empty list as in any stage.
    """

    def __init__(self, stages: Sequence[Stage]) -> None:
        super().__init__(stages)
        self._closed = False

    def __repr__(self) -> str:
        return f"<{type(self).__name__}, held: {self.held}>"

    def __reduce__(self) -> NoReturn:
        """Raise TypeError: what is held depends on tables that all sessions of a guard share."""
        raise TypeError("a session cannot be pickled or copied: pickle the guard")

    def finish(self) -> list[Event]:
        """Settle every stage in order and end with one Finish."""
        self._closed = True
        return super().finish()

    def _late(self) -> list[Event]:
        if self._closed:
            raise RuntimeError("feed() after finish(): make a session for each text")
        return []


def _ended(stage: Stage, finish: Finish) -> list[Event]:
    """Return the events of a stage after the one before it has ended."""
    if finish.reason == "stop":
        settled = stage.finish()
        # Settling may end it for another reason, such as a block, or by a rule.
        if ends_by_rule(settled):
            return settled
        return [finish if event == finish else event for event in settled]
    if isinstance(stage, Cuttable):
        return stage.cut(finish)
    return [finish]
