"""What a stream keeps of its text takes little more memory than that text."""

from __future__ import annotations

import pytest

from guardstream.stages.redact import RuleSet
from guardstream.stages.rules import Rule
from tests.support.effort import bytes_allocated
from tests.support.forms import FORMS, searching


@pytest.mark.parametrize("native", FORMS)
@pytest.mark.parametrize("size", [1, 4])
def test_small_chunks_weigh_no_more_than_their_text(native: bool, size: int) -> None:
    """A `str` of one character takes 50 bytes, and rules look back at what they were given."""
    with searching(native):
        rule = Rule("number", patterns=("[0-9]{6}",), keywords=("account",), keyword_distance=200)
        rules = RuleSet([rule])
        rules.stage().feed("the first text of all: " * 50)
        stage = rules.stage()

        def read() -> None:
            for at in range(0, 400, size):
                stage.feed(f"{'a quiet text '[at % 13 : at % 13 + 1]:.<{size}}")

        assert bytes_allocated(read) < 3_000
