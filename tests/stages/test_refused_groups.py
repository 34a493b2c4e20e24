"""A match of a masked group hides others, which come back if it is refused: text waits for them."""

from __future__ import annotations

import pytest

from guardstream.events import Event
from guardstream.stages.redact import RuleSet
from guardstream.stages.rules import Rule
from tests.support.chunking import joined, one_by_one, play
from tests.support.forms import FORMS, searching


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
