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
_NARROW = re.compile(rf"(?:\(\?[ai]*:|\(\?a\)|\[(?!\^|\]|\[|:)|[\x00-\x5a\x5d-\x7f]|{_ESCAPED})*")
"""A fragment of ASCII characters and what they fold to: nothing above is in its set."""

_KINDS = re.compile(rf"(?:\(\?[i]*:|\[(?!\[|:)|[\x00-\x5a\x5d-\x7f]|{_ESCAPED}|\\[wWdDsS])*")
"""A fragment that tells characters above by these classes only."""

_LISTED = re.compile(r"(?<!-)(?:\\U000[0-9a-f]{5}|[^\x00-\x7f])(?!-)")
"""A character above that a fragment names, alone and not as an end of a range."""

_ASKED = [(1 << n, regex.compile(rf"\{letter}", regex.V0)) for n, letter in enumerate("wds")]


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
        self._kinds: dict[int, int] = {}
        self._listed: set[str] = set()
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
                return bit
            rest, listed = _without_listed(fragment)
            if _KINDS.fullmatch(rest):
                self._by_kind.append(judge)
                self._kinds.clear()
                self._listed |= listed
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
        kind = _judged(_ASKED, character)
        return self._of_kind(kind, character) | _judged(self._wide, character)

    def _of_kind(self, kind: int, character: str) -> int:
        """The sets by kind that a character is in: those of others of its kind, unless it is named
        by one of them."""
        if character in self._listed:
            return _judged(self._by_kind, character)
        known = self._kinds.get(kind)
        if known is None:
            known = self._kinds[kind] = _judged(self._by_kind, character)
        return known

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
        kinds = _judged_together(_ASKED, page)
        wide = _judged_together(self._wide, page)
        return [
            known | self._of_kind(kind, character)
            for character, kind, known in zip(page, kinds, wide, strict=True)
        ]


def _without_listed(fragment: str) -> tuple[str, set[str]]:
    """A fragment without the characters above ASCII that it names, and these; as it is where they
    have other cases, which it may mean too."""
    named = _LISTED.findall(fragment)
    listed = {chr(int(each[2:], 16)) if len(each) > 1 else each for each in named}
    if any(len({c, c.lower(), c.upper(), c.title(), c.casefold()}) > 1 for c in listed):
        return fragment, set()
    # Something stays in its place: an empty set is none.
    return _LISTED.sub("x", fragment), listed


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
