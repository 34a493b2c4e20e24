"""Server-sent events as objects, parsed by a client or to be sent; their `data` is JSON or text.

Such are the events of `httpx-sse`, those that `replicate` streams, and those of FastAPI, Litestar
and `sse-starlette`. JSON is read as the format that it shows, or by its paths; text continues the
text of earlier events of its kind.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from copy import copy
from typing import Any, NamedTuple

from guardstream.events import FinishReason
from guardstream.formats import detect
from guardstream.formats.adapter import Piece, Reading, Released, Slot, Unknown
from guardstream.formats.generic.any_json import AnyJSON, unnamed
from guardstream.formats.toolkit.envelope import Envelope
from guardstream.formats.toolkit.fields import as_text, fields_of, replaced
from guardstream.formats.toolkit.marks import is_mark
from guardstream.framing.json import json_bytes, json_data

_MARKS = ("event", "id", "retry", "comment", "sep")
_ANSWERS = frozenset({"", "message", "output"})
_TEXT_EVENTS = frozenset({"answer", "chunk", "content", "delta", "text", "token"})
_ENDS = frozenset({"done", "end", "complete", "close", "error"})
_END = "[DONE]"


class _Data(NamedTuple):
    """An event's data: a JSON value, which may still have to be written as JSON, or else text,
    which may be written as a JSON string."""

    value: Any
    text: str = ""
    is_string: bool = False


class ServerSentEvents(Envelope):
    """The adapter for events, as objects."""

    name = "sse_events"
    ends_with_source = True

    def __init__(self, *, unknown: Unknown = "guard") -> None:
        super().__init__(AnyJSON(unknown=unknown), unknown=unknown)
        self._unknown = unknown
        self._texts: dict[str, Slot] = {}  # by the kind of event
        self._spoke: Any = None  # the last event with JSON

    @property
    def is_unnamed(self) -> bool:
        """Whether no format names what is in the events."""
        return isinstance(self._inner, AnyJSON)

    @property
    def repeats(self) -> bool:  # type: ignore[override]
        """Whether chunks repeat text: those of the format inside."""
        return self._inner.repeats

    def inner_of(self, chunk: Any) -> Any:
        """Return the JSON in an event, with its name if its format needs that; None for text."""
        return self._data(chunk).value

    def _data(self, chunk: Any) -> _Data:
        data: _Data = super().inner_of(chunk)
        return data

    def unwrapped(self, chunk: Any) -> _Data:
        """Return what an event says. KeyError if it is not one."""
        value, form = _read(_payload(chunk))
        if isinstance(value, str):
            return _Data(None, "" if value == _END else value, form == "string")
        return _Data({"event": _kind(chunk), "data": value} if self._is_named else value)

    @property
    def _is_named(self) -> bool:
        return self._hooks.by_event

    def with_inner(self, chunk: Any, inner: Any) -> Any:
        """Return an event with other JSON in it, or an event of the guard's own, by its name."""
        if self._is_named:
            made = _with_payload(chunk, inner["data"])
            same = inner["event"] == _kind(chunk)
            return made if same else _with(made, "event", inner["event"])
        return _with_payload(chunk, inner)

    def beside(self, chunk: Any) -> Mapping[str, Any]:
        """Return what is neither an event's data nor one of its marks."""
        fields = fields_of(chunk)
        known = {_own(fields, name) for name in (_data_name(chunk), *_MARKS)}
        return {name: value for name, value in fields.items() if name not in known}

    def _marks(self, chunk: Any) -> list[Piece]:
        """Return those of an event's marks, such as its name and its id, that could be text and may
        not pass."""
        found = [(name, _field(chunk, name)) for name in _MARKS]
        return [
            Piece(Slot(0, "text", f"$.{name}"), mark, "mark")
            for name, mark in found
            if isinstance(mark, str) and not mark.isspace()
            if not (is_mark(mark) or self._passes(name, mark))
        ]

    def read(self, chunk: Any) -> Reading:
        """Find the text in an event; an event whose name is one of ends closes the texts before
        it."""
        if self.inner_of(chunk) is None:
            reading = self._read_text(chunk)
        else:
            self._spoke = chunk
            reading = self._inner.read(self.inner_of(chunk))
            if isinstance(self._inner, AnyJSON):
                reading = self._by_name(chunk, reading)
        if _kind(chunk) in _ENDS:
            reading = reading._replace(closed=[*reading.closed, *self._texts.values()])
        beside = self.beside(chunk)
        if beside:
            reading = self._others.added(reading, beside)
        marks = self._marks(chunk)
        if not marks:
            return reading
        return reading._replace(pieces=[*reading.pieces, *marks], only_text=False)

    def _around(self, chunk: Any) -> Sequence[Piece]:
        """Return what may be text outside of an event's data."""
        beside = self.beside(chunk)
        others = self._others.pieces(beside, beside) if beside else ()
        return [*others, *self._marks(chunk)]

    def _by_name(self, chunk: Any, reading: Reading) -> Reading:
        """Return a reading whose unknown texts are also distinguished by the event's name."""
        name = _kind(chunk) or "message"
        pieces = [
            each._replace(slot=each.slot._replace(name=name)) if each.kind == "unknown" else each
            for each in reading.pieces
        ]
        return reading._replace(pieces=pieces)

    def recognised(self, chunk: Any, reading: Reading) -> ServerSentEvents | None:
        """Return the adapter of the known format, if any, that an event's JSON shows, alone or with
        its name."""
        value = self.inner_of(chunk)
        if value is None or not self.is_unnamed:
            return None
        event = {"event": _kind(chunk), "data": value}
        named = detect(event, unknown=self._unknown)
        known = named if getattr(named, "by_event", False) else detect(value, unknown=self._unknown)
        known = unnamed(known, value, unknown=self._unknown)
        if isinstance(known, AnyJSON):
            return None
        other = copy(self)
        other._use(known)
        return other

    def _read_text(self, chunk: Any) -> Reading:
        """Read an event with text, which continues the text of its kind."""
        text, kind = self._data(chunk).text, _kind(chunk)
        if not text:
            return Reading((), ())
        kind = "" if kind in _ANSWERS else kind
        field = "event" if kind and kind not in _TEXT_EVENTS else "text"
        new = Slot(0, "text", field, -1 - len(self._texts))
        return Reading([Piece(self._texts.setdefault(kind, new), text)], (0,))

    def write(self, chunk: Any, texts: Sequence[str], *, ends: bool = True) -> Any | None:
        """Return an event with `texts`; None if nothing is left in it."""
        around = self._around(chunk)
        count = len(texts) - len(around)
        data = self._data(chunk)
        if data.value is not None:
            written = self._inner.write(data.value, texts[:count], ends=ends)
            if written is None:
                return None
            made = chunk if written is data.value else self.with_inner(chunk, written)
        else:
            if count and not texts[0]:
                return None
            made = self._with_text(chunk, texts[0]) if count and texts[0] != data.text else chunk
        return self._with_around(made, around, texts[count:])

    def _with_around(self, chunk: Any, around: Sequence[Piece], texts: Sequence[str]) -> Any:
        """Return an event with other texts outside of its data."""
        marks = self._marks(chunk)
        beside = self.beside(chunk)
        made = chunk
        if beside:
            kept = self._others.write(beside, texts[: len(around) - len(marks)]) or {}
            made = made if kept == beside else replaced(made, {**dict.fromkeys(beside), **kept})
        for mark, text in zip(marks, texts[len(around) - len(marks) :], strict=True):
            made = _with(made, mark.slot.field[2:], text) if text != mark.text else made
        return made

    def _with_text(self, chunk: Any, text: str) -> Any:
        is_string = self._data(chunk).is_string
        data = json.dumps(text, ensure_ascii=False) if is_string else text
        return _with(chunk, _data_name(chunk), data)

    def without_unknown(self, chunk: Any) -> Any:
        """Return an event without unknown text."""
        made = replaced(chunk, dict.fromkeys(self.beside(chunk)))
        for mark in self._marks(chunk):
            made = _with(made, mark.slot.field[2:], "")
        inner = self.inner_of(chunk)
        if inner is None:
            return made
        return self.with_inner(made, self._hooks.without_unknown(inner))

    def passed(self, chunk: Any) -> None:
        """Tell the inner adapter what went out."""
        if self.inner_of(chunk) is not None:
            super().passed(chunk)

    def extra(self, chunk: Any, slot: Slot, text: str, released: Released) -> Sequence[Any]:
        """Return events with only `text`."""
        if slot.number < 0 or self.inner_of(chunk) is None:
            return [self._with_text(chunk, text)]
        return super().extra(chunk, slot, text, released)

    def end(
        self, chunk: Any, choice: int, reason: FinishReason, released: Released
    ) -> Sequence[Any]:
        """Return the events that end a choice, as the format inside does; text has no end."""
        last = self._spoke if self.inner_of(chunk) is None else chunk
        if last is None:
            return []
        ended = super().end(last, choice, reason, released)
        end = self._hooks.sse_end
        return [*ended, _with(last, _data_name(last), end)] if ended and end else ended

    def with_added(self, chunk: Any, inner: Any) -> Any:
        """Return an event with JSON that the guard adds, under the name that its format gives
        it."""
        made = self.with_inner(chunk, inner)
        if self._is_named:
            return made
        named, now = self._hooks.event_name, self.inner_of(chunk)
        if named is not None:
            return _with(made, "event", named(inner)) if named(now) == _kind(chunk) else made
        kind = fields_of(now).get("type")
        return _with(made, "event", inner["type"]) if kind and kind == _kind(chunk) else made


def _own(fields: Mapping[str, Any], name: str) -> str:
    """Return the name that an event's class uses for a field: the name itself or, if there is no
    such field, the first that only adds underscores."""
    if name in fields:
        return name
    return next((own for own in fields if own.lstrip("_") == name), name)


def _field(chunk: Any, name: str) -> Any:
    fields = fields_of(chunk)
    return fields.get(_own(fields, name))


def _data_name(chunk: Any) -> str:
    """Return the name of the field that an event's data is in."""
    return "data" if _field(chunk, "raw_data") is None else "raw_data"


def _payload(chunk: Any) -> Any:
    """Return an event's data. KeyError for an object that is not an event."""
    fields = fields_of(chunk)
    if not isinstance(chunk, dict) and _own(fields, "data") not in fields:
        raise KeyError("data")
    return _field(chunk, _data_name(chunk))


def _read(payload: Any) -> tuple[Any, str]:
    """Return an event's data, parsed if it is a text, and its form; numbers become texts."""
    if payload is None or isinstance(payload, bool):
        return "", "text"
    if isinstance(payload, (str, int, float)):
        return json_data(str(payload))
    return json_data(payload.decode()) if isinstance(payload, bytes) else (payload, "value")


def _with_payload(chunk: Any, value: Any) -> Any:
    """Return an event with other JSON as its data, in a string if it was in one."""
    name = _data_name(chunk)
    is_text = isinstance(_payload(chunk), (str, bytes))
    return _with(chunk, name, json_bytes(value).decode() if is_text else value)


def _kind(chunk: Any) -> str:
    """Return the name of an event, which may be a member of an Enum."""
    return as_text(_field(chunk, "event") or "")


def _with(chunk: Any, name: str, value: Any) -> Any:
    return replaced(chunk, {_own(fields_of(chunk), name): value})
