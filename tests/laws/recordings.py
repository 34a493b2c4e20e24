"""Recorded streams as events: those of the project, and those of the corpora where they are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tests.laws.shapes import SHAPES, Shape, number, said
from tests.support.corpora import CORPORA

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Event:
    """One event: what it says, as JSON or as text, and its name, if it has one."""

    data: Any
    name: str = ""

    def sse(self) -> bytes:
        """The event as a server-sent event."""
        text = self.data if isinstance(self.data, str) else json.dumps(self.data)
        name = f"event: {self.name}\n" if self.name else ""
        return f"{name}data: {text}\n\n".encode()

    def line(self) -> bytes:
        """The event as a line of JSON."""
        return json.dumps(self.data).encode() + b"\n"


@dataclass(frozen=True)
class Recording:
    """A recorded stream. `own` are those of the project, which everyone has."""

    name: str
    format: str
    events: tuple[Event, ...]
    own: bool = False

    @property
    def shape(self) -> Shape:
        return SHAPES[self.format]

    @property
    def is_sse(self) -> bool:
        return self.format != "ollama"


def wire(recording: Recording, events: tuple[Event, ...] | None = None) -> bytes:
    """A recording as bytes: server-sent events, or lines of JSON."""
    events = recording.events if events is None else events
    if recording.is_sse:
        return b"".join(event.sse() for event in events)
    return b"".join(event.line() for event in events)


def texts(events: tuple[Event, ...] | list[Event], shape: Shape) -> dict[Any, str]:
    """What is said, by the number of its text, as a client joins it."""
    found: dict[Any, str] = {}
    for event in events:
        for place, text in said(event.data, shape):
            key = number(event.data, place, shape)
            found[key] = found.get(key, "") + text
    return found


def lasts(events: list[Event], shape: Shape) -> dict[Any, str]:
    """The last value of each text, as a client shows the text so far."""
    found: dict[Any, str] = {}
    for event in events:
        for place, text in said(event.data, shape):
            if text:
                found[number(event.data, place, shape)] = text
    return found


def parsed(data: bytes) -> list[Event]:
    """The events of a body, as the most tolerant of clients reads them."""
    return [*_parsed(data.decode("utf-8", "replace").removeprefix("\ufeff"))]


def _parsed(text: str) -> Iterator[Event]:
    name = ""
    blocks = text.replace("\r\n", "\n").replace("\r", "\n").split("\n\n")
    for line in "\n\n".join(map(_on_one_line, blocks)).split("\n"):
        if not line:
            name = ""
        elif line.startswith("event:"):
            name = line[6:].strip()
        else:
            yield from _event(line, name)


def _on_one_line(block: str) -> str:
    """An event whose JSON stands on several lines, on one."""
    lines = block.split("\n")
    data = [line[5:] for line in lines if line.startswith("data:")]
    if len(data) < 2 or data[0].strip() not in ("{", "["):
        return block
    others = [line for line in lines if not line.startswith("data:")]
    return "\n".join([*others, "data:" + "".join(data)])


def _event(line: str, name: str) -> Iterator[Event]:
    payload = line
    while payload.startswith("data:"):
        payload = payload[5:].strip()
    if payload is line and not line.lstrip().startswith(("{", "[", ",")):
        return
    try:
        yield Event(json.loads(payload.strip().strip(",")), name)
    except ValueError:
        halves = payload.partition("}{")
        if not halves[1]:
            yield Event(payload, name)
            return
        yield from _event(halves[0] + "}", name)
        yield from _event("{" + halves[2], name)


@cache
def recordings() -> tuple[Recording, ...]:
    """All recordings with an answer of at least 40 characters in three events or more."""
    found = [*_own(), *_shared()]
    return tuple(each for each in found if _is_long(each))


def _is_long(recording: Recording) -> bool:
    answers = texts(recording.events, recording.shape)
    steps = sum(bool(said(each.data, recording.shape)) for each in recording.events)
    return steps >= 3 and max(map(len, answers.values()), default=0) >= 40


def _own() -> Iterator[Recording]:
    for path in sorted((ROOT / "examples" / "recordings").iterdir()):
        if path.stem in SHAPES and path.suffix != ".json":
            yield Recording(path.name, path.stem, tuple(parsed(path.read_bytes())), own=True)
    for path in sorted((Path(__file__).parent / "data").glob("*.sse")):
        name = path.stem.partition(".")[0]
        yield Recording(path.name, name, tuple(parsed(path.read_bytes())), own=True)


FOLDERS = {"anthropic_messages": "anthropic"}
"""Folders of the corpora that do not have their format's name."""


def _shared() -> Iterator[Recording]:
    for top in ("streams", "streams_more"):
        for path in sorted((CORPORA / top).glob("*/*")):
            format_ = FOLDERS.get(path.parent.name, path.parent.name)
            if format_ in SHAPES:
                name = f"{top}/{path.parent.name}/{path.name}"
                yield Recording(name, format_, tuple(parsed(path.read_bytes())))
