"""Collects the records of one answer's streams: those that observers get in the answer's task."""

from __future__ import annotations

from contextvars import ContextVar

from guardstream.stream.observers import StreamRecord, StreamStart

_RECORDS: ContextVar[list[StreamRecord] | None] = ContextVar("guardstream_receipts", default=None)


class Collecting:
    """An observer that collects the records of the current answer."""

    def opened(self, start: StreamStart) -> None:
        """Do nothing: only the end counts."""

    def closed(self, record: StreamRecord) -> None:
        """Add a record."""
        records = _RECORDS.get()
        if records is not None:
            records.append(record)


def collected() -> list[StreamRecord]:
    """Return the list to which the records of this task, and of tasks that it starts, are added."""
    records: list[StreamRecord] = []
    _RECORDS.set(records)
    return records
