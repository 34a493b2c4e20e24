"""ChatKit: the events that a ChatKit server sends to its user interface, or yields in `respond`.

https://openai.github.io/chatkit-python. Items of a thread are added, updated and done. The parts of
an assistant's message and the texts of widgets stream; everything else comes whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from guardstream.events import FinishReason
from guardstream.formats.adapter import Piece, Reading, Released, Slot, Unknown
from guardstream.formats.spec import (
    Leaf,
    Path,
    SpecAdapter,
    sibling,
)
from guardstream.formats.toolkit.fields import fields_of, index_in, replaced
from guardstream.formats.toolkit.files import spec_of

_ADDED = "assistant_message.content_part.added"
_SAID = "assistant_message.content_part.text_delta"
_DONE = "assistant_message.content_part.done"
_WIDGET = "widget.streaming_text.value_delta"
_UPDATED, _ENDED = "thread.item.updated", "thread.item.done"

_CLASSES = {
    _UPDATED: "ThreadItemUpdatedEvent",
    _ENDED: "ThreadItemDoneEvent",
    _SAID: "AssistantMessageContentPartTextDelta",
    _DONE: "AssistantMessageContentPartDone",
    _WIDGET: "WidgetStreamingTextValueDelta",
}


class ChatKit(SpecAdapter):
    """The adapter for events, as dicts or as objects of `chatkit`; there is one choice."""

    name = "chatkit"
    spec = spec_of("chatkit")
    repeats = True
    ends_with_source = True

    def __init__(self, *, unknown: Unknown = "guard") -> None:
        super().__init__(unknown=unknown)
        self._slots: dict[tuple[str, Any], Slot] = {}  # by item, then part or component
        self._items: dict[str, Any] = {}  # items that are open for clients, as they were added
        self._open: dict[str, dict[int, Slot]] = {}  # their parts; those that are done, too
        self._done: set[Slot] = set()

    def slot(self, leaf: Leaf, event: Mapping[str, Any], path: Path) -> Slot:
        if leaf.field not in ("text", "widget"):
            return Slot(0, leaf.channel, leaf.field)
        if "item" in event:
            return self._slot(str(fields_of(event["item"]).get("id")), path[0])
        return self._place(event)[1]

    def _place(self, event: Mapping[str, Any]) -> tuple[str, Slot]:
        """Return the id of an update's item, and the slot of its text."""
        update = fields_of(event.get("update"))
        own = str(event.get("item_id"))
        if update.get("type") == _WIDGET:
            return own, self._slot(own, str(update.get("component_id")))
        return own, self._slot(own, index_in(update, 0, "content_index"))

    def _slot(self, own: str, part: int | str) -> Slot:
        """Return the slot of a part of a message, or of a component of a widget, by its name."""
        field = "widget" if isinstance(part, str) else "text"
        new = Slot(0, "text", field, len(self._slots))
        return self._slots.setdefault((own, part), new)

    def meaning(self, chunk: Any, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        if event.get("type") == _UPDATED:
            own, slot = self._place(event)
            return self._updated(own, slot, event, pieces)._replace(message=own)
        item = fields_of(event.get("item"))
        if "id" not in item:
            return Reading(pieces, (0,))
        own, ends = str(item["id"]), event.get("type") == _ENDED
        over = [slot for (each, _), slot in self._slots.items() if ends and each == own]
        return Reading(pieces, (0,), closed=over, message=own)

    def _updated(
        self, own: str, slot: Slot, event: Mapping[str, Any], pieces: Sequence[Piece]
    ) -> Reading:
        update = fields_of(event.get("update"))
        part = index_in(update, 0, "content_index")
        if update.get("type") == _ADDED and (own, part - 1) in self._slots:
            return Reading(pieces, (0,), joined={slot: self._slots[own, part - 1]})
        if update.get("type") == _DONE:
            return Reading(pieces, (0,), waits=slot)
        if update.get("type") == _WIDGET and update.get("done") is True:
            return Reading(pieces, (0,), complete=(slot,))
        return Reading(pieces, (0,))

    def passed(self, chunk: Any) -> None:
        """Remember the items that are open for clients, and their parts."""
        event = fields_of(chunk)
        kind, item = event.get("type"), event.get("item")
        own = str(fields_of(item).get("id"))
        if kind == _ENDED:
            self._items.pop(own, None)
        elif kind == "thread.item.added" and fields_of(item).get("type") == "assistant_message":
            self._items[own] = item
            self._open[own] = {}
        elif kind == _UPDATED and event.get("item_id") in self._items:
            own, slot = self._place(event)
            update = fields_of(event.get("update"))
            self._open[own][index_in(update, 0, "content_index")] = slot
            if update.get("type") == _DONE:
                self._done.add(slot)

    def takes_more(self, slot: Slot) -> bool:
        """Return whether the part of a slot is open."""
        return slot not in self._done and any(slot in each.values() for each in self._open.values())

    def extra(self, chunk: Any, slot: Slot, text: str, released: Released) -> Sequence[Any]:
        """Return an update with only `text`. A text without a part has no place."""
        for (own, part), each in self._slots.items():
            if each == slot and isinstance(part, int):
                return [self._update(chunk, own, _SAID, content_index=part, delta=text)]
            if each == slot:
                return [
                    self._update(chunk, own, _WIDGET, component_id=part, delta=text, done=False)
                ]
        return []

    def end(
        self, chunk: Any, choice: int, reason: FinishReason, released: Released
    ) -> Sequence[Any]:
        """Return the ends of the open parts, and of the open messages with what was released."""
        made: list[Any] = []
        for own, item in self._items.items():
            parts = [(at, slot, released(slot)) for at, slot in sorted(self._open[own].items())]
            made += [
                self._update(chunk, own, _DONE, content_index=at, content=_content(chunk, said))
                for at, slot, said in parts
                if slot not in self._done
            ]
            content = [_content(chunk, said) for _, _, said in parts]
            ended = replaced(item, {"content": content})
            made.append(_made(chunk, _ENDED, item=ended))
        self._items.clear()
        return made

    def _update(self, chunk: Any, own: str, kind: str, **fields: Any) -> Any:
        update = _made(chunk, kind, **fields)
        return _made(chunk, _UPDATED, item_id=own, update=update)


def _content(chunk: Any, text: str) -> Any:
    if isinstance(chunk, dict):
        return {"type": "output_text", "text": text, "annotations": []}
    return sibling(chunk, "chatkit.types", "AssistantMessageContent")(text=text)


def _made(chunk: Any, kind: str, **fields: Any) -> Any:
    """Return an event or an update: a dict, or an object of the package, as `chunk` is."""
    if isinstance(chunk, dict):
        return {"type": kind, **fields}
    return sibling(chunk, "chatkit.types", _CLASSES[kind])(**fields)
