"""One stream's search for regular expressions: automata find candidates, this settles them.

Patterns settle in three ways. An *ordered* one needs no second look: the automaton's accepts are
`regex`'s own matches as soon as nothing older lives. An *eager* one is reported at the first end of
any match. A *tested* one may be refused by a validator or an allowlist, so its match is judged once
no candidate lives that is as old. If it is refused, the search resumes at its second character, as
if it began there. The matches of an approximated pattern are first found again by the matcher.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from itertools import takewhile

from guardstream.scan.match import Match, Window
from guardstream.scan.regex.forms import AnyStepper
from guardstream.scan.regex.matcher import Budget
from guardstream.scan.regex.pattern_set import PatternSet, Scope
from guardstream.scan.regex.piles import OpenMatch
from guardstream.scan.regex.rereading import OverBudgetError, Rereading, ReservingBudget

_NOTHING_MASKED: Mapping[tuple[int, int, int], int] = {}
"""Shared by the searches of which nothing is written yet."""


class PatternScan(Rereading):
    """One search of one stream. `steps` reads the text, and has the candidates and open matches;
    `scope` says what is searched for."""

    __slots__ = ("_masked", "_standing", "scope")

    def __init__(self, patterns: PatternSet, steps: Callable[[], AnyStepper], scope: Scope) -> None:
        super().__init__(patterns, steps)
        self.scope = scope
        self._standing: tuple[Match, ...] = ()
        self._masked = _NOTHING_MASKED

    def fork(self, rules: Collection[int]) -> PatternScan | None:
        """A copy that goes on by itself and looks for these rules only; None if this search looks
        for none of them."""
        if self.scope.rules.isdisjoint(rules):
            return None
        fork = PatternScan(self._set, self.steps.fork, self.scope)
        fork._standing, fork._masked = self._standing, self._masked
        fork._spent = self._spent
        for rule in self.scope.rules.difference(rules):
            fork.disable(rule)
        return fork

    def is_alike(self, fork: PatternScan) -> bool:
        """Whether a fork of this search finds the same from here on, apart from offsets."""
        return not (self._standing or fork._standing) and fork.steps.is_alike(self.steps)

    @property
    def behind(self) -> int:
        """How far before a match it may look back."""
        return self.scope.behind

    def watched(self) -> bool:
        """See `Scan.watched`: only the matcher can tell when an approximated candidate ends."""
        return bool(self._set.approximated and self.steps.lost())

    def oldest(self) -> int:
        """Where the oldest candidate or open match began; the present offset if there is none."""
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
        """A pattern's open matches, the oldest first."""
        return list(map(OpenMatch._make, self.steps.open_matches(pattern)))

    def _unwritten(self, pattern: int) -> list[OpenMatch]:
        """A pattern's open matches that text waits for, the oldest first."""
        return list(map(OpenMatch._make, self.steps.unwritten(pattern)))

    def _failures(self) -> list[Match]:
        """A failed match for each pattern that would have too many threads."""
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
            return [Match(rule, match.hold, end, pattern=match.pattern)]
        try:
            base = window.base
            text = self._as_read(window.text)[: self.offset - base]
            matcher = self._set.matcher(match.pattern)
            for start in range(max(match.start, base), match.end):
                spans = matcher.ends_at(text, start - base, match.end - base, base == 0, self)
                if spans is not None:
                    begin = spans[0][0] + base if spans else start
                    begin = max(begin, match.hold)
                    return [Match(rule, begin, end, pattern=match.pattern)]
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
        """`_settled` for a pattern that does not cut: adds its confirmed matches to `found`."""
        while matches := self._open(pattern):
            oldest = self.offset + 1 if last else self.steps.began(pattern)
            if matches[0].start >= oldest or self._confirmed(
                matches, oldest, window, found, ended=ended
            ):
                break

    def _taken(self, match: OpenMatch, window: Window, *, ended: bool) -> list[Match]:
        """What a match reports that no candidate can undo; its judge may still refuse it."""
        pattern, began = match.pattern, match.start
        compiled = self._set.patterns[pattern]
        spans = self._spans(pattern, match, window)
        if compiled.confirm is not None:
            if spans and spans[0][0] < self._horizon():
                # It has overflowed long ago, and there is no text left to be judged.
                rule = compiled.rule
                return [Match(rule, *span, began, pattern, judged=False) for span in spans]
            if not self._is_confirmed(pattern, spans, window):
                self._go_on_after(match, window, ended=ended)
                return []
        if match.late:
            self._restart(pattern, match.end, window, ended=ended)
        if len(spans) == 1:
            return [Match(compiled.rule, *spans[0], began, pattern)]
        return [Match(compiled.rule, *span, began, pattern) for span in spans]

    def _go_on_after(self, match: OpenMatch, window: Window, *, ended: bool) -> None:
        """Let the search go on after a match that is refused. Candidates that come back hold no
        text before the match's hold-back: that has overflowed."""
        pattern, at = match.pattern, self._after_refused(match, window)
        if not self._hides(pattern):
            self._restart(pattern, at, window, ended=ended)
            return
        until = match.hold - 1 if self._set.releases else -1
        self._restart(pattern, at, window, ended=ended, until=until)
        self._hold_from(pattern, match.hold)

    def _confirmed(
        self,
        matches: Sequence[OpenMatch],
        oldest: int,
        window: Window,
        found: list[Match],
        *,
        ended: bool,
    ) -> bool:
        """Judge an approximated pattern's matches that began before `oldest`, up to the first that
        is confirmed, which goes to `found`; returns whether there was none. `ended` if the text
        ends here."""
        pattern = matches[0].pattern
        compiled = self._set.patterns[pattern]
        begin = max(matches[0].start, self._horizon())
        while (match := self._find(pattern, begin, oldest, window)) is not None:
            spans = self._spans(pattern, match, window)
            if self._is_confirmed(pattern, spans, window):
                found += [Match(compiled.rule, *span, match.start, pattern) for span in spans]
                self._restart(pattern, match.end, window, ended=ended)
                return False
            begin = self._after_refused(match, window)
        # Where threads met, only the oldest start was kept. So younger ones, up to the last end,
        # may match, too: they are looked at once they are older than what lives.
        end = max(each.end for each in matches)
        kept = [each for each in matches if each.start >= oldest] if compiled.group else []
        if oldest < end and not (kept and kept[0].start == oldest):
            hold = max(oldest, min(each.hold for each in matches))
            kept.insert(0, OpenMatch(pattern, oldest, hold, end, late=False))
        self.steps.keep(pattern, kept)
        return True

    # Holding back

    def _held(self) -> list[tuple[int, int]]:
        """(hold-back, pattern) of all candidates that text waits for."""
        # Candidates that began in text which is masked as it arrives are masked with it.
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
        """See `Scan.prune`. Text may wait in vain for an approximated candidate, for one that no
        keyword announces, and for what a match hides that is already written."""
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
                # A candidate that cannot be decided within the budget is assumed to go on.
                continue
            except MemoryError:
                raise
            except Exception:
                self.steps.keep(pattern, [])
                rule = self._set.patterns[pattern].rule
                self._settle_next(Match(rule, self.offset, self.offset, failed=True))

    def _let_go(self, pattern: int, upto: int, window: Window, budget: Budget) -> None:
        """Let go of a pattern's candidates that hold text, but have no keyword before them: at
        least of the oldest, and of those that are held from `upto` or before."""
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
        """Whether candidates that a match of the pattern has cut may come back, even if all that
        the match masks is written: the match may yet be refused."""
        automaton = self._set.automata[pattern]
        return automaton.cuts and automaton.least_hold

    def _hold_from(self, pattern: int, out: int) -> None:
        """Hold text for a pattern's open matches from `out` at the earliest: all before is written.
        A match beyond `out` keeps its hold-back if overflows are masked, since that tells where its
        group began. Matches whose text is no longer kept are forgotten."""
        # There may be a thousand matches, and this runs at each overflow.
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
        """If a pattern's oldest open matches have nothing left to mask, hold text only for what
        they hide."""
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
        """Whether a match masks nothing, or all that it masks is written."""
        return match.outlived or not self._spans(match.pattern, match, window)

    def _hidden(self, first: OpenMatch, out: int, window: Window, budget: Budget) -> int:
        """From where text would be held if the match `first`, and those after it that end up to
        `out`, were refused; all before `out` is written. Raises OverBudgetError if more would be
        read again than is kept, or than the budget allows."""
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

    def _settle_next(self, *matches: Match) -> None:
        """Let the next `settle` or `stop` return these."""
        self._standing = (*self._standing, *matches)

    def _settle_at(self, pattern: int, start: int, window: Window, budget: Budget) -> None:
        """Settle the oldest candidate, at `start`, which more text cannot change: report its match
        if it has a confirmed one, and let the search go on."""
        # The automaton may not have accepted it yet: it waits for all that a lookahead may read.
        match = self._first_of(pattern, [start], window, budget)
        spans = [] if match is None else self._spans(pattern, match, window)
        if match is None or not self._is_confirmed(pattern, spans, window):
            self._restart(pattern, start + 1, window)
            return
        rule = self._set.patterns[pattern].rule
        self._settle_next(*[Match(rule, *span, match.start) for span in spans])
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
                    self._settle_next(Match(rule, hold, self.offset, failed=True))
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

    def _drop(self, pattern: int, hold: int, window: Window) -> None:
        """Drop the candidates that are held from `hold` or before. Their matches stand."""
        group = self._set.patterns[pattern].group
        while self._waits(pattern) <= hold:
            began = self.steps.began(pattern)
            start = min(began, self._waits(pattern))
            match = self._oldest_match(pattern, start, hold, window)
            spans = [] if match is None else self._spans(pattern, match, window)
            if match is not None and self._is_confirmed(pattern, spans, window):
                rule = self._set.patterns[pattern].rule
                self._settle_next(*[Match(rule, *span, match.start) for span in spans])
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
        """The first match of the candidates that began at `start` or after it, and are held from
        `hold` or before."""
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


def searches_of(patterns: PatternSet) -> Sequence[Callable[[], PatternScan]]:
    """For each search of a stream, the function that begins it."""
    return [partial(PatternScan, patterns, steps, scope) for steps, scope in patterns.searches]
