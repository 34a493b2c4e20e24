"""Mistral's responses: frames with an event of OpenAI's Responses API and its name.

Objects of the `mistralai` package, or dicts with the same fields:
https://docs.mistral.ai/api/endpoint/responses. On the wire Mistral sends the events themselves,
which `openai_responses` reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from guardstream.formats.adapter import Unknown
from guardstream.formats.openai.responses import OpenAIResponses
from guardstream.formats.spec import sibling
from guardstream.formats.toolkit.envelope import Envelope
from guardstream.formats.toolkit.fields import fields_of, replaced
from guardstream.formats.toolkit.objects import Event, dumped, model_like, with_changes

_CLASSES = {
    "response.completed": "ResponsesCompletedEvent",
    "response.content_part.added": "ResponsesContentPartAddedEvent",
    "response.content_part.done": "ResponsesContentPartDoneEvent",
    "response.function_call_arguments.delta": "ResponsesFunctionCallArgumentsDeltaEvent",
    "response.function_call_arguments.done": "ResponsesFunctionCallArgumentsDoneEvent",
    "response.incomplete": "ResponsesIncompleteEvent",
    "response.output_item.added": "ResponsesOutputItemAddedEvent",
    "response.output_item.done": "ResponsesOutputItemDoneEvent",
    "response.output_text.delta": "ResponsesTextDeltaEvent",
    "response.output_text.done": "ResponsesTextDoneEvent",
    "response.reasoning_text.delta": "ResponsesReasoningTextDeltaEvent",
    "response.reasoning_text.done": "ResponsesReasoningTextDoneEvent",
}
"""The package's classes of the events that the guard may add, by their types."""


class MistralResponses(Envelope):
    """The adapter for frames."""

    name = "mistral_responses"
    repeats = OpenAIResponses.repeats

    def __init__(self, *, unknown: Unknown = "guard") -> None:
        super().__init__(OpenAIResponses(unknown=unknown), unknown=unknown)

    def unwrapped(self, chunk: Any) -> Any:
        """Return the JSON of a frame's event, with the fields that are null: some have to be
        there."""
        data = fields_of(chunk)["data"]
        return data if isinstance(data, dict) else dumped(data, with_nulls=True)

    def with_inner(self, chunk: Any, inner: Any) -> Any:
        """Return a frame with another event of the same type."""
        data, old = fields_of(chunk)["data"], self.inner_of(chunk)
        return replaced(chunk, {"data": inner if data is old else with_changes(data, old, inner)})

    def beside(self, chunk: Any) -> Mapping[str, Any]:
        """Return the fields beside the event, but its name, if that is its type."""
        beside = super().beside(chunk)
        if beside.get("event") == self.inner_of(chunk).get("type"):
            return {name: value for name, value in beside.items() if name != "event"}
        return beside

    def with_added(self, chunk: Any, inner: Any) -> Any:
        """Return a frame like `chunk` with an event that the guard adds. AdapterError if the
        package has no class for it."""
        event: Event = inner
        kind: str = event["type"]
        data = fields_of(chunk)["data"]
        if isinstance(data, dict):
            return replaced(chunk, {"event": kind, "data": event})
        package = type(data).__module__.rpartition(".")[0]
        made = model_like(sibling(data, package, _CLASSES.get(kind, kind)), event)
        return replaced(chunk, {"event": kind, "data": made})
