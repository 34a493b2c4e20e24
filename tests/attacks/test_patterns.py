"""Hostile rules and texts: linear work, bounded hold-back, and a failure that lets nothing out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from guardstream.events import Event, Finding, Finish
from guardstream.stages.redact import RuleSet
from guardstream.stages.rules import OnOverflow, Rule
from tests.support.chunking import joined, normalised, one_by_one, play
from tests.support.effort import lines_executed

LIMIT = 32
MEGABYTE = 1_000_000
OVERFLOWS: tuple[OnOverflow, ...] = ("mask", "release")

REPEATS = [
    r"(?:a+)+b",
    r"(?:a|a)*b",
    r"(?:a|aa)+b",
    r"(?:a*)*b",
    r"a*a*a*a*b",
    r"a+?b",
    r"\w+(?=!)",
    r".*x",
    r"(?s)a.*?x",
    r"(?:a{1,9}){1,9}b",
    r"(?>a+)b",
    r"a++b",
    r"(a+)\1b",
    r"(?=a+b)a",
    r"(?<=b)a+c",
    r"a+(?!a)",
    r"\ba+\b",
]
WORDS = [("a" * 40 + "b",), ("ab", "a" * 20 + "b"), tuple("a" * n + "b" for n in range(1, 40))]


def pattern(text: str, **options: Any) -> Rule:
    return Rule("p", patterns=(text,), **options)


def word(*words: str) -> Rule:
    return Rule("w", words=words, whole_word=False)


HOSTILE = [*map(pattern, REPEATS), *(word(*words) for words in WORDS)]
NAMES = [*REPEATS, *(f"{len(words)} words" for words in WORDS)]
hostile = pytest.mark.parametrize("rule", HOSTILE, ids=NAMES)
overflows = pytest.mark.parametrize("on_overflow", OVERFLOWS)


def chunks_of(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


def run(rule_set: RuleSet, text: str, size: int = 4) -> list[Event]:
    return play(rule_set.stage(), chunks_of(text, size), rule_set.max_holdback)


def lines_of(rule_set: RuleSet, text: str, size: int = 4) -> int:
    """How many lines of Python a stream costs, once the automata know its characters."""
    chunks, stage = chunks_of(text, size), rule_set.stage()

    def stream() -> None:
        for chunk in chunks:
            stage.feed(chunk)
        stage.finish()

    return lines_executed(stream)


# Linear


@hostile
@overflows
def test_work_grows_with_the_text_and_not_faster(rule: Rule, on_overflow: OnOverflow) -> None:
    rules = RuleSet([rule], max_holdback=LIMIT, on_overflow=on_overflow)
    run(rules, 2_000 * "a")
    once, twice = (lines_of(rules, size * "a") for size in (1_000, 2_000))
    assert twice <= 2.2 * once + 500


@hostile
def test_confirmation_does_not_grow_with_the_text(rule: Rule) -> None:
    rules = RuleSet([rule], max_holdback=LIMIT)
    text = 40 * ("a" * 50 + "b!")
    run(rules, text)
    short, long = lines_of(rules, 2 * text, 64), lines_of(rules, 16 * text, 64)
    assert long <= 8 * 1.2 * short + 500


def feed_one_letter(rules: RuleSet, length: int) -> None:
    stage = rules.stage()
    for chunk in chunks_of(length * "a", 10_000):
        stage.feed(chunk)
        assert stage.held <= LIMIT
    assert stage.finish()[-1] == Finish("stop")


@hostile
@overflows
def test_many_of_one_letter_stay_within_the_limit(rule: Rule, on_overflow: OnOverflow) -> None:
    feed_one_letter(RuleSet([rule], max_holdback=LIMIT, on_overflow=on_overflow), 30_000)


@pytest.mark.parametrize(
    ("on_overflow", "length"), [("mask", MEGABYTE), ("release", MEGABYTE // 10)]
)
@pytest.mark.parametrize("rule", [pattern(r"(?:a+)+b"), pattern(r"\w+(?=!)"), word("ab", "aab")])
def test_a_long_text_of_one_letter_stays_within_the_limit(
    rule: Rule, on_overflow: OnOverflow, length: int
) -> None:
    feed_one_letter(RuleSet([rule], max_holdback=LIMIT, on_overflow=on_overflow), length)


@pytest.mark.parametrize("on_overflow", ["mask", "release", "block"])
def test_a_candidate_that_never_closes_stays_within_the_limit(on_overflow: OnOverflow) -> None:
    key = pattern(r"(?s)-----BEGIN KEY-----.*?-----END KEY-----", replacement="*")
    rules = RuleSet([key], max_holdback=LIMIT, on_overflow=on_overflow)
    text = "x-----BEGIN KEY-----" + 5_000 * "line of the key\n"
    stars = "x" + (len(text) - 1) * "*"
    expected = {"mask": stars, "release": text, "block": "x"}
    assert joined(run(rules, text)) == expected[on_overflow]


def test_a_region_that_never_closes_costs_no_more_at_its_end() -> None:
    rules = RuleSet([Rule("w", words=("aba", "bab"), whole_word=False)], max_holdback=LIMIT)
    run(rules, 2_000 * "ab")
    once, twice = (lines_of(rules, size * "ab") for size in (1_000, 2_000))
    assert twice <= 2.2 * once + 500


# Odd characters


@pytest.mark.parametrize("size", [1, 3, 4096])
def test_lone_surrogates_pass_and_are_found(size: int) -> None:
    rules = RuleSet([word("\ud800b"), pattern("\udfff+", replacement="*")])
    text = "a\ud800b\ud800c\udfff\udfff\ud83d\ude00"
    assert joined(run(rules, text, size)) == "a[w]\ud800c**\U0001f600"  # a pair is joined


def test_nul_is_a_character_like_others() -> None:
    rules = RuleSet([word("a\0b"), pattern("\\0{2,}", replacement="*")])
    assert joined(run(rules, "xa\0bx\0\0\0x\0", 1)) == "x[w]x***x\0"


@pytest.mark.parametrize("last", ["z", "\U0010ffff"])
def test_a_word_may_go_on_with_the_last_of_all_characters(last: str) -> None:
    rules = RuleSet([word(f"ab{last}cd")], max_holdback=1)
    assert joined(run(rules, f"xab{last}cy", 1)) == "x[w]y"


def test_ten_thousand_combining_marks_neither_hide_a_match_nor_slow_the_stream() -> None:
    rules = RuleSet([word("bad"), pattern(r"\w+!")], max_holdback=LIMIT)
    marks = 10_000 * "\u0301"
    shown = joined(run(rules, f"bad {marks} bad"))
    assert shown.startswith("[w] ")
    assert shown.endswith(" [w]")
    once, twice = (lines_of(rules, size * "\u0301") for size in (1_000, 2_000))
    assert twice <= 2.2 * once + 500


def test_every_plane_passes_unchanged() -> None:
    text = "".join(map(chr, range(0, 0x110000, 97)))
    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")  # pairs joined
    assert joined(run(RuleSet([word("zzzzzz"), pattern("z{6}x")]), text)) == text


# A confirmation that would run away

# Only a reference to a group of many texts may take more steps than its characters pay for.
RUNAWAY = Rule("slow", patterns=(r"(\w+)(?:a|aa)*(\w+)\2\1yc",))
TRAP = "before x" + 100 * "a" + "yc after"


def test_a_reference_to_a_group_of_few_texts_cannot_run_away() -> None:
    rules = RuleSet([Rule("slow", patterns=(r"(x|y)(?:a|aa)*\1c",), replacement="*")])
    trap = "before x" + 60 * "a" + "{}c after"
    assert joined(play(rules.stage(), one_by_one(trap.format("y")))) == trap.format("y")
    stars = "before " + 63 * "*" + " after"
    assert joined(play(rules.stage(), one_by_one(trap.format("x")))) == stars


def test_a_confirmation_over_its_budget_of_steps_fails() -> None:
    rules = RuleSet([RUNAWAY])
    events = normalised(play(rules.stage(), one_by_one(TRAP)))
    assert joined(events) == "before "
    assert [(e.rule, e.kind) for e in events if isinstance(e, Finding)] == [("slow", "rule_error")]
    assert events[-1] == Finish("error")


def test_a_rule_that_is_disabled_has_no_words_any_more() -> None:
    rules = RuleSet([replace(RUNAWAY, words=("after", "before"))], on_error="allow")
    events = play(rules.stage(), one_by_one(TRAP + " after"))
    assert [e.kind for e in events if isinstance(e, Finding)] == ["match", "rule_error"]


def test_a_confirmation_over_its_budget_of_steps_can_disable_its_rule_alone() -> None:
    rules = RuleSet([RUNAWAY, word("after")], on_error="allow")
    events = play(rules.stage(), one_by_one(TRAP + TRAP))
    kinds = sorted((e.rule, e.kind) for e in events if isinstance(e, Finding))
    assert kinds == [("slow", "rule_error"), ("w", "match"), ("w", "match")]
    assert joined(events) == (TRAP + TRAP).replace("after", "[w]")
