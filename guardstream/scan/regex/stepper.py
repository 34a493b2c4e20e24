"""Steps the automata of many patterns over one stream, of each only while it has a candidate.

A pattern without a candidate sleeps: its state depends on the last character alone, and a table
tells for each pair of classes of characters which sleeping patterns it wakes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from guardstream.scan.pages import Row
from guardstream.scan.regex.alphabet import CharSets
from guardstream.scan.regex.closure import first_conditions
from guardstream.scan.regex.dfa import Alphabet, Automaton, State, Transition, moved
from guardstream.scan.regex.nfa import Condition
from guardstream.scan.regex.registers import Accept, Least, resolve
from guardstream.scan.words.normalize import Table

MAX_CHARACTERS = 50_000
"""How many characters' classes are remembered."""


class Candidate(NamedTuple):
    """An accepted match that something older may still undo, or that may be refused.

    It has the pattern's index, where it began, where its hold-back began, and where it ended; it is
    `late` if the automaton went on without what begins after it, and `written` if it has
    overflowed, so that nothing waits for it any more.
    """

    pattern: int
    start: int
    hold: int
    end: int
    late: bool
    written: bool = False


def accepted(pattern: int, accept: Accept, registers: tuple[int, ...], offset: int) -> Candidate:
    """What a transition on the character at `offset` accepts."""
    start = resolve(accept.start, registers, offset)
    hold = min([resolve(source, registers, offset) for source in accept.hold])
    return Candidate(pattern, start, hold, resolve(accept.end, registers, offset), accept.late)


NO_GROUP = -1


class Handling(NamedTuple):
    """What is done about a pattern: whether text waits for its candidates (`holds`), whether what
    it accepts is a match at once (`eager`), whether every accept counts until one is confirmed
    (`loose`), and whether a match is certain once nothing older lives (`plain`). Of a plain one's
    matches, which bear the number `label`, the last `tail` characters are not masked, nor what
    comes before the hold-back; or all of a match is, with NO_GROUP."""

    holds: bool = True
    eager: bool = False
    loose: bool = False
    plain: bool = False
    label: int = 0
    tail: int = NO_GROUP

    def masked(self, match: Candidate) -> tuple[int, int, int]:
        """What of a match is masked: its label, start and end."""
        if self.tail == NO_GROUP:
            return self.label, match.start, match.end
        return self.label, match.hold, match.end - self.tail


class Classes(dict[str, int]):
    """The number of each character's class; one that is new is judged by all sets."""

    def __init__(self, sets: CharSets, alphabet: Alphabet, table: Table | None) -> None:
        self._sets = sets
        self._alphabet = alphabet
        self._table = table
        self._numbers: dict[int, int] = {}

    def __missing__(self, character: str) -> int:
        return self.row(character).answer

    def row(self, character: str) -> Row[int]:
        """The number of a character's class, and those beside it that are known to be in it."""
        with self._alphabet.lock:
            if self._table is None:
                signature, first, last = self._sets.row(character)
            else:
                signature = self._sets.signature(self._table[ord(character)])
                first = last = ord(character)
            number = self._numbers.get(signature)
            if number is None:
                number = self._numbers[signature] = len(self._alphabet.signatures)
                self._alphabet.signatures.append(signature)
            if len(self) > MAX_CHARACTERS:
                self.clear()
            self[character] = number
        return Row(number, first, last)


class Machine:
    """The automata of all patterns of a set, by index, what is done about each, and what wakes it.

    `asked` are the bits that a sleeping pattern asks of the last character, `firsts` what the first
    character of each pattern's matches must be.
    """

    def __init__(
        self,
        automata: Sequence[Automaton],
        handling: Sequence[Handling],
        classes: Classes,
        alphabet: Alphabet,
    ) -> None:
        self.automata = automata
        self.handling = handling
        self.classes = classes
        self.alphabet = alphabet
        self.firsts: list[list[Condition]] = [first_conditions(a.program) for a in automata]
        self.asked = 0
        for automaton in automata:
            self.asked |= automaton.program.behind & ~automaton.program.looks
        self._starters: dict[int, list[int]] = {}

    def kind(self, last: int) -> int:
        """What of a character's class the sleeping patterns ask after it."""
        return self.alphabet.signatures[last] & self.asked

    def wakes(self, kind: int, number: int) -> tuple[tuple[int, Transition], ...]:
        """The sleeping patterns that a character of class `number` wakes after one of a kind, with
        their transitions."""
        known = self.alphabet.wakes.get((kind, number))
        if known is None:
            with self.alphabet.lock:
                found = []
                for index in self._starting(number):
                    automaton = self.automata[index]
                    transition = automaton.transition(automaton.idle(kind), number)
                    if transition.accepts or not transition.target.idle:
                        found.append((index, transition))
                known = self.alphabet.wakes[kind, number] = tuple(found)
        return known

    def _starting(self, number: int) -> list[int]:
        """The patterns that may begin with a character of the class."""
        starters = self._starters.get(number)
        if starters is None:
            signature = self.alphabet.signatures[number]
            starters = self._starters[number] = [
                index
                for index, firsts in enumerate(self.firsts)
                if any(condition.holds(signature) for condition in firsts)
            ]
        return starters


Run = tuple[State, tuple[int, ...]]
"""A pattern that is awake: its state and its registers."""

MAX_JOINED = 60_000
"""How many transitions of joint states are kept, about 300 bytes each."""

TRIAL = 4_096
"""After so many characters it is looked whether joint states are worth their building."""

REST = 65_536
"""For so many characters they are left alone where more than one in `WORTH` was new."""

WORTH = 3


class Moved(NamedTuple):
    """Where a joint state leads: what the registers of some patterns become, and whether a match
    completes, for which the patterns are stepped one by one."""

    target: Joint
    moves: tuple[tuple[int, tuple[Least, ...]], ...]
    accepts: bool


class Joint(dict[int, Moved]):
    """The states of all patterns that are awake as one, so that a character is one look-up.

    There are few of them while a text goes on as it did. `kind` is what the sleeping patterns ask
    of the last character; `distance` and `registers` tell where the oldest hold-back began.
    """

    __slots__ = ("distance", "kind", "members", "owner", "registers")

    def __init__(self, owner: Joints, members: Sequence[tuple[int, State]], kind: int) -> None:
        self.owner = owner
        self.members = members
        self.kind = kind
        handling = owner.machine.handling
        holds = [(p, state.holds) for p, state in members if handling[p].holds]
        self.distance = max([0, *(hold.distance for _, hold in holds)])
        self.registers = [(p, register) for p, hold in holds for register in hold.registers]

    def __missing__(self, number: int) -> Moved:
        moved = self[number] = self.owner.moved(self, number)
        return moved


class Joints:
    """The joint states of a machine, for the Python form: bounded, and let be where a text keeps
    coming to new ones, since building one costs more than stepping its patterns."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self._known: dict[tuple[tuple[int, int], ...], Joint] = {}
        self._made = 0
        self._missed = 0
        self._read = 0
        self._rest = 0
        machine.alphabet.flushed.append(lambda _: self.flush())

    def flush(self) -> None:
        """Forget all joint states; streams go on from those they are in."""
        with self.machine.alphabet.lock:
            known, self._known, self._made = self._known, {}, 0
            for joint in known.values():
                joint.clear()

    def worth(self, length: int) -> bool:
        """Whether the next characters should be read by joint states."""
        if self._rest > 0:
            self._rest -= length
            return False
        self._read += length
        if self._read > TRIAL:
            self._rest = REST if WORTH * self._missed > self._read else 0
            self._read = self._missed = 0
        return True

    def of(self, members: Iterable[tuple[int, State]], kind: int) -> Joint:
        """The joint state of some patterns' states."""
        ordered = sorted(members, key=_pattern)
        key = ((kind, 0), *((pattern, id(state)) for pattern, state in ordered))
        joint = self._known.get(key)
        if joint is None:
            # It keeps its states, so that their identities are not given to others meanwhile.
            joint = self._known.setdefault(key, Joint(self, ordered, kind))
        return joint

    def moved(self, joint: Joint, number: int) -> Moved:
        """The transition of a joint state."""
        machine = self.machine
        with machine.alphabet.lock:
            self._missed += 1
            self._made += 1
            if self._made > MAX_JOINED:
                self.flush()
            after: list[tuple[int, State]] = []
            moves = []
            accepts = False
            awake = {pattern for pattern, _ in joint.members}
            steps = [(pattern, state[number]) for pattern, state in joint.members]
            woken = machine.wakes(joint.kind, number)
            steps += [(pattern, step) for pattern, step in woken if pattern not in awake]
            for pattern, transition in steps:
                accepts |= bool(transition.accepts)
                if not transition.target.idle:
                    after.append((pattern, transition.target))
                    if transition.moves is not None:
                        moves.append((pattern, transition.moves))
            return Moved(self.of(after, machine.kind(number)), tuple(moves), accepts)


def _pattern(member: tuple[int, State]) -> int:
    return member[0]


class Stepper:
    """One stream's patterns that are awake, and their matches that are not settled."""

    __slots__ = (
        "_awake",
        "_hits",
        "_joint",
        "_joints",
        "_lost",
        "_machine",
        "_mark",
        "_off",
        "_open",
        "_registers",
        "due",
        "last",
        "offset",
    )

    def __init__(self, machine: Machine, joints: Joints) -> None:
        self._machine = machine
        self._joints = joints
        self._awake: dict[int, Run] = {}
        self._joint: Joint | None = None
        self._registers: dict[int, tuple[int, ...]] = {}
        self._open: dict[int, tuple[Candidate, ...]] = {}
        self._hits: list[Candidate] = []
        self._lost: dict[int, int] = {}
        self._off: frozenset[int] = frozenset()
        self.offset = 0
        self.due = False
        self.last = Alphabet.BEGIN
        self._mark = self._here()

    def _here(self) -> _Stand:
        return _Stand(self._awake, self._joint, self._registers, self._open, self.offset, self.last)

    def _back(self) -> None:
        self._awake, self._joint, self._registers, self._open, self.offset, self.last = self._mark
        self._hits = []
        self.due = False

    @property
    def awake(self) -> dict[int, Run]:
        """The patterns that are awake."""
        if self._joint is not None:
            registers = self._registers
            self._awake = {
                pattern: (state, registers.get(pattern, ()))
                for pattern, state in self._joint.members
            }
            self._joint = None
        return self._awake

    @awake.setter
    def awake(self, runs: dict[int, Run]) -> None:
        self._awake, self._joint = runs, None

    # Reading

    def run(self, text: str, begin: int, end: int) -> int:
        """See `Steps.run`: a match may be certain, or a candidate that is masked as it comes has
        ended."""
        self._mark = self._here()
        self._hits = []
        self.due = False
        if not (self._off or self._open or self._lost) and self._joints.worth(end - begin):
            begin = self._run_joint(text, begin, end)
        while begin < end and not self.due:
            self.due = self._step(text[begin])
            begin += 1
        return begin

    def _run_joint(self, text: str, begin: int, end: int) -> int:
        """Read up to the first character that completes a match, but not that character; return its
        index."""
        joint, registers, offset = self._joint, self._registers, self.offset
        if joint is None:
            members = [(pattern, run[0]) for pattern, run in self._awake.items()]
            joint = self._joints.of(members, self._machine.kind(self.last))
            registers = {pattern: run[1] for pattern, run in self._awake.items() if run[1]}
        classes = self._machine.classes
        last = self.last
        while begin < end:
            number = classes[text[begin]]
            after, moves, accepts = joint[number]
            if accepts:
                break
            joint, last = after, number
            if moves:
                registers = registers.copy()
                for pattern, sources in moves:
                    before = registers.get(pattern, ())
                    registers[pattern] = moved(sources, before, offset)
            offset += 1
            begin += 1
        self._joint, self._registers, self.offset, self.last = joint, registers, offset, last
        return begin

    def unread(self) -> None:
        """See `Steps.unread`."""
        self._back()

    def held_back(self) -> int:
        """See `Steps.held_back`."""
        joint = self._joint
        if joint is None or self._lost:
            return self.offset - self.held()
        held = joint.distance
        for pattern, register in joint.registers:
            held = max(held, self.offset - self._registers[pattern][register])
        return held

    def _step(self, character: str) -> bool:
        """Read a character; return whether somebody must look: a match may be certain, or a
        candidate that is masked as it comes has ended."""
        machine, offset, awake = self._machine, self.offset, self.awake
        number = machine.classes[character]
        after: dict[int, Run] = {}
        found: list[Candidate] = []
        for pattern, (state, registers) in awake.items():
            transition = state[number]
            target, moves, accepts = transition
            if accepts:
                found += [accepted(pattern, accept, registers, offset) for accept in accepts]
            if not target.idle:
                if moves is not None:
                    registers = transition.moved(registers, offset)
                after[pattern] = target, registers
        key = machine.kind(self.last), number
        wakes = machine.alphabet.wakes.get(key)
        for pattern, transition in machine.wakes(*key) if wakes is None else wakes:
            if pattern not in awake and pattern not in self._off:
                target, _, accepts = transition
                if accepts:
                    found += [accepted(pattern, accept, (), offset) for accept in accepts]
                if not target.idle:
                    after[pattern] = target, transition.moved((), offset)
        self.awake = after
        self.offset = offset + 1
        self.last = number
        if found:
            self._note(found)
        return bool(self._hits or self._open or self._lost) and self._needs_attention()

    def _needs_attention(self) -> bool:
        return (
            bool(self._hits)
            or any(found[0].start < self.began(pattern) for pattern, found in self._open.items())
            or any(self.waits(pattern) > hold for pattern, hold in self._lost.items())
        )

    # What is accepted

    def _note(self, found: Iterable[Candidate]) -> None:
        for candidate in found:
            if self._machine.handling[candidate.pattern].eager:
                self._hits.append(candidate)
            else:
                self._file(candidate)

    def _file(self, candidate: Candidate) -> None:
        known = self._open.get(candidate.pattern, ())
        if self._machine.handling[candidate.pattern].loose:
            if candidate in known:
                return
            kept = sorted((*known, candidate))
        else:
            # An accepting thread undoes what threads after it had accepted.
            kept = [*(c for c in known if c.start < candidate.start), candidate]
        self._open = {**self._open, candidate.pattern: tuple(kept)}

    def hits(self) -> list[Candidate]:
        """What the last character has completed of eager patterns, once."""
        found, self._hits = self._hits, []
        return found

    def certain(self) -> tuple[list[tuple[int, int, int]], list[int]]:
        """What is masked of the matches that have become certain, once, and the patterns that are
        not plain but have one that nothing older can undo."""
        found: list[Candidate] = []
        others = []
        for pattern, candidates in self._open.items():
            oldest = self.began(pattern)
            if candidates[0].start < oldest:
                if self._machine.handling[pattern].plain:
                    found += [candidate for candidate in candidates if candidate.start < oldest]
                else:
                    others.append(pattern)
        for pattern in {candidate.pattern for candidate in found}:
            oldest = self.began(pattern)
            self.keep(pattern, [c for c in self._open[pattern] if c.start >= oldest])
        masked = [self._machine.handling[match.pattern].masked(match) for match in found]
        return [each for each in masked if each[1] < each[2]], others

    def waiting(self) -> list[int]:
        """The patterns that have matches which are not settled."""
        return list(self._open)

    def candidates(self, pattern: int) -> Sequence[Candidate]:
        """A pattern's matches that are not settled."""
        return self._open.get(pattern, ())

    def keep(self, pattern: int, candidates: list[Candidate]) -> None:
        """Let these be the pattern's matches that are not settled."""
        self._open = {number: each for number, each in self._open.items() if number != pattern}
        if candidates:
            self._open[pattern] = tuple(candidates)

    def ends(self) -> None:
        """Note what the end of the text accepts."""
        self._hits = []
        for pattern, (state, registers) in self.awake.items():
            self._note([accepted(pattern, a, registers, self.offset) for a in state.end()])

    # Where candidates began

    def held(self) -> int:
        """Where the oldest hold-back begins; the present offset if there is none."""
        handling, offset = self._machine.handling, self.offset
        held, lost = offset, self._living()
        for pattern, (state, registers) in self.awake.items():
            if handling[pattern].holds and pattern not in lost:
                oldest = state.holds.oldest(registers, offset)
                if oldest < held:
                    held = oldest
        for pattern, candidates in self._open.items():
            if handling[pattern].holds and pattern not in lost:
                held = min([held, *(c.hold for c in candidates if not c.written)])
        return held

    def oldest(self) -> int:
        """Where the oldest candidate began, the present offset if none lives; a match that is open
        is no older, since it waits for a candidate."""
        began = [state.starts.oldest(run, self.offset) for state, run in self.awake.values()]
        return min(began, default=self.offset)

    def began(self, pattern: int) -> int:
        """Where the pattern's oldest candidate began; beyond the present offset if none lives."""
        run = self.awake.get(pattern)
        return self.offset + 1 if run is None else run[0].starts.oldest(run[1], self.offset)

    def waits(self, pattern: int) -> int:
        """Where the pattern's oldest hold-back began; beyond the present offset if none has."""
        run = self.awake.get(pattern)
        return self.offset + 1 if run is None else run[0].holds.oldest(run[1], self.offset)

    def patterns(self) -> list[int]:
        """The patterns that are awake."""
        return list(self.awake)

    def state(self, pattern: int) -> Run | None:
        """The state and registers of a pattern that is awake."""
        return self.awake.get(pattern)

    # Candidates too long to be held

    def lose(self, pattern: int, hold: int) -> None:
        """Hold the pattern's candidates from `hold` no more, but say when they have ended."""
        self._lost[pattern] = hold

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
        run = self.awake.get(pattern)
        if run is None:
            return
        state, registers = run
        offset = self.offset
        self._put(
            pattern,
            *state.without(lambda thread: thread.began(registers, offset)[1] <= hold, registers),
        )

    def disable(self, pattern: int) -> None:
        """Never wake the pattern again."""
        self._off |= {pattern}
        self.awake = {number: run for number, run in self.awake.items() if number != pattern}
        self.keep(pattern, [])
        self._lost.pop(pattern, None)

    # Reading again

    def restart(
        self, pattern: int, text: str, begin: int, at: int, base: int, ended: bool, until: int
    ) -> None:
        """Let the search for a pattern go on as if it had begun at `text[at]`, up to the text's
        end, which is here; `base` is the text's offset. Before, only what its lookbehinds read from
        `begin` on is there. Up to the offset `until` the masked group does not open."""
        machine = self._machine
        automaton, classes = machine.automata[pattern], machine.classes
        self.keep(pattern, [])
        before = classes[text[begin - 1]] if begin else Alphabet.BEGIN
        state = automaton.idle(automaton.alphabet.signatures[before])
        for offset, character in enumerate(text[begin:at], base + begin):
            opens = offset > until
            step = automaton.transition(state, classes[character], begins=False, opens=opens)
            state = step.target
        registers: tuple[int, ...] = ()
        for offset, character in enumerate(text[at:], base + at):
            number = classes[character]
            opens = offset > until
            step = state[number] if opens else automaton.transition(state, number, opens=False)
            for accept in step.accepts:
                self._file(accepted(pattern, accept, registers, offset))
            registers = step.moved(registers, offset)
            state = step.target
        for accept in state.end() if ended else ():
            self._file(accepted(pattern, accept, registers, self.offset))
        self._put(pattern, state, registers)

    def _put(self, pattern: int, state: State, registers: tuple[int, ...]) -> None:
        self.awake = {number: run for number, run in self.awake.items() if number != pattern}
        if not state.idle:
            self.awake[pattern] = state, registers


class _Stand(NamedTuple):
    """Where a stream stands."""

    awake: dict[int, Run]
    joint: Joint | None
    registers: dict[int, tuple[int, ...]]
    open: dict[int, tuple[Candidate, ...]]
    offset: int
    last: int
