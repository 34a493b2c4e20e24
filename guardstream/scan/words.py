"""Searches a stream for any number of words: Aho-Corasick, built where the text has been.

The words need no trie: a state is the longest end of the text so far that begins some word, and a
look-up in the sorted list says whether it still does. A state also knows how far back, in source
characters, each of its letters began, so positions cost nothing while reading.

Source: A. V. Aho, M. J. Corasick, "Efficient string matching", CACM 18 (1975) 333-340.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from guardstream.scan.fold import Fold, joins_words
from guardstream.scan.match import Confirm, Match, Window

MAX_TRANSITIONS = 60_000
"""Transitions kept before the cache is flushed."""

_LAST = "\U0010ffff"


class Found(NamedTuple):
    """A word in the text: how many characters ago it began and ended, and the word as folded."""

    began: int
    ended: int
    word: str


class Shape(NamedTuple):
    """What a state is: all that later characters can ask of the text so far.

    `prefix` is the live text as folded; `ages` say for each of its letters how many source
    characters ago it began, `starts` whether a word may begin there. `joined`: the last character
    continues words. `waiting` are complete words whose end is not decided, `found` those that the
    last character has completed.
    """

    prefix: str = ""
    ages: tuple[int, ...] = ()
    starts: tuple[bool, ...] = ()
    joined: bool = False
    waiting: tuple[Found, ...] = ()
    found: tuple[Found, ...] = ()


class WordState(dict[str, "WordState"]):
    """The transitions by character; a missing one is built when it is first needed.

    `held` is how many characters ago the oldest live candidate began, 0 if none lives.
    """

    __slots__ = ("found", "held", "index", "shape")

    def __init__(self, index: WordIndex, shape: Shape) -> None:
        self.index = index
        self.shape = shape
        self.found = shape.found
        self.held = max(shape.ages[:1] + tuple(word.began for word in shape.waiting), default=0)

    def __missing__(self, character: str) -> WordState:
        state = self[character] = self.index.build(self.shape, character)
        return state


class WordIndex:
    """The words of some rules, sorted; shared between streams.

    `words` gives each word's rules. `whole`: only words that stand alone. `holds`: text waits for
    candidates. `confirm` may refuse a rule's words.
    """

    def __init__(
        self,
        words: Mapping[str, Iterable[int]],
        fold: Fold,
        *,
        whole: bool,
        holds: bool = True,
        confirm: Mapping[int, Confirm] | None = None,
    ) -> None:
        self.fold = fold
        self.whole = whole
        self.holds = holds
        self.confirm = confirm or {}
        self.rules: dict[str, tuple[int, ...]] = {}
        for word, rules in words.items():
            folded = "".join(map(fold, word))
            known = self.rules.get(folded, ())
            self.rules[folded] = tuple(sorted({*known, *rules}))
        self._words = sorted(self.rules)
        self._flushed()

    def _flushed(self) -> None:
        self._states: dict[Shape, WordState] = {}
        self._transitions = 0
        self.start = self._state(Shape())

    def scan(self) -> WordScan:
        """A search over one stream."""
        return WordScan(self)

    def beginning(self, prefix: str) -> Sequence[str]:
        """The words that begin with `prefix`, in order."""
        low = bisect_left(self._words, prefix)
        return self._words[low : bisect_left(self._words, prefix + _LAST, low)]

    def _grows(self, prefix: str) -> bool:
        """Whether some word is longer than `prefix` and begins with it."""
        low = bisect_left(self._words, prefix)
        if low < len(self._words) and self._words[low] == prefix:
            low += 1
        return low < len(self._words) and self._words[low].startswith(prefix)

    def _state(self, shape: Shape) -> WordState:
        state = self._states.get(shape)
        if state is None:
            state = self._states.setdefault(shape, WordState(self, shape))
        return state

    def without(self, state: WordState, age: int) -> WordState:
        """The state without the candidates that began `age` characters ago or before."""
        shape = state.shape
        live = [n for n, began in enumerate(shape.ages) if began < age and shape.starts[n]]
        first = next((n for n in live if self._grows(shape.prefix[n:])), len(shape.prefix))
        return self._state(
            shape._replace(
                prefix=shape.prefix[first:],
                ages=shape.ages[first:],
                starts=shape.starts[first:],
                waiting=tuple(word for word in shape.waiting if word.began < age),
            )
        )

    def build(self, shape: Shape, character: str) -> WordState:
        """The state behind `character`."""
        self._transitions += 1
        if self._transitions > MAX_TRANSITIONS:
            states = self._states
            self._flushed()
            for state in states.values():
                state.clear()
        joins = self.whole and joins_words(character)
        found = () if joins else tuple(_older(shape.waiting, ended=1))
        prefix, starts = shape.prefix, shape.starts
        ages = tuple([age + 1 for age in shape.ages])
        completed: dict[Found, None] = {}
        for letter in self.fold(character):
            prefix, ages = prefix + letter, (*ages, 1)
            starts = (*starts, not (self.whole and shape.joined))
            first = len(prefix)
            for begin in range(len(prefix) - 1, -1, -1):
                if starts[begin]:
                    suffix = prefix[begin:]
                    if suffix in self.rules:
                        completed[Found(ages[begin], 0, suffix)] = None
                    if self._grows(suffix):
                        first = begin
            prefix, ages, starts = prefix[first:], ages[first:], starts[first:]
        ended = tuple(completed)
        waiting, found = (ended, found) if self.whole else ((), found + ended)
        return self._state(Shape(prefix, ages, starts, joins, waiting, found))


def _older(words: Iterable[Found], *, ended: int) -> Iterable[Found]:
    return (Found(began + 1, ended, word) for began, _, word in words)


class WordScan:
    """One stream's search: a state and an offset."""

    __slots__ = ("_index", "_lost", "_off", "_recent", "offset", "state")

    def __init__(self, index: WordIndex) -> None:
        self._index = index
        self.state = index.start
        self.offset = 0
        self._lost = -1
        self._off: frozenset[int] = frozenset()
        self._recent = False

    def run(self, text: str, begin: int, end: int) -> int:
        """See `Scan.run`. Attention is needed where a word is complete."""
        if self._lost >= 0:
            end = begin + 1
        state, read = self.state, 0
        self._recent = False
        for character in text[begin:end]:
            state = state[character]
            read += 1
            if state.found:
                self._recent = True
                break
        self.state = state
        self.offset += read
        return begin + read

    def mark(self) -> object:
        """See `Scan.mark`."""
        return self.state, self.offset

    def rewind(self, mark: Any) -> None:
        """See `Scan.rewind`."""
        self.state, self.offset = mark
        self._recent = False

    def settle(self, window: Window) -> list[Match]:
        """See `Scan.settle`."""
        return self._matches(self.state.found, window) if self._recent else []

    def finish(self, window: Window) -> list[Match]:
        """See `Scan.finish`."""
        return self._matches(self.state.shape.waiting, window)

    def stop(self, window: Window) -> list[Match]:
        """See `Scan.stop`."""
        return []

    def _matches(self, found: Iterable[Found], window: Window) -> list[Match]:
        matches = []
        for began, ended, word in found:
            start, end = self.offset - began, self.offset - ended
            for rule in self._index.rules[word]:
                if rule in self._off:
                    continue
                confirm = self._index.confirm.get(rule)
                try:
                    if confirm is None or confirm(window.slice(start, end)):
                        matches.append(Match(rule, start, end))
                except Exception:
                    matches.append(Match(rule, start, end, failed=True))
        return matches

    def hold(self) -> int:
        """See `Scan.hold`."""
        if not self._index.holds:
            return self.offset
        hold = self.offset - self.state.held
        return self.offset if hold <= self._lost else hold

    def needed(self) -> int:
        """See `Scan.needed`."""
        return self.offset - self.state.held

    def holders(self, hold: int) -> list[int]:
        """See `Scan.holders`."""
        if self.hold() > hold or not self.state.held:
            return []
        shape, age = self.state.shape, self.offset - hold
        words = [word.word for word in shape.waiting if word.began >= age]
        for begin, began in enumerate(shape.ages):
            if began >= age and shape.starts[begin]:
                words += self._index.beginning(shape.prefix[begin:])
        rules = {rule for word in words for rule in self._index.rules[word]}
        return sorted(rules - self._off)

    def overflow(self, hold: int, *, drop: bool) -> None:
        """See `Scan.overflow`."""
        if drop:
            self.state = self._index.without(self.state, self.offset - hold)
        else:
            self._lost = hold

    def overflowing(self) -> int | None:
        """See `Scan.overflowing`."""
        if self._lost < 0:
            return None
        if self.state.held and self.offset - self.state.held <= self._lost:
            return self.offset
        ends = [
            self.offset - word.ended
            for word in self.state.found
            if self.offset - word.began <= self._lost
        ]
        self._lost = -1
        return max(ends, default=None)

    def disable(self, rule: int) -> None:
        """See `Scan.disable`."""
        self._off |= {rule}
