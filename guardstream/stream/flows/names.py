"""Names and ids of tools, tool calls and the like: they cannot be masked, so they pass or block."""

from __future__ import annotations

import re
from collections.abc import Sequence

from guardstream.events import Event, Finding, Finish, Text, text_of
from guardstream.stream.flows.checks import Check

_ID = re.compile(r"(?=[^0-9]*[0-9])[\w.:|+/=-]{1,128}", re.ASCII)
"""An id that a provider generated: it has a digit and nothing that words need.

Random letters and digits match rules for numbers and keys by chance.
"""


class Names:
    """The names and ids in one stream; `memory` is how many code points are kept of each.

    A name may come in pieces, one in each chunk; it is complete when its call's arguments begin.
    """

    def __init__(self, check: Check, memory: int) -> None:
        self._check = check
        self._memory = memory
        self._current: dict[str, str] = {}  # the names in the current chunk, by path
        self._names: dict[str, str] = {}  # the beginnings of names that may continue, by path
        self._ids: dict[str, str] = {}  # the ids at each path, joined

    def judge(self, path: str, text: str) -> Sequence[Event]:
        """Return what a name, or an id, becomes."""
        if not path.endswith("name"):
            return self._judge_id(path, text)
        before = self._names.get(path, "")
        self._current[path] = (before + text)[-self._memory :]
        events = self._passed_or_blocked(text)
        if before and not isinstance(events[-1], Finish):
            joined = self._passed_or_blocked(before + text)
            if isinstance(joined[-1], Finish):
                return joined
        return events

    def _judge_id(self, path: str, text: str) -> Sequence[Event]:
        """Return what an id becomes, alone and joined with those before it; it is often
        repeated."""
        before = self._ids.get(path, "")
        if _ID.fullmatch(text) or before.endswith(text):
            return [Text(text)]
        events = self._passed_or_blocked(text)
        joined = self._passed_or_blocked(before + text) if before else events
        if isinstance(joined[-1], Finish) and not isinstance(events[-1], Finish):
            return joined
        self._ids[path] = (before + text)[-self._memory :]
        return events

    @property
    def may_continue(self) -> bool:
        """Whether names came that may continue."""
        return bool(self._current or self._names)

    def end_chunk(self, *, over: bool) -> None:
        """Record the end of a chunk: its names are `over`, or may continue."""
        self._names = {} if over else {**self._names, **self._current}
        self._current = {}

    def _passed_or_blocked(self, name: str) -> Sequence[Event]:
        events = self._check(name)
        if text_of(events) == name:
            return events
        found = [event for event in events if isinstance(event, Finding)]
        return [*found, Finish("content_filter")]
