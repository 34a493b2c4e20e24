"""What was delivered of one stream: the answer, what else was released, and the tool calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from io import StringIO
from typing import Any

from guardstream.events import Finding, FinishReason
from guardstream.formats.adapter import Call, Slot
from guardstream.stages.halves import well_formed
from guardstream.stream.flows.flow import Part
from guardstream.stream.result import Result, ToolCall


class Delivered:
    """Keeps delivered text by slot, and the answer's separately because it is needed most."""

    def __init__(self) -> None:
        self.answer = StringIO()
        self._slots: dict[Slot, StringIO] = {}
        self._done: set[Slot] = set()

    def add(self, parts: Sequence[Part]) -> None:
        """Store the parts of a delivered chunk."""
        for part in parts:
            if part.text:
                self._slots.setdefault(part.slot, StringIO()).write(part.text)
            if part.done:
                self._done.add(part.slot)

    def channels(self) -> Mapping[tuple[int, str], str]:
        """Return the text of each choice and channel, without tool results and citations."""
        found: dict[tuple[int, str], str] = {}
        answer = well_formed(self.answer.getvalue())
        if answer:
            found[0, "text"] = answer
        for slot, text in self._slots.items():
            if slot.is_streamed:
                key = (slot.choice, slot.channel)
                found[key] = found.get(key, "") + well_formed(text.getvalue())
        return found

    def call(self, slot: Slot, announced: Call) -> ToolCall:
        """Return the tool call whose arguments come in `slot`."""
        text = self._slots.get(slot)
        arguments = well_formed(text.getvalue()) if text else ""
        return ToolCall(announced.name, arguments, announced.id, slot.choice, slot in self._done)

    def completed(self, parts: Sequence[Part]) -> Sequence[ToolCall]:
        """Return the tool calls that `parts`, which are about to be delivered, complete. A format
        may mark the end of a call more than once."""
        ends = {part.slot: part.call for part in parts if part.done and part.call is not None}
        found = []
        for slot, announced in ends.items():
            if slot not in self._done:
                call = self.call(slot, announced)
                rest = "".join(part.text for part in parts if part.slot == slot)
                found.append(
                    replace(call, arguments=well_formed(call.arguments + rest), complete=True)
                )
        return found


def result_of(
    kept: Delivered | None,
    findings: Sequence[Finding],
    finish: FinishReason | None,
    calls: Mapping[Slot, Call],
    usage: Any,
    blocked_by: str | None,
) -> Result:
    """Return the result of a stream so far; without text if none was kept.

    `calls` are the tool calls announced so far, by the slot of their arguments.
    """
    if kept is None:
        return Result("", tuple(findings), finish, usage=usage, blocked_by=blocked_by)
    return Result(
        text=well_formed(kept.answer.getvalue()),
        findings=tuple(findings),
        finish=finish,
        channels=kept.channels(),
        tool_calls=tuple(kept.call(slot, call) for slot, call in calls.items()),
        usage=usage,
        blocked_by=blocked_by,
    )
