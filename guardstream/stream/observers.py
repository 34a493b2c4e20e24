"""Who watches streams: told when one begins and when it has ended, never what was matched.

An observer has two methods, both quick and sync. Exporters for logs, metrics and traces are such.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from time import monotonic, time
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
    """A stream that has ended. No text of it.

    - `start`: what was known when it was opened.
    - `provider`: the name of its format; None if it ended before a first chunk.
    - `finish`: the finish reason; `blocked_by`: the id of the rule that blocked it, if one did.
    - `error`: the type of the exception that ended it, if one did; a cancellation is none.
    - `findings`: what the rules have found, over all choices and channels.
    - `stats`: its counters and times.
    - `usage`: the provider's own.
    - `attempts`: how often its source was opened, where it is opened again.
    """

    start: StreamStart
    provider: str | None
    finish: FinishReason
    blocked_by: str | None
    error: str | None
    findings: Sequence[Finding]
    stats: Stats
    usage: Any = None
    attempts: int = 1


class Observer(Protocol):
    """Something that is told about streams."""

    def opened(self, start: StreamStart) -> None:
        """Take note of a stream that is about to be read for the first time."""
        ...

    def closed(self, record: StreamRecord) -> None:
        """Take note of a stream's end; called once for each that was opened."""
        ...


def check_observer(given: object) -> None:
    """Refuse what cannot be told of streams: its failures would only be logged."""
    if isinstance(given, type):
        raise TypeError(f"an observer is an object, not the class {given.__qualname__!r}: call it")
    for method in ("opened", "closed"):
        if not callable(getattr(given, method, None)):
            kind = type(given).__qualname__
            raise TypeError(f"an observer has the methods 'opened' and 'closed', {kind!r} has not")


@dataclass(frozen=True, slots=True)
class Observing:
    """The observers of a stream. An error of theirs is logged (`report`) or ends it (`raise`).

    Each is told, whatever another one does. Errors of `strict` ones always end it.
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
        """Tell all that a stream begins. ObserverError if that is asked for."""
        self._tell(lambda observer: observer.opened(start))

    def close(self, record: StreamRecord) -> None:
        """Tell all that it has ended. ObserverError if that is asked for."""
        self._tell(lambda observer: observer.closed(record))

    def close_quietly(self, record: StreamRecord) -> None:
        """Tell all that it has ended, where nobody is left who could be told of an error."""
        self._tell(lambda observer: observer.closed(record), quietly=True)

    def _tell(self, tell: Callable[[Observer], None], *, quietly: bool = False) -> None:
        raised: ObserverError | None = None
        groups = ((self.strict, True), (self.observers, self.errors == "raise"))
        for observer, raises in ((each, raises) for group, raises in groups for each in group):
            try:
                tell(observer)
            except Exception as error:
                failure = error if isinstance(error, ObserverError) else _failure(observer, error)
                if raises and not quietly and raised is None:
                    raised = failure
                else:
                    log.error("%s", failure)
        if raised is not None:
            raise raised


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


class Joined:
    """An observer of streams that make up one: attempts at it, or the stream before a gate.

    The observers are told once that it begins, and once how it ended. A record that `waits` is kept
    until `settle`: another attempt may follow, or a gate may say how the stream really ended.
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

    @property
    def observing(self) -> Observing:
        """What the parts are given: their records come here, and errors from here end them."""
        return replace(self._observing, observers=(), strict=(self,))

    def opened(self, start: StreamStart) -> None:
        """Take note of a part that begins."""
        self._parts += 1
        self._waiting, self._part_began = None, monotonic()
        if self._start is None:
            self._start, self._began = start, self._part_began
            self._observing.open(start)

    def closed(self, record: StreamRecord) -> None:
        """Take note of a part that ended."""
        self._waiting = self._joined(record)
        if not (self.concluding or self._waits(record)):
            self.settle()

    def goes_on(self, findings: Sequence[Finding]) -> None:
        """Take note that another part goes on after what was delivered, with these findings."""
        self._before = findings

    def settle(self, said: Callable[[StreamRecord], StreamRecord] | None = None) -> None:
        """Tell the observers how all of it ended, once; `said` corrects what the last part says.

        ObserverError if that is asked for.
        """
        record, self._waiting = self._waiting, None
        if record is not None:
            self._observing.close(said(record) if said is not None else record)

    def settle_quietly(self) -> None:
        """Do the same where nobody is left who could be told of an error."""
        record, self._waiting = self._waiting, None
        if record is not None:
            self._observing.close_quietly(record)

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
    """Name an operating system's reason; the text of other errors may hold anything."""
    reason = f": {error.strerror}" if isinstance(error, OSError) and error.strerror else ""
    name = type(observer).__name__
    failure = ObserverError(f"observer {name!r} failed ({type(error).__name__}{reason})")
    failure.__cause__ = error
    return failure
