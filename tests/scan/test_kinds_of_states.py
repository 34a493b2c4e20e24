"""Patterns are searched for apart by what their states follow: the spelling of a text, the shape of
its words, or how long a word is. What is found does not depend on it."""

from __future__ import annotations

import pytest
import regex

from guardstream.events import Finding
from guardstream.scan.regex import forms
from guardstream.scan.regex.analysis import counts
from guardstream.scan.regex.parser import parse
from guardstream.scan.regex.scan import PatternScan
from guardstream.stages.redact import RuleSet
from guardstream.stages.rules import Rule

SPELLED = r"\bkey=\w{4}"
SHAPED = r"\b[A-Z]{2}\d{3}\b"
COUNTED = r"\b[a-z0-9]{8,20}\.code"
TEXT = "key=abcd AB123 letters12.code key=lettersandmore.code monkey=AB123.codes"


def is_any_letter(fragment: str) -> bool:
    return all(map(regex.compile(fragment).match, "abcz"))


@pytest.mark.parametrize(
    ("pattern", "count"),
    [
        (r"[a-z]{52}AZ[a-z]{9}", 52),
        (r"(?<!\w)(?:o')?[\w.]{1,64}@\w{9}", 64),
        (r"(?>\w{3})(\w\w|x\w{7})-\w", 5),
        (r"(?:\w{2,3}){4}", 12),
        (r"\w{3,}-\w{4}", 3),
        (r"\w+", 1),
        (r"key=\w{9}", 0),
        (r"\d{9}\w{9}", 0),
        (r"(?:key|\w{4})", 4),
    ],
)
def test_letters_are_counted_until_a_pattern_tells_them_apart(pattern: str, count: int) -> None:
    assert counts(parse(pattern).tree, is_any_letter) == count


def searches(*patterns: str) -> int:
    """How many searches of patterns a stream of these has."""
    stage = RuleSet([Rule(f"r{n}", patterns=(p,)) for n, p in enumerate(patterns)]).stage()
    return sum(isinstance(scan, PatternScan) for scan in stage._searches.scans)


def test_spelling_shape_and_count_are_followed_apart() -> None:
    assert searches(SPELLED, SPELLED) == 1
    assert searches(SPELLED, SHAPED) == 2
    assert searches(SPELLED, SHAPED, COUNTED) == 3
    assert searches(SHAPED, COUNTED, r"\b\w{8}-\w\b") == 2  # what counts may spell nothing


def test_few_patterns_stay_together_in_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forms, "PYTHON", forms.PYTHON._replace(few=3))
    assert searches(SPELLED, SHAPED, COUNTED) == (3 if forms.NATIVE else 1)
    assert searches(SPELLED, SHAPED, COUNTED, SPELLED) == 3


def test_the_patterns_of_a_rule_stay_together() -> None:
    stage = RuleSet([Rule("r", patterns=(SPELLED, SHAPED, COUNTED))]).stage()
    assert sum(isinstance(scan, PatternScan) for scan in stage._searches.scans) == 1


@pytest.mark.parametrize("size", [1, 3, 100])
def test_all_of_them_find_what_each_finds_alone(size: int) -> None:
    patterns = (SPELLED, SHAPED, COUNTED)
    stage = RuleSet([Rule(f"r{n}", patterns=(p,)) for n, p in enumerate(patterns)]).stage()
    events = [e for at in range(0, len(TEXT), size) for e in stage.feed(TEXT[at : at + size])]
    events += stage.finish()
    assert {(e.rule, e.start, e.end) for e in events if isinstance(e, Finding)} == {
        (f"r{number}", *match.span())
        for number, pattern in enumerate(patterns)
        for match in regex.finditer(pattern, TEXT)
    }
