"""The ways in which canonically equivalent texts write a word: `café` with one character or with a
mark of its own.

Texts are compared character by character, so that a word is looked for in each of these spellings.
Source: Unicode Standard Annex 15, https://www.unicode.org/reports/tr15/.
"""

from __future__ import annotations

import unicodedata
from itertools import permutations, product
from math import prod

import regex

MOST = 64
"""How many spellings a word has at most; of more, those stay that write all characters alike."""

MOST_MARKS = 4
"""Of so many marks on one letter every order is a spelling."""

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


FIRST_ALIKE = "\u0340"
"""The first character that equals another one by itself."""


def composed(character: str) -> str:
    """The character that equals another one by itself, such as the letter Å for the sign Å."""
    one = unicodedata.normalize("NFC", character)
    return one if len(one) == 1 else character
