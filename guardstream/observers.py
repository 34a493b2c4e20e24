"""Who watches streams: told when one begins and when it has ended, never what was matched.

An observer has two methods, both quick and sync. Exporters for logs, metrics and traces are such.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from guardstream.events import Finding, FinishReason
from guardstream.stats import Stats

log = logging.getLogger("guardstream")


@dataclass(frozen=True, slots=True)
class StreamStart:
    """A stream that begins. `started` is in seconds since the epoch, `id` is random.

    `policy`, `fingerprint` and `shadow` say which policy guards it; `attributes` are the caller's.
    """

    id: str
    started: float
    policy: str
    fingerprint: str
    shadow: bool
    attributes: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class StreamRecord:
    """A stream that has ended: how, what was found, and its counters. No text of it.

    `error` is the type of the exception that ended it, if one did; `usage` is the provider's own.
    """

    start: StreamStart
    provider: str | None
    finish: FinishReason
    blocked_by: str | None
    error: str | None
    findings: Sequence[Finding]
    stats: Stats
    usage: Any = None


class Observer(Protocol):
    """Something that is told about streams."""

    def opened(self, start: StreamStart) -> None:
        """Take note of a stream that is about to be read for the first time."""
        ...

    def closed(self, record: StreamRecord) -> None:
        """Take note of a stream's end; called once for each that was opened."""
        ...


@dataclass(frozen=True, slots=True)
class Observing:
    """The observers of a stream. An error of theirs is logged (`report`) or ends it (`raise`)."""

    observers: Sequence[Observer] = ()
    errors: Literal["report", "raise"] = "report"
    policy: str = ""
    fingerprint: str = ""
    shadow: bool = False
    attributes: Mapping[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.observers)

    def open(self, start: StreamStart) -> None:
        """Tell all that a stream begins."""
        for observer in self.observers:
            try:
                observer.opened(start)
            except Exception as error:
                self._failed(observer, error)

    def close(self, record: StreamRecord) -> None:
        """Tell all that it has ended; each is told, whatever another one does."""
        failure: Exception | None = None
        for observer in self.observers:
            try:
                observer.closed(record)
            except Exception as error:
                try:
                    self._failed(observer, error)
                except Exception as raised:
                    failure = failure or raised
        if failure is not None:
            raise failure

    def _failed(self, observer: Observer, error: Exception) -> None:
        if self.errors == "raise":
            raise error
        name = type(observer).__name__
        log.error("observer %s failed (%s: %s)", name, type(error).__name__, _reason(error))


def _reason(error: Exception) -> str:
    """Return an operating system's reason; the text of other errors may hold anything."""
    return error.strerror or "" if isinstance(error, OSError) else ""
