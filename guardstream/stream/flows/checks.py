"""Judges what does not stream: names, marks such as ids and kinds, names of events, and asides.

Each is judged at once, by itself and together with earlier ones at its place. Names cannot be
masked, so they pass or block; a mark that a rule changes does not go out. Clients may join the
texts under one event name, or under all names. Whole texts are checked once and cached, because
those at unknown paths often recur.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import TypeAlias

from guardstream.errors import AdapterError
from guardstream.events import CLOSED, Event, Finding, Finish, Text, text_of
from guardstream.formats.adapter import Piece, Slot
from guardstream.formats.toolkit.paths import spoken

Check: TypeAlias = Callable[[str], Sequence[Event]]
"""Guards a whole text."""

_TEXTS = 8192
"""How many texts are cached: more than the strings of most events, with what came before them."""

_CHANGED = 262_144
"""The most code points, in total, of cached texts in which something was found."""

_SHORT = 64
"""The maximum length of a text that is a key itself, in code points."""


class CachedCheck:
    """Guards texts as `check` does. Of a long text without findings only a digest is kept."""

    def __init__(self, check: Check) -> None:
        self._check = check
        self._known: dict[str | bytes, Sequence[Event] | None] = {}  # None: nothing was found
        self._changed = 0

    def __call__(self, text: str) -> Sequence[Event]:
        key = text if len(text) <= _SHORT else _digest(text)
        if key in self._known:
            events = self._known[key]
            return [Text(text)] if events is None else events
        events = self._check(text)
        if all(isinstance(each, Text) for each in events) and text_of(events) == text:
            self._keep(key, None, 0)
            return [Text(text)]
        if len(text) <= _CHANGED:
            self._keep(key, events, len(text))
        return events

    def _keep(self, key: str | bytes, events: Sequence[Event] | None, size: int) -> None:
        if len(self._known) == _TEXTS or self._changed + size > _CHANGED:
            self._known.clear()
            self._changed = 0
        self._known[key] = events
        self._changed += size


def _digest(text: str) -> bytes:
    return blake2b(text.encode(errors="surrogatepass"), digest_size=32).digest()


def is_unchanged(events: Sequence[Event], text: str) -> bool:
    """Return whether events release a text unchanged and end nothing."""
    return text_of(events) == text and not (events and isinstance(events[-1], Finish))


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
    events: Sequence[Event],
    border: int,
    joined: str,
    since: int = 0,
    alone: Sequence[Event] | None = None,
) -> Across | None:
    """Return the matches across the border that end after `since`; None if there are none.

    A match lies across it, too, if only its context is before it, such as the words that announce
    what a rule masks: given what the text after the border becomes `alone`, these are the matches
    that it has not.
    """
    found = [each for each in spanning(events, border) if each.end > since]
    if alone is not None:
        known = {(e.rule, e.start + border, e.end + border) for e in _findings(alone)}
        after = (each for each in _findings(events) if each.start >= border)
        found += [each for each in after if (each.rule, each.start, each.end) not in known]
    if not found:
        return None
    if isinstance(events[-1], Finish) and events[-2] in found:
        return Across(found, events[-1], masks=False)
    masks = text_of(events) != joined and any(event.action != "monitor" for event in found)
    return Across(found, None, masks)


def _findings(events: Sequence[Event]) -> list[Finding]:
    return [event for event in events if isinstance(event, Finding)]


def spanning(events: Sequence[Event], border: int) -> list[Finding]:
    """Return the findings that span a border."""
    return [each for each in _findings(events) if each.start < border < each.end]


_MOST_MARKS = 4096
"""How many marks of one stream are judged; further ones do not go out."""


class Marks:
    """The marks of one stream; `memory` is how many code points are kept of each place.

    `is_idle` returns whether no rule applies to marks. `found` are the findings that are not
    reported yet, with their paths.
    """

    def __init__(self, check: Check, memory: int, is_idle: Callable[[], bool]) -> None:
        self.found: list[tuple[str, Sequence[Event]]] = []
        self._check = check
        self._memory = memory
        self._is_idle = is_idle
        self._passed: dict[Hashable, str] = {}  # those that went out, joined, by place
        self._decided: dict[tuple[Hashable, str], bool] = {}

    def passes(self, place: Hashable, mark: str) -> bool:
        """Return whether a mark goes out: no rule changes it, alone or joined with earlier ones
        there.

        The result stays the same for the stream, and findings are recorded once. Marks beyond the
        limit do not go out.
        """
        passes = self._decided.get((place, mark))
        if passes is not None or self._is_idle():
            return passes is not False
        if len(self._decided) == _MOST_MARKS:
            return False
        tail = self._passed.get(place, "")
        joined = tail + mark
        events = self._check(mark)
        passes = is_unchanged(events, mark)
        if passes and tail:
            both = self._check(joined)
            passes = is_unchanged(both, joined)
            ends = [each for each in both if isinstance(each, Finish)]
            events = [*events, *spanning(both, len(tail)), *ends]
        events = [each for each in events if not isinstance(each, Text)]
        if events:
            path = spoken(place) if isinstance(place, tuple) else f"$.{place}"
            self.found.append((path, events))
        self._decided[place, mark] = passes
        if passes:
            self._passed[place] = joined[-self._memory :]
        return passes


_ID = re.compile(r"(?=[^0-9]*[0-9])[\w.:|+/=-]{1,128}", re.ASCII)
"""An id that a provider generated: it has a digit and nothing that words need.

Random letters and digits match rules for numbers and keys by chance.
"""


class Names:
    """The names and ids in one stream; `memory` is how many code points are kept of each.

    A name may come in pieces, one in each chunk; it is complete when its call's arguments begin.
    """

    def __init__(self, check: Check, memory: int) -> None:
        self._check = check
        self._memory = memory
        self._current: dict[str, str] = {}  # the names in the current chunk, by path
        self._names: dict[str, str] = {}  # the beginnings of names that may continue, by path
        self._ids: dict[str, str] = {}  # the ids at each path, joined

    def judge(self, path: str, text: str) -> Sequence[Event]:
        """Return what a name, or an id, becomes."""
        if not path.endswith("name"):
            return self._judge_id(path, text)
        before = self._names.get(path, "")
        self._current[path] = (before + text)[-self._memory :]
        events = self._passed_or_blocked(text)
        if before and not isinstance(events[-1], Finish):
            joined = self._passed_or_blocked(before + text)
            if isinstance(joined[-1], Finish):
                return joined
        return events

    def _judge_id(self, path: str, text: str) -> Sequence[Event]:
        """Return what an id becomes, alone and joined with those before it; it is often
        repeated."""
        before = self._ids.get(path, "")
        if _ID.fullmatch(text) or before.endswith(text):
            return [Text(text)]
        events = self._passed_or_blocked(text)
        joined = self._passed_or_blocked(before + text) if before else events
        if isinstance(joined[-1], Finish) and not isinstance(events[-1], Finish):
            return joined
        self._ids[path] = (before + text)[-self._memory :]
        return events

    @property
    def may_continue(self) -> bool:
        """Whether names came that may continue."""
        return bool(self._current or self._names)

    def end_chunk(self, *, over: bool) -> None:
        """Record the end of a chunk: its names are `over`, or may continue."""
        self._names = {} if over else {**self._names, **self._current}
        self._current = {}

    def _passed_or_blocked(self, name: str) -> Sequence[Event]:
        events = self._check(name)
        if text_of(events) == name:
            return events
        found = [event for event in events if isinstance(event, Finding)]
        return [*found, Finish("content_filter")]


_MOST_NAMED = 65_536
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
        if readings[0] not in self._tails and len(self._tails) >= _MOST_NAMED:
            raise AdapterError(f"text under more than {_MOST_NAMED} event names: blocked")
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
        return across if across.end.reason in CLOSED else None


_MOST_ASIDES = 4096
"""How many slots of such texts one stream may have; the texts of further ones do not pass."""


class Asides:
    """The texts beside the answer of one stream; `memory` is how many code points are kept of each
    slot."""

    def __init__(self, check: Check, memory: int) -> None:
        self._check = check
        self._memory = memory
        # By slot: its last text, all of them joined, and whether that passed.
        self._texts: dict[Slot, tuple[str, str, bool]] = {}

    def passes(self, piece: Piece, *, repeats: bool) -> bool:
        """Return whether no rule changes a text beside the answer, joined with the earlier ones in
        its slot.

        If texts are only repeated there (`repeats`), like the request's, the last one passes again
        if it did before.
        """
        last, before, passed = self._texts.get(piece.slot, ("", "", True))
        if repeats and piece.text == last:
            return passed
        if not last and len(self._texts) == _MOST_ASIDES:
            return False
        joined = before[-self._memory :] + piece.text
        if joined != before:  # they are soon equal if each chunk has the same text
            passed = not last or is_unchanged(self._check(joined), joined)
            self._texts[piece.slot] = piece.text, joined, passed
        return passed
