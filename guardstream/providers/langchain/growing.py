"""Messages that are repeated whole each time, as LangGraph's server does in its mode `messages`.

The new text of a message is guarded, and its text is replaced by all that was released.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from guardstream.providers.adapter import Piece, Reading, Released, Slot
from guardstream.providers.detection.shapes import is_message
from guardstream.providers.langchain.values import Values

_MODELS = ("ai", "AIMessageChunk")


class GrowingMessages:
    """Reads and writes events whose data is a list of messages so far, distinguished by their ids.

    This is for a message's text; everything else in it is guarded as in a state, each time.
    """

    def __init__(self, values: Values) -> None:
        self._values = values
        self._said: dict[Hashable, str] = {}
        self._numbers: dict[Hashable, int] = {}
        self._read: tuple[Any, Sequence[tuple[Sequence[Piece], Sequence[Piece]]]] = (None, ())

    def read(self, chunk: Mapping[str, Any], *, over: bool) -> Reading:
        """Find the text in an event; `over` tells that its messages are complete."""
        data = chunk["data"]
        told = [(self._told(message), self._rest(message)) for message in _listed(data)]
        self._read = (chunk, told)
        pieces = [piece for own, rest in told for piece in (*own, *rest)]
        self._values.streamed.note(piece for own, _ in told for piece in own)
        for own, _ in told:
            for slot, text, kind in own:
                if kind == "copy":
                    self._said[slot.number] = text
        closed = {own[-1].slot: None for own, _ in told if own} if over else {}
        return Reading(pieces, (0,), complete=tuple(closed))

    def write(self, chunk: Mapping[str, Any], texts: Sequence[str]) -> Any | None:
        """Return an event with `texts`; None if nothing new is left in it."""
        rest = iter(texts)
        made, new = [], False
        for message, (own, others) in zip(_listed(chunk["data"]), self._read[1], strict=True):
            said = [next(rest) for _ in own]
            new = new or not own or any(said[:-1])
            held = {**message, "content": said[-1]} if own else message
            written = self._values.with_texts(
                {**held, "content": ""} if own else held, [next(rest) for _ in others]
            )
            made.append({**written, "content": said[-1]} if own else written)
        if not new:
            return None
        return {**chunk, "data": made if isinstance(chunk["data"], list) else made[0]}

    def extra(self, chunk: Mapping[str, Any], slot: Slot, released: Released) -> Sequence[Any]:
        """Return an event with all that was released of a message."""
        for message in _listed(chunk["data"]):
            if is_message(message) and self._numbers.get(message.get("id")) == slot.number:
                return [{**chunk, "data": [{**message, "content": released(slot)}]}]
        return []

    def _told(self, message: Any) -> Sequence[Piece]:
        """Return the new text of a message, and a copy of all its text; nothing for other
        messages."""
        if not is_message(message) or message["type"] not in _MODELS:
            return ()
        text = message["content"]
        if not isinstance(text, str) or not text:
            return ()
        number = self._numbers.setdefault(message.get("id"), len(self._numbers))
        said = self._said.get(number, "")
        if not text.startswith(said):  # it begins again
            number = self._numbers[message.get("id")] = len(self._numbers) + len(self._said)
            said = ""
        slot, new = Slot(0, "text", "content", number), text[len(said) :]
        return [*([Piece(slot, new)] if new else ()), Piece(slot, text, "copy")]

    def _rest(self, message: Any) -> Sequence[Piece]:
        """Return the texts of a message beside its own."""
        own = is_message(message) and message["type"] in _MODELS
        text = isinstance(message, dict) and isinstance(message.get("content"), str)
        return self._values.pieces({**message, "content": ""} if own and text else message)


def _listed(data: Any) -> Sequence[Any]:
    return data if isinstance(data, list) else [data]
