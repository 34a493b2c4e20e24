"""The text so far is told from deltas in every format, and clients get it back as it came."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from random import Random
from typing import Any

import pytest

from guardstream import Guard, Policy
from guardstream.stream.flows.growth import Growth
from tests.providers.chunks import accumulate, chunk

POLICY = """
rules:
  - {id: bird, words: [bluebird], replacement: "[bird]"}
  - {id: fish, words: [redfish], action: block}
"""
GUARD = Guard(Policy.parse(POLICY))


def growing(text: str, size: int) -> list[dict[str, Any]]:
    """All of a text so far in each chunk."""
    return [chunk({"content": text[: at + size]}) for at in range(0, len(text), size)]


def values(chunks: list[dict[str, Any]]) -> list[str]:
    found = [each["choices"][0]["delta"].get("content") for each in chunks]
    return [each for each in found if each]


@pytest.mark.parametrize("size", range(1, 15))
def test_cumulative_text_is_guarded_as_one_and_goes_out_as_such(size: int) -> None:
    source = [*growing("The bluebird sings in the morning, blue", size), chunk(finish="stop")]
    stream = GUARD.wrap_sync(source)
    said = values([*stream])
    assert said[-1] == stream.result.text == "The [bird] sings in the morning, blue"
    assert all(after.startswith(before) for before, after in pairwise(said))


@pytest.mark.parametrize("size", range(1, 15))
def test_a_block_in_cumulative_text_shows_nothing_of_the_match(size: int) -> None:
    stream = GUARD.wrap_sync(growing("Hello there, a redfish swims", size))
    assert all("Hello there, a ".startswith(each) for each in values([*stream]))
    assert stream.finish == "content_filter"


@pytest.mark.parametrize("deltas", [["-", "--", "----"], ["1", "10", "100"], ["|--", "|--|--"]])
def test_tables_and_numbers_are_deltas(deltas: list[str]) -> None:
    source = [chunk({"content": each}) for each in [*deltas, " so it is"]]
    out = accumulate([*GUARD.wrap_sync(source)])
    assert out == {(0, "content"): "".join(deltas) + " so it is"}


def test_values_that_may_be_either_wait_no_longer_than_the_text() -> None:
    source = [chunk({"content": each}) for each in ("a", "ab")]
    assert [*GUARD.wrap_sync([*source, chunk(finish="stop")])] == [*source, chunk(finish="stop")]


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
