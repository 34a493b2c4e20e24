"""The pipeline of a channel without rules: text passes at once."""

from __future__ import annotations

from guardstream.events import Event, Finish, Text


class _Reader:
    """Reads text that nothing holds, up to its end."""

    held = 0

    def __init__(self) -> None:
        self.finished = False

    def feed(self, text: str) -> str:
        return "" if self.finished else text


class Passthrough:
    """A stage that holds nothing and finds nothing."""

    held = 0

    def __init__(self) -> None:
        self.reader = _Reader()

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
        return [Finish("stop")]
