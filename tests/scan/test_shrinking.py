"""A difference that fuzzing finds is shrunk, and shown as the search's steps."""

from __future__ import annotations

from random import Random

import pytest

from guardstream.stages.rules import Rule
from tests.support import reference
from tests.support.generate import Case, draw_case
from tests.support.harness import difference, smaller, steps, told


def test_a_case_keeps_what_makes_it_differ() -> None:
    rules = (Rule("one", patterns=("x",)), Rule("two", patterns=("ab",)))
    case = Case(rules, "xx ab xx ab x")
    left = smaller(case, lambda each: "b" in each.text and any(r.id == "two" for r in each.rules))
    assert ([rule.id for rule in left.rules], left.text) == (["two"], "b")


def test_a_difference_is_told_with_the_steps_of_its_patterns() -> None:
    case = Case((Rule("key", patterns=("ab",)),), "xab")
    assert "'ab' in 'xab'" in steps(case)
    assert "1-3" in steps(case)
    text = told([(7, draw_case(Random(7)), "a difference")])
    assert text.startswith("seed 7: ")
    assert "shrunk: " in text


def test_a_case_that_regex_cannot_judge_in_time_is_passed_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reference, "PATIENCE", 0.01)
    rules = (Rule("slow", patterns=("(?:[^1]|.|1)*1(?<!11|[a-z1])",), validators=(bool,)),)
    assert difference(Case(rules, "1a11aa1" * 8), Random(0)) is None
