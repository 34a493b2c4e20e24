"""Streams of Anthropic messages, put together from blocks."""

from __future__ import annotations

from typing import Any

from tests.support.optional import optional

construct_type = optional("anthropic._models", "construct_type")
RawMessageStreamEvent = optional("anthropic.types", "RawMessageStreamEvent")
BetaRawMessageStreamEvent = optional("anthropic.types.beta", "BetaRawMessageStreamEvent")

Event = dict[str, Any]

Block = tuple[Event, list[Event]]
"""A block as it begins, and its deltas."""


def text(*parts: str) -> Block:
    return {"type": "text", "text": ""}, [{"type": "text_delta", "text": part} for part in parts]


def thinking(*parts: str, signature: str = "c2ln") -> Block:
    deltas: list[Event] = [{"type": "thinking_delta", "thinking": part} for part in parts]
    deltas.append({"type": "signature_delta", "signature": signature})
    return {"type": "thinking", "thinking": "", "signature": ""}, deltas


def tool(name: str, *parts: str) -> Block:
    begun = {"type": "tool_use", "id": f"toolu_{name}", "name": name, "input": {}}
    return begun, [{"type": "input_json_delta", "partial_json": part} for part in parts]


def whole(block: Event) -> Block:
    """A block that comes at once."""
    return block, []


def message(*blocks: Block, stop: str = "end_turn", name: str = "msg_1") -> list[Event]:
    """A stream of one message."""
    empty = {"stop_reason": None, "stop_sequence": None, "stop_details": None}
    begun = {"id": name, "type": "message", "role": "assistant", "model": "m", "content": []}
    usage = {"input_tokens": 5, "output_tokens": 1}
    events: list[Event] = [{"type": "message_start", "message": {**begun, **empty, "usage": usage}}]
    for index, (block, deltas) in enumerate(blocks):
        at = {"index": index}
        events.append({"type": "content_block_start", **at, "content_block": block})
        events += [{"type": "content_block_delta", **at, "delta": delta} for delta in deltas]
        events.append({"type": "content_block_stop", **at})
    delta = {**empty, "stop_reason": stop}
    events.append({"type": "message_delta", "delta": delta, "usage": {"output_tokens": 9}})
    return [*events, {"type": "message_stop"}]


def model(event: Event) -> Any:
    """The event as the SDK gives it."""
    return construct_type(type_=RawMessageStreamEvent, value=event)


def beta_model(event: Event) -> Any:
    """The event as the SDK's beta API gives it."""
    return construct_type(type_=BetaRawMessageStreamEvent, value=event)
