"""The tool calls of chat-completion chunks, and chunks reduced to a single text or reason."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from guardstream.errors import AdapterError
from guardstream.providers.adapter import Call, Slot
from guardstream.providers.openai.chat_chunk_spec import ASIDE
from guardstream.providers.toolkit.fields import fields_of, index_in, only, replaced
from guardstream.providers.toolkit.reused import Reused

PART_TEXT = {
    "text": "text",
    "thinking": "thinking",
    "reasoning.text": "thinking",
    "reasoning.summary": "thinking",
}
"""Channels of the typed parts of Mistral's content lists and OpenRouter's reasoning details."""

PART_FIELDS = ("text", "thinking", "summary")

_AGAIN = ("__verbose",)
"""Fields of a chunk itself that repeat its text (llama.cpp)."""


class Calls:
    """The tool calls of a stream of chunks, and those in the last chunk.

    A call's number is its index, or a negative one if an earlier call has the index. `begun` are
    the calls that begin in the chunk: a name comes once, with a call's first piece. `over` are the
    slots of calls whose index another call takes; it is empty unless `by_id`.
    """

    def __init__(self, *, by_id: bool) -> None:
        self.begun: dict[Slot, Call] = {}
        self.over: list[Slot] = []
        self._reused = Reused() if by_id else None
        self._numbers: dict[tuple[int, int], int] = {}  # of calls with a taken index
        self._indices: dict[int, int] = {}
        self._placed: dict[tuple[int, int], int] = {}

    def read(self, choices: Sequence[Any]) -> None:
        """Take the calls of the next chunk."""
        self.begun, self.over, self._placed = {}, [], {}
        for at, choice in enumerate(choices):
            delta = fields_of(fields_of(choice).get("delta"))
            for place, call in enumerate(delta.get("tool_calls") or ()):
                self._placed[at, place] = self._read_call(index_in(choice), call, place)
            name = fields_of(delta.get("function_call")).get("name")
            if name:
                self.begun[Slot(index_in(choice), "tool_args", "function_call")] = Call(name)

    def _read_call(self, choice: int, call: Any, place: int) -> int:
        fields, index = fields_of(call), index_in(call, place)
        said = fields_of(fields.get("function") or fields.get("custom"))
        name, given = said.get("name"), fields.get("id")
        text = said.get("arguments", said.get("input"))
        if self._reused and self._reused.take((choice, index), name, given, text):
            self.over.append(self._slot(choice, index))
            number = self._numbers[choice, index] = -1 - len(self._indices)
            self._indices[number] = index
        slot = self._slot(choice, index)
        if name:
            self.begun[slot] = Call(name, given, is_text=bool(fields.get("custom")))
        return slot.number

    def _slot(self, choice: int, index: int) -> Slot:
        number = self._numbers.get((choice, index), index)
        return Slot(choice, "tool_args", "tool_calls", number)

    def number(self, at: int, place: int, call: Any) -> int:
        """Return the number of the call at `place` in the choice at position `at` of the chunk."""
        return self._placed.get((at, place), index_in(call, place))

    def index(self, number: int) -> int:
        """Return the index of the call that has a number."""
        return self._indices.get(number, number)


def only_arguments(calls: Sequence[Any], index: int, text: str) -> Any:
    for place, call in enumerate(calls):
        fields = fields_of(call)
        if index_in(call, place) == index:
            name = "function" if fields.get("function") else "custom"
            key = "arguments" if name == "function" else "input"
            return only(call, {"index": index, name: only(fields[name], {key: text})})
    raise AdapterError(f"no tool call {index} in the chunk")


def only_part(parts: Sequence[Any], slot: Slot, text: str) -> Any:
    """Return a list of the last part of the slot's channel, with only `text`; `text` if none."""
    for part in reversed(parts):
        fields = fields_of(part)
        name = next((name for name in PART_FIELDS if fields.get(name)), None)
        if name is None or PART_TEXT.get(fields.get("type", "")) != slot.channel:
            continue
        value: Any = text
        if not isinstance(fields[name], str):
            value = [replaced(fields[name][-1], {"text": text})]
        blank = {key: None for key in ("data", "signature") if fields.get(key)}
        return [replaced(part, {**blank, name: value})]
    if slot.channel == "text":
        return text
    raise AdapterError(f"no part of channel {slot.channel!r} in the chunk")


def choice_of(chunk: Any, index: int) -> Any:
    return next(choice for choice in fields_of(chunk)["choices"] if index_in(choice, 0) == index)


def bare(chunk: Any, choice: Any, delta: Any, reason: str | None, said: str = "") -> Any:
    """Return a chunk like `chunk` with this one choice, which has only `delta`.

    `said` is its answer's text, for servers that repeat it beside the delta.
    """
    values = fields_of(choice)
    keep = {"index", "delta", "finish_reason", "logprobs"}
    blank = {name: None for name in values if name not in ("index", "delta")}
    if isinstance(choice, dict):
        blank = {name: None for name in blank if name in keep}
    updates = {**blank, "index": index_in(choice, 0), "delta": delta, "finish_reason": reason}
    if isinstance(values.get("text"), str):
        updates["text"] = said
    new = only(choice, updates)
    given = fields_of(chunk)
    others = {name: None for name in ("usage", *ASIDE, *_AGAIN) if given.get(name) is not None}
    if fields_of(given.get("x_groq")).get("debug") is not None:
        others["x_groq"] = replaced(given["x_groq"], {"debug": None})
    written = replaced(chunk, {"choices": [new], **others})
    if type(written) is not dict:
        return written
    # Mistral's clients know these fields with a value, or not at all.
    return {name: value for name, value in written.items() if name not in others or value}
