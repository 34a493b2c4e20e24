"""A stream cut in many ways, and a stage played over it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random

from guardstream.events import Event, Finish, Stage, Text
from guardstream.stages.pipeline import Session


def one_by_one(text: str) -> list[str]:
    """Every character a chunk of its own."""
    return list(text)


def random_split(text: str, random: Random) -> list[str]:
    """Chunks of random length, some of them empty."""
    chunks: list[str] = []
    at = 0
    while at < len(text):
        size = random.choice((0, 1, 1, 2, 3, 5, 8))
        chunks.append(text[at : at + size])
        at += size
    return chunks


def every_split(text: str) -> Iterator[list[str]]:
    """All ways to cut a short text into chunks."""
    for bits in range(1 << max(len(text) - 1, 0)):
        chunks, start = [], 0
        for at in range(1, len(text)):
            if bits >> (at - 1) & 1:
                chunks.append(text[start:at])
                start = at
        yield [*chunks, text[start:]]


def play(stage: Stage, chunks: Sequence[str], limit: int | None = None) -> list[Event]:
    """All events of a stream; no feed may leave more than `limit` held."""
    events: list[Event] = []
    for chunk in chunks:
        events += stage.feed(chunk)
        assert limit is None or stage.held <= limit, f"{stage.held} held, at most {limit} allowed"
    events += stage.finish()
    assert stage.held == 0, "something is held after the end"
    assert stage.finish() == [], "something comes after the end"
    if not isinstance(stage, Session):  # which refuses more
        assert stage.feed("more") == [], "something comes after the end"
    return normalised(events)


def normalised(events: Sequence[Event]) -> list[Event]:
    """Adjacent Text joined; one Finish, at the end, and no empty Text."""
    out: list[Event] = []
    for event in events:
        assert not (out and isinstance(out[-1], Finish)), "an event after the Finish"
        assert event != Text(""), "an empty Text"
        if out and isinstance(event, Text) and isinstance(out[-1], Text):
            out[-1] = Text(out[-1].text + event.text)
        else:
            out.append(event)
    assert isinstance(out[-1] if out else None, Finish), "no Finish at the end"
    return out


def joined(events: Sequence[Event]) -> str:
    """The released text."""
    return "".join(event.text for event in events if isinstance(event, Text))
