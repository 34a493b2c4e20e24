"""Observers of streams: notified when a stream begins and when it has ended, without its text.

An observer has two methods, which must be fast and synchronous. Exporters for logs, metrics and
traces are observers.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from time import monotonic, time
from typing import Any, Literal, Protocol

from guardstream.errors import GuardstreamError, without_message
from guardstream.events import Finding, FinishReason
from guardstream.stream.result import Stats

__all__ = ["Observer", "ObserverError", "StreamRecord", "StreamStart"]

log = logging.getLogger("guardstream")


class ObserverError(GuardstreamError):
    """An observer failed with `observer_errors="raise"`; `__cause__` is its exception."""


@dataclass(frozen=True, slots=True)
class StreamStart:
    """The beginning of a stream. `started` is in seconds since the epoch, `id` is random.

    `policy`, `fingerprint` and `shadow` identify its policy; `attributes` are the caller's.
    """

    id: str
    started: float
    policy: str
    fingerprint: str
    shadow: bool
    attributes: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class StreamRecord:
    """The record of an ended stream, without its text.

    - `start`: the record of its beginning.
    - `format`: the name of its format; None if it ended before a first chunk.
    - `finish`: the finish reason; `blocked_by`: the id of the rule that blocked it, if any.
    - `error`: the type of the exception that ended it, if any; cancellations do not count.
    - `findings`: the findings of all choices and channels.
    - `stats`: counters and times.
    - `usage`: the provider's usage object.
    - `attempts`: how often its source was opened, if retries are on.
    """

    start: StreamStart
    format: str | None
    finish: FinishReason
    blocked_by: str | None
    error: str | None
    findings: Sequence[Finding]
    stats: Stats
    usage: Any = None
    attempts: int = 1


class Observer(Protocol):
    """An object that is notified of streams."""

    def opened(self, start: StreamStart) -> None:
        """Called before a stream is read for the first time."""
        ...

    def closed(self, record: StreamRecord) -> None:
        """Called at a stream's end, once for each opened stream."""
        ...


def check_observer(given: object) -> None:
    """Raise TypeError for an object without an observer's methods, instead of only logging it."""
    if isinstance(given, type):
        raise TypeError(f"an observer is an object, not the class {given.__qualname__!r}: call it")
    for method in ("opened", "closed"):
        if not callable(getattr(given, method, None)):
            kind = type(given).__qualname__
            needed = "an observer needs the methods 'opened' and 'closed'"
            raise TypeError(f"{needed}, which {kind!r} lacks")


@dataclass(frozen=True, slots=True)
class Observing:
    """The observers of a stream. Their errors are logged (`report`) or end it (`raise`).

    Each is notified even if another one fails. Errors of `strict` observers always end the stream.
    """

    observers: Sequence[Observer] = ()
    errors: Literal["report", "raise"] = "report"
    strict: Sequence[Observer] = ()
    policy: str = ""
    fingerprint: str = ""
    shadow: bool = False
    attributes: Mapping[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.observers or self.strict)

    def open(self, start: StreamStart) -> None:
        """Notify all of a beginning. Raises ObserverError if an error is to be raised."""
        self._notify(lambda observer: observer.opened(start))

    def close(self, record: StreamRecord) -> None:
        """Notify all of the end. Raises ObserverError if an error is to be raised."""
        self._notify(lambda observer: observer.closed(record))

    def close_quietly(self, record: StreamRecord) -> None:
        """Notify all of the end without raising, since no caller is left."""
        self._notify(lambda observer: observer.closed(record), quietly=True)

    def _notify(self, notify: Callable[[Observer], None], *, quietly: bool = False) -> None:
        raised: ObserverError | None = None
        groups = ((self.strict, True), (self.observers, self.errors == "raise"))
        for observer, raises in ((each, raises) for group, raises in groups for each in group):
            try:
                notify(observer)
            except Exception as error:
                failure = error if isinstance(error, ObserverError) else _failure(observer, error)
                if raises and not quietly and raised is None:
                    raised = failure
                else:
                    log.error("%s", failure)
        if raised is not None:
            raise raised


class Observation:
    """Notifies the observers of one stream, once of its beginning and once of its end."""

    def __init__(self, observing: Observing) -> None:
        self._observing = observing
        self._opened = False
        self._start: StreamStart | None = None

    def open(self) -> None:
        """Notify the observers of the beginning, the first time."""
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
        """Notify them of the end, if they know the beginning and not yet the end."""
        start, self._start = self._start, None
        if start is not None:
            self._observing.close(record(start))

    def closing(self, record: Callable[[StreamStart], StreamRecord]) -> Callable[[], None] | None:
        """Return a callable for a finaliser that does the same and raises nothing."""
        start, self._start = self._start, None
        return None if start is None else partial(self._observing.close_quietly, record(start))


class Joined:
    """Joins the records of several streams into one: attempts, or the stream before a gate.

    The observers are notified of one beginning and one end. A record that `waits` is kept until
    `settle`, because another attempt may follow, or a gate may change how the stream ended.
    """

    def __init__(self, observing: Observing, waits: Callable[[StreamRecord], bool]) -> None:
        self.concluding = False
        """Whether `settle` is sure to be called."""
        self._observing = observing
        self._waits = waits
        self._start: StreamStart | None = None
        self._began = self._part_began = 0.0
        self._parts = 0
        self._waiting: StreamRecord | None = None
        self._before: Sequence[Finding] = ()
        self._abandoned = False
        self._amend: Callable[[StreamRecord], StreamRecord] | None = None

    @property
    def observing(self) -> Observing:
        """The observing for the parts: records them here, and lets errors end them."""
        return replace(self._observing, observers=(), strict=(self,))

    def opened(self, start: StreamStart) -> None:
        """Record that a part begins."""
        self._parts += 1
        self._waiting, self._part_began = None, monotonic()
        if self._start is None:
            self._start, self._began = start, self._part_began
            self._observing.open(start)

    def closed(self, record: StreamRecord) -> None:
        """Record that a part ended."""
        self._waiting = self._joined(record)
        if self._abandoned:
            if record.error is not None:  # the source's answer to being closed
                self._waiting = replace(self._waiting, finish="cancelled", error=None)
            self._settle_abandoned()
        elif not (self.concluding or self._waits(record)):
            self.settle()

    def goes_on(self, findings: Sequence[Finding]) -> None:
        """Record that another part continues the delivered text, with these findings so far."""
        self._before = findings

    def settle(self, amend: Callable[[StreamRecord], StreamRecord] | None = None) -> None:
        """Notify the observers of the end, once; `amend` overrides fields of the last record.

        Raises ObserverError if an error is to be raised.
        """
        record, self._waiting = self._waiting, None
        if record is not None:
            self._observing.close(amend(record) if amend is not None else record)

    def abandon(self, amend: Callable[[StreamRecord], StreamRecord] | None = None) -> None:
        """The consumer has left, and nobody will call `settle`: report the end as soon as it is
        known, without raising. `amend` is as for `settle`."""
        self._abandoned = True
        self._amend = amend or self._amend
        self._settle_abandoned()

    def _settle_abandoned(self) -> None:
        record, self._waiting = self._waiting, None
        if record is not None:
            amend, self._amend = self._amend, None
            self._observing.close_quietly(amend(record) if amend is not None else record)

    def _joined(self, record: StreamRecord) -> StreamRecord:
        assert self._start is not None
        stats, later = record.stats, self._part_began - self._began
        return replace(
            record,
            start=self._start,
            attempts=max(self._parts, record.attempts),
            findings=(*self._before, *record.findings),
            stats=replace(
                stats,
                seconds=stats.seconds + later,
                first_received=_later(stats.first_received, later),
                first_released=_later(stats.first_released, later),
            ),
        )


def _later(seconds: float | None, by: float) -> float | None:
    return None if seconds is None else seconds + by


def _failure(observer: Observer, error: Exception) -> ObserverError:
    """Return an ObserverError that says what failed, without the message of `error`."""
    failure = ObserverError(
        f"observer {type(observer).__name__!r} failed ({without_message(error)})"
    )
    failure.__cause__ = error
    return failure
