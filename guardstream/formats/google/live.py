"""Gemini's live API: what a server sends over a WebSocket, one turn after another.

Objects of the `google-genai` package or plain dicts: https://ai.google.dev/api/live. The model's
text and the transcript of its speech are the answer; the audio passes as it is. The user's speech
is a choice of its own. Transcripts come among the turn's other messages, in no fixed order, so only
their own end and the end of the turn divide them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from guardstream.events import FinishReason
from guardstream.formats.adapter import Piece, Reading, Released, Slot, Unknown
from guardstream.formats.google.gemini_calls import Calls, call_in, continued, get, values_in
from guardstream.formats.google.written import named_like, object_like
from guardstream.formats.spec import Leaf, Path, SpecAdapter
from guardstream.formats.toolkit.fields import fields_of, only
from guardstream.formats.toolkit.files import spec_of
from guardstream.formats.toolkit.runs import Runs

_HEARD, _SPOKEN = "heard", "spoken"


class GeminiLive(SpecAdapter):
    """The adapter for a session's messages, which have no end of their own."""

    name = "gemini_live"
    spec = spec_of("gemini_live")
    repeats = False
    ends_with_source = True

    def __init__(self, *, unknown: Unknown = "guard") -> None:
        super().__init__(unknown=unknown)
        self._runs = Runs(tools=("code", "tool_result", "file"))
        self._calls = Calls()

    def slot(self, leaf: Leaf, event: Mapping[str, Any], path: Path) -> Slot:
        if leaf.field == _HEARD:
            return Slot(1, "text", _HEARD)
        if leaf.field == _SPOKEN:
            return Slot(0, "text", "text")
        if leaf.field == "text":
            part = fields_of(_parts(event)[path[0]])
            return (
                Slot(0, "thinking", "thought") if part.get("thought") else Slot(0, "text", "text")
            )
        if leaf.field == "partial":
            value = values_in(fields_of(_parts(event)[path[0]]))[path[1]]
            return Slot(0, leaf.channel, str(get(value, "json_path")), path[0])
        return Slot(0, leaf.channel, leaf.field, path[0] if leaf.channel == "tool_args" else 0)

    def meaning(self, chunk: Any, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        content = fields_of(get(event, "server_content"))
        candidate = {"content": {"parts": _parts(event)}}
        pieces, calls, complete = self._calls.read(0, candidate, pieces)
        spoken = _is_said(content, "output_transcription")
        pieces, closed, ended = self._runs.number(pieces, _SPOKEN if spoken else None)
        for stopped in self._stopped(content):
            self._runs.stop(*stopped)
        _, over, _ = self._runs.number(())
        here = {piece.slot for piece in pieces}
        return Reading(
            pieces,
            (1,) if _is_said(content, "input_transcription") else (0,),
            closed=(*closed, *(slot for slot in over if slot not in here)),
            calls=calls,
            usage=get(event, "usage_metadata"),
            complete=(*ended, *complete, *(slot for slot in over if slot in here)),
        )

    def _stopped(self, content: Mapping[str, Any]) -> list[tuple[int, str | None]]:
        """Return the runs that a message ends: the choice of each, and what `Runs` calls `of`."""
        if get(content, "turn_complete") or get(content, "interrupted"):
            return [(0, None), (0, _SPOKEN), (1, None)]
        stopped: list[tuple[int, str | None]] = []
        if get(content, "generation_complete"):
            stopped.append((0, None))
        if fields_of(get(content, "output_transcription")).get("finished"):
            stopped.append((0, _SPOKEN))
        if fields_of(get(content, "input_transcription")).get("finished"):
            stopped.append((1, None))
        return stopped

    def extra(self, chunk: Any, slot: Slot, text: str, released: Released) -> Sequence[Any]:
        """Return a message with text of the slot's kind."""
        fields = fields_of(chunk)
        content = fields_of(get(fields, "server_content"))
        if slot.channel == "tool_args":
            last = fields_of((_parts(fields) or [None])[-1])
            call = continued(call_in(last), slot.field, text, partial(object_like, chunk))
            made = object_like(chunk, "LiveServerToolCall", function_calls=[call])
            return [only(chunk, named_like(chunk, {"tool_call": made}))]
        spoken = "input_transcription" if slot.choice == 1 else "output_transcription"
        if slot.choice == 1 or (slot.channel == "text" and _is_said(content, spoken)):
            return [_made(chunk, {spoken: object_like(chunk, "Transcription", text=text)})]
        thought = {"thought": True} if slot.channel == "thinking" else {}
        part = object_like(chunk, "Part", text=text, **thought)
        turn = object_like(chunk, "Content", parts=[part], role="model")
        return [_made(chunk, {"model_turn": turn})]

    def end(
        self, chunk: Any, choice: int, reason: FinishReason, released: Released
    ) -> Sequence[Any]:
        """Return the end of the turn; the user's own text has none."""
        if choice:
            return []
        ended: dict[str, Any] = {"turn_complete": True}
        if reason == "content_filter":
            ended["turn_complete_reason"] = "RESPONSE_REJECTED"
        return [_made(chunk, ended)]


def _parts(event: Mapping[str, Any]) -> list[Any]:
    """Return the parts of a model's turn, or the calls of a message as parts."""
    call = fields_of(get(event, "tool_call"))
    if calls := get(call, "function_calls"):
        return [{"function_call": each} for each in calls]
    turn = fields_of(get(fields_of(get(event, "server_content")), "model_turn"))
    return list(turn.get("parts") or ())


def _is_said(content: Mapping[str, Any], name: str) -> bool:
    return bool(fields_of(get(content, name)).get("text"))


def _made(chunk: Any, content: dict[str, Any]) -> Any:
    """Return a message like `chunk` with this content and nothing else."""
    made = object_like(chunk, "LiveServerContent", **content)
    return only(chunk, named_like(chunk, {"server_content": made}))
