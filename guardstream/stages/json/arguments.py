"""The beginning of a call's arguments: clients run a call without any with an empty object.

Some gateways send `{}`, `null` or `""` first and the real arguments after it; so what means an
empty object is held until it is certain that nothing follows.
"""

from __future__ import annotations

import re
from dataclasses import replace

from guardstream.events import Event, Finding, Finish, Text
from guardstream.stages.json.output import shifted
from guardstream.stages.json.settings import Settings
from guardstream.stages.json.structure import Structure

_SPACE = r"[ \t\n\r]{0,16}"
_EMPTY = rf'(?:\{{{_SPACE}\}}|null|"")'

_begun = re.compile(rf'(?:{_SPACE}{_EMPTY}){{0,8}}{_SPACE}(?:\{{{_SPACE}|n|nu|nul|")?').fullmatch
"""Empty objects, as far as they have come; a bound keeps what is held short."""

_skipped = re.compile(rf"(?:{_SPACE}{_EMPTY}){{1,8}}{_SPACE}(?=\{{)").match
"""Empty objects before another object."""

_MISSING = ("", "null", '""')


class Arguments:
    """A stage around that of JSON, which judges what a client would run.

    What stands for no arguments is judged as `{}` at its end, and goes out as it came; before an
    object it is skipped, with a finding. Findings refer to the source.
    """

    def __init__(self, settings: Settings) -> None:
        self._inner = Structure(settings)
        self._settings = settings
        self._front: str | None = ""  # None once the arguments have begun
        self._start = 0  # of what the inner stage reads

    @property
    def held(self) -> int:
        """How many code points of the source are held back now."""
        return self._inner.held if self._front is None else len(self._front)

    def feed(self, text: str) -> list[Event]:
        """Take the next characters; return the events that are certain."""
        if self._front is None:
            events = self._inner.feed(text)
            return self._moved(events) if self._start else events
        self._front += text
        return [] if _begun(self._front) else self._begin(self._front)

    def finish(self) -> list[Event]:
        """Take the end of the call."""
        front = self._front
        if front is None:
            return self._moved(self._inner.finish())
        if front.strip(" \t\n\r") in _MISSING:
            return self._judged_empty(front)
        return self._begin(front) + self._moved(self._inner.finish())

    def cut(self, finish: Finish) -> list[Event]:
        """Take an earlier stage's end: what is held is dropped."""
        self._front = None
        return self._moved(self._inner.cut(finish))

    def _begin(self, front: str) -> list[Event]:
        """Feed what was held to the inner stage, without what came before the real arguments."""
        self._front = None
        settings = self._settings
        found = _skipped(front) if settings.on_violation != "monitor" else None
        if found is None:
            return self._inner.feed(front)
        self._start = found.end()
        rule, severity = f"{settings.rule}.empty_arguments", settings.severity
        skipped = Finding(rule, 0, self._start, "monitor", severity, "repair")
        return [skipped, *self._moved(self._inner.feed(front[self._start :]))]

    def _judged_empty(self, front: str) -> list[Event]:
        """Return the events of an empty object, with the text as it came."""
        self._front = None
        events = self._inner.feed("{}") + self._inner.finish()
        kept = [_within(each, len(front)) for each in events if not isinstance(each, Text)]
        refused = any(isinstance(each, Finding) and each.action != "monitor" for each in kept)
        return kept if refused or not front else [Text(front), *kept]

    def _moved(self, events: list[Event]) -> list[Event]:
        by = self._start
        return [shifted(each, by) if isinstance(each, Finding) else each for each in events]


def _within(event: Event, size: int) -> Event:
    """Return an event whose span lies within a text of that size."""
    if not isinstance(event, Finding):
        return event
    return replace(event, start=min(event.start, size), end=min(event.end, size))
