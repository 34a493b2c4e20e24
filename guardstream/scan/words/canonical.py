"""The ways in which canonically equivalent texts write a word: `café` with one character or with a
mark of its own.

Texts are compared character by character, so that a word is looked for in each of these spellings.
Source: Unicode Standard Annex 15, https://www.unicode.org/reports/tr15/.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from functools import cache
from itertools import chain, permutations, product
from math import prod

import regex

MOST = 64
"""How many spellings a word has at most; of more, those stay that write all characters alike."""

MOST_MARKS = 4
"""Of so many marks on one letter every order is a spelling."""

_HANGUL = 0xAC00, 0xD7A4
_SYLLABLES = "".join(map(chr, range(*_HANGUL)))
"""The syllables of Hangul (The Unicode Standard, 3.12)."""

_CLUSTER = regex.compile(r"\P{M}\p{M}*|\p{M}+")


def spellings(word: str) -> list[str]:
    """The spellings of a word, the composed one first."""
    composed = unicodedata.normalize("NFC", word)
    if word == composed and unicodedata.is_normalized("NFD", composed):
        return [word]
    written = [_spelled(cluster) for cluster in _CLUSTER.findall(composed)]
    if prod(map(len, written)) > MOST:
        return list(dict.fromkeys((composed, unicodedata.normalize("NFD", word), word)))
    return ["".join(parts) for parts in product(*written)]


def _spelled(cluster: str) -> list[str]:
    """The spellings of a letter and its marks."""
    apart = unicodedata.normalize("NFD", cluster)
    found = {cluster: None, apart: None}
    letter, marks = apart[:1], apart[1:]
    if 1 < len(marks) <= MOST_MARKS or (marks and not unicodedata.combining(letter)):
        for order in permutations(marks):
            written = letter + "".join(order)
            if unicodedata.normalize("NFD", written) == apart:
                found |= dict.fromkeys(_composed(written))
    return list(found)


def _composed(written: str) -> list[str]:
    """A letter with its first marks composed, as far as they can be; each more than the last."""
    ways = [written]
    for end in range(2, len(written) + 1):
        one = unicodedata.normalize("NFC", written[:end])
        if len(one) == 1:
            ways.append(one + written[end:])
    return ways


class Letters:
    """Letters that can be written in several characters, each with these spellings; `characters`
    are they and what they are written with."""

    def __init__(self, first: int, end: int) -> None:
        apart = {each: unicodedata.normalize("NFD", each) for each in map(chr, range(first, end))}
        ways = {
            letter: [way for way in _spelled(letter) if len(way) > 1]
            for letter, written in apart.items()
            if len(written) > 1
        }
        self.ways = ways
        self.characters = "".join({*self.ways, *chain(*chain(*self.ways.values()))})


@cache
def _letters() -> tuple[Letters, ...]:
    return Letters(0x80, _HANGUL[0]), Letters(_HANGUL[1], 0x20000)


@cache
def _syllables() -> Letters:
    """Apart from the other letters, because they are 11,172 and most sets have none."""
    return Letters(*_HANGUL)


def spellings_of(fragment: str) -> list[tuple[str, ...]]:
    """The spellings of all letters that a set (a fragment of `regex`) has, as sequences of sets.
    Those that it has piece by piece, as `\\w` has marks, are none."""
    alphabets = [*_letters(), *([_syllables()] if regex.search(fragment, _SYLLABLES) else [])]
    return compressed(way for letters in alphabets for way in _found(fragment, letters))


def _found(fragment: str, letters: Letters) -> list[str]:
    has = {*regex.findall(fragment, letters.characters)}
    ways = chain(*(letters.ways[letter] for letter in has & letters.ways.keys()))
    return [way for way in ways if not has.issuperset(way)]


def compressed(words: Iterable[str]) -> list[tuple[str, ...]]:
    """Words as sequences of sets of characters: those that differ in one character share one."""
    firsts: defaultdict[str, set[str]] = defaultdict(set)
    for word in words:
        firsts[word[1:]].add(word[0])
    rests: defaultdict[str, list[str]] = defaultdict(list)
    for rest, found in firsts.items():
        rests["".join(sorted(found))].append(rest)
    return [
        (first, *sets)
        for first, ends in sorted(rests.items())
        for sets in (compressed(filter(None, ends)) + [()] * ("" in ends))
    ]


FIRST_ALIKE = "\u0340"
"""The first character that equals another one by itself."""


def composed(character: str) -> str:
    """The character that equals another one by itself, such as the letter Å for the sign Å."""
    one = unicodedata.normalize("NFC", character)
    return one if len(one) == 1 else character
