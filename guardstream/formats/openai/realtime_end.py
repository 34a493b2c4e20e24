"""The end of a response that the guard ends: open parts and items closed, then the response.

It is built from what went out: events as they were passed on, and the released text of each slot.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from guardstream.errors import AdapterError
from guardstream.events import FinishReason
from guardstream.formats.adapter import Released, Slot
from guardstream.formats.openai.realtime_names import STREAMED, TRANSLATED
from guardstream.formats.openai.responses_names import DETAILS
from guardstream.formats.toolkit.fields import fields_of, index_in, replaced
from guardstream.formats.toolkit.package_objects import constructed, plain

FIRST = {"output_text": "text", "output_audio_transcript": "audio_transcript"}
"""The names of streamed texts in the API's first version."""

_KINDS = {"text": "output_text", "transcript": "output_audio"}
_FIRST_KINDS = {"text": "text", "transcript": "audio"}


@dataclass(slots=True)
class _Part:
    """An open part: the name of its events, its position, and its announcement."""

    name: str
    index: int
    slot: Slot
    made: dict[str, Any] | None = None
    is_done: bool = False
    own: str | None = None  # its text, if that is not the released text of the slot


@dataclass(slots=True)
class _Item:
    """An open item: its announcement, its position, and its parts."""

    made: dict[str, Any]
    output: int
    parts: dict[Slot, _Part] = field(default_factory=dict)


@dataclass(slots=True)
class _Response:
    """An open response: its announcement, and its items by their positions."""

    id: str
    made: dict[str, Any]
    open: dict[str, _Item] = field(default_factory=dict)
    done: dict[int, Any] = field(default_factory=dict)


class Ending:
    """The parts of a session that went out and are needed for the ends of its responses."""

    def __init__(self) -> None:
        self._responses: dict[str, _Response] = {}
        self.is_first_version = False
        self._choices: dict[int, str] = {}  # the last response of each
        self._count = 0

    def passed(self, chunk: Any, slot: Slot | None, choice: int) -> None:
        """Record an event that goes out, and the slot of its text."""
        event = fields_of(chunk)
        kind = str(event.get("type"))
        if not kind.startswith("response."):
            return
        held, own = event.get("response"), _id_of(event)
        if kind == "response.done":
            self._responses.pop(own, None)
            return
        response = self._responses.setdefault(own, _Response(own, {"id": own}))
        self._choices[choice] = own
        if held is not None:
            response.made = plain(held)
            return
        name, _, state = kind.removeprefix("response.").rpartition(".")
        if name == "output_item":
            self._passed_item(response, state, event)
        elif slot is not None:
            self._passed_part(response, name, state, event, slot)

    def _passed_item(self, response: _Response, state: str, event: Mapping[str, Any]) -> None:
        item = plain(event.get("item") or {})
        output = index_in(event, 0, "output_index")
        if state == "added":
            response.open[str(item.get("id"))] = _Item(item, output)
        else:
            response.open.pop(str(item.get("id")), None)
            response.done[output] = item

    def _passed_part(
        self, response: _Response, name: str, state: str, event: Mapping[str, Any], slot: Slot
    ) -> None:
        own = str(event.get("item_id"))
        item = response.open.get(own)
        if item is None:
            output = index_in(event, 0, "output_index")
            item = response.open[own] = _Item({"id": event.get("item_id")}, output)
        made = event.get("part")
        if made is not None:
            spoken = fields_of(made).get("type") in ("audio", "output_audio")
            name = "output_audio_transcript" if spoken else "output_text"
        if slot not in item.parts:
            item.parts[slot] = _Part(name, index_in(event, 0, "content_index"), slot)
        part = item.parts[slot]
        if made is not None:
            part.made = plain(made)
        part.is_done = part.is_done or state == "done"

    def extra(self, chunk: Any, slot: Slot, text: str, released: Released) -> Sequence[Any]:
        """Return events with `text` for a slot; in a new message if it has no open part."""
        event = fields_of(chunk)
        streams = str(event.get("type")).endswith(".delta")
        response = self._responses.get(_id_of(event) or self._choices.get(slot.choice, ""))
        item, part = _open(response, slot)
        if response is None or item is None or part is None or part.is_done:
            if part is not None and part.own is None:
                part.own = released(slot).removesuffix(text)  # `text` goes out elsewhere
            return self._beside(chunk, response, slot, text, released)
        if streams:
            return [self._delta_like(chunk, text)]
        return [self._delta(chunk, response, item, part, text)]

    def _beside(
        self, chunk: Any, response: _Response | None, slot: Slot, text: str, released: Released
    ) -> Sequence[Any]:
        """Return events with `text` where no part is open."""
        event = fields_of(chunk)
        if "response_id" not in event and str(event.get("type")).endswith(".delta"):
            return [self._delta_like(chunk, text)]  # what the user says, or what is translated
        if response is None or slot.channel != "text":
            raise AdapterError(f"no open part for text of field {slot.field!r}")
        return [
            *self._close(chunk, response, released, "incomplete"),
            *self._message(chunk, response, slot, text),
        ]

    def _message(self, chunk: Any, response: _Response, slot: Slot, text: str) -> list[Any]:
        """Return the beginning of an added message with `text`."""
        output = max(response.done, default=-1) + 1
        own = f"item_guard_{self._count}"
        item = {"id": own, "object": "realtime.item", "type": "message", "status": "in_progress"}
        item |= {"role": "assistant", "content": []}  # type: ignore[dict-item]
        record = response.open[own] = _Item(item, output)
        part = record.parts[slot] = _Part("output_text", 0, slot, {"type": "text", "text": ""})
        part.own = text
        return [
            self._event(chunk, "output_item.added", response, output_index=output, item=item),
            self._event(
                chunk, "content_part.added", response, **_place(record, part), part=part.made
            ),
            self._delta(chunk, response, record, part, text),
        ]

    def end(self, chunk: Any, choice: int, reason: FinishReason, released: Released) -> list[Any]:
        """Return the events that end a choice's response; nothing if none is open."""
        event = fields_of(chunk)
        if event.get("type") == TRANSLATED:
            return [self._made(chunk, "session.closed", {})]
        response = self._responses.pop(self._choices.get(choice, _id_of(event)), None)
        if response is None:
            return []
        completed = reason in ("stop", "tool_calls")
        status = "completed" if completed else "incomplete"
        made = self._close(chunk, response, released, status)
        details = None if completed else {"type": status, "reason": DETAILS.get(reason)}
        items = [response.done[output] for output in sorted(response.done)]
        ended = {**response.made, "status": status, "status_details": details, "output": items}
        return [*made, self._made(chunk, "response.done", {"response": ended})]

    def _close(self, chunk: Any, response: _Response, released: Released, status: str) -> list[Any]:
        """Return the ends of all open parts and items."""
        events: list[Any] = []
        kinds = _FIRST_KINDS if self.is_first_version else _KINDS
        for item in response.open.values():
            for part in item.parts.values():
                if not part.is_done:
                    events += self._part_ends(chunk, response, item, part, _said(part, released))
            whole = _filled(item, released, status, kinds)
            response.done[item.output] = whole
            if "type" in item.made:
                place = {"output_index": item.output, "item": whole}
                events.append(self._event(chunk, "output_item.done", response, **place))
        response.open.clear()
        return events

    def _part_ends(
        self, chunk: Any, response: _Response, item: _Item, part: _Part, text: str
    ) -> list[Any]:
        place = _place(item, part)
        told = {**place, STREAMED[part.name][2]: text}
        if part.slot.channel == "tool_args":
            told |= {name: item.made.get(name) for name in ("call_id", "name")}
        events = [self._event(chunk, f"{self._name(part)}.done", response, **told)]
        if part.made is not None:
            said = {**part.made, STREAMED[part.name][2]: text}
            events.append(self._event(chunk, "content_part.done", response, **place, part=said))
        return events

    def _delta(self, chunk: Any, response: _Response, item: _Item, part: _Part, text: str) -> Any:
        told = {**_place(item, part), "delta": text}
        if part.name == "function_call_arguments":
            told["call_id"] = item.made.get("call_id")
        return self._event(chunk, f"{self._name(part)}.delta", response, **told)

    def _name(self, part: _Part) -> str:
        """Return this session's name for the text of a part."""
        return FIRST.get(part.name, part.name) if self.is_first_version else part.name

    def _delta_like(self, chunk: Any, text: str) -> Any:
        """Return a delta event like `chunk` with only `text`."""
        updates: dict[str, Any] = {"delta": text}
        if fields_of(chunk).get("logprobs"):
            updates["logprobs"] = []
        return replaced(chunk, updates)

    def _event(self, chunk: Any, name: str, response: _Response, /, **rest: Any) -> Any:
        return self._made(chunk, f"response.{name}", {"response_id": response.id, **rest})

    def _made(self, chunk: Any, kind: str, rest: dict[str, Any]) -> Any:
        """Return an event as it is, or as an object of the package's class for it."""
        event = {"type": kind, "event_id": f"event_guard_{self._count}", **rest}
        self._count += 1
        package = type(chunk).__module__.rpartition(".")[0]
        return constructed(chunk, _class_of(kind), event, package)


def _id_of(event: Mapping[str, Any]) -> str:
    """Return the id of the response that an event is about; "" if it is about none."""
    own = event.get("response_id") or fields_of(event.get("response")).get("id")
    return own if isinstance(own, str) else ""


def _open(response: _Response | None, slot: Slot) -> tuple[_Item | None, _Part | None]:
    """Return the open part of a slot, and its item."""
    for item in () if response is None else response.open.values():
        if slot in item.parts:
            return item, item.parts[slot]
    return None, None


def _said(part: _Part, released: Released) -> str:
    return released(part.slot) if part.own is None else part.own


def _place(item: _Item, part: _Part) -> dict[str, Any]:
    place = {"item_id": item.made.get("id"), "output_index": item.output}
    return place if part.slot.channel == "tool_args" else {**place, "content_index": part.index}


def _filled(
    item: _Item, released: Released, status: str, kinds: Mapping[str, str]
) -> dict[str, Any]:
    """Return an item with all the text released in it; `kinds` are the types of its parts.

    A call that is open is never complete: a client would run it.
    """
    is_call = item.made.get("type") == "function_call"
    whole = {**item.made, "status": "incomplete" if is_call else status}
    content = []
    for part in sorted(item.parts.values(), key=lambda each: each.index):
        field_of = STREAMED[part.name][2]
        if part.slot.channel == "tool_args":
            whole[field_of] = _said(part, released)
        else:
            content.append({"type": kinds[field_of], field_of: _said(part, released)})
    return {**whole, "content": content} if content else whole


def _class_of(kind: str) -> str:
    """Return the name of the package's class for a kind of event."""
    if kind.startswith("session."):
        return "RealtimeTranslationSessionClosedEvent"
    name = kind.replace("output_text", "text").replace("output_audio", "audio")
    words = name.replace(".", "_").split("_")
    suffix = "" if "mcp" in words else "Event"
    return "".join(word.title() for word in words) + suffix
