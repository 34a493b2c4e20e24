"""The packs, each alone, reach what docs/policies.md says of them."""

from __future__ import annotations

import pytest

from benchmarks import evaluate
from tests.support.corpora import needs_corpora


@pytest.mark.corpus
@needs_corpora
@pytest.mark.parametrize("part", list(evaluate.PARTS))
def test_the_packs_reach_their_targets(part: str) -> None:
    assert [str(row) for row in evaluate.PARTS[part]() if row.met is False] == []


def test_what_is_covered_is_listed() -> None:
    assert len(evaluate.listed("secrets.txt")) >= 60
    assert len(evaluate.listed("pii-en.txt")) >= 10
