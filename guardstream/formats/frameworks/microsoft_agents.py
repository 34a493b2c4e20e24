"""Microsoft Agent Framework: the updates of agents and chat clients, and the events of workflows.

https://learn.microsoft.com/en-us/agent-framework/. Contents come in pieces; if the `merge_mode` is
`replace`, all of a text is repeated. The provider's objects (`raw_representation`) are left out if
the text changed, or if an event repeats a long response.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import is_
from typing import Any, ClassVar

from guardstream.events import FinishReason
from guardstream.formats.adapter import Call, Piece, Reading, Released, Slot
from guardstream.formats.spec import (
    Leaf,
    Path,
    Spec,
    VariedSpecAdapter,
)
from guardstream.formats.toolkit.fields import LISTS, as_text, fields_of, listed, replaced
from guardstream.formats.toolkit.files import spec_of
from guardstream.formats.toolkit.reasons import reason_of
from guardstream.formats.toolkit.streamed import Streamed

_UPDATE = spec_of("microsoft_agents")

_STREAMS = frozenset({"output", "intermediate", "data"})
"""Types of events whose data may be an update, or text."""

_REASONS: Mapping[str, FinishReason] = {
    "length": "length",
    "tool_calls": "tool_calls",
    "content_filter": "content_filter",
}
_REFUSAL = {"model_output_kind": "refusal"}
"""The framework's note on a content that is a refusal."""

_KINDS = {"text": "text", "refusal": "text", "thinking": "text_reasoning"}
"""The type of a content by the channel of its text."""


@dataclass
class _Run:
    """One agent's response: where its texts are, by kind of content and call."""

    choice: int = 0
    message: Any = None
    last: Hashable = None
    call: Any = None
    slots: dict[Hashable, Slot] = field(default_factory=dict)


class MicrosoftAgents(VariedSpecAdapter):
    """The adapter for updates, and for events with updates in them.

    An agent that answers while another does is a choice of its own.
    """

    name = "microsoft_agents"
    spec: ClassVar[Spec] = _UPDATE
    ends_with_source = True

    def __init__(self, *, unknown: Any = "guard") -> None:
        super().__init__(unknown=unknown)
        self._runs: dict[Hashable, _Run] = {}
        self._authors: dict[Any, Any] = {}  # the last author, by executor
        self._streamed = Streamed()
        self._count = 0

    def taken(self, chunk: Any) -> Any:
        """Return an event without the provider's objects, if it repeats long responses: these
        objects have many times the strings of the texts."""
        fields = fields_of(chunk)
        told = "data" in fields and not _is_update(fields) and not _streams(fields)
        return _without_raw(chunk) if told and _raw_in(chunk) > _MOST_RAW else chunk

    def spec_of(self, chunk: Any) -> Spec:
        fields = fields_of(chunk)
        if _is_update(fields):
            return self.spec
        name = "asked" if fields.get("type") == "executor_invoked" else "told"
        if _streams(fields):
            name = "update"
        elif isinstance(fields.get("data"), LISTS):
            name += "_list"
        form = "dicts" if isinstance(chunk, dict) else "objects"
        spec: Spec = spec_of("microsoft_agents", f"{name}_{form}")
        return spec

    def slot(self, leaf: Leaf, event: Mapping[str, Any], path: Path) -> Slot:
        return Slot(0, leaf.channel, leaf.field, path[0] if path else 0)

    def meaning(self, chunk: Any, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        update = _update(event)
        if not update:
            return self._without_update(event, pieces)
        run = self._run(event, update)
        contents = [fields_of(each) for each in update.get("contents") or ()]
        closed: list[Slot] = []
        if any(each.get("type") == "function_result" for each in contents):
            closed += self._over(run)
        if update.get("message_id") not in (None, run.message):
            run.message, run.last = update["message_id"], None
        calls = self._calls(run, contents)
        joined: dict[Slot, Slot] = {}
        complete: list[Slot] = []
        found = [
            self._placed(run, each, update, joined, closed, complete)
            if each.kind in ("delta", "whole") and each.slot.field in _PLACED
            else self._repeated(run, each)
            for each in pieces
        ]
        self._streamed.note(found)
        finished: dict[int, FinishReason] = {}
        if reason := update.get("finish_reason"):
            finished = {run.choice: reason_of(as_text(reason))}
            here = {piece.slot for piece in found}
            closed += [slot for slot in self._over(run) if slot not in here]
        usage = [each["usage_details"] for each in contents if each.get("usage_details")]
        return Reading(
            found,
            (run.choice,),
            finished,
            closed=closed,
            joined=joined,
            calls=calls,
            complete=complete,
            usage=usage[-1] if usage and not run.choice else None,
        )

    def _without_update(self, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        """Return the reading of an event that has no update of its own."""
        over: list[Slot] = []
        if event.get("type") in ("executor_completed", "executor_failed"):
            for source, run in self._runs.items():
                if isinstance(source, tuple) and source[0] == event.get("executor_id"):
                    over += self._over(run)
        self._count += 1
        found = [
            piece._replace(slot=piece.slot._replace(number=self._count))
            if piece.kind == "delta"
            else self._streamed.placed_anywhere(piece)
            for piece in pieces
        ]
        new = [piece.slot for piece in found if piece.kind == "delta"]
        self._streamed.note(found)
        failed = event.get("type") == "failed"
        return Reading(found, (), failed=failed, closed=over, complete=new)

    def _run(self, event: Mapping[str, Any], update: Mapping[str, Any]) -> _Run:
        """Return the run of an update; a run that begins during another one is another choice."""
        executor = event.get("executor_id")
        author = self._authors[executor] = update.get("author_name") or self._authors.get(executor)
        source = (executor, author)
        unnamed = self._runs.pop((executor, None), None)
        run = self._runs.setdefault(source, unnamed or _Run())
        open_choices = {each.choice for each in self._runs.values() if each.slots}
        if not run.slots and run.choice in open_choices:
            run.choice = max(each.choice for each in self._runs.values()) + 1
        return run

    def _over(self, run: _Run) -> list[Slot]:
        """Return the slots of a turn that is over."""
        over = [*run.slots.values()]
        run.slots.clear()
        run.last = run.call = None
        return over

    def _calls(self, run: _Run, contents: Sequence[Mapping[str, Any]]) -> dict[Slot, Call]:
        """Return the calls that begin, by their slots. A call without an id is the last one."""
        calls = {}
        for each in contents:
            if each.get("type") != "function_call":
                continue
            run.call = each.get("call_id") or run.call
            key = ("arguments", run.call)
            if each.get("name") and key not in run.slots:
                run.slots[key] = slot = self._new(run, "tool_args", "arguments")
                calls[slot] = Call(str(each["name"]), each.get("call_id"))
        return calls

    def _new(self, run: _Run, channel: str, field: str) -> Slot:
        self._count += 1
        return Slot(run.choice, channel, field, self._count)

    def _placed(
        self,
        run: _Run,
        piece: Piece,
        update: Mapping[str, Any],
        joined: dict[Slot, Slot],
        closed: list[Slot],
        complete: list[Slot],
    ) -> Piece:
        """Return a piece of a content in the slot of its text.

        A text goes on after another content, but a response repeats it part by part.
        """
        channel, field = piece.slot.channel, piece.slot.field
        content = fields_of(update["contents"][piece.slot.number])
        if field == "text" and _is_refusal(content):
            channel = field = "refusal"
        called = channel == "tool_args" or field == "printed"
        key = (field, content.get("call_id") or run.call) if called else field
        slot = earlier = run.slots.get(key)
        if slot is None or not (called or run.last == key):
            slot = run.slots[key] = self._new(run, channel, field)
            if earlier is not None:
                joined[slot] = earlier
        run.last = key
        if piece.kind == "whole":
            return piece._replace(slot=slot)
        if "replace" not in (content.get("merge_mode"), update.get("merge_mode")):
            return Piece(slot, piece.text)
        del run.slots[key]
        joined.pop(slot, None)
        told = Piece(slot, piece.text, "copy")
        known = self._streamed.find(told, channel=channel) or earlier
        if known is None:
            complete.append(slot)
            return Piece(slot, piece.text)
        closed += [earlier] if earlier else ()
        return told._replace(slot=known)

    def _repeated(self, run: _Run, piece: Piece) -> Piece:
        """Return another piece of an update: the repetition of a text, or a text of its own."""
        piece = self._streamed.placed_anywhere(piece)
        if not run.choice:
            return piece
        return piece._replace(slot=piece.slot._replace(choice=run.choice))

    def extra(self, chunk: Any, slot: Slot, text: str, released: Released) -> Sequence[Any]:
        """Return an update with a piece of one content."""
        update = _update(fields_of(chunk))
        if _is_text(chunk):
            return [replaced(chunk, {"data": text})]
        for content in update.get("contents") or ():
            made = _content(content, slot, text)
            if made is not None:
                return [_with_update(chunk, {"contents": [made], "finish_reason": None})]
        return []

    def end(
        self, chunk: Any, choice: int, reason: FinishReason, released: Released
    ) -> Sequence[Any]:
        """Return an update with the reason of the end."""
        if _is_text(chunk) or not _update(fields_of(chunk)):
            return []
        told = reason if reason in _REASONS else "stop"
        return [_with_update(chunk, {"contents": [], "finish_reason": told})]


_NESTED = {
    "code": ("code_interpreter_tool_call", "inputs"),
    "printed": ("code_interpreter_tool_result", "outputs"),
}
"""The types of contents and their fields in which the contents with a slot's text are nested, by
the slot's field."""

_PLACED = frozenset({"text", "thinking", "arguments", *_NESTED})
"""Fields whose text goes on from update to update."""


def _is_update(fields: Mapping[str, Any]) -> bool:
    if "contents" not in fields:
        return False
    kind = fields.get("type")
    known = ("agent_response_update", "chat_response_update")
    return kind in known or {"author_name", "continuation_token", "finish_reason"} <= fields.keys()


_TELLING = ("data", "agent_response", "messages", "full_conversation", "contents")
"""Fields of a repeated response that may contain the provider's objects."""

_MOST_RAW = 64
"""How many of the provider's objects are judged in one event: a response has one for each of its
updates."""


def _raw_in(value: Any) -> int:
    """Return the number of the provider's objects in a repeated response."""
    if isinstance(value, LISTS):
        return sum(map(_raw_in, value))
    if value is None or isinstance(value, (str, bytes, int, float, type)):
        return 0
    fields = fields_of(value)
    raw = fields.get("raw_representation")
    own = len(raw) if isinstance(raw, LISTS) else raw is not None
    return own + sum(_raw_in(fields[name]) for name in _TELLING if name in fields)


def _without_raw(value: Any) -> Any:
    if isinstance(value, LISTS):
        items = [*map(_without_raw, value)]
        return value if all(map(is_, items, value)) else listed(value, items)
    if value is None or isinstance(value, (str, bytes, int, float, type)):
        return value
    fields = fields_of(value)
    news = {name: _without_raw(fields[name]) for name in _TELLING if name in fields}
    news = {name: new for name, new in news.items() if new is not fields[name]}
    if fields.get("raw_representation") is not None:
        news["raw_representation"] = None
    return replaced(value, news) if news else value


def _streams(event: Mapping[str, Any]) -> bool:
    """Return whether an event has an update, or text."""
    data = event.get("data")
    if event.get("type") not in _STREAMS or data is None or isinstance(data, (bytes, *LISTS)):
        return False
    return isinstance(data, str) or _is_update(fields_of(data))


def _update(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the fields of the update in a chunk; a text becomes an update with one content."""
    if _is_update(event):
        return event
    if not _streams(event):
        return {}
    data = event["data"]
    return {"contents": [{"type": "text"}]} if isinstance(data, str) else fields_of(data)


def _is_text(chunk: Any) -> bool:
    return isinstance(fields_of(chunk).get("data"), str)


def _is_refusal(content: Mapping[str, Any]) -> bool:
    notes = fields_of(content.get("additional_properties") or {})
    return _REFUSAL.items() <= notes.items()


def _content(content: Any, slot: Slot, text: str) -> Any:
    """Return a content like `content` with only `text`; None if it is of another kind."""
    fields = fields_of(content)
    kind = fields.get("type")
    if slot.field in _NESTED:
        outer, name = _NESTED[slot.field]
        inner = fields.get(name) or () if kind == outer else ()
        told = [_only(each, {"text": text}) for each in inner if fields_of(each).get("text")]
        return _only(content, {name: told[:1]}) if told else None
    if slot.field == "arguments" and kind == "function_call":
        return _only(content, {"arguments": text})
    if kind != _KINDS.get(slot.channel):
        return None
    refusal = {"additional_properties": dict(_REFUSAL)} if slot.channel == "refusal" else {}
    return _only(content, {"text": text, **refusal})


def _only(content: Any, updates: Mapping[str, Any]) -> Any:
    """Return a content with `updates`, without what else may contain text."""
    news: dict[str, Any] = {
        "annotations": None,
        "raw_representation": None,
        "additional_properties": {},
    }
    return replaced(content, {**_present(content, {**news, "merge_mode": "append"}), **updates})


def _with_update(chunk: Any, updates: Mapping[str, Any]) -> Any:
    """Return a chunk like `chunk` with other contents in its update."""
    fields = fields_of(chunk)
    if not _is_update(fields):
        return replaced(chunk, {"data": _with_update(fields["data"], updates)})
    return replaced(
        chunk,
        {**_present(chunk, {"additional_properties": {}, "raw_representation": None}), **updates},
    )


def _present(value: Any, updates: Mapping[str, Any]) -> dict[str, Any]:
    known = fields_of(value).keys()
    return {name: new for name, new in updates.items() if name in known}
