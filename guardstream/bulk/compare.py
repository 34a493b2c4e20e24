"""Compares the results of two policies for the same records; nothing is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from typing import Any

from guardstream.bulk.records import Pieces, Redactor
from guardstream.bulk.report import PLACES
from guardstream.guard import Guard


class Comparer(Redactor):
    """Guards records by two policies; `report` counts what the second finds, and what differs."""

    def __init__(self, before: Guard, after: Guard, columns: Sequence[str] | None) -> None:
        super().__init__(after, columns)
        self._first = Redactor(before, columns)
        self.report.before = self._first.report.findings

    def record(self, record: Any) -> Any:
        """Compare the results for a record; return the record itself."""
        self.note(differs=self._first.record(record) != super().record(record))
        return record

    def row(self, row: Mapping[str, Any]) -> Any:
        """Compare the results for a row of a table; return the row itself."""
        self.note(differs=self._first.row(row) != super().row(row))
        return row

    def pieces(self) -> Pieces:
        """Return a comparison of a text that is read in pieces."""
        return _Both(self._first.pieces(), super().pieces(), self.note)

    def note(self, *, differs: bool) -> None:
        """Count a record in which the policies differ."""
        self.report.differ += differs
        if differs and len(self.report.places) < PLACES:
            self.report.places.append(f"{self.source}: {self.where}" if self.where else self.source)


class _Both:
    """Guards a text by two policies; only digests of their outputs are kept."""

    def __init__(self, before: Pieces, after: Pieces, note: Callable[..., None]) -> None:
        self._sides = (before, blake2b()), (after, blake2b())
        self._note = note

    @property
    def over(self) -> bool:
        return all(side.over for side, _ in self._sides)

    def feed(self, text: str) -> str:
        for side, digest in self._sides:
            digest.update(side.feed(text).encode("utf-8", "surrogatepass"))
        return ""

    def finish(self) -> str:
        for side, digest in self._sides:
            digest.update(side.finish().encode("utf-8", "surrogatepass"))
        (_, before), (_, after) = self._sides
        self._note(differs=before.digest() != after.digest())
        return ""
