"""How streams of the Responses API end: blocked, stopped, limited, failed."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.formats.responses import (
    Event,
    final,
    guarded,
    model,
    stream,
    types,
    whole,
)
from tests.laws.asked import STARS as GUARD
from tests.laws.asked import plain
from tests.support.optional import optional

openai = optional("openai")  # openai.types.responses

Make = Callable[[dict[str, Any]], Any]


@pytest.fixture(params=[pytest.param(copy.deepcopy, id="dict"), pytest.param(model, id="object")])
def make(request: pytest.FixtureRequest) -> Make:
    """Events as plain dicts and as the SDK's objects."""
    made: Make = request.param
    return made


def test_a_command_ends_without_its_event_where_a_package_has_no_class_for_it(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind, at = "response.shell_call_command", {"command_index": 0}
    begun = {"id": "sh", "type": "shell_call", "call_id": "c", "status": "in_progress"}
    begun |= {"action": {"commands": []}}
    between = [
        {"type": f"{kind}.added", **at, "command": ""},
        {"type": f"{kind}.delta", **at, "delta": "cat forbidden "},
    ]
    source = [make(event) for event in stream((begun, between, begun))]
    monkeypatch.delattr(openai.types.responses, "ResponseShellCallCommandDoneEvent")
    out = list(GUARD.wrap_sync(source))
    ends = ["shell_call_command.done"] if isinstance(source[0], dict) else []
    assert types(out)[-len(ends) - 2 :] == [*ends, "output_item.done", "incomplete"]
    assert final(out)["output"][0]["action"]["commands"] == ["cat "]


MESSAGE = {"type": "message", "role": "assistant"}
TEXT = {"type": "output_text", "text": "a secret, no sec", "annotations": []}
REFUSAL = {"type": "refusal", "refusal": "a secret, no sec"}

ANNOUNCED: dict[str, Event] = {
    "text": {**MESSAGE, "content": [TEXT]},
    "refusal": {**MESSAGE, "content": [REFUSAL]},
    "both": {**MESSAGE, "content": [TEXT, REFUSAL]},
    "image": {**MESSAGE, "content": [{"type": "image", "image_url": "u"}, REFUSAL]},
    "reasoning": {
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": "a secret, no sec"}],
        "content": [{"type": "reasoning_text", "text": "a secret, no sec"}],
    },
    "call": {"type": "custom_tool_call", "call_id": "c", "name": "f", "input": "a secret, no sec"},
    "code": {"type": "code_interpreter_call", "container_id": "c", "code": "a secret, no sec"},
}
"""Items whose whole text is in the event that adds them, and begins a match at its end."""


@pytest.mark.parametrize("name", ANNOUNCED)
@pytest.mark.parametrize("is_done", [True, False])
def test_an_item_that_is_announced_whole_is_guarded(make: Make, name: str, is_done: bool) -> None:
    item = {"id": "i", "status": "in_progress", **ANNOUNCED[name]}
    source = stream(whole(item))
    if not is_done:
        source = [event for event in source if event["type"] != "response.output_item.done"]
    out = guarded(source, make)
    masked = {**item, **json.loads(json.dumps(ANNOUNCED[name]).replace("secret", "******"))}
    given = [make(event) for event in stream(whole(masked))]
    assert final(out)["output"] == final(given)["output"]
    assert types(out)[:3] == types(given)[:3]
    between = out[3 : -2 if is_done else -1]
    assert {plain(event)["delta"] for event in between} == {"sec"}
