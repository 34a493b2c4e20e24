"""Guards a text that continues in another stream, after the text that was already released.

A rule may look behind, and a JSON document may have begun. So the released text is fed to the rules
before the continuation, and removed from their output.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from guardstream.events import Event, Text
from guardstream.stages.custom import StagePlan


def continuing(text: str) -> Sequence[StagePlan]:
    """Return the stages of a stream that goes on from `text`, which is guarded."""
    channels = frozenset({"text"})
    return (
        StagePlan(partial(_Said, text), "said", "before", channels),
        StagePlan(partial(_Unsaid, text), "unsaid", "after", channels),
    )


class _Said:
    """Says a text before the first that comes."""

    def __init__(self, text: str) -> None:
        self._text = text

    def feed(self, text: str) -> Sequence[Event]:
        said, self._text = self._text, ""
        return [Text(said + text)]

    def finish(self) -> Sequence[Event]:
        return []


class _Unsaid:
    """Leaves out a text at the beginning, as far as it comes."""

    def __init__(self, text: str) -> None:
        self._text = text

    def feed(self, text: str) -> Sequence[Event]:
        same = _same(self._text, text)
        # What comes out otherwise, as a match reaches over the seam, is said from there on.
        self._text = self._text[same:] if same == len(text) else ""
        return [Text(text[same:])]

    def finish(self) -> Sequence[Event]:
        return []


def _same(one: str, other: str) -> int:
    """How many characters two texts have in common at their beginning."""
    length = min(len(one), len(other))
    if one[:length] == other[:length]:
        return length
    return next(place for place in range(length) if one[place] != other[place])
