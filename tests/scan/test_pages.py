"""A page of characters is judged together as each of them is alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import regex

from guardstream.scan.pages import Pages, Row, page_of, told_apart
from guardstream.scan.regex.alphabet import CharSets
from guardstream.scan.regex.dfa import Caches
from guardstream.scan.regex.machine import Classes
from guardstream.scan.words.aho_corasick import WordIndex
from guardstream.scan.words.normalize import TRANSLATED, WORD_NAMES, Folding, Table

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


def test_a_page_is_judged_once() -> None:
    asked: list[str] = []

    def judge(page: str) -> Iterator[Row[bool]]:
        asked.append(page)
        yield from (Row(False, 0x100, 0x180), Row(True, 0x181, 0x1FF))

    pages = Pages(judge)
    for character in characters(1):
        row = Row(True, 0x181, 0x1FF) if character > "\u0180" else Row(False, 0x100, 0x180)
        assert pages.row(character) == row
        assert list(pages.rows(character)) == [(False, 0x100, 0x180), (True, 0x181, 0x1FF)]
    assert asked == [characters(1)]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_has_the_characters_around_one(page: int) -> None:
    assert {page_of(character) for character in characters(page)} == {characters(page)}


def test_patterns_tell_the_characters_of_a_page_apart() -> None:
    page, bits = (
        characters(0x21),
        {1: r"\w", 2: r"\p{Lu}", 4: "[Ⅰ-Ⅻ]", 8: "\u212a", 16: "[^\u212a]"},
    )
    judges = [(bit, regex.compile(f"(?:{one})+")) for bit, one in bits.items()]
    rows = list(told_apart(page, judges, "\u2126\u2163"))
    assert [row.first for row in rows] == [0x2100, *(row.last + 1 for row in rows[:-1])]
    assert rows[-1].last == 0x21FF
    assert {row[1:] for row in rows} >= {(0x2126, 0x2126), (0x2163, 0x2163)}
    for answer, first, last in rows:
        for code in range(first, last + 1):
            assert answer == sum(bit for bit, one in bits.items() if regex.match(one, chr(code)))
    assert "".join(map(chr, range(rows[0].first, rows[-1].last + 1))) == page


@pytest.mark.parametrize("page", PAGES)
def test_sets_judge_a_page_as_its_characters(page: int) -> None:
    sets = CharSets()
    bits = {sets.bit(fragment): regex.compile(fragment, regex.V0) for fragment in SETS}
    for character in characters(page):
        expected = sum(bit for bit, judge in bits.items() if judge.match(character))
        assert sets.signature(character) == expected, character


@pytest.mark.parametrize("names", [(), ("case",), tuple(sorted(WORD_NAMES))], ids=str)
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
    alone = [again._class_of_one(character) for character in characters(page)]
    assert classes == alone


@pytest.mark.parametrize("names", [(), ("case",), tuple(sorted(WORD_NAMES))], ids=str)
@pytest.mark.parametrize("page", PAGES)
def test_what_words_tell_of_a_page_is_true_of_its_characters(
    page: int, names: tuple[str, ...]
) -> None:
    folding = Folding(frozenset(names))
    index = WordIndex({folding.word("éα我k") or "é": [0]}, {}, folding)
    for number, first, last in index.beside(chr(page << 8)):
        assert page == first >> 8 == last >> 8
        assert {index.class_of(chr(code)) for code in range(first, last + 1)} == {number}


@pytest.mark.parametrize("names", [(), *((name,) for name in sorted(TRANSLATED))], ids=str)
@pytest.mark.parametrize("page", PAGES)
def test_sets_judge_a_page_as_a_table_translates_its_characters(
    page: int, names: tuple[str, ...]
) -> None:
    table = Table(frozenset(names)) if names else None
    sets, plain = CharSets(table), CharSets()
    for fragment in SETS:
        assert sets.bit(fragment) == plain.bit(fragment)
    told = {
        chr(code): signature
        for signature, first, last in sets.rows(chr(page << 8))
        for code in range(first, last + 1)
    }
    for character in characters(page):
        read = character if table is None else character.translate(table)
        assert told[character] == sets.signature(character) == plain.signature(read), character


def test_sets_that_nobody_asks_for_tell_no_characters_apart() -> None:
    sets = CharSets()
    asked, _ = sets.bit(r"\d"), sets.bit("[٠-٤]")
    classes = Classes(sets, Caches(), asked)
    assert classes["\u0663"] == classes["\u0669"] == classes["7"] != classes["a"]


@pytest.mark.parametrize("name", sorted(TRANSLATED))
def test_a_table_tells_what_it_changes(name: str) -> None:
    table = Table(frozenset((name,)))
    for page in range(0x1100):
        changed = {ord(one): table[ord(one)] for one in characters(page) if table[ord(one)] != one}
        assert table.changed(chr(page << 8)) == changed
