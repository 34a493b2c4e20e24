"""Text at paths that no adapter knows: guarded at once, alone and together with earlier text.

Whether such a field streams an answer is unknown. So each value is judged as a text of its own,
without delay, and once more after the last characters at its path: if only the two together match,
the value is masked or the stream blocked. The beginning of such a match may have been released,
never all of it. That a value begins with the previous one does not prove that it repeats it: text
may repeat itself, too.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from guardstream.errors import AdapterError
from guardstream.events import Event, Finding, Finish, Text, text_of
from guardstream.formats.adapter import Beside, Piece
from guardstream.formats.toolkit.fields import KIND_ENDS
from guardstream.stream.flows.checks import Across, Check, is_unchanged, matches_across, severity
from guardstream.stream.flows.nested.judged import (
    HIDDEN,
    Judged,
    Reading,
    found_within,
    merged,
    revealed,
    without_overlaps,
)
from guardstream.stream.flows.nested.strings import begins_anew, strings
from guardstream.stream.flows.nested.values import Nested, values_beside, with_strings, written_in
from guardstream.stream.flows.recurring import Tail, without
from guardstream.stream.flows.told_apart import Divided, Name, ToldApart, label_of, own_name

PATHS = 65_536
"""How many unknown paths a stream may have: twice the number in the description of a large API."""

_MOST_APART = 4096
"""Of how many paths the text without its matches is kept, too."""

_PLACES = 256
"""How many places of strings in JSON are told apart in one stream, as kinds of events are."""

_NAMING = 4
"""The minimum length of a string in JSON that may name a kind or a role, in code points."""

_KIND = re.compile(r"[\w.:/-]{1,64}")
"""The name of a kind: one word."""


class _Source(NamedTuple):
    """Where a value comes from: the number of its kind of event, the event's name, and the fields
    beside it."""

    of: int
    name: str
    beside: Beside


class _Before(NamedTuple):
    """The texts that a value may continue: that of its path, unless others tell it apart, and those
    by the fields beside it."""

    tail: Tail | None
    texts: Mapping[Name, Divided]

    def readings(self, text: str, depth: int) -> Sequence[Reading]:
        """Return what is in a value that is JSON or events, or continues those that a text ends in.

        Records in each text what it ends in after the value.
        """
        of_path = () if self.tail is None else (self.tail,)
        divided = [(name, each.tail) for name, each in self.texts.items()]
        tails = [*of_path, *(tail for _, tail in divided)]
        begun = {tail.begun for tail in tails} or {""}
        if any(begun) and begins_anew(text):
            begun.add("")
        found = {each: strings(text, depth, each) for each in begun}
        names = {name for name, _ in divided if isinstance(name, str)}
        if len(begun) == 1:
            ((before, only),) = found.items()
            if before == only.begun:  # as of a text that is no JSON
                return [Reading(only, (), None if of_path else names)] if only.values else ()
        ends = {"", *(tail.begun for tail in of_path)} if of_path else ()
        readings = []
        # What continues a text is read first: its place in JSON is known best there.
        for each in sorted(begun, reverse=True):
            of = _named(name for name, tail in divided if tail.begun == each)
            readings.append(Reading(found[each], names - of, None if each in ends else of))
        for tail in tails:
            tail.begun = found[tail.begun].begun
        return readings


def _named(names: Iterable[Name]) -> set[str]:
    """Return the fields in some names."""
    return {each for name in names for each in ([name] if isinstance(name, str) else name)}


class UnknownTexts:
    """What came at each unknown path of one stream: `memory` code points of each are kept.

    `is_idle` returns whether no rule applies to such text: then it passes, however much it is.
    """

    def __init__(self, check: Check, memory: int, is_idle: Callable[[], bool]) -> None:
        self._check = check
        self._memory = memory
        self._is_idle = is_idle
        self._tails: dict[str, Tail] = {}
        self._bare: dict[str, Tail] = {}  # by path: its text without its matches
        self._apart = ToldApart(memory)
        self._kinds: set[tuple[str, type]] = set()  # the paths with kinds, or with event names
        self._places: dict[tuple[int, str], int] = {}  # numbers of the places of strings in JSON
        self._shown: dict[str, str] = {}

    def shown(self, path: str) -> str:
        """Return how findings name a path: its keys may contain text that rules find."""
        if path not in self._shown:
            clean = not any(isinstance(event, Finding) for event in self._check(path))
            self._shown[path] = path if clean else "$"
        return self._shown[path]

    def judge(
        self, path: str, text: str, of: int = 0, name: str = "", beside: Beside = ()
    ) -> Sequence[Event]:
        """Return what a value becomes. Raises AdapterError if there are too many paths.

        `of` is the number of its kind of event, `name` the event's name, if it has one, `beside`
        the fields beside it. If several kinds or names have text at a path, the text of each is
        also joined separately, and so is the text with the same value in one of these fields. If
        the value is JSON, its strings are judged likewise: escapes may hide, events divide them.
        """
        if self._is_idle():
            return [Text(text)]
        if path.endswith("~"):
            return self._check(text)  # no other key continues it
        own = own_name(path)
        others = [each for each in beside if each[0] != own]
        return self._judge_value(path, text, _Source(of, name, others))

    def _judge_value(
        self,
        path: str,
        text: str,
        source: _Source,
        *,
        may_recur: bool = False,
        depth: int = 0,
        only_of: Collection[str] | None = None,
    ) -> Sequence[Event]:
        """Return what a value becomes: judge its strings, if it is JSON, then all as it is written.

        `depth` is how many events are around it. If one of the fields `only_of` divides the path's
        text, the value continues only texts that fields tell apart.
        """
        if path not in self._tails and len(self._tails) == PATHS:
            raise AdapterError(f"text at more than {PATHS} paths that are not known: blocked")
        before = self._before(path, text, source)
        if only_of is not None and not before.texts.keys().isdisjoint(only_of):
            before = before._replace(tail=None)
        judged = self._judge_strings(path, text, before.readings(text, depth), source)
        if judged and isinstance(judged[-1][1][-1], Finish):
            return [each for _, events in judged for each in events if not isinstance(each, Text)]
        changes = {
            nested: written_in(text, nested, text_of(events))
            for nested, events in judged
            if not is_unchanged(events, nested.value)
        }
        hidden = with_strings(text, dict.fromkeys(changes, HIDDEN)) if changes else text
        written = self._judge_written(path, hidden, before, may_recur=may_recur)
        found = found_within(judged, changes, written)
        return [*found, *(revealed(written, hidden, changes.values()) if changes else written)]

    def _before(self, path: str, text: str, source: _Source) -> _Before:
        """Return what a value may continue: the kinds of its event and the event's name tell it
        apart as the fields beside it do."""
        beside, tail = [*source.beside], self._tail(path)
        beside += [("(kind)", source.of)] if source.of or (path, int) in self._kinds else []
        beside += [("(name)", source.name)] if source.name or (path, str) in self._kinds else []
        self._kinds.update([(path, type(each)) for each in (source.of, source.name) if each])
        return _Before(tail, self._apart.texts(path, text, tail, beside) if beside else {})

    def _judge_strings(
        self, path: str, text: str, readings: Sequence[Reading], source: _Source
    ) -> list[Judged]:
        """Return the strings and numbers in a value in which something is found, each with what it
        becomes.

        What several readings of the value share is judged once.
        """
        judged: list[Judged] = []
        masks: _Masks | None = None
        for nested, telling, not_of, only_of in merged(readings):
            if nested.is_number:
                masks = masks or _Masks(text, self._check(text))
                events = self._judge_number(nested, masks)
            elif nested.is_key:
                events = self._judge_key(nested)
            else:
                beside = [each for each in source.beside if each[0] not in not_of]
                others = source._replace(beside=[*beside, *values_beside(nested, telling)])
                events = self._judge_string(path, nested, others, only_of)
            is_clean = all(isinstance(each, Text) for each in events)
            if not (is_clean and is_unchanged(events, nested.value)):
                judged.append((nested, events))
                if isinstance(events[-1], Finish):
                    return judged
        return judged if len(readings) == 1 else without_overlaps(judged)

    def _judge_key(self, key: Nested) -> Sequence[Event]:
        """Return what a key becomes, or its rest, if it began in an earlier value."""
        events = self._check(key.whole)
        if not key.before or isinstance(events[-1], Finish):
            return events
        found = [each for each in events if isinstance(each, Finding)]
        found = [each for each in found if each.end > len(key.before)]
        masks = found and not is_unchanged(events, key.whole)
        return [Text(f"[{found[0].rule}]" if masks else key.value), *found]

    def _judge_string(
        self,
        path: str,
        nested: Nested,
        source: _Source,
        only_of: Collection[str] | None,
    ) -> Sequence[Event]:
        inner = f"{path}(json){nested.path}"
        if inner not in self._tails and 2 * len(self._tails) >= PATHS:
            inner = f"{path}(json)"  # one path for all of them, rather than too many
        place = (source.of, nested.place)
        number = self._places.get(place, 0)
        if not number and any(place) and len(self._places) < _PLACES:
            number = self._places[place] = len(self._places) + 1
        is_whole = not (nested.is_open or nested.is_continued)
        may_recur = is_whole and len(nested.value) >= _NAMING and nested.around is not None
        source = source._replace(of=number)
        return self._judge_value(
            inner,
            nested.value,
            source,
            may_recur=may_recur,
            depth=nested.depth,
            only_of=only_of,
        )

    def _judge_number(self, number: Nested, masks: _Masks) -> Sequence[Event]:
        """Return what a number becomes: it is unchanged if none of the text's masks cover it.

        Otherwise it becomes what it would become alone, or `[rule]` if no rule finds it alone. The
        rest of one that began in an earlier value is judged with what came before.
        """
        if number.is_continued:
            return self._check(number.value)
        found = masks.within(number.start, number.end)
        if not found:
            return [Text(number.value)]
        alone = self._check(number.value)
        is_same = is_unchanged(alone, number.value)
        return [*found, Text(f"[{found[0].rule}]")] if is_same else alone

    def _judge_written(
        self, path: str, text: str, before: _Before, *, may_recur: bool
    ) -> Sequence[Event]:
        """Return what a value becomes as it is written.

        If it `may_recur`, it does not continue one that is the same: most strings in JSON that come
        again are names of a kind or a role, unlike the tokens of an answer.
        """
        alone = self._check(text)
        rest = _unmasked(text, alone)
        if rest != text and path not in self._bare and len(self._bare) < _MOST_APART:
            self._bare[path] = self._tail(path).copy()
        joined = self._across_told(path, text, before, may_recur=may_recur)
        if label := label_of(path):  # the name of a member may say what its value is
            joined.append(self._after(f"{label}: ", text))
        if before.tail is not None:
            added = [(before.tail, text)]
            # A masked match may go on in later text, or may be over: then no other begins in it.
            if path in self._bare:
                added.append((self._bare[path], rest))
            added = [(tail, new) for tail, new in added if not (may_recur and tail.last == new)]
            joined = [*(self._joined(tail, text) for tail, _ in added), *joined]
            for tail, new in added:
                tail.add(new)
        across = [each for each in joined if each is not None]
        return max(across, key=severity).of(alone) if across else alone

    def _across_told(
        self, path: str, text: str, before: _Before, *, may_recur: bool
    ) -> list[Across | None]:
        """Return the matches with earlier text that has the same value in a field beside it."""
        texts = [each for each in before.texts.values() if not may_recur or each.tail.last != text]
        read = [each for each in texts if each.differs and each.varies]
        # The path's text covers texts of only this value.
        if read and self._tails[path].is_only(text):
            read = [each for each in read if not each.tail.is_only(text)]
        found = [self._joined(each.tail, text, shortens=False) for each in read]
        for each in texts:
            each.add(text)
        return found

    def _joined(self, tail: Tail, text: str, *, shortens: bool = True) -> Across | None:
        """Return the matches that began in an earlier value; None if there are none.

        Values that recur, such as a role or a kind, soon look like one long candidate. That it
        grows too long means nothing: if nothing else is found, only the last of them are read, if
        it `shortens`.
        """
        across = self._after(tail.text, text) if tail.text else None
        if across is not None and across.overflows and tail.recurs(text):
            return across.matches or (self._after(*tail.shortened(text)) if shortens else None)
        return across

    def _tail(self, path: str) -> Tail:
        """Return what came last at a path."""
        tail = self._tails.get(path)
        if tail is None:
            tail = self._tails[path] = Tail(self._memory)
        return tail

    def _after(self, earlier: str, text: str) -> Across | None:
        joined = earlier + text
        events = self._check(joined)
        return matches_across(events, len(earlier), joined, alone=self._check(text))

    def is_harmless(self, key: str) -> bool:
        """Return whether a key has no finding and needs no change."""
        return not key or self._check(key)[-1] == Text(key)

    def is_kind(self, piece: Piece) -> bool:
        """Return whether a piece is the name of a kind that no rule changes, alone or joined with
        those before it."""
        slot, text = piece.slot, piece.text
        if not slot.field.endswith(KIND_ENDS) or _KIND.fullmatch(text) is None:
            return False
        return is_unchanged(self.judge(slot.field, text, slot.number, slot.name), text)


class _Masks:
    """What is masked in a text that becomes `events`; nothing if these end the stream."""

    def __init__(self, text: str, events: Sequence[Event]) -> None:
        self._found: list[Finding] = []
        changes = text_of(events) != text  # in shadow mode nothing does
        if changes and not isinstance(events[-1], Finish):
            found = [each for each in events if isinstance(each, Finding)]
            masks = [each for each in found if each.action == "mask"]
            self._found = sorted(masks, key=lambda each: each.start)
        self._starts = [each.start for each in self._found]

    def within(self, start: int, end: int) -> list[Finding]:
        """Return the masks that lie in a part of the text."""
        first, last = bisect_left(self._starts, start), bisect_left(self._starts, end)
        return [each for each in self._found[first:last] if each.end <= end]


def _unmasked(text: str, events: Sequence[Event]) -> str:
    """Return a text without what is masked in it."""
    if text_of(events) == text:
        return text
    findings = [event for event in events if isinstance(event, Finding)]
    return without(text, (found for found in findings if found.action != "monitor"))
