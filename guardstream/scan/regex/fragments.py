"""Reads which characters a fragment names, so that `regex` need not compile it: hardly any set of a
pattern asks for more of Unicode's tables than whether `\\w`, `\\d` and `\\s` match a character.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import regex

ASCII = "".join(map(chr, range(128)))

FOLDED = "".join(
    sorted(regex.findall(r"(?i:[\x00-\x7f])", "".join(map(chr, range(0x2200))), regex.V0))
)
"""ASCII, and the characters that have another case in ASCII; the last is U+212A, the Kelvin
sign."""

KINDS = tuple([(1 << n, regex.compile(rf"\{each}+", regex.V0)) for n, each in enumerate("wds")])
"""Patterns that find the characters of `\\w`, `\\d` and `\\s`, each with its bit of a character's
kind."""

CASED = regex.compile(r"\p{Cased}", regex.V0)
"""Finds a letter that has other cases."""

_ALL_KINDS = (1 << (1 << len(KINDS))) - 1
_ALL_FOLDED = (1 << len(FOLDED)) - 1
_BEYOND = FOLDED[len(ASCII) :]
_CAPITALS, _SMALL = (((1 << 26) - 1) << ord(letter) for letter in "Aa")

_HEX = "[0-9a-fA-F]"
_CODE = rf"\\U00(?:0{_HEX}|10){_HEX}{{4}}|\\u{_HEX}{{4}}|\\x{_HEX}{{2}}"
_ESCAPED = r"\\[nrtfv.*+?^$|/\-\\\"'#&~ (){}\[\]<>=!@%,:;`_]"
_CLASS = r"\\[wWdDsS]"
_MEMBER = rf"{_CODE}|{_ESCAPED}|[^\\\[\]]"
_ITEM = re.compile(rf"({_CLASS})|({_MEMBER})(?:-({_MEMBER}))?", re.DOTALL)
_FRAGMENT = re.compile(
    rf"(?P<scope>\(\?(?P<case>i?)u?:)?"
    rf"(?:(?P<one>\w|{_CODE}|{_ESCAPED}|{_CLASS})"
    rf"|\[(?P<negated>\^)?(?P<items>(?:{_CLASS}|{_MEMBER})++)\])"
    rf"(?(scope)\))",
    re.DOTALL,
)
_CONTROLS = {"n": "\n", "r": "\r", "t": "\t", "f": "\f", "v": "\v"}

_LOOKED_THROUGH = 1_000
"""Ranges up to this length are looked through for letters that have other cases."""


class Told(NamedTuple):
    """What a fragment tells of its set: a bit for each character of `FOLDED` that is in it, and one
    for each kind of other characters; and ranges that are in it (out of it, if `negated`),
    whatever their kind.

    If `cased`, some of its characters have other cases, which only `regex` knows. Beyond ASCII,
    what is told then holds only on pages without letters that have cases.
    """

    folded: int
    kinds: int
    ranges: Sequence[tuple[int, int]]
    negated: bool
    cased: bool


def told(fragment: str) -> Told | None:
    """What a fragment tells; None if only `regex` knows what it means."""
    read = _FRAGMENT.fullmatch(fragment)
    if read is None:
        return None
    folded, kinds, ranges = 0, 0, []
    for letter, low, high in _ITEM.findall(read["one"] or read["items"]):
        if letter:
            in_folded, of_kind = _CLASSES[letter[1]]
            folded |= in_folded
            kinds |= of_kind
            continue
        first = code(low)
        last = code(high) if high else first
        if first > last:
            return None
        folded |= _of_folded(first, last)
        if last > 0x7F:
            ranges.append((max(first, 0x80), last))
    if read["case"]:
        folded = _ignoring_case(folded)
    if read["negated"]:
        if kinds == _ALL_KINDS:
            return None  # `regex` takes `[^\s\S]` for any character
        folded, kinds = folded ^ _ALL_FOLDED, kinds ^ _ALL_KINDS
    cased = bool(read["case"]) and any(_may_have_cases(*each) for each in ranges)
    return Told(folded, kinds, _merged(ranges), bool(read["negated"]), cased)


def numbers(bits: int) -> Iterator[int]:
    """The numbers of the bits that are set."""
    while bits:
        low = bits & -bits
        yield low.bit_length() - 1
        bits ^= low


def code(member: str) -> int:
    """The code point of a member of a set, however it is written."""
    if len(member) > 2:
        return int(member[2:], 16)
    return ord(_CONTROLS.get(member[1], member[1]) if len(member) == 2 else member)


def bits_of(characters: Iterable[str]) -> int:
    """The bits of some characters of `FOLDED`."""
    return sum(1 << FOLDED.index(character) for character in characters)


def _of_folded(first: int, last: int) -> int:
    """Which of `FOLDED` are in a range."""
    bits = 0
    if first < len(ASCII):
        bits = (1 << min(last + 1, len(ASCII))) - (1 << first)
    if last > 0x7F:
        for number, character in enumerate(_BEYOND, len(ASCII)):
            bits |= (first <= ord(character) <= last) << number
    return bits


_LIKE = [
    (1 << number, bits_of(regex.findall(f"(?i:{character})", ASCII, regex.V0)))
    for number, character in enumerate(_BEYOND, len(ASCII))
]
"""Those of `FOLDED` beyond ASCII, and the letters of which each is another case."""


def _ignoring_case(folded: int) -> int:
    """Which of `FOLDED` are in a set that names some of them, where case is ignored."""
    others = (folded & _CAPITALS) << 32 | (folded & _SMALL) >> 32
    for bit, letters in _LIKE:
        if folded & letters:
            others |= bit
    return folded | others


def _may_have_cases(first: int, last: int) -> bool:
    if last - first > _LOOKED_THROUGH:
        return True
    return CASED.search("".join(map(chr, range(first, last + 1)))) is not None


def _merged(ranges: list[tuple[int, int]]) -> Sequence[tuple[int, int]]:
    """The same characters in ranges that do not overlap."""
    if len(ranges) < 2:
        return ranges
    merged: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if merged and first <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(merged[-1][1], last)
        else:
            merged.append((first, last))
    return merged


def _classes() -> dict[str, tuple[int, int]]:
    """Which of `FOLDED` a class of characters has, and which kinds."""
    found = {}
    for letter, (bit, judge) in zip("wds", KINDS, strict=True):
        folded = bits_of("".join(judge.findall(FOLDED)))
        kinds = sum(1 << kind for kind in range(1 << len(KINDS)) if kind & bit)
        found[letter] = folded, kinds
        found[letter.upper()] = folded ^ _ALL_FOLDED, kinds ^ _ALL_KINDS
    return found


_CLASSES = _classes()
