"""Text under the names of events: clients may join the texts of one name, or of all names."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

from guardstream.errors import AdapterError
from guardstream.events import Event, Text
from guardstream.providers.adapter import Slot
from guardstream.stream.flows.across import Across, matches_across, severity
from guardstream.stream.flows.checks import Check

_MOST = 65_536
"""How many names, or slots with a name, one stream may have."""


class EventNames:
    """The last text under each event name of one stream, `memory` code points of it.

    Text of one name passes through the rules in one piece. Matches that they do not see there are
    found here: those that begin in text before that of another name, and those in the text of all
    names. `is_idle` returns whether no rule applies.
    """

    def __init__(self, check: Check, memory: int, is_idle: Callable[[], bool]) -> None:
        self._check = check
        self._memory = memory
        self._is_idle = is_idle
        # By name, or slot with one: the tail, and the offset of the last change of names.
        self._tails: dict[Hashable, tuple[str, int]] = {}
        self._name_of: dict[Hashable, str] = {}  # the last event name, by slot without its name

    def judge(self, name: str, text: str, *, changes: bool) -> Sequence[Event]:
        """Return what text of an event name becomes by matches that begin in earlier text.

        Only earlier text counts that the rules do not see joined to it: text of its name before
        that of others, and text of all names. `changes` says that text of another name came just
        before it. Raises AdapterError if there are too many names.
        """
        return self._over_changes((name, ""), text, changes=changes)

    def judge_slot(self, slot: Slot, text: str) -> Sequence[Event]:
        """Return what text of a slot with an event name becomes, in the same way.

        AdapterError if there are too many names.
        """
        any_name = slot._replace(name="")
        changes = self._name_of.get(any_name, slot.name) != slot.name
        self._name_of[any_name] = slot.name
        return self._over_changes((slot, any_name), text, changes=changes)

    def _over_changes(
        self, readings: Sequence[Hashable], text: str, *, changes: bool
    ) -> Sequence[Event]:
        same = [Text(text)]
        if self._is_idle():
            return same
        if readings[0] not in self._tails and len(self._tails) >= _MOST:
            raise AdapterError(f"text under more than {_MOST} event names: blocked")
        across = [self._over_change(each, text, changes=changes) for each in readings]
        found = [each for each in across if each is not None]
        return max(found, key=severity).of(same) if found else same

    def _over_change(self, name: Hashable, text: str, *, changes: bool) -> Across | None:
        """Return the matches of a text with text before the last change of names."""
        tail, border = self._tails.get(name, ("", 0))
        border = len(tail) if changes else border
        joined = tail + text
        dropped = max(len(joined) - self._memory, 0)
        self._tails[name] = joined[dropped:], max(border - dropped, 0)
        across = matches_across(self._check(joined), border, joined, len(tail)) if border else None
        if across is None or across.end is None:
            return across
        return across if across.end.reason == "content_filter" else None
