"""A2A: what one agent streams to another, tasks and their artifacts.

https://a2a-protocol.org/latest/specification/: answers of JSON-RPC with an event in their `result`
(version 0.3 names its kind, version 1.0 holds it under that name), or, over plain HTTP, the event
itself. An artifact's parts go on from update to update, as `append` says, and are one text; a
message is a text of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from guardstream.events import FinishReason
from guardstream.providers.adapter import Piece, Reading, Said, Slot, Unknown
from guardstream.providers.fields import fields_of, replaced
from guardstream.providers.spec import (
    APART,
    END,
    KEEP,
    META,
    NUMBER,
    REQUEST,
    UNKNOWN,
    Leaf,
    OneOf,
    Path,
    Spec,
    SpecAdapter,
    Tree,
)

_MARKS = dict.fromkeys(("kind", "taskId", "contextId", "messageId", "artifactId"), META)
_MORE: dict[str, Spec] = {"metadata": Tree(UNKNOWN), "extensions": [META]}
_FILE: Spec = {
    **dict.fromkeys(("mimeType", "bytes", "uri"), META),
    "name": Leaf("whole", "text", "file"),
}


def _part(text: Leaf) -> Spec:
    return {
        **dict.fromkeys(("kind", "type", "mediaType"), META),
        "text": text,
        **dict.fromkeys(("raw", "url"), KEEP),
        "filename": Leaf("whole", "text", "file"),
        "file": _FILE,
        "data": Tree(Leaf("whole", "text", "data")),
        "metadata": _MORE["metadata"],
    }


def _message(text: Leaf) -> Spec:
    known = {**_MARKS, "role": META, "referenceTaskIds": [META], **_MORE, "parts": [_part(text)]}
    return OneOf("role", dict.fromkeys(("user", "ROLE_USER"), REQUEST), known)


def _artifact(text: Leaf) -> Spec:
    whole = Leaf("whole", "text", "artifact")
    return {**_MARKS, **_MORE, "name": whole, "description": whole, "parts": [_part(text)]}


_WHOLE = Leaf("delta", "text", "message")
_STATE = {"state": KEEP, "timestamp": META}
_OPEN = ("submitted", "working", "TASK_STATE_SUBMITTED", "TASK_STATE_WORKING")
_WORKING: Spec = {**_STATE, "message": _message(APART)}
_STATUS = OneOf(
    "state",
    dict.fromkeys(_OPEN, _WORKING),
    {**_STATE, "message": _message(_WHOLE)},
)
_TASK: Spec = {
    **_MARKS,
    **_MORE,
    "id": META,
    "status": _STATUS,
    "artifacts": [_artifact(Leaf("delta", "text", "artifact"))],
    "history": [_message(Leaf("delta", "text", "history"))],
}
_STATUS_UPDATE: Spec = {**_MARKS, **_MORE, "status": _STATUS, "final": END}
_ARTIFACT_UPDATE: Spec = {
    **_MARKS,
    **_MORE,
    "artifact": _artifact(Leaf("delta", "text", "text")),
    **dict.fromkeys(("append", "lastChunk", "index"), NUMBER),
}

_KINDS = {
    "task": _TASK,
    "message": _message(_WHOLE),
    "status-update": _STATUS_UPDATE,
    "artifact-update": _ARTIFACT_UPDATE,
}
_NAMED: dict[str, Spec] = {
    "task": _TASK,
    "message": _message(_WHOLE),
    "statusUpdate": _STATUS_UPDATE,
    "artifactUpdate": _ARTIFACT_UPDATE,
}

_OVER: dict[str, FinishReason] = {
    **dict.fromkeys(("completed", "input-required", "auth-required", "canceled"), "stop"),
    **dict.fromkeys(("failed", "rejected", "unknown"), "error"),
}
"""States in which a stream ends; version 1.0 writes them as `TASK_STATE_INPUT_REQUIRED`."""


class A2A(SpecAdapter):
    """The adapter for a task's events; its artifacts are the answer."""

    name = "a2a"
    spec: ClassVar[Spec] = {
        **dict.fromkeys(("jsonrpc", "id"), META),
        "result": OneOf("kind", _KINDS, _NAMED),
        "error": Tree(Leaf("whole", "text", "error")),
        **_NAMED,
    }
    repeats = False

    def __init__(self, *, unknown: Unknown = "guard") -> None:
        super().__init__(unknown=unknown)
        self._texts: dict[Any, int] = {}  # of artifacts, by their ids
        self._count = 0

    @staticmethod
    def accepts(chunk: object) -> bool:
        """Tell whether `chunk` is an event of a task, or a message, as an answer of JSON-RPC."""
        if not isinstance(chunk, dict):
            return False
        result = chunk.get("result") if "jsonrpc" in chunk else chunk
        if not isinstance(result, dict):
            return False
        if "jsonrpc" in chunk and result.get("kind") in _KINDS:
            return True
        named = result.keys() & _NAMED.keys()
        return len(result) == len(named) == 1 and not fields_of(
            result[named.pop()]
        ).keys().isdisjoint({"taskId", "contextId", "messageId"})

    def slot(self, leaf: Leaf, event: Mapping[str, Any], path: Path) -> Slot:
        number = path[0] if len(path) > 1 else 0
        if leaf.field == "text":
            number = self._texts.get(_artifact_of(_update(event)).get("artifactId"), 0)
        field = "content" if leaf.field == "message" else leaf.field  # it is an answer
        return Slot(0, leaf.channel, field, number)

    def read(self, chunk: Any) -> Reading:
        """Find the text in an event; an artifact that is not appended to is another text."""
        update = _update(fields_of(chunk))
        artifact = _artifact_of(update)
        own = artifact.get("artifactId")
        if not artifact or (update.get("append") and own in self._texts):
            return super().read(chunk)
        before = self._texts.get(own)
        self._texts[own] = self._count
        self._count += 1
        over = () if before is None else (Slot(0, "text", "text", before),)
        return super().read(chunk)._replace(closed=over)

    def meaning(self, chunk: Any, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:  # noqa: ARG002
        update = _update(event)
        state = str(fields_of(update.get("status")).get("state") or "")
        state = state.removeprefix("TASK_STATE_").replace("_", "-").lower()
        finished: dict[int, FinishReason] = {}
        if state in _OVER and update.get("final", True):
            finished[0] = _OVER[state]
        last = bool(update.get("lastChunk"))
        over = [
            piece.slot for piece in pieces if piece.kind == "delta" and piece.slot.field != "text"
        ]
        if last:
            over.append(
                Slot(0, "text", "text", self._texts[_artifact_of(update).get("artifactId")])
            )
        return Reading(pieces, (0,), finished, complete=tuple(dict.fromkeys(over)))

    def write(self, chunk: Any, texts: Sequence[str], *, ends: bool = True) -> Any | None:
        """Return an event that says `texts`; without `ends` its task goes on."""
        written = super().write(chunk, texts, ends=ends)
        update = _update(fields_of(written))
        status = fields_of(update.get("status"))
        if written is None or ends or not status:
            return written
        named = str(status.get("state")).startswith("TASK_STATE_")
        state = "TASK_STATE_WORKING" if named else "working"
        going = {**update, "status": {**status, "state": state}}
        if "final" in going:
            going["final"] = False
        return _with(written, going, "task" if "id" in update else "statusUpdate")

    def extra(self, chunk: Any, slot: Slot, text: str, said: Said) -> Sequence[Any]:  # noqa: ARG002
        """Return an update that appends `text` to the artifact."""
        update = _update(fields_of(chunk))
        artifact = _artifact_of(update)
        if not artifact or slot.field != "text":
            return []
        kinds = {"kind": "text"} if "kind" in update else {}
        part = {**kinds, "text": text}
        kept = {"artifactId": artifact.get("artifactId"), "parts": [part]}
        return [_with(chunk, {**update, "artifact": kept, "append": True, "lastChunk": False})]

    def end(self, chunk: Any, choice: int, reason: FinishReason, said: Said) -> Sequence[Any]:  # noqa: ARG002
        """Return a status that ends the task: `rejected` for a block, `completed` otherwise."""
        update = _update(fields_of(chunk))
        state = "rejected" if reason == "content_filter" else "completed"
        ids = {name: update[name] for name in ("taskId", "contextId") if name in update}
        if "id" in update:  # of a task
            ids["taskId"] = update["id"]
        if "kind" in update:
            status = {"state": state}
            return [_with(chunk, {**ids, "kind": "status-update", "status": status, "final": True})]
        status = {"state": f"TASK_STATE_{state.upper()}"}
        return [_with(chunk, {**ids, "status": status}, "statusUpdate")]


def _update(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the event in an answer, whichever way it is held."""
    result = fields_of(event.get("result")) if "jsonrpc" in event else event
    name = next((name for name in _NAMED if name in result), None)
    return result if name is None or "kind" in result else fields_of(result[name])


def _artifact_of(update: Mapping[str, Any]) -> Mapping[str, Any]:
    return fields_of(update.get("artifact"))


def _with(chunk: Any, update: Mapping[str, Any], name: str = "artifactUpdate") -> Any:
    """Return an answer like `chunk` that holds another event."""
    held = update if "kind" in update else {name: update}
    return replaced(chunk, {"result": held}) if "jsonrpc" in chunk else held
