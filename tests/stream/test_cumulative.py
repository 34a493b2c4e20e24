"""Cumulative text is told from deltas, however often a chunk says the same."""

from __future__ import annotations

import pytest

from guardstream.errors import AdapterError
from guardstream.stream.flows.str_streams import Grown


def test_text_that_grows_after_it_has_stood_still_is_refused() -> None:
    growth = Grown()
    assert all(growth.may_be_cumulative("Thinking about it …") for _ in range(100_000))
    assert growth.may_be_cumulative("Thinking about it … The")
    with pytest.raises(AdapterError, match="cumulative_text"):
        growth.may_be_cumulative("Thinking about it … The answer")


@pytest.mark.parametrize("chunk", ["abcd", "\n"])
def test_the_same_chunk_again_and_again_is_a_delta_in_the_end(chunk: str) -> None:
    growth = Grown()
    assert not all(growth.may_be_cumulative(chunk) for _ in range(200_000))
