"""Streams of the Responses API, put together from items."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from guardstream import Guard
from tests.laws.asked import STARS as GUARD
from tests.laws.asked import plain
from tests.support.optional import optional

construct_type = optional("openai._models", "construct_type")
ResponseStreamEvent = optional("openai.types.responses", "ResponseStreamEvent")

Event = dict[str, Any]

USAGE = {
    "input_tokens": 3,
    "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
    "output_tokens": 4,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 7,
}


def response(output: list[Event], status: str = "in_progress", **fields: Any) -> Event:
    """A response with these items, as its lifecycle events carry it."""
    rest = {"created_at": 1.0, "model": "m", "parallel_tool_calls": True, "tool_choice": "auto"}
    ids: Event = {"id": "resp_1", "object": "response", "status": status, "error": None}
    nothing: Event = {
        "incomplete_details": None,
        "instructions": "be kind",
        "metadata": {},
        "usage": None,
    }
    return {**ids, **rest, **nothing, "tools": [], "output": output, **fields}


def text(*parts: str, item: str = "msg_1") -> tuple[Event, list[Event], Event]:
    """A message with one part of text: as it is added, its events, as it is at its end."""
    whole = "".join(parts)
    message = {"id": item, "type": "message", "role": "assistant"}
    empty = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
    at = {"item_id": item, "content_index": 0}
    events: list[Event] = [
        {"type": "response.content_part.added", **at, "part": empty},
        *(
            {"type": "response.output_text.delta", **at, "delta": part, "logprobs": []}
            for part in parts
        ),
        {"type": "response.output_text.done", **at, "text": whole, "logprobs": []},
        {"type": "response.content_part.done", **at, "part": {**empty, "text": whole}},
    ]
    begun = {**message, "status": "in_progress", "content": []}
    return begun, events, {**message, "status": "completed", "content": [{**empty, "text": whole}]}


def thinking(*parts: str, item: str = "rs_1") -> tuple[Event, list[Event], Event]:
    """Reasoning with one summary part."""
    whole = "".join(parts)
    at = {"item_id": item, "summary_index": 0}
    name = "response.reasoning_summary"
    empty = {"type": "summary_text", "text": ""}
    events: list[Event] = [
        {"type": f"{name}_part.added", **at, "part": empty},
        *({"type": f"{name}_text.delta", **at, "delta": part} for part in parts),
        {"type": f"{name}_text.done", **at, "text": whole},
        {"type": f"{name}_part.done", **at, "part": {**empty, "text": whole}},
    ]
    begun: Event = {"id": item, "type": "reasoning", "summary": []}
    return begun, events, {**begun, "summary": [{**empty, "text": whole}]}


def call(name: str, *parts: str, item: str = "fc_1") -> tuple[Event, list[Event], Event]:
    """A function call."""
    whole = "".join(parts)
    at = {"item_id": item}
    kind = "response.function_call_arguments"
    events: list[Event] = [
        *({"type": f"{kind}.delta", **at, "delta": part} for part in parts),
        {"type": f"{kind}.done", **at, "arguments": whole},
    ]
    ids = {"id": item, "type": "function_call", "call_id": f"call_{item}", "name": name}
    begun = {**ids, "status": "in_progress", "arguments": ""}
    return begun, events, {**ids, "status": "completed", "arguments": whole}


def whole(item: Event) -> tuple[Event, list[Event], Event]:
    """An item that comes at once."""
    return item, [], item


def stream(*items: tuple[Event, list[Event], Event]) -> list[Event]:
    """A stream of these items, with its places and sequence numbers."""
    events: list[Event] = [
        {"type": "response.created", "response": response([])},
        {"type": "response.in_progress", "response": response([])},
    ]
    for index, (begun, between, done) in enumerate(items):
        at = {"output_index": index}
        events.append({"type": "response.output_item.added", **at, "item": begun})
        events += [{**event, **at} for event in between]
        events.append({"type": "response.output_item.done", **at, "item": done})
    final = response([done for _, _, done in items], "completed", usage=USAGE)
    events.append({"type": "response.completed", "response": final})
    return [{**event, "sequence_number": number} for number, event in enumerate(events)]


def model(event: Event) -> Any:
    """The event as the SDK gives it."""
    return construct_type(type_=ResponseStreamEvent, value=event)


def guarded(
    events: list[Event], make: Callable[[Event], Any], guard: Guard = GUARD, **options: Any
) -> list[Any]:
    """The guarded events of a stream, made as dicts or objects."""
    return list(guard.wrap_sync([make(event) for event in events], **options))


def types(events: list[Any]) -> list[str]:
    """The types of events, without their common beginning."""
    return [plain(event)["type"].removeprefix("response.") for event in events]


def final(events: list[Any]) -> dict[str, Any]:
    """The response that a stream ends with."""
    response: dict[str, Any] = plain(events[-1])["response"]
    return response
