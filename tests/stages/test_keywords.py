"""Keywords are found as a search for each would find them, whatever is looked at first."""

from __future__ import annotations

from dataclasses import replace

import pytest
import regex
from hypothesis import example, given
from hypothesis import strategies as st

from guardstream.events import Finding
from guardstream.scan.match import Confirm
from guardstream.scan.regex.rereading import AT_ONCE
from guardstream.scan.regex.scan import PatternScan
from guardstream.stages.confirm import confirmation_of
from guardstream.stages.redact import RuleSet
from guardstream.stages.rules import OnOverflow, Rule
from tests.support.chunking import joined, one_by_one, play
from tests.support.forms import FORMS, searching

LETTERS = "aiksßéÉıİſK1一号Ж жΣςσẞ-_\u0345\u10d50𞤀𞤢"


def confirm_after(keyword: str, normalize: tuple[str, ...] = (), distance: int = 40) -> Confirm:
    rule = Rule("r", patterns=("x",), keywords=(keyword,), normalize=normalize)
    confirmation = confirmation_of(replace(rule, keyword_distance=distance))
    assert confirmation is not None
    return confirmation.of_patterns


def is_near(keyword: str, before: str) -> bool:
    return confirm_after(keyword).judge("x", before)


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


@given(
    st.text(LETTERS.replace(" ", "").replace("-", "").replace("_", ""), min_size=1, max_size=3),
    st.text(LETTERS + "\u200b", max_size=8),
    st.sampled_from([(), ("zero_width",), ("confusables",)]),
)
@example("no", "n\u200bo", ("zero_width",))
@example("no", "n0", ("confusables",))
def test_a_text_without_keywords_refuses_whatever_begins_in_it(
    keyword: str, text: str, normalize: tuple[str, ...]
) -> None:
    confirm = confirm_after(keyword, normalize)
    assert confirm.keywords is not None
    if confirm.keywords.are_missing(text):
        assert not any(confirm.judge("x", text[:at]) for at in range(len(text) + 1))


def test_what_no_keyword_announces_is_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def read_again(*_: object, **__: object) -> None:
        raise AssertionError

    rule = Rule("r", patterns=(r"\d{3,9}",), keywords=("pin",))
    text = "1234, 56789; 987654321-1234567 PIN 4711"
    shown = joined(play(RuleSet([rule]).stage(), one_by_one(text)))
    assert shown == text.replace("4711", "[r]")
    monkeypatch.setattr(PatternScan, "_restart", read_again)
    quiet = text.partition("PIN")[0]
    assert joined(play(RuleSet([rule]).stage(), one_by_one(quiet))) == quiet


@pytest.mark.parametrize("native", FORMS)
def test_a_group_may_be_announced_after_what_hides_its_match(native: bool) -> None:
    rule = Rule("r", patterns=("(?:1|2 pin )([23])",), group=1, keywords=("pin",))
    with searching(native):
        assert joined(play(RuleSet([rule]).stage(), one_by_one("12 pin 3"))) == "12 pin [r]"


@pytest.mark.parametrize("native", FORMS)
@pytest.mark.parametrize("pattern", [r"\S+", r"(\w)\w*\1"])
def test_a_long_match_is_refused_in_time(native: bool, pattern: str) -> None:
    """All of it would be read again for each of its characters otherwise, more than is paid for."""
    rule = Rule("r", patterns=(pattern,), keywords=("no",))
    text = f"{'knob' * 900} ok"
    with searching(native):
        rules = RuleSet([rule], max_holdback=4000)
        assert findings(rules, text) == []
        assert len(findings(rules, f"{text} no {'knob' * 100}")) == 1


def test_no_character_waits_until_all_that_is_held_is_asked_for_a_keyword(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []

    def stand_before(*_: object) -> bool:
        asked.append(1)
        return False

    monkeypatch.setattr(type(confirm_after("no").keywords), "stand_before", stand_before)
    stage = RuleSet([Rule("r", patterns=(r"\w+",), keywords=("no",))], max_holdback=1000).stage()
    most = 0
    for letter in "knob" * 700:
        asked.clear()
        stage.feed(letter)
        most = max(most, len(asked))
    assert 0 < most <= max(AT_ONCE, 1000 // 4)


NUMBERS = (
    r"\d{3,9}",
    r"\d+(?:-\d+)*",
    r"ab\d+|b\d{2,4}x|\d{2}",
    r"\d\d.{0,6}\d",
    r"(\d)\d*\1",
    r"\d+(?=.*x)",
)


def announced_by_pin(pattern: str, distance: int, normalize: tuple[str, ...]) -> Rule:
    rule = Rule("r", patterns=(pattern,), keywords=("pin",), keyword_distance=distance)
    return replace(rule, normalize=normalize)


PIECES = ("1", "23", "4567", "-", " ", "b", "ab", "x", "pin", "PIN", "no pin", "\u200b", "é")


@pytest.mark.parametrize("native", FORMS)
@given(
    pattern=st.sampled_from(NUMBERS),
    distance=st.sampled_from([1, 4, 9]),
    normalize=st.sampled_from([(), ("zero_width",)]),
    pieces=st.lists(st.sampled_from(PIECES), max_size=20),
)
def test_what_is_refused_at_once_is_what_is_refused_one_by_one(
    native: bool, pattern: str, distance: int, normalize: tuple[str, ...], pieces: list[str]
) -> None:
    rule = announced_by_pin(pattern, distance, normalize)
    with searching(native), pytest.MonkeyPatch.context() as patch:
        text = "".join(pieces)
        at_once = play(RuleSet([rule]).stage(), one_by_one(text))
        patch.setattr(PatternScan, "_is_refused", lambda *_: False)
        assert play(RuleSet([rule]).stage(), [text]) == at_once


@pytest.mark.parametrize("native", FORMS)
@pytest.mark.parametrize("on_overflow", ["mask", "block", "release"])
def test_what_no_keyword_announces_does_not_overflow(native: bool, on_overflow: OnOverflow) -> None:
    rule = Rule("r", patterns=(r"\w+",), keywords=("customer no",), keyword_distance=20)
    with searching(native):
        rules = RuleSet([rule], max_holdback=64, on_overflow=on_overflow)
        quiet = f"image {'iVBORw0KGgo' * 60} customer {'x' * 500}"
        assert joined(play(rules.stage(), one_by_one(quiet))) == quiet
        # It is announced from where the keyword ends.
        events = play(rules.stage(), one_by_one(f"{'x' * 80} customer no. {'y' * 80} {'z' * 20}"))
        over = [event for event in events if isinstance(event, Finding) and event.start < 160]
        assert over[0].kind == "overflow"
        assert over[0].start == 94


@pytest.mark.parametrize("native", FORMS)
@given(
    pattern=st.sampled_from(NUMBERS),
    distance=st.sampled_from([1, 4, 9]),
    normalize=st.sampled_from([(), ("zero_width",)]),
    on_overflow=st.sampled_from(["mask", "release"]),
    pieces=st.lists(st.sampled_from(PIECES), max_size=20),
)
def test_only_what_is_announced_overflows(
    native: bool,
    pattern: str,
    distance: int,
    normalize: tuple[str, ...],
    on_overflow: OnOverflow,
    pieces: list[str],
) -> None:
    rule = announced_by_pin(pattern, distance, normalize)
    text = "".join(pieces)
    with searching(native):
        tight = RuleSet([rule], max_holdback=6, on_overflow=on_overflow)
        found = findings(tight, text)
        announced = confirm_after("pin", normalize, distance).judge
        for finding in found:
            assert finding.kind == "match" or announced("x", text[: finding.start])
        if all(finding.kind == "match" for finding in found):
            assert found == findings(RuleSet([rule], max_holdback=300), text)


@pytest.mark.parametrize("native", FORMS)
def test_what_began_while_another_rule_overflowed_overflows_only_if_announced(native: bool) -> None:
    """However many places have to be asked for a keyword, of which parts are everywhere."""
    other = Rule("other", patterns=(r"\w+(?=!)",), replacement="*")
    rule = Rule("r", patterns=("k.*?!",), keywords=("no",), replacement="*")
    with searching(native):
        rules = RuleSet([other, rule], max_holdback=6)
        text = f"{'knob' * 60} {'.' * 40}"
        assert [(each.rule, each.kind) for each in findings(rules, text)] == [("other", "overflow")]
        assert joined(play(rules.stage(), [text]))[240:] == text[240:]


def findings(rules: RuleSet, text: str) -> list[Finding]:
    return [each for each in play(rules.stage(), one_by_one(text)) if isinstance(each, Finding)]
