"""Frames of text in a stream of bytes: plain, or as JSON strings.

The first text decides which. What can be read in two ways is guarded both ways: `"a \u0062"` both
decoded and as it is written.

Some clients read only the events of one name, others read all of them. Rules see one text, with a
space wherever the name changes. Text goes out under the name that it came under, and text and JSON
never share an event, because clients may read only the text. If a match spans a change of names,
its beginning may have gone out: then the rest is masked or blocked.

Frames that are neither a chunk nor text are here, too: other JSON, and the names and ids of events.
Nothing shows which of these continue another, so each is judged at once, by its path.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import takewhile
from typing import Any, NamedTuple

from guardstream.framing.frames.event import EventFrames
from guardstream.framing.frames.frame import Frame, Frames
from guardstream.framing.frames.text import MessageFrames
from guardstream.framing.json import json_bytes
from guardstream.stream.flows.chunks import ChunkFlow
from guardstream.stream.flows.flow import Sent
from guardstream.stream.flows.text import TextFlow

_PROTOCOL = re.compile(r"[a-z]+(?:_[a-z]+)*(?:[./][a-z_]+)+|[a-z]+(?:_[a-z]+)+")
"""How formats name their events: lower-case words, joined by dots, slashes or underscores."""

_MOST_NAMES = 256
"""How many harmless event names are remembered."""


def name_beside(frame: Frame) -> str:
    """Return the name of an event, unless its data is JSON that has it, too."""
    kind = frame.value.get("type") if isinstance(frame.value, dict) else None
    return "" if kind == frame.name else frame.name


class OtherFrames:
    """Guards frames of unknown JSON, names and ids, in a flow of its own."""

    def __init__(self, flow: ChunkFlow[Any]) -> None:
        self.flow = flow
        flow.finds_texts = False  # nothing shows what continues what: none of it is held
        self._names: set[str] = {"message"}  # event names known to be harmless

    def judged(self, reading: str, text: str, name: str) -> str:
        """Guard another `reading` ("raw" or "decoded") of an event's text; none of it is held."""
        self.flow.enter(name)
        sent = self.flow.feed({reading: text})
        return str(sent[0].chunk.get(reading, "")) if sent else ""

    def judged_by_name(self, name: str, text: str, *, changes: bool) -> str:
        """Guard text together with earlier text of its event name, and of all names."""
        return self.flow.guard_named(name, text, changes=changes)

    def value(self, frame: Frame) -> Any | None:
        """Return the guarded value of a frame: itself if unchanged, None if all of it is
        removed."""
        self.flow.enter(name_beside(frame))
        sent = self.flow.feed(frame.value, frame)
        if not sent:
            return None
        value = sent[0].chunk
        return frame.value if value == frame.value else value

    def judge_names(self, frame: Frame) -> None:
        """Judge an event's name and id, which clients depend on: a match blocks."""
        for what, text in (("event", frame.name), ("id", frame.id or "")):
            if text and text not in self._names and not _PROTOCOL.fullmatch(text):
                self.flow.guard_name(f"$.{what}", text)
        if self.flow.ended is None and len(self._names) < _MOST_NAMES:
            self._names.add(frame.name)

    def has_named(self, frame: Frame) -> bool:
        """Return whether a frame has a name or an id that has not been judged."""
        return bool(frame.name and frame.name not in self._names) or frame.id not in (None, "")

    @property
    def knows_names(self) -> bool:
        """Whether the source names its events."""
        return len(self._names) > 1


_CHANGE = " "
"""What rules see at a change of the event name, so that no word continues across it."""


class _Named(NamedTuple):
    """A text of one event name, None for a change of names.

    `quoted` says that it is written as a JSON string, `is_last` that it is of the last event.
    """

    name: str | None
    text: str
    quoted: bool
    is_last: bool = False


class TextFrames:
    """Guards frames of text; `quoted` says that they are JSON strings.

    Other readings of the text are guarded by `others`: if they block, its flow has ended, and
    nothing of the frame goes out.
    """

    def __init__(
        self, flow: TextFlow, frames: Frames, others: OtherFrames, *, quoted: bool
    ) -> None:
        self.flow = flow
        self.quoted = quoted
        self._frames = frames
        self._others = others
        self._is_whole = isinstance(frames, (EventFrames, MessageFrames))  # frames are never cut
        self._was_apart = False  # whether other JSON came since the last text
        self.name: str | None = None  # of the last event with text
        self._held = ""  # the source of the held text of the last name
        self._earlier: list[_Named] = []  # the same of the names before it
        self._held_quoted = quoted

    def feed(self, frame: Frame) -> list[Sent[bytes]]:
        """Guard a frame's text, and its other reading if it is a JSON string."""
        text, quoted = frame.data, False
        if frame.form == "string":
            quoted = self.quoted
            decoded = str(frame.value)
            other = ("raw", frame.data) if quoted else ("decoded", decoded)
            apart = self._others.judged(*other, frame.name)
            if self._others.flow.ended is not None:
                return []
            if quoted:
                text, quoted = (decoded, True) if apart == frame.data else (apart, False)
            elif apart != decoded:
                text = json_bytes(apart).decode()
        return self._fed(frame, text, quoted=quoted)

    def feed_json(self, frame: Frame, text: str) -> list[Sent[bytes]]:
        """Guard a frame of other JSON as text; it stays a frame of its own, as far as it can."""
        if text:
            self._part_from_held(frame)
            self._was_apart = True
        return self._fed(frame, text, quoted=False, apart=True)

    def block(self, rule: str | None, last: Frame | None) -> list[Sent[bytes]]:
        """End the text as blocked by something else; `last` is the frame that came last."""
        return self._written(self.flow.block(rule), last, "", quoted=self.quoted)

    def finish(self, last: Frame | None) -> list[Sent[bytes]]:
        """Take the source's end; `last` is the frame that came last, which need not be text."""
        quoted = self.quoted and (last is None or last.form == "string")
        if last is not None and self.name not in (None, last.name):
            last = replace(last, name=self.name or "", id=None)
        sent = self.flow.finish()
        if not self._earlier or not sent:
            return self._written(sent, last, "", quoted=quoted)
        pieces = [*self._earlier, _Named(self.name or "", self._held, quoted)]
        parts = [self._part(each, last) for each in _attributed(sent[0].chunk, pieces)]
        return parts + self._written(sent[1:], last, "", quoted=quoted)

    def _fed(
        self, frame: Frame, text: str, *, quoted: bool, apart: bool = False
    ) -> list[Sent[bytes]]:
        """Guard the text of a frame; return what goes out, under the names that it came under."""
        changes = self.name not in (None, frame.name)
        if text and self._is_whole and not apart:
            after_others, self._was_apart = changes or self._was_apart, False
            name = frame.name or "message"
            text = self._others.judged_by_name(name, text, changes=after_others)
            if self._others.flow.ended is not None:
                return []
        if text and changes:
            return self._fed_after_others(frame, text, quoted=quoted)
        if text and quoted != self._held_quoted:
            self._part_from_held(frame)
        if text:
            self.name, self._held_quoted = frame.name, quoted
        if self._earlier:
            return self._fed_in_steps(frame, text, quoted=quoted)
        sent = self.flow.feed(text, frame)
        held = self.flow.held
        self._held = (self._held + text)[-held:] if held else ""
        return self._written(sent, frame, text, quoted=quoted)

    def _fed_after_others(self, frame: Frame, text: str, *, quoted: bool) -> list[Sent[bytes]]:
        """Guard the text of a frame whose name differs from the last one's."""
        self._keep(_Named(self.name, self._held, self._held_quoted))
        change = _Named(None, "", quoted=False)
        parts, rest = self._step(self.flow.feed_part(_CHANGE, frame, 0), _CHANGE, change, frame)
        self._keep(change._replace(text=self._held))
        self.name, self._held_quoted = frame.name, quoted
        written = [self._part(each, frame) for each in _joined(parts)]
        if self.flow.ended is not None:
            return written + self._written(rest, frame, "", quoted=quoted)
        return written + self._fed_in_steps(frame, text, quoted=quoted)

    def _fed_in_steps(self, frame: Frame, text: str, *, quoted: bool) -> list[Sent[bytes]]:
        """Guard the text of a frame while text of other names is held.

        It is fed character by character until that has settled, which shows where it ends.
        """
        parts: list[_Named] = []
        rest: Sequence[Sent[str]] = ()
        own = _Named(frame.name, "", quoted, is_last=True)
        at = 0
        while at < len(text) and self.flow.ended is None:
            end = at + 1 if self._earlier else len(text)
            part = text[at:end]
            is_last = end == len(text)
            sent = self.flow.feed(part, frame) if is_last else self.flow.feed_part(part, frame, 1)
            settled, rest = self._step(sent, part, own, frame)
            parts += settled
            at = end
        released = "".join([each.text for each in parts if each.is_last])
        following = [Sent(released, released, len(released), (), frame)] if released else []
        written = [self._part(each, frame) for each in _joined(parts) if not each.is_last]
        return written + self._written([*following, *rest], frame, text, quoted=quoted)

    def _step(
        self, sent: Sequence[Sent[str]], text: str, own: _Named, frame: Frame
    ) -> tuple[list[_Named], Sequence[Sent[str]]]:
        """Take note of some text of the name of `own`, and of what was `sent` for it. Return what
        is released, by name, and what follows it, such as a block's message."""
        self._held += text
        released: list[_Named] = []
        if sent and sent[0].origin is frame:
            released = _attributed(sent[0].chunk, self._settled(own._replace(text=self._held)))
            sent = sent[1:]
        if not self.flow.held:
            self._earlier, self._held = [], ""
        return released, sent

    def _part_from_held(self, frame: Frame) -> None:
        """Keep held text of the frame's own name, so that it goes out before the frame, not in
        it."""
        if self.name == frame.name:
            self._keep(_Named(self.name, self._held, self._held_quoted))

    def _keep(self, held: _Named) -> None:
        """Keep the source of what is held before other text comes."""
        self._held = ""
        if held.text:
            self._earlier.append(held)

    def _settled(self, own: _Named) -> list[_Named]:
        """Remove what was released from the held source, which ends with `own`, and return it."""
        settled, held = [], []
        left = sum([len(each.text) for each in (*self._earlier, own)]) - self.flow.held
        for each in (*self._earlier, own):
            end = min(max(left, 0), len(each.text))
            left -= end
            settled.append(each._replace(text=each.text[:end]))
            held.append(each._replace(text=each.text[end:]))
        self._held = held.pop().text
        self._earlier = [each for each in held if each.text]
        return [each for each in settled if each.text]

    def _part(self, part: _Named, like: Frame | None) -> Sent[bytes]:
        """Return the event of a text that was held when other names came."""
        text = json_bytes(part.text).decode() if part.quoted else part.text
        raw = self._frames.write(text, None, keep_id=False, name=part.name or "")
        return Sent(raw, part.text, len(part.text), (), like)

    def _written(
        self, sent: Sequence[Sent[str]], frame: Frame | None, text: str, *, quoted: bool
    ) -> list[Sent[bytes]]:
        own = frame.value if frame is not None and quoted else frame.data if frame else None
        written = []
        for place, each in enumerate(sent, 1):
            if frame is not None and each.chunk == text == own:
                raw = frame.raw
            else:
                value = json_bytes(each.chunk).decode() if quoted else each.chunk
                raw = self._frames.write(value, frame, keep_id=place == len(sent))
            written.append(Sent(raw, each.text, each.characters, each.parts, each.origin))
        return written


def _attributed(text: str, pieces: list[_Named]) -> list[_Named]:
    """Split a guarded text by the names of the `pieces` of source that it was made from.

    A mask over several pieces belongs to the first of them.
    """
    first, last = 0, len(pieces) - 1
    before: list[_Named] = []
    after: list[_Named] = []
    while first < last and text.startswith(pieces[first].text):
        before.append(pieces[first])
        text = text[len(pieces[first].text) :]
        first += 1
    while first < last and text.endswith(pieces[last].text):
        after.insert(0, pieces[last])
        text = text[: -len(pieces[last].text)]
        last -= 1
    if first < last:
        same = zip(reversed(text), reversed(pieces[last].text), strict=False)
        size = len(text) - sum(1 for _ in takewhile(lambda each: each[0] == each[1], same))
        after.insert(0, pieces[last]._replace(text=text[size:]))
        text = text[:size]
    names = [each for each in pieces[first : last + 1] if each.name is not None]
    middle = [names[0]._replace(text=text)] if names else []
    return [each for each in [*before, *middle, *after] if each.text and each.name is not None]


def _joined(parts: Sequence[_Named]) -> list[_Named]:
    """Join consecutive parts of one name."""
    joined: list[_Named] = []
    for part in parts:
        before = joined[-1] if joined else None
        if before and (before.name, before.is_last) == (part.name, part.is_last):
            joined[-1] = part._replace(text=before.text + part.text)
        else:
            joined.append(part)
    return joined
