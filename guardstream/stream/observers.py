"""Who watches streams: told when one begins and when it has ended, never what was matched.

An observer has two methods, both quick and sync. Exporters for logs, metrics and traces are such.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from time import time
from typing import Any, Literal, Protocol

from guardstream.errors import GuardstreamError
from guardstream.events import Finding, FinishReason
from guardstream.stream.result import Stats

__all__ = ["Observer", "ObserverError", "StreamRecord", "StreamStart"]

log = logging.getLogger("guardstream")


class ObserverError(GuardstreamError):
    """An observer failed, and `observer_errors="raise"`; its exception is the `__cause__`."""


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

    `error` is the type of the exception that ended it, if one did; a cancellation is none. `usage`
    is the provider's own.
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
    """The observers of a stream. An error of theirs is logged (`report`) or ends it (`raise`).

    Each is told, whatever another one does.
    """

    observers: Sequence[Observer] = ()
    errors: Literal["report", "raise"] = "report"
    policy: str = ""
    fingerprint: str = ""
    shadow: bool = False
    attributes: Mapping[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.observers)

    def open(self, start: StreamStart) -> None:
        """Tell all that a stream begins. ObserverError if that is asked for."""
        self._settle(self._tell(lambda observer: observer.opened(start)))

    def close(self, record: StreamRecord) -> None:
        """Tell all that it has ended. ObserverError if that is asked for."""
        self._settle(self._tell(lambda observer: observer.closed(record)))

    def close_quietly(self, record: StreamRecord) -> None:
        """Tell all that it has ended, where nobody is left who could be told of an error."""
        for failure in self._tell(lambda observer: observer.closed(record)):
            log.error("%s", failure)

    def _tell(self, tell: Callable[[Observer], None]) -> list[ObserverError]:
        failures = []
        for observer in self.observers:
            try:
                tell(observer)
            except Exception as error:
                failures.append(_failure(observer, error))
        return failures

    def _settle(self, failures: list[ObserverError]) -> None:
        raised = failures[:1] if self.errors == "raise" else []
        for failure in failures[len(raised) :]:
            log.error("%s", failure)
        for failure in raised:
            raise failure


class Observation:
    """One stream, as its observers are told of it: once that it begins, and once that it ended."""

    def __init__(self, observing: Observing) -> None:
        self._observing = observing
        self._opened = False
        self._start: StreamStart | None = None

    def open(self) -> None:
        """Tell them, the first time, that it begins."""
        if self._opened:
            return
        observing = self._observing
        self._opened = True
        self._start = StreamStart(
            id=secrets.token_hex(8),
            started=time(),
            policy=observing.policy,
            fingerprint=observing.fingerprint,
            shadow=observing.shadow,
            attributes=observing.attributes,
        )
        observing.open(self._start)

    def close(self, record: Callable[[StreamStart], StreamRecord]) -> None:
        """Tell them that it has ended, if they know only that it began."""
        start, self._start = self._start, None
        if start is not None:
            self._observing.close(record(start))

    def closing(self, record: Callable[[StreamStart], StreamRecord]) -> Callable[[], None] | None:
        """Return what does the same later, in a finaliser's stead, and raises nothing."""
        start, self._start = self._start, None
        return None if start is None else partial(self._observing.close_quietly, record(start))


def _failure(observer: Observer, error: Exception) -> ObserverError:
    """Name an operating system's reason; the text of other errors may hold anything."""
    reason = f": {error.strerror}" if isinstance(error, OSError) and error.strerror else ""
    name = type(observer).__name__
    failure = ObserverError(f"observer {name!r} failed ({type(error).__name__}{reason})")
    failure.__cause__ = error
    return failure
