"""The `mistralai` package's events: each wraps a chat-completion chunk in its `data`.

On the wire Mistral sends the chunks themselves, which `openai_chat` reads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from guardstream.events import FinishReason
from guardstream.formats.adapter import Released, Unknown
from guardstream.formats.openai.chat import OpenAIChat
from guardstream.formats.spec import sibling
from guardstream.formats.toolkit.envelope import Envelope
from guardstream.formats.toolkit.fields import replaced


class Mistral(Envelope):
    """The adapter for `CompletionEvent`s."""

    name = "mistral"
    repeats = OpenAIChat.repeats
    signs_thinking = False

    def __init__(self, *, unknown: Unknown = "guard") -> None:
        super().__init__(OpenAIChat(unknown=unknown), unknown=unknown)

    def end(
        self, chunk: Any, choice: int, reason: FinishReason, released: Released
    ) -> Sequence[Any]:
        """Return an event with a finish reason, one of those that the package knows."""
        known = reason if reason in ("stop", "length", "tool_calls") else "error"
        return super().end(chunk, choice, known, released)


def event_like(chunk: Any, data: Any, event: dict[str, Any], classes: Mapping[str, str]) -> Any:
    """Return another event of the package, or its data alone, as `chunk` is or holds `data`.

    `classes` are the names of the classes of data, by type.
    """
    kind, made = event["type"], event
    if not isinstance(data, dict):
        package = type(data).__module__.rpartition(".")[0]
        made = sibling(data, package, classes[kind]).model_validate(event)
    return made if data is chunk else replaced(chunk, {"event": kind, "data": made})
