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
from collections import Counter
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import NamedTuple, TypeAlias

from guardstream.errors import AdapterError
from guardstream.events import Event, Finding, Finish, Text, text_of
from guardstream.providers.adapter import Beside, Piece, Slot
from guardstream.providers.toolkit.fields import KINDS
from guardstream.providers.toolkit.paths import LONGEST_BESIDE, spoken
from guardstream.stream.flows.checks import CachedCheck, Check
from guardstream.stream.flows.nested.beside import around_each, by_events, by_items, values_beside
from guardstream.stream.flows.nested.strings import begins_anew, strings
from guardstream.stream.flows.nested.values import Nested, Strings
from guardstream.stream.flows.nested.writing import with_strings, written_in
from guardstream.stream.flows.recurring import MASK, Tail, without
from guardstream.stream.flows.told_apart import Divided, Name, ToldApart

PATHS = 65_536
"""How many unknown paths a stream may have: twice the number in the description of a large API."""

REQUESTED = 4096
"""How many texts of the request are remembered; further ones are not."""

_PLACES = 256
"""How many places of strings in JSON are told apart in one stream, as kinds of events are."""

_HIDDEN = f'"{MASK}"'
"""Replaces a changed string of JSON: rules do not see their own replacements."""

_FEW = 32
"""How many strings and numbers, keys included, JSON in a string may have to be an event, or each of
several events in a row. In an event, each of them may tell which text the others continue; in
larger JSON, only the first values of an object in a list, for the strings at any depth in it."""

_FIRST = 2
"""How many values of an object in a long list may tell which text its strings continue: the first
ones, as an object's id is."""

_NAMING = 4
"""The minimum length of a string in JSON that may name a kind or a role, in code points."""

_KIND = re.compile(r"[\w.:/-]{1,64}")
"""The name of a kind: one word."""

_KINDS = tuple(f".{name}" for name in KINDS)
"""The ends of paths where kinds are."""

_ID = re.compile(r"(?=[^0-9]*[0-9])[\w.:|+/=-]{1,128}", re.ASCII)
"""An id that a provider generated: it has a digit and nothing that words need.

Random letters and digits match rules for numbers and keys by chance.
"""


class _Source(NamedTuple):
    """Where a value comes from: the number of its kind of event, the event's name, and the fields
    beside it."""

    of: int
    name: str
    beside: Beside


class _Told(NamedTuple):
    """The texts that a value may continue, by the field that tells them apart; `before` is the text
    of all values there."""

    before: Tail
    texts: Mapping[Name, Divided]


class _Reading(NamedTuple):
    """What is in a value if it continues certain texts.

    These are not the texts of the fields `not_of`. They include the text at the value's path,
    unless `only_of` is given: then they are only texts of these fields.
    """

    strings: Strings
    not_of: Collection[str]
    only_of: Collection[str] | None = None


class _Before(NamedTuple):
    """The texts that a value may continue: by path, kind and name, and by the fields beside it."""

    tails: Mapping[Hashable, Tail]
    told: Sequence[_Told]

    def is_divided_by(self, fields: Iterable[str]) -> bool:
        """Return whether one of some fields divides the text of all values."""
        return any(each in told.texts for told in self.told for each in fields)

    def readings(self, text: str, depth: int) -> Sequence[_Reading]:
        """Return what is in a value that is JSON or events, or continues those that a text ends in.

        Records in each text what it ends in after the value.
        """
        begun = {tail.begun for tail in self.tails.values()} or {""}
        for told in self.told:
            begun.update([each.tail.begun for each in told.texts.values()])
        if any(begun) and begins_anew(text):
            begun.add("")
        found = {each: strings(text, depth, each) for each in begun}
        divided = [(name, each.tail) for told in self.told for name, each in told.texts.items()]
        names = {name for name, _ in divided if isinstance(name, str)}
        if len(begun) == 1:
            ((before, only),) = found.items()
            if before == only.begun:  # as of a text that is no JSON
                return [_Reading(only, (), None if self.tails else names)] if only.values else ()
        of_path = {"", *(tail.begun for tail in self.tails.values())} if self.tails else ()
        readings = []
        # What continues a text is read first: its place in JSON is known best there.
        for each in sorted(begun, reverse=True):
            of = _named(name for name, tail in divided if tail.begun == each)
            readings.append(_Reading(found[each], names - of, None if each in of_path else of))
        for tail in (*self.tails.values(), *(tail for _, tail in divided)):
            tail.begun = found[tail.begun].begun
        return readings


def _named(names: Iterable[Name]) -> set[str]:
    """Return the fields in some names."""
    return {each for name in names for each in ([name] if isinstance(name, str) else name)}


class UnknownTexts:
    """What came at each unknown path of one stream; `memory` is how many code points are kept.

    `is_idle` returns whether no rule applies to such text: then it passes, however much it is.
    """

    def __init__(self, check: Check, memory: int, is_idle: Callable[[], bool]) -> None:
        self._check = CachedCheck(check)
        self._memory = memory
        self._tails: dict[Hashable, Tail] = {}
        # By a path and a kind of event, an event name, or MASK, for text without its matches.
        self._tails_of: dict[Hashable, Tail] = {}
        self._apart = ToldApart(memory)
        # By event name, or slot with one: the tail, and the offset of the last change of names.
        self._named: dict[Hashable, tuple[str, int]] = {}
        self._name_of: dict[Hashable, str] = {}  # the last event name, by slot without its name
        self._sources: dict[Hashable, Hashable] = {}  # by path: its first kind, or event name
        self._mixed: set[Hashable] = set()  # paths with more than one kind, or event name
        self._places: dict[tuple[int, str], int] = {}  # numbers of the places of strings in JSON
        self._shown: dict[str, str] = {}
        # By slot: its last text, all of them joined, and whether that passed.
        self._requested: dict[Slot, tuple[str, str, bool]] = {}
        self._marks: dict[Hashable, str] = {}  # those that went out, joined, by place
        self._decided: dict[tuple[Hashable, str], bool] = {}
        self.found: list[tuple[str, Sequence[Event]]] = []  # in marks, by path, not reported yet
        self._naming: dict[str, str] = {}  # the names in the current chunk
        self._names: dict[str, str] = {}  # the beginnings of names that may continue
        self._ids: dict[str, str] = {}  # the ids at each place, joined
        self._is_idle = is_idle
        self._idle: bool | None = None

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
        if self._passes_all():
            return [Text(text)]
        if path.endswith("~"):
            return self._check(text)  # no other key continues it
        own = path[1:].replace("[*]", "")  # its name in `beside`
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
        if only_of is not None and before.is_divided_by(only_of):
            before = before._replace(tails={})
        judged = self._judge_strings(path, text, before.readings(text, depth), source)
        if judged and isinstance(judged[-1][1][-1], Finish):
            return [each for _, events in judged for each in events if not isinstance(each, Text)]
        changes = {
            nested: written_in(text, nested, text_of(events))
            for nested, events in judged
            if not _is_same(events, nested.value)
        }
        hidden = with_strings(text, dict.fromkeys(changes, _HIDDEN)) if changes else text
        written = self._judge_written(path, hidden, before, may_recur=may_recur)
        found = _found_within(judged, changes, written)
        return [*found, *(_revealed(written, hidden, changes.values()) if changes else written)]

    def _before(self, path: str, text: str, source: _Source) -> _Before:
        """Return what a value may continue."""
        self._tail(path)
        told = self._told(path, text, source)
        of = [(path, each) for each in (source.of, source.name) if self._several(path, each)]
        return _Before({key: self._tail(key) for key in (path, *of)}, told)

    def _judge_strings(
        self, path: str, text: str, readings: Sequence[_Reading], source: _Source
    ) -> list[tuple[Nested, Sequence[Event]]]:
        """Return the strings and numbers in a value in which something is found, each with what it
        becomes.

        What several readings of the value share is judged once.
        """
        judged: list[tuple[Nested, Sequence[Event]]] = []
        masks: _Masks | None = None
        for nested, telling, not_of, only_of in _merged(readings):
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
            if not (is_clean and _is_same(events, nested.value)):
                judged.append((nested, events))
                if isinstance(events[-1], Finish):
                    return judged
        return judged if len(readings) == 1 else _without_overlaps(judged)

    def _judge_key(self, key: Nested) -> Sequence[Event]:
        """Return what a key becomes, or its rest, if it began in an earlier value."""
        events = self._check(key.whole)
        if not key.before or isinstance(events[-1], Finish):
            return events
        found = [each for each in events if isinstance(each, Finding)]
        found = [each for each in found if each.end > len(key.before)]
        masks = found and not _is_same(events, key.whole)
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
        is_same = _is_same(alone, number.value)
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
        bare = (path, MASK)
        if rest != text and bare not in self._tails_of and len(self._tails_of) < REQUESTED:
            self._tails_of[bare] = self._tail(path).copy()
        told = self._across_told(text, before.told, may_recur=may_recur)
        added: dict[Hashable, str] = dict.fromkeys(before.tails, text)
        # A masked match may go on in later text, or may be over: then no other begins in it.
        if before.tails and bare in self._tails_of:
            added[bare] = rest
        if may_recur:
            added = {key: new for key, new in added.items() if self._tail(key).last != new}
        joined = [across for key in added if (across := self._joined(key, text)) is not None]
        joined += told
        for key, new in added.items():
            self._tail(key).add(new)
        return max(joined, key=_severity).of(alone) if joined else alone

    def _told(self, path: str, text: str, source: _Source) -> list[_Told]:
        """Return the texts that have the same value in a field beside them, at a path and in one
        kind of event there."""
        if not source.beside:
            return []
        first = self._sources.setdefault((path, int), source.of)
        told = [self._told_at((path, source.of), text, source)]
        if first != source.of and (path, int) not in self._mixed:
            self._apart.copy((path, first), path)
        elif (path, int) not in self._mixed:
            return told
        return [*told, self._told_at(path, text, source)]

    def _told_at(self, place: str | tuple[str, int], text: str, source: _Source) -> _Told:
        """Return the texts at one place: a path, or one kind of event there."""
        if isinstance(place, str):
            before = self._tails.get(place) or Tail(self._memory)
        else:
            before = self._tail_before(*place)
        return _Told(before, self._apart.texts(place, text, before, source.beside))

    def _across_told(self, text: str, told: Sequence[_Told], *, may_recur: bool) -> list[_Across]:
        """Return the matches with earlier text that has the same value in a field beside it."""
        found: list[_Across | None] = []
        for before, divided in told:
            texts = [each for each in divided.values() if not may_recur or each.tail.last != text]
            read = [each for each in texts if each.differs and each.varies]
            if read and before.is_only(text):  # the path's text covers texts of only this value
                read = [each for each in read if not each.tail.is_only(text)]
            found += [self._divided(each, text) for each in read]
            for each in texts:
                each.add(text)
        return [each for each in found if each is not None]

    def _tail_before(self, path: str, of: int) -> Tail:
        place = (path, int)
        alone = place not in self._mixed and self._sources.get(place, of) == of
        tail = self._tails.get(path) if alone else self._tails_of.get((path, of))
        return tail or Tail(self._memory)

    def _divided(self, divided: Divided, text: str) -> _Across | None:
        tail = divided.tail
        across = self._after(tail.text, text)
        if across is not None and across.overflows and tail.recurs(text):
            return across.matches
        return across

    def judge_named(self, name: str, text: str, *, changes: bool) -> Sequence[Event]:
        """Return what text of an event name becomes by matches that begin in earlier text.

        Only earlier text counts that the rules do not see joined to it: text of its name before
        that of others, and text of all names. `changes` says that text of another name came just
        before it. Raises AdapterError if there are too many names.
        """
        return self._over_changes((name, ""), text, changes=changes)

    def judge_slot(self, slot: Slot, text: str) -> Sequence[Event]:
        """Return what text of a slot with an event name becomes, in the same way.

        AdapterError if there are too many names.
        """
        any_name = slot._replace(name="")
        changes = self._name_of.get(any_name, slot.name) != slot.name
        self._name_of[any_name] = slot.name
        return self._over_changes((slot, any_name), text, changes=changes)

    def _over_changes(
        self, readings: Sequence[Hashable], text: str, *, changes: bool
    ) -> Sequence[Event]:
        same = [Text(text)]
        if self._passes_all():
            return same
        if readings[0] not in self._named and len(self._named) >= PATHS:
            raise AdapterError(f"text under more than {PATHS} event names: blocked")
        across = [self._over_change(each, text, changes=changes) for each in readings]
        found = [each for each in across if each is not None]
        return max(found, key=_severity).of(same) if found else same

    def _over_change(self, name: Hashable, text: str, *, changes: bool) -> _Across | None:
        """Return the matches of a text with text before the last change of names."""
        tail, border = self._named.get(name, ("", 0))
        border = len(tail) if changes else border
        joined = tail + text
        dropped = max(len(joined) - self._memory, 0)
        self._named[name] = joined[dropped:], max(border - dropped, 0)
        across = _across(self._check(joined), border, joined, len(tail)) if border else None
        if across is None or across.end is None:
            return across
        return across if across.end.reason == "content_filter" else None

    def _several(self, path: str, source: int | str) -> bool:
        """Return whether text at a path came in several kinds of events, or names, by now."""
        if source == "":
            return False
        place = (path, type(source))
        first = self._sources.setdefault(place, source)
        if first != source and place not in self._mixed:
            self._mixed.add(place)
            self._tails_of[path, first] = self._tails[path].copy()
        has_room = (path, source) in self._tails_of or len(self._tails_of) < REQUESTED
        return place in self._mixed and has_room

    def _joined(self, key: Hashable, text: str) -> _Across | None:
        """Return the matches that began in an earlier value; None if there are none.

        Values that recur, such as a role or a kind, soon look like one long candidate. That it
        grows too long means nothing: if nothing else is found, only the last of them are read.
        """
        tail = self._tail(key)
        across = self._after(tail.text, text) if tail.text else None
        if across is not None and across.overflows and tail.recurs(text):
            across = across.matches or self._after(*tail.shortened(text))
        return across

    def _tail(self, key: Hashable) -> Tail:
        """Return what came last at a path, or of one kind or name of event there."""
        tails = self._tails if isinstance(key, str) else self._tails_of
        tail = tails.get(key)
        if tail is None:
            tail = tails[key] = Tail(self._memory)
        return tail

    def _after(self, earlier: str, text: str) -> _Across | None:
        joined = earlier + text
        return _across(self._check(joined), len(earlier), joined)

    def passes_joined(self, piece: Piece, *, repeats: bool) -> bool:
        """Return whether no rule changes a text beside the answer, joined with the earlier ones in
        its slot.

        If texts are only repeated there (`repeats`), like the request's, the last one passes again
        if it did before.
        """
        last, before, passed = self._requested.get(piece.slot, ("", "", True))
        if repeats and piece.text == last:
            return passed
        if not last and len(self._requested) == REQUESTED:
            return False
        joined = before[-self._memory :] + piece.text
        if joined != before:  # they are soon equal if each chunk has the same text
            passed = not last or self._is_unchanged(joined)
            self._requested[piece.slot] = piece.text, joined, passed
        return passed

    def passes(self, place: Hashable, mark: str) -> bool:
        """Return whether a mark goes out: no rule changes it, alone or joined with earlier ones
        there.

        The result stays the same for the stream, and findings are recorded once. Marks beyond the
        limit do not go out.
        """
        passes = self._decided.get((place, mark))
        if passes is not None or self._passes_all():
            return passes is not False
        if len(self._decided) == REQUESTED:
            return False
        tail = self._marks.get(place, "")
        joined = tail + mark
        events = self._check(mark)
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
        return _is_same(self._check(text), text)

    def _passes_all(self) -> bool:
        if self._idle is None:
            self._idle = self._is_idle()
        return self._idle

    def is_harmless(self, key: str) -> bool:
        """Return whether a key has no finding and needs no change."""
        return not key or self._check(key)[-1] == Text(key)

    def is_kind(self, piece: Piece) -> bool:
        """Return whether a piece is the name of a kind that no rule changes, alone or joined with
        those before it."""
        slot, text = piece.slot, piece.text
        if not slot.field.endswith(_KINDS) or _KIND.fullmatch(text) is None:
            return False
        return _is_same(self.judge(slot.field, text, slot.number, slot.name), text)

    def judge_name(self, path: str, text: str) -> Sequence[Event]:
        """Return what a name becomes: it cannot be masked, so it passes or blocks.

        A name may come in pieces, one in each chunk; it is complete when its call's arguments
        begin.
        """
        if not path.endswith("name"):
            return self._judge_id(path, text)
        before = self._names.get(path, "")
        self._naming[path] = (before + text)[-self._memory :]
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
    def has_names(self) -> bool:
        """Whether names came that may continue."""
        return bool(self._naming or self._names)

    def note_names(self, *, over: bool) -> None:
        """Record the end of a chunk: names are `over` now, or may continue."""
        self._names = {} if over else {**self._names, **self._naming}
        self._naming = {}

    def _passed_or_blocked(self, name: str) -> Sequence[Event]:
        events = self._check(name)
        if text_of(events) == name:
            return events
        found = [event for event in events if isinstance(event, Finding)]
        return [*found, Finish("content_filter")]


@dataclass(frozen=True, slots=True)
class _Across:
    """Matches across the border of a value and earlier ones; `end` if one of them ends the stream,
    `masks` if one hides its text."""

    found: Sequence[Finding]
    end: Finish | None
    masks: bool

    @property
    def overflows(self) -> bool:
        """Whether one of them is only a candidate that grew too long."""
        return any(each.kind == "overflow" for each in self.found)

    @property
    def matches(self) -> _Across | None:
        """Those that are no such candidates; None if there are none."""
        found = [each for each in self.found if each.kind != "overflow"]
        if not found:
            return None
        end = self.end if found[-1] is self.found[-1] else None
        hides = self.masks or end is not self.end
        return _Across(found, end, hides and any(each.action != "monitor" for each in found))

    def of(self, alone: Sequence[Event]) -> Sequence[Event]:
        """Return what a value becomes that alone would become `alone`."""
        if self.end is not None:
            return [*self.found, self.end]
        if not self.masks:
            return [*self.found, *alone]
        rest = [event for event in alone if not isinstance(event, Text)]
        return [Text(f"[{self.found[0].rule}]"), *self.found, *rest]


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


def _severity(across: _Across) -> tuple[bool, bool]:
    return across.end is not None, across.masks


def _across(events: Sequence[Event], border: int, joined: str, since: int = 0) -> _Across | None:
    """Return the matches across the border that end after `since`; None if there are none."""
    across = [each for each in _over(events, border) if each.end > since]
    if not across:
        return None
    if isinstance(events[-1], Finish) and events[-2] in across:
        return _Across(across, events[-1], masks=False)
    masks = text_of(events) != joined and any(event.action != "monitor" for event in across)
    return _Across(across, None, masks)


def _over(events: Sequence[Event], border: int) -> list[Finding]:
    """Return the findings that span a border."""
    return [
        event for event in events if isinstance(event, Finding) and event.start < border < event.end
    ]


def _unmasked(text: str, events: Sequence[Event]) -> str:
    """Return a text without what is masked in it."""
    if text_of(events) == text:
        return text
    findings = [event for event in events if isinstance(event, Finding)]
    return without(text, (found for found in findings if found.action != "monitor"))


def _found_within(
    judged: Sequence[tuple[Nested, Sequence[Event]]],
    changes: Collection[Nested],
    written: Sequence[Event],
) -> list[Finding]:
    """Return what is found in strings of JSON, except what rules find again in the text as it is
    `written`, because the strings are unchanged there."""
    again = Counter(each.rule for each in written if isinstance(each, Finding))
    found = []
    for nested, events in judged:
        for each in events:
            if isinstance(each, Finding) and (nested in changes or not again[each.rule]):
                found.append(each)
            elif isinstance(each, Finding):
                again[each.rule] -= 1
    return found


def _revealed(written: Sequence[Event], hidden: str, changes: Collection[str]) -> list[Event]:
    """Return what a value becomes, with what its hidden strings became.

    The strings become empty if it is unclear which of them are left, as a mask may keep some of its
    text.
    """
    rest = [each for each in written if not isinstance(each, Text)]
    masks = [each for each in rest if isinstance(each, Finding) and each.action != "monitor"]
    places = [each.start() + 1 for each in re.finditer(_HIDDEN, hidden)]
    left = [
        change
        for place, change in zip(places, changes, strict=False)
        if not any(each.start <= place < each.end for each in masks)
    ]
    first, *parts = text_of(written).split(_HIDDEN)
    is_cut = bool(rest) and isinstance(rest[-1], Finish)
    if len(places) != len(changes) or (len(parts) != len(left) and not is_cut):
        left = ['""'] * len(parts)
    pairs = zip(left, parts, strict=False)
    return [Text("".join([first, *chain.from_iterable(pairs)])), *rest]


_Value: TypeAlias = tuple[Nested, Sequence[Nested], Collection[str], Collection[str] | None]
"""A string or a number, the values that may tell which text it continues, and the fields `not_of`
and `only_of` of its reading."""


def _merged(readings: Sequence[_Reading]) -> Iterable[_Value]:
    """Return the strings and numbers of all readings in their order, each once if several readings
    share it."""
    if len(readings) == 1:
        return _values(*readings)
    found: dict[Hashable, _Value] = {}
    spans: list[tuple[int, int]] = []  # of values that continue the text at the path
    # A reading of all of the text as JSON has found each string in it, as its part of the text.
    is_found = any(each.only_of is None and each.strings.is_json for each in readings)
    # Those readings come first: they know best what tells which text a string continues.
    for reading in sorted(readings, key=lambda each: each.only_of is not None):
        spans.sort()
        for nested, telling, not_of, only_of in _values(reading):
            if only_of is None:
                spans.append((nested.start, nested.end))
            elif not is_found and not _overlaps(spans, nested):
                only_of = None
            place = (nested.path, nested.value, nested.start, nested.end)
            known = found.setdefault(place, (nested, telling, not_of, only_of))
            found[place] = (*known[:2], {*known[2]} & {*not_of}, known[3])
    return sorted(found.values(), key=lambda each: each[0].start)


def _overlaps(spans: Sequence[tuple[int, int]], nested: Nested) -> bool:
    """Return whether a string or a number overlaps the last of some spans that begin before its
    end."""
    at = bisect_left(spans, (nested.end, 0))
    return at > 0 and spans[at - 1][1] > nested.start


def _values(reading: _Reading) -> Iterator[_Value]:
    values = reading.strings.values
    telling = _telling(values)
    telling_in = {} if telling else {at: _telling(of) for at, of in by_events(values).items()}
    in_items: Mapping[object, Sequence[Nested]] = {}
    if not all(telling_in.values()):  # of many values, only those of the same object tell
        in_items = {at: _telling(of)[:_FIRST] for at, of in by_items(values).items()}
    for each in values:
        if not (each.is_constant or each.came_before):
            told = telling or telling_in[each.event] or around_each(each, in_items)
            yield each, told, reading.not_of, reading.only_of


def _without_overlaps(
    judged: Sequence[tuple[Nested, Sequence[Event]]],
) -> list[tuple[Nested, Sequence[Event]]]:
    """Return strings in order; of those that overlap, the first, with a mask for all of it."""
    found: list[tuple[Nested, Sequence[Event]]] = []
    for nested, events in sorted(judged, key=_order):
        if not found or nested.start >= found[-1][0].end:
            found.append((nested, events))
        elif nested.end != found[-1][0].end:
            first, known = found[-1]
            findings = [each for each in (*known, *events) if isinstance(each, Finding)]
            found[-1] = first, [Text(f"[{findings[0].rule}]"), *findings]
    return found


def _order(judged: tuple[Nested, Sequence[Event]]) -> tuple[int, int, bool]:
    nested, events = judged
    return nested.start, -nested.end, _is_same(events, nested.value)


def _telling(values: Sequence[Nested]) -> Sequence[Nested]:
    """Return the values that may tell which text others continue; none if there are too many
    values."""
    if sum(not each.is_constant for each in values) > _FEW:
        return []
    return [*islice(filter(_may_tell, values), _FEW)]


def _may_tell(nested: Nested) -> bool:
    return not nested.is_key and len(nested.whole) <= LONGEST_BESIDE


def _is_same(events: Sequence[Event], text: str) -> bool:
    """Return whether events release a text unchanged and end nothing."""
    return text_of(events) == text and not (events and isinstance(events[-1], Finish))
