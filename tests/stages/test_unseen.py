"""Rules with `normalize: [zero_width]`: patterns in the text, and in what is seen of it."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest
import regex as re

from guardstream.events import Event, Finding, Finish
from guardstream.scan.readings import MAX_READINGS
from guardstream.scan.unseen import SPACES, unseen
from guardstream.stages.redact import RuleSet
from guardstream.stages.rules import Keep, Rule
from tests.support.chunking import joined, one_by_one, play
from tests.support.forms import form

__all__ = ["form"]

ZWSP, SHY, HEART = "\u200b", "\u00ad", "\u2764\ufe0f"

KEY = Rule(
    "key", patterns=(r"(?<!\w)key-[0-9a-z]{8}(?!\w)",), normalize=("zero_width",), replacement="*"
)


def events(text: str, *rules: Rule, max_holdback: int = 64) -> list[Event]:
    """What becomes of a text, character by character as well as at once."""
    made = RuleSet(rules, max_holdback=max_holdback)
    whole = play(made.stage(), [text], max_holdback)
    assert play(made.stage(), one_by_one(text), max_holdback) == whole
    return whole


def spans(text: str, *rules: Rule) -> list[tuple[str, int, int]]:
    return [(e.rule, e.start, e.end) for e in events(text, *rules) if isinstance(e, Finding)]


@pytest.mark.usefixtures("form")
@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"a k{ZWSP}ey-1234{SHY}5678 b", f"a {'*' * 14} b"),
        (f"a {ZWSP}key-12345678{ZWSP} b", f"a {ZWSP}{'*' * 12}{ZWSP} b"),
        # What is not seen is a boundary as well.
        (f"a{ZWSP}key-12345678{ZWSP}b", f"a{ZWSP}{'*' * 12}{ZWSP}b"),
        (f"{HEART} key-12345678 {HEART}", f"{HEART} {'*' * 12} {HEART}"),
        (f"{HEART} key{ZWSP}-1234", f"{HEART} key{ZWSP}-1234"),
        (ZWSP * 3, ZWSP * 3),
    ],
)
def test_a_pattern_is_found_with_what_is_not_seen_in_it(text: str, shown: str) -> None:
    assert joined(events(text, KEY)) == shown


@pytest.mark.usefixtures("form")
def test_a_span_begins_and_ends_in_what_is_seen() -> None:
    assert spans(f"{ZWSP}key-{ZWSP}12345678{ZWSP}", KEY) == [("key", 1, 14)]


@pytest.mark.usefixtures("form")
def test_what_is_found_both_ways_is_found_once() -> None:
    quoted = Rule("quoted", patterns=('"[^"]{1,9}"',), normalize=("zero_width",))
    assert spans(f'"a{ZWSP}b" "c"', quoted) == [("quoted", 0, 5), ("quoted", 6, 9)]


@pytest.mark.usefixtures("form")
def test_a_word_and_each_pattern_are_found_once() -> None:
    patterns = "xy(?=z)", "-?xy", "-xy.*!"
    rule = Rule("r", words=("xy",), patterns=patterns, whole_word=False, normalize=("zero_width",))
    # The word, the first pattern where it is seen, and the second both ways.
    found = [(0, 4), (2, 4), (2, 4), (2, 4)]
    assert spans(f"-{SHY}xy{ZWSP}z", rule) == [("r", *span) for span in found]


@pytest.mark.usefixtures("form")
def test_a_rule_that_does_not_ask_for_it_sees_all() -> None:
    plain = Rule("plain", patterns=("ab",))
    asks = Rule("asks", patterns=("ab",), normalize=("zero_width",))
    assert spans(f"a{ZWSP}b ab", plain, asks) == [("asks", 0, 3), ("plain", 4, 6), ("asks", 4, 6)]


@pytest.mark.usefixtures("form")
def test_a_block_and_a_stop_happen_at_the_character_that_completes_them() -> None:
    block = Rule("no", patterns=("badly",), action="block", normalize=("zero_width",))
    assert events(f"so b{SHY}adly!", block)[-1] == Finish("content_filter")
    assert joined(events(f"so b{SHY}adly!", block)) == "so "


@pytest.mark.usefixtures("form")
def test_validators_and_keywords_judge_what_is_seen() -> None:
    seen: list[str] = []

    def note(text: str) -> bool:
        seen.append(text)
        return True

    pin = Rule(
        "pin",
        patterns=("[0-9]{4}",),
        validators=(note,),
        keywords=("code",),
        keyword_distance=40,
        normalize=("zero_width",),
    )
    assert spans(f"the c{ZWSP}ode, as it was told to you, is 12{ZWSP}34", pin) == [("pin", 37, 42)]
    assert set(seen) == {"1234"}


@pytest.mark.usefixtures("form")
def test_keywords_are_found_long_after_what_is_not_seen() -> None:
    pin = Rule(
        "pin",
        patterns=("[0-9]{4}",),
        keywords=("code",),
        keyword_distance=40,
        normalize=("zero_width",),
    )
    assert spans(f"the c{ZWSP}ode, as it was told to you, is 1234", pin) == [("pin", 37, 41)]


@pytest.mark.usefixtures("form")
def test_what_may_be_looked_back_at_need_not_be_searched_twice() -> None:
    pin = Rule(
        "pin",
        patterns=("[0-9]{4}",),
        keywords=("code",),
        keyword_distance=40,
        normalize=("zero_width",),
        replacement="*",
    )
    stage = RuleSet([pin]).stage()
    stage.feed(f"the c{ZWSP}ode, ")
    assert stage.only_reads
    stage.feed("as it was told ")
    stage.feed(f"to y{SHY}ou, ")
    assert stage.only_reads
    text = joined(
        [*stage.feed("is 1234 or 5"), *stage.feed(f"6{ZWSP}7"), *stage.feed("8, not 9012.")]
    )
    assert text + joined(stage.finish()) == "is **** or *****, not 9012."


@pytest.mark.usefixtures("form")
def test_the_characters_that_are_kept_are_those_of_the_source() -> None:
    card = Rule("card", patterns=("[0-9]{8}",), normalize=("zero_width",), replacement=Keep(last=4))
    assert joined(events(f"no. 1234{ZWSP}5678.", card)) == "no. *****5678."


@pytest.mark.usefixtures("form")
def test_it_joins_other_ways_of_reading_characters() -> None:
    wide = Rule("wide", patterns=("[0-9]{4}",), normalize=("width", "zero_width"))
    assert spans(f"\uff11\uff12{ZWSP}\uff13\uff14", wide) == [("wide", 0, 5)]


@pytest.mark.usefixtures("form")
def test_the_search_of_what_is_seen_ends_once_it_finds_nothing_else() -> None:
    stage = RuleSet([KEY]).stage()
    stage.feed(f"{HEART} hello ")
    assert stage.only_reads
    stage.feed(f"{HEART} key-1")
    stage.feed("2345678")
    assert joined(stage.finish()) == "*" * 12


def is_unseen(code: int) -> bool:
    """What the contract says, spelled out once more."""
    if code in (0x2800, 0x489) or 0x335 <= code <= 0x338 or 0x20D2 <= code <= 0x20E4:
        return True
    if code < 0x20 or 0x7F <= code < 0xA0:
        return code not in b"\t\n\r"
    if code & 0xFFFE == 0xFFFE or 0xFDD0 <= code < 0xFDF0:
        return True
    return bool(re.match(r"[\p{Default_Ignorable_Code_Point}\p{Cf}]", chr(code)))


def test_all_characters_that_are_not_seen_are_known() -> None:
    codes = range(sys.maxunicode + 1)
    found = [code for code in codes if unseen().match(chr(code))]
    assert found == [*filter(is_unseen, codes)]


@pytest.mark.usefixtures("form")
@pytest.mark.parametrize("sign", "=<>∈≤")
def test_a_sign_that_is_negated_is_not_the_sign(sign: str) -> None:
    word = Rule("w", words=(f"a{sign}b",), replacement="*")
    pattern = Rule("p", patterns=(f"a{sign}b",), replacement="*", normalize=("zero_width",))
    for rule in (word, pattern):
        negated = f"a{sign}\u0338b"
        assert joined(events(negated, rule)) == negated
        assert joined(events(f"a{sign}b a\u0338{sign}b", rule)) == "*** ****"


@pytest.mark.usefixtures("form")
@pytest.mark.parametrize("space", sorted(SPACES))
def test_white_space_that_is_not_seen_is_a_space_between_words_and_nothing_in_one(
    space: str,
) -> None:
    phrase = Rule("w", words=("project falcon",), replacement="*")
    assert joined(events(f"a project{space}falcon", phrase)) == f"a {'*' * 14}"
    assert joined(events(f"a pro{space}ject fal{space}con", phrase)) == f"a {'*' * 16}"


@pytest.mark.usefixtures("form")
def test_a_word_of_unseen_characters_is_found_as_it_is() -> None:
    assert spans(f"a{ZWSP}b\0", Rule("w", words=(ZWSP,))) == [("w", 1, 2)]


@pytest.mark.usefixtures("form")
@pytest.mark.parametrize("normalize", [(), ("repeats",), ("separators",), ("case", "spaces")])
def test_a_word_is_bounded_by_what_is_not_seen(normalize: tuple[str, ...]) -> None:
    word = Rule("w", words=("blue",), replacement="*", normalize=normalize)
    assert joined(events("x\0blue\0bird", word)) == "x\0****\0bird"
    assert joined(events("x\0bl\0ue\0bird", word)) == "x\0*****\0bird"
    assert joined(events("xblue\0 blue\0\0x blu\0", word)) == "xblue\0 ****\0\0x blu\0"


@pytest.mark.usefixtures("form")
def test_many_readings_end() -> None:
    """Where unseen characters stand in one word after the other, few readings are followed."""
    stage = RuleSet([replace(KEY, patterns=(r"(?<!\w)\w+@",))], max_holdback=4_000).stage()
    for letter in "abcdefgh" * 40:
        stage.feed(f"{letter}\0")
    assert len(stage._searches.forks) <= 3 * MAX_READINGS
    stage.feed(" key-12345678 ")
    assert stage.held == 0


@pytest.mark.usefixtures("form")
def test_a_keyword_is_as_near_as_it_looks() -> None:
    rule = Rule(
        "pin", patterns=(r"\d{4}",), keywords=("pin",), keyword_distance=4,
        normalize=("zero_width",), replacement="*",
    )  # fmt: skip
    assert joined(events(f"pin{ZWSP} 1234", rule)) == f"pin{ZWSP} ****"


@pytest.mark.usefixtures("form")
def test_a_keyword_is_found_by_a_match_that_settles_beyond_its_reach() -> None:
    rule = Rule(
        "pin", patterns=(r"\d{2,}",), keywords=("code",), keyword_distance=5,
        normalize=("zero_width",), replacement="*",
    )  # fmt: skip
    assert joined(events(f"cod{ZWSP}e 123456, ", rule)) == f"cod{ZWSP}e ******, "


@pytest.mark.usefixtures("form")
@pytest.mark.parametrize(
    "text",
    [
        f"é{ZWSP}code 1234 x",
        f"é{ZWSP}code 12{SHY}34 x",
        f"co{ZWSP}de 12{SHY}34 x",
        f"é\0é{ZWSP}code 12{SHY}34 x",
        "\x1b[1mco\x1b[0mde 12\u206034 x",
        "é\u0336a\0code 12\ufe0f34 x",
    ],
)
def test_a_keyword_is_found_however_what_is_not_seen_beside_it_is_read(text: str) -> None:
    code = Rule(
        "code", patterns=(r"(?<!\d)\d{4}(?!\d)",), keywords=("code",), normalize=("zero_width",)
    )
    found = spans(text, code)
    assert len(found) == 1
    for at in range(1, len(text)):
        stage = RuleSet([code]).stage()
        cut = [*stage.feed(text[:at]), *stage.feed(text[at:]), *stage.finish()]
        assert [(e.rule, e.start, e.end) for e in cut if isinstance(e, Finding)] == found
