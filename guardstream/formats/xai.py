"""The streams of xAI over gRPC: what `chat.stream()` of the `xai-sdk` package gives.

https://docs.x.ai/docs/guides/streaming-response. A chunk has outputs: with tools that xAI runs, one
for each turn of the model and each tool; with several answers, one for each of them. The package
yields pairs: the response so far, which it keeps extending, and the chunk.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

from guardstream.errors import AdapterError
from guardstream.events import FinishReason
from guardstream.formats.adapter import Call, Piece, Reading, Released, Slot, Unknown
from guardstream.formats.detection.shapes import xai_message
from guardstream.formats.spec import (
    Leaf,
    Path,
    SpecAdapter,
)
from guardstream.formats.toolkit.fields import fields_of, replaced
from guardstream.formats.toolkit.files import spec_of
from guardstream.formats.toolkit.objects import (
    Event,
    Objects,
    message_json,
    message_like,
)
from guardstream.formats.toolkit.protobuf import is_message, known_alone
from guardstream.formats.toolkit.reasons import reason_of

_BESIDE = frozenset({"chunk.citations", "file", "request"})
"""Fields of slots that belong to no output."""

_FIELDS = {"content": "text", "reasoning_content": "thinking"}
"""Channels by fields."""

_CALLS = 1000
"""The most calls of an output in a chunk."""


_ENDS = {"length": "REASON_MAX_LEN", "tool_calls": "REASON_TOOL_CALLS"}


class Chunks(SpecAdapter):
    """Reads chunks as JSON with the names of their fields.

    An output is a choice of its own if `answers` is set, and otherwise a text of one answer.
    """

    name = "xai"
    spec = spec_of("xai")
    repeats = True
    signs_thinking = False

    def __init__(self, *, unknown: Unknown = "guard") -> None:
        super().__init__(unknown=unknown)
        self.answers = False
        self._latest = 0  # the index of the last output
        self._calls = 0

    def slot(self, leaf: Leaf, event: Mapping[str, Any], path: Path) -> Slot:
        if leaf.field in _BESIDE:
            return Slot(0, leaf.channel, leaf.field)
        index = event["outputs"][path[0]].get("index", 0)
        number = 0 if self.answers else index
        if leaf.channel == "tool_args":
            number = path[0] * _CALLS + path[1]
        return Slot(self._choice(index), leaf.channel, leaf.field, number)

    def _choice(self, index: int) -> int:
        return index if self.answers else 0

    def _ends(self, index: int) -> Sequence[Slot]:
        """Return the slots of an output's streamed texts."""
        number = 0 if self.answers else index
        return [
            Slot(self._choice(index), channel, field, number)
            for field, channel in (*_FIELDS.items(), ("tool_output", "text"))
        ]

    def meaning(self, chunk: Any, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        finished: dict[int, FinishReason] = {}
        closed: list[Slot] = []
        complete: list[Slot] = []
        outputs = event.get("outputs", ())
        for output in outputs:
            index, reason = output.get("index", 0), output.get("finish_reason")
            if not self.answers and index > self._latest:
                closed += self._ends(self._latest)
                self._latest = index
            if reason is not None and (self.answers or index == self._latest):
                finished[self._choice(index)] = reason_of(reason)
            elif reason is not None:
                complete += self._ends(index)
        found, calls = self._in_calls(outputs, pieces)
        choices = [self._choice(output.get("index", 0)) for output in outputs]
        return Reading(
            found,
            tuple(dict.fromkeys(choices)),
            finished,
            closed=closed,
            calls=calls,
            usage=event.get("usage"),
            complete=(*complete, *calls),
        )

    def _in_calls(
        self, outputs: Sequence[Event], pieces: Sequence[Piece]
    ) -> tuple[Sequence[Piece], Mapping[Slot, Call]]:
        """Return the pieces with calls numbered over the stream, and the calls: each is whole."""
        calls: dict[Slot, Call] = {}
        numbers: dict[int, int] = {}  # by places
        for place, output in enumerate(outputs):
            choice = self._choice(output.get("index", 0))
            for at, call in enumerate(output.get("delta", {}).get("tool_calls", ())):
                slot = Slot(choice, "tool_args", "tool_calls", self._calls)
                numbers[place * _CALLS + at] = self._calls
                calls[slot] = Call(call.get("function", {}).get("name", ""), call.get("id"))
                self._calls += 1
        found = [
            piece._replace(slot=piece.slot._replace(number=numbers[piece.slot.number]))
            if piece.slot.channel == "tool_args"
            else piece
            for piece in pieces
        ]
        return found, calls

    def extra(self, chunk: Any, slot: Slot, text: str, released: Released) -> Sequence[Any]:
        """Return a chunk with only `text`."""
        index = slot.choice if self.answers else slot.number
        role = "ROLE_TOOL" if slot.field == "tool_output" else "ROLE_ASSISTANT"
        field = "reasoning_content" if slot.channel == "thinking" else "content"
        return [_with(chunk, {"index": index, "delta": {"role": role, field: text}})]

    def end(
        self, chunk: Any, choice: int, reason: FinishReason, released: Released
    ) -> Sequence[Any]:
        """Return a chunk with a reason; there is none for a blocked answer."""
        index = choice if self.answers else self._latest
        output = {"index": index, "delta": {"role": "ROLE_ASSISTANT"}}
        return [_with(chunk, {**output, "finish_reason": _ENDS.get(reason, "REASON_STOP")})]


def _with(chunk: Event, output: Event) -> Event:
    """Return a chunk like another with one output."""
    kept = ("id", "created", "model", "system_fingerprint", "usage")
    return {**{name: chunk[name] for name in kept if name in chunk}, "outputs": [output]}


class XAI(Objects):
    """The adapter for chunks of the `xai-sdk` package: in pairs, alone, or the messages in them."""

    name = "xai"
    repeats = True
    packages = frozenset({"xai_sdk"})
    _inner: Chunks

    def __init__(self, *, unknown: Unknown = "guard") -> None:
        super().__init__(Chunks(unknown=unknown), unknown=unknown)
        self._so_far: Any = None  # the response of pairs, as it went out

    def taken(self, chunk: Any) -> Any:
        """Return a pair with a response of its own, which is filled when the pair goes out."""
        if xai_message(chunk) is None:
            kind = type(chunk).__qualname__
            raise AdapterError(
                f"xai: a {kind!r} is neither a chunk nor a pair of response and chunk"
            )
        self._inner.answers = is_message(chunk) or (_is_pair(chunk) and _is_list(chunk[1]))
        message = xai_message(chunk)
        known = known_alone(message)
        if _is_pair(chunk):
            responses, said = chunk
            return (_emptied(responses), said if known is message else _saying(said, known))
        return chunk if known is message else _saying(chunk, known)

    def json_of(self, chunk: Any) -> Event:
        """Return the JSON of the message in a chunk."""
        return message_json(xai_message(chunk), named_as_declared=True)

    def changed(self, chunk: Any, old: Event, new: Event) -> Any:
        """Return a chunk like another with another message in it."""
        message = message_like(xai_message(chunk), new)
        if _is_pair(chunk):
            return (_emptied(chunk[0]), _saying(chunk[1], message))
        return _saying(chunk, message)

    def made(self, chunk: Any, event: Event) -> Any:
        """Return a chunk that the guard adds; in a pair with the response that it adds to."""
        made = self.changed(chunk, {}, event)
        self.passed(made)
        return made

    def passed(self, chunk: Any) -> None:
        """Fill the response of a pair with the text that went out so far."""
        if not _is_pair(chunk):
            return
        first = _first(chunk[0])
        if self._so_far is None:
            self._so_far = _emptied(first)
        self._so_far.process_chunk(xai_message(chunk))
        first.proto.CopyFrom(self._so_far.proto)


def _is_pair(chunk: Any) -> TypeGuard[tuple[Any, Any]]:
    return isinstance(chunk, tuple) and len(chunk) == 2


def _is_list(value: Any) -> bool:
    return isinstance(value, (list, tuple))


def _first(value: Any) -> Any:
    """Return a chunk, or the first of several, which hold the same message."""
    value = value[1] if _is_pair(value) else value
    return value[0] if _is_list(value) and value else value


def _saying(chunk: Any, message: Any) -> Any:
    """Return a chunk, or several, with another message in them."""
    if _is_list(chunk):
        return [_saying(each, message) for each in chunk]
    return message if is_message(chunk) else replaced(chunk, {"_proto": message})


def _emptied(response: Any) -> Any:
    """Return a response like another, or several that hold one message, without text."""
    several = response if _is_list(response) else [response]
    message = type(several[0].proto)()
    made = [type(each)(message, fields_of(each).get("_index")) for each in several]
    return made if _is_list(response) else made[0]
