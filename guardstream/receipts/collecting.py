"""What is known of the streams of one answer: the records that observers get in its task."""

from __future__ import annotations

from contextvars import ContextVar

from guardstream.stream.observers import StreamRecord, StreamStart

_RECORDS: ContextVar[list[StreamRecord] | None] = ContextVar("guardstream_receipts", default=None)


class Collecting:
    """An observer that keeps the records of the answer that is being made."""

    def opened(self, start: StreamStart) -> None:
        """Take no note: what counts is how it ends."""

    def closed(self, record: StreamRecord) -> None:
        """Keep a record."""
        records = _RECORDS.get()
        if records is not None:
            records.append(record)


def collected() -> list[StreamRecord]:
    """Return the list that the records of this task, and of those it begins, are put in."""
    records: list[StreamRecord] = []
    _RECORDS.set(records)
    return records
