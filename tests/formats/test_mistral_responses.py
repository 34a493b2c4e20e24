"""Mistral's frames around events of the Responses API: as dicts, and as the package gives them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from guardstream.formats import detect
from guardstream.formats.mistral.responses import MistralResponses
from tests.formats.responses import Event, call, stream, text
from tests.laws.asked import plain
from tests.support.optional import optional

models = optional("mistralai.client.models")

Make = Callable[[Event], Any]


def frame(event: Event) -> Event:
    """An event with its name, as the package reads it."""
    named = event["type"] == "response.function_call_arguments.done"
    return {"event": event["type"], "data": {**event, "name": "find"} if named else event}


@pytest.fixture(
    params=[
        pytest.param(copy.deepcopy, id="dict"),
        pytest.param(models.ResponsesStreamFrame.model_validate, id="object"),
    ]
)
def make(request: pytest.FixtureRequest) -> Make:
    """Frames as plain dicts and as the package's objects."""
    made: Make = request.param
    return made


SOURCE = [
    frame(event)
    for event in stream(call("find", '{"q": "a sec', 'ret"}'), text("so a sec", "ret", " b"))
]


def data(out: Sequence[Any]) -> list[Event]:
    """The events in frames, which have their names."""
    frames = [plain(each) for each in out]
    assert [each["event"] for each in frames] == [each["data"]["type"] for each in frames]
    return [each["data"] for each in frames]


def test_the_adapter_is_found_by_the_first_frame(make: Make) -> None:
    assert type(detect(make(SOURCE[0]))) is MistralResponses
