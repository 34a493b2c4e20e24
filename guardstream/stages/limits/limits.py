"""Limits on a text: its length, stop sequences, and how often it may repeat itself.

They read the source's text before any other stage. Which limit ends a text, and where, depends on
the text alone, not on the chunks: it is the limit that is reached at the earliest character. Other
choices of the stream continue.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from guardstream.events import Action, Event, Finding, FindingKind, Finish, Text
from guardstream.stages.limits.bounds import Bound, Characters, Count, End, Lines, Tokens
from guardstream.stages.limits.repeat import Loops, RepeatScan
from guardstream.stages.limits.stop import Sequences, StopScan

__all__ = ["LimitSet", "Limits", "Loops", "TokenLimit"]


class TokenLimit(NamedTuple):
    """At most `most` tokens, counted by `count`; see `guardstream.stages.limits.bounds.Tokens`."""

    most: int
    count: Count


class LimitSet:
    """Some limits, shared between streams and threads; `stage` begins one text.

    - `max_chars`, `max_lines`, `tokens`: a longer text ends there, as `length`.
    - `stop`: a text ends before the first of these sequences, as `stop`. Text that may be the
      beginning of one is held.
    - `repeat`: a text that repeats itself ends after the last copy, as `length`.
    """

    def __init__(
        self,
        *,
        max_chars: int | None = None,
        max_lines: int | None = None,
        tokens: TokenLimit | None = None,
        stop: Iterable[str] = (),
        repeat: Loops | None = None,
    ) -> None:
        self._max_chars = max_chars
        self._max_lines = max_lines
        self._tokens = tokens
        self._repeat = repeat
        stop = tuple(stop)
        self._sequences = Sequences(stop) if stop else None

    def __bool__(self) -> bool:
        """Whether anything is limited."""
        return bool(self._sequences or self.bounds())

    def bounds(self) -> list[Bound]:
        """Return the limits of one text, without stop sequences."""
        bounds: list[Bound] = []
        if self._max_chars is not None:
            bounds.append(Characters(self._max_chars))
        if self._max_lines is not None:
            bounds.append(Lines(self._max_lines))
        if self._repeat is not None:
            bounds.append(RepeatScan(self._repeat))
        if self._tokens is not None:
            bounds.append(Tokens(*self._tokens))
        return bounds

    def stage(self) -> Limits:
        """Return a stage for one pipeline."""
        sequences = self._sequences
        return Limits(self.bounds(), StopScan(sequences) if sequences else None)


class Limits:
    """One text's limits; a Stage. Made by `LimitSet.stage`."""

    def __init__(self, bounds: list[Bound], stop: StopScan | None) -> None:
        # Stop sequences read last: when another limit ends the text, they still hold theirs.
        self._bounds: list[Bound] = [*bounds, stop] if stop else bounds
        self._stop = stop
        self._position = 0
        self._tail = ""
        self._finished = False

    @property
    def held(self) -> int:
        """How many code points of the source are held back now."""
        return len(self._tail)

    def feed(self, text: str) -> list[Event]:
        """Take the next characters and return the events that are settled."""
        if self._finished or not text:
            return []
        start, end = self._position, None
        for bound in self._bounds:
            found = bound.read(text, start)
            if found is not None and (end is None or _before(found, end)):
                end = found
                text = text[: end.at - start + 1]
        self._position = start + len(text)
        held = self._stop.held if self._stop else 0
        if end is not None:
            return self._ended(text, end, held)
        if not held and not self._tail:
            return [Text(text)]
        tail = self._tail + text
        release = len(tail) - held
        self._tail = tail[release:]
        return [Text(tail[:release])] if release else []

    def finish(self) -> list[Event]:
        """Take the source's end, and release what might have been the beginning of a sequence."""
        if self._finished:
            return []
        self._finished = True
        tail, self._tail = self._tail, ""
        return [Text(tail), Finish("stop")] if tail else [Finish("stop")]

    def _ended(self, text: str, end: End, held: int) -> list[Event]:
        tail, self._tail = self._tail + text, ""
        self._finished = True
        cut = end.cut if end.reason == "stop" else min(end.cut, self._position - held)
        shown = tail[: cut - (self._position - len(tail))]
        action: Action = "block" if end.failed else "stop"
        kind: FindingKind = "rule_error" if end.failed else "match"
        finding = Finding(end.rule, end.start, end.end, action, kind=kind)
        finish = Finish(end.reason, ends="stream" if end.failed else "choice")
        return [*([Text(shown)] if shown else []), finding, finish]


def _before(one: End, other: End) -> bool:
    """Return whether a limit ends the text before another; a stop sequence wins a tie."""
    return (one.at, one.cut, one.reason != "stop") < (other.at, other.cut, other.reason != "stop")
