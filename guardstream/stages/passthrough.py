"""The pipeline of a channel without rules: text passes at once."""

from __future__ import annotations

from guardstream.events import Event, Finish, Text


class _Reader:
    """Reads text that nothing holds."""

    held = 0
    feed = str  # text as it is


class Passthrough:
    """A stage that holds nothing and finds nothing."""

    held = 0
    reader = _Reader()

    def __init__(self) -> None:
        self._finished = False

    def feed(self, text: str) -> list[Event]:
        """Release `text`."""
        return [Text(text)] if text and not self._finished else []

    def feed_unread(self, text: str, _: str) -> str:
        """See `Readable`: there is no such text."""
        return text

    def finish(self) -> list[Event]:
        """End the text."""
        if self._finished:
            return []
        self._finished = True
        return [Finish("stop")]
