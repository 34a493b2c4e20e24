"""Text at paths that no adapter knows: guarded at once, alone and with what came before it.

Nobody can tell whether such a field streams an answer or says something once. So each value is
judged as a text of its own, without delay, and once more after the last characters that came at
its path: where only the two together match, the value in hand is masked or the stream blocked. Of
such a match the beginning may be out, never the whole.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Sequence

from guardstream.errors import AdapterError
from guardstream.events import Event, Finding, Finish, Text
from guardstream.providers.adapter import Piece, Slot
from guardstream.providers.paths import spoken

PATHS = 65_536
"""How many unknown paths a stream may have: the description of a large API has half as many."""

_REMEMBERED = 256
"""How many texts are remembered with what became of them, of those that often come again."""

REQUESTED = 4096
"""How many texts of the request are told apart; more are left out."""

_SHORT = 1024
"""How many code points a text has at most that is kept with what became of it."""

_LONG = 8
"""How many code points a value has at least that is known again by them."""

_ID = re.compile(r"(?=[^0-9]*[0-9])[\w.:|+/=-]{1,128}", re.ASCII)
"""What looks like an id that a provider made up: a digit in it, and nothing that words need.

Random letters and digits match rules for numbers and keys by chance.
"""

Check = Callable[[str], Sequence[Event]]
"""Guards a whole text."""


class UnknownTexts:
    """What came at each unknown path of one stream; `memory` is how many code points are kept.

    `is_idle` tells whether there is no rule at all for such text: then it passes, however much.
    """

    def __init__(self, check: Check, memory: int, is_idle: Callable[[], bool]) -> None:
        self._check = check
        self._memory = memory
        self._tails: dict[Hashable, str] = {}
        self._tails_of: dict[Hashable, str] = {}  # by path and kind of event
        self._kinds: dict[str, int] = {}  # the first kind that had a path
        self._mixed: set[str] = set()  # paths that several have
        self._grown: dict[Hashable, str] = {}  # the last value of each path that only grew
        self._last: dict[Hashable, tuple[str, Sequence[Event]]] = {}
        self._shown: dict[str, str] = {}
        self._requested: dict[Slot, tuple[str, str]] = {}  # each text of it, and those before it
        self._marks: dict[Hashable, str] = {}  # those that went out, by their places
        self._decided: dict[tuple[Hashable, str], bool] = {}
        self.found: list[tuple[str, Sequence[Event]]] = []  # in marks, by path, yet to be reported
        self._harmless: set[str] = set()
        self._naming: dict[str, str] = {}  # the names in the chunk in hand
        self._names: dict[str, str] = {}  # what came before it of names that are not over
        self._ids: dict[str, str] = {}  # those in each place, one after another
        self._is_idle = is_idle
        self._idle: bool | None = None

    def shown(self, path: str) -> str:
        """Return how findings name a path: keys in it may hold text that rules find."""
        if path not in self._shown:
            clean = not any(isinstance(event, Finding) for event in self._check(path))
            self._shown[path] = path if clean else "$"
        return self._shown[path]

    def judge(self, path: str, text: str, of: int = 0) -> Sequence[Event]:
        """Return what becomes of a value; AdapterError if there are too many paths.

        `of` is the number of the kind of event that it stands in: where several kinds have text at
        a path, each goes on with its own, too.
        """
        if self._passes_all():
            return [Text(text)]
        if path.endswith("~"):
            return self._judge_key(text)
        alone = self._checked(("", path), text)
        if path not in self._tails and len(self._tails) == PATHS:
            raise AdapterError(f"text at more than {PATHS} paths that are not known: blocked")
        keys: list[Hashable] = [path]
        if self._several(path, of):
            keys.append((path, of))
        for key in keys:
            across = self._joined(key, text)
            if across and not isinstance(alone[-1], Finish):
                alone = across
        return alone

    def _several(self, path: str, of: int) -> bool:
        """Tell whether several kinds of events have text at a path, this one too."""
        first = self._kinds.setdefault(path, of)
        if first != of and path not in self._mixed:
            self._mixed.add(path)
            self._tails_of[path, first] = self._tails[path]
        return path in self._mixed and len(self._tails_of) < REQUESTED

    def _joined(self, key: Hashable, text: str) -> Sequence[Event]:
        """Return what a match asks for that began in a value before; nothing if there is none."""
        tails = self._tails if isinstance(key, str) else self._tails_of
        apart = self._is_apart(key, text, known=key in tails)
        tail = tails.get(key, "")
        joined = tail + text
        tails[key] = joined[-self._memory :]
        if not tail or apart:
            return ()
        return self._across(self._checked(key, joined), len(tail), joined)

    def _checked(self, place: Hashable, text: str) -> Sequence[Event]:
        """Guard a text, which is often the one that stood in its place before.

        That is so of values that are in each chunk, such as a region: joined with those before
        them they soon are the same, too.
        """
        last, events = self._last.get(place, ("", ()))
        if text != last:
            events = self._check(text)
            if len(text) <= _SHORT and (place in self._last or len(self._last) < _REMEMBERED):
                self._last[place] = text, events
        return events

    def goes_on(self, piece: Piece) -> bool:
        """Tell whether a text that is not said may go on what stood in its place before it.

        What the request said is nearly always the same once more.
        """
        last, tail = self._requested.get(piece.slot, ("", ""))
        if piece.text == last:
            return True
        if not last and len(self._requested) == REQUESTED:
            return False
        joined = tail + piece.text
        self._requested[piece.slot] = piece.text, joined[-self._memory :]
        return not last or self._is_unchanged(joined)

    def passes(self, place: Hashable, mark: str) -> bool:
        """Tell whether a mark goes out: if no rule changes it, nor it and those before it there.

        The answer stays the same, and what rules find is noted once. Marks that are too many do not
        go out.
        """
        passes = self._decided.get((place, mark))
        if passes is not None or self._passes_all():
            return passes is not False
        if len(self._decided) == REQUESTED:
            return False
        tail = self._marks.get(place, "")
        joined = tail + mark
        events = self._noted(mark, self._check(mark))
        passes = _is_same(events, mark)
        if passes and tail:
            across = self._check(joined)
            passes = _is_same(across, joined)
            ends = [each for each in across if isinstance(each, Finish)]
            events = [*events, *_over(across, len(tail)), *ends]
        events = [each for each in events if not isinstance(each, Text)]
        if events:
            path = spoken(place) if isinstance(place, tuple) else f"$.{place}"
            self.found.append((path, events))
        self._decided[place, mark] = passes
        if passes:
            self._marks[place] = joined[-self._memory :]
        return passes

    def _is_unchanged(self, text: str) -> bool:
        if text in self._harmless:
            return True
        return _is_same(self._noted(text, self._check(text)), text)

    def _passes_all(self) -> bool:
        if self._idle is None:
            self._idle = self._is_idle()
        return self._idle

    def is_harmless(self, key: str) -> bool:
        """Tell whether nothing is to be said about a key."""
        return self._judge_key(key)[-1] == Text(key)

    def _judge_key(self, key: str) -> Sequence[Event]:
        """Return what becomes of a key, which no other goes on with."""
        if key in self._harmless:
            return [Text(key)]
        return self._noted(key, self._check(key))

    def _noted(self, text: str, events: Sequence[Event]) -> Sequence[Event]:
        """Remember a text of which nothing is to be said: names and keys come again and again."""
        if len(events) == 1 and len(self._harmless) < _REMEMBERED and events[0] == Text(text):
            self._harmless.add(text)
        return events

    def _is_apart(self, path: Hashable, text: str, *, known: bool) -> bool:
        """Tell whether a value goes on with none before it: it says all that came, once more.

        That is so for a path where each value has begun with the one before it, ever since the
        first; a short one may do so by chance.
        """
        before = self._grown.get(path)
        grows = before is not None and len(before) >= _LONG and text.startswith(before)
        if grows or not known:
            self._grown[path] = text
        else:
            self._grown.pop(path, None)
        return grows

    def judge_name(self, path: str, text: str) -> Sequence[Event]:
        """Return what becomes of a name: nothing can stand for it, so it passes or blocks.

        A name may come in parts, a chunk each; it is over when its call's arguments come.
        """
        if not path.endswith("name"):
            return self._judge_id(path, text)
        before = self._names.get(path, "")
        self._naming[path] = (before + text)[-self._memory :]
        if text not in self._harmless:
            events = self._noted(text, self._passed_or_blocked(text))
            if len(events) > 1 or not before:
                return events
        if before:
            joined = self._passed_or_blocked(before + text)
            if isinstance(joined[-1], Finish):
                return joined
        return [Text(text)]

    def _judge_id(self, path: str, text: str) -> Sequence[Event]:
        """Return what becomes of an id, alone and with those before it; it is often repeated."""
        before = self._ids.get(path, "")
        if _ID.fullmatch(text) or before.endswith(text):
            return [Text(text)]
        events = self._noted(text, self._passed_or_blocked(text))
        joined = self._passed_or_blocked(before + text) if before else events
        if isinstance(joined[-1], Finish) and not isinstance(events[-1], Finish):
            return joined
        self._ids[path] = (before + text)[-self._memory :]
        return events

    @property
    def has_names(self) -> bool:
        """Whether names came that may go on."""
        return bool(self._naming or self._names)

    def note_names(self, *, over: bool) -> None:
        """Take notice of the end of a chunk: names are `over` now, or may go on."""
        self._names = {} if over else {**self._names, **self._naming}
        self._naming = {}

    def _passed_or_blocked(self, name: str) -> Sequence[Event]:
        events = self._check(name)
        if "".join([event.text for event in events if isinstance(event, Text)]) == name:
            return events
        found = [event for event in events if isinstance(event, Finding)]
        return [*found, Finish("content_filter")]

    @staticmethod
    def _across(events: Sequence[Event], border: int, joined: str) -> list[Event]:
        """Return what a match across the border asks for; nothing if there is none."""
        across = _over(events, border)
        if not across:
            return []
        if isinstance(events[-1], Finish) and events[-2] in across:
            return [across[-1], events[-1]]
        said = "".join([event.text for event in events if isinstance(event, Text)])
        if said == joined or all(event.action == "monitor" for event in across):
            return [Text(joined[border:]), *across]
        return [Text(f"[{across[0].rule}]"), *across]


def _over(events: Sequence[Event], border: int) -> list[Finding]:
    """Return the findings that go over a border."""
    return [
        event for event in events if isinstance(event, Finding) and event.start < border < event.end
    ]


def _is_same(events: Sequence[Event], text: str) -> bool:
    """Tell whether events release a text as it is, and end nothing."""
    said = "".join([event.text for event in events if isinstance(event, Text)])
    return said == text and not (events and isinstance(events[-1], Finish))
