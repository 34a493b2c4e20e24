"""The fields `id` and `retry` of server-sent events whose text is held, rewritten or removed.

A client that loses its connection sends the last id that it has seen, and gets what comes after
that event (https://html.spec.whatwg.org/#server-sent-events). So an id goes out only when all text
up to its event has; until then, events go out without theirs. `retry` goes out at once. Events
that clients may stop reading at wait for the held text before them.
"""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from collections.abc import Sequence
from dataclasses import replace

from guardstream.framing.frames.frame import Frame
from guardstream.framing.sse import Blank, encode
from guardstream.stream.flows.flow import Sent

# The letters come first, so that the regular expression finds them in a long event at once; a line
# may begin after a byte order mark, and after CR alone.
_REST = rb"(?:: ?([^\r\n]*))?(?:\r\n|\r|\n)"
_ID = re.compile(rb"id(?:(?<=\Aid)|(?<=[\r\n]id)|(?<=\A\xef\xbb\xbfid))" + _REST)
_RETRY = re.compile(rb"retry(?:(?<=\Aretry)|(?<=[\r\n]retry)|(?<=\A\xef\xbb\xbfretry))" + _REST)


class EventFields:
    """The last id of one stream that has not gone out."""

    def __init__(self) -> None:
        self._id: str | None = None

    @property
    def waits(self) -> bool:
        """Whether an id waits for held text."""
        return self._id is not None

    def note(self, frame: Frame) -> None:
        """Take the id of the next event of the source."""
        if frame.id is not None:
            self._id = frame.id

    def placed(self, sent: list[Sent[bytes]], *, held: bool) -> list[Sent[bytes]]:
        """Return events without ids while text is `held`, and otherwise with the last id."""
        if self._id is None or not sent:
            return sent
        *before, last = sent
        if held:
            return [_with_id(each, None) for each in sent]
        sent = [*[_with_id(each, None) for each in before], _with_id(last, self._id)]
        self._id = None
        return sent


def with_retry(sent: list[Sent[bytes]], frame: Frame) -> list[Sent[bytes]]:
    """Return what goes out for an event, with the reconnection time that it states."""
    if frame.retry is None or any(_RETRY.search(each.chunk) for each in sent):
        return sent
    return [Sent(encode(Blank(retry=frame.retry))), *sent]


def _with_id(sent: Sent[bytes], own: str | None) -> Sent[bytes]:
    raw = sent.chunk
    if _ID.findall(raw) == ([] if own is None else [own.encode()]):
        return sent
    line = b"" if own is None else encode(Blank(id=own))[:-1]
    mark = BOM_UTF8 if raw.startswith(BOM_UTF8) else b""
    return replace(sent, chunk=mark + line + _ID.sub(b"", raw)[len(mark) :])


_MOST = 64
"""How many events may wait."""


class WaitingEvents:
    """The events between a text that was held when they came and what follows it.

    They go out once all of that text has, or together with it if the stream ends.
    """

    def __init__(self) -> None:
        self._events: list[Sent[bytes]] = []
        self._text = 0  # characters of text since the first of them

    def __bool__(self) -> bool:
        return bool(self._events)

    def add(self, sent: Sequence[Sent[bytes]], *, is_long: bool) -> list[Sent[bytes]]:
        """Take an event that comes after held text; return what goes out now.

        If it `is_long`, or too many wait, all of them go out before the text.
        """
        if is_long or len(self._events) == _MOST:
            return [*self.release(), *sent]
        self._events += sent
        return []

    def note_text(self, characters: int, held: int) -> list[Sent[bytes]]:
        """Take note of further text; return the events if none of the text before them is `held`
        any more."""
        self._text += characters
        return self.release() if held <= self._text else []

    def release(self) -> list[Sent[bytes]]:
        """Return all events that wait."""
        events, self._events, self._text = self._events, [], 0
        return events
