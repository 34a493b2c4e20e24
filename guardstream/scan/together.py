"""Reads a text by all searches of a stream together, up to where somebody must look."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeAlias

from guardstream.scan.match import Steps
from guardstream.scan.regex.stepper import Stepper
from guardstream.scan.words.aho_corasick import WordStepper

try:
    from guardstream.scan import _native
except ImportError:
    # Without a compiler, or where the extension does not fit the interpreter.
    BUILT = False
else:
    BUILT = True

MOST = 64
"""How many searches the extension reads together."""

Settled: TypeAlias = tuple[int, int, list[tuple[int, int, int]]]
"""The index after a character, how many characters are held there, and what is masked of the
matches that the character has made certain: the rule, start and end of each."""

Ran: TypeAlias = tuple[int, int, bool, "Sequence[Settled] | None"]
"""The index after the last character read, how many characters are held there, whether somebody
must look there, and what has been settled before that."""


def run(searches: Sequence[Steps], text: str, begin: int, end: int) -> Ran:
    """Read `text[begin:end]` by each of the searches, up to the first character after which
    somebody must look at one of them."""
    end, due = _stopped(searches, text, begin, end)
    return end, _held(searches), due, None


def _stopped(searches: Sequence[Steps], text: str, begin: int, end: int) -> tuple[int, bool]:
    """Read as `run` does; return the index after the last character read, and whether somebody must
    look there."""
    for number, search in enumerate(searches):
        stop = search.run(text, begin, end)
        if stop < end:
            end = stop
            for earlier in searches[:number]:
                earlier.unread()
                earlier.run(text, begin, end)
    for search in searches:
        if search.due:
            return end, True
    return end, False


def _held(searches: Sequence[Steps]) -> int:
    """How many characters the oldest live candidate of all searches holds back."""
    held = 0
    for search in searches:
        waits = search.held_back()
        if waits > held:
            held = waits
    return held


def read(searches: Sequence[Steps], text: str) -> int | Ran:
    """Read all of `text` by each of the searches; return how many characters are held, if there is
    nothing else to say."""
    ran = run(searches, text, 0, len(text))
    return ran if ran[2] else ran[1]


# In Python

PythonSteps: TypeAlias = Stepper | WordStepper


def glide(searches: Sequence[PythonSteps], text: str) -> int | Ran:
    """Do as `read`; nearly always nobody must look."""
    held = 0
    for number, search in enumerate(searches):
        waits = search.glide(text)
        if waits < 0:
            for earlier in searches[:number]:
                earlier.unread()
            ran = go(searches, text, 0, len(text))
            return ran if ran[2] or ran[3] else ran[1]
        if waits > held:
            held = waits
    return held


def go(searches: Sequence[PythonSteps], text: str, begin: int, end: int) -> Ran:
    """Do as `run`, and settle what needs no look."""
    settled: list[Settled] = []
    while True:
        begin, due = _stopped(searches, text, begin, end)
        if not due or not all(search.plain for search in searches if search.due):
            return begin, _held(searches), due, settled or None
        found = [match for search in searches if search.due for match in search.settled()]
        held = _held(searches)
        settled.append((begin, held, found))
        if begin == end:
            return begin, held, False, settled


Runner: TypeAlias = Callable[[str, int, int], Ran]
Reader: TypeAlias = Callable[[str], "int | Ran"]


def reading(searches: Sequence[Steps]) -> tuple[Reader, Runner]:
    """What reads a text by all searches of a stream, and what reads a part of one; they settle what
    needs no look where all searches are of one form."""
    if BUILT and len(searches) <= MOST:
        kinds = _native.Stream, _native.WordStream
        natives = tuple([search for search in searches if isinstance(search, kinds)])
        if len(natives) == len(searches):
            return partial(_native.read, natives), partial(_native.run, natives)
    pythons = [search for search in searches if isinstance(search, (Stepper, WordStepper))]
    if len(pythons) == len(searches):
        return partial(glide, pythons), partial(go, pythons)
    return partial(read, searches), partial(run, searches)
