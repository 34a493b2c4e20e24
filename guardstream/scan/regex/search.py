"""Searches a stream for regular expressions: automata find candidates, this settles them.

Patterns settle in three ways. An *ordered* one needs no second look: the automaton's accepts are
`regex`'s own matches as soon as nothing older lives. An *eager* one is reported at the first end of
any match. A *tested* one may be refused by a validator or an allowlist: once no candidate lives
that is as old, an automaton that cuts finds each match in the text that has been kept, and the
search goes on after what was confirmed, as if it began there.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Sequence
from typing import NamedTuple

from guardstream.errors import PatternError
from guardstream.scan.match import UNREAD, Match, Window
from guardstream.scan.regex import forms
from guardstream.scan.regex.alphabet import CharSets
from guardstream.scan.regex.dfa import Alphabet, Automaton, State
from guardstream.scan.regex.matcher import Matcher
from guardstream.scan.regex.nfa import Program
from guardstream.scan.regex.pattern import Pattern, Settling
from guardstream.scan.regex.registers import Thread
from guardstream.scan.regex.stepper import Accepted, Classes, Machine, accepted
from guardstream.scan.words.normalize import Table

MIN_WINDOW = 2_048
"""How many code points before the present a confirmation may always look at."""

STEPS_PER_CHARACTER = 1_000
"""How many steps of confirming each character read pays for, up to those of a whole window."""


class TooLargeError(PatternError):
    """A pattern is too large for an automaton; `index` is its number among the patterns."""

    def __init__(self, message: str, index: int) -> None:
        super().__init__(message)
        self.index = index


class OverBudgetError(Exception):
    """Confirming would take more steps than the characters read have paid for."""


class Candidate(NamedTuple):
    """An accepted match that something older may still undo, or that may be refused; `late` if
    the automaton went on without what begins after it, `written` if it has overflowed, so that
    nothing waits for it any more."""

    start: int
    end: int
    hold: int
    late: bool
    written: bool = False


class PatternSet:
    """The compiled patterns of a rule set with their automata; shared between streams.

    `window` is how many code points confirmations may look back over. With a `table` the text is
    read as translated by it, character for character.
    """

    def __init__(
        self, patterns: Sequence[Pattern], *, window: int, table: Table | None = None
    ) -> None:
        self.table = table
        self.patterns = tuple(patterns)
        self.window = max(window, MIN_WINDOW)
        sets, alphabet = CharSets(), Alphabet()
        programs = [_program(index, pattern, sets) for index, pattern in enumerate(patterns)]
        self.automata = [
            Automaton(
                program,
                alphabet,
                cuts=pattern.settling is not Settling.EAGER and program.exact,
                least_hold=pattern.settling is Settling.TESTED,
            )
            for pattern, program in zip(patterns, programs, strict=True)
        ]
        self._alphabet = alphabet
        self._matchers: dict[int, Matcher] = {}
        self.classes = Classes(sets, alphabet, table)
        machine = Machine(
            self.automata, [pattern.holds for pattern in patterns], self.classes, alphabet
        )
        self.steps = forms.stepping(machine)
        self.approximated = [index for index, program in enumerate(programs) if not program.exact]
        self.reach = [
            pattern.behind + (pattern.confirm.reach if pattern.confirm else 0)
            for pattern in patterns
        ]

    def settling(self, index: int) -> Settling:
        """How a pattern's matches become certain; where the automaton only approximates it, all
        that it accepts is tested."""
        settling = self.patterns[index].settling
        exact = self.automata[index].program.exact
        return settling if exact or settling is Settling.EAGER else Settling.TESTED

    def matcher(self, index: int) -> Matcher:
        """What finds a match's captures, or follows a back-reference."""
        known = self._matchers.get(index)
        if known is None:
            pattern = self.patterns[index]
            known = self._matchers[index] = Matcher(pattern.tree, pattern.group)
        return known

    def scan(self) -> PatternScan:
        """A search over one stream."""
        return PatternScan(self)


def _program(index: int, pattern: Pattern, sets: CharSets) -> Program:
    try:
        return Program(pattern.tree, sets, pattern.group)
    except PatternError as error:
        raise TooLargeError(str(error), index) from error


class PatternScan:
    """One stream's search: the patterns that are awake, and what is accepted but not settled."""

    __slots__ = (
        "_candidates",
        "_careful",
        "_lost",
        "_off",
        "_set",
        "_spent",
        "_standing",
        "_steps",
    )

    def __init__(self, patterns: PatternSet) -> None:
        self._set = patterns
        self._steps = patterns.steps()
        self._careful = False
        self._candidates: dict[int, list[Candidate]] = {}
        self._standing: list[Match] = []
        self._lost: dict[int, int] = {}
        self._off: frozenset[int] = frozenset()
        self._spent = 0

    @property
    def offset(self) -> int:
        """How many characters have been read."""
        return self._steps.offset

    def state(self, pattern: int) -> tuple[State, tuple[int, ...]] | None:
        """The state and registers of a pattern that has candidates."""
        return self._steps.state(pattern)

    def open_matches(self, pattern: int) -> tuple[tuple[int, int], ...]:
        """The pattern's matches that are accepted but not settled."""
        return tuple((match.start, match.end) for match in self._candidates.get(pattern, ()))

    # Reading

    def read(self, text: str) -> int:
        """See `Scan.read`."""
        return UNREAD if self._careful else self._steps.read(text)

    def unread(self) -> None:
        """See `Scan.unread`."""
        self._steps.unread()

    def run(self, text: str, begin: int, end: int) -> int:
        """See `Scan.run`. Attention is needed at an accept, and at every character after one
        until it is settled."""
        if self._candidates or self._lost:
            end = begin + 1
        return self._steps.run(text, begin, end)

    # Settling

    def settle(self, window: Window) -> list[Match]:
        """See `Scan.settle`."""
        found, self._standing = self._standing, []
        found += self._noted(self._steps.take(), window)
        for pattern in list(self._candidates):
            found += self._settled(pattern, window, last=False, ended=False)
        return found

    def finish(self, window: Window) -> list[Match]:
        """See `Scan.finish`."""
        new = []
        for pattern in self._steps.patterns():
            state, registers = self._steps.state(pattern) or _nowhere()
            new += [accepted(pattern, accept, registers, self.offset) for accept in state.end()]
        found = self._noted(new, window)
        for pattern in list(self._candidates):
            found += self._settled(pattern, window, last=True, ended=True)
        return found

    def stop(self, window: Window) -> list[Match]:
        """See `Scan.stop`."""
        found: list[Match] = []
        for pattern in list(self._candidates):
            found += self._settled(pattern, window, last=True, ended=False)
        return found

    def _noted(self, new: Sequence[Accepted], window: Window) -> list[Match]:
        """File new accepts; the eager ones are matches at once."""
        found: list[Match] = []
        for match in new:
            if match.pattern in self._off:
                continue
            if self._set.settling(match.pattern) is Settling.EAGER:
                found += self._fired(match, window)
            else:
                self._file(match)
        return found

    def _fired(self, match: Accepted, window: Window) -> list[Match]:
        rule = self._set.patterns[match.pattern].rule
        if self._set.automata[match.pattern].program.exact:
            return [Match(rule, match.hold, match.end)]
        try:
            base = window.base
            text = self._read_as(window)[: self.offset - base]
            matcher = self._set.matcher(match.pattern)
            for start in range(max(match.start, base), match.end):
                spans = matcher.ends_at(text, start - base, match.end - base, base == 0, self._pay)
                if spans is not None:
                    return [Match(rule, spans[0][0] + base, match.end)]
        except OverBudgetError:
            return [Match(rule, match.hold, self.offset, failed=True)]
        return []

    def _file(self, match: Accepted) -> None:
        candidate = Candidate(match.start, match.end, match.hold, match.late)
        known = self._candidates.setdefault(match.pattern, [])
        if self._set.automata[match.pattern].cuts:
            # An accepting thread undoes what threads after it had accepted.
            while known and known[-1].start >= candidate.start:
                known.pop()
            known.append(candidate)
        elif candidate not in known:
            insort(known, candidate)

    def _settled(self, pattern: int, window: Window, *, last: bool, ended: bool) -> list[Match]:
        """The matches of a pattern that nothing older can undo any more; `last` if nothing more is
        read, `ended` if the text ends here."""
        found: list[Match] = []
        hold = self.offset
        cuts = self._set.automata[pattern].cuts
        try:
            while candidates := self._candidates.get(pattern):
                hold = min(candidate.hold for candidate in candidates)
                oldest = self.offset + 1 if last else self._oldest(pattern)
                if candidates[0].start >= oldest:
                    break
                if cuts:
                    found += self._taken(pattern, window, ended=ended)
                elif self._confirmed(pattern, oldest, window, found):
                    break
        except Exception:
            rule = self._set.patterns[pattern].rule
            self._candidates.pop(pattern, None)
            found.append(Match(rule, hold, self.offset, failed=True))
        self._careful = True
        return found

    def _taken(self, pattern: int, window: Window, *, ended: bool) -> list[Match]:
        """Take the oldest candidate: nothing can undo it, but its judge may refuse it."""
        candidates, compiled = self._candidates[pattern], self._set.patterns[pattern]
        match = candidates.pop(0)
        if not candidates:
            del self._candidates[pattern]
        tested = compiled.confirm is not None
        if tested and not compiled.group and match.start < self._horizon():
            # It has overflowed long ago, and there is no text left to be judged.
            return [Match(compiled.rule, match.start, match.end, judged=False)]
        spans = self._spans(pattern, match, window)
        if tested and not self._holds_true(pattern, spans, window):
            # It hides nothing then: the search goes on after its first character.
            self._restart(pattern, match.start + 1, window, ended=ended)
            return []
        if match.late:
            self._restart(pattern, match.end, window, ended=ended)
        return [Match(compiled.rule, start, end) for start, end in spans]

    def _horizon(self) -> int:
        """What lies before may no longer be known, however the text was cut."""
        return self.offset - self._set.window

    def _confirmed(self, pattern: int, oldest: int, window: Window, found: list[Match]) -> bool:
        """Confirm an approximated pattern's matches that began before `oldest`, up to the first
        that is not refused; returns whether there was none."""
        compiled, candidates = self._set.patterns[pattern], self._candidates[pattern]
        begin = max(candidates[0].start, self._horizon())
        while (match := self._find(pattern, begin, window)) is not None:
            if match.start >= oldest:
                break
            spans = self._spans(pattern, match, window)
            if self._holds_true(pattern, spans, window):
                found += [Match(compiled.rule, start, end) for start, end in spans]
                self._restart(pattern, match.end, window)
                return False
            begin = match.start + 1
        kept = [candidate for candidate in candidates if candidate.start >= oldest]
        if match is not None and match not in kept:
            # An older start has accepted in its place; it is not settled itself.
            insort(kept, match)
        self._candidates[pattern] = kept
        if not kept:
            del self._candidates[pattern]
        return True

    def _holds_true(self, pattern: int, spans: Sequence[tuple[int, int]], window: Window) -> bool:
        """Whether the pattern's judge confirms one of a match's spans."""
        confirm = self._set.patterns[pattern].confirm
        if confirm is None:
            return True
        text, base = self._read_as(window), window.base
        return any(
            confirm.judge(
                text[start - base : end - base],
                text[max(start - base - confirm.reach, 0) : start - base],
            )
            for start, end in spans
        )

    def _spans(self, pattern: int, match: Candidate, window: Window) -> Sequence[tuple[int, int]]:
        """What of a match is masked: all of it, or each capture of the group."""
        compiled, base = self._set.patterns[pattern], window.base
        if not compiled.group:
            return [(match.start, match.end)]
        if compiled.tail is not None and compiled.confirm is None:
            end = match.end - compiled.tail
            return [(match.hold, end)] if match.hold < end else []
        begin, end = match.start - base, match.end - base
        text, matcher = self._read_as(window), self._set.matcher(pattern)
        if match.start >= self._horizon():
            found = matcher.ends_at(text, begin, end, base == 0, self._pay)
        else:
            begin = max(match.hold - base, 0)
            found = matcher.opened_at(text, begin, end, self._pay)
        return [(first + base, last + base) for first, last in found or [(begin, end)]]

    # Reading again

    def _find(self, pattern: int, begin: int, window: Window) -> Candidate | None:
        """The first match from `begin` on, as `regex` finds it, of an approximated pattern."""
        base = window.base
        text = self._read_as(window)[: self.offset - base]
        matcher = self._set.matcher(pattern)
        for start in range(max(begin, base), self.offset):
            found = matcher.match(text, start - base, base == 0, self._pay)
            if found is not None:
                hold = found.spans[0][0] + base if found.spans else start
                return Candidate(start, found.end + base, hold, late=False)
        return None

    def _warmed(self, automaton: Automaton, pattern: int, at: int, window: Window) -> State:
        """The state at an offset at which the search begins: nothing is there yet but what the
        lookbehinds have read."""
        text, base, classes = window.text, window.base, self._set.classes
        begin = max(at - self._set.patterns[pattern].behind, base)
        before = classes[text[begin - base - 1]] if begin > base else Alphabet.BEGIN
        if begin == base and base:
            before = classes[text[0]]
            begin = min(base + 1, at)
        state = automaton.idle(automaton.alphabet.signatures[before])
        for offset in range(begin, at):
            number = classes[text[offset - base]]
            state = automaton.transition(state, number, begins=False).target
        return state

    def _restart(self, pattern: int, at: int, window: Window, *, ended: bool = False) -> None:
        """Let the pattern's search go on as if it had begun at an offset before the present."""
        automaton = self._set.automata[pattern]
        self._candidates.pop(pattern, None)
        at = max(at, self._horizon())
        state = self._warmed(automaton, pattern, at, window)
        registers: tuple[int, ...] = ()
        classes, here, base = self._set.classes, self.offset, window.base
        for offset, character in enumerate(window.text[at - base : here - base], at):
            target, moves, accepts = transition = state[classes[character]]
            for accept in accepts:
                self._file(accepted(pattern, accept, registers, offset))
            if moves is not None:
                registers = transition.moved(registers, offset)
            state = target
        for accept in state.end() if ended else ():
            self._file(accepted(pattern, accept, registers, here))
        self._steps.put(pattern, state, registers)
        self._pay(here - at + 1)

    def _pay(self, steps: int) -> None:
        """Pay for steps of confirming; raises OverBudgetError where too many are needed."""
        self._spent = max(self._spent, STEPS_PER_CHARACTER * (self.offset - self._set.window))
        self._spent += steps
        if self._spent > STEPS_PER_CHARACTER * (self.offset + 1):
            raise OverBudgetError

    def _oldest(self, pattern: int) -> int:
        """Where the pattern's oldest candidate began; beyond the present if none lives."""
        return self._steps.began(pattern)

    def _read_as(self, window: Window) -> str:
        table = self._set.table
        return window.text if table is None else window.text.translate(table)

    # Holding back

    def _held(self) -> list[tuple[int, int]]:
        """(hold-back, pattern) of all candidates that text waits for."""
        # What began in text that is masked as it comes is masked with it.
        flowing = {pattern for pattern in self._lost if self._lives_on(pattern)} | self._off
        held = [
            (self._steps.waits(pattern), pattern)
            for pattern in self._steps.patterns()
            if self._set.patterns[pattern].holds and pattern not in flowing
        ]
        for pattern, candidates in self._candidates.items():
            if pattern not in flowing and self._set.patterns[pattern].holds:
                held += [(c.hold, pattern) for c in candidates if not c.written]
        return held

    def _lives_on(self, pattern: int) -> bool:
        """Whether a candidate of the pattern that overflowed is still alive."""
        return self._steps.waits(pattern) <= self._lost[pattern]

    def hold(self) -> int:
        """See `Scan.hold`."""
        self._careful = bool(self._candidates or self._lost or self._off)
        if self._careful:
            return min([self.offset, *(entry[0] for entry in self._held())])
        return self._steps.held()

    def needed(self) -> int:
        """See `Scan.needed`."""
        offset = self.offset
        needed = offset - 1
        for pattern in self._steps.patterns():
            began = max(self._steps.began(pattern), offset - self._set.window)
            needed = min(needed, began - self._set.reach[pattern])
        for pattern, candidates in self._candidates.items():
            began = max(candidates[0].start, offset - self._set.window)
            needed = min(needed, began - self._set.reach[pattern])
        return needed - max(self._set.reach, default=0)

    def holders(self, hold: int) -> list[int]:
        """See `Scan.holders`."""
        return [self._set.patterns[entry[1]].rule for entry in self._held() if entry[0] <= hold]

    def prune(self, window: Window) -> None:
        """See `Scan.prune`: a reference to a group of many texts is all that is approximated."""
        for pattern in self._set.approximated:
            try:
                while not self._can_go_on(pattern, self._steps.began(pattern), window):
                    self._restart(pattern, self._steps.began(pattern) + 1, window)
            except OverBudgetError:
                # What cannot be decided within the budget is taken to go on.
                continue

    def _can_go_on(self, pattern: int, start: int, window: Window) -> bool:
        """Whether a candidate may still become a match; that nothing lives counts as such."""
        if start > self.offset or start < window.base or self._candidates.get(pattern):
            return True
        text, base = self._read_as(window), window.base
        text = text[: self.offset - base]
        return self._set.matcher(pattern).can_go_on(text, start - base, base == 0, self._pay)

    def overflow(self, hold: int, window: Window, *, drop: bool) -> None:
        """See `Scan.overflow`."""
        over = {entry[1] for entry in self._held() if entry[0] <= hold}
        self._careful = True
        if not drop:
            self._lost |= dict.fromkeys(over, hold)
            for pattern in over:
                # What has matched ends before the present, so that all of it has been written.
                candidates = self._candidates.get(pattern, [])
                candidates[:] = [
                    c._replace(written=c.written or c.hold <= hold) for c in candidates
                ]
            return
        for pattern in over:
            try:
                self._drop(pattern, hold, window)
            except OverBudgetError:
                rule = self._set.patterns[pattern].rule
                self._standing.append(Match(rule, hold, self.offset, failed=True))

    def _drop(self, pattern: int, hold: int, window: Window) -> None:
        """Drop the candidates that are held from `hold`; what they had matched stands."""
        if self._set.patterns[pattern].group:
            self._drop_opened(pattern, hold)
            return
        while self._waits(pattern) <= hold:
            start = min(self._steps.began(pattern), self._waits(pattern))
            candidates = self._candidates.get(pattern, [])
            match = next((c for c in candidates if c.start == start), None)
            spans = [] if match is None else self._spans(pattern, match, window)
            if match is not None and self._holds_true(pattern, spans, window):
                rule = self._set.patterns[pattern].rule
                self._standing += [Match(rule, *span) for span in spans]
                self._restart(pattern, match.end, window)
            else:
                self._restart(pattern, start + 1, window)

    def _waits(self, pattern: int) -> int:
        """Where the oldest hold-back of a pattern began, of a candidate or a match."""
        candidates = self._candidates.get(pattern, ())
        holds = [candidate.hold for candidate in candidates if not candidate.written]
        return min([self._steps.waits(pattern), *holds])

    def _drop_opened(self, pattern: int, hold: int) -> None:
        """Drop the threads whose masked group opened at `hold`, and those that keep a match from
        settling that is held from there."""
        run = self._steps.state(pattern)
        if run is None:
            return
        state, registers = run
        held = [c for c in self._candidates.get(pattern, ()) if c.hold <= hold]

        def is_dropped(thread: Thread) -> bool:
            start, opened = thread.began(registers, self.offset)
            return opened <= hold or any(start <= candidate.start for candidate in held)

        self._steps.put(pattern, *state.without(is_dropped, registers))

    def overflowing(self, window: Window) -> bool:
        """See `Scan.overflowing`."""
        if self._lost:
            self.prune(window)
        for pattern in [pattern for pattern in self._lost if not self._lives_on(pattern)]:
            del self._lost[pattern]
        return bool(self._lost)

    def disable(self, rule: int) -> None:
        """See `Scan.disable`."""
        self._careful = True
        for index, pattern in enumerate(self._set.patterns):
            if pattern.rule == rule:
                self._off |= {index}
                self._steps.disable(index)
                self._candidates.pop(index, None)
                self._lost.pop(index, None)


def _nowhere() -> tuple[State, tuple[int, ...]]:
    raise AssertionError("a pattern that is awake has a state")
