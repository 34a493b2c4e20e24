"""The exception that ends a walk, and the budget of its judges."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from guardstream.jsonstream.schema.nodes import Node

_SHARE = 8  # code points that judges may read for each code point of the text
_FREE = 4_096  # and how many more
_KNOWN = 10_000  # cached results of judges
_RUNS = 128  # nodes that are followed in parallel
_SPARE, _EARNED = 128, 8  # how many more at first, and how many of these each value returns


class Refused(Exception):  # noqa: N818  # caught where the document's error is made
    """No value that the schema allows can follow from `offset` on; `keyword` refused it.

    `explained` is the keyword to explain, if another one says more: that of the only remaining
    branch of a choice. `by` is the schema that contains it, if that is known.
    """

    def __init__(
        self,
        offset: int,
        keyword: str,
        path: list[str | int] | None = None,
        *,
        whole: bool = False,
        explained: str = "",
        by: Any = None,
    ) -> None:
        super().__init__(offset, keyword)
        self.offset = offset
        self.keyword = keyword
        self.explained = explained or keyword
        self.by = by
        self.whole = whole  # judged when the value was complete
        self.path = path  # to the value, if it is not the one that has begun


class Budget:
    """Keeps the judges' work linear: a judge reads a whole value, and values nest.

    The number of nodes that are followed in parallel is bounded, too.

    A value is judged as it closes while the total judging stays within eight times the text so far;
    otherwise it is left to the final verdict. This depends on the text alone.
    """

    def __init__(self, offset: int) -> None:
        self._first = offset
        self._spent = 0
        self._spare = _SPARE
        self.complete = True  # nothing was left to the final verdict
        self.known: dict[Any, Any] = {}  # results of judges, for later ones
        # The containers that they are about: `known` has their identities, so none may be freed, as
        # a member's value is when its key comes again.
        self._judged: list[Any] = []

    def runs(self) -> int:
        """Return how many nodes may be followed through the value that begins; others are dropped.

        More are allowed at first and now and then, for a large union until its branch is known.
        """
        self._spare = min(self._spare + _EARNED, _SPARE)
        return _RUNS + self._spare

    def follow(self, count: int) -> None:
        """Record that `count` nodes are followed through the value."""
        self._spare -= max(count - _RUNS, 0)

    def judge(
        self,
        node: Node,
        value: Any,
        start: int,
        end: int,
        source: Callable[[int, int], str],
    ) -> str | None:
        """Return the keyword by which `node` refuses the value at `start` to `end`, if one
        does."""
        if node.judge is None:
            return None
        self._spent += end - start
        if self._spent > _SHARE * (end - self._first) + _FREE:
            self._spent -= end - start
            self.complete = False
            return None
        if len(self.known) > _KNOWN:
            self.known.clear()
            self._judged.clear()
        if isinstance(value, dict | list):
            self._judged.append(value)
        return node.judge(value, lambda: source(start, end), self.known)
