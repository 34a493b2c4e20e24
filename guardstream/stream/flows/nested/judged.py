"""What a value of JSON becomes, given what its strings and numbers become."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from itertools import chain
from typing import TypeAlias

from guardstream.events import Event, Finding, Finish, Text, text_of
from guardstream.stream.flows.checks import is_unchanged
from guardstream.stream.flows.nested.values import Nested
from guardstream.stream.flows.recurring import MASK

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
