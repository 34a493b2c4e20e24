"""Runs of LlamaIndex."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, PrivateAttr

from tests.support.samples.frameworks import Message


class AgentInput(BaseModel):
    input: list[Message]
    current_agent_name: str = "helper"


class AgentStream(BaseModel):
    delta: str
    response: str
    current_agent_name: str = "helper"
    tool_calls: list[Any] = []
    raw: Any = None


class ToolSelection(BaseModel):
    tool_id: str = "1"
    tool_name: str = "find"
    tool_kwargs: dict[str, Any]


class AgentOutput(BaseModel):
    response: Message
    current_agent_name: str = "helper"
    tool_calls: list[ToolSelection] = []
    raw: Any = None


class ToolCallResult(ToolSelection):
    tool_output: Any = None
    return_direct: bool = False


class StopEvent(BaseModel):
    _result: Any = PrivateAttr(None)

    @property
    def result(self) -> Any:
        return self._result
