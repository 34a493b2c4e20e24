"""Creates the flow of a stream, of the kind that its first chunk calls for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from types import NoneType
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast

from guardstream.errors import AdapterError
from guardstream.formats.adapter import Adapter, Unknown
from guardstream.formats.generic.text import PlainText
from guardstream.formats.hooks import hooks_of
from guardstream.stream.flows.choosing import (
    Choose,
    check_is_text,
    check_reads_text,
    check_text,
    detach,
    own_formats,
)
from guardstream.stream.flows.chunks import ChunkFlow
from guardstream.stream.flows.flow import Around, Flow, MakeStage
from guardstream.stream.flows.str_streams import EventLines, Grown, JSONLines
from guardstream.stream.flows.text import TextFlow
from guardstream.stream.on_block import OnBlock, blocked_message
from guardstream.stream.result import Meter
from guardstream.stream.whole import does_nothing, findings_in, is_harmless

if TYPE_CHECKING:
    from guardstream.framing.frames.frame import Media
    from guardstream.policy import Policy

Framing: TypeAlias = Literal["sse", "text"]
"""How the `str` of a source are read: server-sent events, or text. "text" is also for bytes."""


@dataclass(frozen=True, slots=True)
class FlowMaker:
    """Creates a stream's flow, given a meter and the first chunk, which is None for an empty
    stream.

    `choose` returns the adapter for the chunk; `stages` returns what creates the pipelines of that
    adapter's stream. `media` is the framing of bytes. `is_named` says that the caller named the
    format, so that text is not inspected: it is in that format, or refused. `on_block` is for
    bytes.
    """

    policy: Policy
    choose: Choose
    stages: Callable[[Adapter[Any]], MakeStage]
    unknown: Unknown
    media: Media | None = None
    framing: Framing | None = None
    is_named: bool = False
    on_block: OnBlock = "finish"

    def __call__(self, chunk: Any, meter: Meter) -> Flow[Any]:
        """Return the flow; AdapterError if the chunk is in no known format."""
        is_wire = self.media or self.framing == "sse"
        if is_wire or isinstance(chunk, (bytes, bytearray, memoryview)):
            if self.framing == "text" and self.is_named:
                check_is_text(self.choose)
            return self._wire_flow(chunk, meter)
        if self.framing == "text" and not isinstance(chunk, (str, NoneType)):
            raise AdapterError(
                f"a chunk of type {type(chunk).__qualname__!r} has no framing: leave out framing="
            )
        make = partial(self._flow, meter=meter)
        if self.is_named and isinstance(chunk, str):
            adapter = self.choose(chunk)
            check_reads_text(adapter)
            return make(adapter)
        if not isinstance(chunk, str) or self.framing is not None:
            adapter = self.choose(chunk)
            if hooks_of(adapter).name == "json":
                detach(adapter, self.policy)
            return make(adapter)
        check_text(chunk, own_formats(self.policy, self.unknown))
        flow = make(self.choose(chunk))
        if isinstance(flow, TextFlow):
            inspections = [EventLines().may_be_events, Grown().may_be_cumulative]
            if self.policy.file.json_ is None and self.policy.file.mode != "shadow":
                find = partial(findings_in, self.policy)
                inspections.append(JSONLines(find, self.policy.file.max_holdback).may_be_lines)
            flow.inspect = _all_of(*inspections)
        return flow

    def with_pipelines(self, around: Around) -> FlowMaker:
        """Return a maker like this one, with a stage around each pipeline."""
        return replace(self, stages=lambda adapter: around(self.stages(adapter)))

    def _flow(
        self, adapter: Adapter[Any], meter: Meter, *, breaks_off: bool = False
    ) -> ChunkFlow[Any] | TextFlow:
        """Return the flow for an adapter; plain text has a simpler one."""
        make_stage, memory = self.stages(adapter), self.policy.file.max_holdback
        message = "" if breaks_off else self.policy.block_message
        if type(adapter) is PlainText:
            return TextFlow(make_stage("text"), meter, message)
        return ChunkFlow(
            adapter,
            make_stage,
            meter,
            message,
            memory,
            unknown=self.unknown,
            breaks_off=breaks_off,
        )

    def _wire_flow(self, chunk: Any, meter: Meter) -> Flow[Any]:
        """Return the flow of bytes, or of server-sent events as `str`, which is built on it."""
        from guardstream.stream.flows.bytes import LineFlow, WireFlow

        fails = self.on_block == "error"
        make = partial(self._flow, meter=meter, breaks_off=fails)
        harmless = partial(is_harmless, self.policy)
        block_error = partial(blocked_message, message=self.policy.block_message) if fails else None
        is_idle = partial(does_nothing, self.policy)
        media = "sse" if isinstance(chunk, str) else self.media or self.framing
        flow = WireFlow(media, self.choose, make, harmless, self.unknown, block_error, is_idle)
        return cast("Flow[Any]", LineFlow(flow)) if isinstance(chunk, str) else flow


def _all_of(*inspections: Callable[[str], bool]) -> Callable[[str], bool]:
    """Return a function that gives each chunk to `inspections`, until none of them needs more."""
    waiting = list(inspections)

    def inspect(chunk: str) -> bool:
        waiting[:] = [each for each in waiting if each(chunk)]
        return bool(waiting)

    return inspect
