"""Streams of frameworks: classes like those of their packages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

TEXT = "a secret, no sec"


MASKED = "a ######, no sec"


class TextBlock(BaseModel):
    block_type: str = "text"
    text: str = ""


class Message(BaseModel):
    role: str = "assistant"
    blocks: list[TextBlock]
    additional_kwargs: dict[str, Any] = {}


class ChatResponse(BaseModel):
    message: Any
    raw: Any = None
    delta: str | None = None
    logprobs: Any = None
    additional_kwargs: dict[str, Any] = {}


def llama_index(pieces: Sequence[str]) -> Iterator[Any]:
    said = ""
    for piece in pieces:
        said += piece
        raw = {"choices": [{"delta": {"content": piece}}]}
        yield ChatResponse(message=Message(blocks=[TextBlock(text=said)]), raw=raw, delta=piece)


@dataclass
class Delta:
    content: str | None = None
    tool_calls: list[Any] | None = None
    token_usage: Any = None


@dataclass
class ActionStep:
    step_number: int
    timing: Any
    model_output_message: Any
    model_output: Any


def smolagents(pieces: Sequence[str]) -> Iterator[Any]:
    for piece in pieces:
        yield Delta(piece)
    yield ActionStep(1, None, {"role": "assistant", "content": "a secret"}, "".join(pieces))
    for piece in pieces:
        yield Delta(piece)


@dataclass
class StepCall:
    name: str
    arguments: Any
    id: str


class Event(BaseModel):
    id: str = "e"
    source: str = "agent"
    models_usage: Any = None
    metadata: dict[str, str] = {}
    content: str
    type: str = "ModelClientStreamingChunkEvent"


class TaskResult(BaseModel):
    messages: list[Any]
    stop_reason: str | None = None


def autogen(pieces: Sequence[str]) -> Iterator[Any]:
    for piece in pieces:
        yield Event(content=piece)
    message = Event(content="".join(pieces), type="TextMessage")
    yield message
    yield TaskResult(messages=[message])


@dataclass(frozen=True)
class Component:
    type: str
    name: str


@dataclass
class StreamingChunk:
    content: str
    meta: dict[str, Any] = field(default_factory=dict)
    component_info: Component | None = None
    finish_reason: str | None = None


def haystack(pieces: Sequence[str]) -> Iterator[Any]:
    for piece in pieces:
        yield StreamingChunk(piece, {"delta": {"content": piece}}, Component("secret", "secret"))
    yield StreamingChunk("", finish_reason="stop")


@dataclass
class StreamResponse:
    predict_name: str
    signature_field_name: str
    chunk: str
    is_last_chunk: bool = False


@dataclass
class StatusMessage:
    message: str


def dspy(pieces: Sequence[str]) -> Iterator[Any]:
    yield StatusMessage("a secret")
    for piece in pieces:
        yield StreamResponse("p", "answer", piece)
    yield StreamResponse("p", "answer", "", is_last_chunk=True)


@dataclass
class Completions:
    signature: Any
    _completions: dict[str, list[str]]


@dataclass
class Prediction:
    _store: dict[str, Any]
    _completions: Completions | None


@dataclass
class Raw:
    data: dict[str, Any]
    type: str = "raw_response_event"


@dataclass
class Item:
    raw_item: Any
    agent: Any = None
    type: str = "message_output_item"


@dataclass
class ItemEvent:
    item: Item
    name: str = "message_output_created"
    type: str = "run_item_stream_event"


def openai_agents(pieces: Sequence[str]) -> Iterator[Any]:
    place = {"item_id": "m", "output_index": 0, "content_index": 0}
    text = "".join(pieces)
    part = {"type": "output_text", "text": text, "annotations": []}
    item = {"id": "m", "type": "message", "role": "assistant", "content": [part]}
    for _ in range(2):
        yield Raw({"type": "response.created", "response": {"id": "r", "output": []}})
        for piece in pieces:
            yield Raw({"type": "response.output_text.delta", "delta": piece, **place})
        yield Raw({"type": "response.output_text.done", "text": text, **place})
        ended = {"id": "r", "status": "completed", "output": [item]}
        yield Raw({"type": "response.completed", "response": ended})
        yield ItemEvent(Item(item, agent={"instructions": "be brief"}))


class Structured(Event):
    content: dict[str, str]  # type: ignore[assignment]
    type: str = "StructuredMessage[Answer]"


class ToolCallBlock(BaseModel):
    block_type: str = "tool_call"
    tool_call_id: str = "c"
    tool_name: str = "find"
    tool_kwargs: str


class ToolMessage(BaseModel):
    role: str = "assistant"
    blocks: list[ToolCallBlock]
    additional_kwargs: dict[str, Any] = {}
