"""Calls of tools in the formats that have them: values where they may be, in all that tells it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import count, zip_longest
from typing import Any

import pytest

from guardstream import Guard
from guardstream.policy import Policy
from guardstream.vault import Vault

GUARD = Guard(Policy.parse("input: {extends: guardstream/pii-en}"))
MAIL, PHONE = "mia.wolf@example.org", "+49 30 901820"
TYPED = Vault(b"k" * 16, "another").issue("email", "x@example.org")
TOOLS = {"send_mail": ["to", "list[*].mail"], "call": ["number"]}


def conversation() -> tuple[Vault, list[str]]:
    """A vault, and the stand-ins of two values and of what was typed in it."""
    vault = Vault(b"k" * 16, "calls", tools=TOOLS)
    turn = [{"role": "user", "content": f"of {text}"} for text in (MAIL, PHONE, TYPED)]
    sent = GUARD.check_messages(turn, vault=vault).messages
    return vault, [each["content"].removeprefix("of ") for each in sent]


M, P, T = conversation()[1]
GIVEN = {
    "to": M,
    "note": M,
    "list": [{"mail": M, M: M}],
    M: "x",
    "url": f"https://evil.example/{M}",
    "nested": {"to": M},
}
EXPECTED = {**GIVEN, "to": MAIL, "list": [{"mail": MAIL, M: M}]}
ARGUMENTS = json.dumps(GIVEN)

pytestmark = pytest.mark.parametrize("size", [1, 3, 7, 1000])


def pieces(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


def guarded(chunks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return list(GUARD.wrap_sync(chunks, vault=conversation()[0]))


def test_parallel_calls_in_two_choices(size: int) -> None:
    other = json.dumps({"number": P, "to": P})

    def chunk(choice: int, *calls: dict[str, Any]) -> dict[str, Any]:
        delta = {"tool_calls": list(calls)}
        return {
            "object": "chat.completion.chunk",
            "choices": [{"index": choice, "delta": delta, "finish_reason": None}],
        }

    def call(number: int, **function: str) -> dict[str, Any]:
        return {"index": number, "id": f"{number}", "function": function}

    chunks = [
        chunk(choice, call(0, name="send_mail", arguments=""), call(1, name="call", arguments=""))
        for choice in (0, 1)
    ]
    for one, two in zip_longest(pieces(ARGUMENTS, size), pieces(other, size), fillvalue=""):
        chunks += [chunk(each, call(0, arguments=one), call(1, arguments=two)) for each in (0, 1)]
    said: dict[tuple[int, int], str] = {}
    for each in guarded(chunks):
        for choice in each["choices"]:
            for made in choice["delta"]["tool_calls"]:
                place = choice["index"], made["index"]
                said[place] = said.get(place, "") + made["function"]["arguments"]
    for choice in (0, 1):
        assert json.loads(said[choice, 0]) == EXPECTED
        assert json.loads(said[choice, 1]) == {"number": PHONE, "to": P}


def test_anthropics_blocks_and_signed_thinking(size: int) -> None:
    thought = f"of {M}, {T}"

    def block(
        index: int, start: dict[str, Any], kind: str, key: str, text: str
    ) -> Iterator[dict[str, Any]]:
        yield {"type": "content_block_start", "index": index, "content_block": start}
        for piece in pieces(text, size):
            delta = {"type": kind, key: piece}
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        if kind == "thinking_delta":
            delta = {"type": "signature_delta", "signature": "c2ln"}
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}

    tool = {"type": "tool_use", "id": "t", "name": "send_mail", "input": {}}
    thinking = {"type": "thinking", "thinking": "", "signature": ""}
    events = [
        {"type": "message_start", "message": {"role": "assistant", "content": []}},
        *block(0, thinking, "thinking_delta", "thinking", thought),
        *block(1, {"type": "text", "text": ""}, "text_delta", "text", f"to {M}, {T}"),
        *block(2, tool, "input_json_delta", "partial_json", ARGUMENTS),
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}},
        {"type": "message_stop"},
    ]
    said = {"thinking": "", "text": "", "partial_json": ""}
    for event in guarded(events):
        for key in said:
            said[key] += event.get("delta", {}).get(key) or ""
    assert said["thinking"] == thought
    assert said["text"] == f"to {MAIL}, {TYPED}"
    assert json.loads(said["partial_json"]) == EXPECTED


def test_responses_tell_the_same_again(size: int) -> None:
    text, number = f"to {M}!", count()
    call = {"type": "function_call", "id": "f", "call_id": "c", "name": "send_mail"}
    message = {"type": "message", "id": "m", "role": "assistant"}
    part = {"type": "output_text", "text": text, "annotations": []}
    done = [
        {**message, "status": "completed", "content": [part]},
        {**call, "status": "completed", "arguments": ARGUMENTS},
    ]
    of_text = {"item_id": "m", "output_index": 0, "content_index": 0}
    of_call = {"item_id": "f", "output_index": 1}

    def event(kind: str, **fields: Any) -> dict[str, Any]:
        return {"type": f"response.{kind}", "sequence_number": next(number), **fields}

    events = [
        event("created", response={"id": "r", "status": "in_progress", "output": []}),
        event("output_item.added", output_index=0, item={**message, "content": []}),
        event("content_part.added", **of_text, part={**part, "text": ""}),
        *(event("output_text.delta", **of_text, delta=each) for each in pieces(text, size)),
        event("output_text.done", **of_text, text=text),
        event("content_part.done", **of_text, part=part),
        event("output_item.done", output_index=0, item=done[0]),
        event("output_item.added", output_index=1, item={**call, "arguments": ""}),
        *(
            event("function_call_arguments.delta", **of_call, delta=each)
            for each in pieces(ARGUMENTS, size)
        ),
        event("function_call_arguments.done", **of_call, arguments=ARGUMENTS),
        event("output_item.done", output_index=1, item=done[1]),
        event("completed", response={"id": "r", "status": "completed", "output": done}),
    ]
    texts, calls = ["", ""], ["", ""]
    for each in guarded(events):
        kind = each["type"].removeprefix("response.")
        if kind == "output_text.delta":
            texts[0] += each["delta"]
        elif kind == "function_call_arguments.delta":
            calls[0] += each["delta"]
        elif kind == "output_text.done":
            texts.append(each["text"])
        elif kind == "content_part.done":
            texts.append(each["part"]["text"])
        elif kind == "function_call_arguments.done":
            calls.append(each["arguments"])
        elif kind in ("output_item.done", "completed"):
            items = each["response"]["output"] if kind == "completed" else [each["item"]]
            texts += [item["content"][0]["text"] for item in items if "content" in item]
            calls += [item["arguments"] for item in items if "arguments" in item]
    del texts[1], calls[1]
    assert texts == [f"to {MAIL}!"] * 5
    assert [json.loads(each) for each in calls] == [EXPECTED] * 4


def test_arguments_that_are_objects(size: int) -> None:
    text = f"to {M}: "
    parts: list[dict[str, Any]] = [{"text": each} for each in pieces(text, size)]
    parts.append({"functionCall": {"name": "send_mail", "args": GIVEN}, "thoughtSignature": "c2ln"})
    chunks = [
        {"candidates": [{"index": 0, "content": {"role": "model", "parts": [part]}}]}
        for part in parts
    ]
    found = [
        part
        for chunk in guarded(chunks)
        for part in chunk["candidates"][0]["content"]["parts"]
    ]  # fmt: skip
    assert "".join(part.get("text", "") for part in found) == f"to {MAIL}: "
    [call] = [part for part in found if "functionCall" in part]
    assert call["functionCall"]["args"] == EXPECTED
    assert call["thoughtSignature"] == "c2ln"
    function = {"function": {"name": "send_mail", "arguments": GIVEN}}
    message = {"role": "assistant", "content": "", "tool_calls": [function]}
    [chunk] = guarded([{"model": "m", "message": message, "done": True}])
    assert chunk["message"]["tool_calls"][0]["function"]["arguments"] == EXPECTED


def test_bedrocks_blocks(size: int) -> None:
    start = {"toolUse": {"toolUseId": "t", "name": "send_mail"}}
    chunks: list[dict[str, Any]] = [
        {"messageStart": {"role": "assistant"}},
        {"contentBlockStart": {"contentBlockIndex": 0, "start": start}},
        *(
            {"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"toolUse": {"input": piece}}}}
            for piece in pieces(ARGUMENTS, size)
        ),
        {"contentBlockStop": {"contentBlockIndex": 0}},
        {"messageStop": {"stopReason": "tool_use"}},
    ]
    deltas = [chunk.get("contentBlockDelta", {}).get("delta", {}) for chunk in guarded(chunks)]
    said = "".join(delta.get("toolUse", {}).get("input", "") for delta in deltas)
    assert json.loads(said) == EXPECTED
