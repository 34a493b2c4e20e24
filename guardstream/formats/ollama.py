"""Ollama's streams: lines of `/api/chat` and `/api/generate`, or the `ollama` package's responses.

The format: https://github.com/ollama/ollama/blob/main/docs/api.md. The last response of `generate`
has the whole conversation as token ids (`context`): it is left out if the answer was changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from guardstream.events import FinishReason
from guardstream.formats.adapter import Call, Piece, Reading, Released, Slot, Unknown
from guardstream.formats.spec import (
    Leaf,
    Path,
    SpecAdapter,
)
from guardstream.formats.toolkit.fields import fields_of, only, replaced
from guardstream.formats.toolkit.files import spec_of
from guardstream.formats.toolkit.reasons import reason_of
from guardstream.formats.toolkit.runs import Runs

_TIMES = ("total_duration", "load_duration", "prompt_eval_duration", "eval_duration")
_COUNTS = ("prompt_eval_count", "eval_count", "completed", "total")

COUNTED = _TIMES + _COUNTS


_DONE = ("stop", "length", "content_filter")


class Ollama(SpecAdapter):
    """The adapter for responses; there is one choice."""

    name = "ollama"
    signs_end = True
    signs_thinking = False
    leaves_out_calls = True
    spec = spec_of("ollama")

    def __init__(self, *, unknown: Unknown = "guard") -> None:
        super().__init__(unknown=unknown)
        self._runs = Runs()
        self._calls = 0
        self._raw: dict[Slot, list[str]] = {}

    def slot(self, leaf: Leaf, event: Mapping[str, Any], path: Path) -> Slot:
        return Slot(0, leaf.channel, leaf.field, path[0] if path else 0)

    def meaning(self, chunk: Any, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        numbered, calls = self._in_calls(event, pieces)
        found, closed, complete = self._runs.number(numbered)
        if "response" in event:
            for slot, text, _ in found:
                self._raw.setdefault(slot, []).append(text)
        if event.get("context"):
            found += [Piece(slot, text, "copy") for slot, text in self._copies()]
        ends = {0: self._reason(event)} if event.get("done") else {}
        return Reading(
            found,
            (0,),
            ends,
            bool(event.get("error")),
            closed,
            calls=calls,
            usage={name: event[name] for name in COUNTED if event.get(name)} or None,
            complete=(*complete, *calls),
        )

    def write(self, chunk: Any, texts: Sequence[str], *, ends: bool = True) -> Any | None:
        """Return `chunk` with `texts`, without its context if that spells out replaced text."""
        fields = fields_of(chunk)
        count = len(self.pieces(chunk, fields))
        written = super().write(chunk, texts[:count], ends=ends)
        if written is not None and not ends and fields.get("done"):
            written = replaced(written, {"done": False})
        if written is not None and _has_no_calls_left(fields, fields_of(written)):
            written = _without_calls(written)
        if written is None or list(texts[count:]) == [text for _, text in self._copies()]:
            return written
        if isinstance(written, dict):
            return {name: value for name, value in written.items() if name != "context"}
        return replaced(written, {"context": None})

    def extra(self, chunk: Any, slot: Slot, text: str, released: Released) -> Sequence[Any]:
        """Return a response with only `text` that is not the last."""
        return [_bare(chunk, slot.field, text, {"done": False})]

    def end(
        self, chunk: Any, choice: int, reason: FinishReason, released: Released
    ) -> Sequence[Any]:
        """Return a last response."""
        done = {"done": True, "done_reason": reason if reason in _DONE else "stop"}
        return [_bare(chunk, "content", "", done)]

    def _in_calls(
        self, event: Mapping[str, Any], pieces: Sequence[Piece]
    ) -> tuple[list[Piece], dict[Slot, Call]]:
        """Return the pieces with tool calls numbered over the stream, and the calls."""
        calls: dict[Slot, Call] = {}
        first = self._calls
        for call in map(fields_of, fields_of(event.get("message")).get("tool_calls") or ()):
            name = fields_of(call.get("function")).get("name") or ""
            calls[Slot(0, "tool_args", "tool_calls", self._calls)] = Call(name, call.get("id"))
            self._calls += 1
        numbered = [
            piece._replace(slot=piece.slot._replace(number=first + piece.slot.number))
            if piece.slot.channel == "tool_args"
            else piece
            for piece in pieces
        ]
        return numbered, calls

    def _reason(self, event: Mapping[str, Any]) -> FinishReason:
        reason = reason_of(event.get("done_reason") or "")
        return "tool_calls" if reason == "stop" and self._calls else reason

    def _copies(self) -> list[tuple[Slot, str]]:
        """Return the received texts so far, which a context spells out."""
        return [(slot, text) for slot, parts in self._raw.items() if (text := "".join(parts))]


def _has_no_calls_left(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Return whether all tool calls of a response were removed."""
    calls, left = (fields_of(fields.get("message")).get("tool_calls") for fields in (before, after))
    return bool(calls) and not left


def _without_calls(written: Any) -> Any | None:
    """Return a response without its empty list of tool calls; None if nothing is left in it.

    LiteLLM takes any list, also an empty one, for the finish reason `tool_calls`.
    """
    fields = fields_of(written)
    message = fields["message"]
    rest = {name: value for name, value in fields_of(message).items() if name != "tool_calls"}
    if not fields.get("done") and not any(rest[name] for name in rest if name != "role"):
        return None
    said = rest if isinstance(message, dict) else replaced(message, {"tool_calls": None})
    return replaced(written, {"message": said})


def _bare(chunk: Any, field: str, text: str, done: dict[str, Any]) -> Any:
    """Return a response like `chunk` with only `text`."""
    fields = fields_of(chunk)
    kept = {name: fields[name] for name in ("model", "created_at") if name in fields}
    if "message" not in fields:
        name = "response" if field == "content" else field
        said = {"response": "", name: text} if isinstance(chunk, dict) else {name: text}
        return only(chunk, {**kept, **said, **done})
    said = {"content": "", field: text} if isinstance(chunk, dict) else {field: text}
    message = only(fields["message"], {"role": "assistant", **said})
    return only(chunk, {**kept, "message": message, **done})
