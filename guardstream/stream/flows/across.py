"""Matches across the border of two texts that are also judged apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from guardstream.events import Event, Finding, Finish, Text, text_of


@dataclass(frozen=True, slots=True)
class Across:
    """Matches across the border of a text and earlier ones.

    `end` is set if one of them ends the stream; `masks` says whether one hides its text.
    """

    found: Sequence[Finding]
    end: Finish | None
    masks: bool

    @property
    def overflows(self) -> bool:
        """Whether one of them is only a candidate that grew too long."""
        return any(each.kind == "overflow" for each in self.found)

    @property
    def matches(self) -> Across | None:
        """Those that are no such candidates; None if there are none."""
        found = [each for each in self.found if each.kind != "overflow"]
        if not found:
            return None
        end = self.end if found[-1] is self.found[-1] else None
        hides = self.masks or end is not self.end
        return Across(found, end, hides and any(each.action != "monitor" for each in found))

    def of(self, alone: Sequence[Event]) -> Sequence[Event]:
        """Return what a text becomes that alone would become `alone`."""
        if self.end is not None:
            return [*self.found, self.end]
        if not self.masks:
            return [*self.found, *alone]
        rest = [event for event in alone if not isinstance(event, Text)]
        return [Text(f"[{self.found[0].rule}]"), *self.found, *rest]


def severity(across: Across) -> tuple[bool, bool]:
    """Return what orders them: an end counts more than a mask, a mask more than a report."""
    return across.end is not None, across.masks


def matches_across(
    events: Sequence[Event], border: int, joined: str, since: int = 0
) -> Across | None:
    """Return the matches across the border that end after `since`; None if there are none."""
    found = [each for each in spanning(events, border) if each.end > since]
    if not found:
        return None
    if isinstance(events[-1], Finish) and events[-2] in found:
        return Across(found, events[-1], masks=False)
    masks = text_of(events) != joined and any(event.action != "monitor" for event in found)
    return Across(found, None, masks)


def spanning(events: Sequence[Event], border: int) -> list[Finding]:
    """Return the findings that span a border."""
    return [
        event for event in events if isinstance(event, Finding) and event.start < border < event.end
    ]
