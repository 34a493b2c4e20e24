"""A2A's events and MCP's messages as objects of their packages."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict
from pydantic import ConfigDict

from guardstream import AdapterError, Guard, Policy
from guardstream.formats import detect
from guardstream.formats.toolkit.objects import root_of, with_changes
from tests.laws.asked import GUARD, cuttings, unchanged
from tests.support.optional import optional

models = optional("a2a.compat.v0_3.types")
messages = optional("a2a.types.a2a_pb2")
mcp = optional("mcp.types")
SessionMessage = optional("mcp.shared.message", "SessionMessage")

TEXT = "a secret, no sec"
MASKED = "a ######, no sec"

Event = dict[str, Any]

IDS: Event = {"taskId": "t", "contextId": "c"}


def artifact(text: str) -> Event:
    return {"artifactId": "a", "parts": [{"kind": "text", "text": text}]}


def told(pieces: Sequence[str]) -> list[Event]:
    """A task of version 0.3."""
    updates = [
        {**IDS, "kind": "artifact-update", "artifact": artifact(piece), "append": place > 0}
        for place, piece in enumerate(pieces)
    ]
    begun = {"kind": "task", "id": "t", "contextId": "c", "status": {"state": "submitted"}}
    over = {**IDS, "kind": "status-update", "status": {"state": "completed"}, "final": True}
    return [begun, *updates, over]


MODELS: dict[str, Any] = {
    "task": models.Task,
    "message": models.Message,
    "artifact-update": models.TaskArtifactUpdateEvent,
    "status-update": models.TaskStatusUpdateEvent,
}


def model(event: Event) -> Any:
    return MODELS[event["kind"]].model_validate(event)


def answer(event: Event) -> Any:
    whole = {"jsonrpc": "2.0", "id": "1", "result": event}
    return models.SendStreamingMessageResponse.model_validate(whole)


def message(event: Event) -> Any:
    """An event as version 1 has it."""
    names = {"artifact-update": "artifactUpdate", "status-update": "statusUpdate"}
    plain = without_kinds(event)
    plain.pop("final", None)
    return ParseDict({names.get(event["kind"], event["kind"]): plain}, messages.StreamResponse())


def without_kinds(value: Any) -> Any:
    if isinstance(value, list):
        return [without_kinds(each) for each in value]
    if not isinstance(value, dict):
        return value
    named = {"state": f"TASK_STATE_{str(value.get('state')).upper()}"} if "state" in value else {}
    plain = {name: without_kinds(each) for name, each in value.items() if name != "kind"}
    return {**plain, **named}


def text_of(artifacts: Any) -> str:
    parts = [part for each in artifacts or () if each is not None for part in each.parts]
    return "".join(getattr(getattr(part, "root", part), "text", "") for part in parts)


def update_in(chunk: Any) -> Any:
    chunk = chunk[1] if isinstance(chunk, tuple) else getattr(chunk, "root", chunk)
    return getattr(chunk, "artifact_update", getattr(chunk, "result", chunk))


def streamed(chunks: Sequence[Any]) -> str:
    return text_of(getattr(update_in(chunk), "artifact", None) for chunk in chunks)


@pytest.mark.parametrize("made", [model, answer, message])
def test_objects_of_a2a_are_guarded_and_keep_their_classes(made: Any) -> None:
    for pieces in cuttings(TEXT):
        source = [made(event) for event in told(pieces)]
        before = deepcopy(source)
        assert detect(source[0]).name == "a2a"  # type: ignore[attr-defined]
        assert unchanged(source)
        stream = GUARD.wrap_sync(source)
        out = list(stream)
        assert streamed(out) == MASKED == stream.result.text
        assert {type(each) for each in out} == {type(each) for each in source}
        assert out[-1] is source[-1]
        assert source == before


@pytest.mark.parametrize("made", [model, answer, message])
def test_a_block_rejects_a_task_of_objects(made: Any) -> None:
    source = [made(event) for event in told(["all for", "bidden fruit", "!"])]
    out = list(GUARD.wrap_sync(source))
    assert streamed(out) == "all "
    last = getattr(out[-1], "status_update", update_in(out[-1]))
    assert "rejected" in str(last.status).lower() or last.status.state == 5


def test_what_a_message_has_that_its_class_does_not_know_is_left_out() -> None:
    raw = message(told(["so"])[1]).SerializeToString() + b"\xfa\x07\x06secret"
    source = messages.StreamResponse.FromString(raw)
    (out,) = GUARD.wrap_sync([source])
    assert b"secret" not in out.SerializeToString()
    assert source.SerializeToString() == raw


def in_session(message: Any) -> SessionMessage:
    """A message as a transport gives it; version 1 has a class for any message."""
    kind: Any = mcp.JSONRPCMessage
    return SessionMessage(kind(message) if isinstance(kind, type) else message)


def test_a_block_ends_messages_of_mcp_with_an_error() -> None:
    bad = mcp.JSONRPCNotification(
        jsonrpc="2.0", method="notifications/message", params={"data": "forbidden"}
    )
    out = list(GUARD.wrap_sync([in_session(bad), in_session(bad)]))
    error = root_of(out[-1].message)
    assert isinstance(error, mcp.JSONRPCError)
    assert error.error.code == -32000
    told = {"content": [{"type": "text", "text": "so forbidden"}]}
    made = in_session(mcp.JSONRPCResponse(jsonrpc="2.0", id=7, result=told))
    (last,) = GUARD.wrap_sync([made])
    error = root_of(last.message)
    assert (type(error), error.id, error.error.code) == (mcp.JSONRPCError, 7, -32000)
    given = mcp.CallToolResult(content=[mcp.TextContent(type="text", text="forbidden")])
    stream = GUARD.wrap_sync([given])
    assert "forbidden" not in repr(list(stream))
    assert stream.finish == "content_filter"


def test_of_a_request_of_mcp_that_is_blocked_no_object_goes_out() -> None:
    params = {"message": "so forbidden", "requestedSchema": {"type": "object", "properties": {}}}
    method = "elicitation/create"
    asked = mcp.JSONRPCRequest(jsonrpc="2.0", id=2, method=method, params=params)
    (out,) = GUARD.wrap_sync([in_session(asked)])
    assert isinstance(root_of(out.message), mcp.JSONRPCError)
    bare = mcp.ElicitRequest.model_validate({"method": method, "params": params})
    assert not list(GUARD.wrap_sync([bare]))


def test_a_stop_ends_messages_of_mcp_with_the_answer_up_to_there() -> None:
    told = {"content": [{"type": "text", "text": "so enough"}]}
    made = in_session(mcp.JSONRPCResponse(jsonrpc="2.0", id=7, result=told))
    (out,) = GUARD.wrap_sync([made])
    said = root_of(out.message)
    assert (type(said), said.id) == (mcp.JSONRPCResponse, 7)
    assert said.result["content"] == [{"type": "text", "text": "so "}]


def test_an_object_that_is_no_message_is_refused() -> None:
    for provider, first in (
        ("mcp", mcp.JSONRPCNotification(jsonrpc="2.0", method="so")),
        ("a2a", model(told(["so"])[1])),
    ):
        with pytest.raises(AdapterError, match="is no"):
            list(GUARD.wrap_sync([first, object()], format=provider))


def test_a_name_that_no_class_declares_is_guarded_in_an_object() -> None:
    class Open(mcp.Result):
        model_config = ConfigDict(extra="allow")

    made = Open.model_validate({"a secret": "so", "_meta": {"text": "no"}})
    guard = Guard(Policy.parse("rules: [{id: word, words: [secret, meta]}]"))
    (out,) = guard.wrap_sync([made], format="mcp")
    assert out.model_extra == {"a [word]": "so"}
    assert out.meta == {"text": "no"}
    with pytest.raises(AdapterError, match="more than its fields"):
        with_changes(made, {"a": 1}, {"a": 2})
