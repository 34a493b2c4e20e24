"""OpenAI chat-completion chunks, as objects of the `openai` package or as plain dicts.

Text is guarded wherever the format and its compatible servers put it: content, refusal, reasoning,
the arguments of each tool call. Known metadata passes; any other field that holds text is refused.
The format: https://platform.openai.com/docs/api-reference/chat-streaming/streaming. Objects are
duck-typed (pydantic models or any object with attributes); they are copied, never changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from guardstream.errors import AdapterError
from guardstream.events import FinishReason
from guardstream.providers import litellm
from guardstream.providers.adapter import Kind, Piece, Reading, Said, Slot, Unknown
from guardstream.providers.fields import (
    fields_of,
    has_text,
    map_strings,
    only,
    replaced,
    same_or,
    spelled,
)
from guardstream.providers.openai.chat_chunks import (
    ARGUMENTS,
    ASIDE,
    PART_FIELDS,
    PART_TEXT,
    bare,
    calls_in,
    choice_of,
    only_arguments,
    only_part,
    says,
)

Visit: TypeAlias = Callable[[str, str, int, str], str]
"""Called with channel, field, index and text of each piece in order; returns what replaces it."""

_TEXT = {
    "content": "text",
    "refusal": "refusal",
    "reasoning_content": "thinking",  # DeepSeek, vLLM
    "reasoning": "thinking",  # OpenRouter, Groq, newer vLLM
}

_WHOLE = frozenset({"executed_tools", "error", "annotations", *litellm.REPEATS[1:]})
"""Fields whose strings come whole, each a text of its own: Groq's tool results, an error event."""

_PART_META = frozenset({"type", "id", "index", "format", "signature", "data"})

_CALL_META = frozenset({"id", "type", "index", "function", "custom"})

_DELTA_META = frozenset({"role", "channel", "tool_call_id", "images"})

_CHOICE_META = frozenset(
    {"index", "delta", "message", "finish_reason", "native_finish_reason", "stop_reason"}
    | {"logprobs", "token_ids", "content_filter_results", "content_filter_offsets"}
)

_ABOUT_TEXT = ("logprobs", "token_ids")
"""Choice fields that spell out the text once more."""

_END = ("finish_reason", "native_finish_reason", "stop_reason")

_ASIDE = frozenset(ASIDE)

_AUDIO = frozenset({"id", "data", "transcript", "expires_at"})

_CHUNK_META = frozenset(
    {"id", "object", "created", "model", "choices", "usage", "service_tier", "system_fingerprint"}
    | {"obfuscation", "p"}  # random padding (OpenAI, Mistral)
    | {"provider", "x_groq", "sla_metrics", "prompt_filter_results", "moderation", "timings"}
    | set(ASIDE)
)

REASONS: dict[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
    "error": "error",
}
"""Finish reasons, in the guard's terms."""


class OpenAIChat:
    """The adapter for chat-completion chunks.

    `unknown="pass"` lets fields through that may hold text this adapter does not know.
    """

    name = "openai_chat"
    repeats = False
    sse_end = "[DONE]"

    def __init__(self, *, unknown: Unknown = "refuse") -> None:
        self._unknown = unknown

    @staticmethod
    def accepts(chunk: object) -> bool:
        """Tell whether `chunk` looks like a chat-completion chunk."""
        if isinstance(chunk, (str, bytes)):
            return False
        fields = fields_of(chunk)
        choices = fields.get("choices")
        if not isinstance(choices, list):
            return False
        if not choices:
            return fields.get("object") in ("chat.completion.chunk", "", None)
        return all("delta" in fields_of(choice) for choice in choices)

    def read(self, chunk: Any) -> Reading:
        """Find the text in every choice of `chunk`."""
        fields = fields_of(chunk)
        choices = fields.get("choices")
        if not isinstance(choices, list):
            if isinstance(chunk, dict) and chunk.keys() == {"error"}:
                return Reading(self._pieces(0, {"delta": chunk}), (), {}, failed=True)
            raise AdapterError("an event without choices: not a chat-completion chunk")
        self._check("chunk", fields, _CHUNK_META)
        pieces: list[Piece] = []
        indices: list[int] = []
        finished: dict[int, FinishReason] = {}
        for choice in choices:
            values = fields_of(choice)
            index = values.get("index") or 0
            indices.append(index)
            self._check("choice", values, _CHOICE_META)
            pieces += self._pieces(index, values)
            reason = values.get("finish_reason")
            if reason:
                finished[index] = REASONS.get(reason, "stop")
        if not _ASIDE.isdisjoint(fields):
            pieces += _pieces_aside(fields)
        usage = fields.get("usage")
        closed = litellm.signed(choices)
        return Reading(
            pieces, indices, finished, closed=closed, calls=calls_in(choices), usage=usage
        )

    def write(self, chunk: Any, texts: Sequence[str], *, ends: bool = True) -> Any | None:
        """Return `chunk` with `texts` in place of its own, or None if nothing is left to say."""
        rest = iter(texts)
        if isinstance(chunk, dict) and chunk.keys() == {"error"}:
            return self._map_delta(chunk, lambda *_: next(rest))
        choices = []
        for choice in fields_of(chunk)["choices"]:
            written = self._write_choice(choice, rest, ends=ends)
            if written is not None:
                choices.append(written)
        if not choices and not fields_of(chunk).get("usage"):
            return None
        fields = fields_of(chunk)
        aside = {name: map_strings(fields[name], lambda _: next(rest)) for name in _aside(fields)}
        return replaced(chunk, {"choices": choices, **aside})

    def extra(self, chunk: Any, slot: Slot, text: str, said: Said) -> Sequence[Any]:  # noqa: ARG002
        """Return a chunk that says only `text`, in the place where `chunk` has `slot`."""
        choice = choice_of(chunk, slot.choice)
        delta = fields_of(choice).get("delta") or {}
        value: Any = fields_of(delta).get(slot.field)
        if slot.field == "tool_calls":
            value = [only_arguments(value, slot.number, text)]
        elif slot.field == "function_call":
            value = only(value, {"arguments": text})
        elif slot.field == "audio":
            value = only(value, {"transcript": text})
        elif isinstance(value, list):
            value = only_part(value, slot, text)
        else:
            value = text
        once_more = litellm.only_thinking(delta, text) if slot.channel == "thinking" else {}
        return [bare(chunk, choice, only(delta, {**once_more, slot.field: value}), None)]

    def end(self, chunk: Any, choice: int, reason: FinishReason, said: Said) -> Sequence[Any]:  # noqa: ARG002
        """Return a chunk with an empty delta and `reason` as the finish reason."""
        found = choice_of(chunk, choice)
        return [bare(chunk, found, only(fields_of(found).get("delta") or {}, {}), reason)]

    def _pieces(self, index: int, values: Mapping[str, Any]) -> list[Piece]:
        pieces: list[Piece] = []

        def collect(channel: str, name: str, number: int, text: str) -> str:
            slot = Slot(index, channel, name, number)
            kind: Kind = "copy" if name in _WHOLE else "delta"
            pieces.append(Piece(slot, text, kind))
            return text

        self._map_delta(values.get("delta"), collect)
        message = values.get("message")
        if message:
            self._check_copy(message, [piece.text for piece in pieces])
        if values.get("logprobs"):
            slot = Slot(index, "text", "logprobs")
            pieces += [Piece(slot, token, "aside") for token in _tokens(values)]
        return pieces

    def _check_copy(self, message: Any, texts: list[str]) -> None:
        """Refuse a `message` beside the delta unless it repeats the delta (Writer)."""
        seen: list[str] = []

        def collect(_channel: str, _name: str, _number: int, text: str) -> str:
            seen.append(text)
            return text

        self._map_delta(message, collect)
        if seen and seen != texts:
            raise AdapterError("choice field 'message' differs from the delta: cannot be guarded")

    def _write_choice(self, choice: Any, texts: Iterator[str], *, ends: bool) -> Any | None:
        used: list[str] = []

        def substitute(_channel: str, _name: str, _number: int, _text: str) -> str:
            used.append(next(texts))
            return used[-1]

        fields = fields_of(choice)
        delta = self._map_delta(fields.get("delta"), substitute)
        changed = delta is not fields.get("delta")
        tokens = _tokens(fields)
        apart = [next(texts) for _ in tokens] != tokens
        updates: dict[str, Any] = {}
        if not ends:
            updates = {name: None for name in _END if fields.get(name)}
        if not (changed or updates or apart):
            return choice
        if not (says(delta) or (ends and fields.get("finish_reason"))):
            return None
        if changed or apart:
            updates |= {name: None for name in _ABOUT_TEXT if fields.get(name)}
        if changed:
            updates["delta"] = delta
            if fields.get("message"):
                rest = iter(used)
                updates["message"] = self._map_delta(fields["message"], lambda *_: next(rest, ""))
        return replaced(choice, updates)

    def _map_delta(self, delta: Any, visit: Visit) -> Any:
        """Visit each text of a delta; return the delta itself if no text was changed."""
        if not delta:
            return delta
        updates: dict[str, Any] = {}
        fields = fields_of(delta)
        for name, value in fields.items():
            if not value or name in _DELTA_META or name in litellm.REPEATS:
                continue
            new = self._map_field(name, value, visit)
            if new is not value:
                updates[name] = new
        for name in litellm.REPEATS:
            if fields.get(name):
                new = litellm.map_field(name, fields, {**fields, **updates}, visit)
                if new is not fields[name]:
                    updates[name] = new
        return replaced(delta, updates) if updates else delta

    def _map_field(self, name: str, value: Any, visit: Visit) -> Any:
        if name in _TEXT and isinstance(value, str):
            return same_or(value, visit(_TEXT[name], name, 0, value))
        if name in ("content", "reasoning_details") and isinstance(value, list):
            return self._map_list(value, lambda part, _: self._map_part(part, name, visit))
        if name == "tool_calls" and isinstance(value, list):
            return self._map_list(value, lambda call, place: self._map_call(call, place, visit))
        if name in _WHOLE:
            return map_strings(value, lambda text: visit("text", name, 0, text))
        if name == "audio":
            return self._map_audio(value, visit)
        if name == "function_call":
            return self._map_arguments(value, "arguments", name, 0, visit)
        self._refuse("delta", name, value)
        return value

    def _map_audio(self, audio: Any, visit: Visit) -> Any:
        """Visit the transcript of what is spoken; the sound itself is no text."""
        fields = fields_of(audio)
        self._check("audio", fields, _AUDIO)
        text = fields.get("transcript")
        new = visit("text", "audio", 0, text) if text else text
        return audio if new == text else replaced(audio, {"transcript": new})

    def _map_list(self, items: list[Any], change: Callable[[Any, int], Any | None]) -> list[Any]:
        """Change each item; an item that has nothing left to say is dropped."""
        changed = [change(item, place) for place, item in enumerate(items)]
        if all(new is old for new, old in zip(changed, items, strict=True)):
            return items
        return [item for item in changed if item is not None]

    def _map_part(self, part: Any, field: str, visit: Visit) -> Any | None:
        """Visit the text of one typed part, which may be a list of parts again."""
        fields = fields_of(part)
        kind = fields.get("type")
        channel = PART_TEXT.get(kind) if isinstance(kind, str) else None
        updates: dict[str, Any] = {}
        for name, value in fields.items():
            if not value or name in _PART_META:
                continue
            if channel is None or name not in PART_FIELDS:
                self._refuse(f"{field} part", name, value)
            elif isinstance(value, str):
                new = visit(channel, field, 0, value)
                if new != value:
                    updates[name] = new
            else:
                inner = self._map_list(value, lambda item, _: self._map_inner(item, field, visit))
                if inner is not value:
                    updates[name] = inner
        if not updates:
            return part
        says = any(updates.values()) or fields.get("data") or fields.get("signature")
        return replaced(part, updates) if says else None

    def _map_inner(self, item: Any, field: str, visit: Visit) -> Any | None:
        """Visit a text part inside a thinking part (Mistral)."""
        fields = fields_of(item)
        for name, value in fields.items():
            if value and name not in _PART_META and name != "text":
                self._refuse(f"{field} part", name, value)
        text = fields.get("text")
        new = visit("thinking", field, 0, text) if text else text
        if new == text:
            return item
        return replaced(item, {"text": new}) if new else None

    def _map_call(self, call: Any, place: int, visit: Visit) -> Any | None:
        fields = fields_of(call)
        index = fields.get("index")
        index = place if index is None else index
        updates: dict[str, Any] = {}
        for name, key in (("function", "arguments"), ("custom", "input")):
            value = fields.get(name)
            if value:
                new = self._map_arguments(value, key, "tool_calls", index, visit)
                if new is not value:
                    updates[name] = new
        self._check("tool call", fields, _CALL_META | litellm.signatures(fields))
        if not updates:
            return call
        names = [fields_of(value).get("name") for value in updates.values()]
        texts = [fields_of(value).get(key) for value in updates.values() for key in ARGUMENTS]
        if not (fields.get("id") or any(names) or any(texts)):
            return None
        return replaced(call, updates)

    def _map_arguments(self, value: Any, key: str, field: str, index: int, visit: Visit) -> Any:
        fields = fields_of(value)
        self._check(field, fields, litellm.signatures(fields) | {"name", key})
        text = fields.get(key)
        if not text:
            return value
        if not isinstance(text, str):
            self._refuse(field, key, text)
            return value
        new = visit("tool_args", field, index, text)
        return value if new == text else replaced(value, {key: new})

    def _check(self, where: str, fields: Mapping[str, Any], known: frozenset[str]) -> None:
        if fields.keys() <= known:
            return
        for name in fields.keys() - known:
            self._refuse(where, name, fields[name])

    def _refuse(self, where: str, name: str, value: Any) -> None:
        if self._unknown == "refuse" and has_text(value):
            raise AdapterError(
                f"{where} field {name!r} holds text that is not known to be harmless: "
                "pass provider=OpenAIChat(unknown='pass') to let it through unguarded"
            )


def _tokens(fields: Mapping[str, Any]) -> list[str]:
    """The tokens that a choice's log probabilities spell out."""
    return list(spelled(fields.get("logprobs")))


def _aside(fields: Mapping[str, Any]) -> list[str]:
    if _ASIDE.isdisjoint(fields):
        return []
    return [name for name in ASIDE if fields.get(name)]


def _pieces_aside(fields: Mapping[str, Any]) -> list[Piece]:
    pieces: list[Piece] = []
    for name in _aside(fields):
        slot = Slot(0, "text", name)

        def collect(text: str, slot: Slot = slot) -> str:
            pieces.append(Piece(slot, text, "copy"))
            return text

        map_strings(fields[name], collect)
    return pieces
