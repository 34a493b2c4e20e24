"""Readings of a text in which unseen characters are passed over.

Each run of unseen characters may be passed over, or be read as a boundary. A search for patterns
reads all of them as they are; before a run it is forked, and the fork passes that run over. The
forks are forked in turn, so that a pattern is found however each run is taken: `blue\0bird` is
found in `a\0blue\0bird\0next`. Forks that come to the same state are one. Once no candidate lives
that began before the run, a fork is in the same state as its search. Then it rests: it reads on
only if a match settles that may look back at the run, and is dropped once no match can.

Control functions of terminals, such as the one that sets a colour, are read in more ways: as text
after an unseen character, which is how a browser shows them, and as a whole like an unseen
character. For the latter there are forks of the searches for words, too, which read other unseen
characters by themselves.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple, TypeAlias

from guardstream.scan.match import Match, Scan, Window
from guardstream.scan.regex.forms import AnyStepper
from guardstream.scan.regex.scan import PatternScan
from guardstream.scan.unseen import Part
from guardstream.scan.words.forms import AnyWordStepper
from guardstream.scan.words.scan import WordScan

MAX_READINGS = 16
"""How many forks of one search go on beyond the run that made them. Further ones are dropped: where
so many readings live, unseen characters stand in one word after the other, and it is what remains
if all are passed over that a reader sees."""


BOUNDARY = "\x0b"
"""What forks read an unseen character as that they do not pass over: white space that no pattern
names, and that ends no line."""

_Forked: TypeAlias = PatternScan | WordScan


class Way(NamedTuple):
    """How a fork takes a run of unseen characters: as nothing, or as a boundary; and whether it
    takes the control function that begins with the run as a whole, or only that."""

    passes: bool
    whole: bool = False


_WAYS = Way(True), Way(False)
_WHOLE = Way(True, whole=True), Way(False, whole=True)


def forks(
    scans: Iterable[Scan],
    rules: Collection[int],
    window: Window,
    known: Sequence[Fork],
    run: Part,
) -> Iterator[Fork]:
    """Fork the searches for these rules, and their `known` forks, before a run of unseen
    characters: the new ones take it as the others do not.

    A search itself reads the run as it is. Of its forks, one in the same state needs no other of
    its kind: these would differ only in how they look back.
    """
    begins = run.place == "begin"
    for scan in scans:
        if isinstance(scan, PatternScan):
            for way in (*_WAYS, *(_WHOLE if begins else ())):
                yield from _forked(scan, rules, window, way)
        elif isinstance(scan, WordScan) and begins:
            yield from _forked(scan, rules, window, _WHOLE[1])
    for fork in known:
        yield from fork.taking(rules, begins=begins)


def _forked(scan: _Forked, rules: Collection[int], window: Window, way: Way) -> Iterator[Fork]:
    inner = scan.fork(rules)
    if inner is not None:
        own = Window()
        own.base = window.base
        own.text = window.text[: inner.offset - window.base]
        steps = _Steps(inner.steps, own, _Offsets(inner.offset), way)
        yield Fork(scan, inner, steps, scan)


def few(forks: Iterable[Fork]) -> list[Fork]:
    """The forks without those that are in the same state as one before them, and without the last
    of too many."""
    kept: list[Fork] = []
    for fork in forks:
        others = [each for each in kept if each.of is fork.of]
        if len(others) < MAX_READINGS and not any(map(fork.is_like, others)):
            kept.append(fork)
    return kept


_Mark: TypeAlias = tuple[int, int, int, tuple[tuple[int, int], ...]]


class _Offsets:
    """Maps offsets in the seen text to offsets in the source, and back. Both count code points from
    the start. `read` characters of the source have been read, `seen` of the seen text."""

    __slots__ = ("_gaps", "_run", "read", "seen")

    def __init__(self, offset: int) -> None:
        self.read = self.seen = self._run = offset
        self._gaps: tuple[tuple[int, int], ...] = ()  # (offset, missing before it)

    def copy(self) -> _Offsets:
        """A copy that goes on by itself."""
        copy = _Offsets(0)
        copy.read, copy.seen, copy._run, copy._gaps = self.read, self.seen, self._run, self._gaps
        return copy

    def here(self) -> _Mark:
        """A mark of what has been read."""
        return self.read, self.seen, self._run, self._gaps

    def put(self, mark: _Mark) -> None:
        """Go back to a mark."""
        self.read, self.seen, self._run, self._gaps = mark

    def skip(self, length: int) -> None:
        """Pass over so many unseen characters."""
        self._run = self.seen
        self.read += length
        gaps = self._gaps
        if gaps and gaps[-1][0] == self.seen:
            gaps = gaps[:-1]
        self._gaps = (*gaps, (self.seen, self.read - self.seen))

    def take(self, length: int, *, unseen: bool) -> None:
        """Read so many characters, all of them unseen or none."""
        self.read += length
        self.seen += length
        if unseen:
            self._run = self.seen

    @property
    def since(self) -> int:
        """How many characters have been read since the last unseen one."""
        return self.seen - self._run

    def source(self, offset: int) -> int:
        """The offset in the source of a seen character."""
        for first, missing in reversed(self._gaps):
            if first <= offset:
                return offset + missing
        return offset

    def before(self, source: int) -> int:
        """How many of the characters before an offset in the source are seen."""
        end = self.seen
        for first, missing in reversed(self._gaps):
            if first + missing <= source:
                return min(source - missing, end)
            end = first
        return min(source, end)

    def number_anew(self) -> int:
        """Renumber the seen text so that its offsets equal the source's from here on; return by
        how many they grow."""
        more = self.read - self.seen
        self._gaps = (0, -more), *[(first + more, missing - more) for first, missing in self._gaps]
        self.seen = self.read
        self._run += more
        return more

    def forget(self, before: int) -> None:
        """Forget the offsets of characters before this one, except the last before it."""
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
    """Steps a fork, see `match.Steps`. Each text that it reads is either seen or unseen as a
    whole: `in_run` says which, and `way` how it takes the present run. If it takes a control
    function as a whole, all of that after its first character is passed over."""

    __slots__ = ("_inner", "_mark", "due", "in_run", "offsets", "way", "window")

    def __init__(
        self, inner: AnyStepper | AnyWordStepper, window: Window, offsets: _Offsets, way: Way
    ) -> None:
        self._inner = inner
        self.window = window
        self.offsets = offsets
        self._mark = offsets.here()
        self.due = False
        self.in_run = False
        self.way = way

    def run(self, text: str, begin: int, end: int) -> int:
        """See `Steps.run`."""
        self._mark = self.offsets.here()
        self.due = False
        if self.in_run and self.way.passes:
            self.offsets.skip(end - begin)
            return end
        if self.in_run:
            text = BOUNDARY * len(text)
        stop = self._inner.run(text, begin, end)
        self.due = bool(self._inner.due)
        self.offsets.take(stop - begin, unseen=self.in_run)
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
        held = self.offsets.seen - self._inner.held_back()
        return self.offsets.read if held >= self.offsets.seen else self.offsets.source(held)


class Fork:
    """A search that passes unseen characters over: a Scan whose offsets are those in the source. It
    was forked from `parent`, and for the first time from the search `of`."""

    __slots__ = ("_inner", "_steps", "of", "parent")

    def __init__(self, of: _Forked, inner: _Forked, steps: _Steps, parent: _Forked | Fork) -> None:
        self.of = of
        self.parent = parent
        self._inner = inner
        self._steps = steps

    def taking(self, rules: Collection[int], *, begins: bool) -> Iterator[Fork]:
        """Pass over the next run of unseen characters; return copies that take it in other ways.
        `begins`: a control function begins with it."""
        self._steps.way = _WAYS[0]
        of_words = isinstance(self.of, WordScan)
        ways = () if of_words or self.is_alike else _WAYS[1:]
        more = _WHOLE[of_words:] if begins else ()
        for way in (*ways, *more):
            inner = self._inner.fork(rules)
            if inner is not None:
                window, known = Window(), self._steps
                window.base, window.text = known.window.base, known.window.text
                steps = _Steps(inner.steps, window, known.offsets.copy(), way)
                yield Fork(self.of, inner, steps, self)

    def read_as(self, part: Part) -> None:
        """Say what is read next."""
        steps = self._steps
        if part.place in ("inside", "end") and steps.way.whole:
            steps.in_run, steps.way = True, Way(True, whole=part.place == "inside")
        else:
            steps.in_run = part.is_unseen and isinstance(self.of, PatternScan)

    @property
    def takes_whole(self) -> bool:
        """Whether it takes what may be a control function as a whole."""
        return self._steps.way.whole

    @property
    def steps(self) -> _Steps:
        """See `Scan.steps`."""
        return self._steps

    @property
    def is_alike(self) -> bool:
        """Whether it is in the same state as the search that it was forked from, and no candidate
        began before the last unseen character."""
        return self._is_like(self.of) and self._is_fresh

    def is_like(self, other: Fork) -> bool:
        """Whether another fork of the same search is in the same state, too."""
        return other._is_fresh and self._is_fresh and other._is_like(self._inner)

    def _is_like(self, scan: _Forked) -> bool:
        inner = self._inner
        if isinstance(scan, PatternScan):
            return isinstance(inner, PatternScan) and scan.is_alike(inner)
        return isinstance(inner, WordScan) and scan.is_alike(inner)

    @property
    def _is_fresh(self) -> bool:
        """Whether no candidate began before the last unseen character."""
        offsets = self._steps.offsets
        return not self._steps.way.whole and offsets.seen - self._inner.oldest() <= offsets.since

    def at_rest(self) -> Resting:
        """What is kept of the fork while it rests."""
        return Resting(self.of, self._steps.window, self._steps.offsets)

    def oldest(self) -> int:
        """Where the oldest candidate of the fork and its search began; no older match can come."""
        offsets, oldest = self._steps.offsets, self._inner.oldest()
        own = offsets.read if oldest >= offsets.seen else offsets.source(oldest)
        return min(own, self.of.oldest())

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
        """The offset of the last seen character up to an offset in the source."""
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
    """A fork that is in the same state as its search, and so does not read.

    `of` is that search, and `read` the offset in the source up to which it has read.
    """

    __slots__ = ("_offsets", "_window", "of", "read")

    def __init__(self, of: _Forked, window: Window, offsets: _Offsets) -> None:
        self.of = of
        self._window = window
        self._offsets = offsets
        self.read = offsets.read

    def is_over(self, offset: int) -> bool:
        """Whether neither a live candidate nor a match that begins at `offset` (in the source) or
        later can look back at an unseen character."""
        begun = min(offset, self.of.oldest())
        return self._offsets.since + begun - self.read > self.of.behind

    def woken(self, rules: Collection[int], window: Window) -> Fork | None:
        """The fork for some of the rules, as if it had read on until now; None if its search has
        none of them. `window` has the source."""
        inner = self.of.fork(rules)
        if inner is None:
            return None
        new = window.slice(self.read, inner.offset)
        self._offsets.take(len(new), unseen=False)
        self._window.parts.append(new)
        self._window.base += self._offsets.number_anew()
        steps = _Steps(inner.steps, self._window, self._offsets, _WAYS[0])
        fork = Fork(self.of, inner, steps, self.of)
        if isinstance(inner, PatternScan):
            # Or each run would leave a gap for ever. An open match may just be about to settle.
            self._offsets.forget(min(inner.needed(), inner.oldest() - 1 - inner.behind))
        return fork
