"""Responses API streams: all text is guarded wherever it is repeated, and ends are well-formed."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator, Callable
from typing import Any

import anyio
import pytest

from guardstream import extract
from guardstream.formats import OpenAIResponses, detect
from tests.formats.responses import (
    call,
    model,
    stream,
    text,
)
from tests.laws.asked import STARS as GUARD

Make = Callable[[dict[str, Any]], Any]


@pytest.fixture(params=[pytest.param(copy.deepcopy, id="dict"), pytest.param(model, id="object")])
def make(request: pytest.FixtureRequest) -> Make:
    """Events as plain dicts and as the SDK's objects."""
    made: Make = request.param
    return made


def test_the_adapter_is_found_by_the_first_event(make: Make) -> None:
    assert isinstance(detect(make(stream(text("a"))[0])), OpenAIResponses)


def test_it_is_extracted_from() -> None:
    source = stream(call("other", "[0]", item="a"), call("find", '[1, "sec', 'ret"]', item="b"))

    async def play() -> AsyncIterator[Any]:
        for event in source:
            yield event

    async def values() -> list[Any]:
        items: AsyncIterator[Any] = extract.items(GUARD.wrap(play()), "item", tool="find")
        return [item async for item in items]

    assert anyio.run(values) == [1, "******"]
