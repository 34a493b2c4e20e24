"""Where a format has its text, its end and its ids: all that the laws need to know of it.

A place is a way through objects and lists; `*` stands for each item of a list.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Way = tuple[str | int, ...]


@dataclass(frozen=True)
class Shape:
    """A format, as a client reads it.

    `text` are the places of its answer, `index` the place that numbers texts, `end` the place of
    the reason for which it ends, `reason` what stands there in success, `id` the place of its id.
    `of_text` and `of_end` are values that an event with text, or with the end, must have;
    `end_repeats` tells that the event with the end has a copy of all text.
    """

    text: tuple[Way, ...]
    end: Way
    reason: Any
    index: Way = ()
    id: Way = ()
    of_text: Mapping[str, Any] = field(default_factory=dict)
    of_end: Mapping[str, Any] = field(default_factory=dict)
    end_repeats: bool = False


_CHOICE = ("choices", "*")

SHAPES: dict[str, Shape] = {
    "openai_chat": Shape(
        ((*_CHOICE, "delta", "content"),),
        (*_CHOICE, "finish_reason"),
        "stop",
        (*_CHOICE, "index"),
        ("id",),
    ),
    "openai_completions": Shape(
        ((*_CHOICE, "text"),),
        (*_CHOICE, "finish_reason"),
        "stop",
        (*_CHOICE, "index"),
        ("id",),
    ),
    "anthropic": Shape(
        (("delta", "text"),),
        ("delta", "stop_reason"),
        "end_turn",
        ("index",),
        of_text={"type": "content_block_delta"},
        of_end={"type": "message_delta"},
    ),
    "openai_responses": Shape(
        (("delta",),),
        ("response", "status"),
        "completed",
        ("output_index",),
        ("item_id",),
        of_text={"type": "response.output_text.delta"},
        of_end={"type": "response.completed"},
        end_repeats=True,
    ),
    "gemini": Shape(
        (("candidates", "*", "content", "parts", "*", "text"),),
        ("candidates", "*", "finishReason"),
        "STOP",
        ("candidates", "*", "index"),
        ("responseId",),
    ),
    "ollama": Shape((("message", "content"), ("response",)), ("done",), True),
}


def has(event: Any, values: Mapping[str, Any]) -> bool:
    """Tell whether an event is an object with these values."""
    return isinstance(event, dict) and all(event.get(key) == each for key, each in values.items())


def places(value: Any, way: Way, before: Way = ()) -> Iterator[Way]:
    """The places in a value that a way leads to, each a way without `*`."""
    if not way:
        yield before
        return
    step, rest = way[0], way[1:]
    if step == "*":
        for at, each in enumerate(value if isinstance(value, list) else ()):
            yield from places(each, rest, (*before, at))
    elif isinstance(value, dict) and step in value:
        yield from places(value[step], rest, (*before, step))


def at(value: Any, way: Way) -> Any:
    """What stands at a place."""
    for step in way:
        value = value[step]
    return value


def put(value: Any, way: Way, new: Any) -> Any:
    """A copy of a value with another one at a place, which need not be there yet."""
    if not way:
        return new
    made = copy.copy(value)
    old = made.get(way[0]) if isinstance(made, dict) else made[way[0]]
    made[way[0]] = put({} if old is None else old, way[1:], new)
    return made


def said(event: Any, shape: Shape) -> list[tuple[Way, str]]:
    """The texts of an event, each with its place; what is thought is not among them."""
    if not has(event, shape.of_text):
        return []
    return [
        (place, at(event, place))
        for way in shape.text
        for place in places(event, way)
        if isinstance(at(event, place), str) and not at(event, place[:-1]).get("thought")
    ]


def number(event: Any, place: Way, shape: Shape) -> Any:
    """The number of the text at a place of an event; 0 where the format has none."""
    depth = shape.index.count("*")
    way = place[: 2 * depth] + shape.index[2 * depth :]
    try:
        found = at(event, way)
    except (KeyError, IndexError, TypeError):
        return 0
    return found if isinstance(found, (int, str)) else 0


def ends(event: Any, shape: Shape) -> bool:
    """Tell whether an event has the reason for an end."""
    if not has(event, shape.of_end):
        return False
    return any(at(event, place) not in (None, False, "") for place in places(event, shape.end))


def with_texts(event: Any, shape: Shape, change: Callable[[Way, str], str]) -> Any:
    """A copy of an event with each of its texts changed."""
    for place, text in said(event, shape):
        event = put(event, place, change(place, text))
    return event
