"""Whole answers, as an API gives them without streaming: guarded as their stream would be.

A body is one chunk in which every choice begins and ends. What a block or a limit leaves out is
missing from it, and its finish reason says why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from guardstream.events import FinishReason
from guardstream.providers.anthropic import message_spec
from guardstream.providers.base import Call, Piece, Reading, Said, Slot
from guardstream.providers.fields import fields_of, replaced
from guardstream.providers.walk import ABOUT, END, META, Leaf, Path, Spec, SpecAdapter, Tree

_ARGUMENTS = {"name": META, "arguments": Leaf("delta", "tool_args", "tool_calls")}

_CITED = Tree(Leaf("whole", "text", "annotations"), frozenset({"type", "file_id"}))

_LEFT_OUT = Tree(Leaf("whole", "text", "tool_result"), frozenset({"type", "id", "index"}))

_CHAT: Spec = {
    **dict.fromkeys(("id", "object", "created", "model", "usage", "service_tier"), META),
    **dict.fromkeys(("system_fingerprint", "provider", "x_groq", "timings", "p"), META),
    **dict.fromkeys(("prompt_filter_results", "moderation", "metadata", "request_id"), META),
    "choices": [
        {
            **dict.fromkeys(("index", "content_filter_results", "content_filter_offsets"), META),
            "logprobs": ABOUT,
            "token_ids": ABOUT,
            **dict.fromkeys(("finish_reason", "native_finish_reason", "stop_reason"), END),
            "message": {
                "role": META,
                "content": Leaf("delta", "text", "content"),
                "refusal": Leaf("delta", "refusal", "refusal"),
                "reasoning_content": Leaf("delta", "thinking", "reasoning_content"),
                "reasoning": Leaf("delta", "thinking", "reasoning"),
                "reasoning_details": [
                    {
                        **dict.fromkeys(("type", "id", "index", "format"), META),
                        **dict.fromkeys(("signature", "data"), META),
                        "text": Leaf("whole", "thinking", "reasoning_details"),
                        "summary": Leaf("whole", "thinking", "reasoning_details"),
                    }
                ],
                "annotations": [_CITED],
                "executed_tools": [_LEFT_OUT],
                "audio": {
                    **dict.fromkeys(("id", "data", "expires_at"), META),
                    "transcript": Leaf("delta", "text", "transcript"),
                },
                "function_call": {
                    "name": META,
                    "arguments": Leaf("delta", "tool_args", "function_call"),
                },
                "tool_calls": [
                    {
                        **dict.fromkeys(("id", "type", "index"), META),
                        "function": _ARGUMENTS,
                        "custom": {
                            "name": META,
                            "input": Leaf("delta", "tool_args", "tool_calls"),
                        },
                    }
                ],
            },
        }
    ],
}

_COMPLETION: Spec = {
    **dict.fromkeys(("id", "object", "created", "model", "usage", "service_tier"), META),
    **dict.fromkeys(("system_fingerprint", "provider", "prompt_filter_results"), META),
    "choices": [
        {
            **dict.fromkeys(("index", "content_filter_results", "content_filter_offsets"), META),
            "text": Leaf("delta", "text", "text"),
            "logprobs": ABOUT,
            "token_ids": ABOUT,
            **dict.fromkeys(("finish_reason", "stop_reason"), END),
        }
    ],
}


class Body(SpecAdapter):
    """The base of adapters for whole answers; what the guard adds is put in by `completed`."""

    repeats = True

    def __init__(self, *, unknown: Any = "refuse") -> None:
        super().__init__(unknown=unknown)
        self.messages: dict[int, str] = {}
        self.reasons: dict[int, FinishReason] = {}

    def extra(self, chunk: Any, slot: Slot, text: str, said: Said) -> Sequence[Any]:  # noqa: ARG002
        """Remember a message for a choice: it is put in later, as the body is one chunk."""
        self.messages[slot.choice] = self.messages.get(slot.choice, "") + text
        return []

    def end(self, chunk: Any, choice: int, reason: FinishReason, said: Said) -> Sequence[Any]:  # noqa: ARG002
        """Remember why a choice ends."""
        self.reasons[choice] = reason
        return []

    def completed(self, body: dict[str, Any]) -> dict[str, Any]:
        """Return the body with the messages and reasons that were remembered."""
        raise NotImplementedError


class ChatBody(Body):
    """`chat.completion`: https://platform.openai.com/docs/api-reference/chat/object."""

    name = "openai_chat"
    spec: ClassVar[Spec] = _CHAT
    text_field = ("message", "content")

    def slot(self, leaf: Leaf, event: Mapping[str, Any], path: Path) -> Slot:
        choice = _index(event["choices"][path[0]], path[0])
        return Slot(choice, leaf.channel, leaf.field, path[1] if len(path) > 1 else 0)

    def meaning(self, chunk: Any, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:  # noqa: ARG002
        choices = [_index(choice, at) for at, choice in enumerate(event.get("choices") or ())]
        return Reading(
            pieces,
            choices,
            dict.fromkeys(choices, "stop"),
            calls=self._calls(event),
            usage=event.get("usage"),
        )

    def completed(self, body: dict[str, Any]) -> dict[str, Any]:
        choices = []
        for at, choice in enumerate(body["choices"]):
            index = _index(choice, at)
            changed = choice
            if index in self.reasons:
                changed = replaced(changed, {"finish_reason": self.reasons[index]})
            if index in self.messages:
                changed = self._with_text(changed, self.messages[index])
            choices.append(changed)
        return replaced(body, {"choices": choices})  # type: ignore[no-any-return]

    def _with_text(self, choice: Any, text: str) -> Any:
        holder = fields_of(choice)["message"]
        content = fields_of(holder).get("content") or ""
        return replaced(choice, {"message": replaced(holder, {"content": content + text})})

    def _calls(self, event: Mapping[str, Any]) -> Mapping[Slot, Call]:
        found = {}
        for at, choice in enumerate(event.get("choices") or ()):
            message = fields_of(fields_of(choice).get("message"))
            for place, call in enumerate(message.get("tool_calls") or ()):
                values = fields_of(call)
                tool = fields_of(values.get("function") or values.get("custom"))
                slot = Slot(_index(choice, at), "tool_args", "tool_calls", place)
                found[slot] = Call(tool.get("name") or "", values.get("id"))
        return found


class CompletionBody(ChatBody):
    """`text_completion`: https://platform.openai.com/docs/api-reference/completions/object."""

    name = "openai_completions"
    spec: ClassVar[Spec] = _COMPLETION

    def _with_text(self, choice: Any, text: str) -> Any:
        return replaced(choice, {"text": (fields_of(choice).get("text") or "") + text})


class MessageBody(Body):
    """Anthropic's message: https://docs.anthropic.com/en/api/messages."""

    name = "anthropic"
    spec: ClassVar[Spec] = message_spec("delta")

    def slot(self, leaf: Leaf, event: Mapping[str, Any], path: Path) -> Slot:
        number = path[0] if path else 0
        if leaf.field == "text":  # consecutive text blocks are one text, as in the stream
            content = event["content"]
            while number and fields_of(content[number - 1]).get("type") == "text":
                number -= 1
        return Slot(0, leaf.channel, leaf.field, number)

    def meaning(self, chunk: Any, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:  # noqa: ARG002
        calls = {}
        for number, block in enumerate(event.get("content") or ()):
            fields = fields_of(block)
            if "input" in fields and fields.get("name"):
                slot = Slot(0, "tool_args", "input", number)
                calls[slot] = Call(fields["name"], fields.get("id"))
        return Reading(pieces, (0,), {0: "stop"}, calls=calls, usage=event.get("usage"))

    def completed(self, body: dict[str, Any]) -> dict[str, Any]:
        updates: dict[str, Any] = {}
        if 0 in self.reasons:
            stops = {"content_filter": "refusal", "length": "max_tokens"}
            updates["stop_reason"] = stops.get(self.reasons[0], "end_turn")
        if 0 in self.messages:
            block = {"type": "text", "text": self.messages[0]}
            updates["content"] = [*(body.get("content") or ()), block]
        return {**body, **updates}


BODIES: dict[str, type[Body]] = {
    "openai_chat": ChatBody,
    "openai_completions": CompletionBody,
    "anthropic": MessageBody,
}
"""The whole answers that are known, by the name of their stream's adapter."""


def _index(choice: Any, place: int) -> int:
    index = fields_of(choice).get("index")
    return place if index is None else index


__all__ = ["BODIES", "Body", "ChatBody", "CompletionBody", "MessageBody"]
