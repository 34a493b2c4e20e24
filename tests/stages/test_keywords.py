"""Keywords are found as a search for each would find them, whatever is looked at first."""

from __future__ import annotations

from dataclasses import replace

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from guardstream.stages.confirm import confirmation_of
from guardstream.stages.redact import RuleSet
from guardstream.stages.rules import Rule
from tests.support.chunking import joined, one_by_one, play

LETTERS = "aiksßéÉıİſK1一号Ж жΣςσẞ-_\u0345\u10d50𞤀𞤢"


def is_near(keyword: str, before: str) -> bool:
    confirmation = confirmation_of(Rule("r", patterns=("x",), keywords=(keyword,)))
    assert confirmation is not None
    return confirmation.of_patterns.judge("x", before)


@given(
    st.text(LETTERS.replace(" ", "").replace("-", "").replace("_", ""), min_size=1, max_size=3),
    st.text(LETTERS, max_size=3),
    st.text(LETTERS, max_size=3),
)
def test_a_keyword_is_found_in_any_case(keyword: str, before: str, after: str) -> None:
    flags = regex.V0 | regex.IGNORECASE | regex.FULLCASE
    cases = keyword.lower(), keyword.upper(), keyword.swapcase(), keyword.casefold()
    for written in (keyword, *cases):
        if regex.fullmatch(regex.escape(keyword), written, flags):
            assert is_near(keyword, f"{before} {written} {after}")


@pytest.mark.parametrize(
    ("keyword", "before", "found"),
    [
        ("numéro", "NUMÉRO", True),
        ("numéro", "numero", False),
        ("Жук", "жУК:", True),
        ("番号", "口座番号は", True),
        ("番号", "口座", False),
        ("phone number", "homePhone_Number", True),
        ("kilo", "\u212aIL\u014f", False),
        ("kilo", "\u212a\u0130LO", True),
        ("ma\u017fk", "MASK", True),
        ("straße", "STRASSE", True),
        ("İstanbul", "i\u0307stanbul", True),
        ("i\u0307stanbul", "İSTANBUL", True),
        ("İstanbul", "Xi\u0307stanbul", False),
        ("\u1f56\u0301ff", "\u1f56\u0301\ufb00", True),
        ("strasse", "Straße", True),
        ("profile", "pro\ufb01le", True),
        ("phone number", "Phone\r\n    number:", True),
        ("phone number", "phone__number", False),
        ("card no.", "card \n no. ", True),
        ("card no.", "cardno. ", False),
        ("card no.", "postcard no. ", False),
        ("work:", "network: ", False),
        ("work:", "homeWork: at_work: ", True),
        ("work:", "at work:(", True),
        ("tel.", "Hotel. ", False),
        ("tel.", "(tel.1", True),
        ("#id", "a#id=", True),
        ("#id", "a#idea", False),
        ("n°é", "xn°é", False),
        ("番号:", "口座番号:", True),
    ],
)
def test_keywords_beyond_ascii(keyword: str, before: str, found: bool) -> None:
    assert is_near(keyword, before) is found


@pytest.mark.parametrize("rule", [Rule("r", words=("secret",)), Rule("r", patterns=("secret",))])
@pytest.mark.parametrize(
    ("name", "keyword", "before"),
    [
        ("width", "key", "ｋｅｙ"),
        ("confusables", "key", "k\u0435y"),
        ("confusables", "s3", "s3"),
        ("simplified", "密码", "密碼"),
        ("simplified", "密碼", "密码"),
        ("simplified", "密碼", "密碼"),
        ("zero_width", "key", "k\u200bey"),
    ],
)
def test_keywords_are_compared_as_the_rule_compares(
    rule: Rule, name: str, keyword: str, before: str
) -> None:
    rules = RuleSet([replace(rule, keywords=(keyword,), normalize=(name,))])
    assert joined(play(rules.stage(), one_by_one(f"{before} secret"))) == f"{before} [r]"


def routing(distance: int) -> Rule:
    """A number that counts near `routing`; characters that are not seen are left out."""
    return Rule(
        "r",
        words=("1234",),
        normalize=("zero_width",),
        keywords=("routing",),
        keyword_distance=distance,
    )


@pytest.mark.parametrize(
    ("hidden", "distance", "is_near"),
    [(64, 8, True), (64, 7, False), (65, 8, True), (200, 8, True)],
)
def test_characters_that_are_not_seen_are_no_distance_to_a_word(
    hidden: int, distance: int, is_near: bool
) -> None:
    rule = routing(distance)
    text = f"routing{hidden * chr(0x200B)} 1234"
    for chunks in ([text], one_by_one(text)):
        shown = joined(play(RuleSet([rule]).stage(), chunks))
        assert shown == (text.replace("1234", "[r]") if is_near else text)


@pytest.mark.parametrize(("hidden", "is_near"), [(64, False), (96, False), (97, True), (200, True)])
def test_a_keyword_counts_as_found_where_what_is_not_seen_hides_it(
    hidden: int, is_near: bool
) -> None:
    rule = routing(8)
    # A check is given 104 characters: 8, an escape of up to 32, and 64 that are not seen.
    text = f"number {hidden * chr(0x200B)}n= 1234, and 1234"
    for chunks in ([text], one_by_one(text)):
        shown = joined(play(RuleSet([rule]).stage(), chunks))
        assert shown == (text.replace("1234", "[r]", 1) if is_near else text)


WORDS = ["phone", "Home", "no", "n", "o", "SSN", "id2"]


@given(
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=3),
    st.sampled_from([" ", "-", "_"]),
    st.lists(
        st.sampled_from([*WORDS, "PHONE", "No", "x", " ", "\t\x1f ", "_", "-", "\\n", "."]),
        max_size=8,
    ),
)
def test_ascii_text_is_searched_like_any_other(
    words: list[str], between: str, pieces: list[str]
) -> None:
    keyword, before = between.join(words), "".join(pieces)
    rule = Rule("r", patterns=(r"\d+",), keywords=(keyword,), keyword_distance=60)
    ascii_only, other = (
        joined(play(RuleSet([rule]).stage(), [f"{other}{before} 7"])) for other in ("", "é . ")
    )
    assert other.removeprefix("é . ") == ascii_only


def test_a_keyword_may_begin_in_what_looks_like_it() -> None:
    rule = Rule("r", patterns=(r"\d+",), keywords=("ana",))
    assert joined(play(RuleSet([rule]).stage(), ["anAna 7"])) == "anAna [r]"
