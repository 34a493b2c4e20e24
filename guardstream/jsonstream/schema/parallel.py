"""Follows several nodes through one value, which `anyOf`, `oneOf` and `allOf` require.

Each node that applies to a value is one run, however many others need it. A run that fails also
fails those that need it: other runs, and a choice, once no other branch is left. A run that is no
longer needed ends. The value is refused at the character where the first node itself fails.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from guardstream.jsonstream.lexer import tokens as t
from guardstream.jsonstream.lexer.tokens import Token
from guardstream.jsonstream.schema import faults
from guardstream.jsonstream.schema import nodes as n
from guardstream.jsonstream.schema.nodes import ANY, FIRST, NEVER, Choice, Node
from guardstream.jsonstream.schema.prefixes import PrefixState
from guardstream.jsonstream.schema.refused import Budget, Refused

_ADDED_UP = ("type", "enum", "const", "additionalProperties")
"""The keywords whose descriptions are joined when several branches fail for the same reason."""

_FEW = 8  # runs of a number whose digits are judged


class Run:
    """A node that applies to a value, with the runs that need it and those it needs.

    `owners` are the runs and choices that its failure affects; None stands for the value itself.
    `users` counts those that have not ended. `inner` are the runs of the same value that it needs,
    `within` those of the open value inside.
    """

    __slots__ = ("inner", "node", "over", "owners", "prefix", "splits", "users", "within")

    def __init__(self, node: Node) -> None:
        self.node = node
        self.owners: list[Run | Split | None] = []
        self.users = 0
        self.over = False
        self.splits: list[Split] = []
        self.inner: list[Run] = []
        self.within: list[Run] = []
        self.prefix: PrefixState | None = None  # of the open string or key

    def serve(self, owner: Run | Split | None, *, inside: bool) -> None:
        """Add `owner` as a user, for its own value or for one `inside` it."""
        self.owners.append(owner)
        self.users += 1
        run: Run | None = owner.owner if isinstance(owner, Split) else owner
        if run is not None:
            (run.within if inside else run.inner).append(self)

    def end(self) -> None:
        """End this run, and the runs that nothing else needs."""
        self.over = True
        todo = [self]
        while todo:
            run = todo.pop()
            for each in (*run.inner, *run.within):
                each.users -= 1
                if not each.users and not each.over:
                    each.over = True
                    todo.append(each)


class Split:
    """A choice that a run depends on, and the number of its remaining branches.

    `first` and `last` are the places where branches failed, None if none has failed. `alone` says
    that a single branch failed at the last place.
    """

    __slots__ = ("alone", "choice", "first", "last", "left", "owner")

    def __init__(self, owner: Run, choice: Choice, left: int, failed: int | None) -> None:
        self.owner = owner
        self.choice = choice
        self.left = left
        self.first = self.last = failed
        self.alone = False

    def lose(self, place: int) -> None:
        """Remove one branch."""
        self.left -= 1
        self.alone = place != self.last
        self.last = place
        if self.first is None:
            self.first = place


def fail(run: Run, offset: int, keyword: str, place: int) -> None:
    """Fail a run and what needs it. Raises Refused if no way through the value remains.

    `place` is the number of the last key, value or end: branches that fail at the same place fail
    for the same reason. A branch that fails after all others is explained by itself.
    """
    explained: tuple[str, Any] = keyword, run.node.schema
    todo = [(run, keyword)]
    while todo:
        run, keyword = todo.pop()
        if run.over:
            continue
        run.end()
        for owner in run.owners:
            if owner is None:
                raise Refused(offset, keyword, explained=explained[0], by=explained[1])
            if isinstance(owner, Run):
                todo.append((owner, keyword))
                continue
            owner.lose(place)
            if owner.left:
                continue
            if not owner.alone:
                together = owner.first == place and explained[0] in _ADDED_UP
                explained = (explained[0] if together else owner.choice.keyword), None
            todo.append((owner.owner, owner.choice.keyword))


class Parallel:
    """One value under several nodes. `take` raises Refused; `done` says that the value is
    complete."""

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
        # The runs of each open container, its start, and the elements of an array so far.
        self._frames: list[tuple[list[Run], int, set[Any] | None]] = []
        self._runs: list[Run] = []  # of the scalar, or of the container that begins or ends
        self._failed: list[tuple[int, int, Run, str]] = []
        self._place = 0  # the number of keys and values that have begun
        self._begun = False
        self._few = False  # so few runs that the digits of a number are judged as they come
        self._text = ""
        self._length = 0

    def take(self, token: Token, container: Any, last: Any) -> None:
        """Follow `token`; `container` is open after it, `last` is the last complete value."""
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

    # Runs

    def _begin(self, kind: int, offset: int) -> None:
        self._place += 1
        self._runs = []
        for _, around in self._goals:
            if around:
                around.within = []
        begun: dict[int, Run] = {}
        most = self._budget.runs()
        todo: list[_Need] = [(node, owner, True) for node, owner in reversed(self._goals)]
        while todo:
            node, owner, inside = todo.pop()
            if node is ANY:
                continue
            known = begun.get(id(node))
            if known:
                known.serve(owner, inside=inside)
            elif len(begun) == most:
                self._budget.complete = False
            else:
                known = begun[id(node)] = Run(node)
                known.serve(owner, inside=inside)
                todo += reversed(self._needs(known, kind, offset))
        self._budget.follow(len(begun))
        self._settle()

    def _needs(self, run: Run, kind: int, offset: int) -> list[_Need]:
        """Return the nodes that must hold for the same value as that of `run`."""
        node = run.node
        if not node.mask >> kind & 1:
            self._fail(run, offset, "type")
            return []
        self._runs.append(run)
        needs: list[_Need] = [(each, run, False) for each in node.all_of]
        for choice in node.choices:
            branches = [each for each in choice.branches if each.allows >> kind & 1]
            failed = self._place if len(branches) < len(choice.branches) else None
            split = Split(run, choice, len(branches), failed)
            run.splits.append(split)
            if not branches:
                self._fail(run, offset, "type")
            needs += ((branch, split, False) for branch in branches)
        return needs

    def _fail(self, run: Run, offset: int, keyword: str | None) -> None:
        if keyword:
            self._failed.append((offset, len(self._failed), run, keyword))

    def _settle(self) -> None:
        """Apply failures in the order of the text, and drop the runs that they end."""
        if not self._failed:
            return
        failed, self._failed = sorted(self._failed, key=lambda each: each[:2]), []
        for offset, _, run, keyword in failed:
            fail(run, offset, keyword, self._place)
        self._runs = [run for run in self._runs if not run.over]

    def _around(self) -> list[Run]:
        """Return the runs of the open container that have not ended."""
        runs, start, seen = self._frames[-1]
        if any(run.over for run in runs):
            runs = [run for run in runs if not run.over]
            self._frames[-1] = runs, start, seen
        return runs

    def _end(self, kind: int, value: Any, start: int, last: int) -> None:
        """End the value at offset `last`: ask the judges, then the exclusive choices."""
        seen = self._frames[-1][2] if self._frames else None
        if seen is not None and any(run.node.unique for run in self._around()):
            self._unique(value, last, seen)
        for run in self._runs:
            if run.node.late >> kind & 1:
                self._ask(run, value, start, last)
        self._settle()
        for run in self._runs:
            if any(split.left > 1 and split.choice.exclusive for split in run.splits):
                self._ask(run, value, start, last)
        self._settle()
        self.done = not self._frames

    def _unique(self, item: Any, last: int, seen: set[Any]) -> None:
        key = n.canonical(item)
        for run in self._around():
            if run.node.unique and key in seen:
                self._fail(run, last, "uniqueItems")
        seen.add(key)

    def _ask(self, run: Run, value: Any, start: int, last: int) -> None:
        keyword = self._budget.judge(run.node, value, start, last + 1, self._source)
        self._fail(run, last, keyword)

    # Tokens

    def _string(self, kind: int, value: str, start: int, end: int) -> None:
        if not self._begun:
            self._begin(n.STRING, start - 1)
            self._text = ""
            self._length = 0
        self._begun = kind == t.STRING_PART
        for run in self._runs:
            if kind == t.STRING:
                fault = faults.end_fault(run.node, value, start, end, run.prefix)
            else:
                so_far, length, state = self._text, self._length, run.prefix
                fault = faults.part_fault(run.node, so_far, length, value, start, end, state)
                if run.node.prefixes and not fault:
                    prefixes = run.node.prefixes[1]
                    run.prefix, _ = prefixes.step(state, value)
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
            value_kind = n.kind_of(value)
        elif kind == t.SCALAR_PART:
            value_kind = FIRST.get(value, n.NUMBER)
        else:
            value_kind = n.NUMBER
        if not self._begun:
            self._begin(value_kind, start)
            self._few = len(self._runs) <= _FEW
        self._begun = kind == t.SCALAR_PART
        if value_kind == n.NUMBER:
            for run in self._runs:
                # With many runs, only the first character is judged, so that a number costs no
                # more.
                text = value if self._few else value[:1]
                if self._begun:
                    fault = faults.digits_fault(run.node, text, start)
                else:
                    fault = faults.number_fault(run.node, last, text, start, end)
                if fault:
                    self._fail(run, *fault)
            self._settle()
        if self._begun:
            return
        self._end(value_kind, last, start, end if value_kind == n.NUMBER else end - 1)

    def _open(self, kind: int, start: int) -> None:
        self._begin(n.OBJECT if kind == t.OPEN_OBJECT else n.ARRAY, start)
        self._frames.append((self._runs, start, set() if kind == t.OPEN_ARRAY else None))
        if kind == t.OPEN_ARRAY:
            self._goals = [
                (NEVER if run.node.max_items == 0 else run.node.item(0), run) for run in self._runs
            ]

    def _close(self, kind: int, start: int, value: Any) -> None:
        self._place += 1
        self._runs = self._around()
        _, begun, _ = self._frames.pop()
        for run in self._runs:
            self._fail(run, start, faults.close_fault(run.node, value))
        self._settle()
        self._end(n.OBJECT if kind == t.CLOSE_OBJECT else n.ARRAY, value, begun, start)

    def _comma(self, start: int, container: Any) -> None:
        for run in self._around():
            self._fail(run, start, faults.comma_fault(run.node, container, self._duplicates))
        self._settle()
        if isinstance(container, list):
            index = len(container)
            self._goals = [(run.node.item(index), run) for run in self._around()]

    def _key(self, kind: int, value: str, start: int, end: int, container: Any) -> None:
        if not self._begun:
            self._place += 1
            self._text = ""
            for run in self._around():
                run.prefix = None
        self._begun = kind == t.KEY_PART
        so_far, twice = self._text, self._duplicates
        for run in self._around():
            node, state = run.node, run.prefix
            if kind == t.KEY:
                fault = faults.key_fault(node, container, value, start, end, twice, state)
                if not fault and not node.member(value).allows:
                    fault = end - 1, node.refusing(value)
            else:
                fault = faults.key_part_fault(
                    node, container, so_far, value, start, end, twice, state
                )
            if fault:
                self._fail(run, *fault)
        self._settle()
        if kind == t.KEY:
            self._goals = [(run.node.member(value), run) for run in self._around()]
        else:
            runs = self._around()
            self._text = faults.key_so_far([run.node for run in runs], so_far, value)
            for run in runs:
                run.prefix = faults.key_state(run.node, run.prefix, so_far, value)


_Need: TypeAlias = tuple[Node, Run | Split | None, bool]
"""A node that must hold, what needs it, and whether for a value inside that one's own."""
