"""Tells characters apart only as far as some pattern does.

Every set of characters that occurs in the patterns gets one bit; a character's signature says in
which sets it is. Characters with equal signatures share all transitions. `regex` itself judges
each character once, so that no Unicode table is needed and none can disagree.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import regex

if TYPE_CHECKING:
    from guardstream.scan.regex.nfa import Place

_BEYOND_ASCII = re.compile(r"\[\^|\\[^nrtfvxu0\]\[(){}.*+?^$|/\-\\\"'#&~ ]|\[:|[^\x00-\x7f]")
MAX_SIGNATURES = 20_000
"""How many characters' signatures are remembered."""

_FIRST_WITHOUT_FOLDS = 0x2200
"""Above it no character folds to ASCII; the last that does is U+212B, the Angstrom sign."""


class CharSets:
    """The sets of all patterns of one automaton; `signature` is an int with one bit a set."""

    def __init__(self) -> None:
        self._bits: dict[str, int] = {}
        self._signatures: dict[str, int] = {}
        self._count = 0
        self.used: list[Place] = []
        self._all: list[tuple[int, regex.Pattern[str]]] = []
        self._wide: list[tuple[int, regex.Pattern[str]]] = []

    def flush(self) -> None:
        """Forget what can be worked out again: what was made at places, and signatures."""
        for place in self.used:
            place.items = None
        self.used.clear()
        self._signatures.clear()

    def next_number(self) -> int:
        """Numbers for what the automaton keeps in order."""
        self._count += 1
        return self._count

    def bit(self, fragment: str) -> int:
        """The bit of the set that `fragment` describes, made on first sight."""
        bit = self._bits.get(fragment)
        if bit is None:
            bit = self._bits[fragment] = 1 << len(self._bits)
            judge = bit, regex.compile(fragment, regex.V0)
            self._all.append(judge)
            if _BEYOND_ASCII.search(fragment):
                self._wide.append(judge)
            self._signatures.clear()
        return bit

    def signature(self, character: str) -> int:
        """Which sets the character is in."""
        signature = self._signatures.get(character)
        if signature is None:
            judges = self._wide if ord(character) >= _FIRST_WITHOUT_FOLDS else self._all
            signature = 0
            for bit, judge in judges:
                if judge.match(character):
                    signature |= bit
            if len(self._signatures) > MAX_SIGNATURES:
                self._signatures.clear()
            self._signatures[character] = signature
        return signature
