"""Parts of UI messages as objects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import TypeAdapter

from tests.support.optional import optional
from tests.support.samples.interfaces import Event

response_types = optional("pydantic_ai.ui.vercel_ai.response_types")


PART: Any = TypeAdapter(
    response_types.TextStartChunk
    | response_types.TextDeltaChunk
    | response_types.TextEndChunk
    | response_types.ReasoningStartChunk
    | response_types.ReasoningDeltaChunk
    | response_types.ReasoningEndChunk
    | response_types.ToolInputStartChunk
    | response_types.ToolInputDeltaChunk
    | response_types.ToolInputAvailableChunk
    | response_types.ToolOutputAvailableChunk
    | response_types.StartChunk
    | response_types.StartStepChunk
    | response_types.FinishStepChunk
    | response_types.FinishChunk
    | response_types.DataChunk
)


def parts(events: Sequence[Event]) -> list[Any]:
    return [*(PART.validate_python(each) for each in events), response_types.DoneChunk()]
