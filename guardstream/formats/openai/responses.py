"""Responses API streams: raw events and those of the package's `responses.stream` helper.

Objects of the `openai` package or plain dicts. The format:
https://platform.openai.com/docs/api-reference/responses-streaming. The model's text and the results
of tools are guarded wherever they are repeated: in done events, in items, and in the response at
the end. What the response repeats of the request (instructions, tools, metadata) is the caller's
own and passes, and so do encrypted reasoning, files and images. Consecutive text parts are one
text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from guardstream.events import FinishReason
from guardstream.formats.adapter import Call, Piece, Reading, Released, Slot
from guardstream.formats.openai.responses_end import PARTS, Ending, index_of, number_of, part_of
from guardstream.formats.openai.responses_names import (
    BESIDE,
    LIFE,
    OVER,
    PANEL,
    STREAMED,
)
from guardstream.formats.spec import Leaf, Path, SpecAdapter
from guardstream.formats.toolkit.fields import fields_of, kind_of
from guardstream.formats.toolkit.files import spec_of
from guardstream.formats.toolkit.reasons import reason_of

CALLS = {
    "function_call": "arguments",
    "custom_tool_call": "input",
    "mcp_call": "arguments",
    "mcp_approval_request": "arguments",
    "code_interpreter_call": "code",
    "apply_patch_call": "diff",
}
"""Items that are tool calls, and the field of their arguments. Built-in tools have no name."""

_CLIENT = ("function_call", "custom_tool_call", "apply_patch_call", "computer_call")
"""Calls for the client."""

_PARTED = ("output_text", "reasoning_text")
"""Texts in numbered parts of an item."""

_PART_EVENTS = ("content_part", "reasoning_summary_part", "reasoning_part")


class OpenAIResponses(SpecAdapter):
    """The adapter for events of the Responses API."""

    name = "openai_responses"
    signs_end = True
    spec = spec_of("openai_responses")
    steady = True
    last = OVER
    padding = frozenset({"sequence_number", "obfuscation"})
    notes_alike = "last"

    def __init__(self, *, unknown: Any = "guard") -> None:
        super().__init__(unknown=unknown)
        self._begun = False
        self._turn = 0
        self._places: dict[str, int | None] = {}  # of items by id; None for a shared id
        self._live: dict[Slot, None] = {}
        self._ended: set[Slot] = set()
        self._text: Slot | None = None  # the last part, if it was text
        self._shells: dict[int, Call] = {}
        self._called = False
        self._ending = Ending()
        self._announced_parts: set[Slot] = set()
        self._saying: dict[Slot, Slot] = {}  # the open text of each item
        self._panels: dict[str, int] = {}  # numbers of models that answer beside others, by name
        self._same: dict[Slot, Slot] = {}  # unannounced parts, and the parts that they continue

    def slot(self, leaf: Leaf, event: Mapping[str, Any], path: Path) -> Slot:
        if event.get("type") in LIFE and path:
            output = path[0]
            item = fields_of(fields_of(event["response"])["output"][output])
            place = self._places.get(str(item.get("id")))
            output = output if place is None else place
            return self._slot(leaf, output, path[1] if len(path) > 1 else 0)
        part = part_of(event)
        part = path[0] if part is None and path else part or 0
        return self._slot(leaf, index_of(event.get("output_index")), part + self._panel(event))

    def _panel(self, event: Mapping[str, Any]) -> int:
        """Return the number of the model that an event names; 0 if it names none."""
        model = event.get("model")
        if not isinstance(model, str):
            return 0
        return self._panels.setdefault(model, len(self._panels))

    def _slot(self, leaf: Leaf, output: int, part: int) -> Slot:
        number = (self._turn * PARTS + output) * PARTS + part
        slot = Slot(0, leaf.channel, leaf.field, number)
        return self._same.get(slot, slot)

    def read(self, chunk: Any) -> Reading:
        """Find the text in an event; another response in the same stream begins anew."""
        if fields_of(chunk).get("type") == "response.created":
            self._turn += self._begun
            self._begun = True
            self._places.clear()
            self._live.clear()
            self._called = False
        self._note_part(fields_of(chunk))
        return super().read(chunk)

    def _note_part(self, event: Mapping[str, Any]) -> None:
        """Note which part an event is about.

        vLLM increments the part's number with every delta, although it announces no parts: such a
        delta continues the one before it.
        """
        kind = kind_of(event).removeprefix("response.")
        name, _, state = kind.rpartition(".")
        if name in _PART_EVENTS:
            name = kind_of(event.get("part"))
        if name not in _PARTED:
            return
        slot = Slot(0, *STREAMED[name][:2], number_of(self._turn, event))
        item = slot._replace(number=slot.number // PARTS)
        if state == "added":
            self._announced_parts.add(slot)
            self._saying[item] = slot
        elif slot not in self._announced_parts:
            before = self._saying.setdefault(item, slot)
            if before != slot:
                self._same.setdefault(slot, before)
            first = slot._replace(number=item.number * PARTS)  # as in the response at the end
            if first != before and first not in self._announced_parts:
                self._same.setdefault(first, before)
        if state == "done":
            self._saying.pop(item, None)
            self._announced_parts.add(self._same.get(slot, slot))

    def meaning(self, chunk: Any, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        kind = kind_of(event)
        self._note_deltas(pieces)
        if kind == "response.output_text.delta":
            return self._said_text(self._at(event, "text", "text"), pieces)
        if kind in LIFE or kind == "error":
            return self._life(kind, event, pieces)
        if kind == "response.output_item.added":
            return self._item_began(event, pieces)
        if kind == "response.output_item.done":
            return self._item_ended(event, pieces)
        name, _, state = kind.removeprefix("response.").rpartition(".")
        if name in _PART_EVENTS:
            return self._part(state, event, pieces)
        if name == "shell_call_command" and state == "added":
            return self._shell(event, pieces)
        if state == "done" or (name == PANEL and state in ("completed", "failed")):
            return self._done(name, event, pieces)
        return Reading(pieces, (0,))

    def _note_deltas(self, pieces: Sequence[Piece]) -> None:
        for piece in pieces:
            if piece.kind == "delta":
                self._live[piece.slot] = None
                if piece.slot in self._ended:
                    self._ending.reopen(piece.slot)

    def _at(self, event: Mapping[str, Any], channel: str, field: str) -> Slot:
        slot = Slot(0, channel, field, number_of(self._turn, event) + self._panel(event))
        return self._same.get(slot, slot)

    def _said_text(self, slot: Slot, pieces: Sequence[Piece]) -> Reading:
        """Text continues the pipeline of the text part right before it."""
        earlier, self._text = self._text, slot
        self._live[slot] = None
        if earlier == slot:
            return Reading(pieces, (0,))
        joined = {} if earlier is None else {slot: earlier}
        return Reading(pieces, (0,), joined=joined)

    def _other(self, pieces: Sequence[Piece], **said: Any) -> Reading:
        """Something other than text begins, so a text part that has ended will not continue."""
        closed: tuple[Slot, ...] = ()
        if self._text is not None and self._text not in self._live:
            closed, self._text = (self._text,), None
        return Reading(pieces, (0,), closed=closed, **said)

    def _item_began(self, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        item = fields_of(event.get("item"))
        output, kind = index_of(event.get("output_index")), kind_of(item)
        name = str(item.get("id"))
        self._places[name] = output if self._places.get(name, output) == output else None
        self._called |= kind in _CLIENT
        if kind == "message":
            return Reading(pieces, (0,))
        if kind == "shell_call":
            self._shells[output] = Call("shell", item.get("call_id"))
        return self._other(pieces, calls=self._announced(event))

    def _announced(self, event: Mapping[str, Any]) -> Mapping[Slot, Call]:
        item = fields_of(event.get("item"))
        kind = kind_of(item)
        if kind not in CALLS:
            return {}
        slot = self._at(event, "tool_args", CALLS[kind])
        self._live[slot] = None
        name = item.get("name") or kind.removesuffix("_call")
        given = item.get("call_id") or item.get("id")
        return {slot: Call(name, given, is_text=kind == "custom_tool_call")}

    def _shell(self, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        slot = self._at(event, "tool_args", "commands")
        self._live[slot] = None
        call = self._shells.get(index_of(event.get("output_index")), Call("shell"))
        return Reading(pieces, (0,), calls={slot: call})

    def _part(self, state: str, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        kind = kind_of(event.get("part"))
        if state == "added":
            if kind != "output_text":
                return self._other(pieces)
            return self._said_text(self._at(event, "text", "text"), pieces)
        return self._done(
            "reasoning_summary_text" if kind == "summary_text" else kind, event, pieces
        )

    def _text_over(self, slot: Slot, pieces: Sequence[Piece]) -> Reading:
        self._end_slots([slot])
        if slot == self._text:
            return Reading(pieces, (0,), waits=slot)
        return Reading(pieces, (0,), closed=(slot,))

    def _end_slots(self, slots: Sequence[Slot]) -> None:
        for slot in slots:
            self._live.pop(slot, None)
        self._ended.update(slots)

    def _done(self, name: str, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        """Read the end of a slot: its held text goes out first."""
        if name == "output_text":
            return self._text_over(self._at(event, "text", "text"), pieces)
        if name == "shell_call_output_content":
            fields = [("text", "stdout"), ("text", "stderr")]
        elif name == "audio.transcript":
            fields = [("text", "transcript")]
        elif name == PANEL:
            fields = [BESIDE[each][:2] for each in (PANEL, f"{PANEL}.reasoning")]
        else:
            known = STREAMED | BESIDE
            fields = [known[name][:2]] if name in known else []
        closed = [self._at(event, *field) for field in fields]
        self._end_slots(closed)
        return Reading(pieces, (0,), closed=closed)

    def _item_ended(self, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        output = number_of(self._turn, event) // PARTS
        calls = {} if event.get("item") is None else self._late(event)
        over = [slot for slot in self._live if slot.number // PARTS == output]
        self._end_slots(over)
        if self._text is not None and self._text.number // PARTS == output:
            closed = [slot for slot in over if slot != self._text]
            return Reading(pieces, (0,), closed=closed, waits=self._text, calls=calls)
        return Reading(pieces, (0,), closed=over, calls=calls)

    def _late(self, event: Mapping[str, Any]) -> Mapping[Slot, Call]:
        """Return the call of an item that was not announced."""
        known = str(fields_of(event["item"]).get("id")) in self._places
        return {} if known else self._announced(event)

    def _life(self, kind: str, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        response = fields_of(event.get("response"))
        if kind == "error":
            return Reading(pieces, (0,), {0: "error"})
        if kind not in OVER:
            return Reading(pieces, (0,))
        closed = () if self._text is None else (self._text,)
        self._text = None
        finished = {0: finish_of(response)}
        failed = kind == "response.failed"
        if finished[0] == "stop" and self._called:
            finished[0] = "tool_calls"
        return Reading(pieces, (0,), finished, failed, closed, usage=response.get("usage"))

    def passed(self, chunk: Any) -> None:
        """Remember the released text of each item."""
        self._ending.passed(chunk)

    def extra(self, chunk: Any, slot: Slot, text: str, released: Released) -> Sequence[Any]:
        """Return a delta of the slot's part, in a new message if that part is over."""
        return self._ending.extra(chunk, slot, text, released)

    def end(
        self, chunk: Any, choice: int, reason: FinishReason, released: Released
    ) -> Sequence[Any]:
        """Return the ends of the open parts and items, and of the response with all of them."""
        return self._ending.end(chunk, reason, released)


def finish_of(response: Mapping[str, Any]) -> FinishReason:
    """Return why a response ended."""
    if response.get("status") == "failed" or response.get("error"):
        return "error"
    if response.get("status") == "incomplete":
        why = fields_of(response.get("incomplete_details")).get("reason")
        return reason_of(why)
    items = [fields_of(item).get("type") for item in response.get("output") or ()]
    return "tool_calls" if any(kind in _CLIENT for kind in items) else "stop"
