"""LangChain's `astream_events` (v2): the events of every step of a chain, each a run of its own.

https://reference.langchain.com/python/langchain_core/runnables/#langchain_core.runnables.base.Runnable.astream_events.
A chain repeats the text of its models: each run is a choice. Consecutive runs of models are choice
0, the answer, except for models that a tool asks; so is a whole chain that asks no model. The
caller's text passes if it is unchanged; any other text in an event is guarded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from guardstream.errors import AdapterError
from guardstream.events import FinishReason
from guardstream.formats.adapter import (
    Adapter,
    Call,
    Passes,
    Piece,
    Reading,
    Released,
    Slot,
    Unknown,
    passes_any,
)
from guardstream.formats.detection.shapes import holds_message, is_message
from guardstream.formats.generic.text import PlainText
from guardstream.formats.langchain.chunks import TEXT, LangChain
from guardstream.formats.langchain.values import Values
from guardstream.formats.toolkit.fields import fields_of, has_text

_GROWING = Slot(0, "text", "$.data.chunk")
"""The growing values of a parser: they repeat text, but not to the letter."""
_MODELS = ("on_chat_model_", "on_llm_")
_CUSTOM = "on_custom_event"
"""An event that a step dispatches itself: a value of its own, under a name of its own."""
_TURN = 1000
"""Added to the number of a slot in choice 0 for each earlier run of that choice."""


class LangChainEvents:
    """The adapter for events."""

    name = "langchain_events"
    repeats = True

    def __init__(self, *, unknown: Unknown = "guard") -> None:
        self._unknown = unknown
        self._runs: dict[str, tuple[int, LangChain]] = {}
        self._turns: dict[str, int] = {}  # the positions of the runs that are choice 0
        self._answering: str | None = None  # the run of choice 0 that has not ended
        self._asked = False  # whether a model was asked
        self._has_begun = False  # whether there was an event
        self._tools: set[str] = set()  # runs of tools
        self._slots: dict[str, set[Slot]] = {}  # of runs that have not ended
        self._streams: dict[str, int] = {}  # numbers of other streamed values, by run or name
        self._values = Values()
        self._passes: Passes = passes_any

    def judge_marks(self, passes: Passes) -> None:
        """Ask `passes` about marks, in messages and in values."""
        self._passes = passes
        self._values.judge_marks(passes)

    def read(self, chunk: Mapping[str, Any]) -> Reading:
        """Find the text in a run's streamed piece, and in its input and output."""
        event, data = str(chunk["event"]), chunk["data"]
        begins, self._has_begun = not self._has_begun, True
        self._asked = self._asked or event.startswith(_MODELS)
        if event.endswith(("_end", "_error")):
            self._values.unfinished -= self._slots.pop(str(chunk["run_id"]), set())
        if event == "on_tool_start":
            self._tools.add(str(chunk["run_id"]))
        if event.endswith("_stream") and _streams(data.get("chunk")):
            return self._stream(chunk, data["chunk"])
        if _continues(event) and self._unknown == "refuse" and has_text(data):
            raise AdapterError(
                "langchain: values that a parser or a chain streams, or that it dispatches, cannot "
                "be guarded: put the guard before it"
            )
        # In the first version of events, the steps of a chain do not tell their parents either.
        if begins and event.endswith("_start") and not chunk.get("parent_ids"):
            self._values.note_given(data.get("input"))
            return Reading((), ())
        reading = self._values_of(chunk)
        run = self._runs.get(chunk["run_id"])
        if chunk["run_id"] == self._answering and event.endswith(("_end", "_error")):
            self._answering = None
        if run is None or not event.endswith(("_end", "_error")):
            return reading
        return reading._replace(choices=(run[0],), finished={run[0]: "stop"})

    def write(self, chunk: Mapping[str, Any], texts: Sequence[str], *, ends: bool = True) -> Any:
        """Return an event with `texts` in place of its own; None if nothing is left in it."""
        data = chunk["data"]
        if chunk["event"].endswith("_stream") and _streams(data.get("chunk")):
            written = self._adapter(chunk).write(data["chunk"], texts, ends=ends)
            return None if written is None else _with_chunk(chunk, written)
        return {**chunk, "data": self._values.with_texts(data, texts)}

    def without_unknown(self, chunk: Mapping[str, Any]) -> Any:
        """Return an event whose message has no unknown text."""
        inner = fields_of(chunk["data"]).get("chunk")
        if chunk["run_id"] not in self._runs or isinstance(inner, str) or not _streams(inner):
            return chunk
        return _with_chunk(chunk, self._runs[chunk["run_id"]][1].without_unknown(inner))

    def extra(
        self, chunk: Mapping[str, Any], slot: Slot, text: str, released: Released
    ) -> Sequence[Any]:
        """Return an event of the run that streams only `text`."""
        inner = chunk["data"].get("chunk")
        if not _streams(inner):
            raise AdapterError("langchain: the run has streamed nothing that could be continued")
        own = self._own(chunk, slot)
        made = self._adapter(chunk).extra(inner, own, text, self._released(chunk, released))
        return [_with_chunk(chunk, each) for each in made]

    def end(
        self, chunk: Any, choice: int, reason: FinishReason, released: Released
    ) -> Sequence[Any]:
        """Return an event that streams the run's last message, if it streams messages."""
        inner = chunk["data"].get("chunk")
        if not _streams(inner):
            return []
        made = self._adapter(chunk).end(inner, choice, reason, self._released(chunk, released))
        return [_with_chunk(chunk, each) for each in made]

    def _values_of(self, chunk: Mapping[str, Any]) -> Reading:
        """Return the texts of an event that streams neither text nor a message.

        Texts in a streamed value, or in custom events of one name, may continue earlier ones, but
        nothing shows which.
        """
        event, data = chunk["event"], chunk["data"]
        if not _continues(event) or self._unknown == "pass":
            return Reading(self._values.pieces(data), ())
        if event == "on_parser_stream":
            pieces = self._values.pieces(data)
            return Reading([Piece(_GROWING, piece.text, "unknown") for piece in pieces], ())
        of = f"{_CUSTOM} {chunk.get('name')}" if event == _CUSTOM else str(chunk["run_id"])
        number = self._streams.setdefault(of, len(self._streams))
        return self._values.streaming(data, Slot(0, "text", "$.data", number))

    def _stream(self, chunk: Mapping[str, Any], inner: Any) -> Reading:
        """Read a piece that a run streams, in the run's choice."""
        run = str(chunk["run_id"])
        if run not in self._runs:
            made = LangChain(unknown=self._unknown)
            made.judge_marks(self._passes)
            self._runs[run] = (self._choice(run, chunk), made)
        choice, adapter = self._runs[run]
        if isinstance(inner, str):
            reading = Reading([Piece(TEXT, inner)] if inner else [], (0,))
        else:
            reading = adapter.read(inner)

        here = partial(self._here, run)
        pieces = [piece._replace(slot=here(piece.slot)) for piece in reading.pieces]
        self._values.streamed.note(pieces)
        slots = {piece.slot for piece in pieces}
        self._slots.setdefault(run, set()).update(slots)
        self._values.unfinished |= slots
        calls: dict[Slot, Call] = {here(slot): call for slot, call in reading.calls.items()}
        finished: dict[int, FinishReason] = dict.fromkeys(
            (choice for _ in reading.finished), next(iter(reading.finished.values()), "stop")
        )
        return reading._replace(
            pieces=pieces,
            choices=(choice,),
            finished=finished,
            closed=[here(slot) for slot in reading.closed],
            calls=calls,
            complete=[here(slot) for slot in reading.complete],
            beside={here(slot): told for slot, told in reading.beside.items()},
        )

    def _choice(self, run: str, chunk: Mapping[str, Any]) -> int:
        """Return the choice of a run that begins to stream."""
        asked_by_tool = not self._tools.isdisjoint(map(str, chunk.get("parent_ids") or ()))
        model = str(chunk["event"]).startswith(_MODELS) and not asked_by_tool
        whole = not (self._asked or chunk.get("parent_ids"))  # a chain without a model
        if self._answering is None and (model or whole):
            self._answering = run
            self._turns[run] = len(self._turns)
            return 0
        return len(self._runs) + 1

    def _released(self, chunk: Mapping[str, Any], released: Released) -> Released:
        """Return the function that returns the released text for a slot of the run's adapter."""
        here = partial(self._here, str(chunk["run_id"]))
        return lambda slot: released(here(slot))

    def _here(self, run: str, slot: Slot) -> Slot:
        """Return the stream's slot for a slot of a run's adapter."""
        turn = self._turns.get(run, 0) * _TURN
        return slot._replace(choice=self._runs[run][0], number=slot.number + turn)

    def _own(self, chunk: Mapping[str, Any], slot: Slot) -> Slot:
        """Return the slot of the run's adapter for one of the stream."""
        turn = self._turns.get(chunk["run_id"], 0) * _TURN
        return slot._replace(choice=0, number=slot.number - turn)

    def _adapter(self, chunk: Mapping[str, Any]) -> Adapter[Any]:
        """Return the adapter for the run's pieces: text, or messages."""
        is_text = isinstance(chunk["data"]["chunk"], str)
        return PlainText() if is_text else self._runs[chunk["run_id"]][1]


def _continues(event: str) -> bool:
    """Return whether an event's value may continue the one before."""
    return event.endswith("_stream") or event == _CUSTOM


def _streams(value: Any) -> bool:
    """Return whether `value` is text, a message or its JSON, or a chunk that holds one."""
    return isinstance(value, str) or is_message(value) or holds_message(value)


def _with_chunk(event: Mapping[str, Any], chunk: Any) -> dict[str, Any]:
    return {**event, "data": {**event["data"], "chunk": chunk}}
