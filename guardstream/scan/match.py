"""What the searches report, and the text that they look back into."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol


class Announcing(Protocol):
    """What has to stand in the `reach` characters before a match, so that one is refused as soon as
    it begins."""

    reach: int

    def are_missing(self, text: str) -> bool:
        """Whether every match that begins in this text is refused; False where that takes a closer
        look."""
        ...

    def announced(self, text: str, begin: int, end: int) -> int:
        """The first place in a text, from `begin` on, where no match is refused; `end` if there is
        none before."""
        ...


class Confirm(NamedTuple):
    """A judge of matches: given the matched text, and up to `reach` characters of the text before
    it, False refuses the match. It refuses what the `keywords` refuse, if there are any."""

    judge: Callable[[str, str], bool]
    reach: int = 0
    keywords: Announcing | None = None


class Match(NamedTuple):
    """A settled span of a rule: offsets in code points from the text's start, end exclusive.

    `rule` is the number the rule was given. `began` is where the match began of which the span is
    the group; None where it began as well. `failed`: the confirmation raised or ran out of time,
    and `start` is where the unconfirmed candidate's hold-back begins. `judged` is False of a match
    so long that its text is no longer kept: it has overflowed, is masked, and is not reported.
    """

    rule: int
    start: int
    end: int
    began: int | None = None
    failed: bool = False
    judged: bool = True

    def goes_on(self, hold: int, written: int) -> bool:
        """Whether the match may be of a candidate that overflowed when it was held from `hold`,
        and begins in what has been written since."""
        began = self.start if self.began is None else self.began
        return began <= hold and self.start < written


class Window:
    """The end of the text as far as it may still be asked for; it begins at offset `base`.

    What is read is appended to `parts`, which are joined only when the text is asked for: few
    chunks need that.
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
        """Drop what lies before the offset."""
        if before > self.base:
            self.text = self.text[before - self.base :]
            self.base = before


class Steps(Protocol):
    """What steps a search.

    A character needs attention if after it a match may be settled, or if a candidate has ended that
    is masked as it arrives: then the search is asked what has changed.
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
        """What reads the text."""
        ...

    def watched(self) -> bool:
        """Whether every character needs attention, since a candidate that overflowed lives on and
        the steps do not tell when it ends."""
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
        """Hold the candidates up to `hold` no more: drop them, or only watch them live on."""
        ...

    def prune(self, upto: int, window: Window) -> None:
        """Settle candidates that can no longer match, or match otherwise, where that is known only
        approximately: their matches are settled next. Let go of those that are refused whatever
        follows, of those at least whose hold-back begins at `upto` or before."""
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
