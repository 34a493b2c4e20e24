"""Words whose letters may be repeated: as often as the word has them, or more."""

from __future__ import annotations

import pytest

from guardstream.events import Finding
from guardstream.stages.redact import RuleSet
from guardstream.stages.rules import Rule


def spans(rules: RuleSet, text: str) -> list[tuple[int, int]]:
    """The matches' spans; the same whole and by single characters."""
    found = []
    for chunks in ([text], list(text)):
        stage = rules.stage()
        events = [event for chunk in chunks for event in stage.feed(chunk)] + stage.finish()
        findings = [event for event in events if isinstance(event, Finding)]
        found.append([(f.start, f.end) for f in findings if f.kind == "match"])
    assert found[0] == found[1]
    return found[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("book", [(0, 4)]), ("bbooookk", [(0, 8)]), ("bok", []), ("a boook.", [(2, 7)])],
)
def test_a_word_needs_its_own_doubled_letters(text: str, expected: list[tuple[int, int]]) -> None:
    rules = RuleSet([Rule("w", words=("book",), normalize=("repeats",))])
    assert spans(rules, text) == expected


def test_letters_are_counted_from_the_candidate_that_stays_when_an_older_one_is_dropped() -> None:
    words = Rule("w", words=("aabbccdd", "bccx"), whole_word=False, normalize=("repeats",))
    rules = RuleSet([words], max_holdback=4, on_overflow="release")
    # Of `bccx` only one c is there; that `aabbcc…` was dropped must not shift the count.
    assert spans(rules, "aabbcx.") == []
    assert spans(rules, "bccx.") == [(0, 4)]
