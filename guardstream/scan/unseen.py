"""The characters that clients do not show: one table for words, patterns, JSON strings and checks.

Each of them is read for itself: inside a match as nothing, and beside one both as nothing and as a
boundary. The table is made of Unicode's data and of ECMA-48's control functions.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from functools import cache
from typing import Literal, NamedTuple, TypeAlias

import regex

# Control characters but tab, line feed and carriage return, which are white space to a reader, and
# noncharacters: https://www.unicode.org/versions/latest/core-spec/chapter-23/.
_CONTROLS = r"(?![\t\n\r])\p{Cc}"
_NONCHARACTERS = r"\p{Noncharacter_Code_Point}"
# Zero-width and format characters, variation selectors, tags; the Braille pattern without dots.
_IGNORABLE = r"[\p{Default_Ignorable_Code_Point}\p{Cf}\u2800]"
# What is written over a letter and leaves it readable: l̷i̷k̷e̷ ̷t̷h̷i̷s̷.
_OVERLAYS = r"[\u0335-\u0338\u20d2-\u20e4\u0489]"
UNSEEN = rf"(?:{_CONTROLS}|{_NONCHARACTERS}|{_IGNORABLE}|{_OVERLAYS})"
"""Matches a character that clients do not show, for `regex`."""

SPACES = frozenset("\x0b\x0c\x1c\x1d\x1e\x1f\x85")
"""The unseen characters that are white space as well: nothing inside of a word, and a space between
two."""

ZERO_WIDTH = "\u200b"
"""An unseen character like most."""

SOLIDUS = "\u0338"
"""The overlay that negates a sign: `=` and this are `≠`, which nobody reads as `=`."""

# The ranges in which Unicode has such characters, or reserves code points for them; noncharacters
# also end each plane.
_AMONG = (
    (0, 0x3400),
    (0xFD00, 0x10000),
    (0x11000, 0x1D200),
    (0xE0000, 0xE1000),
    *[(plane + 0xFFFE, plane + 0x10000) for plane in range(0x10000, 0x110000, 0x10000)],
)


@cache
def unseen() -> re.Pattern[str]:
    """A pattern that finds an unseen character, one that may negate a sign included.

    It is of `re`, which has no such classes but is faster on a short text.
    """
    parts = ["".join(map(chr, range(first, end))) for first, end in _AMONG]
    runs = [match for part in parts for match in regex.findall(f"{UNSEEN}+", part)]
    spans = [f"{re.escape(run[0])}-{re.escape(run[-1])}" for run in runs]
    return re.compile("[" + "".join(spans) + "]")


@cache
def _negatable() -> frozenset[str]:
    """The signs that Unicode has negated, too, such as `=`, `<` and `∈`."""
    negated = (unicodedata.decomposition(chr(code)).split() for code in range(0x2000, 0x2B00))
    return frozenset(chr(int(parts[0], 16)) for parts in negated if parts[1:] == ["0338"])


def negates(character: str, before: str) -> bool:
    """Whether the character negates the sign at the end of the text before it."""
    return character == SOLIDUS and before[-1:] in _negatable()


def seen(text: str) -> str:
    """A text without its unseen characters."""
    if SOLIDUS not in text:
        return unseen().sub("", text)
    return "".join([part for is_unseen, part in _apart(text, "") if not is_unseen])


def _apart(text: str, before: str) -> Iterator[tuple[bool, str]]:
    """Split a text into its seen and unseen parts; yields whether each is unseen, and the part.
    `before` ends with the character that stands before the text."""
    at = end = 0
    for found in unseen().finditer(text):
        begin = found.start()
        if negates(found[0], text[begin - 1] if begin else before):
            continue
        if begin > end:
            if at < end:
                yield True, text[at:end]
            yield False, text[end:begin]
            at = begin
        end = begin + 1
    if at < end:
        yield True, text[at:end]
    if end < len(text):
        yield False, text[end:]


# Control functions (ECMA-48, section 5.4): a control sequence, and what begins or ends a control
# string. What such a string carries is text: an address, for one.
_SEQUENCE = re.compile(r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|\x1b[\]PX^_\\]")
_BEGINS_SEQUENCE = re.compile(r"\x1b|(?:\x1b\[|\x9b)[0-?]*[ -/]*")
_ESCAPE = re.compile("[\x1b\x9b]")

# What needs more than the reader's care: half a surrogate pair, too, which is joined first.
_HALVES = "\ud800-\udfff"
find_escape = re.compile(f"[\x1b\x9b{_HALVES}]").search


@cache
def find_unseen() -> Callable[[str], object]:
    """What finds an unseen character or half a surrogate pair in a text."""
    return re.compile(f"{unseen().pattern[:-1]}{_HALVES}]").search


MAX_SEQUENCE = 32
"""How many characters a control sequence has at most; a longer one is text."""

Place: TypeAlias = Literal["outside", "begin", "inside", "end"]
"""Where a part of a text stands in a control function, as far as one is known to go on."""


class Part(NamedTuple):
    """A part of a text whose characters are all seen or all unseen. `decided`: whether what seemed
    to be a control function was one, if that is known here."""

    is_unseen: bool
    text: str
    place: Place = "outside"
    decided: bool | None = None


PLAIN = Part(False, "")
"""What most text consists of."""


class Parts:
    """Splits the text of one stream into its parts."""

    __slots__ = ("_sequence",)

    def __init__(self) -> None:
        self._sequence = ""  # what a control function may go on from

    @property
    def is_inside(self) -> bool:
        """Whether the text ends in what may be a control function."""
        return bool(self._sequence)

    def split(self, text: str, before: str) -> Iterator[Part]:
        """The parts of the next text, given what stands before it."""
        at, decided = 0, None
        while at < len(text):
            if begun := self._sequence:
                if place := self._after(text[at]):
                    # After the single character for it, the rest may go on with a word.
                    ends = True if place == "end" and begun[0] == "\x1b" else None
                    yield Part(False, text[at], place, ends)
                    at += 1
                    continue
                decided = False
            found = _ESCAPE.search(text, at)
            end = found.start() if found else len(text)
            for is_unseen, part in _apart(text[at:end], text[:at] or before):
                yield Part(is_unseen, part, decided=decided)
                decided = None
            if found:
                self._sequence = found[0]
                yield Part(True, found[0], "begin", decided)
                decided = None
            at = end + 1

    def _after(self, character: str) -> Place | None:
        """Where the next character stands in the control function; None if it is not part of it."""
        sequence, self._sequence = self._sequence + character, ""
        if len(sequence) > MAX_SEQUENCE:
            return None
        if _SEQUENCE.fullmatch(sequence):
            return "end"
        if _BEGINS_SEQUENCE.fullmatch(sequence):
            self._sequence = sequence
            return "inside"
        return None
