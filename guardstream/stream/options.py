"""How a guarded stream is delivered: the caller's options, and their resolved form for a driver."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import inf
from time import monotonic
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from guardstream.amounts import check_seconds
from guardstream.events import Finding
from guardstream.stream.callbacks import Handlers, Returned
from guardstream.stream.flows.flow import Part
from guardstream.stream.observers import Observing
from guardstream.stream.result import Result, ToolCall

if TYPE_CHECKING:
    from guardstream.policy import Policy

__all__ = ["Deadlines", "Delivering"]


SETTLE = 0.5
"""After so many seconds of silence a sign of an end is believed. Chunks of one answer come some
milliseconds apart, and nobody notices that its last word is late by half a second."""


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Time limits in seconds, None for no limit.

    `first_token` is the longest time from the first read of the stream to the first chunk with
    text, `idle` the longest wait for a chunk, `total` the longest time in total. A stream that
    exceeds one ends with the finish reason `timeout`, and held text is dropped, unless its source
    has said that it ends. `settle` is how long text may be held after that.

    Raises TypeError for a value that is not a number, ValueError for one that is not positive.
    """

    first_token: float | None = None
    idle: float | None = None
    total: float | None = None
    settle: float = SETTLE

    def __post_init__(self) -> None:
        for name in ("first_token", "idle", "total"):
            check_seconds(name, getattr(self, name), none="no limit")
        check_seconds("settle", self.settle)

    def __bool__(self) -> bool:
        return not (self.first_token is None and self.idle is None and self.total is None)


class Watch:
    """Checks a stream's deadlines against a monotonic clock."""

    def __init__(self, deadlines: Deadlines, clock: Callable[[], float]) -> None:
        self.begun = False
        """Whether text has come."""
        self._first_token = _or_never(deadlines.first_token)
        self._idle = _or_never(deadlines.idle)
        self._total = _or_never(deadlines.total)
        self._clock = clock
        self._started: float | None = None
        self._waiting = 0.0

    def wait(self) -> None:
        """Record that the stream is waiting for the source."""
        self._waiting = self._clock()
        if self._started is None:
            self._started = self._waiting

    def remaining(self) -> float:
        """Return the seconds until the next deadline; zero or less if one has passed, or inf."""
        assert self._started is not None
        end = min(self._waiting + self._idle, self._started + self._total)
        if not self.begun:
            end = min(end, self._started + self._first_token)
        return end - self._clock()


def _or_never(seconds: float | None) -> float:
    return inf if seconds is None else seconds


class Delivering(TypedDict, total=False):
    """Options of `Guard.wrap` about delivery.

    `raise_on_block`: a block raises BlockedError after the last chunk. `keep_text=False`: delivered
    text is not kept for `result` and `text()`. `on_text`, `on_part`, `on_tool_call`, `on_finding`,
    `on_finish`: callbacks, sync or async, called before the chunk is handed out; if one raises, the
    stream ends with its error, or, with `callback_errors="report"`, the error's type is logged.
    `deadlines` (in seconds) take the place of the policy's; `clock` gives seconds, monotonic.
    `attributes` go into the record that observers get.
    """

    raise_on_block: bool
    keep_text: bool
    on_text: Callable[[str], Returned] | None
    on_part: Callable[[Part], Returned] | None
    on_tool_call: Callable[[ToolCall], Returned] | None
    on_finding: Callable[[Finding], Returned] | None
    on_finish: Callable[[Result], Returned] | None
    callback_errors: Literal["raise", "report"]
    deadlines: Deadlines | None
    clock: Callable[[], float]
    attributes: Mapping[str, str] | None


@dataclass(frozen=True, slots=True)
class Options:
    """How a stream is delivered. `extraction` has the default options of `guardstream.extract`,
    `policy` is the guard's policy."""

    raise_on_block: bool = False
    keep_text: bool = True
    handlers: Handlers = field(default_factory=Handlers)
    deadlines: Deadlines = field(default_factory=Deadlines)
    clock: Callable[[], float] = monotonic
    observing: Observing = field(default_factory=Observing)
    extraction: Mapping[str, Any] = field(default_factory=dict)
    policy: Policy | None = None
