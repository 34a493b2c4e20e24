"""White space in words: it matches white space, up to a bound and with one line break."""

from __future__ import annotations

import pytest

from guardstream.events import Finding
from guardstream.stages.redact import RuleSet
from guardstream.stages.rules import Keep, Replacement, Rule
from tests.support.chunking import joined, one_by_one, play
from tests.support.forms import form

__all__ = ["form"]

pytestmark = pytest.mark.usefixtures("form")


def shown(text: str, rule: Rule, max_holdback: int = 256) -> str:
    """What becomes of a text, in any splitting."""
    made = RuleSet([rule], max_holdback=max_holdback)
    whole = play(made.stage(), [text], max_holdback)
    assert play(made.stage(), one_by_one(text), max_holdback) == whole
    return joined(whole)


def is_found(text: str, **keys: bool) -> bool:
    rule = Rule("w", words=("project falcon",), **keys)
    events = RuleSet([rule]).stage()
    found = [*events.feed(f"a {text}."), *events.finish()]
    return any(isinstance(event, Finding) for event in found)


@pytest.mark.parametrize(
    "between",
    [
        " ", "  ", " " * 8, "\t", "\xa0", "\u2009", "\u3000", "\u2028", "\n", "\r\n", "  \n    ",
        "\n> ", "\n>> ", "\n# ", "\n  // ", "\r\n * ", "\n%% ", "\n;; ",
        " \u200b", "\x0b ", " \x85",
    ],
)  # fmt: skip
def test_white_space_in_a_word_is_white_space_in_the_text(between: str) -> None:
    assert is_found(f"project{between}falcon")


@pytest.mark.parametrize(
    "between",
    ["", " " * 9, "\n\n", "\n \n", "\r\n\r\n", " \n" + " " * 7, "\n> > > > >", " > ", " # ", "-"],
)
def test_no_more_than_that(between: str) -> None:
    assert not is_found(f"project{between}falcon")


def test_an_exact_word_is_compared_as_it_is() -> None:
    assert is_found("project falcon", exact=True)
    assert is_found("pro\0ject falcon", exact=True)
    for between in ("  ", "\n", "\xa0"):
        assert not is_found(f"project{between}falcon", exact=True)


@pytest.mark.parametrize(
    ("replacement", "expected"),
    [
        ("*", "a *******\r\n****** b"),
        ("[{id}]", "a [w]\r\n b"),
        ("", "a \r\n b"),
        (Keep(1, 1), "a p******\r\n*****n b"),
    ],
)
def test_a_replacement_keeps_the_line_break(replacement: Replacement, expected: str) -> None:
    rule = Rule("w", words=("project falcon",), replacement=replacement)
    assert shown("a project\r\nfalcon b", rule) == expected


def test_white_space_is_held_only_as_far_as_it_may_be_the_words() -> None:
    stage = RuleSet([Rule("w", words=("see Ann",))]).stage()
    stage.feed("see" + " " * 8)
    assert stage.held == 11
    stage.feed(" ")
    assert stage.held == 0


def test_what_is_short_of_a_phrase_passes() -> None:
    rule = Rule("w", words=("see Ann", "ann lee"), replacement="*")
    for text in ("see " + " " * 254 + "Ann", "for Ann\n\n\nLee wrote", "see\n> nobody", "see \n"):
        assert shown(text, rule) == text


def test_words_overlap_in_white_space() -> None:
    rule = Rule("w", words=("a b c", "b c d", "c  d"), replacement="*")
    assert shown("a  b\nc  d", rule) == "****\n****"


def test_a_sign_that_is_the_words_own_is_compared() -> None:
    rule = Rule("w", words=("a # b",), replacement="*")
    assert shown("a\n# b a\nb", rule) == "*\n*** a\nb"


@pytest.mark.parametrize("word", ["blue bird", "blue-bird", "blue \u2013 bird"])
@pytest.mark.parametrize("names", [("hyphens",), ("hyphens", "spaces")])
def test_hyphens_are_white_space_by_their_kind(word: str, names: tuple[str, ...]) -> None:
    rule = Rule("w", words=(word,), normalize=names, replacement="*")
    for between in (" ", "-", "\u2011", "\u2014", " \u2013 ", "-\n"):
        text = f"blue{between}bird"
        assert shown(f"a {text} b", rule).replace("\n", "*") == f"a {'*' * len(text)} b"
    assert shown("a bluebird, blue. bird", rule) == "a bluebird, blue. bird"


def test_a_hyphen_that_is_no_white_space_is_compared() -> None:
    plain = Rule("w", words=("blue bird", "red-bird"), replacement="*")
    assert shown("blue-bird red bird red-bird", plain) == "blue-bird red bird ********"
    alone = Rule("w", words=("-x",), normalize=("hyphens",), replacement="*")
    assert shown("a -x", alone) == "a **"
