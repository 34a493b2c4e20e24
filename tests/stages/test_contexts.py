"""What stands before a match may make it an exception, however the text is cut."""

from __future__ import annotations

import pytest

from guardstream.stages.redact import RuleError, RuleSet
from guardstream.stages.rules import Rule
from tests.support.chunking import joined, one_by_one, play

ADDRESS = Rule(
    "ip", patterns=(r"\b(?:[0-9]+\.){3}[0-9]+",), allow_after=(r"(?i)version[ ]?", r"\brv:")
)


def shown(rule: Rule, text: str) -> str:
    whole, letters = (
        joined(play(RuleSet([rule]).stage(), pieces)) for pieces in ([text], one_by_one(text))
    )
    assert whole == letters
    return whole


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("at 1.2.3.4", "at [ip]"),
        ("Version 1.2.3.4, 1.2.3.4", "Version 1.2.3.4, [ip]"),
        ("version  1.2.3.4", "version  [ip]"),
        ("rv:1.2.3.4 serv:1.2.3.4", "rv:1.2.3.4 serv:[ip]"),
        ("1.2.3.4 version", "[ip] version"),
    ],
)
def test_a_match_right_after_an_allowed_pattern_is_left_alone(text: str, expected: str) -> None:
    assert shown(ADDRESS, text) == expected


def test_what_is_allowed_hides_no_match_inside_it() -> None:
    rule = Rule("r", patterns=("[0-9]{2}",), allow_after=("no ",))
    assert shown(rule, "no 123 4") == "no 1[r] 4"


def test_with_a_group_it_is_what_stands_before_the_group() -> None:
    rule = Rule("key", patterns=("key=([a-z]+);",), group=1, allow_after=("public_key=",))
    assert shown(rule, "key=abc; public_key=abc;") == "key=[key]; public_key=abc;"


def test_words_have_contexts() -> None:
    rule = Rule("w", words=("secret",), allow_after=("top[ -]",))
    assert shown(rule, "top secret, top-secret, a secret") == "top secret, top-secret, a [w]"


def test_a_rule_that_blocks_has_contexts() -> None:
    rule = Rule("w", action="block", words=("drop",), allow_after=("tear",))
    assert shown(rule, "a teardrop") == "a teardrop"
    assert shown(rule, "a drop") == "a "


@pytest.mark.parametrize(
    ("normalize", "before", "is_allowed"),
    [
        ((), "ver\u200bsion ", False),
        (("zero_width",), "ver\u200bsion ", True),
        ((), "ｖersion ", False),
        (("width",), "ｖersion ", True),
    ],
)
def test_the_context_is_read_as_the_match_is(
    normalize: tuple[str, ...], before: str, is_allowed: bool
) -> None:
    for rule in (
        Rule("r", patterns=("secret",), normalize=normalize, allow_after=("version ",)),
        Rule("r", words=("secret",), normalize=normalize, allow_after=("version ",)),
    ):
        expected = "secret" if is_allowed else "[r]"
        assert shown(rule, f"{before}secret") == f"{before}{expected}"


@pytest.mark.parametrize("hidden", [1, 64, 65, 200])
def test_a_context_has_few_characters_that_are_not_seen(hidden: int) -> None:
    rule = Rule("r", patterns=("[0-9]+",), normalize=("zero_width",), allow_after=(r"(?:\A|#)no ",))
    between = hidden * "\u200b"
    shown_text = shown(rule, f"a no {between}1 #no {between}2")
    assert shown_text == f"a no {between}[r] #no {between}{2 if hidden <= 64 else '[r]'}"


def test_a_context_may_begin_with_the_text() -> None:
    rule = Rule("r", patterns=("[0-9]+",), allow_after=(r"(?:\A|\n)[ ]{0,3}#",))
    assert shown(rule, "#1 #2\n  #3\n    #4") == "#1 #[r]\n  #3\n    #[r]"


def test_a_comment_in_a_context_ends_with_it() -> None:
    rule = Rule("r", patterns=("[0-9]+",), allow_after=("(?x) no # what follows",))
    assert shown(rule, "no1 to2") == "no1 to[r]"


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("a?", "it can match nothing, and would allow all; make a part mandatory"),
        ("ab+", r"it has no greatest length; give its repeats a bound, such as \s{1,8}"),
        (r"(a|b)\1", "it has no greatest length"),
        ("(a", "missing ')'"),
        ("a(?x) # which takes the bracket", "missing )"),
        ("(?<=a*)b", "an unbounded lookbehind needs the whole text before it"),
    ],
)
def test_a_context_that_cannot_be_is_refused(pattern: str, message: str) -> None:
    with pytest.raises(RuleError) as refused:
        RuleSet([Rule("r", words=("x",), allow_after=("fine", pattern))])
    assert str(refused.value).startswith(f"in an allowed pattern: {message}")
    assert refused.value.allowed == ("after", 1)
