"""JSON of no known format: every string in it is guarded, by its path.

It stands in where no adapter knows a stream's chunks. Nobody can tell there which values go on with
one another, so each is judged at once, alone and with what came before at its path. A format that
is described, as `provider=` or in a policy, is guarded exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, TypeAlias

from guardstream.providers.adapter import Piece, Reading, Unknown
from guardstream.providers.marks import is_mark
from guardstream.providers.nodes import Spec
from guardstream.providers.spec import SpecAdapter

EVENTS = 32
"""How many events are looked at before a report."""

_PATHS = 64
"""How many paths a report has at most."""

Report: TypeAlias = Callable[[Mapping[str, int]], None]
"""Is told once of a stream: the paths where text stood, and how many code points each had."""


class AnyJSON(SpecAdapter):
    """The adapter for chunks of which nothing is known; it has no chunks of its own to add."""

    name = "json"
    spec: ClassVar[Spec] = {}
    repeats = False

    def __init__(self, *, unknown: Unknown = "guard") -> None:
        super().__init__(unknown=unknown)
        self._report: Report | None = None
        self._lengths: dict[str, int] = {}
        self._events = 0

    def report_to(self, report: Report) -> None:
        """Report where text stands, after some events or at the end."""
        self._report = report

    def read(self, chunk: Any) -> Reading:
        """Find the text in a chunk, and note where it stands if that is to be reported."""
        reading = super().read(chunk)
        if self._report is not None:
            self._note(reading.pieces)
            self._events += 1
            if self._events == EVENTS:
                self.kept()
        return reading

    def kept(self) -> None:
        """Report at the end what was not reported yet; no chunk is kept."""
        report, self._report = self._report, None
        if report is not None and self._lengths and self._events > 1:
            report(self._lengths)

    def _note(self, pieces: Sequence[Piece]) -> None:
        for slot, text, _ in pieces:
            path = slot.field
            if path.endswith("~") or is_mark(text):
                continue
            if path in self._lengths or len(self._lengths) < _PATHS:
                self._lengths[path] = self._lengths.get(path, 0) + len(text)

    @staticmethod
    def accepts(chunk: object) -> bool:  # noqa: ARG004
        """Return False: it is asked for, or taken where no other adapter knows the chunks."""
        return False

    def meaning(self, chunk: Any, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:  # noqa: ARG002
        return Reading(pieces, ())
