"""The pipeline of a channel without rules: text passes at once."""

from __future__ import annotations

from guardstream.events import Event, Finish, Text


class Passthrough:
    """A stage that holds nothing and finds nothing."""

    held = 0

    def __init__(self) -> None:
        self._finished = False

    def feed(self, text: str) -> list[Event]:
        """Release `text`."""
        return [Text(text)] if text and not self._finished else []

    def finish(self) -> list[Event]:
        """End the text."""
        if self._finished:
            return []
        self._finished = True
        return [Finish("stop")]
