"""Streams of agents: classes like those of their packages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from pydantic import BaseModel

from guardstream import Guard
from guardstream.stream.result import Result
from tests.laws.asked import GUARD
from tests.support.optional import optional

types = optional("google.genai.types")


TEXT, MASKED = "a secret, no sec", "a ######, no sec"


ARGUMENTS = '{"q": "a secret, no sec"}'


BLOCKED = "well for\nforbidden words"


def guarded(source: Sequence[Any], guard: Guard = GUARD) -> tuple[list[Any], Result]:
    stream = guard.wrap_sync(source)
    return list(stream), stream.result


@dataclass
class TextBlock:
    text: str


@dataclass
class ThinkingBlock:
    thinking: str
    signature: str = "c2ln1"


@dataclass
class ToolUseBlock:
    id: str
    name: str
    input: dict[str, Any]


@dataclass
class ToolResultBlock:
    tool_use_id: str
    content: Any
    is_error: bool | None = None


@dataclass
class StreamEvent:
    event: dict[str, Any]
    uuid: str = "u1"
    session_id: str = "s1"
    parent_tool_use_id: str | None = None


@dataclass
class AssistantMessage:
    content: list[Any]
    model: str = "claude-1"
    parent_tool_use_id: str | None = None
    usage: Any = None


@dataclass
class UserMessage:
    content: Any
    uuid: str | None = None
    parent_tool_use_id: str | None = None


@dataclass
class SystemMessage:
    subtype: str
    data: dict[str, Any]


@dataclass
class ResultMessage:
    result: str
    subtype: str = "success"
    num_turns: int = 2
    session_id: str = "s1"
    is_error: bool = False
    stop_reason: str = "end_turn"
    usage: Any = field(default_factory=lambda: {"output_tokens": 7})


def said(block: dict[str, Any], pieces: Sequence[str], asked: str | None) -> Iterator[Any]:
    kind = block["type"]
    delta, name = {
        "text": ("text_delta", "text"),
        "thinking": ("thinking_delta", "thinking"),
        "tool_use": ("input_json_delta", "partial_json"),
    }[kind]
    yield from told({"type": "content_block_start", "index": 0, "content_block": block}, asked)
    for piece in pieces:
        event = {"type": "content_block_delta", "index": 0, "delta": {"type": delta, name: piece}}
        yield from told(event, asked)
    content: dict[str, Any] = {
        "text": TextBlock("".join(pieces)),
        "thinking": ThinkingBlock("".join(pieces)),
        "tool_use": ToolUseBlock("call_1", "find", {"q": TEXT}),
    }
    yield AssistantMessage([content[kind]], parent_tool_use_id=asked)
    yield from told({"type": "content_block_stop", "index": 0}, asked)


def told(event: dict[str, Any], asked: str | None = None) -> Iterator[Any]:
    yield StreamEvent(event, parent_tool_use_id=asked)


def message(*blocks: tuple[str, Sequence[str]], asked: str | None = None) -> Iterator[Any]:
    usage = {"input_tokens": 3, "output_tokens": 1}
    begun = {"id": "m1", "role": "assistant", "content": [], "usage": usage}
    yield from told({"type": "message_start", "message": begun}, asked)
    starts: dict[str, dict[str, Any]] = {
        "text": {"type": "text", "text": ""},
        "thinking": {"type": "thinking", "thinking": "", "signature": ""},
        "tool_use": {"type": "tool_use", "id": "call_1", "name": "find", "input": {}},
    }
    for kind, pieces in blocks:
        yield from said(starts[kind], pieces, asked)
    delta = {"stop_reason": "tool_use" if blocks[-1][0] == "tool_use" else "end_turn"}
    yield from told({"type": "message_delta", "delta": delta, "usage": {"output_tokens": 5}}, asked)
    yield from told({"type": "message_stop"}, asked)


class Actions(BaseModel):
    state_delta: dict[str, Any] = {}
    artifact_delta: dict[str, int] = {}
    transfer_to_agent: str | None = None


class Event(BaseModel):
    content: types.Content | None = None
    partial: bool | None = None
    finish_reason: types.FinishReason | None = None
    error_code: str | None = None
    error_message: str | None = None
    usage_metadata: Any = None
    author: str = "helper"
    invocation_id: str = "e-1"
    branch: str | None = None
    actions: Actions = Actions()


def part(text: str, **fields: Any) -> types.Part:
    return types.Part(text=text, **fields)


def event(*parts: types.Part, partial: bool | None = None, **fields: Any) -> Event:
    content = types.Content(role="model", parts=list(parts))
    return Event(content=content, partial=partial, **fields)


class OfTheApplication:
    """An agent, which nobody else can read."""

    __slots__ = ("secret",)


OWN = {"agent": OfTheApplication(), "event_loop_cycle_id": "c1", "request_state": {}}


def block(
    deltas: Sequence[dict[str, Any]], start: dict[str, Any], repeats: Sequence[dict[str, Any]]
) -> Iterator[dict[str, Any]]:
    yield {"event": {"contentBlockStart": {"start": start}}}
    for delta, repeat in zip(deltas, repeats, strict=True):
        yield {"event": {"contentBlockDelta": {"delta": delta}}}
        yield {**repeat, "delta": delta, **OWN}
    yield {"event": {"contentBlockStop": {}}}


def spoken(pieces: Sequence[str]) -> Iterator[dict[str, Any]]:
    yield from block([{"text": each} for each in pieces], {}, [{"data": each} for each in pieces])


@dataclass
class Outcome:
    stop_reason: str
    message: dict[str, Any]
    metrics: Any = field(default_factory=lambda: {"accumulated_usage": {"totalTokens": 9}})


def pieces_of(pieces: Sequence[str]) -> list[str]:
    """Arguments in about as many pieces as a text has."""
    step = -(-len(ARGUMENTS) // len(pieces))
    return [ARGUMENTS[at : at + step] for at in range(0, len(ARGUMENTS), step)]


@dataclass
class RunEvent:
    event: str = ""
    run_id: str = "r1"
    agent_id: str = "a1"
    parent_run_id: str | None = None
    content: Any = None


@dataclass
class RunContentEvent(RunEvent):
    event: str = "RunContent"
    content_type: str = "str"
    reasoning_content: str | None = None


@dataclass
class RunCompletedEvent(RunEvent):
    event: str = "RunCompleted"
    reasoning_content: str | None = None
    metrics: Any = None


@dataclass
class Tool:
    tool_call_id: str
    tool_name: str
    tool_args: dict[str, Any]
    result: str | None = None


@dataclass
class ToolCallEvent(RunEvent):
    tool: Tool | None = None


@dataclass
class CrewCall:
    tool_id: str
    tool_name: str | None
    arguments: str
    index: int = 0


@dataclass
class StreamChunk:
    content: str
    chunk_type: str = "text"
    task_index: int = 0
    task_id: str = "t1"
    agent_role: str = "Writer"
    tool_call: CrewCall | None = None


@dataclass
class StreamFrame:
    type: str
    data: dict[str, Any]
    id: str = "e1"
    seq: int = 1
    channel: str = "llm"
    namespace: list[str] = field(default_factory=list)


class Reason(Enum):
    CALLS = "tool_calls"


@dataclass
class TextContent:
    text: str
    content_type: str = "text"
    choice_index: int = 0


@dataclass
class FunctionCallContent:
    arguments: str
    id: str | None = None
    name: str | None = None
    index: int = 0
    content_type: str = "function_call"


@dataclass
class FunctionResultContent:
    result: Any
    id: str = "c1"
    content_type: str = "function_result"


@dataclass
class ChatContent:
    items: list[Any]
    inner_content: Any = None
    finish_reason: Reason | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    content_type: str = "message"
    choice_index: int = 0


def kernel(pieces: Sequence[str]) -> list[ChatContent]:
    source = [ChatContent([TextContent(each)], {"delta": each}) for each in pieces]
    calls = [FunctionCallContent("", "c1", "tools-find")]
    calls += [FunctionCallContent(each) for each in pieces_of(pieces)]
    source += [ChatContent([each]) for each in calls]
    return [*source, ChatContent([], finish_reason=Reason.CALLS)]


@dataclass
class NodeResult:
    result: Any
    execution_time: int = 5


@dataclass
class GraphResult:
    results: dict[str, NodeResult]
    execution_order: list[Any]
    accumulated_usage: dict[str, int] = field(default_factory=lambda: {"totalTokens": 16})


@dataclass
class RunCancelledEvent(RunEvent):
    event: str = "RunCancelled"
    reason: str | None = None


@dataclass
class AgentItem:
    message: ChatContent
    thread: Any
