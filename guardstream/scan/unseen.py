"""Searches that read on as if characters that are not seen were not there.

Where such a character comes, a search for patterns is forked: the one reads it as any other, and
the fork does without it. So a pattern is found in the text as it is, and in what is seen of it.
Once no candidate lives that began before the character, both stand alike. Then the fork rests: it
reads on only if a match is settled that may look back at the character, and is dropped where none
can any more.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from typing import TypeAlias

from guardstream.scan.match import Match, Scan, Window
from guardstream.scan.regex.forms import AnyStepper
from guardstream.scan.regex.scan import PatternScan
from guardstream.scan.words.normalize import unseen


def apart(text: str) -> Iterator[tuple[bool, str]]:
    """The parts of a text that are seen and those that are not, in turn: whether each is unseen."""
    at = 0
    for found in re.finditer(f"{unseen().pattern}+", text):
        if at < found.start():
            yield False, text[at : found.start()]
        yield True, found[0]
        at = found.end()
    if at < len(text):
        yield False, text[at:]


def forks(
    scans: Iterable[Scan], rules: Collection[int], window: Window, known: Iterable[Fork]
) -> Iterator[Fork]:
    """Forks of the searches for some rules' patterns, but for those that are known, before a
    character that is not seen."""
    forked = {id(fork.of) for fork in known}
    for scan in scans:
        if isinstance(scan, PatternScan) and id(scan) not in forked:
            fork = scan.fork(rules)
            if fork is not None:
                own = Window()
                own.base = window.base
                own.text = window.text[: fork.offset - window.base]
                yield Fork(scan, fork, _Steps(fork.steps, own, _Offsets(fork.offset)))


_Mark: TypeAlias = tuple[int, int, tuple[tuple[int, int], ...]]


class _Offsets:
    """Where what is seen stands in the source: offsets of both count code points from the start."""

    __slots__ = ("_gaps", "read", "seen")

    def __init__(self, offset: int) -> None:
        self.read = self.seen = offset
        self._gaps: tuple[tuple[int, int], ...] = ()  # from where so many are missing in all

    def here(self) -> _Mark:
        """What has been read."""
        return self.read, self.seen, self._gaps

    def put(self, mark: _Mark) -> None:
        """Go back to where one was."""
        self.read, self.seen, self._gaps = mark

    def skip(self, length: int) -> None:
        """Read characters that are not seen."""
        self.read += length
        gaps = self._gaps
        if gaps and gaps[-1][0] == self.seen:
            gaps = gaps[:-1]
        self._gaps = (*gaps, (self.seen, self.read - self.seen))

    def take(self, length: int) -> None:
        """Read characters that are seen."""
        self.read += length
        self.seen += length

    @property
    def since(self) -> int:
        """How many characters have been read since the last that is not seen."""
        return self.seen - self._gaps[-1][0] if self._gaps else self.seen

    def source(self, offset: int) -> int:
        """Where a character that is seen stands in the source."""
        for first, missing in reversed(self._gaps):
            if first <= offset:
                return offset + missing
        return offset

    def before(self, source: int) -> int:
        """How many of the characters before an offset of the source are seen."""
        end = self.seen
        for first, missing in reversed(self._gaps):
            if first + missing <= source:
                return min(source - missing, end)
            end = first
        return min(source, end)

    def number_anew(self) -> int:
        """Count what is seen so that it has the offsets of the source here; return how many more
        that are."""
        more = self.read - self.seen
        self._gaps = (0, -more), *[(first + more, missing - more) for first, missing in self._gaps]
        self.seen = self.read
        return more

    def forget(self, before: int) -> None:
        """Forget where the characters before an offset stand, but for the one before it."""
        gaps = self._gaps
        while len(gaps) > 1 and gaps[1][0] < before:
            gaps = gaps[1:]
        self._gaps = gaps

    def match(self, found: Match) -> Match:
        """A match as it stands in the source."""
        start = self.source(found.start)
        end = self.source(found.end - 1) + 1 if found.end > found.start else start
        began = None if found.began is None else self.source(found.began)
        start = min(start, end)
        return found._replace(start=start, end=end, began=began)


class _Steps:
    """What steps a fork, see `match.Steps`: a text is read that is seen as a whole, or not at
    all."""

    __slots__ = ("_inner", "_mark", "due", "offsets", "window")

    def __init__(self, inner: AnyStepper, window: Window, offsets: _Offsets) -> None:
        self._inner = inner
        self.window = window
        self.offsets = offsets
        self._mark = offsets.here()
        self.due = False

    def run(self, text: str, begin: int, end: int) -> int:
        """See `Steps.run`."""
        self._mark = self.offsets.here()
        self.due = False
        if begin < end and unseen().match(text, begin):
            self.offsets.skip(end - begin)
            return end
        stop = self._inner.run(text, begin, end)
        self.due = bool(self._inner.due)
        self.offsets.take(stop - begin)
        self.window.parts.append(text[begin:stop])
        return stop

    def unread(self) -> None:
        """See `Steps.unread`."""
        seen = self.offsets.seen
        self.offsets.put(self._mark)
        if self.offsets.seen < seen:
            self._inner.unread()
            self.window.text = self.window.text[: self.offsets.seen - seen]
        self.due = False

    def held_back(self) -> int:
        """See `Steps.held_back`."""
        return self.offsets.read - self.hold()

    def hold(self) -> int:
        """Where the oldest hold-back begins in the source."""
        held = self._inner.held()
        return self.offsets.read if held >= self.offsets.seen else self.offsets.source(held)


class Fork:
    """One search that does without what is not seen; a Scan, of offsets in the source."""

    __slots__ = ("_inner", "_steps", "of")

    def __init__(self, of: PatternScan, inner: PatternScan, steps: _Steps) -> None:
        self.of = of
        self._inner = inner
        self._steps = steps

    @property
    def steps(self) -> _Steps:
        """See `Scan.steps`."""
        return self._steps

    @property
    def is_alike(self) -> bool:
        """Whether it stands as the search does that it is a fork of: no candidate began before the
        last character that is not seen."""
        if not self.of.is_alike(self._inner):
            return False
        offsets = self._steps.offsets
        return offsets.seen - self._inner.steps.oldest() <= offsets.since

    def at_rest(self) -> Resting:
        """What is kept of it while it stands alike."""
        return Resting(self.of, self._steps.window, self._steps.offsets)

    def oldest(self) -> int:
        """Where the oldest candidate of both began: nothing older is found any more."""
        offsets, oldest = self._steps.offsets, self._inner.steps.oldest()
        own = offsets.read if oldest >= offsets.seen else offsets.source(oldest)
        return min(own, self.of.steps.oldest())

    def watched(self) -> bool:
        """See `Scan.watched`."""
        return self._inner.watched()

    def settle(self, window: Window) -> list[Match]:  # noqa: ARG002
        """See `Scan.settle`."""
        return self._placed(self._inner.settle(self._steps.window))

    def stop(self, window: Window) -> list[Match]:  # noqa: ARG002
        """See `Scan.stop`."""
        return self._placed(self._inner.stop(self._steps.window))

    def finish(self, window: Window) -> list[Match]:  # noqa: ARG002
        """See `Scan.finish`."""
        return self._placed(self._inner.finish(self._steps.window))

    def _placed(self, found: Iterable[Match]) -> list[Match]:
        return [self._steps.offsets.match(match) for match in found]

    def hold(self) -> int:
        """See `Scan.hold`."""
        return self._steps.hold()

    def needed(self) -> int:
        """See `Scan.needed`: it keeps a window of its own."""
        needed = self._inner.needed()
        self._steps.window.forget(needed)
        self._steps.offsets.forget(needed)
        return self._steps.offsets.read

    def holders(self, hold: int) -> list[int]:
        """See `Scan.holders`."""
        return self._inner.holders(self._last(hold))

    def overflow(self, hold: int, window: Window, *, drop: bool) -> None:  # noqa: ARG002
        """See `Scan.overflow`."""
        self._inner.overflow(self._last(hold), self._steps.window, drop=drop)

    def _last(self, source: int) -> int:
        """The last character that is seen up to an offset of the source."""
        return self._steps.offsets.before(source + 1) - 1

    def prune(self, upto: int, window: Window) -> None:  # noqa: ARG002
        """See `Scan.prune`."""
        self._inner.prune(self._last(upto), self._steps.window)

    def wrote(self, upto: int, window: Window) -> None:  # noqa: ARG002
        """See `Scan.wrote`."""
        self._inner.wrote(self._steps.offsets.before(upto), self._steps.window)

    def overflowing(self, window: Window) -> bool:  # noqa: ARG002
        """See `Scan.overflowing`."""
        return self._inner.overflowing(self._steps.window)

    def disable(self, rule: int) -> None:
        """See `Scan.disable`."""
        self._inner.disable(rule)


class Resting:
    """A fork that stands as the search does that it is a fork of, and need not read.

    `read` is the offset in the source up to which it has read.
    """

    __slots__ = ("_of", "_offsets", "_window", "read")

    def __init__(self, of: PatternScan, window: Window, offsets: _Offsets) -> None:
        self._of = of
        self._window = window
        self._offsets = offsets
        self.read = offsets.read

    def is_over(self, offset: int) -> bool:
        """Whether no match can look back at what is not seen, of those that have begun before an
        offset in the source or begin there."""
        begun = min(offset, self._of.oldest())
        return self._offsets.since + begun - self.read > self._of.scope.behind

    def woken(self, rules: Collection[int], window: Window) -> Fork | None:
        """The fork for some rules, as it would stand if it had read what has come since; `window`
        has the source."""
        inner = self._of.fork(rules)
        if inner is None:
            return None
        new = window.slice(self.read, inner.offset)
        self._offsets.take(len(new))
        self._window.parts.append(new)
        self._window.base += self._offsets.number_anew()
        return Fork(self._of, inner, _Steps(inner.steps, self._window, self._offsets))
