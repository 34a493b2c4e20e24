"""ACP, the Agent Client Protocol: what a coding agent sends to an editor, turn after turn.

https://agentclientprotocol.com/protocol/prompt-turn: notifications of JSON-RPC with the next piece
of a message or a thought, with calls of tools and their results, with the plan; and the agent's
requests and answers. Each session is a choice, each message in it a text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from guardstream.errors import AdapterError
from guardstream.events import FinishReason
from guardstream.formats.adapter import Piece, Reading, Released, Slot, Unknown
from guardstream.formats.spec import (
    Leaf,
    Path,
    SpecAdapter,
    sibling,
)
from guardstream.formats.toolkit.fields import fields_of
from guardstream.formats.toolkit.files import spec_of
from guardstream.formats.toolkit.objects import (
    Event,
    Objects,
    dumped,
    model_like,
    rpc_error,
    with_changes,
)
from guardstream.formats.toolkit.reasons import reason_of

_STOPS = {"length": "max_tokens", "content_filter": "refusal", "cancelled": "cancelled"}

_CHANNELS = {"agent_message_chunk": "text", "agent_thought_chunk": "thinking"}
_CHUNKS = {channel: kind for kind, channel in _CHANNELS.items()}


class Updates(SpecAdapter):
    """Reads an agent's messages as JSON."""

    name = "acp"
    spec = spec_of("acp")

    def __init__(self, *, unknown: Unknown = "guard") -> None:
        super().__init__(unknown=unknown)
        self._sessions: dict[Any, int] = {}  # choices, by id
        self._numbers: dict[Any, int] = {}  # of messages and calls, by sessions and ids
        self._open: dict[tuple[int, str], Slot] = {}  # the message, the thought
        self._over = False

    def slot(self, leaf: Leaf, event: Mapping[str, Any], path: Path) -> Slot:
        update = _update_in(event)
        choice = self._choice(event)
        if leaf.kind == "delta":
            return self._numbered(choice, leaf.channel, update.get("messageId"))
        return Slot(choice, leaf.channel, leaf.field, path[0] if path else 0)

    def _choice(self, event: Mapping[str, Any]) -> int:
        own = fields_of(event.get("params")).get("sessionId")
        if not isinstance(own, str):
            return 0
        return self._sessions.setdefault(own, len(self._sessions))

    def _numbered(self, choice: int, channel: str, own: Any) -> Slot:
        key = (choice, channel, own if isinstance(own, str) else None)
        return Slot(choice, channel, channel, self._numbers.setdefault(key, len(self._numbers)))

    def meaning(self, chunk: Any, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        reason = fields_of(event.get("result")).get("stopReason")
        if reason is not None:
            return self._ended(pieces, reason_of(str(reason)))
        update = _update_in(event)
        choice = self._choice(event)
        kind = update.get("sessionUpdate")
        channel = _CHANNELS.get(str(kind))
        if channel is not None:
            slot = self._numbered(choice, channel, update.get("messageId"))
            before = self._open.get((choice, channel), slot)
            self._open[choice, channel] = slot
            return Reading(pieces, (choice,), closed=() if before == slot else (before,))
        if kind not in ("tool_call", "user_message_chunk"):
            return Reading(pieces, (choice,))
        over = [self._open.pop((choice, each)) for each in _CHUNKS if (choice, each) in self._open]
        return Reading(pieces, (choice,), closed=over)

    def _ended(self, pieces: Sequence[Piece], reason: FinishReason) -> Reading:
        """Return the meaning of the answer to a prompt, which does not say in which session a turn
        is over."""
        if len(self._sessions) > 1:
            return Reading(pieces, tuple(self._sessions.values()))
        over = tuple(self._open.values())
        self._open.clear()
        return Reading(pieces, (0,), {0: reason}, closed=over)

    def write(self, chunk: Any, texts: Sequence[str], *, ends: bool = True) -> Any | None:
        """Return a message with `texts`; None for an answer that must not end its turn, and for a
        request in which the stream ends, because the client would act on the rest of it."""
        event = fields_of(chunk)
        is_request = {"id", "method"} <= event.keys()
        if not ends and (is_request or "stopReason" in fields_of(event.get("result"))):
            return None
        return super().write(chunk, texts, ends=ends)

    def extra(self, chunk: Any, slot: Slot, text: str, released: Released) -> Sequence[Any]:
        """Return a notification with the next piece of a message or a thought."""
        kind = _CHUNKS.get(slot.channel)
        params = fields_of(fields_of(chunk).get("params"))
        if kind is None or "sessionId" not in params:
            return []
        update = {"sessionUpdate": kind, "content": {"type": "text", "text": text}}
        own = _update_in(chunk).get("messageId")
        if own is not None and slot.field != "content":
            update["messageId"] = own
        told = {"sessionId": params["sessionId"], "update": update}
        return [{"jsonrpc": "2.0", "method": "session/update", "params": told}]

    def end(
        self, chunk: Any, choice: int, reason: FinishReason, released: Released
    ) -> Sequence[Any]:
        """Return the answer with another reason; or an error, once, if it has yet to come."""
        if self._over:
            return ()
        self._over = True
        result = fields_of(fields_of(chunk).get("result"))
        if "stopReason" in result:
            return [{**chunk, "result": {**result, "stopReason": _STOPS.get(reason, "end_turn")}}]
        return [rpc_error(reason)]


def _update_in(event: Mapping[str, Any]) -> Mapping[str, Any]:
    return fields_of(fields_of(event.get("params")).get("update"))


class ACP(Objects):
    """The adapter for messages as JSON, or as objects of the `agent-client-protocol` package.

    Those are `SessionNotification`s, the updates in them, and `PromptResponse`s.
    """

    name = "acp"
    repeats = True
    packages = frozenset({"acp"})

    def __init__(self, *, unknown: Unknown = "guard") -> None:
        super().__init__(Updates(unknown=unknown), unknown=unknown)

    def json_of(self, chunk: Any) -> Event:
        """Return the message that an object would come in."""
        place = _place_of(chunk) if self.is_own(chunk) else None
        if place is None:
            raise AdapterError(f"acp: a {type(chunk).__qualname__!r} is not an update")
        told: Any = dumped(chunk)
        if place == "result":
            return {"jsonrpc": "2.0", "result": told}
        params = {"sessionId": "", "update": told} if place == "update" else told
        return {"jsonrpc": "2.0", "method": "session/update", "params": params}

    def changed(self, chunk: Any, old: Event, new: Event) -> Any:
        """Return an object like `chunk` with another message in it."""
        place = _place_of(chunk)
        if place == "result":
            return with_changes(chunk, old["result"], new["result"])
        if place == "params":
            return with_changes(chunk, old["params"], new["params"])
        return with_changes(chunk, old["params"]["update"], new["params"]["update"])

    def made(self, chunk: Any, event: Event) -> Any:
        """Return an object with the next piece of a message or a thought, or an answer."""
        if "result" in event:
            return model_like(type(chunk), event["result"])
        if _place_of(chunk) == "params":
            return model_like(type(chunk), event["params"])
        update = event["params"]["update"]
        name = _CLASSES[update["sessionUpdate"]]
        return model_like(sibling(chunk, self.module_of(chunk), name), update)

    def end(
        self, chunk: Any, choice: int, reason: FinishReason, released: Released
    ) -> Sequence[Any]:
        """Return the answer, or an error of JSON-RPC, which has no object."""
        if isinstance(chunk, dict) or _place_of(chunk) == "result":
            return super().end(chunk, choice, reason, released)
        return ()


_CLASSES = {"agent_message_chunk": "AgentMessageChunk", "agent_thought_chunk": "AgentThoughtChunk"}


def _place_of(model: Any) -> str | None:
    """Return the field of a message to which an object belongs; None if it is something else."""
    fields = fields_of(model)
    if {"session_id", "update"} <= fields.keys():
        return "params"
    if "session_update" in fields:
        return "update"
    return "result" if "stop_reason" in fields else None
