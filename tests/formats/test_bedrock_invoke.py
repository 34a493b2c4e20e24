"""Chunks of Bedrock's InvokeModel, with events of every model's own."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Callable, Sequence

from guardstream.framing import aws
from tests.laws.asked import GUARD, in_any_cut
from tests.support.samples.bedrock_invoke import Event, anthropic, chunks, said

Make = Callable[[Sequence[str]], list[Event]]


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


def _event(chunk: Event) -> Event:
    data = chunk["chunk"]["bytes"]
    found: Event = json.loads(b64decode(data) if isinstance(data, str) else data)
    return found


def test_the_wire_carries_them_in_base64() -> None:
    source = chunks(anthropic(["a sec", "ret"]), wire=True)
    data = b"".join(aws.message("chunk", json.dumps(each["chunk"]).encode()) for each in source)
    assert in_any_cut(data) == data
    out = in_any_cut(data, GUARD)
    events = [aws.event(headers, payload) for _, headers, payload in aws.Messages().feed(out)]
    assert said([_event(event) for event in events]) == "a ######"
