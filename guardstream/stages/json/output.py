"""What the JSON stage says: its events, and those that wait until they can be closed after."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from guardstream.events import Event, Finding, Text
from guardstream.stages.json.parts import Ended


class Output:
    """Collects events. With `closes` those of a document wait until it can be closed after them.

    `inside` says whether a document is open. `waits_from` is the offset in the source from which on
    something waits, None if nothing does.
    """

    def __init__(self, *, closes: bool) -> None:
        self.events: list[Event] = []
        self.inside = False
        self.waits_from: int | None = None
        self._closes = closes
        self._pending: list[Event] = []
        self._safe = False  # something of the document was let through

    def begin(self) -> None:
        """A document begins."""
        self.inside = True
        self._safe = False

    def text(self, text: str, at: int) -> None:
        """Say `text`, which stands for the source at the offset `at`."""
        if text:
            self.say(Text(text), at)

    def say(self, event: Event, at: int) -> None:
        """Say one event."""
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
        """Pass on what a guarding stage said; its end is the stream's."""
        for event in events:
            if isinstance(event, Text):
                text = write(event.text)
                self.say(event if text == event.text else Text(text), at)
            elif isinstance(event, Finding):
                self.say(place(event), at)
            else:
                raise Ended(event)

    def release(self) -> None:
        """What waits is safe: the document can be closed after it."""
        if not self._closes:
            return
        self.events += self._pending
        self._pending = []
        self.waits_from = None
        self._safe = True

    def close(self, closing: str) -> None:
        """End the open document, which `closing` completes; of what waits only findings stay."""
        self.events += [event for event in self._pending if isinstance(event, Finding)]
        if not self.inside:
            return
        if not self._safe:
            closing = "null"
        if closing:
            self.events.append(Text(closing))
