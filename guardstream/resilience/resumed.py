"""Guards a text that continues in another stream, after the part that was released.

A rule may look behind, a JSON document may have begun, and limits have counted. So the pipeline of
the continuation is first fed the text before the seam, and its output for that is discarded. It is
fed the provider's text, not the released one, because rules must not see their own replacements.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from guardstream.events import Event, Finding, Form, Stage, Text
from guardstream.stream.flows.flow import MakeStage


@dataclass(frozen=True, slots=True)
class Seam:
    """The point where a text broke off: the text that the provider sent, and the text that was
    released.

    A seam without text is the beginning of a stream.
    """

    source: str = ""
    released: str = ""
    findings: Sequence[Finding] = ()


class ResumableTexts:
    """The texts of one stream that continues after a seam, and may break off again."""

    def __init__(self, seam: Seam) -> None:
        self._seam = seam
        self._texts: list[_ResumedText] = []

    def around(self, make: MakeStage) -> MakeStage:
        """Return a factory of the same pipelines; those of text know the text before the seam."""

        def made(channel: str, tool: str | None = None, form: Form = "json") -> Stage:
            if channel != "text":
                return make(channel, tool, form)
            text = _ResumedText(partial(make, channel, tool, form), self._seam)
            self._texts.append(text)
            return text

        return made

    def seam(self, released: str) -> Seam:
        """Return the seam where the stream breaks off; `released` are all released texts, including
        those before it."""
        ends = [text for text in self._texts if text.released and released.endswith(text.released)]
        return max(ends, key=lambda text: len(text.released)).seam() if ends else self._seam


class _ResumedText:
    """A pipeline for a text whose beginning was guarded and released before.

    `stream.flows.slots.Continued` also feeds a pipeline earlier text, but a tail that was released
    unchanged. Here the released text contains masks, and a seam is the beginning of the next
    attempt.
    """

    def __init__(self, make: Callable[[], Stage], seam: Seam) -> None:
        self._make, self._stage = make, make()
        self._ahead = seam.source  # what the pipeline has yet to be fed
        self._again = seam.released  # what it emits a second time
        self._known = [*seam.findings]  # which it reports a second time
        self._source: list[str] = []
        self._released = [seam.released]
        self._found = [*seam.findings]

    @property
    def held(self) -> int:
        """How many code points are held back now."""
        return self._stage.held

    @property
    def released(self) -> str:
        """The released part of the text so far."""
        return "".join(self._released)

    def feed(self, text: str) -> list[Event]:
        """Take the next characters; return the events that are certain."""
        text, self._ahead = self._ahead + text, ""
        self._source.append(text)
        return self._new(self._stage.feed(text))

    def finish(self) -> list[Event]:
        """Take the source's end; return the remaining events."""
        before = self.feed("") if self._ahead else []
        return [*before, *self._new(self._stage.finish())]

    def seam(self) -> Seam:
        """Return the seam where the text breaks off if nothing follows."""
        source, released = "".join(self._source), self.released
        end = len(source) - self._stage.held
        with suppress(Exception):  # the stage may not do the same again
            end = _end(self._make(), source, len(released))
        return Seam(source[:end], released, tuple(self._found))

    def _new(self, events: Sequence[Event]) -> list[Event]:
        new: list[Event] = []
        for event in events:
            if isinstance(event, Text):
                text = self._without(event.text)
                new += [Text(text)] if text else []
                self._released.append(text)
            elif isinstance(event, Finding) and event in self._known:
                self._known.remove(event)
            else:
                new.append(event)
        self._found += [event for event in new if isinstance(event, Finding)]
        return new

    def _without(self, text: str) -> str:
        """Leave out the text that was released before, up to the first difference."""
        same = _same(self._again, text)
        self._again = self._again[same:] if same == len(text) else ""
        return text[same:]


def _end(stage: Stage, source: str, released: int) -> int:
    """Return how much of `source` the stage has released when it has emitted that many characters.

    Text that waits for the end of a sentence counts as it will be released, so the stage is asked
    as soon as the text is released, when little waits.
    """
    for fed, character in enumerate(source, 1):
        for event in stage.feed(character):
            released -= len(event.text) if isinstance(event, Text) else 0
        if released <= 0:
            return fed - stage.held
    raise ValueError("the stage has released less than before")


def _same(one: str, other: str) -> int:
    """Return the length of the common prefix of two texts."""
    length = min(len(one), len(other))
    if one[:length] == other[:length]:
        return length
    return next(place for place in range(length) if one[place] != other[place])
