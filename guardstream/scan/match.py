"""What the searches report, and the text that they look back into."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol


class Announcing(Protocol):
    """Keywords, one of which has to stand in the `reach` characters before a match: without one, a
    match can be refused as soon as it begins."""

    reach: int

    def are_missing(self, text: str) -> bool:
        """Whether every match that begins in this text is refused; False if that is not known
        without a closer look."""
        ...

    def announced(self, text: str, begin: int, end: int) -> int:
        """The first index from `begin` on at which keywords allow a match to begin; `end` if there
        is none before."""
        ...


class Confirm(NamedTuple):
    """Judges matches. `judge` gets the matched text, and up to `reach` characters of the text
    before it; False refuses the match. It refuses at least what the `keywords` refuse, if any."""

    judge: Callable[[str, str], bool]
    reach: int = 0
    keywords: Announcing | None = None


class Match(NamedTuple):
    """A settled span of a rule: offsets in code points from the text's start, end exclusive.

    `rule` is the rule's number. `began` is where the match began if the span is that of its group;
    None if it began at `start`. `pattern` is the pattern's number in its search; 0 for a word.
    `failed`: the confirmation raised or ran out of time, and `start`
    is where the unconfirmed candidate's hold-back begins. `judged` is False if the match was so
    long that its text is no longer kept: it has overflowed, is masked, and is not reported.
    """

    rule: int
    start: int
    end: int
    began: int | None = None
    pattern: int = 0
    failed: bool = False
    judged: bool = True

    def goes_on(self, hold: int, written: int) -> bool:
        """Whether the match may be that of a candidate which overflowed when it was held from
        `hold`, and its span begins in text that has been written since."""
        began = self.start if self.began is None else self.began
        return began <= hold and self.start < written


class Window:
    """The end of the text, as far back as a search may still need it. It begins at offset `base`.

    Text that is read is appended to `parts`. These are joined only when `text` is used, which few
    chunks need.
    """

    __slots__ = ("base", "parts")

    def __init__(self) -> None:
        self.base = 0
        self.parts: list[str] = []

    @property
    def text(self) -> str:
        """All that is kept of the text."""
        if len(self.parts) != 1:
            self.parts[:] = ["".join(self.parts)]
        return self.parts[0]

    @text.setter
    def text(self, text: str) -> None:
        self.parts[:] = [text]

    def slice(self, start: int, end: int) -> str:
        """The text between two offsets."""
        return self.text[max(start - self.base, 0) : max(end - self.base, 0)]

    def forget(self, before: int) -> None:
        """Drop the text before an offset."""
        if before > self.base:
            self.text = self.text[before - self.base :]
            self.base = before


class Steps(Protocol):
    """Reads a text for a search.

    A character needs attention if it may settle a match, or if it ends a candidate that is masked
    as it arrives. The search is then asked what has changed.
    """

    def run(self, text: str, begin: int, end: int, /) -> int:
        """Read `text[begin:end]` up to the first character that needs attention; return the index
        after the last character read."""
        ...

    def unread(self) -> None:
        """Go back to where the last `run` began."""
        ...

    @property
    def due(self) -> bool:
        """Whether the last character needs attention."""
        ...

    def held_back(self) -> int:
        """How many characters the oldest live candidate holds back."""
        ...


class Scan(Protocol):
    """One search over one stream. Offsets count code points from the stream's start."""

    @property
    def steps(self) -> Steps:
        """The object that reads the text."""
        ...

    def watched(self) -> bool:
        """Whether every character needs attention, since a candidate that overflowed lives on, and
        `steps` cannot tell when it ends."""
        ...

    def settle(self, window: Window) -> list[Match]:
        """The matches that have become certain with the last character, each once."""
        ...

    def stop(self, window: Window) -> list[Match]:
        """The matches that stand if nothing more is read, though the text may go on."""
        ...

    def finish(self, window: Window) -> list[Match]:
        """The matches that the end of the text makes certain."""
        ...

    def hold(self) -> int:
        """Where the oldest live candidate's hold-back begins; the present offset if none lives."""
        ...

    def needed(self) -> int:
        """The first offset that the window must keep."""
        ...

    def holders(self, hold: int) -> list[int]:
        """The rules whose candidates' hold-back begins at `hold` or before."""
        ...

    def overflow(self, hold: int, window: Window, *, drop: bool) -> None:
        """Hold no more text for the candidates that are held from `hold` or before: drop them, or
        only notice when they end."""
        ...

    def prune(self, upto: int, window: Window) -> None:
        """Settle candidates of approximated patterns that more text cannot change: the next
        `settle` returns their matches. Let go of candidates that are refused whatever follows; at
        least of those whose hold-back begins at `upto` or before."""
        ...

    def wrote(self, upto: int, window: Window) -> None:
        """All before `upto` is written: hold nothing for a match that masks nothing beyond it."""
        ...

    def overflowing(self, window: Window) -> bool:
        """Whether a candidate that overflowed, and was not dropped, lives on."""
        ...

    def disable(self, rule: int) -> None:
        """Forget the rule and its candidates from here on."""
        ...
