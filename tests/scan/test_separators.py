"""Words whose letters are held apart: where they begin and end, the source's neighbours say."""

from __future__ import annotations

import pytest

from guardstream.events import Finding
from guardstream.stages.redact import RuleSet
from guardstream.stages.rules import Rule

RULES = RuleSet([Rule("w", words=("password", "pass"), normalize=("separators",))])


def found(text: str) -> list[str]:
    """What is found, fed whole and by single characters alike."""
    answers = []
    for chunks in ([text], list(text)):
        stage = RULES.stage()
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
        ("a b.l.u.e b.i.r.d", ["b.l.u.e b.i.r.d"]),
        ("a b l u e b i r d", ["b l u e b i r d"]),
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


def test_words_of_signs_alone_are_found_as_they_stand() -> None:
    rules = RuleSet([Rule("w", words=("---", "\U0001f52b", "ab"), normalize=("separators",))])
    stage = rules.stage()
    events = [*stage.feed("--- -\U0001f52b- a.b -.-.-"), *stage.finish()]
    spans = [(event.start, event.end) for event in events if isinstance(event, Finding)]
    assert spans == [(0, 3), (5, 6), (8, 11)]
