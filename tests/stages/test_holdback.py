"""Held text is minimal: exactly what some continuation could still decide on."""

from __future__ import annotations

from random import Random

import pytest

from guardstream.events import Finish
from tests.support.brute import needed_holdback
from tests.support.forms import form
from tests.support.generate import Case, draw_small
from tests.support.harness import rule_set

__all__ = ["form"]

OUTSIDE = "~"
LONGEST = 4  # as many characters as the generated rules can still need, and one more
BLOCKS = 4
CASES_PER_BLOCK = 400


def held_and_needed(case: Case) -> list[tuple[str, int, int]]:
    """The text so far, what is held and what must be, wherever they differ."""
    stage = rule_set(case).stage()
    differences = []
    for at, char in enumerate(case.text):
        events = stage.feed(char)
        if events and isinstance(events[-1], Finish):
            break
        seen = case.text[: at + 1]
        needed = needed_holdback(case.rules, seen, case.letters + OUTSIDE, LONGEST)
        if stage.held != needed:
            differences.append((seen, stage.held, needed))
    return differences


@pytest.mark.parametrize("block", range(BLOCKS))
def test_a_character_is_held_only_while_some_continuation_changes_its_fate(block: int) -> None:
    for seed in range(block * CASES_PER_BLOCK, (block + 1) * CASES_PER_BLOCK):
        case = draw_small(Random(seed))
        assert held_and_needed(case) == [], f"seed {seed}: {case}"


@pytest.mark.parametrize("block", range(BLOCKS))
def test_the_reference_holds_what_the_continuations_say(block: int) -> None:
    for seed in range(block * CASES_PER_BLOCK, block * CASES_PER_BLOCK + 100):
        case = draw_small(Random(seed))
        held = case.judged().held
        blocked = len(held) < len(case.text) or case.judged().events[-1] != Finish("stop")
        for at, size in enumerate(held[:-1] if blocked else held):
            seen = case.text[: at + 1]
            needed = needed_holdback(case.rules, seen, case.letters + OUTSIDE, LONGEST)
            assert size == needed, f"seed {seed}: {case} after {seen!r}"
