"""OpenAI chat-completion chunks, as objects of the `openai` package or as plain dicts.

Text is guarded wherever OpenAI and compatible servers put it: content, refusal, reasoning, the
arguments of each tool call. The format:
https://platform.openai.com/docs/api-reference/chat-streaming/streaming. Objects are duck-typed
(pydantic models or any object with attributes); they are copied, never changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from guardstream.errors import AdapterError
from guardstream.events import FinishReason
from guardstream.formats.adapter import Call, Piece, Reading, Released, Slot, Unknown
from guardstream.formats.openai import litellm
from guardstream.formats.spec import UNKNOWN, Leaf, Path, SpecAdapter
from guardstream.formats.toolkit.fields import fields_of, index_in, only, replaced
from guardstream.formats.toolkit.files import spec_of
from guardstream.formats.toolkit.places import leaves
from guardstream.formats.toolkit.readers import Found
from guardstream.formats.toolkit.reasons import reason_of
from guardstream.formats.toolkit.reused import Reused

SO_FAR = Leaf("copy", "text", "content")
"""The whole answer so far, beside its new text (Perplexity)."""

TEXT = Leaf("delta", "text", "content")
"""A repetition of the delta's content (Together, Hugging Face), or its substitute."""

PADDING = frozenset({"created", "obfuscation", "p"})
"""Fields that differ from chunk to chunk: random strings, which hide how long a text is (OpenAI,
Mistral), and the time, which some servers set for each chunk."""

BESIDE = "chunk."
"""The prefix of a slot's field if its text is beside the choices."""

ASIDE = (
    *("citations", "search_results", "images", "related_questions", "error"),
    "provider_specific_fields",
)
"""Fields of a chunk itself that hold text: the sources of an answer (Perplexity), and errors."""

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


_MARKS = ("tool_calls", "function_call", "thinking_blocks")
"""Fields of a delta with more than text."""


class OpenAIChat(SpecAdapter):
    """The adapter for chat-completion chunks."""

    name = "openai_chat"
    signs_end = True
    signs_thinking = False
    spec = spec_of("openai_chat")
    repeats = False  # unless a chunk has the whole text so far
    scope = 1
    steady = True
    padding = PADDING | {"timings"}
    sse_end = "[DONE]"
    calls_by_id: ClassVar[bool] = True  # if servers give several calls the same index

    def __init__(self, *, unknown: Unknown = "guard") -> None:
        super().__init__(unknown=unknown)
        self._slots: dict[tuple[int, Leaf, int], Slot] = {}
        self._calls = Calls(by_id=self.calls_by_id)
        self._said: dict[int, str] | None = None  # the texts so far, if chunks repeat them
        self._ended: set[int] = set()  # the choices that the guard has ended

    def read(self, chunk: Any) -> Reading:
        """Find the text in `chunk`; record it if chunks also repeat the whole text so far."""
        choices = fields_of(chunk).get("choices")
        if isinstance(choices, (list, tuple)):
            self._calls.read(choices)
        reading = super().read(chunk)
        if self._said is None and self._last is not None and self._last.origins:
            self._so_far()
        if self._said is not None:
            for slot, text, kind in reading.pieces:
                if kind == "delta" and slot.field == "content" and slot.channel == "text":
                    self._said[slot.choice] = self._said.get(slot.choice, "") + text
        return reading

    def _add_pieces(self, pieces: list[Piece], found: Found, event: Mapping[str, Any]) -> None:
        """Add the pieces of a leaf; text that should repeat a delta but does not is unknown."""
        if found.leaf not in (SO_FAR, TEXT) or not (found.mirrors and isinstance(found.value, str)):
            super()._add_pieces(pieces, found, event)
            return
        slot = self.slot(found.leaf, event, found.path)
        new = fields_of(fields_of(event["choices"][found.path[0]]).get("delta")).get("content")
        if found.leaf == TEXT and not new:
            pieces.append(Piece(slot, found.value))
        elif found.leaf == SO_FAR and self._repeats(found.value, slot, new):
            pieces.append(Piece(slot, found.value, "copy"))
        else:
            unknown = found._replace(leaf=UNKNOWN)
            if self._unknowns.judged([unknown])[0].leaf is UNKNOWN:
                super()._add_pieces(pieces, unknown, event)

    def _repeats(self, value: str, slot: Slot, new: Any) -> bool:
        """Return whether a message is a choice's whole text so far, with the `new` text."""
        return value == self._so_far().get(slot.choice, "") + (new if isinstance(new, str) else "")

    def _so_far(self) -> dict[int, str]:
        """Return the text of each choice so far, recorded since chunks repeat it."""
        if self._said is None:
            self._said, self.repeats = {}, True
        return self._said

    def slot(self, leaf: Leaf, event: Mapping[str, Any], path: Path) -> Slot:
        if not path or leaf.field.startswith(BESIDE):
            return Slot(0, leaf.channel, leaf.field)
        choice = event["choices"][path[0]]
        number = 0
        if leaf.field == "tool_calls":
            call = fields_of(fields_of(choice)["delta"])["tool_calls"][path[1]]
            number = self._calls.number(path[0], path[1], call)
        key = (index_in(choice, 0), leaf, number)
        slot = self._slots.get(key)
        if slot is None:
            slot = self._slots[key] = Slot(key[0], leaf.channel, leaf.field, number)
        return slot

    def meaning(self, chunk: Any, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        choices = event.get("choices")
        if not isinstance(choices, (list, tuple)):
            return Reading(pieces, (), failed=bool(event.get("error")))
        finished: dict[int, FinishReason] = {}
        indices = []
        marked = False
        for choice in choices:
            values = fields_of(choice)
            index = index_in(values)
            indices.append(index)
            reason = values.get("finish_reason")
            if reason:
                finished[index] = reason_of(str(reason))
            said = fields_of(values.get("delta")).get
            marked = marked or any(map(said, _MARKS))
        usage = event.get("usage")
        if not marked:
            return Reading(pieces, indices, finished, usage=usage)
        closed, calls, over = litellm.signed(choices), self._calls.begun, self._calls.over
        return Reading(
            pieces, indices, finished, closed=closed, calls=calls, usage=usage, complete=over
        )

    @staticmethod
    def without(value: Any) -> None:
        """Return None for what spells out a choice's text, even for a list."""

    def write(self, chunk: Any, texts: Sequence[str], *, ends: bool = True) -> Any | None:
        """Return `chunk` with `texts`, and without choices that have ended while others go on: a
        call might begin in them."""
        written = super().write(chunk, texts, ends=ends)
        if written is None or not self._ended:
            return written
        fields = fields_of(written)
        choices = fields.get("choices") or ()
        kept = [each for each in choices if index_in(fields_of(each)) not in self._ended]
        if len(kept) == len(choices):
            return written
        return replaced(written, {"choices": kept}) if kept or fields.get("usage") else None

    def extra(self, chunk: Any, slot: Slot, text: str, released: Released) -> Sequence[Any]:
        """Return a chunk with only `text`, in the place where `chunk` has `slot`."""
        choice = choice_of(chunk, slot.choice)
        delta = fields_of(choice).get("delta") or {}
        value: Any = fields_of(delta).get(slot.field)
        if slot.field == "tool_calls":
            value = [only_arguments(value, self._calls.index(slot.number), text)]
        elif slot.field == "function_call":
            value = only(value, {"arguments": text})
        elif slot.field == "audio":
            value = only(value, {"transcript": text})
        elif isinstance(value, list):
            value = only_part(value, slot, text)
        else:
            value = text
        once_more = litellm.only_thinking(delta, text) if slot.channel == "thinking" else {}
        said_once = text if slot.channel == "text" and slot.field == "content" else ""
        new = only(delta, {**once_more, self._named(slot, fields_of(delta)): value})
        return [bare(chunk, choice, new, None, said_once)]

    def _named(self, slot: Slot, delta: Mapping[str, Any]) -> str:
        """Return the name of the field of `delta` that has a slot's text; a policy may have
        described one of its own."""
        if slot.field in delta:
            return slot.field
        own = ((steps[-1], leaf) for steps, leaf in leaves(self.spec))
        names = (n for n, leaf in own if leaf[:3] == ("delta", slot.channel, slot.field))
        return next((str(name) for name in names if name in delta), slot.field)

    def end(
        self, chunk: Any, choice: int, reason: FinishReason, released: Released
    ) -> Sequence[Any]:
        """Return a chunk with an empty delta and `reason` as the finish reason."""
        self._ended.add(choice)
        found = choice_of(chunk, choice)
        return [bare(chunk, found, only(fields_of(found).get("delta") or {}, {}), reason)]
