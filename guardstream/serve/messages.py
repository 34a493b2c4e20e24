"""The text messages of a WebSocket as streams to guard; no I/O."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias

from guardstream.errors import AdapterError
from guardstream.events import FinishReason, is_refused
from guardstream.framing.frames.frame import Media
from guardstream.framing.json import BOM, json_bytes, json_data, json_start
from guardstream.framing.packets import split_packet
from guardstream.guard import Guard
from guardstream.http.request import RefusedError, with_names
from guardstream.http.stream import WireGuard
from guardstream.serve.bodies import wire_of
from guardstream.serve.routes import Route


class Messages(Protocol):
    """Messages in, messages that may go out.

    `ended` says why the connection has to end, `error` which error is the reason.
    """

    @property
    def ended(self) -> FinishReason | None: ...

    @property
    def error(self) -> Exception | None: ...

    def feed(self, text: str) -> list[str]:
        """Take a message; return those that may go out now."""
        ...

    def feed_binary(self, text: str) -> list[str]:
        """Take the text of a binary message; return the texts of those that may go out now."""
        ...

    def remaining(self) -> float | None:
        """Return the seconds until `wake` is due; None if nothing waits for it."""
        ...

    def wake(self) -> list[str]:
        """Take the time that has passed; return the messages that may go out because of it."""
        ...

    @property
    def awaits_event(self) -> bool:
        """Whether text of a message is held until the next one."""
        ...

    def release_events(self) -> list[str]:
        """Return what is held of messages: the client speaks, or nothing comes for a while."""
        ...

    def finish(self) -> list[str]:
        """Take the end of the application's messages; return the rest."""
        ...

    def close(self, failure: Exception | None = None) -> None:
        """End the messages early, because the application raised `failure` if there is one; what is
        held is dropped."""
        ...


def messages_of(route: Route) -> Messages:
    """Return the guard of one connection's messages."""
    assert route.guard is not None
    if route.websocket == "message":
        return WholeMessages(route.guard)
    if route.websocket == "json":
        return JsonMessages(route)
    return TextMessages(route)


class WholeMessage:
    """A message that is one text, or JSON in which each string and each name is a text of its own.

    `text` is what may be sent of it; `ended` is set if a rule blocks it. Raises AdapterError for
    JSON that readers interpret differently, StageError if a stage fails.
    """

    def __init__(self, guard: Guard, text: str) -> None:
        self.ended: FinishReason | None = None
        self._guard = guard
        value, form = json_data(text)
        try:
            self.text = self._checked_text(text) if form == "text" else self._json(text, value)
        except RecursionError:
            raise AdapterError("JSON too deep to be guarded") from None

    def _checked_text(self, text: str) -> str:
        checked = self._checked(text)
        values = _after_leads(checked) if "\\" in checked else ()
        start = [json_start(each) for each in values]  # some readers only take this part
        if self._changed(start) != start and self.ended is None:
            raise AdapterError("a rule changes JSON in a message that is not JSON")
        return checked

    def _json(self, text: str, value: Any) -> str:
        changed = self._changed(value)
        if self.ended is not None:
            return ""
        return text if changed == value else json_bytes(changed).decode()

    def _changed(self, value: Any) -> Any:
        try:
            return with_names(value, lambda text, *_, **__: self._checked(text))
        except RefusedError as error:
            raise AdapterError(error.message) from error

    def _checked(self, text: str) -> str:
        result = self._guard.check(text)
        if is_refused(result.finish, result.blocked_by):
            self.ended = "content_filter"
        return result.text


class WholeMessages:
    """Messages that are each a text of their own, or JSON."""

    def __init__(self, guard: Guard) -> None:
        self.ended: FinishReason | None = None
        self.error: Exception | None = None
        self._guard = guard

    def feed(self, text: str) -> list[str]:
        message = WholeMessage(self._guard, text)
        self.ended = message.ended
        return [message.text] if message.text or not text else []

    feed_binary = feed
    awaits_event = False

    def remaining(self) -> float | None:
        return None

    def wake(self) -> list[str]:
        return []

    finish = release_events = wake

    def close(self, failure: Exception | None = None) -> None:
        pass


class JsonMessages:
    """Messages that are each a JSON event of a provider."""

    def __init__(self, route: Route) -> None:
        self._route = route
        self._wire: WireGuard | None = None  # until there is a message

    @property
    def ended(self) -> FinishReason | None:
        return None if self._wire is None else self._wire.ended

    @property
    def error(self) -> Exception | None:
        return None if self._wire is None else self._wire.error

    def feed(self, text: str) -> list[str]:
        if self._wire is None:
            self._wire = _wire_of(self._route, "ndjson")
        # In valid JSON, line ends are only between tokens.
        line = text.replace("\r", " ").replace("\n", " ")
        return _lines(self._wire.feed(line.encode() + b"\n"))

    feed_binary = feed

    def remaining(self) -> float | None:
        return None if self._wire is None else self._wire.remaining()

    def wake(self) -> list[str]:
        return [] if self._wire is None else _lines(self._wire.wake())

    @property
    def awaits_event(self) -> bool:
        return self._wire is not None and self._wire.awaits_event

    def release_events(self) -> list[str]:
        return [] if self._wire is None else _lines(self._wire.release_events())

    def finish(self) -> list[str]:
        return [] if self._wire is None else _lines(self._wire.finish())

    def close(self, failure: Exception | None = None) -> None:
        if self._wire is not None:
            _close(self._wire, failure)


class TextMessages:
    """Pieces of one text, up to the end mark, after which another begins; JSON as in events.

    If the first message shows that they are packets of Socket.IO, records of SignalR or server-sent
    events, the payloads of these are the pieces.
    """

    def __init__(self, route: Route) -> None:
        self._route = route
        self._wire: WireGuard | None = None  # None between texts
        self._records: _Records | None = None  # until there is a message
        self._last = _Record("", "", "")
        self.ended: FinishReason | None = None

    @property
    def error(self) -> Exception | None:
        return None if self._wire is None else self._wire.error

    def feed(self, text: str) -> list[str]:
        if self._records is None:
            self._records = _records_of(text)
        out: list[str] = []
        for record in self._records(text):
            if record.payload:
                self._last = record
            out += self._around(self._fed(record.payload) if record.payload else [""], record)
            if self.ended is not None:
                break
        return out

    def feed_binary(self, text: str) -> list[str]:
        """Take a binary message. In Socket.IO it is an attachment of the packet before it, and
        stays whole, because the client counts attachments."""
        if self._records is not _socket_io:
            return self.feed(text)
        events = [json.loads(each) for each in self._fed(json.dumps({ATTACHMENT: text}))]
        return [event[ATTACHMENT] for event in events if ATTACHMENT in event]

    def remaining(self) -> float | None:
        return None if self._wire is None else self._wire.remaining()

    def wake(self) -> list[str]:
        return self._around(self._taken(lambda wire: wire.wake()), self._last)

    @property
    def awaits_event(self) -> bool:
        return self._wire is not None and self._wire.awaits_event

    def release_events(self) -> list[str]:
        return self._around(self._taken(lambda wire: wire.release_events()), self._last)

    def finish(self) -> list[str]:
        return self._around(self._taken(lambda wire: wire.finish()), self._last)

    def close(self, failure: Exception | None = None) -> None:
        if self._wire is not None:
            _close(self._wire, failure)

    def _around(self, texts: list[str], record: _Record) -> list[str]:
        """Return a message for each text, with what surrounded the payload of `record`."""
        assert self._route.guard is not None
        lead, _, tail = record
        if texts and lead and self._route.guard.check(lead).text != lead:
            raise AdapterError("a rule changes the text before the JSON of a message")
        return [lead + text + tail for text in texts]

    def _fed(self, text: str) -> list[str]:
        if text == self._route.end_mark:
            rest = self._taken(lambda wire: wire.finish())
            if self.ended is None:
                self._wire = None
                rest.append(text)
            return rest
        if self._wire is None:
            self._wire = _wire_of(self._route, "messages")
            if self._records is not _plain:
                self._wire.judge_at_once()
        out = self._taken(lambda wire: wire.feed(text.encode()))
        self.ended = self.ended or self._wire.ended
        return out

    def _taken(self, step: Callable[[WireGuard], list[bytes]]) -> list[str]:
        if self._wire is None:
            return []
        out = _texts(step(self._wire))
        if is_refused(self._wire.ended, self._wire.blocked_by):
            self.ended = "content_filter"
        return out


class _Record(NamedTuple):
    """The payload of a message, and what surrounds it."""

    lead: str
    payload: str
    tail: str


_Records: TypeAlias = Callable[[str], Sequence[_Record]]
"""Returns the payloads of a message."""

_SEPARATOR = "\x1e"
"""The end of a record in SignalR's JSON (https://github.com/dotnet/aspnetcore, HubProtocol.md)."""


_LEAD = re.compile(r'[^\[{"\\]*(?=[\[{"])')
"""What comes before JSON in a line that begins with something else, such as `data: `."""

_EVENT = re.compile(
    r"(?P<lead>(?:(?:event|id|retry)?:[^\r\n]*\r?\n)*data: ?)(?P<payload>[^\r\n]*)(?P<tail>\s*)"
)
"""A server-sent event with a single line of data."""

ATTACHMENT = "attachment"
"""The field in which an attachment of Socket.IO is guarded: findings name it in their path."""

_BETWEEN = re.compile(r"(?<=\n\n)|(?<=\n\r\n)")
_SILENT = re.compile(r"(?:(?:event|id|retry)?:[^\r\n]*\r?\n)+\s*")
"""Events without data: comments, such as heartbeats."""


def _records_of(first: str) -> _Records:
    """Return a function that finds the payloads in a connection's messages, by its first one."""
    if first.endswith(_SEPARATOR):
        return _signalr
    if first.startswith('0{"sid":') or first == "3probe":  # after long polling
        return _socket_io
    event = _EVENT.match(first)
    if event is None:
        return _events if _SILENT.fullmatch(first) else _plain
    return _events if event["payload"][:1] in ("{", "[") or event["tail"] else _plain


def _plain(text: str) -> Sequence[_Record]:
    marked = text[:1] == BOM and text[1:].lstrip()[:1] in ("{", "[", '"')
    return [_Record(BOM, text[1:], "") if marked else _Record("", text, "")]


def _signalr(text: str) -> Sequence[_Record]:
    *records, rest = text.split(_SEPARATOR)
    whole = [_Record("", record, _SEPARATOR) for record in records]
    return [*whole, _Record("", rest, "")] if rest else whole


def _socket_io(text: str) -> Sequence[_Record]:
    return [_Record(*split_packet(text), "")]


def _events(text: str) -> Sequence[_Record]:
    return [_event(each) for each in _BETWEEN.split(text) if each] or [_Record("", "", "")]


def _event(text: str) -> _Record:
    if _SILENT.fullmatch(text):
        return _Record(text, "", "")
    found = _EVENT.fullmatch(text)
    return _Record(*found.groups()) if found else _Record("", text, "")


def _after_leads(text: str) -> Iterator[str]:
    """Yield the rest of each line of a text from where JSON may begin."""
    yield text
    for line in re.split(r"[\n\x1e]", text):
        if (lead := _LEAD.match(line)) is not None:
            yield line[lead.end() :]


def _texts(frames: list[bytes]) -> list[str]:
    return [frame.decode() for frame in frames if frame]


def _lines(frames: list[bytes]) -> list[str]:
    return [line for line in b"".join(frames).decode().split("\n") if line.strip()]


def _wire_of(route: Route, media: Media) -> WireGuard:
    """Return the guard of a connection: its silences are a user's, so no deadline ends it."""
    wire = wire_of(route, media)
    wire.state.watch = None
    return wire


def _close(wire: WireGuard, failure: Exception | None) -> None:
    if failure is not None:
        wire.state.note_error(failure)
    wire.close("cancelled" if failure is None else "error")
