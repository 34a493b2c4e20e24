"""An audit log: one JSON line for each stream, in a file that several processes may share.

Every record is one write to a file opened for appending, so records never mix; a process that is
killed leaves at most one torn line, which readers skip and count.
"""

from __future__ import annotations

import errno
import json
import os
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from guardstream.observability.record import as_dict, start_as_dict
from guardstream.stream.observers import StreamRecord, StreamStart

_BEGINNING = re.compile(rb'\{"v":\d+,"id":"')
"""How every record begins; nowhere else does this stand, as quotes in values are escaped."""


class AuditLog:
    """Writes a record for each stream that ends, whatever ended it.

    With `starts` a line says that a stream begins, so that streams that a crash of the process cut
    off are seen. With `fsync` each record is on the disk before the stream's consumer goes on. A
    file that was moved away, as log rotation does, is made anew. An OSError, such as a full disk,
    is what the guard's `observer_errors` says: reported, or raised. Use it from any thread.
    """

    def __init__(
        self, path: str | Path, *, fsync: bool = False, starts: bool = False, mode: int = 0o600
    ) -> None:
        self.path = Path(path)
        self._fsync = fsync
        self._starts = starts
        self._mode = mode
        # A stream that is collected as garbage in the midst of a write has a record, too.
        self._lock = threading.RLock()
        self._file: int | None = None
        self._torn = False

    def open(self) -> None:
        """Open the file now, so that what is wrong with its path is said at once. OSError."""
        with self._lock:
            self._opened()

    def opened(self, start: StreamStart) -> None:
        """Write that a stream begins, if that is asked for."""
        if self._starts:
            self._write({**start_as_dict(start), "begins": True})

    def closed(self, record: StreamRecord) -> None:
        """Write a stream's record."""
        self._write(as_dict(record))

    def close(self) -> None:
        """Close the file; another record opens it again."""
        with self._lock:
            self._close()

    def _write(self, record: dict[str, Any]) -> None:
        line = json.dumps(record, ensure_ascii=False, separators=(",", ":"), default=str)
        # Half a surrogate pair becomes an escape, which is one in JSON, too.
        data = line.encode(errors="backslashreplace") + b"\n"
        with self._lock:
            file = self._opened()
            if self._torn:
                data = b"\n" + data  # after what an earlier write did not finish
            self._torn = True
            if os.write(file, data) < len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))
            self._torn = False
            if self._fsync:
                os.fsync(file)

    def _opened(self) -> int:
        if self._file is not None and self._moved(self._file):
            self._close()
        if self._file is None:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
            self._file = os.open(self.path, flags, self._mode)
            # Another process may have been killed in the middle of a record.
            self._torn = not _ends_in_a_line(self.path)
        return self._file

    def _moved(self, file: int) -> bool:
        try:
            return not os.path.samestat(os.fstat(file), os.stat(self.path))
        except FileNotFoundError:
            return True

    def _close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            os.close(file)


@dataclass(frozen=True, slots=True)
class Torn:
    """A line that is no record, or not only: a process was killed while it wrote it."""

    path: str
    line: int


def read_audit(path: str | Path) -> Iterator[dict[str, Any] | Torn]:
    """Yield the records of the audit log at `path`, oldest first, and what is torn among them.

    OSError if it cannot be read.
    """
    with Path(path).open("rb") as file:
        for number, line in enumerate(file, 1):
            # What another process wrote after a torn record is whole.
            begun = [found.start() for found in _BEGINNING.finditer(line)]
            record = _record(line[begun[-1] :]) if begun else None
            if line.strip() and (record is None or begun[-1] > 0):
                yield Torn(str(path), number)
            if record is not None:
                yield record


def _record(line: bytes) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) and isinstance(record.get("id"), str) else None


def _ends_in_a_line(path: Path) -> bool:
    """Tell whether a file ends in a line's end; what cannot be read, such as a pipe, may not."""
    try:
        with path.open("rb") as file:
            if not file.seek(0, os.SEEK_END):
                return True
            file.seek(-1, os.SEEK_END)
            return file.read(1) == b"\n"
    except OSError:
        return False
