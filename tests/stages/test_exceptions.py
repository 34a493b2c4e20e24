"""A rule's exceptions answer as `regex` does, and take no longer than their characters pay for."""

from __future__ import annotations

from random import Random

import pytest
import regex

from guardstream.errors import PatternError
from guardstream.events import Finding, Finish
from guardstream.scan.regex import forms, matcher
from guardstream.scan.regex.whole import TooMuchWorkError
from guardstream.stages import exceptions
from guardstream.stages.exceptions import After, Allowed
from guardstream.stages.redact import RuleError, RuleSet
from guardstream.stages.rules import OnError, Rule
from tests.support.generate import Drawer

FORMS = [False, True] if forms.NATIVE else [False]

WRITTEN = (
    r"(?>a|ab)b", r"a(?>b|bb)", r"(?:ab?)++b", r"(?<=a)b", r"(?<=(?>a|ba)b)a", r"\ba\B",
    r"(?<!b)a(?!c)", r"(?m)^a$", r"\Aab", r"a\Z", r"(?i)aB", r"(?s)a.b", r"(?x) a b # c",
    r"a(?<=(?=ab)a)b", r"(?:a|)b{1,2}", r"a{2}?b", r"(?:a??b){1,3}", r"\Ra", r"(?i:a)b|ba",
    r"(?=(a))ab", r"(?:(?=a)a|b)+", r"(?<!(?<=c)a)b", r"(?a)\w\W?", r"[^\W\d_][ab]",
    r"(?=a(?>b|bb)c).b+c", r"(?|(a)|(b))c",
)  # fmt: skip
"""Of all that a pattern may have, some, without references."""


@pytest.fixture(params=FORMS, ids=["python", "native"][: len(FORMS)], autouse=True)
def form(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forms, "NATIVE", request.param)


def drawn(count: int) -> list[tuple[Random, Drawer, str, str]]:
    """Patterns, each with a text that it nearly matches."""
    found = []
    for seed in range(count):
        drawer = Drawer(random := Random(seed))
        tree = drawer.tree(random.choice((None, None, 1)))
        pattern = drawer.approximated() if seed % 3 == 0 else tree.text
        if seed % 7 == 0:
            pattern = random.choice(WRITTEN)
            drawer.letters = "abc"
        found.append((random, drawer, pattern, drawer.text([drawer.sample(tree.root)], 12)))
    return found


def seen_all(text: str) -> str:
    return text


def test_an_allowed_pattern_matches_what_it_matches_in_regex() -> None:
    compared = matched = 0
    for random, drawer, pattern, near in drawn(1_500):
        others = [drawer.tree().text for _ in range(random.randint(0, 2))]
        patterns = tuple(random.sample([pattern, *others], len(others) + 1))
        try:
            allowed = Allowed(Rule("r", allow_patterns=patterns))
        except PatternError:
            continue
        for text in (near, near.strip(), *(drawer.text([near], 6) for _ in range(3))):
            for part in (text, text[random.randint(0, len(text)) :]):
                expected = any(regex.compile(p, regex.V0).fullmatch(part) for p in patterns)
                assert allowed.match(part) is expected, (patterns, part)
                compared += 1
                matched += expected
    assert compared > 8_000
    assert matched > 800


def test_a_long_match_is_judged_alike_without_regex(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exceptions, "LONGEST", 2)
    compared = matched = 0
    for random, drawer, pattern, near in drawn(600):
        try:
            allowed = Allowed(Rule("r", allow_patterns=(pattern,)))
        except PatternError:
            continue
        for text in (near, near * 2, *(drawer.text([near], 6) for _ in range(3))):
            part = text[random.randint(0, len(text)) :]
            expected = regex.fullmatch(pattern, part) is not None
            assert allowed.match(part) is expected, (pattern, part)
            compared += 1
            matched += expected
    assert compared > 2_000
    assert matched > 200


@pytest.mark.parametrize(
    ("pattern", "text"),
    [(r"(?:ab?)*c", "ab" * 200_000 + "c#"), (r"(?s).*xyz", "xyxyz" * 200_000 + "#")],
)
def test_a_long_match_takes_no_longer_a_character(pattern: str, text: str) -> None:
    allowed = Allowed(Rule("r", allow_patterns=(pattern,)))
    assert not allowed.match(text)  # `regex` alone takes a quarter of a minute
    assert allowed.match(text[:-1])


def test_what_may_stand_before_a_match_is_a_lookbehind_of_regex() -> None:
    compared = matched = 0
    for random, drawer, pattern, near in drawn(3_000):
        try:
            after = After(Rule("r", allow_after=(pattern,)), 0)
        except PatternError:
            continue
        behind = regex.compile(
            f"(?<={pattern}\n)" if "(?x)" in pattern else f"(?<={pattern})", regex.V0
        )
        for text in (near, *(drawer.text([near], 6) for _ in range(3))):
            for at in {random.randint(0, len(text)) for _ in range(6)}:
                expected = behind.match(text, at) is not None
                before = text[max(at - after.reach, 0) : at]
                assert after.match(before, text[at:], seen_all) is expected, (pattern, text, at)
                compared += 1
                matched += expected
    assert compared > 8_000
    assert matched > 800


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (r"(?:a|a){1,40}b", "a" * 39),
        (r"(?:a|a)*b", "a" * 3_000),
        (r"(a+)+b", "a" * 3_000),
        (r"(?:a?){100}b", "a" * 99),
        (r"(?:\w+\s?)*!", "ab " * 1_000),
        (r"(.*)(.*)(.*)b", "a" * 3_000),
    ],
)
def test_an_allowed_pattern_takes_steps_in_proportion_to_the_text(
    pattern: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exceptions, "STEPS_PER_CHARACTER", 0)  # each step of the pattern, once
    allowed = Allowed(Rule("r", allow_patterns=(pattern,)))
    assert not allowed.match(text)
    assert allowed.match("b" if pattern.startswith("(.*)") else text.rstrip() + pattern[-1])


def test_what_stands_before_takes_steps_in_proportion_to_how_far_it_reads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(exceptions, "STEPS_PER_CHARACTER", 0)
    after = After(Rule("r", allow_after=("b(?:a|a){1,40}",)), 0)
    assert not after.match("a" * 60, "x" * 1_000, seen_all)
    assert after.match("b" + "a" * 40, "x" * 1_000, seen_all)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (r"key(?:\s{0,9}[\w.]{1,40}){1,20}", "k" * 200),
        (r"x(?:\w{1,30}\W{0,5}){1,40}", "aab" * 60),
    ],
)
def test_a_counter_of_many_ways_is_paid_for(pattern: str, text: str) -> None:
    after = After(Rule("r", allow_after=(pattern,)), 0)
    assert not after.match(text, "x", seen_all)
    assert after.match("keyx" + text, "x", seen_all)


@pytest.mark.parametrize(
    ("pattern", "text", "other"),
    [
        (r"(a*)(a*)\2\1b", "a" * 300, "aab"),
        (r"(?:\w{1,300}x){1,300}", "axx" * 300, "ax"),  # ways to have come to each character
    ],
)
def test_what_takes_more_steps_fails(pattern: str, text: str, other: str) -> None:
    allowed = Allowed(Rule("r", allow_patterns=(pattern,)))
    with pytest.raises(TooMuchWorkError):
        allowed.match(text)
    assert allowed.match(other)


def test_an_unbounded_lookahead_in_a_repeat_takes_no_longer() -> None:
    allowed = Allowed(Rule("r", allow_patterns=(r"(?:a(?=a*b))*bc?",)))
    assert allowed.match("a" * 2_000 + "b")
    assert not allowed.match("a" * 2_000 + "c")


def test_what_an_approximation_would_match_is_judged_by_the_matcher() -> None:
    pattern = r"(?>a|ab?|)*+c|(?>(?:a|)+b?)*d"
    allowed = Allowed(Rule("r", allow_patterns=(pattern,)))
    for text in ("c", "aac", "abc", "aabd", "bad", "ab"):
        assert allowed.match(text) is (regex.fullmatch(pattern, text) is not None)


def test_the_allowed_patterns_may_not_be_too_large_together() -> None:
    rule = Rule("r", allow_patterns=(r".*" + "a" * 60_000, ".*" + "b" * 60_000))
    with pytest.raises(RuleError, match="in the allowed patterns together: "):
        Allowed(rule)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (r"(a+)\1b", "a" * 3_000),  # what is compared
        (r"(\w{9})x(?:(\w\w)!)*\1\2c", "abcdefghix" + "ab!" * 700),  # captures that are passed
    ],
)
def test_what_a_step_reads_is_paid_for(
    pattern: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exceptions, "STEPS_PER_CHARACTER", 5)
    allowed = Allowed(Rule("r", allow_patterns=(pattern,)))
    with pytest.raises(TooMuchWorkError):
        allowed.match(text)
    monkeypatch.setattr(matcher, "PER_STEP", 10**9)
    if not forms.NATIVE:
        assert not Allowed(Rule("r", allow_patterns=(pattern,))).match(text)


@pytest.mark.parametrize("on_error", ["block", "allow"])
def test_a_rule_fails_whose_exception_takes_too_many_steps(on_error: OnError) -> None:
    rule = Rule("r", patterns=("a{1,200}",), allow_patterns=(r"(a*)(a*)\2\1b",))
    stage = RuleSet([rule], on_error=on_error).stage()
    events = [*stage.feed("x" + "a" * 200 + " "), *stage.finish()]
    assert [event.kind for event in events if isinstance(event, Finding)] == ["rule_error"]
    ends = "error" if on_error == "block" else "stop"
    assert isinstance(events[-1], Finish)
    assert events[-1].reason == ends


@pytest.mark.parametrize(
    "pattern",
    [r"(?r)ab", r"\Xb", r"\X{2}",
     r"(?<=a+)b", r"\w(?<=\M)" r"a(?(?=b)b|c)", r"\p{L}\Kb", r"(?w)a\bb?|ab", "a{1,20000}"],
)  # fmt: skip
def test_a_pattern_that_only_regex_can_judge_is_judged_if_it_has_few_choices(pattern: str) -> None:
    allowed = Allowed(Rule("r", allow_patterns=(pattern,)))
    for text in ("ab", "b", "a", "xb"):
        assert allowed.match(text) is (regex.fullmatch(pattern, text) is not None)


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        (r"(?r)(?:a|a)*b", "a reverse search needs the end of the text first"),
        (r"(?r)(?:aa?)*b", "a reverse search"),
        (r"(?r)(?:a|aa){50}b", "a reverse search"),
        (r"(?r)\w+\w+b", "a reverse search"),
        (r"\X+\X+b", r"\X needs all of a grapheme"),
        (r"(?:ab){e<=3}", "fuzzy"),
        (r"a(?R)?b", "recursion is not supported"),
        (r"(?r)(\w+)\1", "a reverse search"),
        (r"\w+(?<=\b-?)\w*", "a lookbehind that looks ahead is not supported"),
        (r"\X{1000}(?:(?>a|b){1000}){1000}", r"\X needs all of a grapheme"),
    ],
)
def test_a_pattern_that_may_take_regex_long_is_refused(pattern: str, reason: str) -> None:
    with pytest.raises(RuleError) as refused:
        Allowed(Rule("r", allow_patterns=("a", pattern)))
    assert str(refused.value).startswith("in an allowed pattern that may take long: ")
    assert reason in str(refused.value)
    assert refused.value.allowed == ("patterns", 1)


def test_exceptions_may_have_groups_of_the_same_names_and_refer_to_their_own() -> None:
    patterns = (
        r"(?<g>[ab]{1,3})-(?P=g)",
        r"(?<g>c)(?<h>d)?\g<h>",
        r"(?i)(e)\1",
        r"(?<=(f|g))x|g\1?",
    )
    allowed = Allowed(Rule("r", allow_patterns=patterns))
    for text in ("ab-ab", "ab-ba", "cdd", "cd", "eE", "ee", "ef", "c"):
        expected = any(regex.fullmatch(pattern, text) for pattern in patterns)
        assert allowed.match(text) is expected
    with pytest.raises(RuleError, match="a back-reference to its own group is not supported"):
        Allowed(Rule("r", allow_patterns=(r"\w*(?<!(\w)\1)b",)))
    with pytest.raises(RuleError, match="a back-reference to a group in a lookbehind"):
        Allowed(Rule("r", allow_patterns=(r"(?<=(\w{1,3}))x\1",)))


@pytest.mark.parametrize("of", ["words", "patterns"])
@pytest.mark.parametrize("normalize", ["width", "zero_width", "spaces"])
def test_hostile_text_is_judged_as_the_rule_reads_it(of: str, normalize: str) -> None:
    if normalize == "spaces" and of == "patterns":
        given, text = {"patterns": ("to (?:a|b){1,60}",)}, "to \n " + "a" * 60
    elif of == "words":
        given, text = {"words": ("to " + "a" * 60,)}, "to " + "a" * 60
    else:
        given, text = {"patterns": ("to (?:a|b){1,60}",)}, "to " + "a" * 60
    names = () if normalize == "zero_width" and of == "words" else (normalize,)
    for last, is_allowed in (("a", True), ("b", False)):
        allowed = f"to (?:a|a){{1,59}}{last}"
        rule = Rule("r", normalize=names, allow_patterns=(allowed,), **given)
        stage = RuleSet([rule]).stage()
        events = [*stage.feed(f"x {text} "), *stage.finish()]
        assert any(isinstance(event, Finding) for event in events) is not is_allowed
