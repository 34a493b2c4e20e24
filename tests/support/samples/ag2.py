"""Streams of AG2."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, ClassVar
from uuid import UUID, uuid4


@dataclass
class BaseEvent:
    _event_fields_: ClassVar[dict[str, Any]] = {}

    created_at: float = field(default=1.5, kw_only=True)


@dataclass
class ModelMessageChunk(BaseEvent):
    content: str


@dataclass
class ModelReasoning(BaseEvent):
    content: str


@dataclass
class OpenAIReasoningEvent(ModelReasoning):
    item: Any


@dataclass
class ModelMessage(BaseEvent):
    content: str
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass
class ToolCallEvent(BaseEvent):
    name: str
    arguments: str
    id: str = "c1"
    _serialized_arguments: Any = field(default=None, compare=False)

    @property
    def serialized_arguments(self) -> Any:
        if self._serialized_arguments is None:
            self._serialized_arguments = json.loads(self.arguments)
        return self._serialized_arguments


@dataclass
class ToolCallsEvent(BaseEvent):
    calls: list[ToolCallEvent] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.calls)


@dataclass
class ModelResponse(BaseEvent):
    message: ModelMessage | None = None
    tool_calls: ToolCallsEvent = field(default_factory=ToolCallsEvent)
    usage: Any = None
    finish_reason: str | None = None


@dataclass
class TextInput(BaseEvent):
    content: str


@dataclass
class ModelRequest(BaseEvent):
    parts: list[TextInput]


@dataclass
class ToolResult:
    parts: list[TextInput]


@dataclass
class ToolResultEvent(BaseEvent):
    parent_id: str
    name: str
    result: ToolResult


@dataclass
class ToolErrorEvent(ToolResultEvent):
    error: Exception


@dataclass
class ToolResultsEvent(BaseEvent):
    results: list[ToolResultEvent]


@dataclass
class TaskProgress(BaseEvent):
    task_id: str
    content: str = ""
    payload: dict[str, Any] = field(default_factory=dict)


@dataclass
class TaskCompleted(BaseEvent):
    task_id: str
    result: Any
    task_stream: UUID = field(default_factory=uuid4)


class TaskEvent:
    """The base of the events of tasks, which is found by its name."""


TaskProgress.__bases__ += (TaskEvent,)


TaskCompleted.__bases__ += (TaskEvent,)


@dataclass
class OpenAIShellCommandChunk(BaseEvent):
    content: str
    command_index: int
    output_index: int = 0


@dataclass
class TranscriptionChunkEvent(BaseEvent):
    content: str


@dataclass
class TranscriptionCompletedEvent(BaseEvent):
    content: str


@dataclass
class Announcement(BaseEvent):
    """An event that no adapter knows."""

    words: str
