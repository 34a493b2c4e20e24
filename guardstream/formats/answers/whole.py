"""Adapters for whole answers, which are guarded as their streams would be.

A body is one chunk in which every choice begins and ends. The part after a block or a limit is left
out, and the finish reason says why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from guardstream.events import FinishReason
from guardstream.formats.adapter import Call, Kind, Piece, Reading, Released, Slot, Unknown
from guardstream.formats.openai.chat import BESIDE
from guardstream.formats.openai.responses import CALLS, finish_of
from guardstream.formats.openai.responses_end import is_call, status_of_cut
from guardstream.formats.openai.responses_names import DETAILS
from guardstream.formats.spec import Leaf, Path, SpecAdapter
from guardstream.formats.toolkit.fields import fields_of, index_in
from guardstream.formats.toolkit.files import spec_of
from guardstream.formats.toolkit.parsed import is_json
from guardstream.formats.toolkit.paths import rebuilt
from guardstream.formats.toolkit.reasons import reason_of
from guardstream.lazy import LazyMapping

SAID: dict[str, Any] = {}
"""A placeholder for a message that is inserted into the body later: it counts as a chunk."""

_APART = ("aside", "unknown", "name", "mark")
"""Kinds of pieces that are not part of the answer's text; a whole answer keeps these kinds."""

_THINKING_FIRST = ("thinking", "refusal", "text", "tool_args")


class Body(SpecAdapter):
    """The base of adapters for whole answers; `completed` inserts the ends that the guard adds.

    `messages` and `reasons` are the messages and the finish reasons that the guard adds, by choice.
    """

    repeats = False
    leaves_out_calls = True

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> type[Body]:  # noqa: ARG003
        """Return the adapter of a body, if the answers of an API have several shapes."""
        return cls

    def __init__(self, *, unknown: Unknown = "guard") -> None:
        super().__init__(unknown=unknown)
        self.messages: dict[int, str] = {}
        self.reasons: dict[int, FinishReason] = {}
        self._finished: Mapping[int, FinishReason] = {}  # by the body itself

    def read(self, chunk: Any) -> Reading:
        """Find the text in a body, in the order in which a stream would send it."""
        reading = super().read(chunk)
        self._finished = reading.finished
        return reading._replace(pieces=[reading.pieces[at] for at in self._order(reading.pieces)])

    def pieces(self, chunk: Any, event: Mapping[str, Any]) -> list[Piece]:
        found = self.placed(event, super().pieces(chunk, event))
        last = {piece.slot: place for place, piece in enumerate(found)}
        return [
            piece._replace(kind=self._kind(piece, last=last[piece.slot] == place))
            for place, piece in enumerate(found)
        ]

    def placed(self, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Sequence[Piece]:
        """Return the pieces of a body in their slots."""
        return pieces

    def _kind(self, piece: Piece, *, last: bool) -> Kind:
        """Return the kind of a piece: nothing is a copy, because nothing was streamed before."""
        if piece.kind != "delta":
            return piece.kind if piece.kind in _APART else "whole"
        return "last" if last else "delta"

    def _order(self, pieces: Sequence[Piece]) -> Sequence[int]:
        """Return the indices of pieces in the order in which a stream would send them."""
        return range(len(pieces))

    def write(self, chunk: Any, texts: Sequence[str], *, ends: bool = True) -> Any:
        """Return the body with `texts` in place of its own; a body always goes out."""
        event = fields_of(chunk)
        placed = dict(zip(self._order(self.pieces(chunk, event)), texts, strict=True))
        read = self._read(chunk, event)
        rest = [placed[at] for at in range(len(placed))]
        updates = self._updates(read, rest, ends=ends, apart=False)
        return rebuilt(chunk, updates)

    @staticmethod
    def without(value: Any) -> None:
        """Return nothing: values that spell out the text are always removed from a body."""

    def silent(self, body: dict[str, Any]) -> dict[str, Any]:
        """Return a body without text."""
        count = len(self.pieces(body, body))
        said: dict[str, Any] = self.write(body, [""] * count, ends=False)
        return said

    def extra(self, chunk: Any, slot: Slot, text: str, released: Released) -> Sequence[Any]:
        """Record a message for a choice; it is inserted later, because the body is one chunk."""
        self.messages[slot.choice] = self.messages.get(slot.choice, "") + text
        return [SAID]

    def end(
        self, chunk: Any, choice: int, reason: FinishReason, released: Released
    ) -> Sequence[Any]:
        """Record the finish reason of a choice."""
        self.reasons[choice] = reason
        return []

    def new_reason(self, choice: int) -> FinishReason | None:
        """Return the recorded finish reason of a choice; None if the body has the same one."""
        reason = self.reasons.get(choice)
        return None if reason == self._finished.get(choice) else reason

    def completed(self, body: dict[str, Any], source: dict[str, Any]) -> dict[str, Any]:
        """Return a guarded body with the recorded messages and reasons.

        Everything after the end of a choice is removed, not left empty.
        """
        raise NotImplementedError


class ChatBody(Body):
    """`chat.completion`: https://platform.openai.com/docs/api-reference/chat/object."""

    name = "openai_chat"
    spec = spec_of("openai_chat", "answer")
    scope = 1
    signs_thinking = False

    def _order(self, pieces: Sequence[Piece]) -> Sequence[int]:
        return thinking_first(pieces)

    def _kind(self, piece: Piece, *, last: bool) -> Kind:
        return piece.kind if piece.kind == "delta" or piece.kind in _APART else "whole"

    def slot(self, leaf: Leaf, event: Mapping[str, Any], path: Path) -> Slot:
        if not path or leaf.field.startswith(BESIDE):
            return Slot(0, leaf.channel, leaf.field)
        choice = index_in(event["choices"][path[0]], path[0])
        apart = len(path) > 1 and leaf.field != "thinking_blocks"
        return Slot(choice, leaf.channel, leaf.field, path[1] if apart else 0)

    def meaning(self, chunk: Any, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        finished: dict[int, FinishReason] = {}
        for at, choice in enumerate(event.get("choices") or ()):
            reason = str(fields_of(choice).get("finish_reason"))
            finished[index_in(choice, at)] = reason_of(reason)
        usage = event.get("usage")
        return Reading(pieces, tuple(finished), finished, calls=_chat_calls(event), usage=usage)

    def completed(self, body: dict[str, Any], source: dict[str, Any]) -> dict[str, Any]:
        choices = []
        for at, (choice, before) in enumerate(zip(body["choices"], source["choices"], strict=True)):
            index = index_in(choice, at)
            changed = {**choice, "finish_reason": before.get("finish_reason")}
            reason = self.reasons.get(index, "tool_calls")
            if reason != "tool_calls":  # the guard ends no choice with it
                changed = self._cut({**changed, "finish_reason": reason}, before)
            if index in self.messages:
                changed = self._with_text(changed, self.messages[index])
            choices.append(changed)
        return {**body, "choices": choices}

    def _cut(self, choice: dict[str, Any], source: Mapping[str, Any]) -> dict[str, Any]:
        """Return a choice that ends early, without calls that are cut: calls are whole here."""
        message = dict(choice.get("message") or {})
        calls = message.get("tool_calls") or []
        before = fields_of(source.get("message")).get("tool_calls") or []
        kept = [call for call, own in zip(calls, before, strict=False) if _is_whole(call, own)]
        if len(kept) < len(calls):
            message["tool_calls"] = kept or None
        called = message.get("function_call")
        if called and not is_json(called.get("arguments")):
            message["function_call"] = None
        if message.get("audio"):
            message["audio"] = None  # it speaks the whole transcript
        return {**choice, "message": message}

    def _with_text(self, choice: dict[str, Any], text: str) -> dict[str, Any]:
        message = choice.get("message") or {}
        content = message.get("content") or ""
        said = (
            [*content, {"type": "text", "text": text}]
            if isinstance(content, list)
            else content + text
        )
        return {**choice, "message": {**message, "content": said}}


class MessageBody(Body):
    """Anthropic's message: https://docs.anthropic.com/en/api/messages."""

    name = "anthropic"
    spec = spec_of("anthropic", "answer")

    def slot(self, leaf: Leaf, event: Mapping[str, Any], path: Path) -> Slot:
        number = path[0] if path else 0
        if leaf.field == "text":  # consecutive text blocks are one text, as in the stream
            content = event["content"]
            while number and fields_of(content[number - 1]).get("type") == "text":
                number -= 1
        return Slot(0, leaf.channel, leaf.field, number)

    def meaning(self, chunk: Any, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        calls = {}
        for number, block in enumerate(event.get("content") or ()):
            fields = fields_of(block)
            if "input" in fields and fields.get("name"):
                slot = Slot(0, "tool_args", "input", number)
                calls[slot] = Call(fields["name"], fields.get("id"))
        reason = reason_of(str(event.get("stop_reason")))
        return Reading(pieces, (0,), {0: reason}, calls=calls, usage=event.get("usage"))

    def completed(self, body: dict[str, Any], source: dict[str, Any]) -> dict[str, Any]:
        stops = {"content_filter": "refusal", "length": "max_tokens"}
        content = body.get("content")
        content = said_in(content) if isinstance(content, list) else []
        if 0 in self.messages:
            content = _with_block(content, self.messages[0])
        reason = stops.get(self.reasons[0], "end_turn")
        return {**body, "content": content, "stop_reason": reason, "stop_sequence": None}


class ResponseBody(Body):
    """`response`: https://platform.openai.com/docs/api-reference/responses/object."""

    name = "openai_responses"
    spec = spec_of("openai_responses", "answer")

    def slot(self, leaf: Leaf, event: Mapping[str, Any], path: Path) -> Slot:
        output, part = (*path, 0, 0)[:2]
        if leaf.field == "text":  # consecutive messages are one text, as in the stream
            part = 0
            while output and _type(event["output"][output - 1]) == "message":
                output -= 1
        return Slot(0, leaf.channel, leaf.field, output * 1000 + part)

    def meaning(self, chunk: Any, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        calls = {}
        for number, item in enumerate(event.get("output") or ()):
            field = CALLS.get(_type(item))
            if field is not None:
                kind, given = _type(item), item.get("call_id") or item.get("id")
                name = item.get("name") or kind.removesuffix("_call")
                slot = Slot(0, "tool_args", field, number * 1000)
                calls[slot] = Call(name, given, is_text=kind == "custom_tool_call")
        finished = {0: finish_of(event)}
        return Reading(pieces, (0,), finished, calls=calls, usage=event.get("usage"))

    def completed(self, body: dict[str, Any], source: dict[str, Any]) -> dict[str, Any]:
        reason = self.reasons[0]
        output = _without_cut_call(said_in(body.get("output") or ()), source.get("output", ()))
        if 0 in self.messages:
            part = {"type": "output_text", "text": self.messages[0], "annotations": []}
            message = {"id": f"msg_guard_{len(output)}", "type": "message", "role": "assistant"}
            output = [*output, {**message, "status": "completed", "content": [part]}]
        if reason == "stop":
            return {**body, "output": output}
        why = {"reason": DETAILS.get(reason)}
        return {**body, "output": output, "status": "incomplete", "incomplete_details": why}


def _without_cut_call(output: list[Any], source: Sequence[Any]) -> list[Any]:
    """Return output items; a call at the end is marked as incomplete if it was cut, because a
    client would run it."""
    if not output or not is_call(output[-1]) or output[-1] == source[len(output) - 1]:
        return output
    return [*output[:-1], {**output[-1], "status": status_of_cut(output[-1])}]


_SPECS = "guardstream.formats.answers.specs"
_PLAIN = "guardstream.formats.answers.plain"


def _described(*names: str) -> dict[str, str]:
    """Return where the adapters of answers are that only a file describes."""
    return {name: f"guardstream.formats.answers.described:body_of:{name}" for name in names}


BODIES: Mapping[str, type[Body]] = LazyMapping(
    {
        "openai_chat": f"{__name__}:ChatBody",
        **_described("openai_completions"),
        "openai_responses": f"{__name__}:ResponseBody",
        "anthropic": f"{__name__}:MessageBody",
        "gemini": f"{_SPECS}:GeminiBody",
        "ollama": f"{_PLAIN}:OllamaBody",
        **_described("bedrock", "cohere", "dashscope"),
        "a2a": f"{_SPECS}:A2ABody",
        "mcp": f"{_SPECS}:MCPBody",
        "interactions": f"{_SPECS}:InteractionsBody",
        **dict.fromkeys(("tgi", "sglang"), f"{_PLAIN}:GenerateBody"),
        **_described("anthropic_completions", "llama_cpp", "cohere_v1", "watsonx"),
        **_described("bedrock_llama", "bedrock_mistral", "bedrock_titan"),
        "bedrock_invoke": f"{_PLAIN}:InvokeBody",
    }
)
"""The adapters of whole answers, by the name of their stream's adapter."""


def thinking_first(pieces: Sequence[Piece]) -> Sequence[int]:
    """Return the indices of pieces, sorted by choice and then by channel in the order of a stream,
    because a body may have them in any order."""
    ranks = {channel: rank for rank, channel in enumerate(_THINKING_FIRST)}
    slots = [piece.slot for piece in pieces]
    return sorted(
        range(len(slots)), key=lambda at: (slots[at].choice, ranks.get(slots[at].channel, 2))
    )


def _type(item: Any) -> str:
    return str(fields_of(item).get("type"))


def _chat_calls(event: Mapping[str, Any]) -> Mapping[Slot, Call]:
    found = {}
    for at, choice in enumerate(event.get("choices") or ()):
        message = fields_of(fields_of(choice).get("message"))
        for place, call in enumerate(message.get("tool_calls") or ()):
            values = fields_of(call)
            tool = fields_of(values.get("function") or values.get("custom"))
            slot = Slot(index_in(choice, at), "tool_args", "tool_calls", place)
            is_text = bool(values.get("custom"))
            found[slot] = Call(tool.get("name") or "", values.get("id"), is_text=is_text)
        called = fields_of(message.get("function_call"))
        if called.get("name"):
            found[Slot(index_in(choice, at), "tool_args", "function_call")] = Call(called["name"])
    return found


def _is_whole(call: Mapping[str, Any], source: Mapping[str, Any]) -> bool:
    """Return whether a call was not cut; for free text, only the source shows that."""
    if call.get("custom"):
        return bool(call == source)
    return is_json(fields_of(call.get("function")).get("arguments"))


_SPOKEN = (
    *("text", "thinking", "refusal", "name", "input", "content", "summary", "arguments", "code"),
    "action",
    *("operation", "queries", "results", "output", "outputs", "result", "tools", "error"),
)
"""Fields of blocks and items that contain text."""

_MARKS = ("type", "id", "file_id", "status", "encrypted_content", "encrypted_index", "page_age")


def said_in(blocks: Sequence[Any]) -> list[Any]:
    """Return the blocks up to the last one with text; the others come after the end."""
    last = 0
    for number, block in enumerate(blocks, 1):
        if any(_says(block.get(name)) for name in _SPOKEN):
            last = number
    return list(blocks[:last])


def _says(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_says(inner) for name, inner in value.items() if name not in _MARKS)
    if isinstance(value, list):
        return any(_says(inner) for inner in value)
    return isinstance(value, str) and bool(value)


def _with_block(content: list[Any], text: str) -> list[Any]:
    """Return content with a text appended, to its last block if that is text."""
    if content and _type(content[-1]) == "text":
        return [*content[:-1], {**content[-1], "text": content[-1]["text"] + text}]
    return [*content, {"type": "text", "text": text}]
