"""Patterns as trees: printed as regex text for the engine, walked thread by thread here.

A thread is what remains to be matched; the threads of one start are in `regex`'s order of
preference. Nothing is compiled, merged or cached across starts: slow and plain.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TypeAlias

import regex

END = ""  # the next character at the channel's end
UNKNOWN = None  # the next character has not arrived


@dataclass(frozen=True, eq=False)
class Char:
    """One character: a literal or a class, as regex text."""

    text: str


@dataclass(frozen=True, eq=False)
class Edge:
    r"""An assertion about the two neighbours: one of ^ \A $ \Z \b \B."""

    text: str


@dataclass(frozen=True, eq=False)
class Look:
    """An assertion about one neighbour."""

    char: Char
    ahead: bool
    negated: bool


@dataclass(frozen=True, eq=False)
class Seq:
    """A sequence: one part after the other."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, eq=False)
class Alt:
    """An alternation: the first branch that leads to a match counts."""

    branches: tuple[Node, ...]


@dataclass(frozen=True, eq=False)
class Repeat:
    """A body, never empty, from `least` to `most` times."""

    body: Node
    least: int
    most: int | None
    lazy: bool = False


@dataclass(frozen=True, eq=False)
class Capture:
    """A group."""

    body: Node
    name: str | None = None


Node: TypeAlias = Char | Edge | Look | Seq | Alt | Repeat | Capture


@dataclass(frozen=True, eq=False)
class Again:
    """What remains of a repeat after `done` rounds."""

    repeat: Repeat
    done: int

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Again) and (self.repeat, self.done) == (other.repeat, other.done)

    def __hash__(self) -> int:
        return hash((id(self.repeat), self.done))


@dataclass(frozen=True)
class Close:
    """The end of a group."""

    name: str | None


Rest: TypeAlias = "tuple[Node | Again | Close, Rest] | None"


@dataclass(frozen=True)
class Thread:
    """What remains to be matched, and the captures of the masked group so far."""

    rest: Rest
    opened: int | None = None
    captures: tuple[tuple[int, int], ...] = ()

    @property
    def claim(self) -> int | None:
        """Where its masked group first opened; None if it has not."""
        return self.captures[0][0] if self.captures else self.opened

    def holds_from(self, hold: int) -> bool:
        """Whether its masked group opened at `hold` or before."""
        return self.claim is not None and self.claim <= hold


@dataclass(frozen=True)
class Matched:
    """A full match that ends here."""

    captures: tuple[tuple[int, int], ...]

    def holds_from(self, hold: int) -> bool:
        """Whether its masked group opened at `hold` or before."""
        return bool(self.captures) and self.captures[0][0] <= hold


@dataclass(frozen=True, eq=False)
class Tree:
    """A whole pattern."""

    root: Node
    ignore_case: bool = False
    group: str | int | None = None
    alphabet: str = ""
    repeats_group: bool = False
    hopes: dict[tuple[Rest, str | None], bool] = field(default_factory=dict)

    @property
    def text(self) -> str:
        return ("(?i)" if self.ignore_case else "") + spelled(self.root)

    def first(self) -> Thread:
        return Thread((self.root, None))

    def waiting(self, thread: Thread, before: str, at: int) -> Iterator[Thread | Matched]:
        """What the thread becomes at `at`, before the next character is known."""
        yield from self._walk(thread, before, UNKNOWN, at)

    def after(self, thread: Thread, before: str, char: str, at: int) -> Iterator[Thread | Matched]:
        """What the thread becomes when `char` follows: matches, which end before it, at `at`, and
        threads that have consumed it."""
        for item in self._walk(thread, before, char, at):
            if isinstance(item, Matched):
                yield item
            elif char != END and item.rest is not None:
                head, rest = item.rest
                assert isinstance(head, Char)
                if is_one(head.text, self.ignore_case, char):
                    yield Thread(rest, item.opened, item.captures)

    def has_hope(self, thread: Thread, before: str) -> bool:
        """Whether some continuation completes the thread."""
        key = (thread.rest, before)
        if key not in self.hopes:
            self.hopes[key] = self._search_hope(thread, before)
        return self.hopes[key]

    @property
    def has_dead_ends(self) -> bool:
        """Whether a thread was met that no continuation completes, as in `a(?=b)c`."""
        return not all(self.hopes.values())

    def _search_hope(self, thread: Thread, before: str) -> bool:
        start = (thread.rest, before)
        came_from: dict[tuple[Rest, str], tuple[Rest, str] | None] = {start: None}
        todo = [start]
        while todo:
            here = todo.pop()
            for char in (*self.alphabet, END):
                for item in self.after(Thread(here[0]), here[1], char, 0):
                    reached = None if isinstance(item, Matched) else (item.rest, char)
                    if reached is None or reached[0] is None or self.hopes.get(reached):
                        self._note_hope(came_from, here)
                        return True
                    if reached not in came_from:
                        came_from[reached] = here
                        if reached not in self.hopes:
                            todo.append(reached)
        self.hopes.update(dict.fromkeys(came_from, False))
        return False

    def _note_hope(
        self,
        came_from: dict[tuple[Rest, str], tuple[Rest, str] | None],
        last: tuple[Rest, str] | None,
    ) -> None:
        while last is not None:
            self.hopes[last] = True
            last = came_from[last]

    def _walk(
        self, thread: Thread, before: str, char: str | None, at: int
    ) -> Iterator[Thread | Matched]:
        if thread.rest is None:
            yield Matched(thread.captures)
            return
        head, rest = thread.rest
        if isinstance(head, Char) or (char is UNKNOWN and _looks_ahead(head)):
            yield thread
        elif isinstance(head, Edge | Look):
            if self._holds(head, before, char):
                step = Thread(rest, thread.opened, thread.captures)
                yield from self._walk(step, before, char, at)
        elif isinstance(head, Close):
            opened = at if thread.opened is None else thread.opened
            span = () if opened == at else ((opened, at),)
            yield from self._walk(Thread(rest, None, thread.captures + span), before, char, at)
        elif isinstance(head, Capture) and self._is_masked(head):
            inside = (head.body, (Close(head.name), rest))
            yield from self._walk(Thread(inside, at, thread.captures), before, char, at)
        else:
            for option in _options(head, rest):
                step = Thread(option, thread.opened, thread.captures)
                yield from self._walk(step, before, char, at)

    def _is_masked(self, capture: Capture) -> bool:
        if self.group is None:
            return False
        return capture.name == self.group if isinstance(self.group, str) else True

    def _holds(self, head: Edge | Look, before: str, char: str | None) -> bool:
        if isinstance(head, Edge):
            return _edge_holds(head.text, before, char)
        neighbour = char if head.ahead else before
        return (bool(neighbour) and is_one(head.char.text, self.ignore_case, neighbour or "")) != (
            head.negated
        )


def _looks_ahead(head: Node | Again | Close) -> bool:
    if isinstance(head, Edge):
        return head.text not in ("^", r"\A")
    return isinstance(head, Look) and head.ahead


def _edge_holds(text: str, before: str, char: str | None) -> bool:
    if text in ("^", r"\A"):
        return before == ""
    if text in ("$", r"\Z"):
        return char == END
    differs = _is_wordlike(before) != _is_wordlike(char or "")
    return differs == (text == r"\b")


def _is_wordlike(char: str) -> bool:
    return bool(char) and is_one(r"\w", False, char)


def _options(head: Node | Again | Close, rest: Rest) -> Iterator[Rest]:
    if isinstance(head, Seq):
        for part in reversed(head.parts):
            rest = (part, rest)
        yield rest
    elif isinstance(head, Alt):
        for branch in head.branches:
            yield (branch, rest)
    elif isinstance(head, Capture):
        yield (head.body, rest)
    elif isinstance(head, Repeat):
        yield (Again(head, 0), rest)
    elif isinstance(head, Again):
        yield from _rounds(head, rest)


def _rounds(again: Again, rest: Rest) -> Iterator[Rest]:
    repeat, done = again.repeat, again.done
    cap = repeat.least if repeat.most is None else repeat.most
    more = (repeat.body, (Again(repeat, min(done + 1, cap)), rest))
    if done < repeat.least:
        yield more
    elif repeat.most is not None and done >= repeat.most:
        yield rest
    elif repeat.lazy:
        yield rest
        yield more
    else:
        yield more
        yield rest


@lru_cache(maxsize=100_000)
def is_one(text: str, ignore_case: bool, char: str) -> bool:
    """Whether one character matches a literal or a class."""
    flags = regex.IGNORECASE if ignore_case else 0
    return regex.fullmatch(text, char, flags=flags) is not None


def can_be_empty(node: Node) -> bool:
    """Whether a node can match without a character."""
    match node:
        case Char():
            return False
        case Edge() | Look():
            return True
        case Seq(parts):
            return all(map(can_be_empty, parts))
        case Alt(branches):
            return any(map(can_be_empty, branches))
        case Repeat(body, least):
            return least == 0 or can_be_empty(body)
        case Capture(body):
            return can_be_empty(body)


def spelled(node: Node) -> str:
    """The node as regex text."""
    match node:
        case Char(text) | Edge(text):
            return text
        case Look(char, ahead, negated):
            return f"(?{'' if ahead else '<'}{'!' if negated else '='}{char.text})"
        case Seq(parts):
            return "".join(
                f"(?:{spelled(part)})" if isinstance(part, Alt) else spelled(part) for part in parts
            )
        case Alt(branches):
            return "|".join(map(spelled, branches))
        case Capture(body, name):
            return f"({'' if name is None else f'?P<{name}>'}{spelled(body)})"
        case Repeat(body, least, most, lazy):
            inner = spelled(body) if isinstance(body, Char | Capture) else f"(?:{spelled(body)})"
            return inner + _counts(least, most) + ("?" if lazy else "")


def _counts(least: int, most: int | None) -> str:
    short = {(0, None): "*", (1, None): "+", (0, 1): "?"}.get((least, most))
    if short is not None:
        return short
    if least == most:
        return f"{{{least}}}"
    return f"{{{least},{'' if most is None else most}}}"
