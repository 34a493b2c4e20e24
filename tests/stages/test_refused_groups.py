"""A match of a masked group hides others, which come back if it is refused: text waits for them."""

from __future__ import annotations

import pytest
import regex
from hypothesis import example, given
from hypothesis import strategies as st

from guardstream.events import Event, Finding
from guardstream.scan.regex.pattern_set import MIN_WINDOW
from guardstream.stages.redact import RuleSet
from guardstream.stages.rules import OnOverflow, Rule
from tests.support.chunking import joined, one_by_one, play
from tests.support.forms import FORMS, searching


def of_two(matched: str) -> bool:
    return len(matched) == 2


def no_one(matched: str) -> bool:
    return matched != "1"


def never(_: str) -> bool:
    return False


def always(_: str) -> bool:
    return True


def played(rules: RuleSet, text: str, limit: int | None = None) -> list[Event]:
    """The events of a text, which are the same whole and one character at a time."""
    events = play(rules.stage(), [text], limit)
    assert play(rules.stage(), one_by_one(text), limit) == events
    return events


@pytest.mark.parametrize("native", FORMS)
def test_an_empty_group_is_held_for_what_its_match_hides(native: bool) -> None:
    # The match at 0 has an empty group, and ends before the `1` that the one at 4 masks.
    rule = Rule("r", patterns=(r"a(1*)[^;]{0,12}(?=[a1])",), group=1, validators=(always,))
    text = "axxxa1yyyyyyyyya"
    with searching(native):
        assert joined(played(RuleSet([rule]), text)) == text.replace("1", "[r]")


GAPS = r"(?|a.{0,8}z(\d)|a.{0,3}(\d)|b.{0,9}(\d\d))"


@pytest.mark.parametrize("native", FORMS)
@pytest.mark.parametrize("gap", range(1, 6))
def test_what_a_match_hides_is_held_after_the_match_has_overflowed(native: bool, gap: int) -> None:
    # Until no `z` can come any more, the match of `a` is open, which hides that of `b`.
    rule = Rule("r", patterns=(GAPS,), group=1, validators=(of_two,), replacement="*")
    text = f"ab..1{'.' * gap}22......"
    with searching(native):
        events = played(RuleSet([rule], max_holdback=3), text, 3)
        found = [event for event in events if isinstance(event, Finding)]
        assert found[0].kind == "overflow"
        at = text.index("2")
        assert (found[-1].kind, found[-1].start, found[-1].end) == ("match", at, at + 2)
        assert "2" not in joined(events)


@pytest.mark.parametrize("native", FORMS)
def test_a_match_that_has_overflowed_holds_nothing_if_it_hides_nothing(native: bool) -> None:
    rule = Rule("r", patterns=(r"a[^;]*(\d)",), group=1, validators=(never,), replacement="*")
    text = "a1" + "." * 60
    with searching(native):
        events = played(RuleSet([rule], max_holdback=3), text, 3)
        assert joined(events) == "a****" + "." * 57
        assert len(events) == 4


@pytest.mark.parametrize("native", FORMS)
@pytest.mark.parametrize("length", [1, MIN_WINDOW + 1])
@pytest.mark.parametrize(
    ("pattern", "rest"), [(r"a[^;]*(\d)", "1...."), (r"a[^;]*(\d*)", "....."), ("a()(?:...)+", "")]
)
def test_a_refused_match_is_dropped_but_once(
    native: bool, length: int, pattern: str, rest: str
) -> None:
    """Taken again and again it would use up the steps that are paid for, and fail the rule."""
    rule = Rule("r", patterns=(pattern,), group=1, validators=(never,))
    text = f"a{'.' * length}{rest}{'.' * 30};"
    with searching(native):
        events = played(RuleSet([rule], max_holdback=12, on_overflow="release"), text, 12)
        assert joined(events) == text


PATTERNS = (
    r"a.{0,6}(1)",
    r"a.{0,6}(1)b",
    r"[ab].{0,4}(1+)",
    r"a(1*).{0,6}(?=b)",
    r"b(1?)(?:b.?){0,4}(?:(?:b.){2}){1,3}",
    GAPS.replace("z", "c"),
    r"(?:a.{0,3}(\d)b?)+",
)
TEXTS = st.text("ab12.c", max_size=24)


@pytest.mark.parametrize("native", FORMS)
@given(
    pattern=st.sampled_from(PATTERNS),
    judge=st.sampled_from([of_two, no_one, never]),
    on_overflow=st.sampled_from(["mask", "release"]),
    text=TEXTS,
)
@example(PATTERNS[0], never, "mask", "a1aa1aaaaa")
@example(PATTERNS[1], never, "release", "aa1aa11b1aa")
@example(PATTERNS[3], never, "mask", "abbbbb111b2b.ab")
def test_chunks_do_not_matter_where_a_group_may_be_refused(
    native: bool, pattern: str, judge: object, on_overflow: OnOverflow, text: str
) -> None:
    assert callable(judge)
    rule = Rule("r", patterns=(pattern,), group=1, validators=(judge,), replacement="*")
    with searching(native):
        tight = RuleSet([rule], max_holdback=3, on_overflow=on_overflow)
        shown = joined(played(tight, text, 3))
        masked = spans_found(rule, text)
        if on_overflow == "mask":
            assert all(shown[at] == "*" for start, end in masked for at in range(start, end))
        found = [e for e in played(RuleSet([rule]), text) if isinstance(e, Finding)]
        assert [(each.start, each.end) for each in found] == masked


def spans_found(rule: Rule, text: str) -> list[tuple[int, int]]:
    """What a rule masks by the contract: a refused match takes only its first character."""
    spans: list[tuple[int, int]] = []
    at = 0
    while match := regex.search(rule.patterns[0], text, pos=at):
        captures = [span for span in match.spans(1) if span[0] < span[1]]
        confirmed = any(rule.validators[0](text[start:end]) for start, end in captures)
        spans += captures if confirmed else []
        at = match.end() if confirmed else match.start() + 1
    return spans
