"""Structured log records: one when a stream begins, and one when it has ended."""

from __future__ import annotations

import logging

from guardstream.events import counted
from guardstream.observability.record import as_dict, start_as_dict
from guardstream.stream.observers import StreamRecord, StreamStart


class LogObserver:
    """Logs each stream; the log record's attribute `stream` has the fields of an audit record.

    A JSON formatter, or structlog's `ExtraAdder`, writes them out. Blocks and errors are logged as
    warnings, other ends at `level`. `logger` is `guardstream.streams` by default.
    """

    def __init__(self, logger: logging.Logger | None = None, level: int = logging.INFO) -> None:
        self._logger = logger or logging.getLogger("guardstream.streams")
        self._level = level

    def opened(self, start: StreamStart) -> None:
        """Log that a stream begins, at the level DEBUG."""
        self._logger.debug("stream %s begins", start.id, extra={"stream": start_as_dict(start)})

    def closed(self, record: StreamRecord) -> None:
        """Log how a stream ended."""
        bad = record.error is not None or record.blocked_by is not None
        self._logger.log(
            max(self._level, logging.WARNING) if bad else self._level,
            "stream %s ended: %s%s, findings: %d, characters: %d, %.0f ms",
            record.start.id,
            record.finish,
            f" by {record.blocked_by}" if record.blocked_by is not None else "",
            len(counted(record.findings)),
            record.stats.characters_out,
            record.stats.seconds * 1000,
            extra={"stream": as_dict(record)},
        )
