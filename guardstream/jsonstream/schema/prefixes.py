"""Decides at which character of a string no continuation can match a pattern any more.

A pattern is compiled to an NFA, which is simulated as a set of states; each set is a state of a DFA
that is built lazily (Thompson 1968). Anything beyond that, such as look-around, is not judged here.
The answer errs on the side of 'may match': the check at the string's end decides.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache

import regex

from guardstream.errors import PatternError
from guardstream.jsonstream.schema.patterns import loosened, spelled_out
from guardstream.scan.regex.ast import Alt, Assert, Cat, Char, Group, Node, Repeat
from guardstream.scan.regex.parser import parse

_MOST_STATES = 2_000  # of an NFA
_MOST_SETS = 2_000  # cached

# Escapes that `regex` reads as ECMA-262 does, or more broadly; others are not judged.
_foreign = re.compile(
    r"\\[^dDwWsSBbnrtfv0xu\W]|\\u[dD][89a-fA-F]|\[:|\{,|\(\?[^:<]|\[\[|&&|\|\||~~"
).search


class PrefixState(dict[str, "PrefixState | None"]):
    """A set of NFA states, and the next set by character: None if nothing can match."""

    def __init__(self, owner: Prefixes, states: frozenset[int]) -> None:
        super().__init__()
        self._owner = owner
        self.states = states

    def __missing__(self, char: str) -> PrefixState | None:
        after = self._owner.after(self, char)
        if len(self) < 256:
            self[char] = after
        return after


class Early:
    """A pattern, or any of several, compiled when the first text is judged by it, because a schema
    may have thousands."""

    __slots__ = ("_found", "_patterns", "_ready")

    def __init__(self, *patterns: str) -> None:
        self._patterns = patterns
        self._ready = False
        self._found: Prefixes | None = None

    def step(self, state: PrefixState | None, text: str) -> tuple[PrefixState | None, int | None]:
        """Return the state after `text`, or the index in it from which nothing can match.

        None is the state of the empty text.
        """
        if not self._ready:
            self._found = prefixes(*self._patterns)
            self._ready = True
        return (None, None) if self._found is None else self._found.step(state, text)

    def follow(self, state: PrefixState | None, text: str) -> PrefixState | None:
        """Return the state after `text`; if nothing can match, a state that stays so."""
        after, first = self.step(state, text)
        if first is None or self._found is None:
            return after
        return PrefixState(self._found, frozenset())


class Prefixes:
    """The beginnings of what a pattern matches; `first` is the state of the empty text."""

    def __init__(self, tree: Node) -> None:
        self._chars: list[str | None] = []  # the character that each state takes, or None
        self._next: list[tuple[int, ...]] = []
        self._anchors: dict[int, str] = {}
        self._known: dict[frozenset[int], PrefixState] = {}
        self._matched = self._state(None)
        root = self._compile(tree, self._matched)
        self._again = self._closure([root], at_start=False)
        self._free = PrefixState(self, frozenset((self._matched,)))
        self.first = self._set(self._closure([root], at_start=True))

    @property
    def unbounded(self) -> bool:
        """Whether nothing is ever refused."""
        return bool(self._again) or self.first is self._free

    def step(self, state: PrefixState | None, text: str) -> tuple[PrefixState, int | None]:
        """As `Early.step`."""
        free = self._free
        if state is None:
            state = self.first
        for index, char in enumerate(text):
            if state is free:
                return state, None
            after = state[char]
            if after is None:
                return state, index
            state = after
        return state, None

    def after(self, state: PrefixState, char: str) -> PrefixState | None:
        """Return the state after one more character."""
        reached = [
            after
            for each in state.states
            if (fragment := self._chars[each]) is not None and _matches(fragment, char)
            for after in self._next[each]
        ]
        found = self._closure(reached, at_start=False) | self._again
        return self._set(found) if found else None

    def _set(self, states: frozenset[int]) -> PrefixState:
        if self._matched in states:
            return self._free  # it has matched, whatever follows
        known = self._known.get(states)
        if known is None:
            if len(self._known) >= _MOST_SETS:
                self._known.clear()
            known = self._known[states] = PrefixState(self, states)
        return known

    def _closure(self, states: Iterable[int], *, at_start: bool) -> frozenset[int]:
        """Return the epsilon closure of `states`: those that take a character, or have matched."""
        found: set[int] = set()
        todo = list(states)
        while todo:
            state = todo.pop()
            if state in found:
                continue
            found.add(state)
            anchor = self._anchors.get(state)
            if anchor == "start" and not at_start:
                continue
            # Nothing follows the end: the check at the string's end decides.
            if self._chars[state] is None and anchor != "end":
                todo += self._next[state]
        return frozenset(
            each for each in found if self._chars[each] is not None or self._tells(each)
        )

    def _tells(self, state: int) -> bool:
        return state == self._matched or self._anchors.get(state) == "end"

    # Compiling

    def _state(self, char: str | None, *after: int) -> int:
        if len(self._chars) >= _MOST_STATES:
            raise PatternError("the pattern has too many states", 0)
        self._chars.append(char)
        self._next.append(after)
        return len(self._chars) - 1

    def _compile(self, node: Node, after: int) -> int:
        """Compile `node`, followed by the state `after`; return its first state."""
        if isinstance(node, Char):
            return self._state(node.fragment, after)
        if isinstance(node, Group):
            return self._compile(node.item, after)
        if isinstance(node, Cat):
            for item in reversed(node.items):
                after = self._compile(item, after)
            return after
        if isinstance(node, Alt):
            return self._state(None, *[self._compile(item, after) for item in node.items])
        if isinstance(node, Repeat):
            return self._repeat(node, after)
        if isinstance(node, Assert) and node.kind in ("start", "end"):
            state = self._state(None, after)
            self._anchors[state] = node.kind
            return state
        raise PatternError("the pattern is not judged early", 0)

    def _repeat(self, node: Repeat, after: int) -> int:
        if node.high is None:
            loop = self._state(None)
            self._next[loop] = (self._compile(node.item, loop), after)
            after = loop
        else:
            end = after
            for _ in range(node.high - node.low):
                after = self._state(None, self._compile(node.item, after), end)
        for _ in range(node.low):
            after = self._compile(node.item, after)
        return after


@lru_cache(maxsize=256)
def prefixes(*patterns: str) -> Prefixes | None:
    """Return the automaton of the beginnings that any of `patterns` matches; None if it refuses
    nothing early."""
    if any("^" not in each or _foreign(each) for each in patterns):
        return None
    read = "|".join(f"(?:{spelled_out(loosened(each))})" for each in patterns)
    try:
        found = Prefixes(parse(read).tree)
    except (PatternError, RecursionError):
        return None
    # If a match may begin anywhere, one may always follow.
    return None if found.unbounded else found


_BYTE = "(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])"

_FORMATS = {
    "date": r"^[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])$",
    "uuid": r"^[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$",
    "ipv4": rf"^(?:{_BYTE}\.){{3}}{_BYTE}$",
    "time": r"^[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?(?:[zZ]|[-+][0-9]{2}:[0-9]{2})$",
    "date-time": (
        r"^[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])[tT ]"
        r"[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?(?:[zZ]|[-+][0-9]{2}:[0-9]{2})$"
    ),
}
"""A pattern for the beginnings of a format, and a text that the format does not allow."""


def of_pattern(pattern: str) -> Early | None:
    """Return what judges the beginnings of `pattern`, if there is anything to judge."""
    return Early(pattern) if "^" in pattern else None


def of_patterns(patterns: tuple[str, ...]) -> Early | None:
    """Return what judges the beginnings of any of the patterns, if all of them can be judged."""
    return Early(*patterns) if all("^" in each for each in patterns) else None


def of_format(name: object, check: Callable[[str], bool]) -> Early | None:
    """Return the same for a format with a regular language, if `check` asserts it."""
    pattern = _FORMATS.get(name) if isinstance(name, str) else None
    return Early(pattern) if pattern and not check("!") else None


@lru_cache(maxsize=4_096)
def _matches(fragment: str, char: str) -> bool:
    return _compiled(fragment).fullmatch(char) is not None


@lru_cache(maxsize=1_024)
def _compiled(fragment: str) -> regex.Pattern[str]:
    return regex.compile(fragment, regex.V0)
