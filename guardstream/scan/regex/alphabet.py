"""Tells characters apart only as far as some pattern does.

Every set of characters that occurs in the patterns gets one bit; a character's signature says in
which sets it is. Characters with equal signatures share all transitions. `regex` itself judges
each character once, so that no Unicode table is needed and none can disagree.
"""

from __future__ import annotations

import re
import sys
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache

import regex

from guardstream.scan.pages import SIZE, Pages, Row, changes, told_apart
from guardstream.scan.words.normalize import Table

START = 1
"""The bit of what stands before the text: no character."""

END = 2
"""The bit of what stands after the text."""

ASCII = "".join(map(chr, range(128)))

_FOLDED = frozenset(regex.findall(r"(?i:[\x00-\x7f])", "".join(map(chr, range(0x2200))), regex.V0))
"""What is ASCII or folds to it: the last is U+212A, the Kelvin sign."""

_FOLDED_ON = {ord(character) // SIZE for character in _FOLDED}
"""The numbers of the pages that have some of it."""

_HEX = "[0-9a-fA-F]"
_CODE = rf"U000000[0-7]{_HEX}|u00[0-7]{_HEX}|x[0-7]{_HEX}"
_ESCAPED = rf"\\(?:{_CODE}|[nrtfv.*+?^$|/\-\\\"'#&~ (){{}}\[\]<>=!@%,:;`_])"
_OPENED = r"\[(?!\[|:[^\]]*:\])"
_NARROW = re.compile(
    rf"(?:\(\?[ai]*:|\(\?a\)|(?!\[[\^\]]){_OPENED}|[\x00-\x5a\x5d-\x7f]|{_ESCAPED})*+"
)
"""A fragment of ASCII characters and what folds to them: nothing else is in its set."""

_KINDS = re.compile(rf"(?:\(\?[i]*:|{_OPENED}|[\x00-\x5a\x5d-\x7f]|{_ESCAPED}|\\[wWdDsS])*+")
"""A fragment that tells other characters apart by these classes only."""

_NAMED = re.compile(rf"\\U000{_HEX}{{5}}|\\u{_HEX}{{4}}|\\x[89a-fA-F]{_HEX}|[^\x00-\x7f]")
"""A character beyond ASCII that a fragment names."""

_LISTED = re.compile(rf"(?<!-)(?:{_NAMED.pattern})(?!-[^\]])")
"""One that stands alone and is not an end of a range."""

_PLAIN = re.compile(rf"\[(?!\^)(?:{_NAMED.pattern}|{_ESCAPED}|[^\\\[\]])*+\]")
"""A fragment of the characters and ranges that it names, without their other cases."""

_ASKED = [(1 << n, regex.compile(rf"\{letter}+", regex.V0)) for n, letter in enumerate("wds")]
_KIND = (1 << len(_ASKED)) - 1
_CASED = regex.compile(r"\p{Cased}")


class CharSets:
    """The sets of all patterns that are searched together, and which of them characters are in.

    With a `table`, characters are in the sets that those are in which it translates them to. A
    signature is an int with one bit a set. `START` and `END` are the signatures of what stands
    before and after the text, and in no set.
    """

    def __init__(self, table: Table | None = None) -> None:
        self._table = table
        self._bits: dict[str, int] = {}
        self._next = 4
        self._all: list[tuple[int, regex.Pattern[str]]] = []
        # Of those that have more than ASCII: the sets that tell kinds of characters apart; those
        # that do so as long as no letter has another case; others, with their last character.
        self._by_kind: list[tuple[int, regex.Pattern[str]]] = []
        self._by_case: list[tuple[int, regex.Pattern[str]]] = []
        self._wide: list[tuple[int, regex.Pattern[str], int]] = []
        self._kinds: dict[bool, dict[int, int]] = {}  # the sets by kind, with case and without
        self._listed: set[str] = set()
        self._listed_on: set[int] = set()  # the numbers of their pages
        self._pages = Pages(self._of_page)

    def bit(self, fragment: str) -> int:
        """The bit of the set that `fragment` describes, made on first sight."""
        bit = self._bits.get(fragment)
        if bit is None:
            bit = self._bits[fragment] = self.fresh()
            judge = bit, _compiled(fragment)
            self._pages.clear()
            self._all.append(judge)
            if _NARROW.fullmatch(fragment):
                return bit
            # Something stays in the place of what is listed: an empty set is none.
            if _KINDS.fullmatch(_LISTED.sub("x", fragment)):
                listed = set(map(_character, _LISTED.findall(fragment)))
                (self._by_case if any(map(_CASED.match, listed)) else self._by_kind).append(judge)
                self._listed |= listed
                self._listed_on |= {ord(character) // SIZE for character in listed}
                self._kinds.clear()
            else:
                self._wide.append((bit, _runs(fragment), _last(fragment)))
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
        if self._table is not None:
            character = self._table[ord(character)]
        return self._pages.row(character).answer

    def rows(self, character: str) -> Iterable[Row[int]]:
        """Which sets all characters of the page are in that a character is on."""
        rows = self._pages.rows(character)
        changed = () if self._table is None else self._table.changed(character)
        return self._translated(rows, changed) if changed else rows

    def _translated(self, rows: Iterable[Row[int]], changed: Sequence[int]) -> Iterator[Row[int]]:
        for signature, first, last in rows:
            begin = first
            for code in changed[bisect_left(changed, first) : bisect_right(changed, last)]:
                if begin < code:
                    yield Row(signature, begin, code - 1)
                yield Row(self.signature(chr(code)), code, code)
                begin = code + 1
            if begin <= last:
                yield Row(signature, begin, last)

    def _of_each(self, characters: str) -> dict[str, int]:
        """The signature of each character: every set judges them together."""
        signatures = dict.fromkeys(characters, 0)
        for bit, judge in self._all if characters else ():
            for member in judge.findall(characters):
                signatures[member] |= bit
        return signatures

    def _of_page(self, page: str) -> Iterator[Row[int]]:
        """The signatures of a page's characters."""
        number = ord(page[0]) // SIZE
        folded = self._of_each("".join(_FOLDED.intersection(page))) if number in _FOLDED_ON else {}
        listed = self._listed.intersection(page) if number in self._listed_on else ()
        alone = [*folded, *listed]
        cased, kinds = _kinds_on(page)
        judges = [(bit, judge) for bit, judge, last in self._wide if ord(page[0]) <= last]
        judges += self._by_case if cased else ()
        judges = [(bit << len(_ASKED), judge) for bit, judge in judges]
        # Where nothing on a page has other cases, case is no matter.
        by_kind = self._by_kind if cased else self._by_kind + self._by_case
        known = self._kinds.setdefault(cased, {})
        for told, first, last in told_apart(page, judges, alone, kinds):
            character = chr(first)
            if character in folded:
                signature = folded[character]
            elif character in listed:
                signature = told >> len(_ASKED) | _judged(by_kind, character)
            else:
                # It is in the sets that others of its kind are in.
                kind = told & _KIND
                if kind not in known:
                    known[kind] = _judged(by_kind, character)
                signature = told >> len(_ASKED) | known[kind]
            yield Row(signature, first, last)


@lru_cache(maxsize=64)  # several sets of patterns ask for a page that is new
def _kinds_on(page: str) -> tuple[bool, Mapping[int, int]]:
    """Whether a page has letters that have cases, and where its kinds of characters change."""
    return _CASED.search(page) is not None, changes(page, _ASKED)


@lru_cache(maxsize=2_048)  # other sets of patterns have the same, of the same policy and of others
def _compiled(fragment: str) -> regex.Pattern[str]:
    return regex.compile(fragment, regex.V0)


def _runs(fragment: str) -> regex.Pattern[str]:
    """What finds the runs of the characters that a fragment describes."""
    everywhere = "(?a)" if fragment.startswith("(?a)") else ""
    return regex.compile(f"{everywhere}(?:{fragment})+", regex.V0)


def _last(fragment: str) -> int:
    """The last character that a fragment may describe."""
    if not _PLAIN.fullmatch(fragment):
        return sys.maxunicode
    return max((ord(_character(named)) for named in _NAMED.findall(fragment)), default=0x7F)


def _character(named: str) -> str:
    """The character that a fragment names."""
    return chr(int(named[2:], 16)) if len(named) > 1 else named


def _judged(judges: Iterable[tuple[int, regex.Pattern[str]]], character: str) -> int:
    signature = 0
    for bit, judge in judges:
        if judge.match(character):
            signature |= bit
    return signature
