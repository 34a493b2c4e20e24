"""Both forms of the matcher find the same, in as many steps."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
import regex

from guardstream.errors import PatternError
from guardstream.scan.regex import forms, matcher, rewrite
from guardstream.scan.regex.ast import Reference
from guardstream.scan.regex.matcher import Attempt, Found, Matcher
from guardstream.scan.regex.parser import parse
from tests.support.generate import Drawer

pytestmark = pytest.mark.skipif(not forms.NATIVE, reason="the C extension is not built")

PATTERNS = (
    r"(a|ab)(c|bcd)(d*)", r"(?>a|ab)c", r"(\w)\1+", r"(?i)(\w)\1", r"((a)|b)+\2", r"(?=(a+))\1b",
    r"(?<!a)b|(?<=ab)c", r"(a*)*b", r"(?:(a)|(b))*\1", r"(?m)^(\w+)$", r"\b(\w+)\b(?! b)",
    r"(?<=\b\w{2})a", r"(a|)+b", r"(?:a?){3}b", r"(.*)(.*)(.*)b", r"\A(?:a|b\B)*?c\Z", r"(a)++b",
    r"(?ai)(\w)\1", r"(?i)(\w+)(?-i:\1)k", r"(?:ab|cd|d(?:a|b|c| |k)|k|\n|(b)c)*(?:b|c|d|k|)k",
)  # fmt: skip

COUNTED = (
    r"(?:a|ab){2,3}c?", r"(?:(a)|b){1,4}?\1c", r"((?:ab?){2}){1,2}b", r"(?:a{1,2}?b?){2,}(?=c)",
    r"(?:a?){3}b", r"(?>(?:a|ab){2,3})c", r"(\w)(?:\1|(?:a{2}|b){2,3})*c", r"(?:(a){0,2}b){0,3}",
)  # fmt: skip


class OverError(Exception):
    """There were too many steps."""


class Purse:
    """Pays for some steps."""

    def __init__(self, steps: int) -> None:
        self.steps = steps

    def left(self) -> int:
        return self.steps

    def pay(self, steps: int) -> None:
        self.steps -= steps
        if self.steps < 0:
            raise OverError


def answer(matcher: Matcher, text: str, steps: int, *where: Any) -> object:
    """The match, whether the text ran out, and how many steps are left."""
    start, end, from_start = where
    purse = Purse(steps)
    attempt = Attempt(text, from_start, purse)
    try:
        found = matcher.run(attempt, start, end)
    except OverError:
        return "over"
    return found, attempt.ran_out, purse.steps


def compare(pattern: str, texts: list[str], random: Random) -> int:
    """Compare the forms over texts; returns in how many there was a match."""
    parsed = parse(pattern)
    found = 0
    for group in range(min(parsed.groups, 3) + 1):
        matchers = Matcher(parsed.tree, group), forms.native.NativeMatcher(parsed.tree, group)
        for text in texts:
            start, steps = random.randint(0, len(text)), random.choice((10**6, 40))
            end = random.choice((None, random.randint(start, len(text) + 1)))
            where = start, end, random.random() < 0.5
            answers = [answer(matcher, text, steps, *where) for matcher in matchers]
            assert answers[0] == answers[1], (pattern, group, text, where, steps)
            found += answers[0] != "over" and answers[0][0] is not None
    return found


@pytest.mark.parametrize("pattern", PATTERNS)
def test_both_forms_find_the_same(pattern: str) -> None:
    random = Random(len(pattern))
    texts = [
        "".join(random.choices("aabbcd \nk\u212a", k=random.randint(0, 9))) for _ in range(300)
    ]
    compare(pattern, texts, random)


def test_both_forms_find_the_same_of_generated_patterns() -> None:
    found = 0
    for seed in range(400):
        drawer = Drawer(random := Random(seed))
        tree = drawer.tree(random.choice((None, 1)))
        for pattern in (tree.text, drawer.approximated()):
            texts = [drawer.text([drawer.sample(tree.root)], 12) for _ in range(6)]
            try:
                found += compare(pattern, texts, random)
            except PatternError:
                continue
    assert found > 500


def test_a_match_is_paid_for_as_soon_as_it_is_long() -> None:
    tree = parse(r"(?:a|b)*c").tree
    for form in (Matcher, forms.chosen().matcher):
        assert answer(form(tree, 0), "ab" * 500 + "c", 1_000, 0, None, True) == "over"
        assert answer(form(tree, 0), "ab" * 500 + "c", 10_000, 0, None, True)[0] == Found(1_001, [])


def test_counters_within_counters_take_few_steps() -> None:
    lazy = "(?:(?:(?:(?:a??){4,}){4,}){4,}){4,}"
    for pattern in (f"e{lazy}x", f"e{lazy.replace('??', '?')}x", f"(e){lazy}\\1x"):
        tree = parse(pattern).tree
        for form in (Matcher, forms.chosen().matcher):
            made, purse = form(tree, 0), Purse(10**6)
            assert made.match("e", 0, True, purse) is None
            assert 10**6 - purse.steps < 3 * made.size()


@pytest.mark.parametrize("pattern", COUNTED)
def test_what_is_counted_is_what_is_written_out(
    pattern: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    random, tree = Random(len(pattern)), parse(pattern).tree
    written = [Matcher(tree, group) for group in (0, 1)]
    monkeypatch.setattr(matcher, "WRITTEN_OUT", 0)
    monkeypatch.setattr(matcher, "WITH_GROUP", 0)
    counted = [Matcher(tree, group) for group in (0, 1)]
    native = [forms.native.NativeMatcher(tree, group) for group in (0, 1)]
    for _ in range(300):
        text = "".join(random.choices("aabbc", k=random.randint(0, 9)))
        start, group = random.randint(0, len(text)), random.randint(0, 1)
        where = start, random.choice((None, random.randint(start, len(text) + 1))), True
        answers = [answer(each[group], text, 10**6, *where) for each in (written, counted, native)]
        assert answers[1] == answers[2], (text, where)
        assert answers[0][:2] == answers[1][:2], (text, where)


def test_a_group_may_close_after_any_number_of_captures_in_it() -> None:
    tree, text = parse(r"(([ab])+)x\1\2").tree, "ab" * 750
    for form in (Matcher, forms.chosen().matcher):
        found = answer(form(tree, 0), f"{text}x{text}b", 10**6, 0, None, True)[0]
        assert found == Found(3_002, [])


def test_large_counters_are_not_written_out() -> None:
    tree = parse(r"(x)(?:(?:[ab]{1,9999}c){1,9999}d){1,9999}\1").tree
    for form in (Matcher, forms.chosen().matcher):
        found = answer(form(tree, 0), "xabacbcdacdx", 10**6, 0, None, True)[0]
        assert found == Found(12, [])


def test_all_other_cases_of_a_character_are_known() -> None:
    everything = "".join(map(chr, range(0x110000)))
    assert not regex.search(r"\p{Cased}", everything[rewrite.CASED_BELOW :])
    reference = Reference(1, ignore_case=True)
    for character in regex.findall(r"\p{Cased}", everything)[::7] + list("Iiİıſθ\u0345"):
        cases = rewrite.other_cases(character, reference)
        assert len(cases) <= forms.native.MAX_CASES
        assert all(matcher.is_in(reference.alike(character), case) for case in cases)
    assert rewrite.other_cases("K", Reference(1, ignore_case=True, ascii=True)) == ["k"]
