"""Mistral's frames around events of the Responses API: as dicts, and as the package gives them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from guardstream import Guard, Policy
from guardstream.providers import detect
from guardstream.providers.mistral.responses import MistralResponses
from tests.providers.promises import GUARD, has_word, passes_unchanged, plain
from tests.providers.responses import Event, call, stream, text, whole
from tests.support.optional import optional

models = optional("mistralai.client.models")

Make = Callable[[Event], Any]


def frame(event: Event) -> Event:
    """An event with its name, as the package reads it."""
    named = event["type"] == "response.function_call_arguments.done"
    return {"event": event["type"], "data": {**event, "name": "find"} if named else event}


def answer(pieces: Sequence[str]) -> list[Event]:
    return [frame(event) for event in stream(text(*pieces))]


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


def deltas(out: Sequence[Any], kind: str) -> str:
    return "".join(each["delta"] for each in data(out) if each["type"] == f"response.{kind}.delta")


def test_the_adapter_is_found_by_the_first_frame(make: Make) -> None:
    assert type(detect(make(SOURCE[0]))) is MistralResponses


def test_frames_pass_as_the_same_objects(make: Make) -> None:
    passes_unchanged([make(each) for each in SOURCE])


def test_text_and_arguments_in_pieces_are_guarded(make: Make) -> None:
    source = [make(each) for each in SOURCE]
    out = list(GUARD.wrap_sync(source))
    assert deltas(out, "output_text") == "so a ****** b"
    assert deltas(out, "function_call_arguments") == '{"q": "a ******"}'
    assert not any(has_word("secret", each) or has_word("ret", each) for each in data(out))
    assert {type(each) for each in out} == {type(source[0])}
    response = data(out)[-1]["response"]
    assert response["output"][0]["arguments"] == '{"q": "a ******"}'
    assert response["output"][1]["content"][0]["text"] == "so a ****** b"


@pytest.mark.parametrize(
    ("items", "end"),
    [
        ([call("find", '{"q": "a"}'), text("so ", "forbidden")], "response.incomplete"),
        ([text("so "), call("find", '{"q": "a for', 'bidden"}')], "response.incomplete"),
        ([text("so ", "enough")], "response.completed"),
    ],
)
def test_a_stream_that_the_guard_ends_has_frames_of_its_end(
    make: Make, items: list[Any], end: str
) -> None:
    source = [make(frame(event)) for event in stream(*items)]
    out = list(GUARD.wrap_sync(source))
    assert data(out)[-1]["type"] == end
    assert deltas(out, "output_text") == "so "
    assert len(data(out)[-1]["response"]["output"]) == len(items)
    if not isinstance(source[0], dict):
        assert {type(each) for each in out} == {models.ResponsesStreamFrame}
        names = {type(each.data).__name__ for each in out[-3:]}
        assert all(name.startswith("Responses") for name in names)


def test_the_rest_of_a_message_that_is_announced_whole_comes_in_a_frame(make: Make) -> None:
    part = {"type": "output_text", "text": "so a sec", "annotations": [], "logprobs": []}
    item = {"id": "m", "type": "message", "role": "assistant", "status": "completed"}
    source = [make(frame(each)) for each in stream(whole({**item, "content": [part]}))]
    out = list(GUARD.wrap_sync(source))
    assert deltas(out, "output_text") == "sec"


def test_a_block_message_comes_in_a_frame(make: Make) -> None:
    rules = "block_message: sorry\nrules: [{id: bad, words: [forbidden], action: block}]"
    source = [make(each) for each in answer(["so ", "forbidden"])]
    out = list(Guard(Policy.parse(rules)).wrap_sync(source))
    assert deltas(out, "output_text") == "so sorry"


def test_what_is_beside_an_event_is_guarded() -> None:
    source = copy.deepcopy(SOURCE)
    source[3]["note"] = "a secret"
    source[4]["event"] = "a secret"
    out = list(GUARD.wrap_sync(source))
    assert not any(has_word("secret", each) for each in out)
    assert len(out) == len(list(GUARD.wrap_sync(SOURCE)))
