"""The end of a response that the guard ends: open parts and items closed, then the response.

It is built from what went out: events as they were passed on, and the released text of each slot.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from operator import itemgetter
from typing import Any

from guardstream.errors import AdapterError
from guardstream.events import FinishReason
from guardstream.formats.adapter import Released, Slot
from guardstream.formats.openai.responses_names import BESIDE, DETAILS, LIFE, STREAMED
from guardstream.formats.toolkit.fields import fields_of, kind_of, replaced
from guardstream.formats.toolkit.package_objects import constructed, is_foreign, plain

PARTS = 1000
"""A slot's number is its output item's number times this, plus the number of the part in the
item."""

_TYPES = "openai.types.responses"
_HELPER = "openai.lib.streaming.responses"

_NAMES = {field: name for name, (_, field, _) in STREAMED.items() if name != "mcp_call_arguments"}
_CHANNELS = {field: channel for channel, field, _ in STREAMED.values()}
_INDICES = {
    **dict.fromkeys(("text", "refusal", "reasoning"), "content_index"),
    "summary": "summary_index",
    "commands": "command_index",
    **dict.fromkeys(("app_text", "app_reasoning"), "block_index"),
}
_PARTS = {
    "text": ("output_text", "ResponseOutputText"),
    "refusal": ("refusal", "ResponseOutputRefusal"),
    "reasoning": ("reasoning_text", None),
    "summary": ("summary_text", None),
}
"""The type of a slot's part, and its class where the package exports one."""

_HOLDERS = {
    **dict.fromkeys(("text", "refusal", "reasoning"), "content"),
    "summary": "summary",
    "commands": "commands",
}
"""The lists of an item that have texts."""

_FIELDS = {kind: field for field, (kind, _) in _PARTS.items()}
_BESIDE = {field: name for name, (_, field, _) in BESIDE.items()}
_UNENDED = ("apply_patch_call", "image_generation_call")
"""The kinds of calls whose status cannot be `incomplete`."""

_RESULTS = ("stdout", "stderr", "transcript")


def part_of(event: Mapping[str, Any]) -> int | None:
    """Return the place of an event's part in its item; None if the event does not name one."""
    for name in ("content_index", "summary_index", "command_index", "block_index"):
        if event.get(name) is not None:
            return index_of(event[name])
    return None


def index_of(value: Any) -> int:
    """Return a position; 0 for any other value."""
    return value if isinstance(value, int) else 0


def number_of(turn: int, event: Mapping[str, Any]) -> int:
    """Return the number of an event's slot."""
    return (turn * PARTS + index_of(event.get("output_index"))) * PARTS + (part_of(event) or 0)


def is_call(item: Mapping[str, Any]) -> bool:
    """Return whether an output item is a call."""
    return str(item.get("type")).endswith("_call")


def status_of_cut(item: Mapping[str, Any]) -> str:
    """Return the status of a call that is not complete."""
    return "in_progress" if item.get("type") in _UNENDED else "incomplete"


@dataclass(slots=True)
class _Open:
    """An open item: its announcement, and its slots with their parts."""

    item: Any = None
    slots: dict[Slot, Any] = field(default_factory=dict)
    done: set[Slot] = field(default_factory=set)

    def has(self, slot: Slot) -> bool:
        """Return whether a slot is open; records it if it was only announced with the item."""
        if slot in self.slots:
            return True
        if slot.field not in _CHANNELS:  # the slot of a block's message, which no part has
            return False
        texts, place = _announced_texts(self.item, slot.field), slot.number % PARTS
        if place >= len(texts):
            return False
        part = texts[place] if slot.field in _PARTS else None
        if part is not None and fields_of(part).get("type") != _PARTS[slot.field][0]:
            return False
        self.slots[slot] = part
        return True


class Ending:
    """The parts of a stream that went out and are needed for its end."""

    def __init__(self) -> None:
        self._begun = False
        self._turn = 0
        self._helper = False
        self._sequence: int | None = None
        self._streams: Any = None
        self._response: Any = None
        self._open: dict[int, _Open] = {}
        self._items: dict[int, Any] = {}
        self._own: dict[Slot, str] = {}
        self._reopened: set[Slot] = set()

    def reopen(self, slot: Slot) -> None:
        """Note that the source continues a slot after its end."""
        self._reopened.add(slot)

    def passed(self, chunk: Any) -> None:
        """Record an event that goes out."""
        event = fields_of(chunk)
        kind = kind_of(event)
        number = event.get("sequence_number")
        places = ("output_index", "content_index", "summary_index", "command_index")
        streams = (kind, *map(event.get, places))
        if streams == self._streams and number is not None:
            self._sequence = number  # one more delta of the same text
            return
        self._streams = streams if kind.endswith(".delta") else None
        self._sequence = self._sequence if number is None else number
        if "snapshot" in event:
            self._helper = not isinstance(chunk, dict)
        output = number_of(self._turn, event) // PARTS
        if kind in LIFE:
            self._lives(kind, event)
        elif kind == "response.output_item.added":
            self._open[output] = _Open(event.get("item"))
        elif kind == "response.output_item.done":
            self._open.pop(output, None)
            self._items[output] = event.get("item")
        else:
            self._passed_part(kind, event)

    def _lives(self, kind: str, event: Mapping[str, Any]) -> None:
        if kind == "response.created":
            self._turn += self._begun
            self._begun = True
            self._open.clear()
            self._items.clear()
        self._response = event.get("response")

    def _passed_part(self, kind: str, event: Mapping[str, Any]) -> None:
        name, _, state = kind.removeprefix("response.").rpartition(".")
        part = event.get("part")
        known = STREAMED[name][1] if name in STREAMED else None
        found = _FIELDS.get(fields_of(part).get("type", "")) if part is not None else known
        if found is None:
            return
        number = number_of(self._turn, event)
        slot = Slot(0, _CHANNELS[found], found, number)
        record = self._open.setdefault(number // PARTS, _Open())
        if part is not None or slot not in record.slots:
            record.slots[slot] = part
        if state == "done":
            record.done.add(slot)

    def extra(self, chunk: Any, slot: Slot, text: str, released: Released) -> Sequence[Any]:
        """Return events with `text` for a slot; in a new message if it has no open part."""
        streams = kind_of(chunk).endswith(".delta")
        if slot.field in _RESULTS and streams and slot not in self._own:
            value = text if slot.field == "transcript" else {slot.field: text}
            return [self._like(chunk, {"delta": value})]
        if slot.field in _BESIDE:
            if streams:
                return [self._like(chunk, {"delta": text})]
            return [self._event(chunk, f"{_BESIDE[slot.field]}.delta", slot, {"delta": text})]
        if not self._is_over(slot):
            output, whole = slot.number // PARTS, self._text_in(slot, released)
            if _says(chunk, slot):  # all of its deltas so far may have been held
                self._open.setdefault(output, _Open()).slots.setdefault(slot, None)
                return [self._delta_like(chunk, text, whole)]
            if output in self._open and self._open[output].has(slot):
                return [self._delta(chunk, slot, text, whole)]
        if slot.channel != "text":
            raise AdapterError(f"no open part for text of field {slot.field!r}")
        self._own.setdefault(slot, released(slot).removesuffix(text))  # `text` goes out elsewhere
        return [*self._close(chunk, released, "incomplete"), *self._message(chunk, text)]

    def _delta_like(self, chunk: Any, text: str, whole: str) -> Any:
        """Return a delta event like `chunk` with only `text`."""
        event = fields_of(chunk)
        updates: dict[str, Any] = {"delta": text}
        if "snapshot" in event:
            updates["snapshot"] = whole
        if event.get("logprobs"):
            updates["logprobs"] = []
        return self._like(chunk, updates)

    def _like(self, chunk: Any, updates: dict[str, Any]) -> Any:
        """Return an event like `chunk`, whose number is not less than that of any before it."""
        number = fields_of(chunk).get("sequence_number")
        if isinstance(number, int):
            self._sequence = max(number, -1 if self._sequence is None else self._sequence)
            updates["sequence_number"] = self._sequence
        return replaced(chunk, updates)

    def _is_over(self, slot: Slot) -> bool:
        """Return whether the end of a slot or of its item went out, and nothing reopened it."""
        if slot in self._reopened:
            return False
        output = slot.number // PARTS
        record = self._open.get(output)
        if record is not None:
            return slot in record.done
        return output in self._items or output < self._turn * PARTS

    def _delta(self, chunk: Any, slot: Slot, text: str, whole: str) -> Any:
        name = self._name(slot)
        rest: dict[str, Any] = {"delta": text}
        if name == "output_text":
            rest["logprobs"] = []
        if self._helper and name in ("output_text", "function_call_arguments"):
            rest["snapshot"] = whole
        return self._event(chunk, f"{name}.delta", slot, rest)

    def _message(self, chunk: Any, text: str) -> list[Any]:
        """Return the beginning of an added message with `text`."""
        output = max((*self._items, *self._open, self._turn * PARTS - 1)) + 1
        item = {"id": f"msg_guard_{output}", "type": "message", "role": "assistant"}
        item |= {"status": "in_progress", "content": []}  # type: ignore[dict-item]
        slot = Slot(0, "text", "text", output * PARTS)
        self._own[slot] = text
        self._open[output] = record = _Open(self._made(chunk, "ResponseOutputMessage", item))
        record.slots[slot] = self._part(chunk, slot, None, "")
        return [
            self._event(chunk, "output_item.added", slot, {"item": record.item}),
            self._event(chunk, "content_part.added", slot, {"part": record.slots[slot]}),
            self._delta(chunk, slot, text, text),
        ]

    def end(self, chunk: Any, reason: FinishReason, released: Released) -> list[Any]:
        """Return the events that end the response."""
        status = "completed" if reason in ("stop", "tool_calls") else "incomplete"
        events = self._close(chunk, released, status)
        if self._response is None:
            return events
        details: Any = None
        if status == "incomplete":
            why = {"reason": DETAILS.get(reason)}
            details = constructed(chunk, "IncompleteDetails", why, f"{_TYPES}.response")
        items = [self._items[output] for output in sorted(self._items)]
        updates = {"status": status, "incomplete_details": details, "output": items}
        response = replaced(self._response, updates)
        if self._helper and status == "completed":
            response = constructed(chunk, "ParsedResponse", plain(response), _TYPES)
        return [*events, self._event(chunk, status, None, {"response": response})]

    def _close(self, chunk: Any, released: Released, status: str) -> list[Any]:
        """Return the ends of all open parts and items."""
        events: list[Any] = []
        text_in = partial(self._text_in, released=released)
        for output in sorted(self._open):
            record = self._open[output]
            for slot, part in record.slots.items():
                text = text_in(slot)
                record.slots[slot] = self._part(chunk, slot, part, text)
                if not self._is_over(slot):
                    events += self._part_ends(chunk, slot, record.slots[slot], text)
            if record.item is not None:
                item = self._items[output] = _filled(record, text_in, status)
                slot = Slot(0, "text", "text", output * PARTS)
                events.append(self._event(chunk, "output_item.done", slot, {"item": item}))
        self._open.clear()
        return events

    def _text_in(self, slot: Slot, released: Released) -> str:
        return self._own[slot] if slot in self._own else released(slot)

    def _part(self, chunk: Any, slot: Slot, part: Any, text: str) -> Any:
        """Return the part of a slot with its released text; None if the slot is not a part."""
        if slot.field not in _PARTS:
            return None
        key = "refusal" if slot.field == "refusal" else "text"
        if part is not None:
            return replaced(part, {key: text})
        kind, name = _PARTS[slot.field]
        made: dict[str, Any] = {"type": kind, key: text}
        if slot.field == "text":
            made["annotations"] = []
        if name is None:
            return made if isinstance(chunk, dict) else None
        return self._made(chunk, name, made)

    def _part_ends(self, chunk: Any, slot: Slot, part: Any, text: str) -> list[Any]:
        name = self._name(slot)
        rest: dict[str, Any] = {STREAMED[name][2]: text}
        if name == "output_text":
            rest["logprobs"] = []
        if name == "function_call_arguments":
            rest["name"] = fields_of(self._open[slot.number // PARTS].item).get("name", "")
        try:
            events = [self._event(chunk, f"{name}.done", slot, rest)]
        except AdapterError:
            if slot.field not in ("commands", "diff"):
                raise
            return []  # no package has a class for the latter, older ones have none for either
        if part is not None:
            holder = "reasoning_summary_part" if slot.field == "summary" else "content_part"
            events.append(self._event(chunk, f"{holder}.done", slot, {"part": part}))
        return events

    def _name(self, slot: Slot) -> str:
        item = self._open[slot.number // PARTS].item
        if slot.field == "arguments" and fields_of(item).get("type") == "mcp_call":
            return "mcp_call_arguments"
        return _NAMES[slot.field]

    def _event(self, chunk: Any, name: str, slot: Slot | None, rest: dict[str, Any]) -> Any:
        event: dict[str, Any] = {"type": f"response.{name}", **rest}
        if slot is not None:
            event |= self._place(name, slot)
        number = None if self._sequence is None else self._sequence + 1
        if number is not None:
            event["sequence_number"] = number
        words = name.replace("output_text", "text").replace(".", "_").split("_")
        kind = f"Response{''.join(word.title() for word in words)}Event"
        made = self._made(chunk, kind, event)
        self._sequence = number
        return made

    def _place(self, name: str, slot: Slot) -> dict[str, Any]:
        output, part = divmod(slot.number, PARTS)
        place: dict[str, Any] = {"output_index": output % PARTS}
        if name.startswith("output_item"):
            return place
        item = fields_of(self._open[output].item).get("id")
        if item:
            place["item_id"] = item
        if slot.field in _INDICES:
            place[_INDICES[slot.field]] = part
        return place

    def _made(self, chunk: Any, name: str, values: dict[str, Any]) -> Any:
        """Return `values` as they are, or as an object of the package's class `name`."""
        modules = (_HELPER, f"{_HELPER}._events") if self._helper else ()
        own = {key: plain(each) if is_foreign(each) else each for key, each in values.items()}
        return constructed(chunk, name, own, *modules, _TYPES)


def _says(chunk: Any, slot: Slot) -> bool:
    """Return whether an event is a delta of the field of a slot."""
    name, _, state = kind_of(chunk).removeprefix("response.").rpartition(".")
    return state == "delta" and name in STREAMED and STREAMED[name][1] == slot.field


def _announced_texts(item: Any, field: str) -> Sequence[Any]:
    """Return the texts of a field that an item had when it was announced, or their parts."""
    holder = _holder(fields_of(item), field)
    if field in _HOLDERS:
        return holder.get(_HOLDERS[field]) or ()
    text = holder.get(field)
    return () if text is None else (text,)


def _holder(item: Mapping[str, Any], field: str) -> Mapping[str, Any]:
    """Return the part of an item that has a field."""
    within = {"commands": "action", "diff": "operation"}.get(field)
    return item if within is None else fields_of(item.get(within))


def _filled(record: _Open, released: Released, status: str) -> Any:
    """Return an item with all the text released in it.

    An open call never becomes complete: a client would run it, even with part of a command.
    """
    fields = fields_of(record.item)
    if is_call(fields) or any(slot.channel == "tool_args" for slot in record.slots):
        status = status_of_cut(fields)
    updates: dict[str, Any] = {"status": status} if "status" in fields else {}
    places: dict[str, list[tuple[int, Any]]] = {}  # what is in the lists of the item
    for slot, part in record.slots.items():
        if part is not None or slot.field == "commands":
            value = released(slot) if part is None else plain(part)
            places.setdefault(_HOLDERS[slot.field], []).append((slot.number % PARTS, value))
        elif slot.field == "diff":
            updates["operation"] = replaced(fields["operation"], {"diff": released(slot)})
        elif slot.field in fields:
            updates[slot.field] = released(slot)
    for name, values in places.items():
        holder = _holder(fields, name)
        own = {place for place, _ in values}
        rest = [each for each in enumerate(holder.get(name) or ()) if each[0] not in own]
        values += [(at, each if isinstance(each, str) else plain(each)) for at, each in rest]
        listed = [value for _, value in sorted(values, key=itemgetter(0))]
        if name == "commands":
            updates["action"] = replaced(fields["action"], {name: listed})
        else:
            updates[name] = listed
    if isinstance(record.item, dict):
        return {**record.item, **updates}
    return type(record.item).construct(**{**fields, **updates})  # an item's parts have own types
