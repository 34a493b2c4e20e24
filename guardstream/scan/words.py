"""Searches a stream for any number of words: Aho-Corasick, built where the text has been.

The words need no trie: a state is the longest end of the text so far that begins some word, and a
look-up in the sorted list says whether it still does. A state also knows how far back, in source
characters, each of its letters began, so positions cost nothing while reading.

Source: A. V. Aho, M. J. Corasick, "Efficient string matching", CACM 18 (1975) 333-340.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from guardstream.scan.fold import Fold, joins_words
from guardstream.scan.match import Confirm, Match, Window

MAX_TRANSITIONS = 60_000
"""Transitions kept before the cache is flushed."""

_LAST = "\U0010ffff"


class Found(NamedTuple):
    """A word in the text: how many characters ago it began and ended, the word as folded, and
    whether it stands alone."""

    began: int
    ended: int
    word: str
    whole: bool = False


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

    `whole` are words that must stand alone, `parts` words that may stand anywhere; both give each
    word's rules. `holds`: text waits for candidates. `confirm` may refuse a rule's words.
    """

    def __init__(
        self,
        whole: Mapping[str, Iterable[int]],
        parts: Mapping[str, Iterable[int]],
        fold: Fold,
        *,
        holds: bool = True,
        confirm: Mapping[int, Confirm] | None = None,
    ) -> None:
        self.fold = fold
        self.holds = holds
        self.confirm = confirm or {}
        self.whole = _WordList(whole, fold)
        self.parts = _WordList(parts, fold)
        self._flushed()

    def _flushed(self) -> None:
        self._states: dict[Shape, WordState] = {}
        self._transitions = 0
        self.start = self._state(Shape())

    def scan(self) -> WordScan:
        """A search over one stream."""
        return WordScan(self)

    def _grows(self, suffix: str, may_begin: bool) -> bool:
        """Whether a longer word begins with `suffix`."""
        return self.parts.grows(suffix) or (may_begin and self.whole.grows(suffix))

    def _state(self, shape: Shape) -> WordState:
        state = self._states.get(shape)
        if state is None:
            state = self._states.setdefault(shape, WordState(self, shape))
        return state

    def without(self, state: WordState, age: int) -> WordState:
        """The state without the candidates that began `age` characters ago or before."""
        shape = state.shape
        first = len(shape.prefix)
        for begin in range(len(shape.prefix) - 1, -1, -1):
            if shape.ages[begin] < age and self._grows(shape.prefix[begin:], shape.starts[begin]):
                first = begin
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
        joins = bool(self.whole) and joins_words(character)
        found = dict.fromkeys(() if joins else _older(shape.waiting))
        waiting: dict[Found, None] = {}
        prefix, starts = shape.prefix, shape.starts
        ages = tuple([age + 1 for age in shape.ages])
        for letter in self.fold(character):
            prefix, ages, starts = prefix + letter, (*ages, 1), (*starts, not shape.joined)
            first = len(prefix)
            for begin in range(len(prefix) - 1, -1, -1):
                suffix = prefix[begin:]
                word = Found(ages[begin], 0, suffix)
                if suffix in self.parts.rules:
                    found[word] = None
                if starts[begin] and suffix in self.whole.rules:
                    waiting[word._replace(whole=True)] = None
                if self._grows(suffix, starts[begin]):
                    first = begin
            prefix, ages, starts = prefix[first:], ages[first:], starts[first:]
        return self._state(Shape(prefix, ages, starts, joins, tuple(waiting), tuple(found)))


class _WordList:
    """Words as folded, sorted, with their rules."""

    def __init__(self, words: Mapping[str, Iterable[int]], fold: Fold) -> None:
        self.rules: dict[str, tuple[int, ...]] = {}
        for word, rules in words.items():
            folded = "".join(map(fold, word))
            known = self.rules.get(folded, ())
            self.rules[folded] = tuple(sorted({*known, *rules}))
        self._words = sorted(self.rules)

    def __bool__(self) -> bool:
        return bool(self._words)

    def beginning(self, prefix: str) -> Sequence[str]:
        """The words that are longer than `prefix` and begin with it, in order."""
        low = bisect_right(self._words, prefix)
        return self._words[low : bisect_left(self._words, prefix + _LAST, low)]

    def grows(self, prefix: str) -> bool:
        """Whether some word is longer than `prefix` and begins with it."""
        low = bisect_right(self._words, prefix)
        return low < len(self._words) and self._words[low].startswith(prefix)


def _older(words: Iterable[Found]) -> Iterable[Found]:
    return (Found(word.began + 1, word.ended + 1, word.word, word.whole) for word in words)


class WordScan:
    """One stream's search: a state and an offset."""

    __slots__ = (
        "_holds", "_index", "_lost", "_mark", "_off", "alert", "held", "offset", "state",
    )  # fmt: skip

    def __init__(self, index: WordIndex) -> None:
        self._index = index
        self.state = index.start
        self.offset = 0
        self._lost = -1
        self._off: frozenset[int] = frozenset()
        self.alert = False
        self.held = 0
        self._holds = index.holds
        self._mark = self.state, self.offset

    def run(self, text: str, begin: int, end: int) -> int:
        """See `Scan.run`. Attention is needed where a word is complete."""
        self._mark = state, offset = self.state, self.offset
        self.alert = self._lost >= 0
        if self.alert:
            end = begin + 1
        shift = begin - offset
        for character in text[begin:end]:
            state = state[character]
            offset += 1
            if state.found:
                self.alert = True
                break
        self.state, self.offset = state, offset
        self.held = state.held if self._holds else 0
        return offset + shift

    def rewind(self) -> None:
        """See `Scan.rewind`."""
        self.state, self.offset = self._mark

    def settle(self, window: Window) -> list[Match]:
        """See `Scan.settle`."""
        found, self.alert = self.state.found if self.alert else (), False
        return self._matches(found, window)

    def finish(self, window: Window) -> list[Match]:
        """See `Scan.finish`."""
        return self._matches(self.state.shape.waiting, window)

    def stop(self, window: Window) -> list[Match]:
        """See `Scan.stop`."""
        return []

    def _matches(self, found: Iterable[Found], window: Window) -> list[Match]:
        matches = []
        for word in found:
            start, end = self.offset - word.began, self.offset - word.ended
            words = self._index.whole if word.whole else self._index.parts
            for rule in words.rules[word.word]:
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
        if not self._holds:
            return self.offset
        hold = self.offset - self.state.held
        return self.offset if hold <= self._lost else hold

    def needed(self) -> int:
        """See `Scan.needed`."""
        return self.offset - self.state.held

    def holders(self, hold: int) -> list[int]:
        """See `Scan.holders`."""
        if self.hold() > hold or not self.state.held or not self._holds:
            return []
        shape, age = self.state.shape, self.offset - hold
        whole, parts = self._index.whole, self._index.parts
        rules: set[int] = set()
        for word in shape.waiting:
            if word.began >= age:
                rules.update(whole.rules[word.word])
        for begin, began in enumerate(shape.ages):
            if began >= age:
                suffix = shape.prefix[begin:]
                for words in (parts, whole) if shape.starts[begin] else (parts,):
                    for word in words.beginning(suffix):
                        rules.update(words.rules[word])
        return sorted(rules - self._off)

    def overflow(self, hold: int, *, drop: bool) -> None:
        """See `Scan.overflow`."""
        if self.hold() > hold or not self.state.held or not self._holds:
            return
        if drop:
            self.state = self._index.without(self.state, self.offset - hold)
        else:
            self._lost = hold

    def overflowing(self) -> bool:
        """See `Scan.overflowing`."""
        if not (self.state.held and self.offset - self.state.held <= self._lost):
            self._lost = -1
        return self._lost >= 0

    def disable(self, rule: int) -> None:
        """See `Scan.disable`."""
        self._off |= {rule}
