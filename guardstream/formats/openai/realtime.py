"""OpenAI's realtime API: what a server sends over a WebSocket, one response after another.

Objects of the `openai` package or plain dicts:
https://platform.openai.com/docs/api-reference/realtime-server-events. Written text and transcripts
of what is spoken are the answer; the audio passes as it is. Consecutive responses are choice 0. A
concurrent response is a choice of its own, and so is the user's speech.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from guardstream.events import FinishReason
from guardstream.formats.adapter import NEW, Call, Piece, Reading, Released, Slot, Unknown
from guardstream.formats.openai.realtime_end import FIRST, Ending
from guardstream.formats.openai.realtime_names import (
    INPUT,
    STREAMED,
    TRANSLATED,
    TRANSLATING,
)
from guardstream.formats.openai.responses_names import REASONS
from guardstream.formats.spec import Leaf, Path, SpecAdapter
from guardstream.formats.toolkit.fields import fields_of, index_in
from guardstream.formats.toolkit.files import spec_of

_CALLS = ("function_call", "mcp_call", "mcp_approval_request")
_STATUS: dict[Any, FinishReason] = {"cancelled": "cancelled", "failed": "error"}


@dataclass(slots=True, eq=False)
class _Response:
    """An open response, and its text that another text may continue."""

    choice: int
    text: Slot | None = None
    is_over: bool = False
    called: bool = False

    def end(self) -> Sequence[Slot]:
        """Forget the text, since nothing continues it; return it if there is one."""
        text, self.text, self.is_over = self.text, None, False
        return () if text is None else (text,)


class Realtime(SpecAdapter):
    """The adapter for a session's events."""

    name = "openai_realtime"
    spec = spec_of("openai_realtime")
    steady = True
    last = ("response.done", "session.closed")
    padding = frozenset({"event_id", "obfuscation"})
    notes_alike = "last"

    def __init__(self, *, unknown: Unknown = "guard") -> None:
        super().__init__(unknown=unknown)
        self._count = 0  # of choices
        self._running: dict[str, _Response] = {}
        self._items: dict[str, _Response] = {}  # the responses of items
        self._slots: dict[str, dict[tuple[int, str], Slot]] = {}  # by item, then part and field
        self._number = 0  # of slots
        self._heard: dict[str, int] = {}  # choices of the user's speech, by item
        self._ending = Ending()

    def slot(self, leaf: Leaf, event: Mapping[str, Any], path: Path) -> Slot:
        kind = str(event.get("type"))
        if kind in (TRANSLATED, TRANSLATING):
            return Slot(int(kind == TRANSLATING), leaf.channel, leaf.field)
        if leaf.field not in ("text", "transcript", "args", "input_transcript"):
            return Slot(0, leaf.channel, leaf.field)
        item = fields_of(event.get("item"))
        if "response" in event and path:
            item, path = fields_of(fields_of(event["response"])["output"][path[0]]), path[1:]
        own = str(item.get("id") if item else event.get("item_id"))
        part = path[0] if path else index_in(event, 0, "content_index")
        return self._slot(leaf, own, part)

    def _slot(self, leaf: Leaf, own: str, part: int) -> Slot:
        slots = self._slots.setdefault(own, {})
        if (part, leaf.field) not in slots:
            choice, field = 0, "history"  # of what was said before
            if leaf.field == "input_transcript":
                choice, field = self._heard.get(own, 0), leaf.field
            elif own in self._items:
                choice = self._items[own].choice
                field = "text" if leaf.channel == "text" else leaf.field
            slots[part, leaf.field] = Slot(choice, leaf.channel, field, self._number)
            self._number += 1
        return slots[part, leaf.field]

    def read(self, chunk: Any) -> Reading:
        """Find the text in an event; a response begins with the first event that has its id."""
        event = fields_of(chunk)
        kind = str(event.get("type"))
        response = fields_of(event.get("response"))
        own = event.get("response_id") or response.get("id")
        item = event.get("item_id") or fields_of(event.get("item")).get("id")
        if own is not None and kind.startswith("response."):
            running = self._begun(str(own))
            for each in response.get("output") or ():
                self._items.setdefault(str(fields_of(each).get("id")), running)
            if item is not None:
                self._items.setdefault(str(item), running)
        if kind.startswith(INPUT) and str(item) not in self._heard:
            self._count += 1
            self._heard[str(item)] = self._count
        return super().read(chunk)

    def _begun(self, own: str) -> _Response:
        if own not in self._running:
            busy = any(each.choice == 0 for each in self._running.values())
            self._count += busy
            self._running[own] = _Response(self._count if busy else 0)
        return self._running[own]

    def meaning(self, chunk: Any, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        kind = str(event.get("type"))
        if kind in (TRANSLATED, TRANSLATING):
            return Reading(pieces, (int(kind == TRANSLATING),))
        if kind == "session.closed":
            return Reading(pieces, (), {0: "stop"})
        if kind.startswith(INPUT):
            return self._listened(kind, event, pieces)
        if kind.startswith("conversation.item."):
            return self._item_again(kind, event, pieces)
        running = self._response_of(event)
        if running is None or not kind.startswith("response."):
            return Reading(pieces, (), closed=self._over(pieces))
        reading = self._responded(running, kind, event, pieces)
        return reading._replace(choices=(running.choice,))

    def _responded(
        self, running: _Response, kind: str, event: Mapping[str, Any], pieces: Sequence[Piece]
    ) -> Reading:
        name, _, state = kind.removeprefix("response.").rpartition(".")
        if name in FIRST.values():
            self._ending.is_first_version = True
        if name in STREAMED or name == "content_part":
            return self._part(running, name, state, event, pieces)
        if name == "output_item" and state == "added":
            return self._item_began(running, event, pieces)
        if name == "output_item":
            return self._item_ended(event, pieces)
        if kind == "response.done":
            return self._done(running, event, pieces)
        return Reading(pieces, (), closed=self._over(pieces))

    def _response_of(self, event: Mapping[str, Any]) -> _Response | None:
        own = event.get("response_id") or fields_of(event.get("response")).get("id")
        return self._running.get(str(own)) or self._items.get(str(event.get("item_id")))

    def _over(self, pieces: Sequence[Piece], but: _Response | None = None) -> list[Slot]:
        """Return the texts that end because new text begins elsewhere: those whose parts have
        ended."""
        says = any(piece.kind in NEW for piece in pieces)
        return self._ended(but) if says else []

    def _ended(self, but: _Response | None = None) -> list[Slot]:
        found = [each for each in self._running.values() if each.is_over and each is not but]
        return [slot for each in found for slot in each.end()]

    def _listened(self, kind: str, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        """Read the transcript of what the user says."""
        own, part = str(event.get("item_id")), index_in(event, 0, "content_index")
        slot = self._slots.get(own, {}).get((part, "input_transcript"))
        closed = self._over(pieces)
        if slot is not None and not kind.endswith(".delta"):
            closed.append(slot)
        return Reading(pieces, (), closed=closed)

    def _part(
        self,
        running: _Response,
        name: str,
        state: str,
        event: Mapping[str, Any],
        pieces: Sequence[Piece],
    ) -> Reading:
        field = STREAMED[name][1] if name in STREAMED else _field_of(event.get("part"))
        leaf = Leaf("delta", "tool_args" if field == "args" else "text", field)
        own, part = str(event.get("item_id")), index_in(event, 0, "content_index")
        slot = self._slot(leaf, own, part)
        if slot.channel != "text":
            over = () if state == "delta" else (slot,)
            return Reading(pieces, (), closed=[*self._over(pieces), *over])
        if state in ("delta", "added"):
            earlier, running.text, running.is_over = running.text, slot, False
            joined = {} if earlier in (None, slot) else {slot: earlier}
            closed = self._over(pieces, running)
            return Reading(pieces, (), closed=closed, joined=joined)
        if slot != running.text:
            return Reading(pieces, (), closed=(slot,))
        running.is_over = True
        return Reading(pieces, (), waits=slot)

    def _item_began(
        self, running: _Response, event: Mapping[str, Any], pieces: Sequence[Piece]
    ) -> Reading:
        item = fields_of(event.get("item"))
        if item.get("type") not in _CALLS:
            return Reading(pieces, (), closed=self._over(pieces))
        running.called = running.called or item.get("type") == "function_call"
        slot = self._slot(Leaf("delta", "tool_args", "args"), str(item.get("id")), 0)
        calls = {slot: Call(str(item.get("name") or ""), item.get("call_id") or item.get("id"))}
        closed = [*running.end(), *self._ended()]
        return Reading(pieces, (), closed=closed, calls=calls)

    def _item_ended(self, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        own = str(fields_of(event.get("item")).get("id"))
        running, over = self._items.get(own), [*self._slots.get(own, {}).values()]
        if running is None or running.text not in over:
            return Reading(pieces, (), closed=over)
        running.is_over = True
        closed = [slot for slot in over if slot != running.text]
        return Reading(pieces, (), closed=closed, waits=running.text)

    def _item_again(self, kind: str, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        """Read an item as it is in the conversation."""
        own = str(fields_of(event.get("item")).get("id"))
        running = self._items.get(own)
        text = None if running is None or not running.is_over else running.text
        if kind.endswith(".done") or text in self._slots.get(own, {}).values():
            return self._item_ended(event, pieces)
        return Reading(pieces, ())

    def _done(
        self, running: _Response, event: Mapping[str, Any], pieces: Sequence[Piece]
    ) -> Reading:
        response = fields_of(event.get("response"))
        status = response.get("status")
        why = fields_of(response.get("status_details")).get("reason")
        reason: FinishReason = "tool_calls" if running.called else "stop"
        if status == "incomplete":
            reason = REASONS.get(why, "length")
        reason = _STATUS.get(status, reason)
        closed = [*running.end(), *self._ended()]
        self._running = {own: each for own, each in self._running.items() if each is not running}
        usage = response.get("usage")
        return Reading(pieces, (), {running.choice: reason}, closed=closed, usage=usage)

    def passed(self, chunk: Any) -> None:
        """Remember the released text of each item."""
        event = fields_of(chunk)
        running = self._response_of(event)
        self._ending.passed(chunk, self._place_of(event), 0 if running is None else running.choice)

    def _place_of(self, event: Mapping[str, Any]) -> Slot | None:
        """Return the slot of the text that an event streams."""
        name = str(event.get("type")).removeprefix("response.").rpartition(".")[0]
        field = STREAMED[name][1] if name in STREAMED else _field_of(event.get("part"))
        own, part = str(event.get("item_id")), index_in(event, 0, "content_index")
        return self._slots.get(own, {}).get((part, field))

    def extra(self, chunk: Any, slot: Slot, text: str, released: Released) -> Sequence[Any]:
        """Return a delta of the slot's part, in a new message if that part is over."""
        return self._ending.extra(chunk, slot, text, released)

    def end(
        self, chunk: Any, choice: int, reason: FinishReason, released: Released
    ) -> Sequence[Any]:
        """Return the ends of the open parts and items, and of the response with all of them."""
        return self._ending.end(chunk, choice, reason, released)


def _field_of(part: Any) -> str:
    """Return the field of a part's text."""
    kind = fields_of(part).get("type")
    return "transcript" if kind in ("audio", "output_audio") else "text"
