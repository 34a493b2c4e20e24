"""A2A: what one agent streams to another, tasks and their artifacts.

https://a2a-protocol.org/latest/specification/: answers of JSON-RPC with an event in their `result`
(version 0.3 names its kind, version 1.0 holds it under that name), or, over plain HTTP, the event
itself. An artifact's parts go on from update to update, as `append` says, and are one text; a
message is a text of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any, TypeGuard

from guardstream.errors import AdapterError
from guardstream.events import FinishReason
from guardstream.formats.adapter import Piece, Reading, Released, Slot, Unknown
from guardstream.formats.spec import (
    Leaf,
    Path,
    SpecAdapter,
    sibling,
)
from guardstream.formats.toolkit.fields import fields_of, replaced
from guardstream.formats.toolkit.files import spec_of
from guardstream.formats.toolkit.objects import (
    Event,
    Objects,
    dumped,
    message_json,
    message_like,
    model_like,
    root_of,
    with_changes,
)
from guardstream.formats.toolkit.protobuf import is_message, known_alone
from guardstream.formats.toolkit.streamed import Streamed

NAMED = ("task", "message", "statusUpdate", "artifactUpdate")
"""The fields of an event of version 1.0, one of which it has."""

_OVER: dict[str, FinishReason] = {
    **dict.fromkeys(("completed", "input-required", "auth-required", "canceled"), "stop"),
    **dict.fromkeys(("failed", "rejected", "unknown"), "error"),
}
"""States in which a stream ends; version 1.0 writes them as `TASK_STATE_INPUT_REQUIRED`."""


class Events(SpecAdapter):
    """Reads a task's events as JSON; its artifacts are the answer.

    `soFar` is the task after the event, for clients that yield both.
    """

    name = "a2a"
    spec = spec_of("a2a")
    repeats = False

    def __init__(self, *, unknown: Unknown = "guard") -> None:
        super().__init__(unknown=unknown)
        self._texts: dict[Any, int] = {}  # the numbers of artifacts, by id
        self._count = 0
        self._streamed = Streamed()  # the artifacts' text, if events repeat it

    def slot(self, leaf: Leaf, event: Mapping[str, Any], path: Path) -> Slot:
        number = path[0] if len(path) > 1 else 0
        if leaf.field == "text":
            artifact = _artifact_of(_update(event))
            if leaf.kind == "copy":
                artifact = fields_of(fields_of(event["soFar"])["artifacts"][path[0]])
            number = self._texts.get(artifact.get("artifactId"), 0)
        field = "content" if leaf.field == "message" else leaf.field  # a message is an answer
        return Slot(0, leaf.channel, field, number)

    def pieces(self, chunk: Any, event: Mapping[str, Any]) -> Sequence[Piece]:
        """Return the pieces of text; text in `soFar` that was not streamed is a text of its own."""
        found = super().pieces(chunk, event)
        if "soFar" not in event:
            return found
        self._streamed.note(piece for piece in found if piece.slot.field == "text")
        return [
            piece._replace(slot=piece.slot._replace(field="artifact"))
            if piece.kind == "copy" and self._streamed.find(piece) != piece.slot
            else piece
            for piece in found
        ]

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

    def meaning(self, chunk: Any, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
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
        failed = bool(event.get("error"))
        return Reading(pieces, (0,), finished, failed, complete=tuple(dict.fromkeys(over)))

    def write(self, chunk: Any, texts: Sequence[str], *, ends: bool = True) -> Any | None:
        """Return an event with `texts`; without `ends` its task continues."""
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

    def extra(self, chunk: Any, slot: Slot, text: str, released: Released) -> Sequence[Any]:
        """Return an update that appends `text` to the artifact."""
        update = _update(fields_of(chunk))
        artifact = _artifact_of(update)
        if not artifact or slot.field != "text":
            return []
        kinds = {"kind": "text"} if "kind" in update else {}
        part = {**kinds, "text": text}
        kept = {"artifactId": artifact.get("artifactId"), "parts": [part]}
        return [_with(chunk, {**update, "artifact": kept, "append": True, "lastChunk": False})]

    def end(
        self, chunk: Any, choice: int, reason: FinishReason, released: Released
    ) -> Sequence[Any]:
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


class A2A(Objects):
    """The adapter for a task's events as JSON, or as objects of the `a2a-sdk` package.

    Those are messages of Protocol Buffers (version 1), or pydantic's models (version 0.3), whose
    client returns pairs: the task so far, which it keeps extending, and the update.
    """

    name = "a2a"
    packages = frozenset({"a2a", "a2a_pb2"})

    def __init__(self, *, unknown: Unknown = "guard") -> None:
        super().__init__(Events(unknown=unknown), unknown=unknown)
        self._task: Event = {}  # as it went out last, of pairs

    def taken(self, chunk: Any) -> Any:
        """Return a copy of a pair, because its creator keeps adding to its parts."""
        if _is_pair(chunk):
            self.repeats = True
            return deepcopy(chunk)
        return known_alone(chunk) if is_message(chunk) else chunk

    def json_of(self, chunk: Any) -> Event:
        """Return the event that an object or a pair represents."""
        if _is_pair(chunk):
            task, update = chunk
            if update is None:
                return _answer(task)
            return {**_answer(update), "soFar": _with_joined_texts(dumped(task))}
        if not self.is_own(chunk):
            raise AdapterError(f"a2a: a {type(chunk).__qualname__!r} is not an event")
        if not is_message(chunk):
            return _answer(chunk)
        name = _NAMES.get(chunk.DESCRIPTOR.name)
        return {name: message_json(chunk)} if name else message_json(chunk)

    def changed(self, chunk: Any, old: Event, new: Event) -> Any:
        """Return an object or a pair like `chunk` with another event in it."""
        if _is_pair(chunk):
            task, update = chunk
            if update is None:
                return (with_changes(task, old["result"], new["result"]), None)
            same = new["soFar"] is old["soFar"]
            return (
                task if same else model_like(type(task), new["soFar"]),
                with_changes(update, old["result"], new["result"]),
            )
        if is_message(chunk):
            name = _NAMES.get(chunk.DESCRIPTOR.name)
            return message_like(chunk, new[name] if name else new)
        whole = _is_answer(chunk)
        return with_changes(chunk, old if whole else old["result"], new if whole else new["result"])

    def made(self, chunk: Any, event: Event) -> Any:
        """Return an object for an event; in a pair, with the task that the event updates."""
        if is_message(chunk):
            (name,) = event
            kind = next((kind for kind, each in _NAMES.items() if each == name), "")
            if chunk.DESCRIPTOR.name in _NAMES:
                return message_like(chunk, event[name], kind)
            return message_like(chunk, event, "StreamResponse")
        if _is_answer(chunk):
            return model_like(type(chunk), {**event, "id": self.inner_of(chunk).get("id")})
        beside = chunk[0] if _is_pair(chunk) else chunk
        update = event["result"]
        kind = sibling(beside, self.module_of(beside), _KIND_NAMES[update["kind"]])
        one = model_like(kind, update)
        if not _is_pair(chunk):
            return one
        self._task = _with_update(self._task, update)
        return (model_like(type(beside), self._task), one)

    def passed(self, chunk: Any) -> None:
        """Keep the task of a pair, as it went out."""
        if _is_pair(chunk):
            self._task = dumped(chunk[0])


_NAMES = {
    "Task": "task",
    "Message": "message",
    "TaskStatusUpdateEvent": "statusUpdate",
    "TaskArtifactUpdateEvent": "artifactUpdate",
}
"""The names of events in version 1."""

_KIND_NAMES = {
    "status-update": "TaskStatusUpdateEvent",
    "artifact-update": "TaskArtifactUpdateEvent",
}


def _is_pair(chunk: object) -> TypeGuard[tuple[Any, Any]]:
    return isinstance(chunk, tuple) and len(chunk) == 2


def _is_answer(model: Any) -> bool:
    return "jsonrpc" in fields_of(root_of(model))


def _answer(model: Any) -> Event:
    """Return the answer of JSON-RPC that a model is, or would come in."""
    told = dumped(model)
    return told if _is_answer(model) else {"jsonrpc": "2.0", "result": told}


def _with_joined_texts(task: Event) -> Event:
    """Return a task in which each text is one part: every update adds a part."""
    joined = {**task, "artifacts": [_joined(each) for each in task.get("artifacts") or ()]}
    joined["history"] = [_joined(each) for each in task.get("history") or ()]
    message = task["status"].get("message")
    return (
        {**joined, "status": {**task["status"], "message": _joined(message)}} if message else joined
    )


def _joined(holder: Event) -> Event:
    parts: list[Event] = []
    for part in holder["parts"]:
        if parts and part.keys() == parts[-1].keys() == {"kind", "text"}:
            parts[-1] = {**part, "text": parts[-1]["text"] + part["text"]}
        else:
            parts.append(part)
    return {**holder, "parts": parts}


def _with_update(task: Event, update: Event) -> Event:
    """Return a task after an update that the guard added."""
    if "status" in update:
        return {**task, "status": update["status"]}
    own = update["artifact"]
    artifacts = [
        {**each, "parts": [*each["parts"], *own["parts"]]}
        if each["artifactId"] == own["artifactId"]
        else each
        for each in task.get("artifacts") or ()
    ]
    return {**task, "artifacts": artifacts}


def _update(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the event in an answer, by its kind or under its name."""
    result = fields_of(event.get("result")) if "jsonrpc" in event else event
    name = next((name for name in NAMED if name in result), None)
    return result if name is None or "kind" in result else fields_of(result[name])


def rejected(told: Event, text: str) -> Event:
    """Return a blocked task or message, without JSON-RPC around it, with a `text`."""
    status = fields_of(told.get("status"))
    named = str(status.get("state")).startswith("TASK_STATE_")
    parts = [{**({} if named or "kind" not in told else {"kind": "text"}), "text": text}]
    if not status:
        return {**told, "parts": [*(told.get("parts") or ()), *parts]} if text else told
    ended = {**status, "state": "TASK_STATE_REJECTED" if named else "rejected"}
    if text:
        role = "ROLE_AGENT" if named else "agent"
        kinds = {} if named else {"kind": "message"}
        ended["message"] = {**kinds, "messageId": "msg_guard", "role": role, "parts": parts}
    return {**told, "status": ended}


def _artifact_of(update: Mapping[str, Any]) -> Mapping[str, Any]:
    return fields_of(update.get("artifact"))


def _with(chunk: Any, update: Mapping[str, Any], name: str = "artifactUpdate") -> Any:
    """Return an answer like `chunk` that holds another event."""
    held = update if "kind" in update else {name: update}
    return replaced(chunk, {"result": held}) if "jsonrpc" in chunk else held
