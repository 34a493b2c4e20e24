"""Rules that fail: in every chunking alike, by name, and without harm to the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from random import Random
from unittest.mock import patch

import pytest

from guardstream.events import Event, Finding, Finish
from guardstream.scan.regex import dfa, forms
from guardstream.stages.redact import RuleSet
from guardstream.stages.rules import OnError, OnOverflow, Rule
from tests.support.chunking import every_split, joined, one_by_one, play, random_split
from tests.support.generate import Case, draw_case, draw_unseen
from tests.support.harness import forgetful

NATIVES = (True, False) if forms.NATIVE else (False,)

CASES = 1_500


@contextmanager
def narrow(threads: int, *, native: bool) -> Iterator[None]:
    """A form of the search in which a pattern may have so many threads."""
    with patch.object(forms, "NATIVE", native), patch.object(dfa, "MAX_THREADS", threads):
        yield


def raising(text: str) -> bool:
    """A validator that fails for every other length."""
    if len(text) % 2:
        raise ValueError
    return len(text) % 4 != 0


def masking(identifier: str, pattern: str = "", **options: object) -> Rule:
    patterns = (pattern,) if pattern else ()
    return Rule(id=identifier, patterns=patterns, **{"replacement": "<>", **options})  # type: ignore[arg-type]


def alike(
    rules: Sequence[Rule],
    text: str,
    *,
    threads: int = 4_000,
    on_error: OnError = "allow",
    on_overflow: OnOverflow = "mask",
    max_holdback: int = 256,
) -> list[Event]:
    """The events of a text, the same in both forms and however it is cut."""
    found: list[list[Event]] = []
    splits = list(every_split(text)) if len(text) < 8 else [[text], one_by_one(text)]
    for native in NATIVES:
        with narrow(threads, native=native):
            made = RuleSet(
                rules, max_holdback=max_holdback, on_overflow=on_overflow, on_error=on_error
            )
            found += [play(made.stage(), chunks, max_holdback) for chunks in splits]
    assert all(each == found[0] for each in found)
    return found[0]


def kinds(events: Sequence[Event]) -> list[tuple[str, str, int, int]]:
    return [(e.rule, e.kind, e.start, e.end) for e in events if isinstance(e, Finding)]


# Too many threads


def test_a_pattern_of_too_many_threads_blocks_by_name_after_what_came_before() -> None:
    text = "first b2 " + "ab" * 200
    rules = masking("large", "(?:[ab]{1,100}c?){1,100}z"), masking("small", r"b\d")
    events = alike(rules, text, on_error="block")
    assert joined(events) == "first <> "
    assert [name for name, kind, *_ in kinds(events) if kind == "rule_error"] == ["large"]
    assert events[-1] == Finish("error")


def test_a_pattern_of_too_many_threads_is_disabled_where_rules_may_fail() -> None:
    text = "ab" * 100 + " b2 " + "ab" * 100 + "z b3"
    rules = masking("large", "(?:[ab]{1,100}c?){1,100}z"), masking("small", r"b\d")
    events = alike(rules, text)
    assert joined(events) == text.replace("b2", "<>").replace("b3", "<>")
    assert [(name, kind) for name, kind, *_ in kinds(events)] == [
        ("large", "rule_error"), ("small", "match"), ("small", "match"),
    ]  # fmt: skip


def test_one_character_may_begin_as_many_threads_as_it_likes() -> None:
    rules = [masking("choice", "a[xy]|ab")]
    assert joined(alike(rules, "ab", threads=1)) == "<>"


def test_a_search_that_is_read_again_may_have_too_many_threads() -> None:
    def refuses(_: str) -> bool:
        return False

    # The first match is refused, and its text read again from the second character on.
    rules = [masking("again", "x?(?:a{1,3}b?){1,3}c|y", validators=(refuses,))]
    for threads in range(1, 12):
        alike(rules, "xaaaacaay", threads=threads)


def test_a_pattern_that_only_reports_fails_after_the_text_before() -> None:
    rules = [masking("report", "(?:a{1,3}b?){1,3}c", action="monitor")]
    events = alike(rules, "x aaaaaa", threads=2, on_error="block")
    assert joined(events) == "x a"


# Validators that raise


def test_words_of_a_disabled_rule_hold_nothing() -> None:
    rules = [
        masking("word", words=("ab", "abcdef"), whole_word=False, validators=(_fails,)),
        masking("x", "x"),
    ]
    events = alike(rules, "ab x abcd x", max_holdback=4)
    assert joined(events) == "ab <> abcd <>"
    assert [kind for _, kind, *_ in kinds(events)] == ["rule_error", "match", "match"]


def test_the_failure_of_a_candidate_that_is_dropped_names_its_rule() -> None:
    rules = [masking("long", "a{2,3}b?c?d?", validators=(_fails,))]
    events = alike(rules, "x aaab", max_holdback=2, on_overflow="release", on_error="block")
    assert [(name, kind) for name, kind, *_ in kinds(events)][-1] == ("long", "rule_error")


def _fails(_: str) -> bool:
    raise ValueError


def test_a_word_that_lacks_only_a_repetition_overflows_by_name() -> None:
    rule = masking(
        "word", words=("abb",), whole_word=False, normalize=("repeats", "separators"),
        replacement="*",
    )  # fmt: skip
    events = alike([rule], "a" * 5 + "b" + " x", max_holdback=5)
    assert [(name, kind) for name, kind, *_ in kinds(events)] == [("word", "overflow")]


# What nobody thought of


@pytest.mark.parametrize("block", range(4))
def test_generated_rules_fail_alike_in_all_chunkings_and_forms(block: int) -> None:
    failed = 0
    for seed in range(block * CASES, (block + 1) * CASES, 4):
        random = Random(seed)
        case = (draw_unseen if seed % 5 == 0 else draw_case)(random)
        if seed % 3:
            case = _with_failures(case, random)
        on_error: OnError = random.choice(("block", "allow"))
        threads = random.choice((1, 1, 2, 3, 4))
        found: list[list[Event]] = []
        for native in NATIVES:
            with narrow(threads, native=native):
                found += _played(case, on_error, random)
        assert all(each == found[0] for each in found), (seed, case, found)
        failed += any(kind == "rule_error" for _, kind, *_ in kinds(found[0]))
    assert failed > CASES // 40


def _with_failures(case: Case, random: Random) -> Case:
    rules = tuple(
        replace(rule, validators=(raising,)) if random.random() < 0.4 else rule
        for rule in case.rules
    )
    return replace(case, rules=rules)


def _played(case: Case, on_error: OnError, random: Random) -> Iterator[list[Event]]:
    rules = RuleSet(
        case.rules,
        max_holdback=case.max_holdback,
        on_overflow=case.on_overflow,
        on_error=on_error,
    )
    cuts: list[Callable[[], list[str]]] = [
        lambda: [case.text],
        lambda: one_by_one(case.text),
        lambda: random_split(case.text, random),
        lambda: random_split(case.text, random),
    ]
    for number, cut in enumerate(cuts):
        with forgetful() if number == 2 else nullcontext():
            yield play(rules.stage(), cut(), case.max_holdback)
