"""Adapters for whole answers of other APIs than OpenAI's and Anthropic's: a spec and an end for
each.

Those of Gemini, Ollama, DashScope and watsonx have the shape of a chunk of their stream. Cohere's
chat and Bedrock's Converse have their own shapes, and some are answers of JSON-RPC (A2A, MCP).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from guardstream.events import FinishReason
from guardstream.formats.adapter import Call, Piece, Reading, Slot, Unknown
from guardstream.formats.answers.whole import Body, said_in
from guardstream.formats.google import interactions
from guardstream.formats.google.gemini import STOPS, Gemini
from guardstream.formats.google.gemini_calls import call_in, get, parts_of
from guardstream.formats.protocols.a2a import NAMED, rejected
from guardstream.formats.protocols.mcp import Messages
from guardstream.formats.spec import Leaf, Path, Spec
from guardstream.formats.toolkit.fields import fields_of, index_in
from guardstream.formats.toolkit.files import spec_of
from guardstream.formats.toolkit.objects import rpc_error
from guardstream.formats.toolkit.reasons import reason_of

Answer = dict[str, Any]


class OneAnswer(Body):
    """The base of bodies with one choice, whose slots are distinguished by the positions of their
    leaves."""

    def slot(self, leaf: Leaf, event: Mapping[str, Any], path: Path) -> Slot:
        number = path[-1] if path and leaf.channel == "tool_args" else 0
        return Slot(0, leaf.channel, leaf.field, number)

    def meaning(self, chunk: Any, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        calls = {
            Slot(0, "tool_args", self.arguments, place): call
            for place, call in self.calls(event).items()
        }
        return Reading(pieces, (0,), {0: self.reason(event)}, calls=calls, usage=self.usage(event))

    arguments: ClassVar[str] = "tool_calls"
    """The field of slots with arguments."""

    def reason(self, event: Mapping[str, Any]) -> FinishReason:
        """Return why the answer ended."""
        return "stop"

    def calls(self, event: Mapping[str, Any]) -> Mapping[int, Call]:
        """Return the answer's tool calls, by their positions."""
        return {}

    def usage(self, event: Mapping[str, Any]) -> Any:
        """Return the answer's usage."""
        return event.get("usage")

    def completed(self, body: Answer, source: Answer) -> Answer:
        return self.ended(body, self.messages.get(0, ""), self.reasons[0])

    def ended(self, body: Answer, text: str, reason: FinishReason) -> Answer:
        """Return a body that the guard ends, with `text` and the reason."""
        raise NotImplementedError


class GeminiBody(Body):
    """`generateContent`: https://ai.google.dev/api/generate-content."""

    name = "gemini"
    spec: ClassVar[Spec] = Gemini.spec

    def __init__(self, *, unknown: Unknown = "guard") -> None:
        super().__init__(unknown=unknown)
        self._chunks = Gemini(unknown=unknown)

    def slot(self, leaf: Leaf, event: Mapping[str, Any], path: Path) -> Slot:
        return self._chunks.slot(leaf, event, path)

    def meaning(self, chunk: Any, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        finished: dict[int, FinishReason] = {}
        calls: dict[Slot, Call] = {}
        for candidate in map(fields_of, event.get("candidates") or ()):
            choice = index_in(candidate)
            for place, call in enumerate(map(call_in, parts_of(candidate))):
                if call.get("name"):
                    slot = Slot(choice, "tool_args", "args", place)
                    calls[slot] = Call(call["name"], call.get("id"))
            reason = reason_of(str(get(candidate, "finish_reason")))
            called = reason == "stop" and any(slot.choice == choice for slot in calls)
            finished[choice] = "tool_calls" if called else reason
        usage = get(event, "usage_metadata")
        return Reading(pieces, tuple(finished) or (0,), finished, calls=calls, usage=usage)

    def completed(self, body: Answer, source: Answer) -> Answer:
        candidates = []
        pairs = zip(body.get("candidates") or (), source.get("candidates") or (), strict=True)
        for candidate, before in pairs:
            choice = index_in(candidate)
            content = dict(candidate.get("content") or {})
            if choice in self.messages:
                said = {"text": self.messages[choice]}
                content["parts"] = [*(content.get("parts") or ()), said]
            name = "finish_reason" if "finish_reason" in before else "finishReason"
            reason = self.new_reason(choice)
            word = before.get(name) if reason is None else STOPS.get(reason, "STOP")
            candidates.append({**candidate, "content": content, name: word})
        return {**body, "candidates": candidates}


class _RPCBody(OneAnswer):
    """An answer of JSON-RPC; one that the guard blocks becomes an error."""

    def ended(self, body: Answer, text: str, reason: FinishReason) -> Answer:
        return rpc_error(reason, text, body.get("id")) if reason == "content_filter" else body


class InteractionsBody(OneAnswer):
    """An interaction: https://ai.google.dev/api/interactions-api."""

    name = "interactions"
    arguments = "args"
    spec = spec_of("interactions", "answer")

    def slot(self, leaf: Leaf, event: Mapping[str, Any], path: Path) -> Slot:
        place = path[0] if path else 0
        if leaf.field == "text":  # consecutive steps of text are one, as in the stream
            steps = _steps(event)
            while place and _says_text(steps[place]) and _says_text(steps[place - 1]):
                place -= 1
        return Slot(0, leaf.channel, leaf.field, place)

    def reason(self, event: Mapping[str, Any]) -> FinishReason:
        return interactions.STATUS.get(str(event.get("status")), "stop")

    def calls(self, event: Mapping[str, Any]) -> Mapping[int, Call]:
        steps = map(fields_of, _steps(event))
        return {
            place: Call(str(step.get("name") or step["type"]), step.get("id"))
            for place, step in enumerate(steps)
            if str(step.get("type")).endswith("_call")
        }

    def ended(self, body: Answer, text: str, reason: FinishReason) -> Answer:
        field = "steps" if "steps" in body else "outputs"
        said: list[Any] = said_in(body.get(field) or ())
        if text:
            content = {"type": "text", "text": text}
            step = {"type": "model_output", "content": [content]} if field == "steps" else content
            said = [*said, step]
        status = "completed" if reason == "stop" else "incomplete"
        return {**body, field: said, "status": status}


def _steps(event: Mapping[str, Any]) -> Sequence[Any]:
    return event.get("steps") or event.get("outputs") or ()


def _says_text(step: Any) -> bool:
    return fields_of(step).get("type") in ("model_output", "text")


class A2ABody(_RPCBody):
    """`message/send` and `tasks/get`: https://a2a-protocol.org/latest/specification/.

    The answer is in one of JSON-RPC or, over plain HTTP, is the body itself.
    """

    name = "a2a"
    spec = spec_of("a2a", "answer")

    def slot(self, leaf: Leaf, event: Mapping[str, Any], path: Path) -> Slot:
        field = {"message": "content", "artifact": "text"}.get(leaf.field, leaf.field)
        return Slot(0, leaf.channel, field, path[0] if len(path) > 1 else 0)

    def ended(self, body: Answer, text: str, reason: FinishReason) -> Answer:
        if "jsonrpc" in body or reason != "content_filter":
            return super().ended(body, text, reason)
        name = next((name for name in NAMED if name in body), None)
        told = rejected(body[name] if name else body, text)
        return {**body, name: told} if name else told


class MCPBody(_RPCBody):
    """A server's answer: https://modelcontextprotocol.io/specification/2025-06-18/basic."""

    name = "mcp"
    spec: ClassVar[Spec] = Messages.spec
