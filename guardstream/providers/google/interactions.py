"""Google's interactions: the steps of a model, each with a start, deltas and a stop.

Events of the `google-genai` package or plain dicts: https://ai.google.dev/api/interactions-api. The
API's first version, without steps, has events for contents instead, under other names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from guardstream.events import FinishReason
from guardstream.providers.adapter import Call, Piece, Reading, Released, Slot, Unknown
from guardstream.providers.spec import (
    KEEP,
    META,
    NAME,
    NUMBER,
    REQUEST,
    Items,
    Leaf,
    OneOf,
    Path,
    Spec,
    SpecAdapter,
    Tree,
    sibling,
)
from guardstream.providers.toolkit.fields import fields_of, index_in, replaced

_MEDIA_TYPES = ("image", "audio", "video", "document")
_MARKS = frozenset({"type", "id", "call_id", "signature", "mime_type", "data", "status"})
_FOUND = frozenset({"type", "status", "place_id", "review_id", "media_id"})
_OWN = frozenset({"custom_metadata"})


def _given(leaf: Leaf) -> Spec:
    """A tool's result: content, in which the data of media pass, or a value of the tool's own."""
    value = Tree(leaf)
    said = Tree(leaf, _FOUND, own=_OWN)
    contents = {**dict.fromkeys(_MEDIA_TYPES, Tree(leaf, _MARKS)), "text": said}
    return Items(OneOf("type", contents, value), value)


def _repeated(leaf: Leaf) -> Spec:
    """The steps or contents of a whole interaction."""
    step = Tree(leaf, _MARKS, own=_OWN)
    ids = dict.fromkeys(("type", "id", "call_id", "signature", "server_name"), META)
    call: Spec = {**ids, "name": NAME, "arguments": Tree(leaf)}
    result: Spec = {**ids, "name": META, "is_error": NUMBER, "result": _given(leaf)}
    known = dict.fromkeys(("function_call", "mcp_server_tool_call"), call)
    known |= dict.fromkeys(("function_result", "mcp_server_tool_result"), result)
    known |= {"file_search_result": result}
    return Items(OneOf("type", known, step), step)


_RESULT = Leaf("whole", "text", "tool_result")
_CITATION = Tree(Leaf("whole", "text", "citation"), _FOUND, own=_OWN)
_SAID: Spec = {"type": META, "text": Leaf("delta", "text", "text"), "annotations": _CITATION}
_THOUGHT: Spec = {"type": META, "text": Leaf("delta", "thinking", "thinking")}

_TOOLS = (
    *("code_execution", "file_search", "function", "google_maps", "google_search"),
    *("mcp_server_tool", "processing", "retrieval", "tool_search", "url_context"),
)
_CALL: Spec = {
    **dict.fromkeys(("type", "id", "signature", "server_name"), META),
    **dict.fromkeys(("search_type", "retrieval_type"), META),
    "name": NAME,
    "arguments": Leaf("whole", "tool_args", "args"),
}
_GIVEN: dict[str, Spec] = {
    **dict.fromkeys(("type", "call_id", "id", "name", "signature", "server_name"), META),
    "is_error": NUMBER,
    "status": META,
    "result": _given(_RESULT),
}
_CALLS = {f"{tool}_call": _CALL for tool in _TOOLS}
_RESULTS: dict[str, Spec] = {f"{tool}_result": _GIVEN for tool in _TOOLS}
for _tool in ("google_maps", "google_search", "tool_search", "url_context"):
    _RESULTS[f"{_tool}_result"] = {**_GIVEN, "result": Tree(_RESULT, _FOUND, own=_OWN)}
_MEDIA = dict.fromkeys(
    _MEDIA_TYPES,
    dict.fromkeys(("type", "data", "mime_type", "uri", "resolution", "rate", "channels"), META),
)

STEP = OneOf(
    "type",
    {
        "model_output": {
            "type": META,
            "content": [OneOf("type", {"text": _SAID, **_MEDIA})],
            "error": Tree(Leaf("whole", "text", "error"), _MARKS),
        },
        "thought": {"type": META, "signature": META, "summary": [_THOUGHT]},
        "user_input": REQUEST,
        **_CALLS,
        **_RESULTS,
    },
)

_DELTA = OneOf(
    "type",
    {
        "text": _SAID,
        "thought_summary": {"type": META, "content": _THOUGHT},
        "thought_signature": {"type": META, "signature": KEEP},
        "arguments_delta": {
            "type": META,
            "arguments": Leaf("delta", "tool_args", "args"),
            "partial_arguments": Leaf("delta", "tool_args", "args"),
        },
        "text_annotation_delta": {"type": KEEP, "annotations": _CITATION},
        **{name: {**spec, "type": KEEP} for name, spec in (_CALLS | _RESULTS).items()},  # type: ignore[dict-item]
        **_MEDIA,
    },
)

INTERACTION: dict[str, Spec] = {
    **dict.fromkeys(("id", "object", "status", "model", "agent", "role", "usage"), META),
    **dict.fromkeys(("created", "updated", "service_tier", "previous_interaction_id"), META),
    **dict.fromkeys(("tools", "system_instruction", "input", "response_format"), REQUEST),
    **dict.fromkeys(("generation_config", "agent_config", "response_modalities"), REQUEST),
    **dict.fromkeys(("webhook_config", "labels", "safety_settings", "environment"), REQUEST),
    **dict.fromkeys(("response_mime_type", "environment_id", "cached_content"), META),
    **dict.fromkeys(("continuation_ids", "continuation_token"), META),
    **dict.fromkeys(("output_image", "output_audio", "output_video"), META),
    "output_text": Leaf("whole", "text", "steps"),
    "outputs": _repeated(_RESULT),
    "errors": Tree(_RESULT, _MARKS),
    "steps": _repeated(Leaf("whole", "text", "steps")),
    "error": Tree(Leaf("whole", "text", "error"), _MARKS),
}

_EVENT: dict[str, Spec] = {"event_type": KEEP, "event_id": META, "metadata": META}

_BEFORE = {
    "interaction.created": "interaction.start",
    "interaction.completed": "interaction.complete",
    "step.start": "content.start",
    "step.delta": "content.delta",
    "step.stop": "content.stop",
}
"""The names of events before there were steps."""

_NOW = {before: now for now, before in _BEFORE.items()}

CONTENT = OneOf(
    "type",
    {
        "text": _SAID,
        "thought": {"type": META, "signature": META, "summary": [_THOUGHT]},
        **_CALLS,
        **_RESULTS,
        **_MEDIA,
    },
)

_EVENTS: dict[str, Spec] = {
    "interaction.created": {**_EVENT, "interaction": INTERACTION},
    "interaction.completed": {**_EVENT, "interaction": INTERACTION},
    "interaction.status_update": {**_EVENT, "interaction_id": META, "status": META},
    "step.start": {**_EVENT, "index": NUMBER, "step": STEP},
    "step.delta": {**_EVENT, "event_type": META, "index": NUMBER, "delta": _DELTA},
    "step.stop": {**_EVENT, "index": NUMBER, "usage": META, "status": META},
    "error": {
        **_EVENT,
        "error": {"code": META, "message": Leaf("whole", "text", "error"), "status": META},
    },
    "content.start": {**_EVENT, "index": NUMBER, "content": CONTENT},
}
_SPEC = OneOf("event_type", {**{_BEFORE[name]: _EVENTS[name] for name in _BEFORE}, **_EVENTS})

STATUS: dict[str, FinishReason] = {
    "failed": "error",
    "cancelled": "cancelled",
    "incomplete": "length",
    "requires_action": "tool_calls",
    "budget_exceeded": "length",
}

_SLOTS = {
    **dict.fromkeys(("model_output", "text"), ("text", "text")),
    "thought": ("thinking", "thinking"),
}


class Interactions(SpecAdapter):
    """The adapter for interaction events; there is one choice."""

    name = "interactions"
    spec = _SPEC
    repeats = False

    def __init__(self, *, unknown: Unknown = "guard") -> None:
        super().__init__(unknown=unknown)
        self._open: Slot | None = None
        self._index = -1
        self._interaction: Any = None
        self._by_steps = True

    def slot(self, leaf: Leaf, event: Mapping[str, Any], path: Path) -> Slot:
        return Slot(0, leaf.channel, leaf.field, index_in(event))

    def meaning(self, chunk: Any, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        own = str(event.get("event_type"))
        kind = _NOW.get(own, own)
        self._by_steps = self._by_steps and own not in _NOW
        if kind == "step.start":
            return self._started(event, pieces)
        if kind == "step.stop":
            slot, self._open = self._open, None
            return Reading(pieces, (0,), closed=(slot,) if slot else ())
        if kind in ("interaction.created", "interaction.completed"):
            self._interaction = self.silent(chunk)
        if kind == "interaction.completed":
            interaction = fields_of(event.get("interaction"))
            reason = STATUS.get(str(interaction.get("status")), "stop")
            return Reading(pieces, (0,), {0: reason}, usage=interaction.get("usage"))
        return Reading(pieces, (0,), failed=kind == "error")

    def _started(self, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        step = fields_of(event.get("step") or event.get("content"))
        self._index = index_in(event)
        channel, field = _SLOTS.get(str(step.get("type")), ("tool_args", "args"))
        over = () if self._open is None else (self._open,)
        self._open = Slot(0, channel, field, self._index)
        called = str(step.get("type")).endswith("_call")
        name = step.get("name") or step.get("type")
        calls = {self._open: Call(str(name), step.get("id"))} if called else {}
        return Reading(pieces, (0,), closed=over, calls=calls)

    def extra(self, chunk: Any, slot: Slot, text: str, released: Released) -> Sequence[Any]:
        """Return a delta of the slot's step; of a new one, if nothing was released in any."""
        made: list[Any] = []
        if slot.field == "content":
            made += self._close(chunk)
            slot = self._open = Slot(0, "text", "text", self._index + 1)
            begun = (
                {"step": {"type": "model_output"}}
                if self._by_steps
                else {"content": {"type": "text"}}
            )
            made.append(self._make(chunk, "step.start", {"index": slot.number, **begun}))
        delta: dict[str, Any] = {"type": "text", "text": text}
        if slot.channel == "thinking":
            delta = {"type": "thought_summary", "content": delta}
        elif slot.channel == "tool_args":
            delta = {"type": "arguments_delta", "arguments": text}
        said_here = {"index": slot.number, "delta": delta}
        return [*made, self._make(chunk, "step.delta", said_here)]

    def end(
        self, chunk: Any, choice: int, reason: FinishReason, released: Released
    ) -> Sequence[Any]:
        """Return what ends the open step, and the interaction."""
        made = self._close(chunk)
        last = self._interaction
        if last is None:
            return made
        status = "completed" if reason == "stop" else "incomplete"
        interaction = replaced(fields_of(last)["interaction"], {"status": status})
        if isinstance(last, dict):
            return [*made, self._make(last, "interaction.completed", {"interaction": interaction})]
        kind = sibling(last, _package(last), "InteractionCompletedEvent")
        return [*made, kind(interaction=interaction)]

    def _close(self, chunk: Any) -> list[Any]:
        slot, self._open = self._open, None
        if slot is None:
            return []
        return [self._make(chunk, "step.stop", {"index": slot.number})]

    def _make(self, chunk: Any, kind: str, fields: dict[str, Any]) -> Any:
        """Return an event like `chunk`: a dict, or an object of the package's class for it."""
        event = {"event_type": kind if self._by_steps else _BEFORE[kind], **fields}
        if isinstance(chunk, dict):
            return event
        name = event["event_type"].title().replace(".", "")
        module = f"{_package(chunk)}.{name.lower()}"
        return sibling(chunk, module, name).model_validate(event)


def _package(chunk: Any) -> str:
    return type(chunk).__module__.rpartition(".")[0]
