"""The events of the `openai` package's `chat.completions.stream` helper.

Each chunk comes as an event with a snapshot of the answer so far, followed by an event that repeats
the new text. Snapshots, done events and parsed values are made from released text. An event does
not name its choice, so a chunk with several choices is ambiguous and is refused. The helper keeps
changing its snapshots, so copies of them are passed on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from guardstream.errors import AdapterError
from guardstream.events import FinishReason
from guardstream.formats.adapter import Passes, Piece, Reading, Released, Slot, Unknown
from guardstream.formats.openai.chat import OpenAIChat
from guardstream.formats.spec import Leaf, Path, SpecAdapter
from guardstream.formats.toolkit.fields import fields_of, index_in, only, replaced
from guardstream.formats.toolkit.files import spec_of
from guardstream.formats.toolkit.package_objects import constructed
from guardstream.formats.toolkit.parsed import parsed

_HELPER = "openai.lib.streaming.chat"

_CONTENT = ("text", "content")
_REFUSAL = ("refusal", "refusal")
_ARGUMENTS = ("tool_args", "tool_calls")

_SLOTS = {
    "content.delta": _CONTENT,
    "content.done": _CONTENT,
    "refusal.delta": _REFUSAL,
    "refusal.done": _REFUSAL,
    "tool_calls.function.arguments.delta": _ARGUMENTS,
    "tool_calls.function.arguments.done": _ARGUMENTS,
    "logprobs.content.delta": _CONTENT,
    "logprobs.content.done": _CONTENT,
    "logprobs.refusal.delta": _REFUSAL,
    "logprobs.refusal.done": _REFUSAL,
}


class _Chunks(OpenAIChat):
    """The adapter for its chunks: the helper joins calls with the same index."""

    calls_by_id = False


class OpenAIChatEvents(SpecAdapter):
    """The adapter for the helper's events."""

    name = "openai_chat_events"
    signs_thinking = False
    spec = spec_of("openai_chat_events")

    def __init__(self, *, unknown: Unknown = "guard") -> None:
        super().__init__(unknown=unknown)
        self._chat = _Chunks(unknown=unknown)
        self._choice = 0
        self._texts: dict[Slot, str] = {}
        self._snapshot: Any = None
        self._latest: Any = None  # the last event that has a chunk
        self._names: dict[Slot, str] = {}
        self._open: dict[Slot, None] = {}

    def judge_marks(self, passes: Passes) -> None:
        """Ask `passes` about marks, in events and in the chunks inside."""
        super().judge_marks(passes)
        self._chat.judge_marks(passes)

    def taken(self, chunk: Any) -> Any:
        """Return a copy of an event where the helper would change it later."""
        if isinstance(chunk, dict):
            return chunk
        fields = fields_of(chunk)
        if fields.get("type") != "chunk":
            lists = {name: list(v) for name, v in fields.items() if isinstance(v, list)}
            return replaced(chunk, lists) if lists else chunk
        return replaced(
            chunk,
            {"snapshot": _frozen(fields["snapshot"]), "chunk": _frozen(fields["chunk"])},
        )

    def slot(self, leaf: Leaf, event: Mapping[str, Any], path: Path) -> Slot:
        if event.get("type") == "chunk":
            choices = fields_of(event["snapshot"])["choices"] if path else ()
            choice = index_in(choices[path[0]]) if path else 0
            return Slot(choice, leaf.channel, leaf.field, path[1] if len(path) > 1 else 0)
        return Slot(self._choice, leaf.channel, leaf.field, index_in(event))

    def read(self, chunk: Any) -> Reading:
        """Find the text in an event."""
        event = fields_of(chunk)
        if event.get("type") == "chunk":
            return self._read_chunk(chunk, event)
        pieces = self.pieces(chunk, event)
        kind = str(event.get("type"))
        if kind.startswith("logprobs."):
            pieces = self._spelled_out(kind)
        if kind.endswith(".done") and kind in _SLOTS:
            slot = Slot(self._choice, *_SLOTS[kind], index_in(event))
            return Reading(pieces, (self._choice,), closed=(slot,))
        return Reading(pieces, (self._choice,))

    def _read_chunk(self, chunk: Any, event: Mapping[str, Any]) -> Reading:
        reading = self._chat.read(event["chunk"])
        self._latest = chunk
        if len(reading.choices) > 1:
            raise AdapterError(f"{self.name}: a chunk with several choices cannot be told apart")
        if reading.choices:
            self._choice = reading.choices[0]
        copies = self.pieces(chunk, event)
        self._texts.update((piece.slot, piece.text) for piece in copies if piece.kind == "copy")
        return reading._replace(pieces=[*reading.pieces, *copies])

    def _spelled_out(self, kind: str) -> list[Piece]:
        """Log probabilities repeat the text so far: they go out only as long as it is unchanged."""
        slot = Slot(self._choice, *_SLOTS[kind])
        text = self._texts.get(slot)
        return [Piece(slot, text, "copy")] if text else []

    def write(self, chunk: Any, texts: Sequence[str], *, ends: bool = True) -> Any | None:
        """Return the event with `texts` in place of its own."""
        event = fields_of(chunk)
        kind = str(event.get("type"))
        if kind.startswith("logprobs."):
            return None
        if kind != "chunk":
            return super().write(chunk, texts, ends=ends)
        count = len(self._chat.read(event["chunk"]).pieces)
        written = self._chat.write(event["chunk"], texts[:count], ends=ends)
        if written is None:
            return None
        return replaced(super().write(chunk, texts[count:], ends=ends), {"chunk": written})

    def without_unknown(self, chunk: Any) -> Any:
        """Return an event without unknown text."""
        known = super().without_unknown(chunk)
        if fields_of(chunk).get("type") != "chunk":
            return known
        return replaced(known, {"chunk": self._chat.without_unknown(fields_of(chunk)["chunk"])})

    def passed(self, chunk: Any) -> None:
        """Remember the last snapshot that went out, and what is open in it."""
        event = fields_of(chunk)
        kind = str(event.get("type"))
        if kind == "chunk":
            self._snapshot = event["snapshot"]
        elif kind in _SLOTS and not kind.startswith("logprobs."):
            slot = Slot(self._choice, *_SLOTS[kind], index_in(event))
            if kind.endswith(".done"):
                self._open.pop(slot, None)
            else:
                self._open[slot] = None
                self._names[slot] = event.get("name") or ""

    def extra(self, chunk: Any, slot: Slot, text: str, released: Released) -> Sequence[Any]:
        """Return a chunk event with `text`, and the event that repeats it."""
        made = self._chat.extra(fields_of(chunk)["chunk"], slot, text, released)
        whole = released(slot)
        events = self._chunks(chunk, made, slot.choice, lambda old: _with_text(old, slot, whole))
        if (slot.channel, slot.field) == _ARGUMENTS and slot in self._names:
            fields = {"arguments": whole, "arguments_delta": text}
        elif (slot.channel, slot.field) in (_CONTENT, _REFUSAL):
            fields = {"delta": text, "snapshot": whole}
        else:
            return events
        self._open[slot] = None
        return [*events, self._event(chunk, slot, "delta", fields)]

    def end(
        self, chunk: Any, choice: int, reason: FinishReason, released: Released
    ) -> Sequence[Any]:
        """Return the chunk event that ends a choice, and the ends of what is open in it."""
        last, events = chunk, list[Any]()
        if "chunk" not in fields_of(chunk):
            last = None if self._latest is None else self.without_unknown(self._latest)
        if last is not None:
            made = self._chat.end(fields_of(last)["chunk"], choice, reason, released)
            events = self._chunks(last, made, choice, lambda _: {"finish_reason": reason})
        for slot in [slot for slot in self._open if slot.choice == choice]:
            del self._open[slot]
            field = "arguments" if slot.field == "tool_calls" else slot.field
            events.append(self._event(chunk, slot, "done", {field: released(slot)}))
        return events

    def _chunks(
        self, chunk: Any, made: Sequence[Any], index: int, change: Callable[[Any], Any]
    ) -> list[Any]:
        """Return chunk events with the last snapshot that went out, changed in one choice."""
        snapshot = self._snapshot or _silent(fields_of(chunk)["snapshot"])
        choices = []
        for choice in fields_of(snapshot)["choices"]:
            mine = index_in(choice) == index
            choices.append(replaced(choice, change(fields_of(choice))) if mine else choice)
        self._snapshot = replaced(snapshot, {"choices": choices})
        return [replaced(chunk, {"chunk": each, "snapshot": self._snapshot}) for each in made]

    def _event(self, chunk: Any, slot: Slot, state: str, fields: dict[str, Any]) -> Any:
        """Return one of the helper's smaller events."""
        kind, name = f"{slot.field}.{state}", f"{slot.field.title()}{state.title()}Event"
        if slot.field == "tool_calls":
            kind = f"tool_calls.function.arguments.{state}"
            name = f"FunctionToolCallArguments{state.title()}Event"
            value = parsed(fields["arguments"]) if state == "delta" else None
            whose = {"name": self._names.get(slot, ""), "index": slot.number}
            fields = {**fields, **whose, "parsed_arguments": value}
        event = {"type": kind, **fields}
        return constructed(chunk, name, event, _HELPER)


def _with_text(choice: Mapping[str, Any], slot: Slot, text: str) -> dict[str, Any]:
    """Return the changes of a choice whose field now has this whole `text`."""
    message = choice["message"]
    if slot.field != "tool_calls":
        return {"message": replaced(message, {slot.field: text})}
    calls = list(fields_of(message).get("tool_calls") or ())
    if slot.number < len(calls):
        call = calls[slot.number]
        name = "function" if fields_of(call).get("function") else "custom"
        key = "arguments" if name == "function" else "input"
        tool = replaced(fields_of(call)[name], {key: text})
        calls[slot.number] = replaced(call, {name: tool})
    return {"message": replaced(message, {"tool_calls": calls})}


def _silent(snapshot: Any) -> Any:
    """Return a snapshot without text."""
    choices = []
    for choice in fields_of(snapshot)["choices"]:
        message = only(fields_of(choice)["message"], {"role": "assistant"})
        choices.append(replaced(choice, {"message": message, "logprobs": None}))
    return replaced(snapshot, {"choices": choices})


def _frozen(value: Any) -> Any:
    """Return a copy of a chunk or snapshot, as far as the helper changes it in place."""
    choices = []
    for choice in fields_of(value).get("choices") or ():
        logprobs = fields_of(choice).get("logprobs")
        lists = {name: list(v) for name, v in fields_of(logprobs).items() if isinstance(v, list)}
        updates = {"logprobs": replaced(logprobs, lists)} if lists else {}
        choices.append(replaced(choice, updates))
    return replaced(value, {"choices": choices})
