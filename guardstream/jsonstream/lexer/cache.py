"""What the lexer did with a short chunk, kept to be done again: keys and punctuation come back.

A plan is what a chunk does to a lexer in a given state, apart from what it finds there: the text of
an open scalar, the keys so far, offsets. Plans are shared by all lexers, and thrown away together
when there are too many.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from guardstream.jsonstream.lexer.scalars import in_literal, in_number, in_string
from guardstream.jsonstream.lexer.structure import after_item, after_member
from guardstream.jsonstream.tokens import (
    CLOSE_ARRAY,
    CLOSE_OBJECT,
    COMMA,
    FLOAT,
    INTEGER,
    KEY,
    OPEN_ARRAY,
    OPEN_OBJECT,
    STRING,
    Token,
)

if TYPE_CHECKING:
    from guardstream.jsonstream.lexer.lexer import Lexer

LONGEST = 16  # code points of a chunk that is kept
PATIENCE = 256  # a chunk without a plan takes 3 of it, and _GAIN code points give 1 back
_GAIN = 16
_REST = 1_024  # chunks, until plans are tried again
_MOST = 8_192  # plans and chunks seen once; a plan takes less than 1 KB

_SCALARS = (in_string, in_number, in_literal)
_DEPTHS = {OPEN_OBJECT: 1, OPEN_ARRAY: 1, CLOSE_OBJECT: -1, CLOSE_ARRAY: -1}

#: What a lexer knows of an open scalar: kind, parts, start, length, and where in it it is.
Begun: TypeAlias = tuple[int, tuple[str, ...], int, int, Any]


class Plan(NamedTuple):
    """What a chunk does. Offsets count from its first character."""

    ended: int  # the kind of the open string or number that it ends, or -1
    run: str  # what it adds to that
    behind: int  # where that ends
    key: str | None  # the key that it holds whole
    tokens: tuple[Token, ...]  # all others
    commas: int  # those behind which no key has ended, if there are no brackets
    nesting: int | None  # how many objects it opens before its key, if there are brackets
    state: Callable[[Lexer, str, int], int]
    begun: Begun | None  # the scalar that is open after it
    lines: int  # ends in it
    following: Plans | None  # None where it depends on what is not in the state


#: By chunk; None for one that was seen once, False for one that has no plan.
Plans: TypeAlias = "dict[str, Plan | Literal[False] | None]"

_NEW = object()

#: Of a state that is too particular.
NO_PLANS: Plans = {}


class Library:
    """The plans for each state, and how many they may be together."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._size = 0
        self._plans: dict[Any, Plans] = {}

    def shelf(self, state: object) -> Plans:
        """The plans for a state; lexers keep them, so they stay the same dictionary."""
        plans = self._plans.get(state)
        return self._plans.setdefault(state, {}) if plans is None else plans

    def note(self, plans: Plans, text: str) -> None:
        """Note that a chunk was seen once."""
        self._size += 1
        if self._size > self._most:
            self._size = 1
            for each in list(self._plans.values()):
                each.clear()
        plans[text] = None


_library = Library(_MOST)


def plans_for(lexer: Lexer) -> Plans:
    """The plans for the chunk that comes next."""
    after = lexer._after
    if not after or lexer.ended or lexer.waits or not lexer._plans_fit:
        return NO_PLANS
    state = lexer._state
    where: Any = state, lexer._next, after[-1]
    if state is in_string:
        where = *where, lexer._kind
    elif state is in_number:
        where = *where, lexer._within
    elif state is in_literal:
        where = *where, lexer._within, lexer._length
    return _library.shelf(where)


def keep(lexer: Lexer, text: str, out: list[Token], before: object) -> None:
    """Keep what `lexer` has just done with `text` in the state `before`, the second time.

    Where chunks do not come back this is wasted, and rests.
    """
    since = lexer._base - lexer._missed_at
    lexer._missed_at = lexer._base
    lexer._luck = luck = min(lexer._luck + since // _GAIN, PATIENCE) - 3
    if luck < 0:
        lexer._luck, lexer._rest = PATIENCE, _REST
    plans = lexer._plans
    if plans is None or plans is NO_PLANS:
        return
    known = plans.get(text, _NEW)
    if known is _NEW:
        _library.note(plans, text)
    elif known is None and out and not (lexer.ended or lexer.waits):
        plans[text] = _plan(lexer, text, out, before) or False


def _plan(lexer: Lexer, text: str, out: list[Token], before: object) -> Plan | None:
    base = lexer._base
    kinds = [token[0] for token in out]
    depths = _depths(kinds)
    if kinds.count(KEY) > 1 or min(depths) < -1:
        return None
    ended, run, behind = -1, "", 0
    if before is in_string or before is in_number:
        ended, behind = kinds[0], out[0][3] - base
        if ended not in (STRING, KEY, INTEGER, FLOAT):  # an escape
            return None
        run = text[: behind - 1] if before is in_string else text[:behind]
        out = out[1:]
    nests = any(depths)
    last_key = kinds.index(KEY) if KEY in kinds else 0
    objects = [kind for kind in kinds[:last_key] if kind in (OPEN_OBJECT, CLOSE_OBJECT)]
    return Plan(
        ended=ended,
        run=run,
        behind=behind,
        key=next((token[1] for token in out if token[0] == KEY), None),
        tokens=tuple((kind, value, start - base, end - base) for kind, value, start, end in out),
        commas=0 if nests else kinds[last_key:].count(COMMA),
        nesting=sum(_DEPTHS[kind] for kind in objects) if nests else None,
        state=lexer._state,
        begun=_begun(lexer) if lexer._state in _SCALARS else None,
        lines=text.count("\n"),
        following=None if min(depths) < 0 else plans_for(lexer),
    )


def _go_on(lexer: Lexer, begun: Begun, base: int) -> None:
    lexer._kind, parts, start, lexer._length, lexer._within = begun
    lexer._parts = [*parts]
    lexer._start = base + start


def _begun(lexer: Lexer) -> Begun:
    start = lexer._start - lexer._base
    return lexer._kind, tuple(lexer._parts), start, lexer._length, lexer._within


def _depths(kinds: list[int]) -> list[int]:
    depth = 0
    return [depth := depth + _DEPTHS.get(kind, 0) for kind in kinds]


def replay(lexer: Lexer, text: str, base: int) -> list[Token] | None:  # noqa: C901  # the hot loop
    """Do what is known of `text` and return the tokens; None, with nothing done, if it is not."""
    plans = lexer._plans
    if plans is None:
        plans = lexer._plans = plans_for(lexer)
    plan = plans.get(text)
    if not plan:
        return None
    ended, run, behind, key, tokens, commas, nesting, state, begun, lines, following = plan
    out: list[Token] = []
    if ended >= 0:
        parts, string = lexer._parts, ended <= KEY
        if lexer._length + len(run) > (lexer._max_string if string else lexer._max_digits):
            return None
        value = "".join(parts) + run if parts else run
        if ended == KEY:
            key = value
        out.append((ended, value, base if string else lexer._start, base + behind))
    if nesting is not None:
        if not _may_nest(lexer, key, nesting, len(tokens)):
            return None
    elif key is not None:
        if not lexer._duplicates:
            seen = lexer._keys[-1]
            if key in seen:
                return None
            seen.add(key)
        lexer.path[-1] = key
    if commas:
        at = lexer.path[-1]
        lexer.path[-1] = at + commas if type(at) is int else None
    for kind, content, start, end in tokens:
        out.append((kind, content, base + start, base + end))
    if nesting is not None:
        _nest(lexer, out)
    if begun is not None:
        _go_on(lexer, begun, base)
    if lines:
        lexer._text = text
        lexer._count_lines(text, 0)
    lexer._state = state
    lexer._plans = following
    return out


def _may_nest(lexer: Lexer, key: str | None, nesting: int, tokens: int) -> bool:
    """Whether neither a key comes twice nor, perhaps, is anything too deep."""
    known = key is not None and nesting <= 0 and not lexer._duplicates
    if known and key in lexer._keys[nesting - 1]:
        return False
    return len(lexer.path) + tokens <= lexer._limits.depth


def _nest(lexer: Lexer, tokens: Sequence[Token]) -> None:
    """Follow brackets, and what stands between them."""
    path = lexer.path
    for kind, value, _, _ in tokens:
        if kind == COMMA:
            at = path[-1]
            path[-1] = at + 1 if type(at) is int else None
        elif kind == KEY:
            path[-1] = value
            if not lexer._duplicates:
                lexer._keys[-1].add(value)
        elif kind >= OPEN_OBJECT:
            _bracket(lexer, kind)


def _bracket(lexer: Lexer, kind: int) -> None:
    if kind == OPEN_OBJECT:
        lexer._after.append(lexer._next)
        lexer._next = after_member
        lexer._keys.append(set())
        lexer.path.append(None)
    elif kind == OPEN_ARRAY:
        lexer._after.append(lexer._next)
        lexer._next = after_item
        lexer.path.append(0)
    else:
        lexer._next = lexer._after.pop()
        lexer.path.pop()
        if kind == CLOSE_OBJECT:
            lexer._keys.pop()
