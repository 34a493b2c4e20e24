"""Steps the automata of many patterns over one stream, each only while it has a candidate.

A pattern without a candidate sleeps: its state depends only on the last character. A table tells
for each pair of character classes which sleeping patterns wake.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from itertools import islice
from typing import TypeAlias

from guardstream.scan.building import check_not_building
from guardstream.scan.regex.alphabet import START
from guardstream.scan.regex.dfa import State, TooManyThreadsError, moved
from guardstream.scan.regex.joints import Accepting, AcceptsError, Joint, Joints, Run
from guardstream.scan.regex.machine import Machine
from guardstream.scan.regex.piles import OpenMatch, Pile, piled, put_on
from guardstream.scan.regex.registers import Accept, resolve

PIECE = 64
"""Longer chunks are skimmed in pieces of so many characters."""


def accepted(pattern: int, accept: Accept, registers: tuple[int, ...], offset: int) -> OpenMatch:
    """The open match of an accept in a transition on the character at `offset`."""
    first, holds, last, late = accept
    # What `resolve` says, without a call.
    hold = start = registers[first] if first >= 0 else offset + 2 + first
    if holds != (first,):
        hold = min([resolve(source, registers, offset) for source in holds])
    end = registers[last] if last >= 0 else offset + 2 + last
    # If an empty group masks nothing, text waits only for a late match: it is read again after it.
    return OpenMatch(pattern, start, hold, end, late, hold >= end and not late)


_Stand: TypeAlias = tuple[
    Joint | None,
    tuple[int, ...],
    dict[int, Run] | None,
    dict[int, Pile],
    int,
    int,
    frozenset[int],
    tuple[tuple[int, int], ...],
]
"""Where a stream's search stands, see `Stepper._here`."""

_Glide: TypeAlias = tuple[Joint | None, tuple[int, ...], int]
"""The part of it that `glide` changes: the joint state, the registers and the offset."""


class Stepper:
    """One stream's patterns that are awake, and their open matches.

    The patterns are in a joint state with one tuple of registers, or each has a run of its own.
    `due`: the last character needs attention, since a match may be certain, or a candidate that is
    masked as it arrives has ended. `plain`: it needs no more than `settled`, which takes the
    matches that have become certain.
    """

    __slots__ = (
        "_failures",
        "_hits",
        "_joint",
        "_joints",
        "_kind",
        "_lost",
        "_lost_live",
        "_machine",
        "_mark",
        "_off",
        "_open",
        "_registers",
        "_runs",
        "due",
        "offset",
        "plain",
    )

    def __init__(self, machine: Machine, joints: Joints) -> None:
        self._machine = machine
        self._joints = joints
        self._joint: Joint | None = None
        self._registers: tuple[int, ...] = ()
        self._runs: dict[int, Run] | None = {}
        self._open: dict[int, Pile] = {}
        self._hits: list[OpenMatch] = []
        self._lost: dict[int, int] = {}
        self._lost_live = True  # whether all of these are known to live
        self._off: frozenset[int] = frozenset()
        self._failures: tuple[tuple[int, int], ...] = ()
        self._kind = machine.kind(START)
        self.offset = 0
        self.due = self.plain = False
        self._mark: _Stand | _Glide = self._here()

    def _here(self) -> _Stand:
        return (
            self._joint,
            self._registers,
            self._runs,
            self._open,
            self.offset,
            self._kind,
            self._off,
            self._failures,
        )

    def _restore(self, stand: _Stand) -> None:
        (
            self._joint,
            self._registers,
            self._runs,
            self._open,
            self.offset,
            self._kind,
            self._off,
            self._failures,
        ) = stand

    @property
    def awake(self) -> dict[int, Run]:
        """The patterns that are awake, as runs."""
        if self._runs is None:
            assert self._joint is not None
            self._runs = self._joint.runs(self._registers)
        return self._runs

    @awake.setter
    def awake(self, runs: dict[int, Run]) -> None:
        if self._joint is not None:
            self._kind = self._joint.kind
        self._joint, self._runs = None, runs

    # Reading

    def glide(self, text: str) -> int:
        """Read all of the text and return how many characters are held then. Read nothing and
        return -1 if a character needs attention, or if joint states are not used."""
        joint, joints = self._joint, self._joints
        if joint is None or self._open or self._lost or joints.rest > 0:
            return -1
        registers, offset = before, begin = self._registers, self.offset
        try:
            for character in text:
                joint, moves = joint[character]
                if moves is not None:
                    registers = moves(registers, offset)
                offset += 1
        except (AcceptsError, TooManyThreadsError):
            return -1
        self._mark = self._joint, before, begin
        joints.read += offset - begin
        self._joint, self._registers, self._runs, self.offset = joint, registers, None, offset
        # What `Live.oldest` says, without a call.
        live = joint.known_held or joint.held()
        distance = live.distance
        for number in live.registers:
            begun = offset - registers[number]
            if begun > distance:
                distance = begun
        return distance if distance > 0 else 0

    def run(self, text: str, begin: int, end: int) -> int:
        """See `Steps.run`."""
        check_not_building(self._machine.caches.lock)
        self._mark = self._here()
        self._hits = []
        self.due = self.plain = False
        apart = self._is_apart(end - begin)
        step = self._step if apart else self._leap
        while begin < end and not self.due:
            if not apart and end - begin > PIECE and not (self._open or self._lost):
                begin += self._skim(text[begin : begin + PIECE])
            try:
                step(text[begin])
            except TooManyThreadsError as error:
                # The other patterns have yet to read the character.
                self._fail(error.pattern, self._hold(error.pattern))
                apart, step = True, self._step
                continue
            if self._hits or self._open or self._lost or self._failures:
                self._look()
            begin += 1
        return begin

    def _skim(self, text: str) -> int:
        """Read up to the first character that completes a match; return how many were read."""
        joint, registers, offset = self._joint, self._registers, self.offset
        assert joint is not None
        with suppress(AcceptsError, TooManyThreadsError):
            for character in text:
                target, moves = joint[character]
                if moves is not None:
                    registers = moves(registers, offset)
                joint = target
                offset += 1
        read = offset - self.offset
        self._joint, self._registers, self._runs, self.offset = joint, registers, None, offset
        return read

    def _is_apart(self, length: int) -> bool:
        """Prepare to read so many characters; return whether each pattern is stepped by itself,
        not in a joint state."""
        joints = self._joints
        if self._off or joints.rest > 0:
            joints.rest -= length
            # As runs, without the joint state.
            self.awake = self.awake
            return True
        joints.read += length
        if self._joint is None:
            self._joint, self._registers = joints.of(self.awake, self._kind)
        return False

    def unread(self) -> None:
        """See `Steps.unread`."""
        mark = self._mark
        if len(mark) == 3:
            self._joint, self._registers, self.offset = mark
            self._runs = None
            return
        self._restore(mark)
        self._lost_live = False
        self._hits = []
        self.due = self.plain = False

    def fork(self) -> Stepper:
        """A copy that goes on by itself."""
        fork = Stepper(self._machine, self._joints)
        fork._restore(self._here())
        fork._lost, fork._lost_live = dict(self._lost), self._lost_live
        return fork

    def is_alike(self, other: object) -> bool:
        """Whether another stepper has the same candidates, each begun equally far back, and neither
        has an open match. Offsets may differ. Patterns that are disabled here do not count."""
        if not isinstance(other, Stepper) or self._last != other._last:
            return False
        if self._open or other._open or self._lost or other._lost:
            return False
        further = other.offset - self.offset
        awake = {number: run for number, run in other.awake.items() if number not in self._off}
        return awake == {
            number: (state, tuple([offset + further for offset in registers]))
            for number, (state, registers) in self.awake.items()
        }

    @property
    def _last(self) -> int:
        """What the sleeping patterns ask of the last character."""
        return self._kind if self._joint is None else self._joint.kind

    def _leap(self, character: str) -> None:
        """Read a character by the joint state."""
        assert self._joint is not None
        offset, registers = self.offset, self._registers
        self._joint, moves = self._joint[character]
        self._runs = None
        self.offset = offset + 1
        accepts: Sequence[tuple[int, Accept]] = ()
        if isinstance(moves, Accepting):
            accepts, moves = moves.accepts, moves.moves
        if moves is not None:
            self._registers = moves(registers, offset)
        for pattern, accept in accepts:
            self._note(accepted(pattern, accept, registers, offset))

    def _step(self, character: str) -> None:
        """Read a character by each pattern that is awake."""
        assert self._runs is not None
        machine, offset, awake = self._machine, self.offset, self._runs
        sides = [awake[pattern][0] for pattern in machine.lookbehinds.intersection(awake)]
        signature, waking = machine.read(self._kind, character, sides)
        after: dict[int, Run] = {}
        found: list[OpenMatch] = []
        for pattern, (state, registers) in awake.items():
            target, moves, accepts, _ = state[signature & state.asks]
            if accepts:
                found += [accepted(pattern, accept, registers, offset) for accept in accepts]
            if not target.idle:
                after[pattern] = target, moved(moves, registers, offset) if moves else registers
        off = self._off
        for pattern, (target, moves, accepts, _) in waking.steps.items():
            if pattern not in awake and pattern not in off:
                if accepts:
                    found += [accepted(pattern, accept, (), offset) for accept in accepts]
                if not target.idle:
                    after[pattern] = target, moved(moves, (), offset) if moves else ()
        self._runs = after
        self._kind = waking.kind
        self.offset = offset + 1
        for match in found:
            self._note(match)

    def _look(self) -> None:
        """Find out whether the last character needs attention, and for what."""
        handling = self._machine.handling
        self.due = other = bool(self._hits or self._failures)
        for pattern, pile in self._open.items():
            if pile.first.start < self.began(pattern):
                self.due = True
                other = other or not handling[pattern].plain
        self._lost_live = True
        for pattern, hold in self._lost.items():
            if self.waits(pattern) > hold:
                self.due = other = True
                self._lost_live = False
        self.plain = not other

    # What is accepted

    def _note(self, match: OpenMatch) -> None:
        if self._machine.handling[match.pattern].eager:
            self._hits.append(match)
        else:
            self._file(match)

    def _file(self, match: OpenMatch) -> None:
        pile = self._open.get(match.pattern)
        if pile is not None and self._machine.handling[match.pattern].loose:
            known = pile.all()
            if match not in known:
                self.keep(match.pattern, sorted((*known, match)))
            return
        if match.written and self._machine.automata[match.pattern].least_hold:
            # If it is refused, the candidates that it hides come back.
            match = match._replace(written=False)
        if pile is not None:
            # An accepting thread undoes what threads after it had accepted.
            undone: list[OpenMatch] = []
            while pile is not None and pile.last.start >= match.start:
                undone.append(pile.last)
                pile = pile.without_last()
            if undone:
                match = self._holding_for(match, undone)
        self._open = {**self._open, match.pattern: put_on(pile, match)}

    def _holding_for(self, match: OpenMatch, undone: Sequence[OpenMatch]) -> OpenMatch:
        """The match, held for those that it undoes, too: they come back if it is refused."""
        automaton = self._machine.automata[match.pattern]
        if not automaton.least_hold:
            return match
        holds = [each.hold for each in undone if not each.written]
        if min(holds, default=match.hold) >= match.hold:
            return match
        automaton.blurred = True
        return match._replace(hold=min(holds), written=False)

    def hits(self) -> list[OpenMatch]:
        """The matches of eager patterns that the last character has completed, each once."""
        found, self._hits = self._hits, []
        return found

    def failures(self) -> list[tuple[int, int]]:
        """The patterns that are disabled because they would have too many threads, each once, with
        where its oldest hold-back began."""
        found, self._failures = list(self._failures), ()
        return found

    def certain(self) -> tuple[list[tuple[int, int, int, int, int]], list[int]]:
        """The matches that have become certain, each once: its label, the span that is masked,
        where it began, and its pattern. And the patterns that are not plain, but have a match that
        nothing older can undo."""
        found, others = self._taken()
        return [(*masked, match.start, match.pattern) for match, masked in found], others

    def settled(self) -> list[tuple[int, int, int]]:
        """The matches that have become certain, if nothing else is `due`: the label of each, and
        the span that is masked."""
        self.due = self.plain = False
        return [masked for _, masked in self._taken()[0]]

    def _taken(self) -> tuple[list[tuple[OpenMatch, tuple[int, int, int]]], list[int]]:
        """The matches of plain patterns that have become certain, each with what is masked of it,
        without those that mask nothing. And the other patterns that have one."""
        found: list[OpenMatch] = []
        others = []
        for pattern, pile in list(self._open.items()):
            oldest = self.began(pattern)
            if pile.first.start >= oldest:
                continue
            if self._machine.handling[pattern].plain:
                left: Pile | None = pile
                while left is not None and left.first.start < oldest:
                    found.append(left.first)
                    left = left.without_first()
                self._put_pile(pattern, left)
            else:
                others.append(pattern)
        handling = self._machine.handling
        masked = [(match, match.masked(handling[match.pattern])) for match in found]
        return [each for each in masked if each[1][1] < each[1][2]], others

    def waiting(self) -> list[int]:
        """The patterns that have open matches."""
        return list(self._open)

    def open_matches(self, pattern: int) -> Sequence[OpenMatch]:
        """A pattern's open matches, the oldest first."""
        pile = self._open.get(pattern)
        return () if pile is None else pile.all()

    def unwritten(self, pattern: int) -> Sequence[OpenMatch]:
        """A pattern's open matches that text waits for, the oldest first."""
        pile = self._open.get(pattern)
        return () if pile is None else pile.unwritten()

    def write(self, pattern: int, matches: list[OpenMatch]) -> None:
        """Mark these of a pattern's open matches as written: no text waits for them any more."""
        pile = self._open.get(pattern)
        if pile is not None:
            self._put_pile(pattern, pile.wrote(matches))

    def take(self, pattern: int, last: bool) -> OpenMatch | None:
        """Remove and return a pattern's oldest open match, if it is older than all candidates, or
        if nothing more is read (`last`)."""
        pile = self._open.get(pattern)
        if pile is None or not (last or pile.first.start < self.began(pattern)):
            return None
        self._put_pile(pattern, pile.without_first())
        return pile.first

    def keep(self, pattern: int, matches: list[OpenMatch]) -> None:
        """Replace the pattern's open matches by these."""
        self._put_pile(pattern, piled(matches))

    def _put_pile(self, pattern: int, pile: Pile | None) -> None:
        # The mark still refers to the piles as they were.
        self._open = self._open.copy()
        if pile is not None:
            self._open[pattern] = pile
        else:
            self._open.pop(pattern, None)

    def ends(self) -> None:
        """Note what the end of the text accepts."""
        self._hits = []
        for pattern, (state, registers) in self.awake.items():
            for accept in state.end():
                self._note(accepted(pattern, accept, registers, self.offset))

    # Where candidates began

    def held(self) -> int:
        """Where the oldest hold-back begins; the present offset if there is none."""
        return self.offset - self.held_back()

    def held_back(self) -> int:
        """See `Steps.held_back`."""
        handling, offset, joint = self._machine.handling, self.offset, self._joint
        held, lost = offset, self._lost if self._lost_live else self._living()
        if joint is not None:
            live = joint.holds(frozenset(lost)) if lost else joint.known_held or joint.held()
            oldest = live.oldest(self._registers, offset)
            if oldest < held:
                held = oldest
        else:
            for pattern, (state, registers) in self.awake.items():
                if handling[pattern].holds and pattern not in lost:
                    oldest = state.holds.oldest(registers, offset)
                    if oldest < held:
                        held = oldest
        for pattern, pile in self._open.items():
            if handling[pattern].holds and pattern not in lost:
                # As a rule it has one match.
                one = pile.first is pile.last
                for match in (pile.first,) if one else pile.unwritten():
                    if match.hold < held and not match.written:
                        held = match.hold
        return offset - held

    def oldest(self) -> int:
        """Where the oldest candidate began; the present offset if none lives. No open match is
        older, since it waits for a candidate."""
        began = [state.starts.oldest(run, self.offset) for state, run in self.awake.values()]
        return min(began, default=self.offset)

    def began(self, pattern: int) -> int:
        """Where the pattern's oldest candidate began; beyond the present offset if none lives."""
        joint = self._joint
        if joint is not None:
            live = joint.known_began.get(pattern) or joint.began(pattern)
            return live.oldest(self._registers, self.offset)
        run = self._runs.get(pattern) if self._runs else None
        return self.offset + 1 if run is None else run[0].starts.oldest(run[1], self.offset)

    def waits(self, pattern: int) -> int:
        """Where the pattern's oldest hold-back began; beyond the present offset if none has."""
        joint = self._joint
        if joint is not None:
            live = joint.known_waits.get(pattern) or joint.waits(pattern)
            return live.oldest(self._registers, self.offset)
        run = self._runs.get(pattern) if self._runs else None
        return self.offset + 1 if run is None else run[0].holds.oldest(run[1], self.offset)

    def patterns(self) -> list[int]:
        """The patterns that are awake."""
        return [pattern for pattern in self.awake if pattern < self._machine.patterns]

    def state(self, pattern: int) -> Run | None:
        """The state and registers of a pattern that is awake."""
        return self.awake.get(pattern)

    # Candidates too long to be held

    def lose(self, pattern: int, hold: int) -> None:
        """Hold no text for the pattern until its candidates that are held from `hold` or before
        have ended, which needs attention."""
        self._lost[pattern] = hold
        self._lost_live = False

    def blurred(self, pattern: int) -> bool:
        """Whether a match's hold-back may have begun before its group."""
        return self._machine.automata[pattern].blurred

    def lost(self) -> list[int]:
        """The patterns whose candidates have overflowed and live on; others are forgotten."""
        self._lost = self._living()
        return list(self._lost)

    def _living(self) -> dict[int, int]:
        if not self._lost:
            return self._lost
        return {p: hold for p, hold in self._lost.items() if self.waits(p) <= hold}

    def drop(self, pattern: int, hold: int) -> None:
        """Forget the pattern's threads whose group opened at `hold` or before."""
        check_not_building(self._machine.caches.lock)
        run = self.awake.get(pattern)
        if run is None:
            return
        state, registers = run
        began = state.began(registers, self.offset)
        dropped = {number for number, (_, opened) in enumerate(began) if opened <= hold}
        self._put(pattern, state.without(dropped), registers)

    def disable(self, pattern: int) -> None:
        """Never wake the pattern again."""
        self._disable(pattern)
        self._lost.pop(pattern, None)

    def _disable(self, pattern: int) -> None:
        self._off |= {pattern}
        self.awake = {number: run for number, run in self.awake.items() if number != pattern}
        self._lost_live = False
        self.keep(pattern, [])

    def _fail(self, pattern: int, hold: int) -> None:
        """Disable a pattern that would have too many threads. Its oldest hold-back began at
        `hold`."""
        self._failures = (*self._failures, (pattern, hold))
        self._disable(pattern)

    def _hold(self, pattern: int) -> int:
        """Where a pattern's oldest hold-back began, of a candidate or an open match; the present
        offset if no text waits for it."""
        if not self._machine.handling[pattern].holds:
            return self.offset
        holds = [match.hold for match in self.open_matches(pattern)]
        return min([self.offset, self.waits(pattern), *holds])

    # Reading again

    def restart(
        self, pattern: int, text: str, begin: int, at: int, base: int, ended: bool, until: int
    ) -> None:
        """Restart the search for a pattern as if it had begun at `text[at]`, and read up to the
        text's end, which is the present; `base` is the text's offset. Before `at`, only the
        pattern's lookbehinds read, from `begin` on. The masked group does not open up to the offset
        `until`. `ended` if the channel ends here."""
        check_not_building(self._machine.caches.lock)
        self.keep(pattern, [])
        try:
            self._put(pattern, *self._read_again(pattern, text, begin, at, base, ended, until))
        except TooManyThreadsError:
            self._fail(pattern, base + at)

    def _read_again(
        self, pattern: int, text: str, begin: int, at: int, base: int, ended: bool, until: int
    ) -> Run:
        """The run that `restart` leads to. Accepts on the way are filed as open matches."""
        machine = self._machine
        signatures = machine.read_for(pattern, text[:begin][-1:], text[begin:])
        left, *before = islice(signatures, at - begin + 1)
        state = machine.automata[pattern].after(left, before)
        registers: tuple[int, ...] = ()
        for offset, signature in enumerate(signatures, base + at):
            asked = signature & state.asks
            state, moves, accepts, _ = state[asked if offset > until else (asked, False)]
            for accept in accepts:
                self._file(accepted(pattern, accept, registers, offset))
            if moves:
                registers = moved(moves, registers, offset)
        for accept in state.end() if ended else ():
            self._file(accepted(pattern, accept, registers, self.offset))
        return state, registers

    def _put(self, pattern: int, state: State, registers: tuple[int, ...]) -> None:
        self.awake = {number: run for number, run in self.awake.items() if number != pattern}
        self._lost_live = False
        if not state.idle:
            self.awake[pattern] = state, registers
