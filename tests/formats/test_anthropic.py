"""Anthropic message streams: blocks are guarded, kept in order, and closed as clients expect."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator, Callable
from typing import Any

import anyio
import pytest

from guardstream import extract
from guardstream.formats import detect
from guardstream.formats.anthropic.messages import Anthropic
from tests.formats.messages import beta_model, message, model, text, tool
from tests.laws.asked import STARS as GUARD

Make = Callable[[dict[str, Any]], Any]


@pytest.fixture(
    params=[
        pytest.param(copy.deepcopy, id="dict"),
        pytest.param(model, id="object"),
        pytest.param(beta_model, id="beta"),
    ]
)
def make(request: pytest.FixtureRequest) -> Make:
    """Events as plain dicts and as the SDK's objects."""
    made: Make = request.param
    return made


def test_the_adapter_is_found_by_the_first_event(make: Make) -> None:
    assert isinstance(detect(make(message()[0])), Anthropic)


def test_it_is_extracted_from() -> None:
    source = message(text("[0]"), tool("find", '[1, "sec', 'ret"]'))

    async def play() -> AsyncIterator[Any]:
        for event in source:
            yield event

    async def values() -> list[Any]:
        items: AsyncIterator[Any] = extract.items(GUARD.wrap(play()), "item", tool="find")
        return [item async for item in items]

    assert anyio.run(values) == [1, "******"]
