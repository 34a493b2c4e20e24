"""Words whose letters are held apart: where they begin and end, the source's neighbours say."""

from __future__ import annotations

import pytest

from guardstream.events import Finding
from guardstream.stages.redact import RuleSet
from guardstream.stages.rules import Rule

RULES = RuleSet([Rule("w", words=("password", "pass"), normalize=("separators",))])


def found(text: str, rules: RuleSet = RULES) -> list[str]:
    """What is found, fed whole and by single characters alike."""
    answers = []
    for chunks in ([text], list(text)):
        stage = rules.stage()
        events = [event for chunk in chunks for event in stage.feed(chunk)] + stage.finish()
        answers.append([text[e.start : e.end] for e in events if isinstance(e, Finding)])
    assert answers[0] == answers[1]
    return answers[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("the p a s s w o r d is", ["p a s s", "p a s s w o r d"]),
        ("t h e p a s s i s", ["p a s s"]),
        ("p.a.s.s, p-a_s", ["p.a.s.s"]),
        ("x.p.a.s.s.x", ["p.a.s.s"]),
        ("p. a. s. s", ["p. a. s. s"]),
        ("the pas s word", []),
        ("p ass", []),
        ("p a ss", []),
        ("p a s sword", []),
        ("xp a s s", []),
    ],
)
def test_a_spelled_out_word_is_bounded_by_its_neighbours(text: str, expected: list[str]) -> None:
    assert found(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a blue bird", ["blue bird"]),
        ("a b.l.u.e b.i.r.d", ["b.l.u.e b.i.r.d"] * 2),
        ("a b l u e b i r d", ["b l u e b i r d"] * 2),
        ("a blue-bird, a bluebird", ["blue-bird", "bluebird"]),
        ("a b.l.u.e.b.i.r.d", ["b.l.u.e.b.i.r.d"]),
        ("a blue birds", []),
    ],
)
def test_a_phrase_is_found_apart_if_it_is_listed_with_a_hyphen(
    text: str, expected: list[str]
) -> None:
    rules = RuleSet([Rule("w", words=("blue bird", "blue-bird"), normalize=("separators",))])
    stage = rules.stage()
    events = [*stage.feed(text), *stage.finish()]
    assert [text[e.start : e.end] for e in events if isinstance(e, Finding)] == expected


PHRASES = (
    "a team", "x ray", "i love you", "what a day", "vitamin c intake", "9 11", "U.S. government",
    "rock 'n' roll", "c++ developer", "x\u00a0ray", "x - ray", "at&t network", "日x team",
    "wait.... what", "a-----b",
)  # fmt: skip


@pytest.mark.parametrize("names", [(), ("spaces",), ("width", "zero_width", "repeats")])
@pytest.mark.parametrize("phrase", PHRASES)
def test_a_phrase_is_found_as_it_is_written(phrase: str, names: tuple[str, ...]) -> None:
    rules = RuleSet([Rule("w", words=(phrase,), normalize=("separators", *names))])
    assert found(f"the {phrase} is", rules) == [phrase]


@pytest.mark.parametrize(
    "text", ["b.l.u.e b.i.r.d", "b l u e bird", "blue b i r d", "b l u e b-ird"]
)
def test_the_space_of_a_phrase_may_stand_after_a_letter_that_stands_alone(text: str) -> None:
    rules = RuleSet([Rule("w", words=("blue bird", "a blue x"), normalize=("separators",))])
    assert found(f"a {text}.", rules) == [text]


def test_a_phrase_hides_no_word_whose_letters_stand_alone() -> None:
    rules = RuleSet([Rule("w", words=("a team", "abc"), normalize=("separators",))])
    assert found("a b c, a team", rules) == ["a b c", "a team"]


@pytest.mark.parametrize(
    ("names", "text"),
    [
        (("width",), "ⓟⓐⓢⓢ"),
        (("width",), "⒫⒜⒮⒮"),
        (("width",), "p.🄰.ⓢ.s"),
        (("width",), "ⓟ ⓐ ⓢ ⓢ"),
        (("confusables",), "p⍺ss"),
    ],
)
@pytest.mark.parametrize("others", [(), ("repeats",)])
def test_a_sign_that_is_compared_as_a_letter_is_no_separator(
    names: tuple[str, ...], text: str, others: tuple[str, ...]
) -> None:
    rules = RuleSet([Rule("w", words=("pass",), normalize=("separators", *names, *others))])
    assert found(f"the {text} is", rules) == [text]


def test_letters_of_one_character_stand_together() -> None:
    rules = RuleSet([Rule("w", words=("fifa", "fad"), normalize=("separators", "width"))])
    assert found("f ﬁfa, f ﬁ f a, f ad", rules) == ["ﬁfa", "ﬁ f a"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I illegal", "illegal"),
        ("i iillegal", "iillegal"),
        ("i. ill\u200begal", "ill\u200begal"),
        ("i i\u200bllegal", "i\u200bllegal"),
        ("i i l l e g a l", "i i l l e g a l"),
        ("i-illegal", "i-illegal"),
    ],
)
def test_a_letter_alone_does_not_stretch_a_word_that_begins_with_it(
    text: str, expected: str
) -> None:
    names = ("separators", "repeats", "zero_width")
    for whole in True, False:
        rules = RuleSet([Rule("w", words=("illegal",), whole_word=whole, normalize=names)])
        assert found(f"- {text}.", rules) == [expected]


@pytest.mark.parametrize("others", [(), ("bird",)])
@pytest.mark.parametrize(
    ("text", "expected"), [("p a s s", ["p a s s"]), ("pas s", []), ("pa s s", [])]
)
def test_parts_are_spelled_out_as_whole_words_are(
    text: str, expected: list[str], others: tuple[str, ...]
) -> None:
    part = Rule("w", words=("pass",), whole_word=False, normalize=("separators",))
    whole = [Rule("o", words=others, normalize=("separators",))] if others else []
    assert found(f"x {text} x", RuleSet([part, *whole])) == expected


def test_words_of_signs_alone_are_found_as_they_stand() -> None:
    rules = RuleSet([Rule("w", words=("---", "\U0001f52b", "ab"), normalize=("separators",))])
    stage = rules.stage()
    events = [*stage.feed("--- -\U0001f52b- a.b -.-.-"), *stage.finish()]
    spans = [(event.start, event.end) for event in events if isinstance(event, Finding)]
    assert spans == [(0, 3), (5, 6), (8, 11)]
