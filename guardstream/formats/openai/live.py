"""OpenAI's live API: what a server sends during a session, over a WebSocket.

Objects of the `openai` package or plain dicts: https://platform.openai.com/docs/api-reference/live.
The transcript of the model's speech is the answer, choice 0; that of the user's speech is choice 1.
No event ends a turn. The responses of each model to which the session delegates are a choice of
their own, in events of the Responses API.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from guardstream.events import FinishReason
from guardstream.formats.adapter import (
    Passes,
    Piece,
    Reading,
    Released,
    Slot,
    Unknown,
    passes_any,
)
from guardstream.formats.openai.responses import OpenAIResponses
from guardstream.formats.spec import (
    Leaf,
    Path,
    SpecAdapter,
)
from guardstream.formats.toolkit.fields import fields_of, index_in, replaced
from guardstream.formats.toolkit.files import spec_of
from guardstream.formats.toolkit.nested import Nested
from guardstream.formats.toolkit.package_objects import constructed

_SAID, _HEARD = "session.output_transcript.delta", "session.input_transcript.delta"
_NESTED = "response.event"

_CLASSES = {_SAID: "OutputTranscriptDeltaEvent", _HEARD: "InputTranscriptDeltaEvent"}
_MODULE = "openai.types.live"


class _Session(SpecAdapter):
    """The adapter for a session's own events, and for the fields around a response's events."""

    name = "openai_live"
    spec = spec_of("openai_live")

    def slot(self, leaf: Leaf, event: Mapping[str, Any], path: Path) -> Slot:
        return Slot(int(event.get("type") == _HEARD), leaf.channel, leaf.field)

    def meaning(self, chunk: Any, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        kind = event.get("type")
        if kind == "session.closed":
            filtered = event.get("reason") == "content"
            return Reading(pieces, (), {0: "content_filter" if filtered else "stop"})
        return Reading(pieces, (0,) if kind == _SAID else ())


class OpenAILive:
    """The adapter for a session's events."""

    name = "openai_live"
    repeats = True
    spec = spec_of("openai_live")

    def __init__(self, *, unknown: Unknown = "guard") -> None:
        self._unknown = unknown
        self._passes: Passes = passes_any
        self._session = _Session(unknown=unknown)
        self._runs: dict[str, Nested] = {}  # of delegations
        self._added = 0

    def judge_marks(self, passes: Passes) -> None:
        """Ask `passes` about marks from now on."""
        self._passes = passes
        self._session.judge_marks(passes)
        for run in self._runs.values():
            run.adapter.judge_marks(passes)  # type: ignore[attr-defined]

    def forget(self) -> None:
        """Drop the last event."""
        self._session.forget()

    def read(self, chunk: Any) -> Reading:
        """Find the text in an event."""
        run, inner, around = self._parted(chunk)
        if run is None:
            return self._session.read(chunk)
        return self._session.added(run.read(inner), around)._replace(only_text=False)

    def write(self, chunk: Any, texts: Sequence[str], *, ends: bool = True) -> Any | None:
        """Return `chunk` with `texts` in place of its own; None if nothing is left in it."""
        run, inner, around = self._parted(chunk)
        if run is None:
            return self._session.write(chunk, texts, ends=ends)
        count = len(texts) - len(self._session.pieces(around, fields_of(around)))
        written = run.write(inner, texts[:count], ends=ends)
        if written is None:
            return None
        told = self._session.write(around, texts[count:])
        if told is around and written is inner:
            return chunk
        return replaced(around if told is None else told, {"event": written})

    def without_unknown(self, chunk: Any) -> Any:
        """Return `chunk` without text at paths that the format does not know."""
        run, inner, around = self._parted(chunk)
        if run is None:
            return self._session.without_unknown(chunk)
        bare = self._session.without_unknown(around)
        return replaced(bare, {"event": run.without_unknown(inner)})

    def passed(self, chunk: Any) -> None:
        """Tell the adapter of an event's response what was released of it."""
        run, inner, _ = self._parted(chunk)
        if run is not None:
            run.passed(inner)

    def extra(self, chunk: Any, slot: Slot, text: str, released: Released) -> Sequence[Any]:
        """Return events with only `text`."""
        run, inner, around = self._parted(chunk)
        if run is not None and run.choice == slot.choice:
            made = run.extra(inner, slot, text, released)
            return [self._around(around, each) for each in made]
        kind = _HEARD if slot.field == "input_transcript" else _SAID
        if slot.choice > 1 or slot.field not in ("text", "content", "input_transcript"):
            return []
        fields = {
            "type": kind,
            **self._stamp(),
            "delta": text,
            **{name: index_in(chunk, 0, name) for name in ("start_ms", "end_ms")},
        }
        return [constructed(chunk, _CLASSES[kind], fields, _MODULE)]

    def end(
        self, chunk: Any, choice: int, reason: FinishReason, released: Released
    ) -> Sequence[Any]:
        """Return the end of a delegated response. What a session says just ends."""
        run, inner, around = self._parted(chunk)
        if run is None or run.choice != choice:
            return []
        return [self._around(around, each) for each in run.end(inner, reason, released)]

    def _around(self, around: Any, inner: Any) -> Any:
        return replaced(around, {**self._stamp(), "event": inner})

    def _stamp(self) -> Mapping[str, Any]:
        self._added += 1
        return {"event_id": f"event_guard_{self._added}"}

    def _parted(self, chunk: Any) -> tuple[Nested | None, Any, Any]:
        """Return the run whose event is in a chunk, that event, and the chunk without it."""
        event = fields_of(chunk)
        inner = event.get("event")
        if event.get("type") != _NESTED or not isinstance(inner, dict):
            return None, None, chunk
        own = str(event.get("delegation_id"))
        if own not in self._runs:
            adapter = OpenAIResponses(unknown=self._unknown)
            adapter.judge_marks(self._passes)
            self._runs[own] = Nested(adapter, choice=len(self._runs) + 2)
        return self._runs[own], inner, replaced(chunk, {"event": None})
