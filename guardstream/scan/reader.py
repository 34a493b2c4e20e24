"""Reads a text with all searches of a stream in step, and keeps the part that is held."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

from guardstream.scan.match import Steps
from guardstream.scan.regex.stepper import Stepper
from guardstream.scan.words.stepper import WordStepper

try:
    from guardstream.scan import _native
except ImportError:
    # Without a compiler, or where the extension does not fit the interpreter.
    BUILT = False
else:
    BUILT = True

MAX_SEARCHES = 64
"""How many searches the extension reads together."""

MAX_PARTS = 16
"""So many parts of a text are kept before they are joined: many small ones take more memory than
one."""

Settled: TypeAlias = tuple[int, int, list[tuple[int, int, int]]]
"""The index after a character, how many characters are held there, and the spans that are masked
since the character has made matches certain: (rule, start, end) of each."""

Ran: TypeAlias = tuple[int, int, bool, "Sequence[Settled] | None"]
"""The index after the last character read, how many characters are held there, whether that
character needs attention (`match.Steps`), and what was settled before it."""

FindUnseen: TypeAlias = Callable[[str], object]
"""Finds an unseen character in a text, or half a surrogate pair; in ASCII, only control characters
are unseen."""


class Reader(Protocol):
    """Reads one stream. Offsets and lengths are in code points.

    `tail` is the text that is held, `written` how much came before it, and `position` how much has
    been read: the sum of both, except while a text is handled event by event.

    `feed` is for the common case. It reads nothing while `busy`, nor once `position` is beyond
    `trim_at`, so that its caller can trim what was read.
    """

    tail: str
    written: int
    position: int
    trim_at: int
    busy: bool

    @property
    def held(self) -> int:
        """How many characters are held."""
        ...

    def feed(self, text: str, /) -> str | Ran | None:
        """Read a text. Return the text that is released, if nothing else has happened; None if
        nothing was read. Otherwise return what `run` does; the text is then not yet in `tail`."""
        ...

    def read(self, text: str, /) -> int | Ran:
        """Read a text for a caller that keeps it. Return how many characters are held, if nothing
        else has happened; otherwise what `run` returns."""
        ...

    def run(self, text: str, begin: int, end: int, /) -> Ran:
        """Read `text[begin:end]` up to the first character that needs attention."""
        ...


def reader_of(searches: Sequence[Steps], parts: list[str], most: int, unseen: FindUnseen) -> Reader:
    """Return the fastest reader that the searches allow.

    `feed` appends what it reads to `parts`, lets `tail` become at most `most` characters long, and
    does not read a text in which `unseen` finds something.
    """
    if BUILT and len(searches) <= MAX_SEARCHES:
        kinds = _native.Stream, _native.WordStream
        natives = tuple([search for search in searches if isinstance(search, kinds)])
        if len(natives) == len(searches):
            return _native.Reader(natives, parts, most, unseen)
    pythons = [search for search in searches if isinstance(search, (Stepper, WordStepper))]
    if len(pythons) == len(searches):
        return PythonReader(pythons, parts, most, unseen)
    return MixedReader(searches, parts, most, unseen)


class MixedReader:
    """A reader for searches in any mix of forms; it leaves every match to its caller."""

    __slots__ = (
        "_find_unseen",
        "_most",
        "_parts",
        "_searches",
        "busy",
        "position",
        "tail",
        "trim_at",
        "written",
    )

    def __init__(
        self, searches: Sequence[Steps], parts: list[str], most: int, unseen: FindUnseen
    ) -> None:
        self._searches = searches
        self._parts = parts
        self._most = most
        self._find_unseen = unseen
        self.tail = ""
        self.written = 0
        self.position = 0
        self.trim_at = 0
        self.busy = False

    @property
    def held(self) -> int:
        """See `Reader.held`."""
        return self.position - self.written

    def feed(self, text: str) -> str | Ran | None:
        """See `Reader.feed`."""
        tail = self.tail + text
        if (
            self.busy
            or not text
            or len(tail) > self._most
            or self.position > self.trim_at
            or self._find_unseen(text)
        ):
            return None
        held = self.read(text)
        if not isinstance(held, int):
            return held
        parts = self._parts
        parts.append(text)
        if len(parts) > MAX_PARTS:
            # The first one is usually long.
            parts[1:] = ["".join(parts[1:])]
        self.position += len(text)
        if not held:
            self.tail = ""
            self.written = self.position
            return tail
        release = len(tail) - held
        if release <= 0:
            self.tail = tail
            return ""
        self.written += release
        self.tail = tail[release:]
        return tail[:release]

    def read(self, text: str) -> int | Ran:
        """See `Reader.read`."""
        ran = self.run(text, 0, len(text))
        return ran if ran[2] else ran[1]

    def run(self, text: str, begin: int, end: int) -> Ran:
        """See `Reader.run`."""
        return run(self._searches, text, begin, end)


class PythonReader(MixedReader):
    """A reader for searches in Python; it settles matches that need no attention."""

    __slots__ = ()

    _searches: Sequence[Stepper | WordStepper]

    def read(self, text: str) -> int | Ran:
        """See `Reader.read`; nearly always no character needs attention."""
        held = 0
        for search in self._searches:
            waits = search.glide(text)
            if waits < 0:
                for earlier in self._searches[: self._searches.index(search)]:
                    earlier.unread()
                ran = self.run(text, 0, len(text))
                return ran if ran[2] or ran[3] else ran[1]
            if waits > held:
                held = waits
        return held

    def run(self, text: str, begin: int, end: int) -> Ran:
        """See `Reader.run`."""
        settled: list[Settled] = []
        searches = self._searches
        while True:
            begin, due = _stopped(searches, text, begin, end)
            if not due or not all(search.plain for search in searches if search.due):
                return begin, _held(searches), due, settled or None
            found = [match for search in searches if search.due for match in search.settled()]
            held = _held(searches)
            settled.append((begin, held, found))
            if begin == end:
                return begin, held, False, settled


def run(searches: Sequence[Steps], text: str, begin: int, end: int) -> Ran:
    """Read `text[begin:end]` with all searches, up to the first character that needs attention in
    one of them."""
    end, due = _stopped(searches, text, begin, end)
    return end, _held(searches), due, None


def _stopped(searches: Sequence[Steps], text: str, begin: int, end: int) -> tuple[int, bool]:
    """Read as `run` does; return the index after the last character read, and whether it needs
    attention."""
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
