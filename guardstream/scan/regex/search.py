"""Searches a stream for regular expressions: automata find candidates, this settles them.

Patterns settle in three ways. An *ordered* one needs no second look: the automaton's accepts are
`regex`'s own matches as soon as nothing older lives. An *eager* one is reported at the first end of
any match. A *tested* one may be refused by a validator or an allowlist: once no candidate lives
that is as old, an automaton that cuts finds each match in the text that has been kept, and the
search goes on after what was confirmed, as if it began there.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial, reduce
from itertools import takewhile
from operator import and_
from string import ascii_lowercase
from typing import NamedTuple

from guardstream.errors import PatternError
from guardstream.scan.match import Announcing, Match, Window
from guardstream.scan.regex import forms
from guardstream.scan.regex.alphabet import CharSets
from guardstream.scan.regex.analysis import counts, may_be_empty, spells
from guardstream.scan.regex.ast import Cat, Look
from guardstream.scan.regex.dfa import Automaton, Caches
from guardstream.scan.regex.forms import AnyStepper, Form
from guardstream.scan.regex.machine import NO_GROUP, Handling, Machine
from guardstream.scan.regex.matcher import Budget, Matcher
from guardstream.scan.regex.nfa import Program
from guardstream.scan.regex.pattern import Pattern, Settling
from guardstream.scan.regex.piles import OpenMatch
from guardstream.scan.words.normalize import Table

MIN_WINDOW = 2_048
"""How many code points before the present a confirmation may always look at."""

COUNTED = 3
"""Patterns that count so many letters of a word before they tell any apart have a search of their
own. Their states depend on how long a word is, those of others on what it is: both together would
be far more, one for each pair."""

SPELLED = 3
"""So do those of the others that tell so many letters apart: their states depend on the spelling of
words, those of the rest on their shape."""

STEPS_PER_CHARACTER = 1_000
"""How many steps of confirming each character that is read pays for; at most those of a window can
be saved up."""

AT_ONCE = 64
"""Of how many places in a row a search asks at once whether a keyword stands before them, or of a
quarter of those up to here, all of which is read again from there: so that is read four times. To
ask of one takes as long as to read thousands of characters, if the text is full of what looks like
a keyword."""

_NOTHING_MASKED: Mapping[tuple[int, int, int], int] = {}
"""Shared by the searches of which nothing is written yet."""


class TooLargeError(PatternError):
    """A pattern is too large for an automaton; `index` is its number among the patterns."""

    def __init__(self, message: str, index: int) -> None:
        super().__init__(message)
        self.index = index


class OverBudgetError(Exception):
    """Confirming would take more steps than the characters read have paid for."""


class PatternSet:
    """The compiled patterns of a rule set with their automata; shared between streams.

    `window` is how many code points confirmations may look back over. With a `table` the text is
    read as translated by it, character for character. With `releases`, candidates that overflow are
    dropped, and their groups may open again. `form` is the form of the search, by default the one
    that `forms.chosen` returns; its caches may take one in `share` parts of their usual weight.
    `searches` make the searches of a stream, each for some of the patterns.
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
    ) -> None:
        self.table = table
        self.releases = releases
        self.patterns = tuple(patterns)
        self.window = max(window, MIN_WINDOW)
        self._form = form or forms.chosen()
        sets, caches = self._form.sets(table), Caches(share)
        sets.share(_shared(patterns))
        programs = [self._program(index, sets) for index in range(len(patterns))]
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
        for lookbehind in self._lookbehinds(sets, programs):
            self.automata.append(Automaton(lookbehind, caches, cuts=False))
            handling.append(Handling(holds=False))
        self.searches: list[Callable[[], PatternScan]] = []
        for members in self._apart(sets):
            machine = Machine(self.automata, handling, sets, caches, members, len(patterns))
            steps = self._form.stepping(machine)
            self.searches.append(partial(PatternScan, self, steps, self._scope(members)))
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

    def _apart(self, sets: CharSets) -> Iterable[Sequence[int]]:
        """The patterns that are searched for together, those of a rule always."""
        if 0 < len(self.patterns) <= self._form.few:
            return [range(len(self.patterns))]
        letters = reduce(and_, map(sets.signature, ascii_lowercase))

        def is_any_letter(fragment: str) -> bool:
            return sets.bit(fragment) & letters != 0

        counted: set[int] = set()
        spelled: set[int] = set()
        for pattern in self.patterns:
            if counts(pattern.tree, is_any_letter) >= COUNTED:
                counted.add(pattern.rule)
            if spells(pattern.tree, SPELLED):
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
        """Read what nearly every text has; see `Form`. A pattern that fails there does so again in
        a stream, where it is reported."""
        for search in self.searches:
            with suppress(PatternError, ValueError):
                _read(search().steps, self._form.warm)

    def settling(self, index: int) -> Settling:
        """How a pattern's matches become certain; where the automaton only approximates it, all
        that it accepts is tested."""
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
            and (not pattern.group or pattern.tail is not None),
            label=pattern.rule,
            tail=NO_GROUP if pattern.tail is None else pattern.tail,
        )

    def matcher(self, index: int) -> Matcher:
        """What finds a match's captures, or follows a back-reference."""
        known = self._matchers.get(index)
        if known is None:
            pattern = self.patterns[index]
            known = self._matchers[index] = self._form.matcher(pattern.tree, pattern.group)
        return known

    def follows(
        self, index: int, text: str, start: int, end: int, from_start: bool, budget: Budget
    ) -> bool:
        """Whether what follows a pattern's group can stand from `start` to `end`."""
        known = self._tails.get(index)
        if known is None:
            after = self.patterns[index].after
            known = self._tails[index] = self._form.matcher(after or Cat(()), 0)
        return known.ends_at(text, start, end, from_start, budget) is not None


def _announcing(pattern: Pattern) -> Announcing | None:
    """What announces all that a pattern masks; a masked group may be captured further on."""
    return pattern.confirm.keywords if pattern.confirm and not pattern.group else None


def _look_back(pattern: Pattern) -> int:
    """How many characters before a match may decide on it."""
    return pattern.behind + (pattern.confirm.reach if pattern.confirm else 0)


def _shared(patterns: Iterable[Pattern]) -> list[Look]:
    """The lookbehinds that several patterns have, but for those that may match without having read
    anything, and so while they sleep."""
    known: set[int] = set()
    shared: dict[int, Look] = {}
    for pattern in patterns:
        looks = {id(look.item): look for look in pattern.looks if not look.ahead}
        shared.update((key, looks[key]) for key in known.intersection(looks))
        known.update(looks)
    return [look for look in shared.values() if not may_be_empty(look.item)]


def _read(steps: AnyStepper, text: str) -> None:
    """Read a text whatever is found in it."""
    at = 0
    while at < len(text):
        at = steps.run(text, at, len(text))
        steps.hits()
        steps.failures()
        for pattern in steps.certain()[1]:
            steps.keep(pattern, [])


class Scope(NamedTuple):
    """What one search of a set looks for: the rules, and how many characters before a match it may
    look back at."""

    rules: frozenset[int]
    behind: int


class ReservingBudget:
    """What candidates that overflow may take of a budget: `kept` steps of it are for matches."""

    def __init__(self, budget: Budget, kept: int) -> None:
        self._budget = budget
        self._kept = kept

    def left(self) -> int:
        """See `Budget.left`."""
        return self._budget.left() - self._kept

    def pay(self, steps: int) -> None:
        """See `Budget.pay`; raises OverBudgetError."""
        self._budget.pay(steps)
        if self.left() < 0:
            raise OverBudgetError


class PatternScan:
    """One stream's search: the patterns that are awake, and what is accepted but not settled.

    `steps` is what reads the text, and `scope` what is searched for.
    """

    __slots__ = ("_masked", "_set", "_spent", "_standing", "scope", "steps")

    def __init__(self, patterns: PatternSet, steps: Callable[[], AnyStepper], scope: Scope) -> None:
        self._set = patterns
        self.scope = scope
        self.steps: AnyStepper = steps()
        self._standing: tuple[Match, ...] = ()
        self._masked = _NOTHING_MASKED
        self._spent = 0

    @property
    def offset(self) -> int:
        """How many characters have been read."""
        return self.steps.offset

    def fork(self, rules: Collection[int]) -> PatternScan | None:
        """What stands here, too, and goes on by itself to look for some of the rules; None if it
        looks for none of them."""
        if self.scope.rules.isdisjoint(rules):
            return None
        fork = PatternScan(self._set, self.steps.fork, self.scope)
        fork._standing, fork._masked = self._standing, self._masked
        fork._spent = self._spent
        for rule in self.scope.rules.difference(rules):
            fork.disable(rule)
        return fork

    def is_alike(self, fork: PatternScan) -> bool:
        """Whether a fork of this would find nothing else from here on, but for its offsets."""
        return not (self._standing or fork._standing) and fork.steps.is_alike(self.steps)

    def watched(self) -> bool:
        """See `Scan.watched`: of what is approximated only the matcher can tell."""
        return bool(self._set.approximated and self.steps.lost())

    def oldest(self) -> int:
        """Where the oldest candidate began, or match that is not settled; the present offset if
        there is neither."""
        steps = self.steps
        matches = [steps.open_matches(pattern)[0] for pattern in steps.waiting()]
        return min([steps.oldest(), *[start for _, start, *_ in matches]])

    # Settling

    def settle(self, window: Window) -> list[Match]:
        """See `Scan.settle`."""
        found, self._standing = list(self._standing), ()
        for hit in self.steps.hits():
            found += self._fired(OpenMatch(*hit), window)
        certain, others = self.steps.certain()
        for match in certain:
            found.append(Match(*match))
        for pattern in others:
            found += self._settled(pattern, window, last=False, ended=False)
        return found + self._failures()

    def finish(self, window: Window) -> list[Match]:
        """See `Scan.finish`."""
        self.steps.ends()
        found = [
            match for hit in self.steps.hits() for match in self._fired(OpenMatch(*hit), window)
        ]
        for pattern in self.steps.waiting():
            found += self._settled(pattern, window, last=True, ended=True)
        return found + self._failures()

    def stop(self, window: Window) -> list[Match]:
        """See `Scan.stop`."""
        self.prune(-1, window)
        found, self._standing = list(self._standing), ()
        for pattern in self.steps.waiting():
            found += self._settled(pattern, window, last=True, ended=False)
        return found + self._failures()

    def _open(self, pattern: int) -> list[OpenMatch]:
        """A pattern's matches that are not settled."""
        return list(map(OpenMatch._make, self.steps.open_matches(pattern)))

    def _unwritten(self, pattern: int) -> list[OpenMatch]:
        """Those of them that text waits for."""
        return list(map(OpenMatch._make, self.steps.unwritten(pattern)))

    def _failures(self) -> list[Match]:
        """The patterns that have come to be too large to be followed."""
        found = []
        for pattern, hold in self.steps.failures():
            rule = self._set.patterns[pattern].rule
            found.append(Match(rule, hold, self.offset, failed=True))
        return found

    def _fired(self, match: OpenMatch, window: Window) -> list[Match]:
        rule = self._set.patterns[match.pattern].rule
        # What comes before the hold-back is written: an empty group holds nothing.
        end = max(match.hold, match.end)
        if self._set.automata[match.pattern].program.exact:
            return [Match(rule, match.hold, end)]
        try:
            base = window.base
            text = self._as_read(window.text)[: self.offset - base]
            matcher = self._set.matcher(match.pattern)
            for start in range(max(match.start, base), match.end):
                spans = matcher.ends_at(text, start - base, match.end - base, base == 0, self)
                if spans is not None:
                    begin = spans[0][0] + base if spans else start
                    return [Match(rule, max(begin, match.hold), end)]
        except OverBudgetError:
            return [Match(rule, match.hold, self.offset, failed=True)]
        return []

    def _settled(self, pattern: int, window: Window, *, last: bool, ended: bool) -> list[Match]:
        """The matches of a pattern that nothing older can undo any more; `last` if nothing more is
        read, `ended` if the text ends here."""
        found: list[Match] = []
        match: OpenMatch | None = None
        try:
            if not self._set.automata[pattern].cuts:
                self._confirm_all(pattern, window, found, last=last, ended=ended)
                return found
            while taken := self.steps.take(pattern, last):
                match = OpenMatch._make(taken)
                if not self._is_refused(match, window):
                    found += self._taken(match, window, ended=ended)
        except MemoryError:
            raise  # no failure of the rule: nothing is certain then
        except Exception:
            compiled = self._set.patterns[pattern]
            matches = self._open(pattern) if match is None else [match, *self._open(pattern)]
            self.steps.keep(pattern, [])
            holds = [match.hold for match in matches if compiled.holds]
            hold = min(holds, default=self.offset)
            found.append(Match(compiled.rule, hold, self.offset, failed=True))
        return found

    def _confirm_all(
        self, pattern: int, window: Window, found: list[Match], *, last: bool, ended: bool
    ) -> None:
        """See `_settled`, of an approximated pattern."""
        while matches := self._open(pattern):
            oldest = self.offset + 1 if last else self.steps.began(pattern)
            if matches[0].start >= oldest or self._confirmed(
                matches, oldest, window, found, ended=ended
            ):
                break

    def _taken(self, match: OpenMatch, window: Window, *, ended: bool) -> list[Match]:
        """Take a pattern's oldest match: nothing can undo it, but its judge may refuse it."""
        pattern, began = match.pattern, match.start
        compiled = self._set.patterns[pattern]
        spans = self._spans(pattern, match, window)
        if compiled.confirm is not None:
            if spans and spans[0][0] < self._horizon():
                # It has overflowed long ago, and there is no text left to be judged.
                rule = compiled.rule
                return [Match(rule, start, end, began, judged=False) for start, end in spans]
            if not self._holds_true(pattern, spans, window):
                self._go_on_after(match, window, ended=ended)
                return []
        if match.late:
            self._restart(pattern, match.end, window, ended=ended)
        if len(spans) == 1:
            return [Match(compiled.rule, *spans[0], began)]
        return [Match(compiled.rule, start, end, began) for start, end in spans]

    def _go_on_after(self, match: OpenMatch, window: Window, *, ended: bool) -> None:
        """Let the search go on after a match that is refused. What comes back holds nothing before
        the match's hold-back: that has overflowed."""
        pattern, at = match.pattern, self._after_refused(match, window)
        if not self._hides(pattern):
            self._restart(pattern, at, window, ended=ended)
            return
        until = match.hold - 1 if self._set.releases else -1
        self._restart(pattern, at, window, ended=ended, until=until)
        self._hold_from(pattern, match.hold)

    def _is_refused(self, match: OpenMatch, window: Window) -> bool:
        """Whether a match is refused, and with it all that begin after it, up to here: then what it
        hides need not be looked for."""
        keywords = self._set.announcing[match.pattern]
        if keywords is None or match.start < self._horizon():
            return False
        return keywords.are_missing(self._near(match.start, keywords.reach, window))

    def _after_refused(self, match: OpenMatch, window: Window) -> int:
        """Where the search goes on after a match that is refused: it hides nothing, so after its
        first character. After a long one, all of which would be read again for each character, it
        may be where the next one is announced."""
        keywords, begin = self._set.announcing[match.pattern], match.start + 1
        end = self._asked_upto(begin)
        if keywords is None or match.end < end:
            return begin
        return self._announced(keywords, begin, end, window)

    def _announced(self, keywords: Announcing, begin: int, end: int, window: Window) -> int:
        """The first offset from `begin` on where a match may begin, as far as `end`."""
        near = self._near(begin, keywords.reach, window)
        if keywords.are_missing(near):
            return self.offset
        missed = self.offset - len(near)
        return missed + keywords.announced(near, begin - missed, end - missed)

    def _asked_upto(self, begin: int) -> int:
        """Before which place a search stops asking for keywords that began to ask at `begin`."""
        return begin + max(AT_ONCE, (self.offset - begin) // 4)

    def _near(self, begin: int, reach: int, window: Window) -> str:
        """The text from up to `reach` characters before `begin` up to here, as patterns read it."""
        return self._as_read(window.slice(max(begin - reach, window.base), self.offset))

    def _horizon(self) -> int:
        """What lies before may no longer be known, however the text was cut."""
        return self.steps.offset - self._set.window

    def _confirmed(
        self,
        matches: Sequence[OpenMatch],
        oldest: int,
        window: Window,
        found: list[Match],
        *,
        ended: bool,
    ) -> bool:
        """Confirm an approximated pattern's matches that began before `oldest`, up to the first
        that is not refused; returns whether there was none. `ended` if the text ends here."""
        pattern = matches[0].pattern
        compiled = self._set.patterns[pattern]
        begin = max(matches[0].start, self._horizon())
        while (match := self._find(pattern, begin, oldest, window)) is not None:
            spans = self._spans(pattern, match, window)
            if self._holds_true(pattern, spans, window):
                found += [Match(compiled.rule, start, end, match.start) for start, end in spans]
                self._restart(pattern, match.end, window, ended=ended)
                return False
            begin = self._after_refused(match, window)
        # An older start may have accepted in place of one that lives: those before the last end are
        # looked at once they are older than what lives.
        end = max(each.end for each in matches)
        kept = [each for each in matches if each.start >= oldest] if compiled.group else []
        if oldest < end and not (kept and kept[0].start == oldest):
            hold = max(oldest, min(each.hold for each in matches))
            kept.insert(0, OpenMatch(pattern, oldest, hold, end, late=False))
        self.steps.keep(pattern, kept)
        return True

    def _holds_true(self, pattern: int, spans: Sequence[tuple[int, int]], window: Window) -> bool:
        """Whether the pattern's judge confirms one of a match's spans; an empty one is nothing to
        judge."""
        confirm = self._set.patterns[pattern].confirm
        if confirm is None:
            return True
        judge, reach = confirm.judge, confirm.reach
        for start, end in spans:
            if start < end:
                near = max(start - reach, window.base)
                text = self._as_read(window.slice(near, end))
                if judge(text[start - near :], text[: start - near]):
                    return True
        return False

    def _spans(self, pattern: int, match: OpenMatch, window: Window) -> Sequence[tuple[int, int]]:
        """What of a match is masked: all of it, or each capture of the group."""
        compiled, base = self._set.patterns[pattern], window.base
        if not compiled.group:
            return [(match.start, match.end)]
        # Where the group began the automaton knows, unless the hold-back is another match's too, as
        # it may be where matches are refused. What is released may have been the group's beginning.
        automaton = self._set.automata[pattern]
        shared = automaton.least_hold and (
            match.outlived or self._set.releases or self.steps.blurred(pattern)
        )
        known = automaton.program.exact and not shared
        if known and compiled.tail is not None:
            end = match.end - compiled.tail
            return [(match.hold, end)] if match.hold < end else []
        # What comes after is not known yet, however the text is cut.
        text = self._as_read(window.text)[: self.offset - base]
        end, horizon = match.end - base, self._horizon()
        if known and compiled.after is not None:
            ends = [
                match.end - width
                for width in compiled.widths
                if match.end - width >= max(match.hold, horizon)
                and self._set.follows(pattern, text, end - width, end, base == 0, self)
            ]
            if len(ends) == 1:
                # It can only have ended there.
                return [(match.hold, ends[0])] if match.hold < ends[0] else []
        matcher, found = self._set.matcher(pattern), None
        if match.start >= horizon:
            found = matcher.ends_at(text, match.start - base, end, base == 0, self)
            if known and found and found[0][0] + base != match.hold >= horizon:
                # The way that `regex` prefers has overflowed and was dropped. In the one that is
                # left the group may have captured nothing.
                opened = match.hold < match.end
                found = matcher.opened_at(text, match.hold - base, end, self) if opened else []
        elif match.hold >= horizon and not match.outlived:
            found = matcher.opened_at(text, match.hold - base, end, self)
        if found is None:
            return [(match.start if match.outlived else match.hold, match.end)]
        return [(first + base, last + base) for first, last in found]

    # Reading again

    def _find(self, pattern: int, begin: int, end: int, window: Window) -> OpenMatch | None:
        """The first match that begins from `begin` on, and before `end`, as `regex` finds it, of an
        approximated pattern."""
        starts = range(max(begin, window.base), min(end, self.offset))
        return self._first_of(pattern, starts, window, self)

    def _first_of(
        self, pattern: int, starts: Iterable[int], window: Window, budget: Budget
    ) -> OpenMatch | None:
        """The first match that begins at one of the starts."""
        base = window.base
        text = self._as_read(window.text)[: self.offset - base]
        matcher = self._set.matcher(pattern)
        for start in starts:
            found = matcher.match(text, start - base, base == 0, budget)
            if found is not None:
                end = found.end + base
                hold = found.spans[0][0] + base if found.spans else end
                if not self._set.patterns[pattern].group:
                    hold = start
                return OpenMatch(pattern, start, hold, end, late=False, written=hold == end)
        return None

    def _restart(
        self, pattern: int, at: int, window: Window, *, ended: bool = False, until: int = -1
    ) -> None:
        """Let the pattern's search go on as if it had begun at an offset before the present: what
        is there are only its lookbehinds, which read what they may look back at. `until` an offset
        the masked group does not open."""
        base, read = window.base, self.steps.offset
        at = max(at, self._horizon())
        begin = max(at - self._set.patterns[pattern].behind, base)
        if begin == base and base:
            begin = min(base + 1, at)
        first = max(begin - 1, base)
        text = window.slice(first, read)
        self.steps.restart(pattern, text, begin - first, at - first, first, ended, until)
        self.pay(read - at + 1)

    def left(self) -> int:
        """See `Budget.left`."""
        read = self.steps.offset
        spent = max(self._spent, STEPS_PER_CHARACTER * (read - self._set.window))
        return STEPS_PER_CHARACTER * (read + 1) - spent

    def _allowance(self) -> int:
        """How many steps would be left if none had been paid for."""
        return STEPS_PER_CHARACTER * (min(self.steps.offset, self._set.window) + 1)

    def pay(self, steps: int) -> None:
        """See `Budget.pay`; raises OverBudgetError."""
        read = self.steps.offset
        self._spent = max(self._spent, STEPS_PER_CHARACTER * (read - self._set.window)) + steps
        if self._spent > STEPS_PER_CHARACTER * (read + 1):
            raise OverBudgetError

    def _as_read(self, text: str) -> str:
        """A text as patterns read it."""
        table = self._set.table
        return text if table is None else table.translated(text)

    # Holding back

    def _held(self) -> list[tuple[int, int]]:
        """(hold-back, pattern) of all candidates that text waits for."""
        # What began in text that is masked as it comes is masked with it.
        steps, flowing = self.steps, self.steps.lost()
        held = [
            (steps.waits(pattern), pattern)
            for pattern in steps.patterns()
            if self._set.patterns[pattern].holds and pattern not in flowing
        ]
        for pattern in steps.waiting():
            if pattern not in flowing and self._set.patterns[pattern].holds:
                held += [(hold, pattern) for _, _, hold, _, _, _ in steps.unwritten(pattern)]
        return held

    def hold(self) -> int:
        """See `Scan.hold`."""
        return self.steps.held()

    def needed(self) -> int:
        """See `Scan.needed`."""
        return max(self.steps.oldest(), self._horizon()) - 1 - self._set.reach

    def holders(self, hold: int) -> list[int]:
        """See `Scan.holders`."""
        return [self._set.patterns[entry[1]].rule for entry in self._held() if entry[0] <= hold]

    def prune(self, upto: int, window: Window) -> None:
        """See `Scan.prune`: what is approximated may make text wait for nothing, and so may what no
        keyword announces, or what a match hides of which all is written."""
        budget = ReservingBudget(self, self._allowance() // 2)
        for pattern in {pattern for _, pattern in self._held()}:
            self._let_go(pattern, upto, window, budget)
            if self._hides(pattern):
                self._let_hidden_go(pattern, window, budget)
        for pattern in self._set.approximated:
            try:
                while not self._can_go_on(
                    pattern, start := self.steps.began(pattern), window, budget
                ):
                    self._settle_at(pattern, start, window, budget)
            except OverBudgetError:
                # What cannot be decided within the budget is taken to go on.
                continue
            except MemoryError:
                raise
            except Exception:
                self.steps.keep(pattern, [])
                rule = self._set.patterns[pattern].rule
                self._stands(Match(rule, self.offset, self.offset, failed=True))

    def _let_go(self, pattern: int, upto: int, window: Window, budget: Budget) -> None:
        """Let go of a pattern's candidates that hold text and have no keyword before them, of the
        oldest and of those that are held from `upto` or before at least."""
        keywords = self._set.announcing[pattern]
        if keywords is None:
            return
        last = self._asked_upto(self._waits(pattern))
        while self._horizon() <= (hold := self._waits(pattern)) < self.offset:
            if hold >= last:
                if hold > upto:
                    return
                last = self._asked_upto(hold)
            last = min(last, self.offset)
            at = self._announced(keywords, hold, last, window)
            if at == hold or budget.left() < self.offset - at + 1:
                return
            self._restart(pattern, at, window)

    def _hides(self, pattern: int) -> bool:
        """Whether what a match of the pattern has cut may come back when all that the match masks
        is written: it may be refused, and a group may end before an older thread does."""
        automaton = self._set.automata[pattern]
        return automaton.cuts and automaton.least_hold

    def _hold_from(self, pattern: int, out: int) -> None:
        """Let text wait for a pattern's matches no earlier than from `out`, before which all is
        written; where it is masked, one that goes on needs to know where its group began. What is
        no longer kept neither comes back."""
        # There may be a thousand, at each overflow again.
        horizon, releases = self._horizon(), self._set.releases
        matches = list(self.steps.open_matches(pattern))
        kept: list[OpenMatch] = []
        for match in matches:
            _, start, hold, end, late, written = match
            if end < horizon:
                continue
            if hold < out and (end <= out or releases):
                kept.append(OpenMatch(pattern, start, out, end, late, written))
            else:
                kept.append(match)
        if kept != matches:
            self.steps.keep(pattern, kept)

    def _let_hidden_go(self, pattern: int, window: Window, budget: Budget) -> None:
        """Let text wait for a pattern's oldest matches, if nothing is masked of them any more, only
        where it waits for something that they hide."""
        matches = self._open(pattern)
        try:
            silent = list(takewhile(partial(self._is_silent, window=window), matches))
            if not silent:
                return
            hold = self._hidden(silent[0], min(match.hold for match in silent), window, budget)
        except OverBudgetError:
            return
        kept = [match._replace(hold=hold) if match.hold < hold else match for match in silent]
        self.steps.keep(pattern, [*kept, *matches[len(silent) :]])

    def _is_silent(self, match: OpenMatch, window: Window) -> bool:
        """Whether nothing is masked of a match, or all that is has been written."""
        return match.outlived or not self._spans(match.pattern, match, window)

    def _hidden(self, first: OpenMatch, out: int, window: Window, budget: Budget) -> int:
        """Where text waits for what a match hides, and those that begin after it, as it would if
        they were refused; before `out` all is written. Raises OverBudgetError where more would be
        read again than is kept."""
        pattern, hold, horizon = first.pattern, self.offset, self._horizon()
        spare = min(budget.left(), self._set.window)
        scan = self.fork(self.scope.rules)
        assert scan is not None  # it looks for its own rules
        refused: int | None = first.start
        while refused is not None:
            spare -= self.offset - max(refused, horizon)
            if spare < 0:
                raise OverBudgetError
            scan._restart(pattern, refused + 1, window)
            self._spent = scan._spent
            matches = scan.steps.open_matches(pattern)
            holds = [began for _, _, began, end, _, _ in matches if end > out]
            hold = min([hold, scan.steps.waits(pattern), *holds])
            refused = next((start for _, start, _, end, _, _ in matches if end <= out), None)
        return max(hold, out)

    def _stands(self, *matches: Match) -> None:
        """Let these be settled next."""
        self._standing = (*self._standing, *matches)

    def _can_go_on(self, pattern: int, start: int, window: Window, budget: Budget) -> bool:
        """Whether more text may change what matches at `start`; so it is if nothing lives."""
        if start > self.offset or start < window.base:
            return True
        text, base = self._as_read(window.text), window.base
        text = text[: self.offset - base]
        return self._set.matcher(pattern).can_go_on(text, start - base, base == 0, budget)

    def _settle_at(self, pattern: int, start: int, window: Window, budget: Budget) -> None:
        """Take the match at `start`, the oldest candidate, which more text cannot change, if there
        is one, and let the search go on after it."""
        # The automaton may not have accepted it yet: of a lookahead it awaits all that may be read.
        match = self._first_of(pattern, [start], window, budget)
        spans = [] if match is None else self._spans(pattern, match, window)
        if match is None or not self._holds_true(pattern, spans, window):
            self._restart(pattern, start + 1, window)
            return
        rule = self._set.patterns[pattern].rule
        self._stands(*[Match(rule, *span, match.start) for span in spans])
        self._restart(pattern, match.end, window)

    def overflow(self, hold: int, window: Window, *, drop: bool) -> None:
        """See `Scan.overflow`."""
        for pattern in {entry[1] for entry in self._held() if entry[0] <= hold}:
            if drop:
                try:
                    self._drop(pattern, hold, window)
                except MemoryError:
                    raise
                except Exception:
                    rule = self._set.patterns[pattern].rule
                    self._stands(Match(rule, hold, self.offset, failed=True))
            else:
                self.steps.lose(pattern, hold)
                # What has matched ends before the present, so that all of it has been written.
                if self._hides(pattern):
                    self._hold_from(pattern, self.offset)
                    continue
                over = [match for match in self._unwritten(pattern) if match.hold <= hold]
                self.steps.write(pattern, over)

    def wrote(self, upto: int, window: Window) -> None:
        """See `Scan.wrote`: only a masked group may end before its match."""
        masked: dict[tuple[int, int, int], int] = {}
        for pattern in self.steps.waiting():
            compiled = self._set.patterns[pattern]
            if not compiled.group or compiled.confirm is not None or not compiled.holds:
                continue
            over = []
            for match in self._unwritten(pattern):
                key = pattern, match.start, match.end
                if match.hold < upto:
                    end = masked[key] = self._masked.get(key) or self._masked_to(match, window)
                    if end <= upto:
                        over.append(match)
            if over:
                self.steps.write(pattern, over)
        self._masked = masked

    def _masked_to(self, match: OpenMatch, window: Window) -> int:
        """Where what is masked of a match ends; the match's end where that takes too long."""
        try:
            spans = self._spans(match.pattern, match, window)
        except OverBudgetError:
            return match.end
        return spans[-1][1] if spans else match.hold

    def _drop(self, pattern: int, hold: int, window: Window) -> None:
        """Drop the candidates that are held from `hold`; what they had matched stands."""
        group = self._set.patterns[pattern].group
        while self._waits(pattern) <= hold:
            began = self.steps.began(pattern)
            start = min(began, self._waits(pattern))
            match = self._oldest_match(pattern, start, hold, window)
            spans = [] if match is None else self._spans(pattern, match, window)
            if match is not None and self._holds_true(pattern, spans, window):
                rule = self._set.patterns[pattern].rule
                self._stands(*[Match(rule, *span, match.start) for span in spans])
                self._restart(pattern, match.end, window)
            elif not group:
                self._restart(pattern, start + 1, window)
            elif began >= self._horizon():
                # A candidate that has not opened its group lives on, and so does a younger one.
                self._restart(pattern, began, window, until=hold)
                self._hold_from(pattern, hold + 1)
            else:
                self.steps.drop(pattern, hold)
                kept = [match for match in self._open(pattern) if match.hold > hold]
                self.steps.keep(pattern, kept)

    def _oldest_match(
        self, pattern: int, start: int, hold: int, window: Window
    ) -> OpenMatch | None:
        """What the candidates from `start` on that are held from `hold`, or before, have matched
        first."""
        matches: Iterable[OpenMatch | None]
        if pattern in self._set.approximated:
            matches = [self._find(pattern, start, hold + 1, window)]
        else:
            matches = self._open(pattern)
        group = self._set.patterns[pattern].group
        return next((m for m in matches if m and (m.hold if group else m.start) <= hold), None)

    def _waits(self, pattern: int) -> int:
        """Where the oldest hold-back of a pattern began, of a candidate or a match."""
        holds = [hold for _, _, hold, _, _, _ in self.steps.unwritten(pattern)]
        return min([self.steps.waits(pattern), *holds])

    def overflowing(self, window: Window) -> bool:
        """See `Scan.overflowing`."""
        if self.steps.lost():
            self.prune(-1, window)
        return bool(self.steps.lost())

    def disable(self, rule: int) -> None:
        """See `Scan.disable`."""
        for index, pattern in enumerate(self._set.patterns):
            if pattern.rule == rule:
                self.steps.disable(index)
