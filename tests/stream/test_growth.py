"""The text so far is told from deltas in every format, and clients get it back as it came."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from guardstream.stream.flows.growth import Growth


def values(chunks: list[dict[str, Any]]) -> list[str]:
    found = [each["choices"][0]["delta"].get("content") for each in chunks]
    return [each for each in found if each]


def texts(seed: int) -> Iterator[list[str]]:
    """Random cuts of a text with tables, lines and zeros."""
    random = Random(seed)
    kinds = ["| a | b |\n|---|---|\n| 1 | 2 |\n", "-" * 60, "=" * 40 + "\n", "0" * 50, "1000000 "]
    kinds += ["    return 0\n", "\n\n", "ha", "  - item\n", "the text of an answer, as it is. "]
    while True:
        text = "".join(random.choice(kinds) * random.randint(1, 3) for _ in range(6))
        cuts = sorted(random.sample(range(1, len(text)), min(random.randint(4, 40), len(text) - 1)))
        yield [text[start:end] for start, end in zip([0, *cuts], [*cuts, None], strict=True)]


def cumulative(values: list[str]) -> bool:
    growth = Growth()
    for value in values:
        verdict = growth.take(value)
        if verdict not in ("first", "either"):
            return verdict == "cumulative"
    return False


@pytest.mark.parametrize(
    "count",
    [10_000, pytest.param(1_000_000, marks=pytest.mark.weekly)],
)
def test_no_cut_of_a_text_is_taken_for_the_text_so_far(count: int) -> None:
    cuts = texts(seed=count)
    assert not sum(cumulative(next(cuts)) for _ in range(count))
