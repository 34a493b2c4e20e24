"""Searches a stream for any number of words: Aho-Corasick, built lazily.

The words need no trie: a state is the longest suffix of the text so far that begins some word, and
a look-up in the sorted list says whether it still does. A state also knows how far back, in source
characters, each of its letters began, so positions cost nothing while reading.

Source: A. V. Aho, M. J. Corasick, "Efficient string matching", CACM 18 (1975) 333-340.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

from guardstream.scan.building import build_lock, building
from guardstream.scan.match import Confirm
from guardstream.scan.pages import ENDS, SIZE, Pages, Row, changes, told_apart
from guardstream.scan.unseen import SPACES, negates, unseen
from guardstream.scan.words.normalize import (
    JOINING,
    MAX_GAP,
    MAX_WHITE,
    PHRASE,
    WHITE,
    Between,
    Folding,
    joins_words,
    runs,
)

if TYPE_CHECKING:
    from guardstream.scan._native import WordTable

MAX_TRANSITIONS = 60_000
"""Transitions kept before the cache is flushed."""

LETTERS_KEPT = 4
"""So many letters of a state's live text weigh as much as a transition in the cache."""

MAX_CHARACTERS = 50_000
"""How many characters' classes are remembered."""

ALONE = -1
"""The class of characters that are classified one by one, when the text has them."""

MANY = SIZE // 4
"""If more characters of a page than this are ALONE, all of them are."""

TOLD = 3
"""So many first letters show that most ends of a text begin no word."""

MAX_AGE = 1 << 20
"""The largest age of a candidate that is counted; it has overflowed long before."""

MAX_COUNT = 9
"""How many repetitions of a letter are counted."""

MAX_LIVING = 63
"""The longest live text that the native form goes on with by itself."""


class Found(NamedTuple):
    """A word in the text: how many characters ago it began and ended, the word as folded, how often
    each letter occurs in a row (if repetitions are passed over), whether it must stand alone, and
    whether an unseen character after it is a boundary."""

    began: int
    ended: int
    word: str
    counts: tuple[int, ...] = ()
    whole: bool = False
    bounded: bool = False

    @property
    def is_decided(self) -> bool:
        """Whether the word stands whatever follows it."""
        return self.bounded or not self.whole


class Shape(NamedTuple):
    """What a state is: all that later characters can ask of the text so far.

    The live text is the longest end of the text that begins some word.
    """

    prefix: str = ""  # the live text, as folded
    ages: tuple[int, ...] = ()  # of each of its letters: how many source characters ago it began
    starts: tuple[bool, ...] = ()  # of each: whether a word may begin there
    joined: bool = False  # the last character continues words
    waiting: tuple[Found, ...] = ()  # complete words whose end is not decided
    found: tuple[Found, ...] = ()  # those that the last character has completed
    last: str = ""  # the last letter, where repeated ones are passed over
    gap: int = 0  # how many separators have been passed over since the last letter
    counts: tuple[int, ...] = ()  # of each letter of `prefix`: how often it stood in a row
    alone: bool = False  # the last letter stands alone so far: white space may spell out a word
    spaced: bool = False  # such white space has been passed over since the last letter
    after_space: int = 0  # how long ago it has been passed over right before the last letter, or 0
    again: int = 0  # how often that letter has stood since, if it is the one before the white space
    white: int = 0  # how many characters stand for the space at the end of the live text
    broken: bool = False  # one of them is a line break


class Living(NamedTuple):
    """A live text in which each letter was one character. `starts` has a bit for each letter, the
    first in the lowest bit; its meaning, and that of `joined`, is as in `Shape`."""

    prefix: str
    starts: int
    joined: bool

    def shape(self) -> Shape:
        """The shape in which nothing else lives."""
        count = len(self.prefix)
        starts = tuple([bool(self.starts >> letter & 1) for letter in range(count)])
        return Shape(self.prefix, tuple(range(count, 0, -1)), starts, self.joined)


class Compared(NamedTuple):
    """How the characters of a class are compared: an example, the letters that it is compared as,
    and whether it continues words."""

    character: str
    letters: str
    joins: bool


class WordState(dict[str, "WordState"]):
    """The transitions by character; a missing one is built when it is first needed.

    `held` is how many characters ago the oldest live candidate began, 0 if none lives. `certain`
    are the matches of the words found, (rule, began, ended) in characters ago; None if they
    need attention. `built` has the transitions by class of characters; `place` is kept for the
    native form.
    """

    __slots__ = ("built", "certain", "found", "held", "index", "place", "shape")

    def __init__(self, index: WordIndex, shape: Shape) -> None:
        self.index = index
        self.built: dict[int, WordState] = {}
        self.place: tuple[WordTable, int] | None = None
        self.shape = shape
        self.found = shape.found
        self.certain = index.certain(shape.found)
        self.held = max(shape.ages[:1] + tuple(word.began for word in shape.waiting), default=0)

    def __missing__(self, character: str) -> WordState:
        index = self.index
        with building(index.lock):
            index.count()
            state = self[character] = index.after(self, index.class_of(character))
        return state


class WordIndex:
    """The words of some rules, sorted; shared between streams.

    `whole` are words that must stand alone, `parts` words that may stand anywhere; both give each
    word's rules. `holds`: text waits for candidates. `confirm` may refuse a rule's words; those
    of `plain` rules need no attention.
    """

    def __init__(
        self,
        whole: Mapping[str, Iterable[int]],
        parts: Mapping[str, Iterable[int]],
        folding: Folding,
        *,
        holds: bool = True,
        confirm: Mapping[int, Confirm] | None = None,
        plain: Container[int] = (),
    ) -> None:
        self.folding = folding
        self.lock = build_lock()
        self.holds = holds
        self.confirm = confirm or {}
        self.plain = plain
        self.reach = max([confirm.reach for confirm in self.confirm.values()], default=0)
        self.whole = _WordList(whole, folding)
        self.parts = _WordList(parts, folding)
        # Whether it matters what continues words: at a word's ends, or beside a single letter.
        self._joins = bool(self.whole) or "separators" in folding.names
        self._letters = frozenset().union(*self.whole.rules, *self.parts.rules)
        self._letter_pages = {ord(letter) // SIZE for letter in self._letters}
        self._classes: dict[str, int] = {}
        self._pages = Pages(self._classes_of)
        self._numbers: dict[tuple[object, ...], int] = {}
        self._compared: list[Compared] = []
        self._flushed()

    def _flushed(self) -> None:
        self._states: dict[Shape, WordState] = {}
        self._transitions = 0
        self.start = self._state(Shape())

    def certain(self, found: Iterable[Found]) -> tuple[tuple[int, int, int], ...] | None:
        """The matches of some words, if all are of plain rules: rule, and how many characters ago
        the word began and ended."""
        matches = []
        for word in found:
            for rule in self.rules_of(word):
                if rule not in self.plain:
                    return None
                matches.append((rule, word.began, word.ended))
        return tuple(matches)

    def rules_of(self, found: Found) -> list[int]:
        """The rules of a word in the text."""
        words = self.whole if found.whole else self.parts
        return words.of(found.word, found.counts)

    @property
    def letters(self) -> int:
        """How many different letters the words have."""
        return len(self._letters)

    def class_of(self, character: str) -> int:
        """The class of a character. Characters of one class are compared alike; so all letters that
        are in no word, which end all candidates, share classes."""
        known = self._classes.get(character)
        if known is None:
            if len(self._classes) > MAX_CHARACTERS:
                self._classes.clear()
            known = self._classes[character] = self.class_row(character).answer
        return known

    def class_row(self, character: str) -> Row[int]:
        """The class of a character, and the range of neighbours that are known to share it."""
        row = self._pages.row(character)
        if row.answer == ALONE:
            return Row(self._class_of_one(character), ord(character), ord(character))
        return row

    def beside(self, character: str) -> list[Row[int]]:
        """The rows of the page that a character is on whose class is known."""
        return [row for row in self._pages.rows(character) if row.answer != ALONE]

    def _class_of_one(self, character: str) -> int:
        letters = self.folding.letters(character)
        key = (
            bool(letters) if self._letters.isdisjoint(letters) else letters,
            self._joins and joins_words(character),
            *self.folding.gaps(character),
            self.folding.unseen(character),
            self.folding.between(character),
        )
        return self._number(key, character)

    def _classes_of(self, page: str) -> Iterable[Row[int]]:
        """The classes of a page's characters, judged together if that is less work."""
        alone = self._alone_on(page) if self.folding.ignores_only_case else page
        # Only written characters join, and most pages of others have none at all.
        joins = self.whole and JOINING[0][1].search(page)
        known = changes(page, JOINING) if joins else {}
        if len(alone) > MANY or (not alone and known.keys() <= ENDS):
            answer = ALONE if alone else self._joining(known.get(0), page[0])
            return (Row(answer, ord(page[0]), ord(page[-1])),)
        return self._told_apart(page, alone, known)

    def _alone_on(self, page: str) -> set[str]:
        """The characters of a page that the words have, and those that are not seen."""
        return {*self._letters_on(page), *unseen().findall(page)}

    def _told_apart(
        self, page: str, alone: Collection[str], known: Mapping[int, int]
    ) -> Iterator[Row[int]]:
        for told, first, last in told_apart(page, (), alone, known):
            is_alone = chr(first) in alone
            yield Row(ALONE if is_alone else self._joining(told, chr(first)), first, last)

    def _joining(self, told: int | None, character: str) -> int:
        """The class of a character that is in no word, given by which of `JOINING` it was found."""
        return self._number((True, told == 1, False, False, "", ""), character)

    def _letters_on(self, page: str) -> Iterable[str]:
        """The characters of a page that the words have, whatever their case."""
        letters, folded = self._letters, self.folding.page(page)
        if folded == page and ord(page[0]) // SIZE not in self._letter_pages:
            return ()
        if len(folded) == len(page):
            return [one for one, letter in zip(page, folded, strict=True) if letter in letters]
        compared = self.folding.letters
        return [character for character in page if not letters.isdisjoint(compared(character))]

    def _number(self, key: tuple[object, ...], character: str) -> int:
        """The number of the class with this key, of which the character is an example."""
        known = self._numbers.get(key)
        if known is None:
            joins = self._joins and joins_words(character)
            # In this order, or an interrupt in between could give two the same number.
            self._compared.append(Compared(character, self.folding.letters(character), joins))
            known = self._numbers[key] = len(self._compared) - 1
        return known

    def after(self, state: WordState, number: int) -> WordState:
        """The state that a class of characters leads to; the lock is held."""
        known = state.built.get(number)
        if known is None:
            self.count()
            known = state.built[number] = self._build(state.shape, self._compared[number])
        return known

    def count(self) -> None:
        """Count a transition; forget all states if there are too many."""
        self._transitions += 1
        if self._transitions > MAX_TRANSITIONS:
            states = self._states
            self._flushed()
            for state in states.values():
                state.clear()
                state.built.clear()
                state.place = None

    def living(self, state: WordState) -> Living | None:
        """The live text of a state, if nothing else lives in it, each of its letters was one
        character, and there are not too many; otherwise None. Also None if characters may be passed
        over because of what stands before them.
        """
        shape = state.shape
        plain = self.folding.names.isdisjoint(("repeats", "separators", "spaces", WHITE))
        if not plain or shape.waiting or len(shape.prefix) > MAX_LIVING:
            return None
        starts = sum(may_begin << letter for letter, may_begin in enumerate(shape.starts))
        living = Living(shape.prefix, starts, shape.joined)
        return living if shape._replace(found=()) == living.shape() else None

    def alive(self, prefix: str, starts: int, joined: bool) -> WordState:
        """The state in which only this live text lives, see `living`."""
        return self._state(Living(prefix, starts, joined).shape())

    def letter(self, number: int) -> tuple[int, bool]:
        """The letter that a class of characters is compared as, -1 if it is not exactly one; and
        whether the characters continue words."""
        _, letters, joins = self._compared[number]
        return ord(letters) if len(letters) == 1 else -1, joins

    def _grows(self, suffix: str, may_begin: bool, counts: tuple[int, ...]) -> bool:
        """Whether a longer word begins with `suffix`, or the word itself needs a letter again."""
        parts, whole = self.parts, self.whole
        if parts.rules and parts.grows(suffix, counts):
            return True
        return may_begin and bool(whole.rules) and whole.grows(suffix, counts)

    def _state(self, shape: Shape) -> WordState:
        state = self._states.get(shape)
        if state is None:
            self._transitions += len(shape.prefix) // LETTERS_KEPT
            state = self._states.setdefault(shape, WordState(self, shape))
        return state

    def without(self, state: WordState, age: int) -> WordState:
        """The state without the candidates that began `age` characters ago or before."""
        shape = state.shape
        first = len(shape.prefix)
        for begin in range(len(shape.prefix) - 1, -1, -1):
            if shape.ages[begin] < age and self._grows(
                shape.prefix[begin:], shape.starts[begin], shape.counts[begin:]
            ):
                first = begin
        return self._state(
            shape._replace(
                prefix=shape.prefix[first:],
                ages=shape.ages[first:],
                starts=shape.starts[first:],
                counts=shape.counts[first:],
                waiting=tuple(word for word in shape.waiting if word.began < age),
            )
        )

    def _build(self, shape: Shape, compared: Compared) -> WordState:
        """The state after a character."""
        character, letters, joins = compared
        if self.folding.unseen(character):
            if not negates(character, shape.prefix):
                return self._state(self._unseen(shape, character))
            letters = character
        elif not letters or self.folding.goes_on(letters, shape.prefix):
            return self._state(self._passed(shape))
        between = self.folding.between(character)
        if between and (spaced := self._spaced(shape, compared, between)):
            return self._state(spaced)
        if self.folding.repeats and set(letters) == {shape.last}:
            return self._state(self._repeated(shape, len(letters), joins))
        decided = tuple(_older((w for w in shape.waiting if not joins or w.is_decided), ended=1))
        alive = bool(shape.prefix) and shape.gap < MAX_GAP
        if alive and self.folding.separates(character, shape.prefix[-1]):
            return self._state(self._separated(shape, joins, decided))
        grown = self._grown(shape, letters, joins, decided)
        if alive and shape.alone and self.folding.spells_out(character):
            goes_on = grown.prefix or grown.waiting or len(grown.found) > len(decided)
            if not (goes_on and PHRASE in self.folding.names):
                spaced = self._separated(shape, joins, decided)
                return self._state(spaced._replace(spaced=True))
        return self._state(grown)

    def _unseen(self, shape: Shape, character: str) -> Shape:
        """After an unseen character: it is nothing to what goes on, and a boundary to words that
        end before it or begin after it. If it is white space, too, a phrase may need it."""
        if character in SPACES and not shape.prefix.endswith(" "):
            grown = self._grown(shape, " ", False, tuple(_older(shape.waiting, ended=1)))
            if len(grown.prefix) > len(shape.prefix):
                return grown._replace(white=1)
        passed = self._passed(shape)
        if self.folding.repeats:  # a word may go on by its last letter
            waiting = tuple([word._replace(bounded=True) for word in passed.waiting])
            return passed._replace(waiting=waiting, joined=False)
        return passed._replace(waiting=(), found=passed.waiting, joined=False)

    def _spaced(self, shape: Shape, compared: Compared, between: Between) -> Shape | None:
        """After a character that goes on with the white space of a phrase, or begins it; None if it
        does neither."""
        breaks = between == "break"
        if not shape.prefix.endswith(" "):
            decided = tuple(_older(shape.waiting, ended=1))
            grown = self._grown(shape, " ", False, decided)
            begins = between != "sign" and grown.prefix
            return grown._replace(white=1, broken=breaks) if begins else None
        if shape.white >= MAX_WHITE or (shape.broken if breaks else False):
            return None
        if between == "sign":
            grown = self._grown(shape, compared.letters, False, ())
            if not shape.broken or len(grown.prefix) > len(shape.prefix):
                return None
        passed = self._passed(shape)
        return passed._replace(white=shape.white + 1, broken=shape.broken or breaks)

    @staticmethod
    def _passed(shape: Shape) -> Shape:
        """After a character that is passed over: nothing is decided by it."""
        return shape._replace(
            ages=_aged(shape),
            waiting=tuple(_older(shape.waiting, ended=1)),
            found=(),
            after_space=_once_more(shape.after_space),
        )

    def _repeated(self, shape: Shape, times: int, joins: bool) -> Shape:
        """After the last letter once more, or several times: words that end in it reach further."""
        last, whole = shape.last, self.whole
        if not (shape.prefix or shape.joined) and (last in whole.rules or whole.grows(last, (1,))):
            # A word may begin with it only now: nothing could begin where it stood before.
            shape = shape._replace(prefix=last, ages=(0,), starts=(True,), counts=(0,))
        ages, starts = self._begun(shape, last)
        counts = _more(shape.counts, times)
        waiting = {
            word._replace(ended=0, counts=_more(word.counts, times)): None
            for word in _older(shape.waiting, ended=0)
        }
        for begin in range(len(shape.prefix)):
            waiting |= self._complete(shape.prefix, begin, ages, starts, counts)
        return shape._replace(
            ages=ages,
            starts=starts,
            joined=joins,
            waiting=tuple(waiting),
            found=(),
            gap=0,
            counts=counts,
            spaced=False,
            after_space=int(shape.spaced) or (0 if shape.gap else _once_more(shape.after_space)),
            again=times if shape.spaced else 0 if shape.gap else _still_again(shape, times),
        )

    def _complete(
        self,
        prefix: str,
        begin: int,
        ages: tuple[int, ...],
        starts: tuple[bool, ...],
        counts: tuple[int, ...],
    ) -> dict[Found, None]:
        """The words, if any, that are the live text from `begin` on."""
        suffix, often = prefix[begin:], counts[begin:]
        word = Found(ages[begin], 0, suffix, often)
        found = {word: None} if self.parts.may_be(suffix, often) else {}
        if starts[begin] and self.whole.may_be(suffix, often):
            found[word._replace(whole=True)] = None
        return found

    @staticmethod
    def _separated(shape: Shape, joins: bool, found: tuple[Found, ...]) -> Shape:
        """After a separator, which may stand inside a word."""
        return shape._replace(
            ages=_aged(shape), joined=joins, waiting=(), found=found, gap=shape.gap + 1
        )

    def _grown(self, shape: Shape, letters: str, joins: bool, decided: tuple[Found, ...]) -> Shape:
        """After letters: some candidates go on, some are complete, some begin."""
        found = dict.fromkeys(decided)
        waiting: dict[Found, None] = {}
        if shape.after_space and not shape.gap and not letters.isspace():
            # Spelled out, each letter stands alone: `p a ss` is no `pass`.
            shape = self._last_alone(shape)
        prefix, (ages, starts) = shape.prefix, self._begun(shape, letters[0])
        repeats, counts = self.folding.repeats, shape.counts
        parts, whole = self.parts.rules, self.whole.rules
        # A character may be several letters, some of them the same: `ß` is `ss`.
        several = repeats and len(letters) > 1
        for letter, times in zip(*runs(letters), strict=True) if several else product(letters, [1]):
            if repeats and prefix[-1:] == letter:
                counts = _more(counts, times)
            else:
                prefix, ages, starts = prefix + letter, (*ages, 1), (*starts, not shape.joined)
                counts = (*counts, min(times, MAX_COUNT)) if repeats else ()
            first = len(prefix)
            for begin in range(len(prefix) - 1, -1, -1):
                may_begin = starts[begin]
                if not (may_begin or parts):
                    continue
                suffix = prefix[begin:]
                if suffix in parts or (may_begin and suffix in whole):
                    for word in self._complete(prefix, begin, ages, starts, counts):
                        # If letters may be repeated, the word may not have ended yet.
                        (waiting if repeats or word.whole else found)[word] = None
                if self._grows(suffix, may_begin, counts[begin:]):
                    first = begin
            prefix, ages, starts = prefix[first:], ages[first:], starts[first:]
            counts = counts[first:]
        # A letter that is in no word may stand for others of its class.
        lives = bool(prefix or waiting) and letters[-1] in self._letters
        last = letters[-1] if repeats and lives else ""
        spells = bool(prefix) and "separators" in self.folding.names
        return Shape(
            prefix,
            ages,
            starts,
            joins,
            tuple(waiting),
            tuple(found),
            last,
            counts=counts,
            alone=spells and not shape.joined and not letters.isspace(),
            after_space=int(spells and shape.spaced),
        )

    def _begun(self, shape: Shape, letter: str) -> tuple[tuple[int, ...], tuple[bool, ...]]:
        """The ages and starts before a letter. Where it is the last one once more, another whole
        word may begin with it if separators stand between, or if the last character continues no
        word."""
        ages, starts = _aged(shape), shape.starts
        again = self.whole and letter == shape.last and starts and not starts[-1]
        if again and (shape.gap or not shape.joined):
            return (*ages[:-1], 1), (*starts[:-1], not shape.joined)
        return ages, starts

    @staticmethod
    def _last_alone(shape: Shape) -> Shape:
        """The shape with what began before its last character forgotten, and the same letter before
        white space."""
        last = shape.ages.index(shape.ages[-1]) if shape.ages else 0
        counts = shape.counts[last:]
        if shape.again:
            last, counts = len(shape.prefix) - 1, (shape.again,)
        left = len(shape.prefix) - last
        return shape._replace(
            prefix=shape.prefix[last:],
            ages=(shape.after_space,) * left,
            starts=(True,) * left,
            counts=counts,
        )


def _more(counts: tuple[int, ...], times: int) -> tuple[int, ...]:
    """The counts with the last letter read so many times more."""
    return (*counts[:-1], min(counts[-1] + times, MAX_COUNT)) if counts else ()


def _still_again(shape: Shape, times: int) -> int:
    """How often a letter has stood again that is read so many times more."""
    return min(shape.again + times, MAX_COUNT) if shape.again else 0


def _once_more(age: int) -> int:
    """An age one character later; 0 is none."""
    return min(age + 1, MAX_AGE) if age else 0


def _aged(shape: Shape) -> tuple[int, ...]:
    ages = shape.ages
    if ages and ages[0] >= MAX_AGE:  # the first is the oldest
        return tuple([min(age + 1, MAX_AGE) for age in ages])
    return tuple([age + 1 for age in ages])


def _older(words: Iterable[Found], *, ended: int) -> Iterable[Found]:
    """The words one character later; `ended` is 1 if it does not belong to them."""
    return (
        word._replace(began=min(word.began + 1, MAX_AGE), ended=word.ended + ended)
        for word in words
    )


class _WordList:
    """Words as folded, sorted, with their rules."""

    def __init__(self, words: Mapping[str, Iterable[int]], folding: Folding) -> None:
        self.rules: dict[str, dict[tuple[int, ...], tuple[int, ...]]] = {}
        for word, rules in words.items():
            for spelled in folding.spellings(word):
                folded, counts = runs(spelled) if folding.repeats else (spelled, ())
                known = self.rules.setdefault(folded, {})
                known[counts] = tuple(sorted({*known.get(counts, ()), *rules}))
        self.words = sorted(self.rules)
        # Most ends of a text are told from all words by their first letters.
        heads = range(1, TOLD + 1)
        self._begin = frozenset(word[:n] for word in self.rules for n in heads if len(word) > n)

    def __bool__(self) -> bool:
        return bool(self.words)

    def of(self, word: str, counts: tuple[int, ...] | None = None) -> list[int]:
        """The rules of a word as folded, where its letters stand as often as `counts` say, or in
        any number."""
        return sorted(
            {
                rule
                for needed, rules in self.rules[word].items()
                if counts is None
                or all(n <= c or c == MAX_COUNT for n, c in zip(needed, counts, strict=False))
                for rule in rules
            }
        )

    def beginning(self, prefix: str) -> Sequence[str]:
        """The words that are longer than `prefix` and begin with it, in order."""
        words, size = self.words, len(prefix)
        low = bisect_right(words, prefix)
        return words[low : bisect_right(words, prefix, low, key=lambda word: word[:size])]

    def may_be(self, word: str, counts: tuple[int, ...]) -> bool:
        """Whether these letters, so often each, are a word; the last may come more often."""
        return any(_are_enough(counts, needed) for needed in self.rules.get(word, ()))

    def going_on(self, prefix: str, counts: tuple[int, ...] = ()) -> Iterator[Iterable[int]]:
        """The rules of each word that is longer than `prefix` and begins with it; where letters may
        be repeated, so may the last of a word."""
        for word in (*([prefix] if counts else ()), *self.beginning(prefix)):
            for needed, rules in self.rules.get(word, {}).items():
                if _are_enough(counts, needed):
                    yield rules

    def grows(self, prefix: str, counts: tuple[int, ...] = ()) -> bool:
        """Whether some word is longer than `prefix` and begins with it, also by repetition."""
        for needed in self.rules.get(prefix, ()) if counts else ():
            if needed[-1] > counts[-1] and _are_enough(counts, needed):
                return True
        if prefix[:TOLD] not in self._begin:
            return False
        if len(prefix) <= TOLD and len(counts) <= 1:
            return True
        words, low = self.words, bisect_right(self.words, prefix)
        while low < len(words) and words[low].startswith(prefix):
            if not counts or self.may_be(words[low], counts):
                return True
            low += 1
        return False


def _are_enough(counts: tuple[int, ...], needed: tuple[int, ...]) -> bool:
    """Whether the letters before the last stand as often as a word that begins with them needs."""
    return all(n <= c or c == MAX_COUNT for n, c in zip(needed, counts[:-1], strict=False))
