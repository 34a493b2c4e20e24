"""A stage of an application's own."""

from __future__ import annotations

from guardstream import Text
from guardstream.events import Event


class Upper:
    """Says everything aloud; leaves out all that may be left out."""

    def feed(self, text: str) -> list[Event]:
        return [Text(text.upper())]

    def finish(self) -> list[Event]:
        return []
