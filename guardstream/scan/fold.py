"""How single characters are compared: case folding, and where words of letters end.

Folding maps one character to none, one or several; it is applied to the words of a rule and to
the text alike, character by character.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import regex

Fold: TypeAlias = Callable[[str], str]
"""Maps a character to what it is compared as; an empty string means that it is ignored."""

# Scripts that are written without spaces between words: Han, kana, and those of the line-breaking
# class SA, https://www.unicode.org/reports/tr14/#SA, with their like.
_UNSPACED = "".join(
    rf"\p{{Script={script}}}"
    for script in (
        "Han", "Hiragana", "Katakana", "Bopomofo", "Thai", "Lao", "Khmer", "Myanmar", "Tai_Le",
        "New_Tai_Lue", "Tai_Tham", "Tai_Viet", "Ahom", "Tibetan", "Yi", "Javanese", "Balinese",
    )
)  # fmt: skip
_NEIGHBOUR = regex.compile(rf"(?![{_UNSPACED}])[\p{{L}}\p{{M}}\p{{Nd}}_]")
_UNSPACED_LETTER = regex.compile(rf"(?=\p{{L}})[{_UNSPACED}]")
_LETTER = regex.compile(r"\p{L}")


def fold_case(character: str) -> str:
    """Full case folding, as `str.casefold` does it."""
    return character.casefold()


def keep(character: str) -> str:
    """No folding: characters are compared as they are."""
    return character


def joins_words(character: str) -> bool:
    """Whether the character continues a word beside it: a letter, mark, digit or underscore of a
    script that puts spaces between words."""
    return _NEIGHBOUR.match(character) is not None


def whole_by_default(word: str) -> bool:
    """Whether a word is matched as a whole unless told otherwise.

    It is if it has letters, all of scripts that put spaces between words, and begins and ends in
    a character that continues words: `eval(` has no boundary of its own to ask for.
    """
    return (
        joins_words(word[0])
        and joins_words(word[-1])
        and _LETTER.search(word) is not None
        and _UNSPACED_LETTER.search(word) is None
    )
