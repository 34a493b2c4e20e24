"""The strings and numbers of a value that may be read in several ways, and what it becomes.

A value may begin anew, or continue any of several texts that end amid JSON or an event.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import NamedTuple, TypeAlias

from guardstream.events import Event, Finding, Finish, Text, text_of
from guardstream.formats.toolkit.paths import LONGEST_BESIDE
from guardstream.stream.flows.checks import is_unchanged
from guardstream.stream.flows.nested.values import Nested, Strings, around_each, by_events, by_items
from guardstream.stream.flows.recurring import MASK

_FEW = 32
"""How many strings and numbers, keys included, JSON in a string may have to be an event, or each of
several events in a row. In an event, each of them may tell which text the others continue; in
larger JSON, only the first values of an object in a list, for the strings at any depth in it."""

_FIRST = 2
"""How many values of an object in a long list may tell which text its strings continue: the first
ones, as an object's id is."""


class Reading(NamedTuple):
    """What is in a value if it continues certain texts.

    These are not the texts of the fields `not_of`. They include the text at the value's path,
    unless `only_of` is given: then they are only texts of these fields.
    """

    strings: Strings
    not_of: Collection[str]
    only_of: Collection[str] | None = None


Value: TypeAlias = tuple[Nested, Sequence[Nested], Collection[str], Collection[str] | None]
"""A string or a number, the values that may tell which text it continues, and the fields `not_of`
and `only_of` of its reading."""


def merged(readings: Sequence[Reading]) -> Iterable[Value]:
    """Return the strings and numbers of all readings in their order, each once if several readings
    share it."""
    if len(readings) == 1:
        return _values(*readings)
    found: dict[Hashable, Value] = {}
    spans: list[tuple[int, int]] = []  # of values that continue the text at the path
    # A reading of all of the text as JSON has found each string in it, as its part of the text.
    is_found = any(each.only_of is None and each.strings.is_json for each in readings)
    # Those readings come first: they know best what tells which text a string continues.
    for reading in sorted(readings, key=lambda each: each.only_of is not None):
        spans.sort()
        for nested, telling, not_of, only_of in _values(reading):
            if only_of is None:
                spans.append((nested.start, nested.end))
            elif not is_found and not _overlaps(spans, nested):
                only_of = None
            place = (nested.path, nested.value, nested.start, nested.end)
            known = found.setdefault(place, (nested, telling, not_of, only_of))
            found[place] = (*known[:2], {*known[2]} & {*not_of}, known[3])
    return sorted(found.values(), key=lambda each: each[0].start)


def _overlaps(spans: Sequence[tuple[int, int]], nested: Nested) -> bool:
    """Return whether a string or a number overlaps the last of some spans that begin before its
    end."""
    at = bisect_left(spans, (nested.end, 0))
    return at > 0 and spans[at - 1][1] > nested.start


def _values(reading: Reading) -> Iterator[Value]:
    values = reading.strings.values
    telling = _telling(values)
    telling_in = {} if telling else {at: _telling(of) for at, of in by_events(values).items()}
    in_items: Mapping[object, Sequence[Nested]] = {}
    if not all(telling_in.values()):  # of many values, only those of the same object tell
        in_items = {at: _telling(of)[:_FIRST] for at, of in by_items(values).items()}
    for each in values:
        if not (each.is_constant or each.came_before):
            told = telling or telling_in[each.event] or around_each(each, in_items)
            yield each, told, reading.not_of, reading.only_of


def _telling(values: Sequence[Nested]) -> Sequence[Nested]:
    """Return the values that may tell which text others continue; none if there are too many
    values."""
    if sum(not each.is_constant for each in values) > _FEW:
        return []
    return [*islice(filter(_may_tell, values), _FEW)]


def _may_tell(nested: Nested) -> bool:
    return not nested.is_key and len(nested.whole) <= LONGEST_BESIDE


Judged: TypeAlias = tuple[Nested, Sequence[Event]]
"""A string or a number, and what it becomes."""

HIDDEN = f'"{MASK}"'
"""Replaces a changed string of JSON: rules do not see their own replacements."""


def found_within(
    judged: Sequence[Judged],
    changes: Collection[Nested],
    written: Sequence[Event],
) -> list[Finding]:
    """Return what is found in strings of JSON, except what rules find again in the text as it is
    `written`, because the strings are unchanged there."""
    again = Counter(each.rule for each in written if isinstance(each, Finding))
    found = []
    for nested, events in judged:
        for each in events:
            if isinstance(each, Finding) and (nested in changes or not again[each.rule]):
                found.append(each)
            elif isinstance(each, Finding):
                again[each.rule] -= 1
    return found


def revealed(written: Sequence[Event], hidden: str, changes: Collection[str]) -> list[Event]:
    """Return what a value becomes, with what its hidden strings became.

    The strings become empty if it is unclear which of them are left, as a mask may keep some of its
    text.
    """
    rest = [each for each in written if not isinstance(each, Text)]
    masks = [each for each in rest if isinstance(each, Finding) and each.action != "monitor"]
    places = [each.start() + 1 for each in re.finditer(HIDDEN, hidden)]
    left = [
        change
        for place, change in zip(places, changes, strict=False)
        if not any(each.start <= place < each.end for each in masks)
    ]
    first, *parts = text_of(written).split(HIDDEN)
    is_cut = bool(rest) and isinstance(rest[-1], Finish)
    if len(places) != len(changes) or (len(parts) != len(left) and not is_cut):
        left = ['""'] * len(parts)
    pairs = zip(left, parts, strict=False)
    return [Text("".join([first, *chain.from_iterable(pairs)])), *rest]


def without_overlaps(judged: Sequence[Judged]) -> list[Judged]:
    """Return strings in order; of those that overlap, the first, with a mask for all of it."""
    found: list[Judged] = []
    for nested, events in sorted(judged, key=_order):
        if not found or nested.start >= found[-1][0].end:
            found.append((nested, events))
        elif nested.end != found[-1][0].end:
            first, known = found[-1]
            findings = [each for each in (*known, *events) if isinstance(each, Finding)]
            found[-1] = first, [Text(f"[{findings[0].rule}]"), *findings]
    return found


def _order(judged: Judged) -> tuple[int, int, bool]:
    nested, events = judged
    return nested.start, -nested.end, is_unchanged(events, nested.value)
