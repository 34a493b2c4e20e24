"""How a walk ends early, and how much it may ask of the judges on its way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from guardstream.jsonstream.schema.nodes import Node

_SHARE = 8
_FREE = 4_096
_KNOWN = 10_000
_RUNS, _SPARE, _EARNED = 128, 128, 8


class Refused(Exception):  # noqa: N818  # caught where the document's error is made
    """From `offset` on no value that the schema allows can follow; `keyword` refused it.

    `told` is the keyword to explain, where another says more: that of the branch which alone was
    left of a choice. `by` is the schema that it stands in, where that is known.
    """

    def __init__(
        self,
        offset: int,
        keyword: str,
        path: list[str | int] | None = None,
        *,
        whole: bool = False,
        told: str = "",
        by: Any = None,
    ) -> None:
        super().__init__(offset, keyword)
        self.offset = offset
        self.keyword = keyword
        self.told = told or keyword
        self.by = by
        self.whole = whole  # it was judged when all of it was there
        self.path = path  # to the value in question, where it is not the one that has begun


class Budget:
    """Keeps the judges' work linear: a judge reads a whole value, and values nest.

    The nodes that are followed side by side are bounded, too, so that many cost no more.

    A value is judged as it closes while all judging together stays within eight times the text so
    far; otherwise it is left to the judge of the whole. This depends on the text alone.
    """

    def __init__(self, offset: int) -> None:
        self._first = offset
        self._spent = 0
        self._spare = _SPARE
        self.complete = True  # nothing was left to the judge of the whole
        self.known: dict[Any, Any] = {}  # what judges have found, for the next

    def runs(self) -> int:
        """How many nodes may be followed through the value that begins; what is past it is not.

        There are more at first and now and then, for a large union until it is told apart.
        """
        self._spare = min(self._spare + _EARNED, _SPARE)
        return _RUNS + self._spare

    def follow(self, count: int) -> None:
        """Note that so many nodes are followed through the value."""
        self._spare -= max(count - _RUNS, 0)

    def judge(
        self,
        node: Node,
        value: Any,
        start: int,
        end: int,
        source: Callable[[int, int], str],
    ) -> bool:
        """Whether the value that stands at `start` to `end` may be valid for `node`."""
        if node.judge is None:
            return True
        self._spent += end - start
        if self._spent > _SHARE * (end - self._first) + _FREE:
            self._spent -= end - start
            self.complete = False
            return True
        if len(self.known) > _KNOWN:
            self.known.clear()
        return node.judge(value, lambda: source(start, end), self.known)
