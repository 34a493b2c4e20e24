"""Observers for tests: one that keeps what it is told, and one that fails."""

from __future__ import annotations

import errno
import os
from typing import Any

from guardstream import Guard, Policy
from guardstream.stream.observers import StreamRecord, StreamStart
from tests.support.sources import POLICY


class Watching:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.starts: list[StreamStart] = []
        self.records: list[StreamRecord] = []

    def opened(self, start: StreamStart) -> None:
        self.starts.append(start)

    def closed(self, record: StreamRecord) -> None:
        self.records.append(record)

    @property
    def record(self) -> StreamRecord:
        """The only record."""
        (record,) = self.records
        return record


class Failing:
    """Fails as a full disk makes it, when a stream begins, or ends."""

    def __init__(self, when: str = "closed") -> None:
        self._when = when

    def opened(self, start: StreamStart) -> None:  # noqa: ARG002
        self._fail("opened")

    def closed(self, record: StreamRecord) -> None:  # noqa: ARG002
        self._fail("closed")

    def _fail(self, when: str) -> None:
        if when == self._when:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/var/log/a secret")


def watched(*observers: Any, policy: str = POLICY, **options: Any) -> Guard:
    """A guard with these observers."""
    return Guard(Policy.parse(policy), observers=observers, **options)
