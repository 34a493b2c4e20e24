"""Maps offsets of a text to offsets of the source that it was made from."""

from __future__ import annotations

from bisect import bisect_right


class Origins:
    """The source position of each character of a text that begins at `made`, its source at
    `source`.

    Characters stand for themselves, except in edits.
    """

    def __init__(self, made: int, source: int) -> None:
        self._made = [made]  # where the text of each edit begins
        self._ends = [made]  # where it ends
        self._from = [source]  # and the source that it stands for
        self._to = [source]

    @property
    def count(self) -> int:
        """How many edits there are."""
        return len(self._made)

    def add(self, made: tuple[int, int], source: tuple[int, int]) -> None:
        """Record that some text stands for other text."""
        self._made.append(made[0])
        self._ends.append(made[1])
        self._from.append(source[0])
        self._to.append(source[1])

    def forget(self, count: int) -> None:
        """Drop all edits except the first `count`."""
        for each in (self._made, self._ends, self._from, self._to):
            del each[count:]

    def end_at(self, offset: int) -> None:
        """Drop the edits after an offset, where the text ends."""
        self.forget(max(bisect_right(self._made, offset), 1))

    def start(self, offset: int) -> int:
        """Return where the character at `offset` began."""
        at = bisect_right(self._made, offset) - 1
        past = offset - self._ends[at]
        return self._from[at] if past < 0 else self._to[at] + past

    def end(self, offset: int) -> int:
        """Return where the character before `offset` ended."""
        if offset == self._made[0]:
            return self._from[0]
        # What was dropped after that character does not belong to it.
        at = bisect_right(self._made, offset - 1) - 1
        return self._to[at] + max(offset - self._ends[at], 0)
