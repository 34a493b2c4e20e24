"""Your own stages: two methods, and a wrapper that makes them safe in a pipeline.

A stage is any object with `feed(text)` and `finish()`, which return the events that are settled by
then. They must not depend on how the text is chunked; `guardstream.testing.check_stage` checks
that. If a stage breaks the contract, the stream ends closed, as `error`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias, get_args

from guardstream.errors import StageError
from guardstream.events import (
    UNKNOWN,
    Action,
    Channel,
    Event,
    Finding,
    FindingKind,
    Finish,
    FinishReason,
    Severity,
    Text,
)
from guardstream.hints import check_known, hint

__all__ = ["Checked", "CustomStage", "Position", "StagePlan"]

Position: TypeAlias = Literal["before", "after"]


def known_channels(given: Iterable[str] | None) -> frozenset[str] | None:
    """Return the channels, None for all.

    Raises ValueError for an unknown channel, and for an empty list, which would guard nothing.
    """
    if given is None:
        return None
    if isinstance(given, str):
        raise TypeError(f"channels= needs a list, such as [{given!r}], not one text")
    known = (*get_args(Channel), UNKNOWN)
    channels = []
    for channel in given:
        if channel not in known:
            raise ValueError(f"unknown channel {channel!r}, {hint(str(channel), known)}")
        channels.append(channel)
    if not channels:
        raise ValueError("channels= is empty: leave it out for all channels")
    return frozenset(channels)


class CustomStage(Protocol):
    """The interface of your own stage.

    It may also have `held`, an attribute or property: how many code points it holds now.
    """

    def feed(self, text: str) -> Sequence[Event]:
        """Take the next characters, at least one; return the events that are settled.

        A Finish ends the stream: nothing is fed after it.
        """
        ...

    def finish(self) -> Sequence[Event]:
        """Take the text's end; return the remaining events. A Finish with `stop` is optional."""
        ...


@dataclass(frozen=True, slots=True)
class StagePlan:
    """Where your own stage runs, and how it is created.

    - `make`: called for each pipeline, returns a stage.
    - `name`: names the stage in errors.
    - `position`: "before" the rules it sees the source's text, within the limits; "after" them it
      sees guarded text, and the text that it adds is not guarded.
    - `channels`: all if None.

    Raises ValueError for an unknown position or channel.
    """

    make: Callable[[], CustomStage]
    name: str
    position: Position = "after"
    channels: frozenset[str] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "channels", known_channels(self.channels))
        check_known("position", self.position, get_args(Position))

    def stage(self) -> Checked:
        """A stage for one pipeline."""
        return Checked(self.make(), self.name)


def planned(stages: Iterable[Callable[[], CustomStage] | StagePlan]) -> list[StagePlan]:
    """Return the plans of a list of stages. Raises TypeError for anything but callables, plans."""
    if not isinstance(stages, Iterable):
        given = type(stages).__qualname__
        raise TypeError(f"stages= needs a list, such as [Stage], not {given!r}")
    return [each if isinstance(each, StagePlan) else _plan(each) for each in stages]


def _plan(make: Callable[[], CustomStage]) -> StagePlan:
    if not callable(make):
        raise TypeError(
            "stages= needs functions that create stages, such as their classes, because each text "
            f"gets a stage of its own, not {type(make).__qualname__!r}"
        )
    return StagePlan(make, getattr(make, "__name__", type(make).__name__))


class Checked:
    """A Stage around your own stage that enforces the contract.

    Raises StageError if it returns anything but events, an invalid span, or an event after a
    Finish.
    """

    def __init__(self, stage: CustomStage, name: str) -> None:
        for method in ("feed", "finish"):
            if not callable(getattr(stage, method, None)):
                raise StageError(f"stage {name!r} has no method {method!r}")
        self._stage = stage
        self._name = name
        self._finished = False

    @property
    def held(self) -> int:
        """The stage's `held`, or 0 if it has none.

        Raises StageError if that is not a number, or is negative.
        """
        if self._finished:
            return 0
        held = getattr(self._stage, "held", 0)
        if type(held) is not int or held < 0:
            raise StageError(f"stage {self._name!r}: 'held' must be a number of code points")
        return held

    def feed(self, text: str) -> list[Event]:
        """Take the next characters and return the events that are settled."""
        if self._finished or not text:
            return []
        return self._checked(self._stage.feed(text))

    def finish(self) -> list[Event]:
        """Take the text's end and return the remaining events, ending with a Finish."""
        if self._finished:
            return []
        events = self._checked(self._stage.finish())
        if not self._finished:
            events.append(Finish("stop"))
            self._finished = True
        return events

    def _checked(self, given: Sequence[Event]) -> list[Event]:
        if not isinstance(given, Sequence) or isinstance(given, str):
            raise self._error(_refusal(given))
        events = [event for event in given if event != Text("")]
        for event in events:
            if self._finished:
                raise self._error("returned an event after a Finish")
            self._check(event)
            self._finished = isinstance(event, Finish)
        return events

    def _check(self, event: Any) -> None:
        if type(event) is Text:
            valid = type(event.text) is str
        elif type(event) is Finding:
            valid = _is_finding(event)
        elif type(event) is Finish:
            valid = event.reason in get_args(FinishReason)
        else:
            raise self._error(f"returned {type(event).__name__!r}, which is not an event")
        if not valid:
            raise self._error(f"returned a {type(event).__name__} with an invalid value")

    def _error(self, message: str) -> StageError:
        self._finished = True
        return StageError(f"stage {self._name!r} {message}")


def _refusal(given: object) -> str:
    if inspect.iscoroutine(given):
        given.close()
        return "is asynchronous: put what waits behind a gate"
    return f"returned {type(given).__name__!r} instead of a list"


def _is_finding(finding: Finding) -> bool:
    span = finding.start, finding.end
    return (
        all(type(offset) is int for offset in span)
        and 0 <= finding.start <= finding.end
        and isinstance(finding.rule, str)
        and finding.action in get_args(Action)
        and finding.severity in get_args(Severity)
        and finding.kind in get_args(FindingKind)
    )
