"""The messages of Letta's agents, as objects of classes that have their fields, and on the wire."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import pytest

from guardstream import Guard, Policy
from guardstream.formats import detect
from tests.support.samples.letta import (
    Assistant,
    Calling,
    Delta,
    Message,
    Reasoning,
    Returned,
    Stop,
    Usage,
    said,
)


def called(pieces: Sequence[str], own: str = "call_1", **more: Any) -> list[Any]:
    begun = Calling(tool_call=Delta(name="find", arguments="", tool_call_id=own), **more)
    rest = [Calling(tool_call=Delta(arguments=piece, tool_call_id=own), **more) for piece in pieces]
    return [begun, *rest]


def step(pieces: Sequence[str]) -> list[Any]:
    returned: dict[str, Any] = {"tool_return": "a secret", "stdout": ["a secret"]}
    result = {"type": "tool", "status": "success", "tool_call_id": "call_1", **returned}
    return [
        *(Reasoning(reasoning=piece) for piece in pieces),
        *called(pieces),
        Message(message_type="ping", id="ping-1"),
        Returned(id="message-2", **returned, tool_returns=[result]),
        *said(pieces, "message-3"),
        Stop(),
        Usage(),
    ]


def as_dicts(source: Sequence[Any]) -> list[dict[str, Any]]:
    return [json.loads(each.model_dump_json(exclude_none=True)) for each in source]


def text(chunks: Sequence[Any], own: str | None = None) -> str:
    found = [each for each in chunks if isinstance(each, Assistant) and own in (None, each.id)]
    return "".join(each.content if isinstance(each.content, str) else "|" for each in found)


@pytest.mark.parametrize("first", [*step(["so"]), Message(message_type="user_message")])
def test_a_stream_may_begin_with_any_message(first: Any) -> None:
    assert detect(first).name == "letta"  # type: ignore[attr-defined]


def test_other_formats_may_have_types_of_the_same_names() -> None:
    for kind in ("ping", "assistant_message", "stop_reason"):
        first = {"message_type": kind, "content": "so"}
        assert detect(first).name == "json"  # type: ignore[attr-defined]


def test_a_message_of_the_policy_is_one_to_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    beside = ModuleType("assistant_message")
    beside.AssistantMessage = Assistant  # type: ignore[attr-defined]
    package = Assistant.__module__.rpartition(".")[0]
    monkeypatch.setitem(sys.modules, f"{package}.assistant_message", beside)
    policy = "block_message: no more\nrules: [{id: b, words: [bad], action: block}]"
    guard = Guard(Policy.parse(policy))
    for source in (called(['{"q": "so ', 'bad"']), said(["so ", "bad"])):
        out = list(guard.wrap_sync(source))
        assert text(out).endswith("no more")
        dicts = [each for each in guard.wrap_sync(as_dicts(source)) if "content" in each]
        assert dicts[-1] == as_dicts(out)[-1]
