"""Mistral's conversations: events as dicts, as the package gives them, and over the wire."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import httpx
import pytest

from guardstream import AdapterError
from guardstream.formats.mistral.conversations import Conversations
from tests.laws.asked import (
    GUARD,
    check_masked,
    left_raw,
)
from tests.support.optional import optional

Client = optional("mistralai.client", "Mistral")

Event = dict[str, Any]

STARTED: Event = {"type": "conversation.response.started", "conversation_id": "conv_1"}
DONE: Event = {
    "type": "conversation.response.done",
    "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
}


def said(content: Any, output: int = 0, part: int = 0, **fields: Any) -> Event:
    place = {"id": f"msg_{output}", "output_index": output, "content_index": part}
    about = {"created_at": "2025-05-27T11:43:05Z", "role": "assistant", **fields}
    return {"type": "message.output.delta", **place, "content": content, **about}


def text(piece: str, output: int = 0, part: int = 0) -> Event:
    return said({"type": "text", "text": piece}, output, part)


def thinking(piece: str, output: int = 0) -> Event:
    return said({"type": "thinking", "thinking": [{"type": "text", "text": piece}]}, output)


def call(arguments: str, output: int = 1, name: str = "find") -> Event:
    own = {"id": f"fc_{output}", "tool_call_id": f"call_{output}", "output_index": output}
    return {"type": "function.call.delta", **own, "name": name, "arguments": arguments}


def response(*events: Event) -> list[Event]:
    return [STARTED, *events, DONE]


def body(source: Sequence[Event]) -> bytes:
    """The events as they come over the wire."""
    made = [f"event: {each['type']}\ndata: {json.dumps(each)}\n\n" for each in source]
    return "".join(made).encode()


def objects(source: Sequence[Event]) -> list[Any]:
    """The events that the package gives for a body."""

    def handle(_: httpx.Request) -> httpx.Response:
        headers = {"content-type": "text/event-stream"}
        return httpx.Response(200, content=body(source), headers=headers)

    http = httpx.Client(transport=httpx.MockTransport(handle))
    client = Client(api_key="none", client=http)
    with client.beta.conversations.start_stream(inputs="q", model="m") as stream:
        return list(stream)


def wrapped(source: Sequence[Event]) -> list[Event]:
    return [{"event": each["type"], "data": each} for each in source]


def inner(each: Any) -> Event:
    """An event's data as a dict."""
    plain: Event = each if isinstance(each, dict) else json.loads(each.model_dump_json())
    found: Event = plain.get("data", plain)
    return found


def joined(source: Any) -> dict[Any, str]:
    """What a client joins, by channel and output."""
    found: dict[Any, str] = {}
    for each in map(inner, source):
        key, piece = None, ""
        if each["type"] == "message.output.delta":
            content = each["content"]
            content = {"type": "text", "text": content} if isinstance(content, str) else content
            key = content["type"]
            piece = content.get("text", "") or "".join(
                part.get("text", "") for part in content.get("thinking", ())
            )
        elif each["type"] in ("function.call.delta", "tool.execution.delta"):
            key, piece = "tool_args", each["arguments"]
        if piece:
            place = (key, each["output_index"])
            found[place] = found.get(place, "") + piece
    return found


def test_events_that_the_package_does_not_know_are_guarded() -> None:
    new = {"type": "message.output.hologram", "id": "m", "content": "the secret"}
    for made in (response(new), wrapped(response(new)), objects(response(new))):
        stream = GUARD.wrap_sync(made)
        out = list(stream)
        assert not left_raw(out)
        assert len(out) == 3
    with pytest.raises(AdapterError, match="is not known"):
        list(GUARD.wrap_sync(response(new), unknown="refuse"))
    source = response(new)
    assert list(GUARD.wrap_sync(source, format=Conversations(unknown="pass"))) == source


def test_what_a_client_joins_is_what_the_guard_makes_of_it() -> None:
    pieces = ["one ", "secret ", "word and ", "another ", "word of ", "words"]
    source = response(*map(thinking, pieces), *map(said, pieces), *map(call, ("{", '"a": 1', "}")))
    check_masked(source, joined)
    check_masked(objects(source), joined)
