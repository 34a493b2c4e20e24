"""Words in letters of other scripts that look alike."""

from __future__ import annotations

import pytest

from guardstream.stages.redact import RuleSet
from guardstream.stages.rules import Rule
from guardstream.testing import splits
from tests.support.found import found

WORDS = ("bluebird", "hot", "nachtfalter", "вода", "Νίκη")
RULES = RuleSet([Rule("w", words=WORDS, normalize=("width", "confusables"))])


@pytest.mark.parametrize(
    "text",
    [
        "bluebird",
        "\u0412LUEBIRD",  # Cyrillic Ve
        "BLU\u0395BIRD",  # Greek Epsilon
        "\U0001d6a9luebird",  # a mathematical Beta, by its width
        "\u041dO\u0422",  # Cyrillic En and Te
        "\u039dachtfalter",  # Greek Nu
        "h\u043et",  # Cyrillic o
    ],
)
def test_a_word_is_found_in_letters_that_look_alike_in_any_case(text: str) -> None:
    for chunks in splits(f"a {text}."):
        assert found(RULES, chunks) == [(2, 2 + len(text))]


@pytest.mark.parametrize("text", ["вода", "ВОДА", "Вода", "νίκη", "Νίκη", "ΝΊΚΗ"])
def test_a_word_of_another_script_is_found_in_any_case(text: str) -> None:
    for chunks in splits(f"a {text}."):
        assert found(RULES, chunks) == [(2, 2 + len(text))]


def test_small_letters_that_look_like_no_other_are_not_those_of_a_word() -> None:
    assert found(RULES, ["нот, вот, \u0432luebird"]) == []


@pytest.mark.parametrize("text", ["ʙʟᴜᴇʙɪʀᴅ", "bluᴇʙird", "🅱🅻🆄🅴🅱🅸🆁🅳", "🅑🅛🅤🅔🅑🅘🅡🅓", "🇧🇱🇺🇪🇧🇮🇷🇩"])
def test_small_capitals_and_letters_in_boxes_are_letters(text: str) -> None:
    for chunks in splits(f"a {text}."):
        assert found(RULES, chunks) == [(2, 2 + len(text))]


def test_strokes_are_a_kind_of_their_own() -> None:
    stroked = RuleSet([Rule("w", words=("mode", "słowo"), normalize=("strokes",))])
    plain = RuleSet([Rule("w", words=("mode",), normalize=("width", "confusables"))])
    assert found(stroked, ["a møde, MØDE, słowo slowo."]) == [(2, 6), (8, 12), (14, 19), (20, 25)]
    assert found(plain, ["a møde, MØDE"]) == []
    pattern = RuleSet([Rule("p", patterns=("mode",), normalize=("strokes",))])
    assert found(pattern, ["a møde"]) == [(2, 6)]
