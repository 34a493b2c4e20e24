"""A character's signature is what `regex` says of each set, however it is found out."""

from __future__ import annotations

from contextlib import suppress
from random import Random

import pytest
import regex

from guardstream.scan.regex.alphabet import CharSets

FRAGMENTS = (
    "a", "(?i:k)", "(?i:s)", "[a-f0-9]", "[^a-z]", r"[^\n]", r"\w", r"\W", r"\d", r"\D", r"\s",
    r"\S", r"[\w.-]", r"[^\s,]",
    r"(?i:[^\w])", r"[\s\S]", "[中文]", "[^中]", r"\p{L}", "[[:alnum:]]", "[$[:alpha:]]",
    r"[^\w[:punct:]]", "[x[:^alpha:]]",
    r"[^\s\S]", r"[^x\D\d]", r"[\u4e00-\u9fff]", "(?a)[^\\w]", "(?i:[à-ü])", "(?i:ⓐ)", r"[\dＡ]",
    r"[\s，。；]", r"[^\s，]", "(?i:[号群])", "(?i:[ⓐ群])", "[A-Z挂学]", r"\U0000ff5c", "[！-～]",
    r"[\U00004e00-\U00004e7f]", r"(?i:[^\W丁])", "(?i:é)", r"(?i:[é\s])",
    r"(?i:[^é\s])", r"(?i:\xe9)", r"[ \u00A0\u202F-]", r"[-\u2011]", r"[\x60'\s;]", r"\x60",
    "[:?.|]", "[:alpha:]", "[A-ZÄÖÜ]", r"[A-Za-z\xc0-\u024F]", "(?i:ɐ)", "(?i:[ɡ中])",
    r"\U0001F600", r"(?a)(?a:[^\w])", "(?i:ῼ)", "[\\\\xe9]", "[a[-中]",
)  # fmt: skip


@pytest.mark.parametrize("seed", range(3))
def test_a_signature_is_what_regex_says_of_each_set(seed: int) -> None:
    random, sets = Random(seed), CharSets()
    bits = {sets.bit(fragment): regex.compile(fragment, regex.V0) for fragment in FRAGMENTS}
    codes = [
        *range(0x400),
        *range(0x1F00, 0x2200),
        *range(0x2C60, 0x2C80),
        *range(0xA7A0, 0xA7B0),
        *range(0x4E00, 0x4F00),
        *range(0xFF00, 0x10000),
        *(random.randrange(0x110000) for _ in range(3_000)),
    ]
    letters = [chr(code) for code in codes if not 0xD800 <= code < 0xE000]
    for letter in [*letters, *"😀中文Ａ，。；号群挂学丁！～ⓐ\u2028\u3000１ⒶK"]:
        expected = sum(bit for bit, judge in bits.items() if judge.match(letter))
        assert sets.signature(letter) == expected, (letter, ascii(letter))


PARTS = (
    *"kKsSiIzß9_-^.,: ~&|'éſıİKΣςя中，", r"\\", r"\]", r"\[", r"\^", r"\-", r"\n", r"\t", r"\v",
    r"\xb5", r"\x6b", r"\u03bc", r"\u212b", r"\U0000002d", r"\U0001F600", r"\w", r"\W", r"\d",
    r"\D", r"\s", r"\S", "a-z", "!-/", "--a", "À-ÿ", r"\x00-\uffff", r"\u0400-\u04ff", "一-龥",
    r"\U00000300-\U0010ffff", "[", ":",
)  # fmt: skip
SCOPES = ("{}", "(?i:{})", "(?u:{})", "(?iu:{})", "(?a:{})", "(?a)(?i:{})")


@pytest.mark.parametrize("seed", range(8))
def test_a_set_of_any_parts_is_read_as_regex_reads_it(seed: int) -> None:
    random, sets = Random(seed), CharSets()
    judges: dict[int, regex.Pattern[str]] = {}
    while len(judges) < 60:
        parts = "".join(random.choices(PARTS, k=random.randint(1, 5)))
        fragment = random.choice(SCOPES).format(f"[{random.choice(('', '^'))}{parts}]")
        with suppress(regex.error):
            judge = regex.compile(fragment, regex.V0)
            judges[sets.bit(fragment)] = judge
    pages = (0x00, 0x01, 0x03, 0x04, 0x1E, 0x21, 0x4E, 0xFF, 0x1F6, 0x10FF)
    for letter in "".join(chr(page << 8 | code) for page in pages for code in range(0x100)):
        expected = sum(bit for bit, judge in judges.items() if judge.match(letter))
        assert sets.signature(letter) == expected, (ascii(letter), seed)


@pytest.mark.parametrize("letter", "ɤƛ\ua7cc\u1c89\U00010d50𐐀")
def test_regex_says_what_other_cases_a_letter_has(letter: str) -> None:
    # It knows later letters than the interpreter does.
    sets, fragment = CharSets(), f"(?i:{letter})"
    bit = sets.bit(fragment)
    both = [c for c in map(chr, range(0x11000)) if regex.match(fragment, c, regex.V0)]
    assert all(sets.signature(character) & bit for character in both), both


@pytest.mark.parametrize(
    "fragment", [rf"[{'é' * 200}\p{{Lu}}]", f"[{'中ü' * 100}[:digit:]]", f"[{'(?:' * 100}[a]"]
)
def test_how_many_characters_a_set_lists_does_not_matter(fragment: str) -> None:
    sets, judge = CharSets(), regex.compile(fragment, regex.V0)
    bit = sets.bit(fragment)
    for character in "é中üA1(:?x":
        assert bool(sets.signature(character) & bit) == bool(judge.match(character))
