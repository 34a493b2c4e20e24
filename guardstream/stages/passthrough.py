"""The pipeline of a channel without rules: text passes at once."""

from __future__ import annotations

from guardstream.events import Event, Finish, Text
from guardstream.stages.halves import Halves


class _Reader:
    """Reads text that nothing holds, up to its end."""

    def __init__(self) -> None:
        self.finished = False
        self.halves = Halves()

    @property
    def held(self) -> int:
        return len(self.halves.waiting)

    def feed(self, text: str) -> str:
        return "" if self.finished else self.halves.joined(text)


class Passthrough:
    """A stage that finds nothing, and holds nothing but half a surrogate pair."""

    def __init__(self) -> None:
        self.reader = _Reader()

    @property
    def held(self) -> int:
        """How many code points are held."""
        return self.reader.held

    def feed(self, text: str) -> list[Event]:
        """Release `text`."""
        released = self.reader.feed(text)
        return [Text(released)] if released else []

    def feed_unread(self, _: str, read: str) -> str:
        """See `Readable`: the reader reads all text."""
        return read

    def finish(self) -> list[Event]:
        """End the text."""
        if self.reader.finished:
            return []
        self.reader.finished = True
        rest = self.reader.halves.rest()
        return [*([Text(rest)] if rest else []), Finish("stop")]
