"""Agno: the events of `run(..., stream=True)` of an agent, a team or a workflow.

https://docs.agno.com/agents/running-agents. Content comes in pieces; the event that completes a run
repeats all of it, over all turns, so a run's content is one text. Each member of a team is a choice
of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from guardstream.events import FinishReason
from guardstream.formats.adapter import Call, Piece, Reading, Released, Slot, Unknown
from guardstream.formats.spec import (
    Leaf,
    Path,
    Spec,
    VariedSpecAdapter,
    sibling,
)
from guardstream.formats.toolkit.fields import fields_of, only
from guardstream.formats.toolkit.files import spec_of
from guardstream.formats.toolkit.streamed import Streamed

_IDS = (
    *("event", "created_at", "run_id", "parent_run_id", "session_id", "user_id", "nested_depth"),
    *("agent_id", "agent_name", "team_id", "team_name", "content_type", "workflow_agent"),
    *("workflow_id", "workflow_run_id", "workflow_name", "step_id", "step_name", "step_index"),
)
"""The fields that identify an event's run."""

_EVENTS = spec_of("agno")

_OVER = frozenset({"RunContentCompleted", "RunCompleted", "RunError", "RunCancelled"})

_MODULES = ("agno.run.agent", "agno.run.team")


class Agno(VariedSpecAdapter):
    """The adapter for events, and for the run's output that may follow them."""

    name = "agno"
    spec = _EVENTS.specs["RunContent"]
    ends_with_source = True

    def __init__(self, *, unknown: Unknown = "guard") -> None:
        super().__init__(unknown=unknown)
        self._runs: dict[str, Slot] = {}  # the first slot of each run
        self._calls: dict[tuple[Any, str], Slot] = {}  # by id and arguments
        self._streamed = Streamed()

    def spec_of(self, chunk: Any) -> Spec:
        spec: Spec = _EVENTS.specs.get(_kind(fields_of(chunk)), _EVENTS.other)
        return spec

    def slot(self, leaf: Leaf, event: Mapping[str, Any], path: Path) -> Slot:
        run = self._run(event)
        return Slot(run.choice, leaf.channel, leaf.field, run.number)

    def _run(self, event: Mapping[str, Any]) -> Slot:
        """Return the first slot of an event's run; a run that another one started is a choice of
        its own."""
        own = str(event.get("run_id"))
        if own not in self._runs:
            asked = str(event.get("parent_run_id")) in self._runs
            choice = len(self._runs) + 1 if asked else 0
            self._runs[own] = Slot(choice, "text", "text", len(self._runs))
        return self._runs[own]

    def meaning(self, chunk: Any, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        kind = _kind(event)
        workflow = "workflow_id" in event and not ({"agent_id", "team_id"} & event.keys())
        if workflow and kind not in _EVENTS.specs:
            return Reading([self._repeated(piece) for piece in pieces], ())
        run = self._run(event)
        tool = fields_of(event.get("tool"))
        calls: dict[Slot, Call] = {}
        found: list[Piece] = []
        for piece in pieces:
            told = self._repeated(piece, tool.get("tool_call_id"))
            if told.kind == "whole" and told.slot.channel == "tool_args" and tool:
                calls[told.slot] = Call(str(tool.get("tool_name")), tool.get("tool_call_id"))
            found.append(told)
        self._streamed.note(found)
        over: list[Slot] = []
        if kind in _OVER:
            over = [run, run._replace(field="intermediate")]
            over.append(run._replace(channel="thinking", field="thinking"))
        ended: dict[int, FinishReason] = {run.choice: "stop"} if kind == "RunCompleted" else {}
        if kind == "RunCancelled":
            ended = {run.choice: "cancelled"}
        usage = None if run.choice else event.get("metrics")
        failed = kind == "RunError" and not run.choice
        return Reading(
            found, (run.choice,), ended, failed, over, calls=calls, usage=usage, complete=[*calls]
        )

    def _repeated(self, piece: Piece, call: Any = None) -> Piece:
        """Return a piece as a copy in the slot that had its text before; otherwise as a text of its
        own.

        For arguments, the id of the `call` decides, if there is one.
        """
        slot, text, kind = piece
        if kind != "whole" or slot.channel != "tool_args":
            return self._streamed.placed(piece)
        known = self._calls.get((call, text))
        if known is not None:
            return Piece(known, text, "copy")
        own = slot._replace(number=len(self._calls))
        self._calls |= {(call, text): own, (None, text): own}
        return Piece(own, text, kind)

    def extra(self, chunk: Any, slot: Slot, text: str, released: Released) -> Sequence[Any]:
        """Return an event with a piece of content."""
        if slot.channel == "tool_args":
            return []
        kind = "RunIntermediateContent" if slot.field == "intermediate" else "RunContent"
        name = "reasoning_content" if slot.channel == "thinking" else "content"
        return [_made(chunk, kind, {name: text})]

    def end(
        self, chunk: Any, choice: int, reason: FinishReason, released: Released
    ) -> Sequence[Any]:
        """Return the event that cancels a run, or completes it with the released text."""
        if reason == "content_filter":
            return [_made(chunk, "RunCancelled", {"reason": reason})]
        content = released(self._run(fields_of(chunk)))
        return [_made(chunk, "RunCompleted", {"content": content})]


def _kind(event: Mapping[str, Any]) -> str:
    """Return an event's name, without the part that distinguishes agents from teams."""
    return str(event.get("event")).removeprefix("Team")


def _made(chunk: Any, kind: str, updates: Mapping[str, Any]) -> Any:
    """Return an event of another kind in the run of `chunk`."""
    fields = fields_of(chunk)
    team = "Team" if "team_id" in fields and "agent_id" not in fields else ""
    news = {**updates, "event": team + kind}
    kept = {name: value for name, value in fields.items() if name in _IDS and name != "event"}
    if isinstance(chunk, dict):
        return {**kept, **news}
    if fields.get("event") == news["event"]:
        return only(chunk, {**kept, **news})
    name = {"RunIntermediateContent": "IntermediateRunContent"}.get(kind, kind)
    made = sibling(chunk, _MODULES[bool(team)], f"{name}Event")(**updates)
    for name in kept.keys() & fields_of(made).keys() - {"content_type"}:
        setattr(made, name, kept[name])
    return made
