"""Marks of chunks, such as ids and kinds: one that a rule changes does not go out."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

from guardstream.events import Event, Finish, Text
from guardstream.providers.toolkit.paths import spoken
from guardstream.stream.flows.across import spanning
from guardstream.stream.flows.checks import Check, is_unchanged

_MOST = 4096
"""How many marks of one stream are judged; further ones do not go out."""


class Marks:
    """The marks of one stream; `memory` is how many code points are kept of each place.

    `is_idle` returns whether no rule applies to marks. `found` are the findings that are not
    reported yet, with their paths.
    """

    def __init__(self, check: Check, memory: int, is_idle: Callable[[], bool]) -> None:
        self.found: list[tuple[str, Sequence[Event]]] = []
        self._check = check
        self._memory = memory
        self._is_idle = is_idle
        self._passed: dict[Hashable, str] = {}  # those that went out, joined, by place
        self._decided: dict[tuple[Hashable, str], bool] = {}

    def passes(self, place: Hashable, mark: str) -> bool:
        """Return whether a mark goes out: no rule changes it, alone or joined with earlier ones
        there.

        The result stays the same for the stream, and findings are recorded once. Marks beyond the
        limit do not go out.
        """
        passes = self._decided.get((place, mark))
        if passes is not None or self._is_idle():
            return passes is not False
        if len(self._decided) == _MOST:
            return False
        tail = self._passed.get(place, "")
        joined = tail + mark
        events = self._check(mark)
        passes = is_unchanged(events, mark)
        if passes and tail:
            both = self._check(joined)
            passes = is_unchanged(both, joined)
            ends = [each for each in both if isinstance(each, Finish)]
            events = [*events, *spanning(both, len(tail)), *ends]
        events = [each for each in events if not isinstance(each, Text)]
        if events:
            path = spoken(place) if isinstance(place, tuple) else f"$.{place}"
            self.found.append((path, events))
        self._decided[place, mark] = passes
        if passes:
            self._passed[place] = joined[-self._memory :]
        return passes
