"""The flow of server-sent events as `str`: lines in, lines out; events in, events out.

async for line in guard.wrap(response.aiter_lines(), framing="sse"): ...
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from guardstream.events import Finding, FinishReason
from guardstream.framing.lines import EventText
from guardstream.providers.adapter import Call, Slot
from guardstream.stream.flows.bytes import WireFlow
from guardstream.stream.flows.flow import Part, Sent


class LineFlow:
    """One stream of lines or events; they go out in the form they came in."""

    def __init__(self, wire: WireFlow) -> None:
        self._wire = wire
        self._text = EventText()

    @property
    def findings(self) -> list[Finding]:
        return self._wire.findings

    @property
    def ended(self) -> FinishReason | None:
        return self._wire.ended

    @property
    def blocked_by(self) -> str | None:
        return self._wire.blocked_by

    @property
    def calls(self) -> Mapping[Slot, Call]:
        return self._wire.calls

    @property
    def usage(self) -> Any:
        return self._wire.usage

    @property
    def provider(self) -> str:
        return self._wire.provider

    @property
    def error(self) -> Exception | None:
        return self._wire.error

    @property
    def ending(self) -> Sequence[Part]:
        return self._wire.ending

    @property
    def held(self) -> int:
        return self._wire.held

    def feed(self, chunk: str) -> Sequence[Sent[str]]:
        return self._decoded(self._wire.feed(self._text.encode(chunk)))

    def finish(self) -> Sequence[Sent[str]]:
        return self._decoded(self._wire.finish())

    def _decoded(self, sent: Sequence[Sent[bytes]]) -> list[Sent[str]]:
        """Return what goes out as `str`; the text of a frame is counted with its first line."""
        decoded: list[Sent[str]] = []
        for each in sent:
            first, *rest = self._text.decode(each.chunk)
            decoded.append(Sent(first, each.text, each.characters, each.parts))
            decoded += [Sent(line) for line in rest]
        return decoded
