"""The rest of a text that began as JSON and stops being JSON.

A reader that is less strict than RFC 8259 may still decode escapes in it, and so does this stage:
rules see the text with all escapes decoded, and what they do not change is emitted as it was
written.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from guardstream.events import Event, Finding, Finish, Stage, Text, text_of
from guardstream.jsonstream.strings import Spans, begins_escape, encode

_HEX = "[0-9a-fA-F]"
_escape = re.compile(
    rf"""\\(?:["\\/bfnrt]|u(?![dD][89a-fA-F]){_HEX}{{4}}"""
    rf"""|u[dD][89abAB]{_HEX}{{2}}\\u[dD][c-fC-F]{_HEX}{{2}})"""
).fullmatch


class Tail:
    """A stage around `inner`, which was fed what `spans` knows and holds the text `held`.

    The inner stage gets one character at a time, so that it is known which characters it emits.
    This is slow, and only for broken text. Findings refer to the source.
    """

    def __init__(
        self, inner: Stage, spans: Spans, held: str = "", write: Callable[[str], str] = encode
    ) -> None:
        self._inner = inner
        self._spans = spans
        self._waiting = deque((char, write(char)) for char in held)  # and how the source writes it
        self._begun = ""  # possibly the beginning of an escape
        self._at = spans.start(spans.length)
        self._finished = False

    @property
    def held(self) -> int:
        """How many code points of the source are held back now."""
        if self._finished:
            return 0
        spans = self._spans
        return self._at + len(self._begun) - spans.start(spans.length - self._inner.held)

    def feed(self, text: str) -> list[Event]:
        """Take the next characters of the source."""
        events: list[Event] = []
        for char in text:
            self._char(char, events)
        return events

    def finish(self) -> list[Event]:
        """Take the source's end."""
        if self._finished:
            return []
        events: list[Event] = []
        begun, self._begun = self._begun, ""
        for char in begun:
            self._take(char, char, events)
        if not self._finished:
            self._emit(self._inner.finish(), events)
        return events

    def _char(self, char: str, events: list[Event]) -> None:
        begun = self._begun + char
        if begun == char and char != "\\":
            self._take(char, char, events)
        elif _escape(begun):
            self._begun = ""
            self._take(json.loads(f'"{begun}"'), begun, events)
        elif begins_escape(begun):
            self._begun = begun
        else:
            self._begun = ""
            self._take("\\", "\\", events)
            for each in begun[1:]:
                self._char(each, events)

    def _take(self, char: str, source: str, events: list[Event]) -> None:
        """Give the inner stage one character, which the source writes as `source`."""
        if self._finished:
            return
        self._spans.add(char, self._at, self._at + len(source))
        self._at += len(source)
        self._waiting.append((char, source))
        self._emit(self._inner.feed(char), events)

    def _emit(self, given: list[Event], events: list[Event]) -> None:
        """Add the events of the inner stage, with the text as the source writes it."""
        self._finished = bool(given) and isinstance(given[-1], Finish)
        released = len(self._waiting) - (0 if self._finished else self._inner.held)
        gone = [self._waiting.popleft() for _ in range(released)]
        written = _written(gone, text_of(given))
        for event in given:
            if isinstance(event, Text):
                events.append(Text("".join(written[: len(event.text)])))
                del written[: len(event.text)]
            elif isinstance(event, Finding):
                start, end = self._spans.placed(event.start, event.end)
                events.append(replace(event, start=start, end=end))
            else:
                events.append(event)


def _written(gone: list[tuple[str, str]], text: str) -> list[str]:
    """Return how each character of `text` is written, which replaces the characters `gone`.

    Their common prefix and suffix are written as in the source.
    """
    before = "".join(char for char, _ in gone)
    head = _common(before, text)
    tail = min(_common(before[::-1], text[::-1]), min(len(before), len(text)) - head)
    middle = [encode(char) for char in text[head : len(text) - tail]]
    sources = [source for _, source in gone]
    return sources[:head] + middle + sources[len(gone) - tail :]


def _common(one: str, other: str) -> int:
    """Return the length of the common prefix of two texts."""
    for at, (first, second) in enumerate(zip(one, other, strict=False)):
        if first != second:
            return at
    return min(len(one), len(other))
