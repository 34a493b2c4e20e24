"""Hides the stand-ins in a text from rules, and then writes what they become.

Rules see one character in place of a stand-in. It is from a private use area (planes 15 and 16),
neither a letter nor a digit, and rules release, mask or block it like any other. Then what the
stand-in becomes is written in its place, which no rule reads again.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import TypeAlias

import regex

from guardstream.events import Event, Finding, Stage, Text
from guardstream.jsonstream.origins import Origins
from guardstream.stages.json.settings import Place
from guardstream.stages.redact import RuleSet
from guardstream.stages.rules import Rule, StandIn
from guardstream.vault.addresses.reader import REACH, Reader
from guardstream.vault.ids import Ids
from guardstream.vault.standin import LONGEST, Name, alone, each_in, patterns, read

Become: TypeAlias = Callable[[Name, str, bool], str | None]
"""Returns what a stand-in becomes, given its name, its spelling, and whether it may be part of an
address; None leaves it to the rules."""

_FIRST, _LAST = 0xF0000, 0x10FFFF
_private = re.compile(f"[{chr(_FIRST)}-{chr(_LAST)}]")
_has_private = _private.search

_RULE = "stand-in"

_SHORT, _MOST_AHEAD = LONGEST // 2, 64
"""How many code points a text that is only read may have, with the held text before it, and after
how many such texts the rest catches up."""


@lru_cache(maxsize=64)
def _finding(labels: frozenset[str], ids: Ids) -> RuleSet:
    """Return the rules that find possible stand-ins with these labels."""
    rule = Rule(id=_RULE, patterns=patterns(labels, ids))
    return RuleSet([rule], max_holdback=LONGEST)


class Veil:
    """Finds stand-ins with some labels, and replaces each as `become` says."""

    def __init__(self, labels: frozenset[str], become: Become, *, ids: Ids = "hash") -> None:
        self._labels = labels
        self._become = become
        self._rules = _finding(labels, ids)
        self._ids: Ids = ids
        self._last: _Veiled | None = None

    def over(self, stage: Stage, *, string: bool = False) -> Stage:
        """Return a stage that hides stand-ins from `stage`; the text may be all of a string."""
        reader = Reader(string=string)
        self._last = veiled = _Veiled(stage, self._rules, self._shown, self._turned_to, reader)
        return veiled

    def source(self, text: str, meant: Callable[[Name], str | None]) -> str:
        """Return the source of `text`, which a rule saw with stand-ins hidden.

        `meant` returns the value that replaces a stand-in; None leaves it as it is.
        """
        return self._last.source(text, self._meaning(meant)) if self._last else text

    def _turned_to(self, veiled: _Veiled) -> None:
        self._last = veiled

    def _meaning(self, meant: Callable[[Name], str | None]) -> Callable[[str], str]:
        def meaning(text: str) -> str:
            name = read(text, self._labels)
            value = None if name is None else meant(name)
            return text if value is None else value

        return meaning

    def _shown(self, text: str, in_address: bool, hide: Callable[[str, str], str]) -> str:
        """Return what rules see for a found `text`: a stand-in, or a host's name with some in it.

        `hide` returns the character for a stand-in, given its text and what it becomes.
        """
        before, inner, after = alone(text)
        name = read(inner, self._labels)
        if name is not None:
            becomes = self._become(name, inner, in_address)
            return text if becomes is None else before + hide(inner, becomes) + after

        def shown(match: regex.Match[str]) -> str:
            name = read(match[0], self._labels)
            becomes = None if name is None else self._become(name, match[0], True)
            return match[0] if becomes is None else hide(match[0], becomes)

        each: regex.Pattern[str] = each_in(self._labels, self._ids)
        return str(each.sub(shown, text))


class Everywhere:
    """Covers every text, and every value in a document, with the same veil."""

    def __init__(self, veil: Veil) -> None:
        self._veil = veil

    def over(self, _channel: str, _tool: str | None, stage: Stage, _place: Place) -> Stage:
        """Return `stage` so that it does not see stand-ins."""
        return self._veil.over(stage)


class _Veiled:
    """Passes one text to a stage with its stand-ins hidden."""

    def __init__(
        self,
        inner: Stage,
        rules: RuleSet,
        shown: Callable[[str, bool, Callable[[str, str], str]], str],
        turned_to: Callable[[_Veiled], None],
        reader: Reader,
    ) -> None:
        self._inner = inner
        self._turned_to = turned_to
        self._show = shown
        self._find = rules.with_replacements({_RULE: StandIn(self._hidden)}).stage()
        self._reader = reader
        self._ahead: list[str] = []  # read by `_find`, not yet taken by `_reader`
        self._becomes: list[str] = []  # what each private character becomes
        self._texts: list[str] = []  # the source text of each private character
        self._chars: dict[tuple[str, str], str] = {}  # the private character of each hidden text
        self._fed = 0  # how many characters the inner stage has had
        self._origins = Origins(0, 0)  # maps offsets of the inner stage's text to the source
        self._finished = False
        self._pass, self._read = inner.feed, self._find.reader.read
        self._tail = ""  # the held end of the text, which may belong to a stand-in
        self._most = _SHORT
        self.held = 0
        """How many code points are held back now."""

    def feed(self, text: str) -> list[Event]:
        """Take the next characters and return the events that are settled."""
        if len(text) > self._most or not (text.isascii() or not _has_private(text)):
            return self._feed_carefully(text)
        ran = self._read(text)
        if ran or self._tail:
            if not isinstance(ran, int):
                self._catch_up()
                self._reader.add(text)
                return self._after(self._find.follow(text, ran))
            self._ahead.append(text)
            self.held += ran - len(self._tail)
            self._most = _SHORT - ran
            text = self._tail + text
            released = len(text) - ran
            text, self._tail = text[:released], text[released:]
            if not text:
                return []
        else:
            # The usual case: no stand-in may be open before this chunk, and none begins in it.
            self._ahead.append(text)
        self._fed += len(text)
        if len(self._ahead) == _MOST_AHEAD:
            self._catch_up()
        events = self._pass(text)
        if len(events) == 1 and type(event := events[0]) is Text and event.text == text:
            return events
        events = self._reveal(events)
        self._count()
        return events

    def _feed_carefully(self, text: str) -> list[Event]:
        if self._finished:
            return []
        self._catch_up()
        if len(text) > REACH:
            pieces = (text[at : at + REACH] for at in range(0, len(text), REACH))
            return [event for piece in pieces for event in self.feed(piece)]
        if not text.isascii() and _has_private(text):
            text = _private.sub(lambda match: self._private(match[0], match[0]), text)
        self._reader.add(text)
        return self._after(self._find.feed(text))

    def _catch_up(self) -> None:
        """Let `_reader` and `_find` take the texts that were only read."""
        if self._ahead:
            text = "".join(self._ahead)
            self._ahead.clear()
            self._reader.add(text)
            self._find.skip(text, self._tail)

    def _after(self, events: list[Event]) -> list[Event]:
        """Pass on the events of a text that may contain a stand-in."""
        self._tail = self._find.tail
        self._most = _SHORT - len(self._tail) if self._find.only_reads else -1
        passed = self._through(events)
        self._count()
        return passed

    def finish(self) -> list[Event]:
        """Take the source's end."""
        if self._finished:
            return []
        self._catch_up()
        self._most, self._tail = -1, ""
        events = self._through(self._find.finish())
        if not self._finished:
            events += self._reveal(self._inner.finish())
        self.held = 0
        return events

    def _count(self) -> None:
        self.held = 0 if self._finished else len(self._tail) + self._inner.held

    def _through(self, events: list[Event]) -> list[Event]:
        """Pass released text, with stand-ins hidden, to the inner stage, and return its events."""
        passed: list[Event] = []
        for event in events:
            if isinstance(event, Text) and not self._finished:
                for match in _private.finditer(event.text):
                    self._note(self._fed + match.start(), match[0])
                self._fed += len(event.text)
                passed += self._reveal(self._inner.feed(event.text))
        return passed

    def _reveal(self, events: list[Event]) -> list[Event]:
        """Return the inner stage's events, with hidden texts replaced by what they become."""
        if len(events) == 1 and type(events[0]) is Text and events[0].text.isascii():
            return events
        revealed: list[Event] = []
        for event in events:
            if isinstance(event, Text):
                text = _private.sub(self._shown, event.text)
                revealed += [Text(text)] if text else []
            elif isinstance(event, Finding):
                start, end = self._origins.start(event.start), self._origins.end(event.end)
                revealed.append(replace(event, start=start, end=end))
            else:
                self._finished, self._most = True, -1
                revealed.append(event)
        return revealed

    # What is hidden

    def _hidden(self, text: str, at: int) -> str:
        """Return the text that was found at `at`, with private characters for what is hidden."""
        before, inner, after = alone(text)
        in_address = self._reader.in_address(at + len(before))
        shown = self._show(text, in_address, self._private)
        char = shown[len(before) : len(shown) - len(after)]
        if len(char) == 1 and _private.sub(self._shown, char) != inner:
            self._reader.restored(len(inner))
        return shown

    def _private(self, text: str, becomes: str) -> str:
        self._turned_to(self)
        known = self._chars.get((text, becomes))
        if known is None:
            code = _FIRST + len(self._becomes)
            if code > _LAST:
                raise OverflowError("a text has too many stand-ins")
            known = self._chars[text, becomes] = chr(code)
            self._becomes.append(becomes)
            self._texts.append(text)
        return known

    def _shown(self, match: re.Match[str]) -> str:
        number = ord(match[0]) - _FIRST
        return self._becomes[number] if number < len(self._becomes) else match[0]

    def source(self, text: str, meaning: Callable[[str], str]) -> str:
        """Return `text` as it was before stand-ins were hidden, each replaced by its meaning."""

        def written(match: re.Match[str]) -> str:
            number = ord(match[0]) - _FIRST
            return meaning(self._texts[number]) if number < len(self._texts) else match[0]

        return _private.sub(written, text)

    def _note(self, at: int, char: str) -> None:
        """Record where in the source a hidden text was."""
        size = len(self._texts[ord(char) - _FIRST])
        if size > 1:
            begin = self._origins.start(at)
            self._origins.add((at, at + 1), (begin, begin + size))
