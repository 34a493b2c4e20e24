"""A page of characters is judged together as each of them is alone."""

from __future__ import annotations

import pytest
import regex

from guardstream.scan.pages import ENOUGH, Pages, Row
from guardstream.scan.regex.alphabet import CharSets
from guardstream.scan.words.aho_corasick import WordIndex
from guardstream.scan.words.normalize import NAMES, Folding, joining, joins_words

SETS = (
    r"\w",
    r"\d",
    r"\s",
    r"[^\w]",
    r"(?i:k)",
    r"(?i:ß)",
    r"[^\x00-\x7f]",
    r"[一-龥]",
    r"\p{L}",
)
PAGES = (0x01, 0x03, 0x20, 0x21, 0x22, 0x30, 0x4E, 0xD8, 0xFF, 0x1F6, 0x1D4, 0x10FF)


def characters(page: int) -> str:
    return "".join(map(chr, range(page << 8, (page + 1) << 8)))


def test_a_page_is_judged_together_once_many_of_it_are_asked_for() -> None:
    asked: list[str] = []

    def whole(page: str) -> list[bool]:
        asked.append(page)
        return [character > "\u0180" for character in page]

    pages = Pages(lambda character: character > "\u0180", whole)
    for number, character in enumerate(characters(1)):
        row = pages.row(character)
        assert row.answer is (character > "\u0180")
        if number < ENOUGH:
            assert row[1:] == (ord(character), ord(character))
        else:
            assert row in (Row(False, 0x100, 0x180), Row(True, 0x181, 0x1FF))
    assert asked == [characters(1)]


@pytest.mark.parametrize("page", PAGES)
def test_sets_judge_a_page_as_its_characters(page: int) -> None:
    sets = CharSets()
    bits = {sets.bit(fragment): regex.compile(fragment, regex.V0) for fragment in SETS}
    for character in characters(page):
        expected = sum(bit for bit, judge in bits.items() if judge.match(character))
        assert sets.signature(character) == expected, character


@pytest.mark.parametrize("names", [(), ("case",), NAMES], ids=str)
@pytest.mark.parametrize("page", PAGES)
def test_words_judge_a_page_as_its_characters(page: int, names: tuple[str, ...]) -> None:
    folding = Folding(frozenset(names))
    word = folding.word("éα我k") or "é"
    index, again = (WordIndex({word: [0]}, {}, folding) for _ in range(2))
    for character in characters(page):
        alike = index.class_of(character)
        assert index.class_row(character).answer == alike
        row = index.class_row(character)
        assert row.first <= ord(character) <= row.last
    classes = [index.class_of(character) for character in characters(page)]
    alone = [again._classes_of(character)[0] for character in characters(page)]
    assert classes == alone


def test_what_joins_words_is_told_together() -> None:
    for page in PAGES:
        assert joining(characters(page)) == frozenset(filter(joins_words, characters(page)))
