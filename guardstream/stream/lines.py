"""The flow of `str` lines of server-sent events, as HTTP clients give them: lines in, lines out.

async for line in guard.wrap(response.aiter_lines(), framing="sse"): ...
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from guardstream.errors import AdapterError
from guardstream.events import Finding, FinishReason
from guardstream.providers.adapter import Call, Slot
from guardstream.stream.bytes import WireFlow
from guardstream.stream.flow import Part, Sent


class LineFlow:
    """One stream of lines, with or without line ends; lines go out in the form they came in."""

    def __init__(self, wire: WireFlow) -> None:
        self._wire = wire
        self._ends = ""

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
        if not isinstance(chunk, str):
            raise AdapterError(f"a chunk of type {type(chunk).__qualname__!r} in a stream of lines")
        line = chunk.removesuffix("\n").removesuffix("\r")
        self._ends = self._ends or chunk[len(line) :]
        if "\n" in line or "\r" in line:
            raise AdapterError("a chunk with several lines in a stream of lines")
        try:
            data = line.encode()
        except UnicodeEncodeError:
            raise AdapterError("half a surrogate pair in a stream of lines") from None
        return self._lines(self._wire.feed(data + b"\n"))

    def finish(self) -> Sequence[Sent[str]]:
        return self._lines(self._wire.finish())

    def _lines(self, sent: Sequence[Sent[bytes]]) -> list[Sent[str]]:
        """Return each line by itself; the text of a frame is counted with its first line."""
        lines: list[Sent[str]] = []
        for each in sent:
            first, *rest = each.chunk.decode().removesuffix("\n").split("\n")
            lines.append(Sent(first + self._ends, each.text, each.characters, each.parts))
            lines += [Sent(line + self._ends) for line in rest]
        return lines
