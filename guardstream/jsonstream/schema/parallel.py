"""Follows several nodes through one value: what `anyOf`, `oneOf` and `allOf` leave open.

Each node that applies is a run. A run that fails ends those that belong to it, and its owner: the
run that needs it, or the choice that it was a branch of, once no other branch is left. The value is
refused at the character where the first node itself fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from guardstream.jsonstream.lexer import tokens as t
from guardstream.jsonstream.lexer.tokens import Token
from guardstream.jsonstream.schema import faults
from guardstream.jsonstream.schema import nodes as n
from guardstream.jsonstream.schema.nodes import ANY, FIRST, NEVER, Choice, Node, possible
from guardstream.jsonstream.schema.refused import Budget, Refused

#: Runs in one value. Past it further nodes are left to the judge of the whole, so that schemas
#: whose branches multiply at each level cost no more.
_MOST = 128

_KINDS = {t.STRING: n.STRING, t.STRING_PART: n.STRING, t.INTEGER: n.NUMBER, t.FLOAT: n.NUMBER}
_KINDS |= {t.OPEN_OBJECT: n.OBJECT, t.OPEN_ARRAY: n.ARRAY}
_LITERALS = {True: n.TRUE, False: n.FALSE, None: n.NULL}


class Run:
    """A node that applies to the value, and whom its failing concerns."""

    __slots__ = ("dead", "node", "owner", "splits")

    def __init__(self, node: Node, owner: Run | Split | None) -> None:
        self.node = node
        self.owner = owner
        self.dead = False
        self.splits: list[Split] = []

    def alive(self) -> bool:
        """Whether neither the run nor one that it belongs to has failed."""
        run: Run | Split | None = self
        while run is not None:
            if isinstance(run, Run) and run.dead:
                return False
            run = run.owner
        return True

    def fail(self, offset: int, keyword: str) -> None:
        """End the run. Raises Refused where that leaves the first run without a way."""
        if self.dead:
            return
        self.dead = True
        if self.owner is None:
            raise Refused(offset, keyword)
        if isinstance(self.owner, Run):
            self.owner.fail(offset, keyword)
        else:
            self.owner.lose(offset)


class Split:
    """A choice that a run depends on, and how many of its branches are left."""

    __slots__ = ("choice", "left", "owner")

    def __init__(self, owner: Run, choice: Choice, left: int) -> None:
        self.owner = owner
        self.choice = choice
        self.left = left

    def lose(self, offset: int) -> None:
        """Count a branch that failed; the last one takes the owner with it."""
        self.left -= 1
        if not self.left:
            self.owner.fail(offset, "oneOf" if self.choice.exclusive else "anyOf")


class Parallel:
    """One value under several nodes. `take` raises Refused; `done` says that the value is over."""

    def __init__(
        self,
        root: Node,
        budget: Budget,
        source: Callable[[int, int], str],
        duplicates: bool,
    ) -> None:
        self.done = False
        self._budget = budget
        self._source = source
        self._duplicates = duplicates
        self._goals: list[tuple[Node, Run | None]] = [(root, None)]  # of the next value
        self._frames: list[tuple[list[Run], int]] = []  # of each open container, and its start
        self._runs: list[Run] = []  # of the scalar, or the container that begins or ends
        self._failed: list[tuple[int, int, Run, str]] = []
        self._seen: dict[int, set[Any]] = {}  # the elements of open arrays, by their depth
        self._begun = False
        self._text = ""
        self._length = 0

    def take(self, token: Token, container: Any, last: Any) -> None:
        """Follow `token`; `container` is open after it, `last` the value that ended last."""
        kind, value, start, end = token
        if kind in (t.KEY, t.KEY_PART):
            self._key(kind, value, start, end, container)
        elif kind == t.COMMA:
            self._comma(start, container)
        elif kind in (t.OPEN_OBJECT, t.OPEN_ARRAY):
            self._open(kind, start)
        elif kind in (t.CLOSE_OBJECT, t.CLOSE_ARRAY):
            self._close(kind, start, last)
        elif kind in (t.STRING, t.STRING_PART):
            self._string(kind, value, start, end)
        else:
            self._scalar(kind, value, start, end, last)

    # -- runs

    def _begin(self, kind: int, offset: int) -> None:
        self._runs = []
        for node, owner in self._goals:
            self._spawn(node, owner, kind, offset, ())
        self._settle()

    def _spawn(
        self,
        node: Node,
        owner: Run | Split | None,
        kind: int,
        offset: int,
        above: tuple[Node, ...],
    ) -> None:
        if node is ANY or node in above or len(self._runs) >= _MOST:
            return
        run = Run(node, owner)
        if not node.mask >> kind & 1:
            self._fail(run, offset, "type")
            return
        self._runs.append(run)
        above = (*above, node)
        for each in node.all_of:
            self._spawn(each, run, kind, offset, above)
        for choice in node.choices:
            branches = [b for b in choice.branches if possible(b, kind, frozenset())]
            split = Split(run, choice, len(branches))
            run.splits.append(split)
            if not branches:
                self._fail(run, offset, "oneOf" if choice.exclusive else "anyOf")
            for branch in branches:
                self._spawn(branch, split, kind, offset, above)

    def _fail(self, run: Run, offset: int, keyword: str | None) -> None:
        if keyword:
            self._failed.append((offset, len(self._failed), run, keyword))

    def _settle(self) -> None:
        """Let the failures happen in the order of the text, and drop the runs that they end."""
        if not self._failed:
            return
        failed, self._failed = sorted(self._failed), []
        for offset, _, run, keyword in failed:
            run.fail(offset, keyword)
        self._runs = _alive(self._runs)
        self._frames = [(_alive(runs), start) for runs, start in self._frames]

    def _end(self, kind: int, value: Any, start: int, last: int) -> None:
        """The value is over at offset `last`: ask the judges, then the exclusive choices."""
        if self._frames and any(run.node.unique for run in self._frames[-1][0]):
            self._unique(value, last)
        for run in self._runs:
            if run.node.late >> kind & 1:
                self._ask(run, run.node.late_keyword, value, start, last)
        self._settle()
        for run in self._runs:
            if any(split.choice.exclusive and split.left > 1 for split in run.splits):
                self._ask(run, "oneOf", value, start, last)
        self._settle()
        self.done = not self._frames

    def _unique(self, item: Any, last: int) -> None:
        seen = self._seen.setdefault(len(self._frames), set())
        key = n.canonical(item)
        for run in self._frames[-1][0]:
            if run.node.unique and key in seen:
                self._fail(run, last, "uniqueItems")
        seen.add(key)

    def _ask(self, run: Run, keyword: str, value: Any, start: int, last: int) -> None:
        if not self._budget.judge(run.node, value, start, last + 1, self._source):
            self._fail(run, last, keyword)

    # -- tokens

    def _string(self, kind: int, value: str, start: int, end: int) -> None:
        if not self._begun:
            self._begin(n.STRING, start - 1)
            self._text = ""
            self._length = 0
        self._begun = kind == t.STRING_PART
        for run in self._runs:
            if kind == t.STRING:
                fault = faults.end_fault(run.node, value, start, end)
            else:
                fault = faults.part_fault(run.node, self._text, self._length, value, start, end)
            if fault:
                self._fail(run, *fault)
        self._settle()
        if kind == t.STRING:
            self._end(n.STRING, value, start, end - 1)
            return
        self._length += len(value)
        if any(run.node.texts is not None for run in self._runs):
            self._text += value

    def _scalar(self, kind: int, value: Any, start: int, end: int, last: Any) -> None:
        if kind == t.LITERAL:
            value_kind = _LITERALS[value]
        elif kind == t.SCALAR_PART:
            value_kind = FIRST.get(value, n.NUMBER)
        else:
            value_kind = n.NUMBER
        if not self._begun:
            self._begin(value_kind, start)
        self._begun = kind == t.SCALAR_PART
        if self._begun:
            return
        if value_kind == n.NUMBER:
            for run in self._runs:
                self._fail(run, end, faults.number_fault(run.node, last))
            self._settle()
        self._end(value_kind, last, start, end if value_kind == n.NUMBER else end - 1)

    def _open(self, kind: int, start: int) -> None:
        self._begin(_KINDS[kind], start)
        self._frames.append((self._runs, start))
        if kind == t.OPEN_ARRAY:
            self._goals = [
                (NEVER if run.node.max_items == 0 else run.node.item(0), run) for run in self._runs
            ]

    def _close(self, kind: int, start: int, value: Any) -> None:
        self._seen.pop(len(self._frames), None)
        self._runs, begun = self._frames.pop()
        for run in self._runs:
            self._fail(run, start, faults.close_fault(run.node, value))
        self._settle()
        self._end(n.OBJECT if kind == t.CLOSE_OBJECT else n.ARRAY, value, begun, start)

    def _comma(self, start: int, container: Any) -> None:
        for run in self._frames[-1][0]:
            self._fail(run, start, faults.comma_fault(run.node, container, self._duplicates))
        self._settle()
        if isinstance(container, list):
            index = len(container)
            self._goals = [(run.node.item(index), run) for run in self._frames[-1][0]]

    def _key(self, kind: int, value: str, start: int, end: int, container: Any) -> None:
        if not self._begun:
            self._text = ""
        self._begun = kind == t.KEY_PART
        for run in self._frames[-1][0]:
            node, twice = run.node, self._duplicates
            if kind == t.KEY:
                fault = faults.key_fault(node, container, value, start, end, twice)
                if not fault and not node.member(value).mask:
                    fault = end - 1, "properties"
            else:
                fault = faults.key_part_fault(node, container, self._text, value, start, end, twice)
            if fault:
                self._fail(run, *fault)
        self._settle()
        if kind == t.KEY:
            self._goals = [(run.node.member(value), run) for run in self._frames[-1][0]]
        else:
            self._text += value


def _alive(runs: Iterable[Run]) -> list[Run]:
    return [run for run in runs if run.alive()]
