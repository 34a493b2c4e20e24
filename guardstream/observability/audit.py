"""An audit log: one JSON line for each stream, in a file that several processes may share.

Every record is one write to a file opened for appending, so records never mix; a process that is
killed leaves at most one torn line, which readers skip and count.
"""

from __future__ import annotations

import atexit
import errno
import json
import os
import re
import secrets
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from guardstream.amounts import check_count
from guardstream.forks import kept_across_forks
from guardstream.observability.record import VERSION, as_dict, start_as_dict
from guardstream.stream.observers import StreamRecord, StreamStart

NO_LINE = "0" * 64
"""The digest in a chain's first line, which has no line before it."""

EVERY = 1000
"""How many lines one signature covers."""

_BEGINNING = re.compile(rb'\{"v":\d+,"id":"')
"""The beginning of every record that `AuditLog` writes. It occurs nowhere else, because quotes in
values are escaped."""


class AuditLog:
    """Writes a record, as a line of JSON in `path`, for each stream that ends.

    - `mode`: the permissions of the file, if it does not exist yet.
    - `starts`: also write a line when a stream begins, so that streams that a crash has cut off are
      visible.
    - `fsync`: each record is on the disk before the stream's consumer continues.
    - `chain`: each line contains the SHA-256 of the log's line before it, so that a changed or
      missing line is found.
    - `sign`: creates a token of claims. After `every` lines (by default 1000), and when the log is
      closed, a line has a token about the chain so far. Lines after the last token are not
      protected from anyone who can write the file: `guardstream.receipts.verify_audit` counts them.

    A log that is dropped is closed. If the file is moved away, as log rotation does, it is created
    again. An OSError, such as a full disk, is reported or raised as the guard's `observer_errors`
    says. It can be used from any thread.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        fsync: bool = False,
        starts: bool = False,
        mode: int = 0o600,
        chain: bool = False,
        sign: Callable[[Mapping[str, Any]], str] | None = None,
        every: int | None = None,
    ) -> None:
        if every is not None and sign is None:
            raise ValueError("'every' has no effect without 'sign'")
        every = EVERY if every is None else every
        check_count("every", every)
        self.path = Path(path)
        self._fsync = fsync
        self._starts = starts
        self._mode = mode
        # A stream that is collected as garbage in the midst of a write has a record, too.
        self._lock = kept_across_forks(threading.RLock())
        self._file: int | None = None
        self._torn = False
        self._chain = Chain() if chain or sign is not None else None
        self._sign = sign
        self._every = every
        if sign is not None:
            atexit.register(_close, weakref.ref(self))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {str(self.path)!r}>"

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle the settings: a copy opens the file itself, and begins its own chain."""
        settings: dict[str, Any] = {
            "fsync": self._fsync,
            "starts": self._starts,
            "mode": self._mode,
            "chain": self._chain is not None,
            "sign": self._sign,
            "every": None if self._sign is None else self._every,
        }
        return partial(type(self), **settings), (self.path,)

    def __del__(self) -> None:
        # Such as after a reload with another log: nobody else closes this one.
        if getattr(self, "_file", None) is not None:
            self.close()

    def open(self) -> None:
        """Open the file now, so that an error in its path is raised at once. OSError."""
        with self._lock:
            self._opened()

    def opened(self, start: StreamStart) -> None:
        """Write that a stream begins, with `starts`."""
        if self._starts:
            self._write({**start_as_dict(start), "begins": True})

    def closed(self, record: StreamRecord) -> None:
        """Write a stream's record."""
        self._write(as_dict(record))

    def close(self) -> None:
        """Close the file; another record opens it again."""
        with self._lock:
            chain = self._own_chain()
            if chain is not None and chain.unsigned and self._file is not None:
                self._checkpoint(chain)
            self._close()

    def _write(self, record: dict[str, Any]) -> None:
        with self._lock:
            chain = self._own_chain()
            line = line_of(record if chain is None else {**record, **chain.link()})
            self._append(line)
            if chain is not None:
                chain.note(line)
            self._sync()  # if this fails, the line is in the file, and in the chain
            if chain is not None and chain.unsigned >= self._every:
                self._checkpoint(chain)

    def _own_chain(self) -> Chain | None:
        """Return the chain of this process: a forked process begins its own."""
        if self._chain is not None and self._chain.process != os.getpid():
            self._chain = Chain()
        return self._chain

    def _checkpoint(self, chain: Chain) -> None:
        """Write a signature of the chain so far."""
        if self._sign is not None:
            claims = chain.claims()
            self._append(line_of({"v": VERSION, "id": chain.id, "checkpoint": self._sign(claims)}))
            chain.unsigned = 0
            self._sync()

    def _append(self, data: bytes) -> None:
        data += b"\n"
        file = self._opened()
        if self._torn:
            data = b"\n" + data  # after what an earlier write did not finish
        self._torn = True
        missing = len(data) - os.write(file, data)
        if missing > 1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))
        self._torn = missing == 1  # only the line feed is missing: the line is in the file

    def _sync(self) -> None:
        if self._fsync and self._file is not None:
            os.fsync(self._file)

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


def _close(log: weakref.ref[AuditLog]) -> None:
    """Close a log at the end of the process, if it is still there."""
    found = log()
    if found is not None:
        found.close()


@dataclass(frozen=True, slots=True)
class Torn:
    """A line that is not a record, or has more than a record: a process was killed
    while writing."""

    path: str
    line: int


def read_audit(path: str | Path) -> Iterator[dict[str, Any] | Torn]:
    """Yield the records of the audit log at `path`, oldest first, and its torn lines.

    OSError if it cannot be read.
    """
    with Path(path).open("rb") as file:
        for number, line in enumerate(file, 1):
            torn, whole = torn_and_whole(line)
            record = _record(whole)
            if torn or (record is None and whole.strip()):
                yield Torn(str(path), number)
            if record is not None and "checkpoint" not in record:
                yield record


def torn_and_whole(line: bytes) -> tuple[bytes, bytes]:
    """Return the torn record that a line begins with, of a process that was killed, and the record
    that another process wrote after it; mostly there is only the latter."""
    start = max((found.start() for found in _BEGINNING.finditer(line)), default=0)
    if not start or parsed(line) is not None:
        return b"", line
    return line[:start], line[start:]


class Chain:
    """The chain of one log in one process: the number of its lines, and the digest of the last."""

    def __init__(self) -> None:
        self.id = secrets.token_hex(8)
        self.process = os.getpid()
        self.unsigned = 0
        """The number of lines since the last signature."""
        self._number = 0
        self._last = NO_LINE

    def link(self) -> dict[str, Any]:
        """Return the fields of the next line that refer to the line before it."""
        return {"chain": self.id, "n": self._number, "before": self._last}

    def note(self, line: bytes) -> None:
        """Record that a line was written."""
        self._last = sha256(line).hexdigest()
        self._number += 1
        self.unsigned += 1

    def claims(self) -> dict[str, Any]:
        """Return the claims to sign: the number of lines, and the digest of the last."""
        return {"chain": self.id, "n": self._number, "last": self._last}


def line_of(record: Mapping[str, Any]) -> bytes:
    """Return the line of a record, without its end."""
    line = json.dumps(record, ensure_ascii=False, separators=(",", ":"), default=str)
    # Half a surrogate pair becomes an escape, which is one in JSON, too.
    return line.encode(errors="backslashreplace")


def parsed(line: bytes) -> dict[str, Any] | None:
    """Return the JSON object of a line; None if it is not one."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _record(line: bytes) -> dict[str, Any] | None:
    found = parsed(line)
    return found if found is not None and isinstance(found.get("id"), str) else None


def _ends_in_a_line(path: Path) -> bool:
    """Return whether a file is empty or ends with a line end; False for one that cannot be read,
    such as a pipe."""
    try:
        with path.open("rb") as file:
            if not file.seek(0, os.SEEK_END):
                return True
            file.seek(-1, os.SEEK_END)
            return file.read(1) == b"\n"
    except OSError:
        return False
