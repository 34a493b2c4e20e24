"""The output of the JSON stage: its events, and those that wait until the JSON can be closed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from guardstream.events import Event, Finding, Finish, Stage, Text


class Ended(Exception):  # noqa: N818  # no error: the stream is over
    """A document's stream ends with `finish`; raised to leave everything in progress."""

    def __init__(self, finish: Finish) -> None:
        self.finish = finish


class Output:
    """Collects events. With `closes`, those of a document wait until it can be closed after them.

    `inside` says whether a document is open. `waits_from` is the offset in the source from which
    something waits, None if nothing does.
    """

    def __init__(self, *, closes: bool) -> None:
        self.events: list[Event] = []
        self.inside = False
        self.waits_from: int | None = None
        self._closes = closes
        self._pending: list[Event] = []
        self._safe = False  # something of the document was released

    def begin(self) -> None:
        """Record that a document begins."""
        self.inside = True
        self._safe = False

    def text(self, text: str, at: int) -> None:
        """Emit `text`, which stands for the source at the offset `at`."""
        if text:
            self.emit(Text(text), at)

    def emit(self, event: Event, at: int) -> None:
        """Emit one event."""
        if not self._closes or not self.inside:
            self.events.append(event)
            return
        if self.waits_from is None:
            self.waits_from = at
        self._pending.append(event)

    def guarded(
        self,
        events: Iterable[Event],
        at: int,
        place: Callable[[Finding], Finding],
        write: Callable[[str], str] = str,
    ) -> None:
        """Emit the events of a guarding stage; its end is the stream's."""
        for event in events:
            if isinstance(event, Text):
                text = write(event.text)
                self.emit(event if text == event.text else Text(text), at)
            elif isinstance(event, Finding):
                self.emit(place(event), at)
            else:
                raise Ended(event)

    def release(self) -> None:
        """Mark what waits as safe, because the document can be closed after it."""
        if not self._closes:
            return
        self.events += self._pending
        self._pending = []
        self.waits_from = None
        self._safe = True

    def close(self, closing: str) -> None:
        """End the open document with `closing`; of what waits, only findings remain."""
        self.events += [event for event in self._pending if isinstance(event, Finding)]
        if not self.inside:
            return
        if not self._safe:
            closing = "null"
        if closing:
            self.events.append(Text(closing))


def settled(stage: Stage) -> list[Event]:
    """Return a stage's events at the end of its text; the Finish only if it is not an ordinary
    one."""
    events = stage.finish()
    stopped = any(isinstance(event, Finding) and event.action == "stop" for event in events)
    if events and events[-1] == Finish("stop") and not stopped:
        return events[:-1]
    return events


def shifted(finding: Finding, by: int) -> Finding:
    """Return a finding moved into a text that begins at the offset `by` of the source."""
    return replace(finding, start=finding.start + by, end=finding.end + by)
