"""Searches a stream for regular expressions: the automaton finds candidates, this settles them.

Three kinds of pattern settle in three ways. An *ordered* one needs no second look: the automaton's
accepts are `regex`'s own matches as soon as nothing older lives. An *eager* one is reported at the
first end of any match. For the rest the automaton only says where a match may be, and once no
candidate that began there lives, `regex` is asked, over the text that has been kept.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from guardstream.scan.match import UNREAD, Match, Window
from guardstream.scan.regex.dfa import Automaton, State
from guardstream.scan.regex.nfa import MAX_BLUR
from guardstream.scan.regex.pattern import MARKER, Pattern
from guardstream.scan.regex.registers import FIXED, NOWHERE, Accept, Thread, resolve
from guardstream.scan.words.normalize import Table

MIN_WINDOW = 2_048
"""How many code points before the present a confirmation may always look at."""


class Candidate(NamedTuple):
    """An accepted match that something older may still undo, or that `regex` must confirm."""

    start: int
    hold: int
    end: int


class PatternSet:
    """The compiled patterns of a rule set with their automaton; shared between streams.

    `window` is how many code points confirmations may look back over, `timeout` how many seconds
    one may take. With a `table` the text is read as translated by it, character for character.
    """

    def __init__(
        self,
        patterns: Sequence[Pattern],
        *,
        window: int,
        timeout: float,
        table: Table | None = None,
    ) -> None:
        self.table = table
        self.automaton = Automaton([pattern.searched for pattern in patterns])
        self.patterns = tuple(
            replace(pattern, searched=searched)
            for pattern, searched in zip(patterns, self.automaton.patterns, strict=False)
        )
        self.window = max(window, MIN_WINDOW)
        self.timeout = timeout
        self.context = MAX_BLUR + max((p.context + p.lead for p in patterns), default=1)
        # An ordered pattern without a group is answered by the automaton alone.
        self.certain = [
            self.automaton.ordered[index] and not pattern.group
            for index, pattern in enumerate(patterns)
        ]

    def scan(self) -> PatternScan:
        """A search over one stream."""
        return PatternScan(self)


class PatternScan:
    """One stream's search: a state, its registers, and what is accepted but not yet settled."""

    __slots__ = (
        "_accepted",
        "_candidates",
        "_careful",
        "_lost",
        "_mark",
        "_off",
        "_resume",
        "_set",
        "_table",
        "offset",
        "registers",
        "state",
    )

    def __init__(self, patterns: PatternSet) -> None:
        self._set = patterns
        self._table = patterns.table
        self.state: State = patterns.automaton.start
        self.registers: tuple[int, ...] = ()
        self.offset = 0
        self._careful = False
        self._mark: tuple[State, tuple[int, ...], int] = self.state, (), 0
        self._accepted: list[tuple[int, Candidate]] = []
        self._candidates: dict[int, list[Candidate]] = {}
        self._resume: dict[int, int] = {}
        self._lost: dict[int, int] = {}
        self._off: frozenset[int] = frozenset()

    # Reading

    def read(self, text: str) -> int:
        """See `Scan.read`."""
        if self._careful:
            return UNREAD
        if self._table is not None:
            text = text.translate(self._table)
        state, registers, offset = self.state, self.registers, self.offset
        for character in text:
            state, moves = state[character]
            if moves is not None:
                kept, added, _, accepts = moves
                if accepts:
                    return UNREAD
                if added is not None:
                    registers = (*registers[:kept], offset + added)
                else:
                    registers = moves.apply(registers, offset)
            offset += 1
        self._mark = self.state, self.registers, self.offset
        self.state, self.registers, self.offset = state, registers, offset
        held, ranks = state.hold
        for rank in ranks:
            if offset - registers[rank] > held:
                held = offset - registers[rank]
        return held

    def unread(self) -> None:
        """See `Scan.unread`."""
        self.state, self.registers, self.offset = self._mark

    def run(self, text: str, begin: int, end: int) -> int:
        """See `Scan.run`. Attention is needed at an accept, and at every character after one
        until it is settled."""
        self._mark = state, registers, offset = self.state, self.registers, self.offset
        self._accepted = []
        if self._candidates or self._lost:
            end = begin + 1
        table = self._table
        for index in range(begin, end):
            character = text[index]
            state, moves = state[character if table is None else table[ord(character)]]
            if moves is not None:
                before, registers = registers, moves.apply(registers, offset)
                if moves.accepts:
                    self._accepted = [_candidate(a, before, offset) for a in moves.accepts]
                    end = index + 1
                    offset += 1
                    break
            offset += 1
        self.state, self.registers, self.offset = state, registers, offset
        return end

    # Settling

    def settle(self, window: Window) -> list[Match]:
        """See `Scan.settle`."""
        found = self._note(window)
        for pattern in list(self._candidates):
            found += self._settled(pattern, self._oldest(pattern), window)
        return found

    def finish(self, window: Window) -> list[Match]:
        """See `Scan.finish`."""
        accepts = self._set.automaton.at_end(self.state)
        self._accepted = [_candidate(accept, self.registers, self.offset) for accept in accepts]
        return self.stop(window)

    def stop(self, window: Window) -> list[Match]:
        """The matches that stand if nothing more is read."""
        found = self._note(window)
        for pattern in list(self._candidates):
            found += self._settled(pattern, None, window)
        return found

    def _note(self, window: Window) -> list[Match]:
        """File the new accepts; the eager ones are matches at once."""
        accepted, self._accepted = self._accepted, []
        found: list[Match] = []
        for pattern, candidate in accepted:
            if pattern in self._off:
                continue
            if self._set.automaton.eager[pattern]:
                found += self._fired(pattern, candidate, window)
                continue
            known = self._candidates.setdefault(pattern, [])
            if self._set.automaton.ordered[pattern]:
                # An accepting thread undoes what threads behind it had accepted.
                while known and known[-1].start >= candidate.start:
                    known.pop()
            insort(known, candidate)
        return found

    def _fired(self, pattern: int, candidate: Candidate, window: Window) -> list[Match]:
        compiled, base = self._set.patterns[pattern], window.base
        begin, here = candidate.start - base, self.offset - base
        start = candidate.hold
        exact = self._set.automaton.programs[pattern].exact
        if not exact and (begin >= compiled.context or not base):
            try:
                # A lookahead may have been decided by one more character.
                whole = compiled.whole[self.offset - candidate.end]
                match = whole.search(self._read_as(window), begin, here, timeout=self._set.timeout)
            except TimeoutError:
                return [Match(compiled.rule, candidate.hold, candidate.end, failed=True)]
            if match is None:
                return []
            start = match.start(compiled.group) + base
        return [Match(compiled.rule, start, candidate.end)]

    def _settled(self, pattern: int, oldest: int | None, window: Window) -> list[Match]:
        candidates = self._candidates[pattern]
        compiled = self._set.patterns[pattern]
        found: list[Match] = []
        horizon = self.offset - self._set.window
        if not self._set.certain[pattern] and candidates[0].start < horizon:
            # What began too long ago can no longer be confirmed: what the automaton says stands.
            old = self._taken(pattern, horizon)
            found = [Match(compiled.rule, c.hold, c.end) for c in old]
            self._resume[pattern] = max(match.end for match in found)
            self._careful = True
        over = self._taken(pattern, self.offset + 1 if oldest is None else oldest)
        if not over:
            return found
        if self._set.certain[pattern]:
            return [Match(compiled.rule, c.start, c.end) for c in over]
        begin = max(over[0].start - compiled.lead, self._resume.get(pattern, 0))
        return found + self._confirmed(pattern, begin, min(c.hold for c in over), oldest, window)

    def _taken(self, pattern: int, limit: int) -> list[Candidate]:
        """Take out the candidates that began before `limit`."""
        candidates = self._candidates.get(pattern)
        if not candidates or candidates[0].start >= limit:
            return []
        settled = bisect_left(candidates, limit, key=_started)
        if settled < len(candidates):
            self._candidates[pattern] = candidates[settled:]
        else:
            del self._candidates[pattern]
        return candidates[:settled]

    def _confirmed(
        self, pattern: int, begin: int, hold: int, oldest: int | None, window: Window
    ) -> list[Match]:
        """Ask `regex`, match by match from `begin`; a refused match takes one character only."""
        compiled, base, found = self._set.patterns[pattern], window.base, []
        text = self._read_as(window)
        confirm, group = compiled.confirm, compiled.group
        try:
            while match := compiled.regex.search(
                text, begin - base, self.offset - base, timeout=self._set.timeout
            ):
                start = match.start(MARKER) if compiled.lead else match.start()
                if oldest is not None and start + base >= oldest:
                    # An older start has accepted in its place; it is not settled itself.
                    waits = match.spans(group)[0][0] + base
                    left = Candidate(start + base, waits, match.end() + base)
                    insort(self._candidates.setdefault(pattern, []), left)
                    break
                spans = [span for span in match.spans(group) if span[0] < span[1]]
                if confirm is None or any(
                    confirm.judge(text[a:b], text[max(a - confirm.reach, 0) : a]) for a, b in spans
                ):
                    found += [Match(compiled.rule, a + base, b + base) for a, b in spans]
                    begin = match.end() + base
                else:
                    begin = match.start() + base + 1
        except Exception:
            found.append(Match(compiled.rule, hold, self.offset, failed=True))
        self._resume[pattern] = begin
        self._careful = True
        return found

    def _read_as(self, window: Window) -> str:
        return window.text if self._table is None else window.text.translate(self._table)

    def _oldest(self, pattern: int) -> int:
        live = self.state.starts.get(pattern)
        return self.offset + 1 if live is None else live.oldest(self.registers, self.offset)

    # Holding back

    def _held(self) -> list[tuple[int, int]]:
        """(hold-back, pattern) of all candidates that text waits for."""
        # What began in text that is masked as it comes is masked with it.
        flowing = {pattern for pattern in self._lost if self._lives_on(pattern)} | self._off
        held = []
        for pattern, live in self.state.holds.items():
            if pattern not in flowing:
                oldest = live.oldest(self.registers, self.offset)
                held.append((max(oldest, self._resume.get(pattern, 0)), pattern))
        for pattern, candidates in self._candidates.items():
            if pattern not in flowing and self._set.patterns[pattern].searched.holds:
                lost = self._lost.get(pattern, -1)
                held += [(c.hold, pattern) for c in candidates if c.hold > lost]
        return held

    def _lives_on(self, pattern: int) -> bool:
        """Whether a candidate of the pattern that overflowed is still alive."""
        live = self.state.holds.get(pattern)
        oldest = self.offset + 1 if live is None else live.oldest(self.registers, self.offset)
        return oldest <= self._lost[pattern]

    def hold(self) -> int:
        """See `Scan.hold`."""
        if self._resume and not (self._candidates or self._accepted):
            # Keep what a candidate that still lives must be measured against.
            began = self._began() - MAX_BLUR
            self._resume = {p: resume for p, resume in self._resume.items() if resume > began}
        self._careful = bool(self._candidates or self._resume or self._lost or self._off)
        if self._careful:
            return min([self.offset, *(entry[0] for entry in self._held())])
        return min(self.offset, self.state.hold.oldest(self.registers, self.offset))

    def _began(self) -> int:
        """Where the oldest live candidate's match began; the present offset if none lives."""
        starts = (live.oldest(self.registers, self.offset) for live in self.state.starts.values())
        return min([self.offset, *starts])

    def needed(self) -> int:
        """See `Scan.needed`."""
        oldest = self._began()
        for candidates in self._candidates.values():
            oldest = min(oldest, candidates[0].start)
        return max(oldest, self.offset - self._set.window) - self._set.context

    def holders(self, hold: int) -> list[int]:
        """See `Scan.holders`."""
        return [self._set.patterns[entry[1]].rule for entry in self._held() if entry[0] <= hold]

    def overflow(self, hold: int, *, drop: bool) -> None:
        """See `Scan.overflow`."""
        over = {entry[1] for entry in self._held() if entry[0] <= hold}
        self._careful = True
        if not drop:
            self._lost |= dict.fromkeys(over, hold)
            return
        dropped = [
            thread
            for thread in self.state.threads
            if (pattern := thread.item.program.index) in over
            and (self._waits_from(thread) <= hold or self._undoes(thread, pattern, hold))
        ]
        self.state, self.registers = self._set.automaton.without(
            self.state, self.registers, dropped
        )

    def _undoes(self, thread: Thread, pattern: int, hold: int) -> bool:
        """Whether the thread keeps a match from settling that is held from `hold` or before."""
        if thread.start == FIXED:
            start = self.offset - thread.item.place.distance
        else:
            start = self.registers[thread.start]
        return any(
            candidate.hold <= hold and start <= candidate.start
            for candidate in self._candidates.get(pattern, ())
        )

    def _waits_from(self, thread: Thread) -> int:
        """Where the thread's hold-back began; beyond the present if nowhere yet."""
        if thread.hold == NOWHERE:
            return self.offset + 1
        if thread.hold == FIXED:
            return self.offset - thread.item.place.opened
        return self.registers[thread.hold]

    def overflowing(self) -> bool:
        """See `Scan.overflowing`."""
        for pattern in [pattern for pattern in self._lost if not self._lives_on(pattern)]:
            del self._lost[pattern]
        return bool(self._lost)

    def disable(self, rule: int) -> None:
        """See `Scan.disable`."""
        patterns = self._set.patterns
        self._careful = True
        self._off |= {index for index, pattern in enumerate(patterns) if pattern.rule == rule}
        for pattern in self._off:
            self._candidates.pop(pattern, None)
            self._lost.pop(pattern, None)


def _started(candidate: Candidate) -> int:
    return candidate.start


def _candidate(accept: Accept, registers: tuple[int, ...], offset: int) -> tuple[int, Candidate]:
    start = max(resolve(accept.start, registers, offset), 0)
    hold = start if accept.hold == NOWHERE else max(resolve(accept.hold, registers, offset), 0)
    return accept.pattern, Candidate(start, hold, offset + accept.behind)
