"""What upstreams and gateways make of a stream: each change as a rule for any recording.

A change returns the bytes that a client gets, or None where a recording has no place for it.
`texts_of` says what a tolerant client then reads.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tests.laws.recordings import Event, Recording, wire
from tests.laws.shapes import Shape, at, ends, number, places, put, said, with_texts

Events = list[Event]


@dataclass(frozen=True)
class Rule:
    """A change of events. `finish` is what the stream must end with, None if with its own end;
    `shows` tells whether a client still reads the same text in the same places, `begins` that a
    driver without a timer may show the beginning of a match: it believes a sign in an event of its
    own. What is exact is then measured with one, and without it no match is shown whole. `half`:
    the first half of another event follows."""

    change: Callable[[Events, Shape], Events | None]
    finish: str | None = None
    shows: bool = True
    begins: bool = False
    half: bool = False


def _each(events: Events, change: Callable[[Any, int], Any]) -> Events:
    """Change the data of each event that is an object."""
    return [
        replace(each, data=change(copy.deepcopy(each.data), n))
        if isinstance(each.data, dict)
        else each
        for n, each in enumerate(events)
    ]


def _speaking(events: Events, shape: Shape) -> list[int]:
    """The numbers of the events that have text."""
    return [n for n, each in enumerate(events) if any(text for _, text in said(each.data, shape))]


def _with_end(data: Any, shape: Shape) -> Any:
    """An event with its format's sign of an end."""
    for key, value in shape.of_end.items():
        data = put(data, (key,), value)
    for way in _ways_to_put(data, shape.end):
        data = put(data, way, shape.reason)
    return data


def _ways_to_put(data: Any, way: Sequence[str | int]) -> list[tuple[str | int, ...]]:
    """The places of a field that may be missing, in the objects that hold it."""
    return [(*place, way[-1]) for place in places(data, tuple(way[:-1]))] or [tuple(way)]


def end_in_every_chunk(events: Events, shape: Shape) -> Events | None:
    """The sign of an end in each event with text; in a format of kinds, after each of them."""
    if shape.of_end:
        return end_after_every_chunk(events, shape)

    def change(data: Any, _: int) -> Any:
        return _with_end(data, shape) if said(data, shape) and not ends(data, shape) else data

    return _each(events, change)


def end_after_every_chunk(events: Events, shape: Shape) -> Events | None:
    """An event with nothing but an end after each event with text."""
    last = next((each.data for each in events if ends(each.data, shape)), None)
    has_call = "functionCall" in str(last) or "tool_calls': [" in str(last)
    if last is None or has_call or shape.end_repeats:
        return None
    made: Events = []
    for each in events:
        made.append(each)
        if said(each.data, shape) and not ends(each.data, shape):
            made.append(Event(with_texts(last, shape, lambda *_: ""), _name_of(last, each)))
    return made


def _name_of(data: Any, beside: Event) -> str:
    return str(data.get("type", "")) if beside.name else ""


def new_ids(events: Events, shape: Shape) -> Events | None:
    """Another id in each event."""
    if not shape.id:
        return None
    return _each(
        events,
        lambda data, n: put(data, shape.id, f"id-{n}") if [*places(data, shape.id)] else data,
    )


def index_counts_up(events: Events, shape: Shape) -> Events | None:
    """An index that numbers the events with text instead of the texts."""
    if not shape.index or len({*_numbers(events, shape)}) != 1:
        return None
    count = iter(range(len(events)))

    def change(data: Any, _: int) -> Any:
        if not said(data, shape):
            return data
        n = next(count)
        for way in _ways_to_put(data, shape.index):
            data = put(data, way, n)
        return data

    return _each(events, change)


def _numbers(events: Events, shape: Shape) -> list[Any]:
    return [
        number(each.data, place, shape) for each in events for place, _ in said(each.data, shape)
    ]


def cumulative(events: Events, shape: Shape) -> Events | None:
    """The text so far in place of each delta."""
    so_far: dict[Any, str] = {}

    def change(data: Any, _: int) -> Any:
        def grown(place: tuple[str | int, ...], text: str) -> str:
            key = number(data, place, shape)
            so_far[key] = so_far.get(key, "") + text
            return so_far[key] if text else text

        return with_texts(data, shape, grown)

    return _each(events, change)


def invented_field(events: Events, _: Shape) -> Events:
    """A field that nobody knows, with a short string, in each event."""
    return _each(events, lambda data, n: {**data, "x_vendor": {"trace": f"t{n}", "note": "fast"}})


def renamed_text(events: Events, shape: Shape) -> Events:
    """The text under a name that nobody knows."""

    def change(data: Any, _: int) -> Any:
        for place, text in said(data, shape):
            holder = dict(at(data, place[:-1]))
            del holder[place[-1]]
            data = put(data, place[:-1], {**holder, "blurb": text})
        return data

    return _each(events, change)


def two_in_turn(events: Events, shape: Shape) -> Events | None:
    """A second choice that says the same, event by event."""
    if "*" not in shape.index or len({*_numbers(events, shape)}) != 1:
        return None
    made: Events = []
    for each in events:
        made.append(each)
        if isinstance(each.data, dict) and [*places(each.data, shape.index)]:
            data = copy.deepcopy(each.data)
            for place in places(data, shape.index):
                data = put(data, place, 1)
            made.append(replace(each, data=data))
    return made


def text_after_done(events: Events, shape: Shape) -> Events | None:
    """The last third of the text after the event that ends the stream."""
    speaking = _speaking(events, shape)
    late = speaking[len(speaking) * 2 // 3 :]
    return [each for n, each in enumerate(events) if n not in late] + [events[n] for n in late]


def cut(share: float) -> Callable[[Events, Shape], Events | None]:
    """A connection that breaks off between two events with text."""

    def change(events: Events, shape: Shape) -> Events | None:
        speaking = _speaking(events, shape)
        return events[: speaking[int(len(speaking) * share)]]

    return change


ERRORS: dict[str, Event] = {
    "error_object": Event({"error": {"message": "overloaded", "type": "server_error"}}),
    "error_event": Event({"error": {"message": "overloaded", "type": "server_error"}}, "error"),
    "error_type": Event(
        {"type": "error", "error": {"type": "overloaded_error", "message": "overloaded"}}, "error"
    ),
    "error_text": Event({"error": "overloaded"}),
}


def error_of(name: str) -> Callable[[Events, Shape], Events | None]:
    """An error in the middle, after which nothing comes."""

    def change(events: Events, shape: Shape) -> Events | None:
        speaking = _speaking(events, shape)
        return [*events[: speaking[len(speaking) // 2]], ERRORS[name]]

    return change


def _done(spelling: str) -> Callable[[Events, Shape], Events | None]:
    def change(events: Events, _: Shape) -> Events | None:
        if not any(each.data == "[DONE]" for each in events):
            return None
        return [replace(each, data=spelling) if each.data == "[DONE]" else each for each in events]

    return change


def done_in_every_event(events: Events, shape: Shape) -> Events | None:
    """`[DONE]` after each event with text."""
    if not any(each.data == "[DONE]" for each in events):
        return None
    done = Event("[DONE]")
    return [each for old in events for each in ((old, done) if said(old.data, shape) else (old,))]


RULES: dict[str, Rule] = {
    "none": Rule(lambda events, _: events),
    "end in every chunk": Rule(end_in_every_chunk),
    "end after every chunk": Rule(end_after_every_chunk),
    "new ids": Rule(new_ids),
    "index counts up": Rule(index_counts_up, shows=False),
    "cumulative": Rule(cumulative, shows=False),
    "invented field": Rule(invented_field),
    "renamed text": Rule(renamed_text, shows=False),
    "two in turn": Rule(two_in_turn),
    "text after done": Rule(text_after_done, begins=True),
    "done in every event": Rule(done_in_every_event),
    "[DONE] with a space": Rule(_done("[DONE] ")),
    "[done]": Rule(_done("[done]")),
    "cut early": Rule(cut(0.3), finish="incomplete"),
    "cut late": Rule(cut(0.9), finish="incomplete"),
    "cut inside an event": Rule(cut(0.5), finish="incomplete", half=True),
    **{name: Rule(error_of(name), finish="error") for name in ERRORS},
}


def _every_third(data: bytes, old: bytes, new: bytes) -> bytes:
    """Replace every third of what a body has, not the first."""
    first, *rest = data.split(old)
    return first + b"".join((new if n % 3 == 2 else old) + part for n, part in enumerate(rest))


FRAMINGS: dict[str, Callable[[bytes], bytes]] = {
    "crlf": lambda data: data.replace(b"\n", b"\r\n"),
    "no space": lambda data: data.replace(b"data: ", b"data:"),
    "pings": lambda data: data.replace(b"\n\n", b"\n\n: ping\n\n"),
    "ids": lambda data: data.replace(b"data: ", b"id: 7\ndata: "),
    "unknown fields": lambda data: data.replace(b"data: ", b"x-trace: a1\ndata: "),
    "byte order mark": lambda data: b"\xef\xbb\xbf" + data,
    "one line feed": lambda data: data.replace(b"\n\n", b"\n") + b"\n",
    "bare JSON": lambda data: _every_third(data, b"data: {", b"{"),
    "data twice": lambda data: data.replace(b"data: ", b"data: data: "),
}
"""Spellings of server-sent events that clients take."""

NAMES = (*RULES, *FRAMINGS)


def rule_of(name: str) -> Rule:
    """What holds after a change."""
    return RULES.get(name, RULES["none"])


def changed(recording: Recording, name: str) -> bytes | None:
    """The bytes of a recording after a change; None if it has no place for it."""
    if name in FRAMINGS:
        return FRAMINGS[name](wire(recording)) if recording.is_sse else None
    events = RULES[name].change(list(recording.events), recording.shape)
    if events is None:
        return None
    half = wire(recording, tuple(events[-1:]))[:-9] if RULES[name].half else b""
    return wire(recording, tuple(events)) + half
