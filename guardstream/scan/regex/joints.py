"""Joint states: one state for all patterns that are awake, so that a character costs one look-up.

Ordinary text leads to few of them. Patterns whose registers hold the same offset share a register
here, since candidates of several patterns nearly always begin at one character together.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import lru_cache, partial, reduce
from itertools import count
from operator import itemgetter, or_
from typing import NoReturn, TypeAlias

from guardstream.scan.building import building
from guardstream.scan.regex.dfa import State, Transition, moved
from guardstream.scan.regex.machine import Machine, Waking
from guardstream.scan.regex.registers import Accept, Least, Live, Source, mapped, together

MAX_WEIGHT = 240_000
"""All joint states of a set of patterns are flushed if they weigh more; a unit is about 100
bytes."""

TRIAL = 4_096
"""After so many transitions have been built, it is checked whether they were worth it."""

WORTH = 4
"""They were if at least so many characters have been read for each of them, on average."""

REST = 2_048
"""If they were not, joint states are not used for so many characters; next time for twice as many,
up to MAX_REST."""

MAX_REST = 262_144

Run: TypeAlias = tuple[State, tuple[int, ...]]
"""A pattern that is awake: its state and its registers."""

Moves: TypeAlias = Callable[[tuple[int, ...], int], tuple[int, ...]]
"""Takes registers and a character's offset, and returns the registers after the character."""


class AcceptsError(Exception):
    """The transition completes a match, so moving registers is not all that it does."""


class Accepting:
    """What a transition that completes matches does: it `moves` registers (None if they stay as
    they are), and accepts, each with its pattern.

    It takes the place of `Moves`, and raises AcceptsError if it is called like them. So a hot loop
    need not check before each call.
    """

    __slots__ = ("accepts", "moves")

    def __init__(self, moves: Moves | None, accepts: tuple[tuple[int, Accept], ...]) -> None:
        self.moves = moves
        self.accepts = accepts

    def __call__(self, _registers: tuple[int, ...], _offset: int) -> NoReturn:
        raise AcceptsError


_Key: TypeAlias = tuple[int, tuple[int, ...], tuple[tuple[int, ...], ...]]

Leap: TypeAlias = "tuple[Joint, Moves | Accepting | None]"
"""A transition: the joint state that it leads to, and what it does to registers and accepts, if
anything."""


@lru_cache(maxsize=4_096)
def moving(leasts: Sequence[Least]) -> Moves:
    """`moved` as a function of these sources alone. It is faster for one or two registers with one
    source each, which is nearly always the case, and for many. Many transitions share it."""
    if len(leasts) > 2:
        return _many(leasts)
    sources = [least[0] for least in leasts if len(least) == 1]
    if len(sources) < len(leasts) or not sources:
        return partial(moved, leasts)
    if len(sources) == 1:
        return _one(*sources)
    return _two(*sources)


def _one(source: Source) -> Moves:
    if source >= 0:
        return lambda registers, _: (registers[source],)
    beyond = 2 + source
    return lambda _, offset: (offset + beyond,)


def _two(one: Source, other: Source) -> Moves:
    if one >= 0 and other >= 0:
        return lambda registers, _: (registers[one], registers[other])
    if one >= 0:
        return lambda registers, offset: (registers[one], offset + 2 + other)
    if other >= 0:
        return lambda registers, offset: (offset + 2 + one, registers[other])
    return lambda _, offset: (offset + 2 + one, offset + 2 + other)


def _many(leasts: Sequence[Least]) -> Moves:
    # New offsets are appended to the registers, so that one call picks from both.
    new = sorted({source for least in leasts for source in least if source < 0})
    index = {source: number - len(new) for number, source in enumerate(new)}
    first = itemgetter(*[index.get(least[0], least[0]) for least in leasts])
    met = [
        (number, itemgetter(*[index.get(source, source) for source in least]))
        for number, least in enumerate(leasts)
        if len(least) > 1
    ]

    def moves(registers: tuple[int, ...], offset: int) -> tuple[int, ...]:
        known = (*registers, *[offset + 2 + source for source in new])
        become: tuple[int, ...] = first(known)
        if met:
            least = list(become)
            for number, sources in met:
                least[number] = min(sources(known))
            become = tuple(least)
        return become

    return moves


class Joint(dict[str, Leap]):
    """A joint state: it maps characters to transitions. A missing one is looked for when it is
    first needed.

    `kind`: the bits that sleeping patterns ask of the last character. `states`: those of the
    patterns that are awake, in order; `numbers`: for each state, which of the registers are its
    own. `asks`: the bits that the states ask of the next character. `serial` is never reused.
    """

    __slots__ = (
        "_holds",
        "asks",
        "kind",
        "known_began",
        "known_held",
        "known_waits",
        "numbers",
        "owner",
        "serial",
        "states",
    )

    def __init__(
        self,
        owner: Joints,
        kind: int,
        states: tuple[State, ...],
        numbers: tuple[tuple[int, ...], ...],
        serial: int,
    ) -> None:
        self.owner = owner
        self.serial = serial
        self.kind = kind
        self.states = states
        self.numbers = numbers
        self.asks = reduce(or_, [state.asks for state in states], 0)
        self.known_began: dict[int, Live] = {}
        self.known_waits: dict[int, Live] = {}
        self._holds: dict[frozenset[int], Live] = {}
        self.known_held: Live | None = None

    def __missing__(self, character: str) -> Leap:
        return self.owner.leap(self, character)

    def sides(self) -> Sequence[State]:
        """The states of lookbehinds of several patterns, which come last."""
        patterns = self.owner.machine.patterns
        if not self.states or self.states[-1].pattern < patterns:
            return ()
        return [state for state in self.states if state.pattern >= patterns]

    def began(self, pattern: int) -> Live:
        """Where a pattern's candidates began."""
        live = self.known_began.get(pattern)
        if live is None:
            live = self.known_began[pattern] = together(
                (state.starts, own) for state, own in self.members() if state.pattern == pattern
            )
        return live

    def waits(self, pattern: int) -> Live:
        """Where a pattern's hold-backs began."""
        live = self.known_waits.get(pattern)
        if live is None:
            live = self.known_waits[pattern] = together(
                (state.holds, own) for state, own in self.members() if state.pattern == pattern
            )
        return live

    def held(self) -> Live:
        """Where the hold-backs began of all patterns that hold text."""
        if self.known_held is None:
            self.known_held = self._held_without(())
        return self.known_held

    def holds(self, lost: frozenset[int]) -> Live:
        """The same, without the patterns in `lost`."""
        live = self._holds.get(lost)
        if live is None:
            live = self._holds[lost] = self._held_without(lost)
        return live

    def _held_without(self, lost: Collection[int]) -> Live:
        handling = self.owner.machine.handling
        return together(
            [
                (state.holds, own)
                for state, own in self.members()
                if handling[state.pattern].holds and state.pattern not in lost
            ]
        )

    def runs(self, registers: tuple[int, ...]) -> dict[int, Run]:
        """The patterns that are awake, as runs."""
        return {
            state.pattern: (state, tuple([registers[n] for n in numbers]))
            for state, numbers in self.members()
        }

    def members(self) -> Iterable[tuple[State, tuple[int, ...]]]:
        """The states, each with the numbers of its registers."""
        return zip(self.states, self.numbers, strict=True)


class Joints:
    """The joint states of a machine. Their number is bounded. They rest if a text keeps leading to
    new ones, since building one costs more than stepping its patterns.

    `read` counts the characters read with them since their worth was last checked, `rest` the
    characters for which they still rest.
    """

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.read = 0
        self.rest = 0
        # Each joint state is kept in the leap that only leads to it, which most share. All keys
        # consist of ints: the garbage collector does not track tuples of them, nor tuples of these.
        self._known: dict[_Key, Leap] = {}
        # By the joint state, what wakes, and the bits that it asks of the character.
        self._leaps: dict[tuple[int, int, int], Leap] = {}
        # By what wakes, and by the transitions and the registers of the patterns that are awake.
        self._alike: dict[_Key, Leap] = {}
        self._serials = count()
        self._weight = 0
        self._missed = 0
        self._pause = REST
        machine.caches.flushed.append(lambda _: self.flush())

    def flush(self) -> None:
        """Forget all joint states; streams go on from those they are in."""
        with self.machine.caches.lock:
            known, self._known, self._weight = self._known, {}, 0
            self._leaps.clear()
            self._alike.clear()
            for joint, _ in known.values():
                joint.clear()

    def of(self, runs: Mapping[int, Run], kind: int) -> tuple[Joint, tuple[int, ...]]:
        """The joint state of some patterns, and its registers."""
        states = tuple([runs[pattern][0] for pattern in sorted(runs)])
        owned = [runs[state.pattern][1][: state.size] for state in states]
        offsets = sorted({offset for own in owned for offset in own})
        registers = {offset: number for number, offset in enumerate(offsets)}
        numbers = tuple([tuple([registers[offset] for offset in own]) for own in owned])
        with building(self.machine.caches.lock):
            joint, _ = self._to(kind, states, numbers)
            if self._weight > MAX_WEIGHT // self.machine.caches.share:
                self.flush()
        return joint, tuple(offsets)

    def _to(
        self, kind: int, states: tuple[State, ...], numbers: tuple[tuple[int, ...], ...]
    ) -> Leap:
        key = kind, tuple([state.number for state in states]), numbers
        leap = self._known.get(key)
        if leap is None:
            self._weight += 8 + len(states) // 4
            joint = Joint(self, kind, states, numbers, next(self._serials))
            leap = self._known[key] = joint, None
        return leap

    def leap(self, joint: Joint, character: str) -> Leap:
        """Find or build the transition of a joint state on a character, and enter it there.

        Characters share one if they wake the same patterns, and no pattern that is awake tells them
        apart.
        """
        machine = self.machine
        with building(machine.caches.lock):
            signature, waking = machine.read(joint.kind, character, joint.sides())
            key = joint.serial, waking.number, signature & joint.asks
            leap = self._leaps.get(key)
            if leap is None:
                self._missed += 1
                self._weight += 1
                if self._missed > TRIAL:
                    self._judge()
                leap = self._leaps[key] = self._led(joint, waking, signature)
            self._weight += 1
            joint[character] = leap
            # A text of very many different characters adds weight without a new joint state.
            if self._weight > MAX_WEIGHT // machine.caches.share:
                self.flush()
        return leap

    def _judge(self) -> None:
        """Let joint states rest for a while, unless they were worth building."""
        if self.read < WORTH * self._missed:
            self.rest, self._pause = self._pause, min(2 * self._pause, MAX_REST)
        else:
            self._pause = REST
        self.read = self._missed = 0

    def _led(self, joint: Joint, waking: Waking, signature: int) -> Leap:
        """Where a joint state's patterns and those that wake lead. The result is shared by joint
        states that differ only in patterns which the character ends."""
        woken = waking.steps
        steps: list[Transition] = []
        owned: list[tuple[int, ...]] = []  # the numbers of their registers here
        for state, own in zip(joint.states, joint.numbers, strict=True):
            step = state[signature & state.asks]
            # A pattern that ends here still has its own step, not that of a sleeping one.
            if not step[0].idle or step[2] or state.pattern in woken:
                steps.append(step)
                owned.append(own)
        key = waking.number, tuple([step[3] for step in steps]), tuple(owned)
        leap = self._alike.get(key)
        if leap is None:
            self._weight += 2 + len(steps) // 4
            leap = self._alike[key] = self._joined(waking, steps, owned)
        return leap

    def _joined(
        self, waking: Waking, awake: Sequence[Transition], owned: Sequence[tuple[int, ...]]
    ) -> Leap:
        """Where the transitions of patterns that are awake and of those that wake lead together."""
        steps = [(step[0].pattern, step, own) for step, own in zip(awake, owned, strict=True)]
        if waking.steps:
            known = {pattern for pattern, _, _ in steps}
            woken = waking.steps.items()
            steps += [(pattern, step, ()) for pattern, step in woken if pattern not in known]
            steps.sort()  # by their patterns
        states: list[State] = []
        numbers: list[tuple[int, ...]] = []
        registers: dict[Least, int] = {}  # their numbers, by what they become
        accepts: list[tuple[int, Accept]] = []
        for pattern, (target, moves, accepted, _), own in steps:
            if accepted:
                accepts += [(pattern, accept.of(own)) for accept in accepted]
            if target.idle:
                continue
            states.append(target)
            size = target.size
            if not size:
                numbers.append(())
                continue
            leasts = (
                [(number,) for number in own[:size]]
                if moves is None
                else [mapped(least, own) for least in moves]
            )
            numbers.append(tuple([registers.setdefault(least, len(registers)) for least in leasts]))
        leap = self._to(waking.kind, tuple(states), tuple(numbers))
        stay = list(registers) == [(number,) for number in registers.values()]
        become = None if stay else moving(tuple(registers))
        if accepts:
            return leap[0], Accepting(become, tuple(accepts))
        return (leap[0], become) if become else leap
