"""Canonically equivalent texts are equal to words."""

from __future__ import annotations

import unicodedata
from itertools import product

import pytest

from guardstream.events import Finding
from guardstream.scan.words.canonical import MOST, spellings
from guardstream.stages.redact import RuleSet
from guardstream.stages.rules import Rule
from tests.support.chunking import one_by_one, play
from tests.support.forms import form

__all__ = ["form"]

pytestmark = pytest.mark.usefixtures("form")

WORDS = ["café", "Ångström", "tiếng Việt", "ệ", "año", "비밀번호", "金", "ǭ", "s\u0323\u0307", "Ω"]


def found(word: str, text: str, **keys: bool) -> list[tuple[int, int]]:
    rules = RuleSet([Rule("w", words=(word,), **keys)])
    events = play(rules.stage(), [text], 256)
    assert play(rules.stage(), one_by_one(text), 256) == events
    return [(event.start, event.end) for event in events if isinstance(event, Finding)]


@pytest.mark.parametrize("word", WORDS)
def test_a_word_is_found_however_it_is_written(word: str) -> None:
    forms = {word, *(unicodedata.normalize(name, word) for name in ("NFC", "NFD"))}
    for rule, text in product(forms, forms):
        assert found(rule, f"a {text} b") == [(2, 2 + len(text))]


@pytest.mark.parametrize(
    "written",
    ["e\u0323\u0302", "e\u0302\u0323", "\u1eb9\u0302", "\xea\u0323", "\u1ec7"],
)
def test_marks_are_compared_in_canonical_order(written: str) -> None:
    assert found("Vi\u1ec7t", f"a Vi{written}t") == [(2, 5 + len(written))]


@pytest.mark.parametrize(
    ("word", "written"), [("Å", "\u212b"), ("Ω", "\u2126"), ("金", "\uf90a"), ("a;b", "a\u037eb")]
)
def test_a_sign_equals_the_letter_that_it_is(word: str, written: str) -> None:
    assert found(word, f"a {written} b") == [(2, 2 + len(written))]


def test_a_letter_without_its_mark_is_another_one() -> None:
    for word, text in (("cafe", "café"), ("cafe", "cafe\u0301"), ("café", "cafe"), ("ano", "año")):
        assert not found(word, text)
    assert not found("ano", "año", whole_word=False)


def test_an_exact_word_is_found_as_it_is_written() -> None:
    assert found("café", "café", exact=True)
    assert not found("café", "cafe\u0301", exact=True)


def test_a_word_has_few_spellings() -> None:
    assert len(spellings("ế" * 40)) <= MOST
    assert spellings("plain") == ["plain"]
    assert spellings("秘密项目") == ["秘密项目"]


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("contraseña", "contraseña"),
        ("(?i)contrase[nñ]a", "CONTRASEÑA"),
        ("(?<=é)x", "éx"),
        ("ệ+!", "ệệ!"),
        ("(?x) ñ  o", "ño"),
        ("(?:ä|ö){2}", "äö"),
    ],
)
def test_a_pattern_has_it_by_its_kind(pattern: str, text: str) -> None:
    plain = Rule("p", patterns=(pattern,))
    asks = Rule("p", patterns=(pattern,), normalize=("canonical",))
    apart = unicodedata.normalize("NFD", text)
    for given in (text, apart):
        events = play(RuleSet([asks]).stage(), [given], 256)
        assert any(isinstance(event, Finding) for event in events)
    assert not any(isinstance(e, Finding) for e in play(RuleSet([plain]).stage(), [apart], 256))


def test_keywords_are_found_however_they_are_written() -> None:
    rule = Rule("p", patterns=(r"\d{4}",), keywords=("código",))
    for form_ in ("NFC", "NFD"):
        text = unicodedata.normalize(form_, "el código es 1234")
        events = play(RuleSet([rule]).stage(), [text], 256)
        assert any(isinstance(event, Finding) for event in events)


@pytest.mark.parametrize(
    ("pattern", "text", "match"),
    [
        (r"[a-zà-ö]+@x", "say muñoz@x", "muñoz@x"),
        (r"(?<![a-zà-ö])x+y", "ñxxy xy", "xy"),
        (r"\p{L}{3}!", "xéà!", "xéà!"),
        (r"[가-힣]{2}동", "서울 역삼동", "역삼동"),
        (r"[ぁ-ん]{2}。", "がぱ。", "がぱ。"),
    ],
)
def test_a_set_has_all_spellings_of_its_letters(pattern: str, text: str, match: str) -> None:
    rules = RuleSet([Rule("p", patterns=(pattern,), normalize=("canonical",))])
    for form_ in ("NFC", "NFD"):
        given = unicodedata.normalize(form_, text)
        for pieces in ([given], list(given)):
            events = play(rules.stage(), pieces, 256)
            (found,) = [event for event in events if isinstance(event, Finding)]
            assert given[found.start : found.end] == unicodedata.normalize(form_, match)


def test_a_letter_that_a_set_lacks_is_none_of_its_spellings() -> None:
    rules = RuleSet([Rule("p", patterns=("[à-ã]+",), normalize=("canonical",))])
    events = play(rules.stage(), ["a\u0308 q\u0301 a a\u0301"], 256)
    assert [(e.start, e.end) for e in events if isinstance(e, Finding)] == [(8, 10)]
