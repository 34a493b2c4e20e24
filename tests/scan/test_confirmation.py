"""Patterns that `regex` must confirm, and rules that fire at the first end of any match."""

from __future__ import annotations

import random

import pytest
import regex

from guardstream.events import Finding, Finish, Text
from guardstream.stages.redact import RuleSet
from guardstream.stages.rules import Rule
from tests.support.chunking import play
from tests.support.generate import Drawer


def answer(rule: Rule, text: str) -> tuple[str, str, list[tuple[int, int]]]:
    """The joined text, the finish and the spans; the same whole and by single characters."""
    answers = []
    for chunks in ([text], list(text)):
        stage = RuleSet([rule]).stage()
        events = [event for chunk in chunks for event in stage.feed(chunk)] + stage.finish()
        shown = "".join(event.text for event in events if isinstance(event, Text))
        spans = [(event.start, event.end) for event in events if isinstance(event, Finding)]
        last = events[-1]
        assert isinstance(last, Finish)
        answers.append((shown, last.reason, spans))
    assert answers[0] == answers[1]
    return answers[0]


@pytest.mark.parametrize(
    ("pattern", "text", "span"),
    [
        (r"(?<=xy)a(?=b)", "xyabc ", (2, 3)),
        (r"(?>a)b(?=c)", "abc ", (0, 2)),
        (r"a++b(?=c)", "abc ", (0, 2)),
        (r"(a)\1(?= )", "aa ", (0, 2)),
        (r"(?>a)b\B", "abc ", (0, 2)),
        (r"(?>a)b$", "xab", (1, 3)),
        (r"(?x: a++ b )", "xab ", (1, 3)),
        (r"(?:(?x) a++) b", "xa b ", (1, 4)),
    ],
)
def test_an_approximated_pattern_blocks_at_its_first_end(
    pattern: str, text: str, span: tuple[int, int]
) -> None:
    rule = Rule("r", action="block", patterns=(pattern,))
    assert answer(rule, text) == (text[: span[0]], "content_filter", [span])


def test_a_match_after_a_confirmed_one_is_held_from_its_first_capture() -> None:
    rule = Rule("r", patterns=(r"(?:k(.|ab)){3}",), group=1, validators=(bool,), replacement="*")
    assert answer(rule, "k1k2k3k4k5k6")[0] == "k*k*k*k*k*k*"


def test_a_refused_match_does_not_hide_one_inside_it() -> None:
    def even(text: str) -> bool:
        return int(text) % 2 == 0

    rule = Rule("r", patterns=(r"\d{4,6}(?!\d)",), validators=(even,), replacement="*")
    assert answer(rule, "a 1234567 b 123456.")[0] == "a 1234567 b ******."


def test_keywords_must_stand_within_their_distance_before_the_match() -> None:
    rule = Rule("r", patterns=(r"\d{3}",), keywords=("pin",), keyword_distance=6, replacement="*")
    assert answer(rule, "pin: 123, then 456; spin 789")[0] == "pin: ***, then 456; spin 789"


@pytest.mark.parametrize(
    "before",
    [
        "pin ", "my_pin=", "pin_1: ", '{"cardPin": ', "PINCode=", "pinCode=", r'"a\npin ',
        "card number ", "card_number=", "cardNumber=", "card-number: ", "CARD_NUMBER=",
    ],
)  # fmt: skip
def test_keywords_stand_in_the_names_of_code(before: str) -> None:
    rule = Rule("r", patterns=(r"\d{3}",), keywords=("pin", "card number"), replacement="*")
    assert answer(rule, f"{before}123")[0] == f"{before}***"


@pytest.mark.parametrize(
    "before",
    [
        r"\u0022pin: ", r"\uFF08pin\uFF09: ", r"\x22pin\x22:", "q=%7B%22pin%22%3A",
        "next=a%2526pin ", r"\\tpin\\t", "\x1b[1;32mpin\x1b[0m=", r"\u001b[32mpin ",
        r"\033[0mpin ", r"A=1\0pin=", "a?=3Dpin ",
    ],
)  # fmt: skip
def test_keywords_stand_right_after_escapes(before: str) -> None:
    rule = Rule("r", patterns=(r"\d{3}",), keywords=("pin",), replacement="*")
    assert answer(rule, f"{before} 456")[0] == f"{before} ***"


@pytest.mark.parametrize(
    ("before", "found"),
    [
        ("spin ", False),
        ("pin ", True),
        (r"a\npin ", True),
        ("x_pin ", True),
        (r"\x1b[1;3mpin ", True),
    ],
)
def test_what_stands_before_the_distance_still_bounds_a_keyword(before: str, found: bool) -> None:
    rule = Rule("r", patterns=(r"\d{3}",), keywords=("pin",), keyword_distance=4, replacement="*")
    assert answer(rule, f"{before}456")[0] == f"{before}{'***' if found else '456'}"


@pytest.mark.parametrize("before", ["m[0mpin ", r"\spin ", "=22pin ", r"\x2pin ", "a25pin "])
def test_keywords_are_no_part_of_what_only_looks_like_an_escape(before: str) -> None:
    rule = Rule("r", patterns=(r"\d{3}",), keywords=("pin",), replacement="*")
    assert answer(rule, f"{before}456")[0] == f"{before}456"


@pytest.mark.parametrize("before", ["spin ", "pinned=", "opinion: ", "PINT=", "cardnumber="])
def test_keywords_are_no_parts_of_other_words(before: str) -> None:
    rule = Rule("r", patterns=(r"\d{3}",), keywords=("pin", "card number"), replacement="*")
    assert answer(rule, f"{before}123")[0] == f"{before}123"


@pytest.mark.parametrize(
    ("keyword", "before", "found"),
    [
        ("pin", "your PIN is", True),
        ("PIN", "your pin is", True),
        ("pin", "a spinning wheel", False),
        ("pin", "nothing", False),
        ("pin code", "the Pin Code", True),
        ("e-mail", "by E-MAIL", True),
        ("clé", "la CLÉ est", True),
        ("clé", "la cle est", False),
        ("pin", "le code secret à PIN", True),
        ("密码", "your pin", False),
        ("密码", "密码", True),
        ("\u017falt", "Salt", True),  # a long s
        ("\u212aelvin", "kelvin", True),  # the sign of the unit
        ("ban\u0131r", "BANIR", True),  # an i without its dot
    ],
)
def test_a_keyword_is_found_whatever_its_case(keyword: str, before: str, found: bool) -> None:
    rule = Rule("r", patterns=("[0-9]{4}",), keywords=("zzz", keyword))
    assert bool(answer(rule, f"{before} 1234 ")[2]) is found


def test_a_counted_lazy_repeat_keeps_its_preference() -> None:
    rule = Rule("r", patterns=(r"(?:\w{1,2}){0,2}?B",))
    assert answer(rule, "1B11BB")[2] == [(0, 5), (5, 6)]


def test_a_group_may_begin_behind_a_loop_that_can_be_empty() -> None:
    rule = Rule("r", patterns=(r"(?:a?)*(A)",), group=1, replacement="*")
    assert answer(rule, "aaA A")[0] == "aa* *"


@pytest.mark.parametrize("judged", [{}, {"allow_words": ("zzz",)}, {"validators": (bool,)}])
@pytest.mark.parametrize(
    "pattern", [r"key=(\w*);", r"key=(\w*);?", r"key=(\w*)(?:;|--|!)", r"key=(\w*)(?: \w+)*;"]
)
def test_a_group_that_captures_nothing_masks_nothing(
    pattern: str, judged: dict[str, object]
) -> None:
    rule = Rule("r", patterns=(pattern,), group=1, replacement="*", **judged)
    assert answer(rule, "key=; key=ab; key=")[0] == "key=; key=**; key="


# Where the group opens the automaton knows of the first three; in the others ways meet that have
# opened it at different places, or not at all.
@pytest.mark.parametrize(
    "pattern",
    [
        r"k+(\d+)",
        r"k\w*?=(\d+);?",
        r"(?:k|kk)x*(\w+)(?:;|!)",
        r"\w+(\d+)",
        r"\w*?(\w+);",
        r"(?:k|x)+(?:\w)?(\w{2,})",
        r"k\w*(\w+)=",
    ],
)
def test_a_judge_is_given_what_the_group_has_captured(pattern: str) -> None:
    text = "kk12; kx=34; kkxab! xk7k77; k=12345=67; kkkk=1"
    for refused in ({}, {"12"}, {"1", "2", "34", "ab"}, set(text)):
        wanted, at = [], 0
        while (found := regex.compile(pattern).search(text, at)) is not None:
            taken = found[1] not in refused
            wanted += [found.span(1)] if taken else []
            at = found.end() if taken else found.start() + 1
        rule = Rule("r", patterns=(pattern,), group=1, allow_words=tuple(refused) or ("-",))
        assert answer(rule, text)[2] == wanted


@pytest.mark.parametrize("pattern", [r"key=(\w*)(?!\w)[^;]{0,900};", r"key=(?>(\w*))[^;]*;"])
def test_nothing_waits_for_a_group_that_has_captured_nothing(pattern: str) -> None:
    stage = RuleSet([Rule("r", patterns=(pattern,), group=1)], max_holdback=64).stage()
    text = "key= " + "and so on, " * 30
    shown = [event.text for event in stage.feed(text + "; key=ab") if isinstance(event, Text)]
    assert "".join(shown) == text + "; key="
    assert stage.held == 2


def test_no_text_waits_with_a_match_that_masks_nothing() -> None:
    stage = RuleSet([Rule("r", patterns=(r"(?:k(\d*)x)+",), group=1, replacement="*")]).stage()
    assert stage.feed("kxk") == [Text("kxk")]
    assert stage.feed("1xk") == []
    assert stage.feed(" ")[0] == Text("*xk ")


@pytest.mark.parametrize("judged", [{}, {"allow_words": ("zz",)}])
def test_a_match_far_longer_than_the_window_is_told_alike_in_all_chunkings(
    judged: dict[str, tuple[str, ...]],
) -> None:
    rule = Rule("r", patterns=(r"k(\w+);x{2100}-?",), group=1, replacement="*", **judged)
    text = "kab;" + "x" * 2100 + " and on"
    said = set()
    for size in (1, 7, len(text)):
        stage = RuleSet([rule], max_holdback=16).stage()
        chunks = [text[at : at + size] for at in range(0, len(text), size)]
        events = [event for chunk in chunks for event in stage.feed(chunk)] + stage.finish()
        shown = "".join(event.text for event in events if isinstance(event, Text))
        assert shown == "k" + "*" * 2103 + " and on"
        said.add(tuple((e.kind, e.start, e.end) for e in events if isinstance(e, Finding)))
    assert len(said) == 1


def test_a_match_that_the_end_decides_is_found_after_a_confirmed_one() -> None:
    rule = Rule("r", patterns=(r"((?:[^a]{1,3}?)|.)b(?:(?!\1).)*b",), replacement="*")
    assert answer(rule, "xbbxqbxb")[2] == [(0, 3), (3, 8)]


def _words(count: int) -> str:
    rng = random.Random(5)
    return " ".join("".join(rng.choices("abcdefgh", k=rng.randint(2, 9))) for _ in range(count))


@pytest.mark.parametrize(
    ("pattern", "length"), [(r"(.{30})\1", 30), (r"(.{50})\1", 50), (r"(.{20,60})\1", 40)]
)
def test_a_back_reference_to_a_long_group_does_not_fail_in_prose(pattern: str, length: int) -> None:
    prose = _words(80)
    again = prose[100 : 100 + length]
    text = f"{prose}. {again}{again}. {prose}"
    rule = Rule("r", patterns=(pattern,), replacement="*")
    found = [match.span() for match in regex.finditer(pattern, text)]
    assert found
    assert answer(rule, text)[1:] == ("stop", found)


@pytest.mark.parametrize("pattern", [r"(.{20,60})\1", r"(.{5,30})-\1", r"(?:(.{5,30}))-\1"])
@pytest.mark.parametrize("size", [1, 4, 1_000])
def test_what_overflows_is_reported_only_if_it_matches(pattern: str, size: int) -> None:
    text = _words(20) + "-" + _words(20)
    stage = RuleSet(
        [Rule("r", patterns=(pattern,), group=1 if pattern.startswith("(?:") else None)],
        max_holdback=16,
        on_overflow="release",
    ).stage()
    events = [e for at in range(0, len(text), size) for e in stage.feed(text[at : at + size])]
    events += stage.finish()
    assert regex.search(pattern, text) is None
    assert "".join(event.text for event in events if isinstance(event, Text)) == text
    found = [event for event in events if isinstance(event, Finding)]
    assert {finding.kind for finding in found} == {"overflow"}


@pytest.mark.generated
@pytest.mark.parametrize("block", range(4))
def test_of_back_references_that_overflow_nothing_but_matches_is_reported(block: int) -> None:
    for seed in range(block * 250, (block + 1) * 250):
        drawn = random.Random(seed)
        drawer = Drawer(drawn)
        one, other = drawer.char().text, drawer.letter()
        long = rf"({one}{{1,{drawn.randint(1, 6)}}}){other}?\1"
        pattern = drawn.choice((drawer.referring(), long))
        text = "".join(drawn.choices(drawer.letters + "aB1_- ", k=drawn.randint(5, 40)))
        at, again = drawn.randrange(len(text)), drawn.randint(1, 6)
        text = text[:at] + text[at : at + again] * drawn.randint(1, 3) + text[at:]
        made = RuleSet(
            [Rule("r", patterns=(pattern,))],
            max_holdback=drawn.choice((1, 2, 3, 4, 6, 8, 12)),
            on_overflow=drawn.choice(("mask", "release", "block")),
        )
        answers = [play(made.stage(), chunks) for chunks in ([text], list(text))]
        assert answers[0] == answers[1], seed
        for event in answers[0]:
            if isinstance(event, Finding) and event.kind == "match":
                assert regex.compile(pattern).fullmatch(text, event.start, event.end), seed
