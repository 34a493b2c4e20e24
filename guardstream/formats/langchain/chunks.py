"""LangChain's streams: messages of `stream` and `astream`, alone or in an object around them.

That object is a chat model's `ChatGenerationChunk` or LangGraph's `(message, metadata)` of
`stream_mode="messages"`. A language model's `GenerationChunk` has text alone, and text from an
output parser is `str`.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Sequence
from typing import Any

from guardstream.events import FinishReason
from guardstream.formats.adapter import Passes, Piece, Reading, Released, Slot, Unknown
from guardstream.formats.detection.shapes import is_message
from guardstream.formats.langchain.messages import Messages
from guardstream.formats.toolkit.fields import fields_of, replaced

TEXT = Slot(0, "text", "content")


class LangChain:
    """The adapter for messages, and for objects that hold one."""

    name = "langchain"
    repeats = True
    leaves_out_calls = True

    def __init__(self, *, unknown: Unknown = "guard") -> None:
        self._messages = Messages(unknown=unknown)

    def judge_marks(self, passes: Passes) -> None:
        """Ask `passes` about marks in messages."""
        self._messages.judge_marks(passes)

    def read(self, chunk: Any) -> Reading:
        """Find the text in the message."""
        message = _message(chunk)
        if message is not None:
            return self._messages.read(message)
        text = fields_of(chunk)["text"]
        return Reading([Piece(TEXT, text)] if text else [], (0,))

    def pieces(self, message: Any) -> Sequence[Piece]:
        """Return the pieces of a message as `read` finds them, in slots of its own."""
        return self._messages.pieces(message, fields_of(message))

    @property
    def open_messages(self) -> Collection[Hashable]:
        """The ids of the messages that have not ended, None for those without one."""
        return self._messages.open_messages

    def over(self, keys: Iterable[Hashable]) -> Sequence[Slot]:
        """Return the texts of messages that have ended without saying so."""
        return self._messages.over(keys)

    def write(self, chunk: Any, texts: Sequence[str], *, ends: bool = True) -> Any | None:
        """Return a chunk whose message has `texts`; None if nothing is left in it."""
        message = _message(chunk)
        if message is None:
            return _generation(chunk, texts[0]) if texts and texts[0] else None
        written = self._messages.write(message, texts, ends=ends)
        return None if written is None else _around(chunk, written)

    def without_unknown(self, chunk: Any) -> Any:
        """Return a chunk whose message has no unknown text."""
        message = _message(chunk)
        if message is None:
            return chunk
        return _around(chunk, self._messages.without_unknown(message))

    def extra(self, chunk: Any, slot: Slot, text: str, released: Released) -> Sequence[Any]:
        """Return a chunk whose message has only `text`."""
        message = _message(chunk)
        if message is None:
            return [_generation(chunk, text)]
        return [
            _around(chunk, made) for made in self._messages.extra(message, slot, text, released)
        ]

    def end(
        self, chunk: Any, choice: int, reason: FinishReason, released: Released
    ) -> Sequence[Any]:
        """Return a chunk whose message is the last; a model without messages has no end mark."""
        message = _message(chunk)
        if message is None:
            return []
        return [
            _around(chunk, made) for made in self._messages.end(message, choice, reason, released)
        ]


def _message(chunk: Any) -> Any:
    if isinstance(chunk, (tuple, list)):
        return chunk[0]
    return chunk if is_message(chunk) else fields_of(chunk).get("message")


def _around(chunk: Any, message: Any) -> Any:
    """Return the chunk around a message, with another message and its text."""
    if isinstance(chunk, (tuple, list)):
        return type(chunk)((message, *chunk[1:]))
    if is_message(chunk):
        return message
    return type(chunk)(message=message, generation_info=_info(chunk))


def _generation(chunk: Any, text: str) -> Any:
    return replaced(chunk, {"text": text, "generation_info": _info(chunk)})


def _info(chunk: Any) -> dict[str, Any] | None:
    """Return the information about a generation, without `logprobs`, which spell out its text."""
    info = fields_of(chunk).get("generation_info")
    return {name: value for name, value in info.items() if name != "logprobs"} if info else info
