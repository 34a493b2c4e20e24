"""Tells characters apart only as far as some pattern does.

Every set of characters that occurs in the patterns gets one bit; a character's signature says in
which sets it is. Characters with equal signatures share all transitions. `regex` itself judges
each character once, so that no Unicode table is needed and none can disagree.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import regex

from guardstream.scan.pages import Pages, Row

START = 1
"""The bit of what stands before the text: no character."""

END = 2
"""The bit of what stands after the text."""

ASCII = "".join(map(chr, range(128)))

ANYTHING = r"[\s\S]"

_FIRST_WITHOUT_FOLDS = 0x2200
"""Above it no character folds to ASCII; the last that does is U+212B, the Angstrom sign."""

_ESCAPED = r"\\(?:U0000[01][0-9a-f]{3}|[nrtfv.*+?^$|/\-\\\"'#&~ (){}\[\]<>=!@%,:;`_])"
_NARROW = re.compile(rf"(?:\(\?[ai]*:|\(\?a\)|\[(?!\^|\]|\[)|[\x00-\x5a\x5d-\x7f]|{_ESCAPED})*")
"""A fragment of ASCII characters and what they fold to: nothing above is in its set."""

_KINDS = re.compile(rf"(?:\(\?[i]*:|\[(?!\[)|[\x00-\x5a\x5d-\x7f]|{_ESCAPED}|\\[wWdDsS])*")
"""A fragment that tells characters above by these classes only."""

_ASKED = [regex.compile(rf"\{letter}", regex.V0) for letter in "wds"]


class CharSets:
    """The sets of all patterns that are searched together.

    A signature is an int with one bit a set. `START` and `END` are the signatures of what stands
    before and after the text, and in no set.
    """

    def __init__(self) -> None:
        self._bits: dict[str, int] = {}
        self._next = 4
        self._all: list[tuple[int, regex.Pattern[str]]] = []
        self._wide: list[tuple[int, regex.Pattern[str]]] = []
        self._by_kind: list[tuple[int, regex.Pattern[str]]] = []
        self._kinds: dict[tuple[bool, ...], int] = {}
        self._ascii: dict[str, int] = {}
        self._pages = Pages(self._beyond_ascii, self._of_page)

    def bit(self, fragment: str) -> int:
        """The bit of the set that `fragment` describes, made on first sight."""
        bit = self._bits.get(fragment)
        if bit is None:
            bit = self._bits[fragment] = self.fresh()
            judge = bit, regex.compile(fragment, regex.V0)
            self._ascii.clear()
            self._pages.clear()
            self._all.append(judge)
            if _NARROW.fullmatch(fragment):
                pass
            elif _KINDS.fullmatch(fragment):
                self._by_kind.append(judge)
                self._kinds.clear()
            else:
                self._wide.append(judge)
        return bit

    def names(self) -> dict[int, str]:
        """What each bit stands for, as a reader would say it."""
        edges = {START: "the start", END: "the end"}
        return edges | {bit: fragment for fragment, bit in self._bits.items()}

    @property
    def width(self) -> int:
        """How many bits there are."""
        return self._next.bit_length() - 1

    def fresh(self) -> int:
        """A bit that is no set's: for what a pattern finds out about the text before."""
        bit, self._next = self._next, self._next << 1
        return bit

    def signature(self, character: str) -> int:
        """Which sets the character is in."""
        return self.row(character).answer

    def row(self, character: str) -> Row[int]:
        """Which sets the character is in, and those beside it that are known to be in the same."""
        if character in ASCII:
            if not self._ascii:
                self._ascii = self._of_ascii()
            return Row(self._ascii[character], ord(character), ord(character))
        return self._pages.row(character)

    def _beyond_ascii(self, character: str) -> int:
        if ord(character) < _FIRST_WITHOUT_FOLDS:
            return _judged(self._all, character)
        kind = tuple([judge.match(character) is not None for judge in _ASKED])
        known = self._kinds.get(kind)
        if known is None:
            known = self._kinds[kind] = _judged(self._by_kind, character)
        return known | _judged(self._wide, character)

    def _of_ascii(self) -> dict[str, int]:
        """The signatures of all ASCII characters: each set judges them together."""
        signatures = dict.fromkeys(ASCII, 0)
        for bit, judge in self._all:
            for member in judge.findall(ASCII):
                signatures[member] |= bit
        return signatures

    def _of_page(self, page: str) -> list[int]:
        """The signatures of a page's characters."""
        if ord(page[0]) < _FIRST_WITHOUT_FOLDS:
            return _judged_together(self._all, page)
        kinds = _judged_together([(1 << n, judge) for n, judge in enumerate(_ASKED)], page)
        of_kind = {
            kind: _judged(self._by_kind, page[kinds.index(kind)]) for kind in dict.fromkeys(kinds)
        }
        wide = _judged_together(self._wide, page)
        return [known | of_kind[kind] for known, kind in zip(wide, kinds, strict=True)]


def _judged_together(judges: Sequence[tuple[int, regex.Pattern[str]]], page: str) -> list[int]:
    signatures = [0] * len(page)
    all_of_them = 0
    for bit, judge in judges:
        members = judge.findall(page)
        if len(members) == len(page):
            all_of_them |= bit
            continue
        for member in members:
            signatures[ord(member) - ord(page[0])] |= bit
    return [signature | all_of_them for signature in signatures]


def _judged(judges: list[tuple[int, regex.Pattern[str]]], character: str) -> int:
    signature = 0
    for bit, judge in judges:
        if judge.match(character):
            signature |= bit
    return signature
