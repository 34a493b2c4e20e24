"""A set of patterns: their automata, and which of them are searched for together.

The search of one stream is in `scan`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple

from guardstream.errors import PatternError
from guardstream.scan.match import Announcing
from guardstream.scan.regex import forms
from guardstream.scan.regex.alphabet import CharSets
from guardstream.scan.regex.ast import Cat
from guardstream.scan.regex.dfa import Automaton, Caches
from guardstream.scan.regex.forms import AnyStepper, Form
from guardstream.scan.regex.machine import NO_GROUP, Handling, Machine
from guardstream.scan.regex.matcher import Budget, Matcher
from guardstream.scan.regex.nfa import Program
from guardstream.scan.regex.pattern import Pattern, Settling, reading_of, shared
from guardstream.scan.regex.stored import StoredSet
from guardstream.scan.words.normalize import Table

MIN_WINDOW = 2_048
"""How many code points before the present a confirmation may always look at."""


class TooLargeError(PatternError):
    """A pattern is too large for an automaton; `index` is its number among the patterns."""

    def __init__(self, message: str, index: int) -> None:
        super().__init__(message)
        self.index = index


class Scope(NamedTuple):
    """What one search of a set looks for: its rules, and how many characters before a match these
    may look back at."""

    rules: frozenset[int]
    behind: int


class Search(NamedTuple):
    """One of the searches that each stream begins: the function that makes its stepper, and what it
    looks for."""

    steps: Callable[[], AnyStepper]
    scope: Scope


class PatternSet:
    """The compiled patterns of a rule set with their automata; shared between streams.

    `window` is how many code points confirmations may look back over. With a `table`, the text is
    read as translated by it, character for character. With `releases`, candidates that overflow are
    dropped, and their groups may open again. `form` is the form of the search, by default
    `forms.chosen()`. The caches may take one in `share` parts of their usual weight. Programs
    that are `stored` are not compiled again. `searches` are those that each stream begins, each for
    some of the patterns.
    """

    def __init__(
        self,
        patterns: Sequence[Pattern],
        *,
        window: int,
        table: Table | None = None,
        releases: bool = False,
        form: Form | None = None,
        share: int = 1,
        stored: StoredSet | None = None,
    ) -> None:
        self.table = table
        self.releases = releases
        self.patterns = tuple(patterns)
        self.window = max(window, MIN_WINDOW)
        self._form = form or forms.chosen()
        sets, caches = self._form.sets(table), Caches(share)
        stored = stored if self._form.reads_rows else None
        known = stored.programs(sets, patterns) if stored else {}
        sets.share(shared(patterns[n] for n in range(len(patterns)) if n not in known))
        programs = [known.get(n) or self._program(n, sets) for n in range(len(patterns))]
        self.automata = [
            Automaton(
                program,
                caches,
                cuts=pattern.settling is not Settling.EAGER and program.exact,
                least_hold=pattern.settling is Settling.TESTED or not program.exact,
            )
            for pattern, program in zip(patterns, programs, strict=True)
        ]
        self.announcing = [_announcing(pattern) for pattern in self.patterns]
        self._matchers: dict[int, Matcher] = {}
        self._tails: dict[int, Matcher] = {}
        handling = [self._handling(index) for index in range(len(patterns))]
        beside = stored.lookbehinds(sets, programs) if stored else ()
        for lookbehind in (*beside, *self._lookbehinds(sets, programs)):
            self.automata.append(Automaton(lookbehind, caches, cuts=False))
            handling.append(Handling(holds=False))
        self.searches: list[Search] = []
        for members in self._apart(sets, stored):
            machine = Machine(self.automata, handling, sets, caches, members, len(patterns))
            steps = self._form.stepping(machine)
            self.searches.append(Search(steps, self._scope(members)))
        self.approximated = [index for index, program in enumerate(programs) if not program.exact]
        self.reach = max(map(_look_back, self.patterns), default=0)
        self._warm()

    def _program(self, index: int, sets: CharSets) -> Program:
        pattern = self.patterns[index]
        try:
            return self._form.program(pattern.tree, sets, pattern.group)
        except PatternError as error:
            raise TooLargeError(str(error), index) from error

    def _lookbehinds(self, sets: CharSets, programs: Sequence[Program]) -> Iterator[Program]:
        """The programs of the lookbehinds that several patterns have."""
        for look, bit in sets.lookbehinds.values():
            try:
                yield self._form.program(look, sets)
            except PatternError as error:
                index = next(n for n, program in enumerate(programs) if program.mask & bit)
                raise TooLargeError(str(error), index) from error

    def _apart(self, sets: CharSets, stored: StoredSet | None) -> Iterable[Sequence[int]]:
        """Group the patterns that are searched for together, as those of one rule always are."""
        if 0 < len(self.patterns) <= self._form.few:
            return [range(len(self.patterns))]
        counted: set[int] = set()
        spelled: set[int] = set()
        for pattern in self.patterns:
            known = stored and stored.reading(pattern)
            counts, spells = known or reading_of(pattern.tree, sets)
            if counts:
                counted.add(pattern.rule)
            if spells:
                spelled.add(pattern.rule)
        spelled -= counted
        kinds: dict[tuple[bool, bool], list[int]] = {}
        for index, pattern in enumerate(self.patterns):
            kind = pattern.rule in counted, pattern.rule in spelled
            kinds.setdefault(kind, []).append(index)
        return kinds.values()

    def _scope(self, members: Iterable[int]) -> Scope:
        found = [self.patterns[index] for index in members]
        rules = frozenset(pattern.rule for pattern in found)
        return Scope(rules, max(map(_look_back, found)))

    def _warm(self) -> None:
        """Read the form's `warm` text, which builds the most frequent states. A pattern that fails
        there fails again in a stream, where it is reported."""
        for search in self.searches:
            with suppress(PatternError, ValueError):
                _read(search.steps(), self._form.warm)

    def settling(self, index: int) -> Settling:
        """How a pattern's matches become certain. If its automaton is an approximation, they are
        tested, unless it is eager."""
        settling = self.patterns[index].settling
        exact = self.automata[index].program.exact
        return settling if exact or settling is Settling.EAGER else Settling.TESTED

    def _handling(self, index: int) -> Handling:
        pattern, program = self.patterns[index], self.automata[index].program
        settling = self.settling(index)
        return Handling(
            holds=pattern.holds,
            eager=settling is Settling.EAGER,
            loose=not self.automata[index].cuts,
            plain=settling is Settling.ORDERED
            and not program.late
            and (not pattern.group or pattern.facts.tail is not None),
            label=pattern.rule,
            tail=NO_GROUP if pattern.facts.tail is None else pattern.facts.tail,
        )

    def matcher(self, index: int) -> Matcher:
        """The matcher that finds a match's captures, and confirms what is approximated."""
        known = self._matchers.get(index)
        if known is None:
            pattern = self.patterns[index]
            known = self._matchers[index] = self._form.matcher(pattern.tree, pattern.group)
        return known

    def follows(
        self, index: int, text: str, start: int, end: int, from_start: bool, budget: Budget
    ) -> bool:
        """Whether the part after a pattern's group can match from `start` to `end`."""
        known = self._tails.get(index)
        if known is None:
            after = self.patterns[index].shape.after
            known = self._tails[index] = self._form.matcher(after or Cat(()), 0)
        return known.ends_at(text, start, end, from_start, budget) is not None


def _announcing(pattern: Pattern) -> Announcing | None:
    """The keywords of a pattern, if they announce all that it masks. They need not announce a
    masked group, which may be captured further on."""
    return pattern.confirm.keywords if pattern.confirm and not pattern.group else None


def _look_back(pattern: Pattern) -> int:
    """How many characters before a match may decide whether it is one."""
    return pattern.facts.behind + (pattern.confirm.reach if pattern.confirm else 0)


def _read(steps: AnyStepper, text: str) -> None:
    """Read a text whatever is found in it."""
    at = 0
    while at < len(text):
        at = steps.run(text, at, len(text))
        steps.hits()
        steps.failures()
        for pattern in steps.certain()[1]:
            steps.keep(pattern, [])
