"""Gemini's streams: responses of the `google-genai` package, or the JSON that REST and Vertex send.

Each response has candidates with parts: text, thoughts, function calls. The format:
https://ai.google.dev/api/generate-content#method:-models.streamgeneratecontent. Parts have no
blocks, so text in a row is one text. A function call comes whole, or, from Vertex, in values by
JSON path: there each string is a text of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from guardstream.events import FinishReason
from guardstream.formats.adapter import Call, Piece, Reading, Released, Slot, Unknown
from guardstream.formats.google.gemini_calls import (
    Calls,
    call_in,
    continued,
    get,
    parts_of,
    values_in,
)
from guardstream.formats.google.written import TYPES, named_like, object_like
from guardstream.formats.spec import Leaf, Path, SpecAdapter, sibling
from guardstream.formats.toolkit.fields import as_text, fields_of, index_in, only
from guardstream.formats.toolkit.files import spec_of
from guardstream.formats.toolkit.reasons import reason_of
from guardstream.formats.toolkit.runs import Runs

_NUMBERED = {1: "STOP", 2: "MAX_TOKENS", 3: "SAFETY", 4: "RECITATION", 7: "BLOCKLIST", 8: "SPII"}
"""Reasons as numbers, for which Google's REST clients ask with `$alt=json;enum-encoding=int`;
Vertex and the Gemini API number some other reasons differently."""

STOPS = {"content_filter": "SAFETY", "length": "MAX_TOKENS"}


_BESIDE = frozenset({"history", "error"})
"""Fields beside the candidates with lists of their own."""


class Gemini(SpecAdapter):
    """The adapter for responses; a candidate is a choice."""

    name = "gemini"
    signs_end = True
    spec = spec_of("gemini")
    repeats = False
    leaves_out_calls = True

    def __init__(self, *, unknown: Unknown = "guard") -> None:
        super().__init__(unknown=unknown)
        self._runs = Runs(tools=("code", "tool_result", "file"))
        self._calls = Calls()
        self._called: set[int] = set()  # choices with calls

    def slot(self, leaf: Leaf, event: Mapping[str, Any], path: Path) -> Slot:
        if not path or leaf.field in _BESIDE or not event.get("candidates"):
            return Slot(0, leaf.channel, leaf.field)
        candidate = fields_of(event["candidates"][path[0]])
        choice, place = index_in(candidate), path[1] if len(path) > 1 else 0
        if leaf.field == "text" and parts_of(candidate)[place].get("thought"):
            return Slot(choice, "thinking", "thought")
        if leaf.field == "partial":
            value = values_in(parts_of(candidate)[place])[path[2]]
            return Slot(choice, leaf.channel, str(get(value, "json_path")), place)
        return Slot(choice, leaf.channel, leaf.field, place if leaf.channel == "tool_args" else 0)

    def meaning(self, chunk: Any, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        choices: list[int] = []
        complete: list[Slot] = []
        calls: dict[Slot, Call] = {}
        finished: dict[int, FinishReason] = {}
        for candidate in map(fields_of, event.get("candidates") or ()):
            choice = index_in(candidate)
            choices.append(choice)
            pieces, begun, over = self._calls.read(choice, candidate, pieces)
            calls |= begun
            complete += over
            if begun:
                self._called.add(choice)
            reason = self._finish(choice, candidate)
            if reason is not None:
                finished[choice] = reason
                self._calls.end(choice)
        pieces, closed, ended = self._runs.number(pieces)
        failed, usage = bool(event.get("error")), get(event, "usage_metadata")
        return Reading(
            pieces,
            choices or (0,),
            finished,
            failed,
            closed,
            calls=calls,
            usage=usage,
            complete=(*ended, *complete),
        )

    def _finish(self, choice: int, candidate: Mapping[str, Any]) -> FinishReason | None:
        """Return why a candidate ends with this chunk; older models say STOP in every chunk."""
        reason = get(candidate, "finish_reason")
        if not reason:
            return None
        if type(reason) is int:
            reason = _NUMBERED.get(reason, "STOP")
        ended = reason_of(as_text(reason))
        return "tool_calls" if ended == "stop" and choice in self._called else ended

    def extra(self, chunk: Any, slot: Slot, text: str, released: Released) -> Sequence[Any]:
        """Return a response with one part of the slot's kind, in its candidate."""
        candidate = _candidate(chunk, slot.choice)
        if slot.channel == "tool_args":
            part = _partial(chunk, candidate, slot, text)
        else:
            thought = {"thought": True} if slot.channel == "thinking" else {}
            part = object_like(chunk, "Part", text=text, **thought)
        reason = get(fields_of(candidate), "finish_reason")
        return [_bare(chunk, candidate, slot.choice, part, reason)]

    def end(
        self, chunk: Any, choice: int, reason: FinishReason, released: Released
    ) -> Sequence[Any]:
        """Return a response without text and with a finish reason."""
        stop: Any = STOPS.get(reason, "STOP")
        if not isinstance(chunk, dict):
            stop = sibling(chunk, TYPES, "FinishReason")(stop)
        part = object_like(chunk, "Part", text="")
        return [_bare(chunk, _candidate(chunk, choice), choice, part, stop)]


_KEPT = ("modelVersion", "model_version", "responseId", "response_id", "createTime", "create_time")
"""The fields that an added response has from the one that it is modelled on."""


def _candidate(chunk: Any, choice: int) -> Any:
    candidates = fields_of(chunk).get("candidates") or ()
    found = [each for each in candidates if index_in(each) == choice]
    return found[0] if found else object_like(chunk, "Candidate")


def _partial(chunk: Any, candidate: Any, slot: Slot, text: str) -> Any:
    """Return a part that continues a string of streamed arguments."""
    parts = parts_of(fields_of(candidate)) or [{}]
    call = continued(call_in(parts[-1]), slot.field, text, partial(object_like, chunk))
    return object_like(chunk, "Part", function_call=call)


def _bare(chunk: Any, candidate: Any, choice: int, part: Any, reason: Any) -> Any:
    """Return a response like `chunk` that has this one candidate, with this one part."""
    content = object_like(chunk, "Content", parts=[part], role="model")
    updates: dict[str, Any] = {"content": content}
    if fields_of(candidate).get("index") is not None:
        updates["index"] = choice
    if reason:
        updates |= named_like(chunk, {"finish_reason": reason})
    fields = fields_of(chunk)
    kept = {name: fields[name] for name in _KEPT if name in fields}
    return only(chunk, named_like(chunk, {"candidates": [only(candidate, updates)]}) | kept)
