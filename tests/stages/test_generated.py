"""Generated cases, each on both forms of the search, against the independent reference.

These are for every run; the gate takes 24,000 more by `tests.fuzz`, `make weekly` 100,000.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

from tests.support.forms import FORMS
from tests.support.generate import (
    Case,
    Composition,
    draw_behind,
    draw_groups,
    draw_rounds,
    draw_unseen,
)
from tests.support.harness import hunt, told

BLOCKS = 2
CASES_PER_BLOCK = 2_600


def seeds(block: int, count: int) -> range:
    return range(block * count, (block + 1) * count)


@pytest.mark.parametrize("block", range(BLOCKS))
def test_cases_equal_the_reference_and_contain_what_is_hard(block: int) -> None:
    composition = Composition()
    found = hunt(seeds(block, CASES_PER_BLOCK), composition, natives=FORMS)
    assert not found, told(found)
    assert composition.missing() == {}, str(composition)


@pytest.mark.parametrize(
    ("draw", "count"),
    [
        pytest.param(draw_groups, 400, id="groups"),
        pytest.param(draw_unseen, 750, id="unseen"),
        pytest.param(draw_behind, 400, id="lookbehinds"),
        pytest.param(draw_rounds, 200, id="rounds"),
    ],
)
@pytest.mark.parametrize("block", range(BLOCKS))
def test_cases_of_one_kind_equal_the_reference(
    draw: Callable[[Random], Case], count: int, block: int
) -> None:
    found = hunt(seeds(block, count), natives=FORMS, draw=draw)
    assert not found, told(found)
