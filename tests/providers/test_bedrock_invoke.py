"""Chunks of Bedrock's InvokeModel, with events of every model's own."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from guardstream import AdapterError, Guard, Policy
from guardstream.framing import aws
from guardstream.providers import detect
from tests.providers.laws import GUARD, cuttings, in_any_cut, left_raw, unchanged

TEXT = "a secret, no sec"
MASKED = "a ######, no sec"

Event = dict[str, Any]
Make = Callable[[Sequence[str]], list[Event]]


def anthropic(pieces: Sequence[str]) -> list[Event]:
    message = {"id": "m", "type": "message", "role": "assistant", "content": [], "model": "c"}
    said = [{"type": "text_delta", "text": piece} for piece in pieces]
    return [
        {"type": "message_start", "message": {**message, "usage": {"input_tokens": 3}}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *({"type": "content_block_delta", "index": 0, "delta": each} for each in said),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {}},
        {"type": "message_stop", "amazon-bedrock-invocationMetrics": {"inputTokenCount": 3}},
    ]


def nova(pieces: Sequence[str]) -> list[Event]:
    said = [{"contentBlockIndex": 0, "delta": {"text": piece}} for piece in pieces]
    return [
        {"messageStart": {"role": "assistant"}},
        *({"contentBlockDelta": each} for each in said),
        {"messageStop": {"stopReason": "end_turn"}},
    ]


def llama(pieces: Sequence[str]) -> list[Event]:
    counts = {"prompt_token_count": None, "generation_token_count": 1}
    made = [{"generation": piece, **counts, "stop_reason": None} for piece in pieces]
    return [*made, {"generation": "", **counts, "stop_reason": "stop"}]


def mistral(pieces: Sequence[str]) -> list[Event]:
    made = [{"outputs": [{"text": piece, "stop_reason": None}]} for piece in pieces]
    return [*made, {"outputs": [{"text": "", "stop_reason": "stop"}]}]


def titan(pieces: Sequence[str]) -> list[Event]:
    made = [{"outputText": piece, "index": 0, "completionReason": None} for piece in pieces]
    return [*made, {"outputText": "", "index": 0, "completionReason": "FINISH"}]


def titan_with_guardrail(pieces: Sequence[str]) -> list[Event]:
    acted = {"amazon-bedrock-guardrailAction": "NONE"}
    made = [{"outputText": piece, "index": 0.0, **acted} for piece in pieces]
    return [*made, {"outputText": "", "index": 0.0, "completionReason": "FINISH", **acted}]


def llama_with_guardrail(pieces: Sequence[str]) -> list[Event]:
    acted = {"amazon-bedrock-guardrailAction": "NONE"}
    return [event | acted for event in llama(pieces)]


def mistral_with_guardrail(pieces: Sequence[str]) -> list[Event]:
    acted = {"amazon-bedrock-guardrailAction": "NONE"}
    return [event | acted for event in mistral(pieces)]


def cohere(pieces: Sequence[str]) -> list[Event]:
    kind = {"is_finished": False, "event_type": "text-generation"}
    whole = {"response_id": "r", "text": "".join(pieces), "generation_id": "g"}
    last = {"is_finished": True, "event_type": "stream-end", "finish_reason": "COMPLETE"}
    return [*({**kind, "text": piece} for piece in pieces), {**last, "response": whole}]


def chat(pieces: Sequence[str]) -> list[Event]:
    said = [*({"delta": {"content": piece}} for piece in pieces), {"delta": {}}]
    ends = [None] * len(pieces) + ["stop"]
    return [
        {"choices": [{"index": 0, **each, "finish_reason": end}]}
        for each, end in zip(said, ends, strict=True)
    ]


MODELS: list[Make] = [anthropic, nova, llama, mistral, titan, cohere, chat]
MODELS += [titan_with_guardrail, llama_with_guardrail, mistral_with_guardrail]


def chunks(events: Sequence[Event], *, wire: bool = False) -> list[Event]:
    made = []
    for event in events:
        data = json.dumps(event).encode()
        made.append({"chunk": {"bytes": b64encode(data).decode() if wire else data}})
    return made


def said(events: Sequence[Event]) -> str:
    return "".join(text for event in events for text in _texts(event))


def _texts(event: Event) -> list[str]:
    if "outputs" in event:
        return [each["text"] for each in event["outputs"]]
    if "choices" in event:
        return [each["delta"].get("content") or "" for each in event["choices"]]
    if "contentBlockDelta" in event:
        return [event["contentBlockDelta"]["delta"]["text"]]
    if isinstance(event.get("delta"), dict):
        return [event["delta"].get("text") or ""]
    return [event.get("generation") or event.get("outputText") or event.get("text") or ""]


@pytest.mark.parametrize("wire", [False, True])
@pytest.mark.parametrize("make", MODELS)
def test_the_models_own_events_are_guarded(make: Make, wire: bool) -> None:
    for pieces in cuttings(TEXT):
        source = chunks(make(pieces), wire=wire)
        assert detect(source[0]).name == "bedrock_invoke"  # type: ignore[attr-defined]
        assert unchanged(source)
        stream = GUARD.wrap_sync(source)
        events = [_event(chunk) for chunk in stream]
        assert said(events) == MASKED
        assert stream.result.text == MASKED
        assert not left_raw(events)


def _event(chunk: Event) -> Event:
    data = chunk["chunk"]["bytes"]
    found: Event = json.loads(b64decode(data) if isinstance(data, str) else data)
    return found


_WORDS = ("content_filter", "refusal", "CONTENT_FILTERED", "ERROR_TOXIC")


@pytest.mark.parametrize("make", MODELS)
def test_a_block_ends_as_the_model_would(make: Make) -> None:
    events = [_event(chunk) for chunk in GUARD.wrap_sync(chunks(make(["all ", "forbidden", "!"])))]
    assert said(events) == "all "
    assert any(word in str(events[-2:]) for word in _WORDS)


def test_the_wire_carries_them_in_base64() -> None:
    source = chunks(anthropic(["a sec", "ret"]), wire=True)
    data = b"".join(aws.message("chunk", json.dumps(each["chunk"]).encode()) for each in source)
    assert in_any_cut(data) == data
    out = in_any_cut(data, GUARD)
    events = [aws.event(headers, payload) for _, headers, payload in aws.Messages().feed(out)]
    assert said([_event(event) for event in events]) == "a ######"


def test_what_stands_beside_the_bytes_is_guarded() -> None:
    source = chunks(llama(["so", "so"]))
    source[1]["chunk"]["note"] = "a secret"
    source[1]["more"] = {"deep": ["a secret"]}
    out = list(GUARD.wrap_sync(source))
    assert out[1]["chunk"]["note"] == "a ######"
    assert out[1]["more"] == {"deep": ["a ######"]}
    assert out[1]["chunk"]["bytes"] == source[1]["chunk"]["bytes"]


def test_an_error_ends_the_stream() -> None:
    fault = {"throttlingException": {"message": "a secret"}}
    stream = GUARD.wrap_sync([*chunks(llama(["so"])), fault])
    assert list(stream)[-1] == {"throttlingException": {"message": "a ######"}}
    assert stream.finish == "error"


def test_bytes_that_are_no_event_are_refused() -> None:
    for data in (b"\xff", "????", "é"):
        with pytest.raises(AdapterError, match="not a JSON object"):
            list(GUARD.wrap_sync([{"chunk": {"bytes": data}}], provider="bedrock_invoke"))


def test_commands_answer_is_one_text() -> None:
    said = [{"is_finished": False, "text": text} for text in (" The", " blue", "bird")]
    events = [*said, {"is_finished": True, "finish_reason": "MAX_TOKENS"}]
    chunks = [{"chunk": {"bytes": json.dumps(each).encode()}} for each in events]
    guard = Guard(Policy.parse("rules: [{id: w, words: [bluebird]}]"))
    stream = guard.wrap_sync(chunks)
    out = [json.loads(each["chunk"]["bytes"]) for each in stream]
    assert "".join(each.get("text", "") for each in out) == stream.result.text == " The [w]"
    assert all("is_finished" in each for each in out)
    assert stream.finish == "length"
