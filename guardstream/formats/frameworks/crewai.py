"""CrewAI: the chunks of a crew's streaming output, and the frames of its stream sessions.

https://docs.crewai.com/en/learn/streaming-crew-execution. Each task has a text of its own, which
ends when another task begins.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from guardstream.formats.adapter import Call, Piece, Reading, Slot
from guardstream.formats.spec import Leaf, Path, Spec
from guardstream.formats.toolkit.fields import fields_of, index_in
from guardstream.formats.toolkit.files import spec_of
from guardstream.formats.toolkit.growing import Repeating
from guardstream.formats.toolkit.reused import is_whole

_TEXT = Leaf("delta", "text", "text")
_ARGUMENTS = Leaf("grown", "tool_args", "arguments")
_TASK = ("task_index", "task_name", "task_id", "agent_role", "agent_id")


_SECTIONS: dict[str, Spec] = {
    name: spec_of("crewai", name)
    for name in ("event", "calling", "frame", "calling_frame", "thought")
}
"""In a chunk of a call, the content is the new text of the arguments, which the chunk may also have
in full."""


class CrewAI(Repeating):
    """The adapter for chunks and frames."""

    name = "crewai"
    spec = _SECTIONS["event"]

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._tasks: dict[Any, int] = {}
        self._calls: dict[Any, int] = {}  # by task, place and id
        self._ids: dict[Any, Any] = {}  # the id of the last call, by task and place
        self._arguments: dict[Any, str] = {}  # so far, by task, place and id
        self._reused: dict[Any, int] = {}  # how often an id was taken again
        self._said: dict[int, dict[Slot, None]] = {}  # the slots of streamed texts, by task

    def spec_of(self, chunk: Any) -> Spec:
        fields = fields_of(chunk)
        if "data" in fields:
            calling = fields_of(fields["data"]).get("tool_call")
            thinking = fields.get("type") == "llm_thinking_chunk"
            return _SECTIONS["calling_frame" if calling else "thought" if thinking else "frame"]
        return _SECTIONS["calling" if fields.get("tool_call") else "event"]

    def read(self, chunk: Any) -> Reading:
        self._note_call(fields_of(chunk))
        return super().read(chunk)

    def _note_call(self, event: Mapping[str, Any]) -> None:
        """Note the arguments of a call so far, and whether it has taken an earlier call's id.

        Gemini's calls have the same ids in each turn, or none. A call with a taken id is a new one
        if it has a name and the earlier call is complete.
        """
        told = _call_in(event)
        name, text = _named(told)
        if not isinstance(text, str):
            return
        key = self._key(event)
        before = self._arguments.get(key, "")
        if text.startswith(before):
            self._arguments[key] = text
        elif name and is_whole(before):
            self._reused[key] = self._reused.get(key, 0) + 1
            self._arguments[key] = text
        else:
            self._arguments[key] = before + text

    def _key(self, event: Mapping[str, Any]) -> Any:
        """Return the task, the place and the id of a call; later chunks may leave out the id."""
        told = _call_in(event)
        place = (_task_of(event), index_in(told))
        own = self._ids[place] = told.get("tool_id") or told.get("id") or self._ids.get(place)
        return place, own

    def number(self, leaf: Leaf, event: Mapping[str, Any], path: Path) -> int:
        if leaf.channel != "tool_args":
            return self._tasks.setdefault(_task_of(event), len(self._tasks))
        key = self._key(event)
        return self._calls.setdefault((key, self._reused.get(key, 0)), len(self._calls))

    def _known(self, piece: Piece) -> Piece:
        return super()._known(piece) if piece.slot.field == "response" else piece

    def parts(self, event: Mapping[str, Any]) -> bool:
        return event.get("type") == "llm_call_completed"

    def called(self, event: Mapping[str, Any]) -> Mapping[int, Call]:
        told = _call_in(event)
        name, _ = _named(told)
        if not name:
            return {}
        call = Call(name, told.get("tool_id") or told.get("id"))
        return {self.number(_ARGUMENTS, event, ()): call}

    def usage(self, event: Mapping[str, Any]) -> Any:
        return fields_of(event.get("data")).get("usage")

    def meaning(self, chunk: Any, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        reading = super().meaning(chunk, event, pieces)
        here = {piece.slot: None for piece in pieces if piece.kind == "delta"}
        if not here:
            return reading
        task = self.number(_TEXT, event, ())
        over = [slot for other in [*self._said] if other != task for slot in self._said.pop(other)]
        self._said.setdefault(task, {}).update(here)
        return reading._replace(closed=over)


def _said(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the fields of a chunk, or of the data of a frame."""
    return fields_of(event.get("data")) or event


def _task_of(event: Mapping[str, Any]) -> Any:
    fields = _said(event)
    return tuple(str(fields.get(name)) for name in _TASK)


def _call_in(event: Mapping[str, Any]) -> Mapping[str, Any]:
    return fields_of(_said(event).get("tool_call"))


def _named(call: Mapping[str, Any]) -> tuple[Any, Any]:
    """Return the name of a call and its arguments."""
    function = fields_of(call.get("function")) or call
    return call.get("tool_name") or function.get("name"), function.get("arguments")
