"""The search of one stream for words."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator

from guardstream.scan.match import Match, Window
from guardstream.scan.words.aho_corasick import Found, WordIndex, WordState
from guardstream.scan.words.forms import AnyWordStepper, stepping

_NO_RULES: frozenset[int] = frozenset()


def search_of(index: WordIndex) -> Callable[[], WordScan]:
    """What makes a search for each stream."""
    steps = stepping(index)
    return lambda: WordScan(index, steps())


class WordScan:
    """One stream's search: a state and an offset, which `steps` has."""

    __slots__ = ("_holds", "_index", "_lost", "_off", "steps")

    def __init__(self, index: WordIndex, steps: AnyWordStepper) -> None:
        self._index = index
        self.steps = steps
        self._lost = -1
        self._off = _NO_RULES
        self._holds = index.holds

    def fork(self, rules: Collection[int]) -> WordScan:  # noqa: ARG002 - words are read as a whole
        """A copy that goes on by itself."""
        fork = WordScan(self._index, self.steps.fork())
        fork._lost, fork._off = self._lost, self._off
        return fork

    def is_alike(self, fork: WordScan) -> bool:
        """Whether a fork of this search finds the same from here on, apart from offsets."""
        return self.state is fork.state and self._lost == fork._lost == -1

    def oldest(self) -> int:
        """Where the oldest candidate began; the present offset if there is none."""
        return self.offset - self.steps.held

    @property
    def behind(self) -> int:
        """How far before a word its confirmation may look back."""
        return self._index.reach

    @property
    def offset(self) -> int:
        """How many characters have been read."""
        return self.steps.offset

    @property
    def state(self) -> WordState:
        """What is known of the text so far."""
        return self.steps.state

    def watched(self) -> bool:
        """See `Scan.watched`."""
        return self._lost >= 0

    def settle(self, window: Window) -> list[Match]:
        """See `Scan.settle`."""
        if not self.steps.due:
            return []
        self.steps.take()
        return self._matches(self.state.found, window)

    def finish(self, window: Window) -> list[Match]:
        """See `Scan.finish`."""
        return self._matches(self.state.shape.waiting, window)

    def stop(self, window: Window) -> list[Match]:
        """See `Scan.stop`: a word that must stand alone waits for its end, and does not."""
        return self._matches((w for w in self.state.shape.waiting if w.is_decided), window)

    def _matches(self, found: Iterable[Found], window: Window) -> list[Match]:
        matches = []
        for word in found:
            start, end = self.offset - word.began, self.offset - word.ended
            for rule in self._index.rules_of(word):
                if rule in self._off:
                    continue
                confirm = self._index.confirm.get(rule)
                try:
                    if confirm is None or confirm.judge(
                        window.slice(start, end), window.slice(start - confirm.reach, start)
                    ):
                        matches.append(Match(rule, start, end))
                except MemoryError:
                    raise  # no failure of the rule
                except Exception:
                    hold = start if self._holds else self.offset
                    matches.append(Match(rule, hold, max(hold, end), failed=True))
        return matches

    def hold(self) -> int:
        """See `Scan.hold`."""
        if not self._holds:
            return self.steps.offset
        offset = self.steps.offset
        hold = offset - self._held()
        return offset if hold <= self._lost else hold

    def _held(self) -> int:
        """How many characters ago the oldest live candidate began of a rule that is not disabled, 0
        if none lives."""
        held = self.steps.held
        if not (held and self._off):
            return held
        living = (began for began, of in self._candidates() if not self._off.issuperset(of))
        return max(living, default=0)

    def _candidates(self, age: int = 0) -> Iterator[tuple[int, Iterable[int]]]:
        """How many characters ago each live candidate began that is as old as `age`, and the rules
        of a word that it may become."""
        shape = self.state.shape
        whole, parts = self._index.whole, self._index.parts
        for word in shape.waiting:
            if word.began >= age:
                yield word.began, (whole if word.whole else parts).of(word.word)
        for begin, began in enumerate(shape.ages):
            if began < age:
                continue
            suffix, counts = shape.prefix[begin:], shape.counts[begin:]
            for words in (parts, whole) if shape.starts[begin] else (parts,):
                for rules in words.going_on(suffix, counts):
                    yield began, rules

    def needed(self) -> int:
        """See `Scan.needed`."""
        return self.steps.offset - self.steps.held - self._index.reach

    def holders(self, hold: int) -> list[int]:
        """See `Scan.holders`."""
        if self.hold() > hold or not self.state.held or not self._holds:
            return []
        age = self.offset - hold
        rules = {rule for _, of in self._candidates(age) for rule in of}
        return sorted(rules - self._off)

    def overflow(self, hold: int, window: Window, *, drop: bool) -> None:  # noqa: ARG002
        """See `Scan.overflow`."""
        if self.hold() > hold or not self.state.held or not self._holds:
            return
        if drop:
            self.steps.put(self._index.without(self.state, self.offset - hold))
        else:
            self._lost = hold

    def prune(self, upto: int, window: Window) -> None:
        """See `Scan.prune`: of words all is known."""

    def wrote(self, upto: int, window: Window) -> None:
        """See `Scan.wrote`: a word is masked as a whole."""

    def overflowing(self, window: Window) -> bool:  # noqa: ARG002
        """See `Scan.overflowing`."""
        if self._lost >= 0:
            held = self._held()
            if not (held and self.steps.offset - held <= self._lost):
                self._lost = -1
        return self._lost >= 0

    def disable(self, rule: int) -> None:
        """See `Scan.disable`."""
        self._off |= {rule}
