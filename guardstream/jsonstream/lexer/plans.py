"""Plans of short chunks: what the lexer did is cached, because keys and punctuation recur.

A plan is the effect of a chunk on a lexer in a given state, apart from what varies: the text of an
open scalar, the keys so far, offsets. Plans are shared by all lexers, and dropped together when
there are too many. The steps know nothing of plans.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

from guardstream.jsonstream.lexer.scalars import in_literal, in_number, in_string
from guardstream.jsonstream.lexer.state import LexerState, Step
from guardstream.jsonstream.lexer.structure import after_item, after_member
from guardstream.jsonstream.lexer.tokens import (
    CLOSE_ARRAY,
    CLOSE_OBJECT,
    COMMA,
    FLOAT,
    INTEGER,
    KEY,
    OPEN_ARRAY,
    OPEN_OBJECT,
    SCALAR_PART,
    STRING,
    Token,
)

LONGEST = 16  # code points of a chunk that is cached
_PATIENCE = 256  # a chunk without a plan costs 3 of it; each _GAIN code points give back 1
_GAIN = 16
_REST = 1_024  # chunks until plans are tried again
_MOST = 8_192  # plans, and chunks seen once; a plan takes less than 1 KB

_SCALARS = (in_string, in_number, in_literal)
_DEPTHS = {OPEN_OBJECT: 1, OPEN_ARRAY: 1, CLOSE_OBJECT: -1, CLOSE_ARRAY: -1}

Begun: TypeAlias = tuple[int, tuple[str, ...], int, int, Any]
"""The state of an open scalar: kind, parts, start, length, and position within it."""


class Growth(NamedTuple):
    """What a chunk adds to an open number that it does not end at once.

    `pieces` has the kind of each token, all text that is added up to it, and the offset of its end.
    `within` is the number's state after the chunk, None if the number has ended.
    """

    pieces: tuple[tuple[int, str, int], ...]
    within: str | None


class Plan(NamedTuple):
    """The effect of a chunk. Offsets count from its first character.

    - `ended`, `run`, `ends`: if the chunk ends the open string or number, its kind (otherwise -1),
      the text that the chunk adds to it, and the offset of its end.
    - `growth`: what the chunk adds to an open number that it does not end at once.
    - `key`: the key that is completely in the chunk.
    - `tokens`: the tokens after those of the open scalar.
    - `commas`: in a chunk without brackets, the number of commas after the last key.
    - `nesting`: in a chunk with brackets, how many objects are opened before its key, less those
      that are closed.
    - `step`: the step after the chunk, and `begun` the scalar that is open then.
    - `lines`: the number of line feeds.
    - `following`: the plans for the next chunk; None if it closes a container that was open before.
    """

    ended: int
    run: str
    ends: int
    growth: Growth | None
    key: str | None
    tokens: tuple[Token, ...]
    commas: int
    nesting: int | None
    step: Step
    begun: Begun | None
    lines: int
    following: Plans | None


Plans: TypeAlias = "dict[str, Plan | Literal[False] | None]"
"""Plans by chunk; None for a chunk that was seen once, False for one that has no plan."""


_NEW = object()

_NO_PLANS: Plans = {}
"""For states that are too specific to have plans."""


class PlanCache:
    """The plans for each state, and how many there may be in total."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._size = 0
        self._plans: dict[Any, Plans] = {}

    def plans_for(self, state: object) -> Plans:
        """Return the plans for a state; lexers keep the dictionary, so it stays the same object."""
        plans = self._plans.get(state)
        return self._plans.setdefault(state, {}) if plans is None else plans

    def note(self, plans: Plans, text: str) -> None:
        """Record that a chunk was seen once."""
        self._size += 1
        if self._size > self._most:
            self._size = 1
            for each in list(self._plans.values()):
                each.clear()
        plans[text] = None


_library = PlanCache(_MOST)


class Memory:
    """One lexer's use of the plans: `plans` are those for the next chunk, None before a look-up.

    If chunks do not recur, plans are a waste and are paused: `resting` counts the chunks until they
    are tried again.
    """

    __slots__ = ("fits", "luck", "missed_at", "plans", "resting", "state")

    def __init__(self, state: LexerState) -> None:
        self.resting = 0
        self.state = state
        self.plans: Plans | None = None
        self.fits = min(state.max_digits, state.max_string) >= LONGEST
        self.luck = _PATIENCE
        self.missed_at = state.offset


def keep(memory: Memory, text: str, out: list[Token], before: object) -> None:
    """Cache what `text` just did, the second time it is seen; `before` is the step before it."""
    state = memory.state
    since = state.base - memory.missed_at
    memory.missed_at = state.base
    memory.luck = luck = min(memory.luck + since // _GAIN, _PATIENCE) - 3
    if luck < 0:
        memory.luck, memory.resting = _PATIENCE, _REST
    plans = memory.plans
    if plans is None or plans is _NO_PLANS:
        return
    known = plans.get(text, _NEW)
    if known is _NEW:
        _library.note(plans, text)
    elif known is None and out and not (state.ended or state.waits):
        plans[text] = _plan(state, text, out, before, memory) or False


def plans_for(memory: Memory) -> Plans:
    """Return the plans for the next chunk."""
    state = memory.state
    after = state.after
    if not after or state.ended or state.waits or not memory.fits:
        return _NO_PLANS
    step = state.step
    where: Any = step, state.next, after[-1]
    if step is in_string:
        where = *where, state.kind
    elif step is in_number:
        where = *where, state.within
    elif step is in_literal:
        where = *where, state.within, state.length
    return _library.plans_for(where)


def _plan(
    state: LexerState, text: str, out: list[Token], before: object, memory: Memory
) -> Plan | None:
    base = state.base
    kinds = [token[0] for token in out]
    depths = _depths(kinds)
    if kinds.count(KEY) > 1 or min(depths) < -1:
        return None
    ended, run, ends, growth = -1, "", 0, None
    if before is in_number and kinds[0] == SCALAR_PART:
        growth = _growth(state, text, out)
        out = out[len(growth.pieces) :]
    elif before is in_string or before is in_number:
        ended, ends = kinds[0], out[0][3] - base
        if ended not in (STRING, KEY, INTEGER, FLOAT):  # an escape
            return None
        run = text[: ends - 1] if before is in_string else text[:ends]
        out = out[1:]
    nests = any(depths)
    last_key = kinds.index(KEY) if KEY in kinds else 0
    objects = [kind for kind in kinds[:last_key] if kind in (OPEN_OBJECT, CLOSE_OBJECT)]
    return Plan(
        ended=ended,
        run=run,
        ends=ends,
        growth=growth,
        key=next((token[1] for token in out if token[0] == KEY), None),
        tokens=tuple((kind, value, start - base, end - base) for kind, value, start, end in out),
        commas=0 if nests else kinds[last_key:].count(COMMA),
        nesting=sum(_DEPTHS[kind] for kind in objects) if nests else None,
        step=state.step,
        begun=_begun(state) if state.step in _SCALARS and not (growth and growth.within) else None,
        lines=text.count("\n"),
        following=None if min(depths) < 0 else plans_for(memory),
    )


def _growth(state: LexerState, text: str, out: list[Token]) -> Growth:
    began, base = out[0][2], state.base
    pieces = tuple(
        (kind, text[: end - base], end - base) for kind, _, start, end in out if start == began
    )
    is_open = pieces[-1][0] == SCALAR_PART
    return Growth(pieces, state.within if is_open else None)


def grow(state: LexerState, growth: Growth, out: list[Token], base: int) -> bool:
    """Extend the open number; return False, with nothing changed, if it would become too long."""
    pieces, within = growth
    run = pieces[-1][1]
    length = state.length + len(run)
    if length > state.max_digits:
        return False
    begun, start = state.parts[0], state.start
    for kind, added, end in pieces:
        out.append((kind, begun + added, start, base + end))
    if within is not None:
        state.parts = [begun + run]
        state.length = length
        state.within = within
    return True


def resume(state: LexerState, begun: Begun, base: int) -> None:
    """Let a scalar be open as it was after a plan's chunk; this one began at the offset `base`."""
    state.kind, parts, start, state.length, state.within = begun
    state.parts = [*parts]
    state.start = base + start


def _begun(state: LexerState) -> Begun:
    start = state.start - state.base
    return state.kind, tuple(state.parts), start, state.length, state.within


def _depths(kinds: list[int]) -> list[int]:
    depth = 0
    return [depth := depth + _DEPTHS.get(kind, 0) for kind in kinds]


def may_nest(state: LexerState, key: str | None, nesting: int, tokens: int) -> bool:
    """Return whether no key is repeated and the nesting cannot become too deep."""
    known = key is not None and nesting <= 0 and not state.duplicates
    if known and key in state.keys[nesting - 1]:
        return False
    return len(state.path) + tokens <= state.limits.depth


def nest(state: LexerState, tokens: Sequence[Token]) -> None:
    """Update the state for tokens that contain brackets."""
    path, after = state.path, state.after
    for kind, value, _, _ in tokens:
        if kind == COMMA:
            at = path[-1]
            path[-1] = at + 1 if type(at) is int else None
        elif kind == KEY:
            path[-1] = value
            if not state.duplicates:
                state.keys[-1].add(value)
        elif kind == OPEN_OBJECT:
            after.append(state.next)
            state.next = after_member
            state.keys.append(set())
            path.append(None)
        elif kind == OPEN_ARRAY:
            after.append(state.next)
            state.next = after_item
            path.append(0)
        elif kind > OPEN_OBJECT:
            state.next = after.pop()
            path.pop()
            if kind == CLOSE_OBJECT:
                state.keys.pop()
