"""The `mistralai` package's events: each wraps a chat-completion chunk in its `data`.

On the wire Mistral sends the chunks themselves, which `openai_chat` reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from guardstream.events import FinishReason
from guardstream.providers.adapter import Reading, Said, Slot, Unknown
from guardstream.providers.fields import fields_of, replaced
from guardstream.providers.openai.chat import OpenAIChat


class Mistral:
    """The adapter for `CompletionEvent`s."""

    name = "mistral"
    signs_thinking = False
    repeats = OpenAIChat.repeats

    def __init__(self, *, unknown: Unknown = "guard") -> None:
        self._inner = OpenAIChat(unknown=unknown)

    @staticmethod
    def accepts(chunk: object) -> bool:
        """Tell whether `chunk` wraps a chat-completion chunk."""
        if isinstance(chunk, (str, bytes)):
            return False
        fields = fields_of(chunk)
        return fields.keys() == {"data"} and OpenAIChat.accepts(fields["data"])

    def read(self, chunk: Any) -> Reading:
        """Find the text in the chunk inside."""
        return self._inner.read(_data(chunk))

    def write(self, chunk: Any, texts: Sequence[str], *, ends: bool = True) -> Any | None:
        """Return an event whose chunk says `texts`; None if nothing is left to say."""
        written = self._inner.write(_data(chunk), texts, ends=ends)
        return None if written is None else replaced(chunk, {"data": written})

    def without_unknown(self, chunk: Any) -> Any:
        """Return an event without text that nothing is known of."""
        return replaced(chunk, {"data": self._inner.without_unknown(_data(chunk))})

    def extra(self, chunk: Any, slot: Slot, text: str, said: Said) -> Sequence[Any]:
        """Return an event that says only `text`."""
        return [
            replaced(chunk, {"data": d}) for d in self._inner.extra(_data(chunk), slot, text, said)
        ]

    def end(self, chunk: Any, choice: int, reason: FinishReason, said: Said) -> Sequence[Any]:
        """Return an event with a finish reason, one of those that the package knows."""
        known = reason if reason in ("stop", "length", "tool_calls") else "error"
        data = _data(chunk)
        return [replaced(chunk, {"data": d}) for d in self._inner.end(data, choice, known, said)]


def _data(chunk: Any) -> Any:
    return fields_of(chunk)["data"]
