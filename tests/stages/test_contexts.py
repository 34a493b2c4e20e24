"""What stands before a match may make it an exception, however the text is cut."""

from __future__ import annotations

from typing import Any

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


def test_unseen_characters_of_a_context_are_always_passed_over_before_words() -> None:
    pattern = Rule("r", patterns=("secret",), allow_after=("version ",))
    word = Rule("r", words=("secret",), allow_after=("version ",))
    assert shown(pattern, "ver\u200bsion secret") == "ver\u200bsion [r]"
    assert shown(word, "ver\u200bsion secret") == "ver\u200bsion secret"


@pytest.mark.parametrize(
    ("normalize", "written"),
    [("zero_width", "sec\u200bret"), ("width", "ｓecret"), ("confusables", "sесret")],
)
def test_checks_see_a_word_as_it_is_compared(normalize: str, written: str) -> None:
    seen: list[str] = []

    def validator(text: str) -> bool:
        seen.append(text)
        return True

    rule = Rule("r", words=("secret",), normalize=(normalize,), validators=(validator,))
    assert shown(rule, written) == "[r]"
    assert set(seen) == {"secret"}
    for allowed in (
        Rule("r", words=("secret",), normalize=(normalize,), allow_words=(written,)),
        Rule("r", words=("secret",), normalize=(normalize,), allow_patterns=("se[c]ret",)),
        Rule("r", words=("secret",), normalize=(normalize,), allow_after=("a (?=secret)",)),
        Rule("r", patterns=("secret",), normalize=(normalize,), allow_words=(written,)),
    ):
        assert shown(allowed, f"a {written}") == f"a {written}"


def test_checks_see_no_unseen_characters_of_a_pattern_that_takes_them() -> None:
    rule = Rule("r", patterns=("=[^ ]+",), normalize=("zero_width",), allow_words=("=test",))
    assert shown(rule, "a=te\u200bst b=re\u200bst c=\u200b") == "a=te\u200bst b[r] c[r]"


def test_a_match_of_nothing_that_is_seen_is_judged_as_it_is() -> None:
    rule = Rule("r", patterns=("\u200b+",), normalize=("zero_width",), validators=(bool,))
    assert shown(rule, "a\u200b\u200bb") == "a[r]b"


def test_words_that_are_given_later_are_checked_as_those_of_the_rule() -> None:
    rules = RuleSet(
        [
            Rule("after", patterns=("x",), normalize=("width",), allow_after=("no ",)),
            Rule("near", patterns=("x",), normalize=("width",), keywords=("key",)),
        ]
    ).with_words({"after": ["one"], "near": ["two"]})
    assert joined(play(rules.stage(), ["ｎo one, ｋey two"])) == "ｎo one, ｋey [near]"


@pytest.mark.parametrize(
    "other",
    [{"allow_after": ("no ", "x{200}")}, {"keywords": ("a",), "keyword_distance": 200}],
    ids=["context", "keyword"],
)
def test_what_another_check_reads_does_not_count(other: dict[str, Any]) -> None:
    given: dict[str, Any] = {"normalize": ("zero_width",), "allow_after": ("no ",)}
    rule = Rule("r", patterns=("[0-9]+",), **(given | other))
    hidden = 70 * "\u200b"
    text = f"a {hidden} {70 * '.'} no 1, 2"
    assert shown(rule, text) == text.replace("2", "[r]")


@pytest.mark.parametrize("hidden", [1, 64, 65, 200])
def test_a_context_has_few_characters_that_are_not_seen(hidden: int) -> None:
    rule = Rule("r", patterns=("[0-9]+",), normalize=("zero_width",), allow_after=(r"(?:\A|#)no ",))
    between = hidden * "\u200b"
    shown_text = shown(rule, f"a no {between}1 #no {between}2")
    assert shown_text == f"a no {between}[r] #no {between}{2 if hidden <= 64 else '[r]'}"


def test_a_context_may_begin_with_the_text() -> None:
    rule = Rule("r", patterns=("[0-9]+",), allow_after=(r"(?:\A|\n)[ ]{0,3}#",))
    assert shown(rule, "#1 #2\n  #3\n    #4") == "#1 #[r]\n  #3\n    #[r]"


@pytest.mark.parametrize(
    "context", ["(?x) no # what follows", "(?i)(?x) no # what follows", "no(?x) # which follows )"]
)
def test_a_comment_in_a_context_ends_with_it(context: str) -> None:
    rule = Rule("r", patterns=("[0-9]+",), allow_after=(context,))
    assert shown(rule, "no1 to2") == "no1 to[r]"


def test_the_spaces_of_a_context_count_again_after_its_comments() -> None:
    rule = Rule("r", patterns=("[0-9]+",), allow_after=("(?x) n o (?-x) #",))
    assert shown(rule, "no #1 no#2") == "no #1 no#[r]"


@pytest.mark.parametrize(
    ("context", "text", "is_allowed"),
    [
        (r"no\b", "no-12", True),
        (r"no \b", "no -12", False),
        ("no (?=-1)", "no -12", True),
        ("no (?=-2)", "no -12", False),
        ("no (?!-1)", "no -12", False),
        ("no (?=-12 x)", "no -12 x", False),
    ],
)
def test_a_context_sees_the_match_and_nothing_after_it(
    context: str, text: str, is_allowed: bool
) -> None:
    rule = Rule("r", patterns=("-[0-9]{2}",), allow_after=(context,))
    assert shown(rule, text) == (text if is_allowed else text.replace("-12", "[r]"))


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("a?", "it can match the empty string, and would allow all; make a part mandatory"),
        ("ab+", r"it has no maximum length; give its repeats a bound, such as \s{1,8}"),
        (r"(a|b)\1", "it has no maximum length"),
        ("(a", "missing ')'"),
        ("(?<=a*)b", "an unbounded lookbehind needs the whole text before it"),
    ],
)
def test_a_context_that_cannot_be_is_refused(pattern: str, message: str) -> None:
    with pytest.raises(RuleError) as refused:
        RuleSet([Rule("r", words=("x",), allow_after=("fine", pattern))])
    assert str(refused.value).startswith(f"in an allowed pattern: {message}")
    assert refused.value.allowed == ("after", 1)
