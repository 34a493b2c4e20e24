"""Halves of surrogate pairs in two texts: they are joined wherever text comes in."""

from __future__ import annotations

import json

import pytest

from guardstream import Guard, Policy
from guardstream.events import Event, Finding, Finish, Text
from guardstream.stages.halves import Halves, paired, well_formed
from tests.support.forms import form

__all__ = ["form"]

HIGH, LOW, PAIR = "\ud83d", "\ude00", "\U0001f600"

POLICIES = {
    "no rules": "rules: []",
    "words": "rules: [{id: r, words: ['😀'], whole_word: false, replacement: '*'}]",
    "pattern": "rules: [{id: r, pattern: '[😀-😃]', replacement: '*'}]",
    "limits": "rules: [{id: r, words: ['😀'], whole_word: false, replacement: '*'}]\n"
    "limits: {max_chars: 50}",
    "shadow": "mode: shadow\nrules: [{id: r, words: ['😀'], whole_word: false, replacement: '*'}]",
}


def events(policy: str, *pieces: str) -> list[Event]:
    session = Guard(Policy.parse(f"version: 1\nname: a\n{POLICIES[policy]}")).session()
    fed = [event for piece in pieces for event in session.feed(piece)]
    return [*fed, *session.finish()]


def text(found: list[Event]) -> str:
    return "".join(event.text for event in found if isinstance(event, Text))


@pytest.mark.usefixtures("form")
@pytest.mark.parametrize("policy", POLICIES)
def test_halves_equal_the_character(policy: str) -> None:
    whole = events(policy, f"a {PAIR} b")
    for pieces in ([f"a {HIGH}", f"{LOW} b"], ["a ", HIGH, "", LOW, " b"], [f"a {HIGH}{LOW} b"]):
        found = events(policy, *pieces)
        assert text(found) == text(whole)
        assert [e for e in found if isinstance(e, Finding)] == [
            e for e in whole if isinstance(e, Finding)
        ]


@pytest.mark.usefixtures("form")
@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize(
    "pieces", [["a", HIGH], [HIGH, "b"], [LOW, HIGH], [HIGH, HIGH, "b", LOW], [f"a{LOW}", "b"]]
)
def test_a_half_that_stays_alone_passes(policy: str, pieces: list[str]) -> None:
    found = events(policy, *pieces)
    assert text(found) == "".join(pieces)
    assert found[-1] == Finish("stop")


def test_a_pair_leaves_with_its_second_half() -> None:
    halves = Halves()
    assert halves.joined(f"a{HIGH}") == "a"
    assert halves.waiting == HIGH
    assert halves.joined(f"{LOW}b") == f"{PAIR}b"
    assert halves.rest() == ""
    assert halves.joined(HIGH) == ""
    assert halves.rest() == HIGH


def test_a_waiting_half_is_held() -> None:
    for policy in POLICIES:
        session = Guard(Policy.parse(f"version: 1\nname: a\n{POLICIES[policy]}")).session()
        session.feed(f"a{HIGH}")
        assert session.held == 1
        session.feed("b")
        assert session.held == 0


def test_a_result_can_be_encoded() -> None:
    guard = Guard(Policy.parse("version: 1\nname: a\nrules: []"))
    assert guard.check(f"a{HIGH}b").text == "a\ufffdb"
    stream = guard.wrap_sync([f"a{HIGH}", f"{LOW}b{LOW}"])
    assert "".join(stream) == f"a{PAIR}b{LOW}"
    assert stream.result.text == f"a{PAIR}b\ufffd"
    assert well_formed(f"{HIGH}{LOW}{HIGH}") == f"{PAIR}\ufffd"
    assert paired(f"{LOW}{HIGH}{LOW}") == f"{LOW}{PAIR}"


def test_halves_in_json_are_joined() -> None:
    policy = "version: 1\nname: a\nrules: []\njson: {schema: {type: object}}"
    document = json.dumps({"a": PAIR}, ensure_ascii=False)
    at = document.index(PAIR)
    session = Guard(Policy.parse(policy)).session()
    found = [*session.feed(document[:at] + HIGH), *session.feed(LOW + document[at + 1 :])]
    found += session.finish()
    assert text(found) == document
    assert found[-1] == Finish("stop")
