"""Held text is minimal: exactly what some continuation could still decide on."""

from __future__ import annotations

from random import Random

import pytest

from guardstream.events import Finish
from guardstream.stages.rules import Rule
from tests.support.brute import needed_holdback
from tests.support.forms import FORMS, searching
from tests.support.generate import Case, draw_small
from tests.support.harness import rule_set
from tests.support.patterns import Capture, Char, Look, Repeat, Seq, Tree

OUTSIDE = "~"
LONGEST = 4  # as many characters as the generated rules can still need, and one more
BLOCKS = 4
CASES_PER_BLOCK = 400


def held(case: Case) -> list[int]:
    """What is held after each character, up to one that ends the stream."""
    stage = rule_set(case).stage()
    sizes = []
    for char in case.text:
        events = stage.feed(char)
        if events and isinstance(events[-1], Finish):
            break
        sizes.append(stage.held)
    return sizes


def needed(case: Case, upto: int) -> list[int]:
    """What must be held after each of the first characters."""
    return [
        needed_holdback(case.rules, case.text[:at], case.letters + OUTSIDE, LONGEST)
        for at in range(1, upto + 1)
    ]


@pytest.mark.parametrize("block", range(BLOCKS))
def test_a_character_is_held_only_while_some_continuation_changes_its_fate(block: int) -> None:
    for seed in range(block * CASES_PER_BLOCK, (block + 1) * CASES_PER_BLOCK):
        case = draw_small(Random(seed))
        sizes = []
        for native in FORMS:
            with searching(native):
                sizes.append(held(case))
        least = needed(case, len(sizes[0]))
        assert all(size == least for size in sizes), f"seed {seed}: {case}: {sizes}, {least}"


@pytest.mark.parametrize("block", range(BLOCKS))
def test_the_reference_holds_what_the_continuations_say(block: int) -> None:
    for seed in range(block * CASES_PER_BLOCK, block * CASES_PER_BLOCK + 100):
        case = draw_small(Random(seed))
        judged = case.judged()
        sizes = judged.held
        if len(sizes) < len(case.text) or judged.events[-1] != Finish("stop"):
            sizes = sizes[:-1]
        assert sizes == needed(case, len(sizes)), f"seed {seed}: {case}"


def test_nothing_is_held_for_a_candidate_that_an_older_one_always_cuts() -> None:
    letter = Char("[ax]")
    parts = (
        letter,
        Capture(Repeat(Char("a"), 0, 1)),
        Repeat(letter, 2, None),
        Look(Char("1"), ahead=True, negated=False),
    )
    tree = Tree(Seq(parts), group=1, alphabet="ax1")
    rule = Rule("r", "mask", patterns=(tree.text,), group=1)
    case = Case((rule,), "xxxxax", trees={tree.text: tree}, letters="ax1")
    assert case.judged().held[-1] == held(case)[-1] == needed(case, 6)[-1] == 0
