"""CrewAI: the chunks of a crew's streaming output, and the frames of its stream sessions.

https://docs.crewai.com/en/learn/streaming-crew-execution. Each task is a text of its own; where
another begins, the one before is over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from guardstream.providers.adapter import Call, Piece, Reading, Slot
from guardstream.providers.fields import fields_of, index_in
from guardstream.providers.growing import Growing
from guardstream.providers.spec import META, NAME, Leaf, Path, Spec, Tree

_TEXT = Leaf("delta", "text", "text")
_ARGUMENTS = Leaf("delta", "tool_args", "arguments")
_TASK = ("task_index", "task_name", "task_id", "agent_role", "agent_id")
_CALLS = 1000
"""A call's number is its own in its task, and this for each task before."""

_CHUNK: Spec = {
    **dict.fromkeys((*_TASK, "chunk_type"), META),
    "content": _TEXT,
    "tool_call": {
        **dict.fromkeys(("tool_id", "index"), META),
        "tool_name": NAME,
        "arguments": _ARGUMENTS,
    },
}
_FRAME: Spec = {
    **dict.fromkeys(("id", "seq", "type", "channel", "parent_id", "previous_id"), META),
    "namespace": [META],
    "data": {
        **dict.fromkeys((*_TASK, "call_id", "call_type", "response_id", "model"), META),
        "chunk": _TEXT,
        "response": Tree(Leaf("whole", "text", "response")),
        "tool_call": {
            **dict.fromkeys(("id", "index", "type"), META),
            "function": {"name": NAME, "arguments": _ARGUMENTS},
        },
    },
}


class CrewAI(Growing):
    """The adapter for chunks and frames."""

    name = "crewai"
    repeats = False
    spec: ClassVar[Spec] = _CHUNK

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._tasks: dict[Any, int] = {}
        self._said: dict[int, dict[Slot, None]] = {}  # slots, by task

    @staticmethod
    def accepts(chunk: object) -> bool:
        """Tell whether `chunk` is a chunk or a frame."""
        keys = fields_of(chunk).keys() if not isinstance(chunk, (str, bytes)) else set()
        return {"content", "chunk_type", "task_index"} <= keys or (
            {"namespace", "channel", "seq", "data"} <= keys
        )

    def spec_of(self, chunk: Any) -> Spec:
        return _FRAME if "data" in fields_of(chunk) else _CHUNK

    def number(self, leaf: Leaf, event: Mapping[str, Any], path: Path) -> int:  # noqa: ARG002
        fields = fields_of(event.get("data")) or event
        task = tuple(str(fields.get(name)) for name in _TASK)
        number = self._tasks.setdefault(task, len(self._tasks))
        if leaf.channel != "tool_args":
            return number
        return number * _CALLS + index_in(fields_of(fields.get("tool_call")))

    def parts(self, event: Mapping[str, Any]) -> bool:
        return event.get("type") == "llm_call_completed"

    def called(self, event: Mapping[str, Any]) -> Mapping[int, Call]:
        told = fields_of((fields_of(event.get("data")) or event).get("tool_call"))
        name = told.get("tool_name") or fields_of(told.get("function")).get("name")
        if not name:
            return {}
        call = Call(name, told.get("tool_id") or told.get("id"))
        return {self.number(_ARGUMENTS, event, ()): call}

    def meaning(self, chunk: Any, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        reading = super().meaning(chunk, event, pieces)
        here = {piece.slot: None for piece in pieces if piece.kind == "delta"}
        if not here:
            return reading
        task = self.number(_TEXT, event, ())
        over = [slot for other in [*self._said] if other != task for slot in self._said.pop(other)]
        self._said.setdefault(task, {}).update(here)
        return reading._replace(closed=over)
