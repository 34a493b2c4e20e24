"""Events of OpenAI's assistants: data on the wire, and the package's objects."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pytest

from guardstream import AdapterError, Guard, Policy
from guardstream.formats.openai.assistants import Assistants
from tests.laws.asked import (
    GUARD,
    check_masked,
    cuttings,
    in_any_cut,
    left_raw,
    recorded,
    unchanged,
)
from tests.support.optional import optional

construct_type = optional("openai._models", "construct_type")
accumulate_event = optional("openai.lib.streaming._assistants", "accumulate_event")
AssistantStreamEvent = optional("openai.types.beta", "AssistantStreamEvent")

RECORDINGS = recorded("other/*test_assistant*")


def run(status: str = "in_progress", **fields: Any) -> dict[str, Any]:
    return {
        "id": "r",
        "object": "thread.run",
        "status": status,
        "instructions": "be a secret",
        **fields,
    }


def message(status: str = "in_progress", *texts: str) -> dict[str, Any]:
    content = [{"type": "text", "text": {"value": text, "annotations": []}} for text in texts]
    return {
        "id": "m",
        "object": "thread.message",
        "status": status,
        "role": "assistant",
        "content": content,
    }


def text(said: str, index: int = 0) -> dict[str, Any]:
    content = {"index": index, "type": "text", "text": {"value": said, "annotations": []}}
    return {"id": "m", "object": "thread.message.delta", "delta": {"content": [content]}}


def step(status: str, *calls: dict[str, Any]) -> dict[str, Any]:
    details = {"type": "tool_calls", "tool_calls": list(calls)}
    return {
        "id": "s",
        "object": "thread.run.step",
        "type": "tool_calls",
        "status": status,
        "step_details": details,
    }


def goes_on(call: dict[str, Any]) -> dict[str, Any]:
    details = {"type": "tool_calls", "tool_calls": [call]}
    return {"id": "s", "object": "thread.run.step.delta", "delta": {"step_details": details}}


def function(arguments: str, **named: Any) -> dict[str, Any]:
    return {"index": 0, "type": "function", "function": {"arguments": arguments, **named}}


def objects(*source: dict[str, Any]) -> list[Any]:
    made = [{"event": Assistants.event_name(data), "data": data} for data in source]
    for each in made:
        if each["event"] == "thread.message.in_progress":
            each["event"] = "thread.message.created"
    return [construct_type(type_=AssistantStreamEvent, value=each) for each in made]  # type: ignore[arg-type]


def body(*source: dict[str, Any]) -> bytes:
    named = [
        f"event: {Assistants.event_name(each)}\ndata: {json.dumps(each)}\n\n" for each in source
    ]
    return "".join([*named, "event: done\ndata: [DONE]\n\n"]).encode()


def joined(source: Any) -> dict[Any, str]:
    found: dict[Any, str] = {}
    for each in source:
        data = each if isinstance(each, dict) else each.data.model_dump()
        if data["object"] == "thread.message.delta":
            for item in data["delta"]["content"]:
                key = ("text", item["index"])
                found[key] = found.get(key, "") + ((item.get("text") or {}).get("value") or "")
        if data["object"] == "thread.run.step.delta":
            for call in data["delta"]["step_details"]["tool_calls"]:
                code = (call.get("code_interpreter") or {}).get("input") or ""
                said = (call.get("function") or {}).get("arguments") or ""
                for key, value in (
                    (("code", call["index"]), code),
                    (("tool_args", call["index"]), said),
                ):
                    found[key] = found.get(key, "") + value
    return {key: said for key, said in found.items() if said}


def test_messages_and_steps_are_masked_in_any_cut() -> None:
    said = '{"q": "a secret, no sec"}'
    masked = '{"q": "a ######, no sec"}'
    for pieces in cuttings(said):
        source = [
            run("queued"),
            step("in_progress"),
            goes_on(function("", name="find") | {"id": "c"}),
        ]
        source += [goes_on(function(piece)) for piece in pieces]
        source += [step("completed", function(said, name="find") | {"id": "c"})]
        source += [message(), *map(text, pieces), message("completed", said)]
        source += [run("completed", usage={"total_tokens": 3})]
        for made in (source, objects(*source)):
            stream = GUARD.wrap_sync(made)
            out = list(stream)
            assert joined(out) == {("text", 0): masked, ("tool_args", 0): masked}
            assert not left_raw(
                [event for event in out if event is not made[0] and event is not made[-1]]
            )
            call = stream.result.tool_calls[0]
            assert (call.name, call.id, call.arguments, call.complete) == (
                "find",
                "c",
                masked,
                True,
            )
            assert stream.finish == "stop"
        assert out[-2].data.content[0].text.value == masked


def test_the_packages_accumulator_gives_the_guarded_message() -> None:
    source = objects(
        message(), text("a sec"), text("ret, no sec"), message("completed", "a secret, no sec")
    )
    snapshot = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        for event in GUARD.wrap_sync(source):
            snapshot, _ = accumulate_event(event=event, current_message_snapshot=snapshot)
    assert snapshot is not None
    assert snapshot.content[0].text.value == "a ######, no sec"


def test_a_block_ends_the_message_and_the_run() -> None:
    guard = Guard(
        Policy.parse("block_message: no\nrules: [{id: b, words: [forbidden], action: block}]")
    )
    source = [run("queued"), message(), text("so "), text("forbidden "), text("unread")]
    for made in (source, objects(*source)):
        stream = guard.wrap_sync(made)
        out = list(stream)
        assert joined(out) == {("text", 0): "so no"}
        ended = [each if isinstance(each, dict) else each.data.model_dump() for each in out[-2:]]
        assert [each["object"] for each in ended] == ["thread.message", "thread.run"]
        assert ended[0]["content"][0]["text"]["value"] == "so no"
        assert [each["status"] for each in ended] == ["incomplete"] * 2
    assert [type(each).__name__ for each in out[-2:]] == [
        "ThreadMessageIncomplete",
        "ThreadRunIncomplete",
    ]
    blocked = in_any_cut(body(*source), guard)
    assert b"event: thread.message.delta\n" in blocked
    assert b"event: thread.run.incomplete\n" in blocked
    assert blocked.endswith(b"data: [DONE]\n\n")


def test_what_is_not_known_is_refused() -> None:
    source = [run("queued", aside="words", instructions="be kind")]
    with pytest.raises(AdapterError, match="is not known"):
        list(GUARD.wrap_sync(source, unknown="refuse"))
    assert list(GUARD.wrap_sync(source, format=Assistants(unknown="pass"))) == source


@pytest.mark.corpus
@pytest.mark.parametrize("path", RECORDINGS)
def test_recordings(path: Path) -> None:
    data = path.read_bytes()
    rows = [row.removeprefix("data:").strip() for row in data.decode().splitlines()]
    source = [json.loads(row) for row in rows if row.startswith("{")]
    assert unchanged(source)
    assert unchanged(objects(*source))
    check_masked(source, joined)
    check_masked(objects(*source), joined)
    assert in_any_cut(data) == data
