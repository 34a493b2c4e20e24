"""One stream through a guard, step by step: the text that came in, is held, and was released."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from time import perf_counter
from typing import Any, Literal, TypeAlias

from guardstream.consumers.recording import timed
from guardstream.events import Finding, counted
from guardstream.guard import Guard
from guardstream.observability.timeline import Timeline
from guardstream.play.places import Place, Places
from guardstream.policy import Policy
from guardstream.policy.explain import explanation
from guardstream.stream.flows.flow import Part
from guardstream.stream.synchronous import SyncGuardedStream

Chunk: TypeAlias = str | bytes | dict[str, Any]
Timed: TypeAlias = tuple[float, Chunk]
"""A chunk, after the seconds since the stream's beginning at which it comes."""

Event: TypeAlias = dict[str, Any]
Emit: TypeAlias = Callable[[Event], None]

PACE = 0.04
"""Seconds between two chunks of a text: 25 a second, as a model writes."""

_MEASURED = 20_000
"""The most chunks whose cost is measured."""


class Clock:
    """The clock of a stream that is not played in real time: the time of its last chunk."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Return the seconds since the beginning of the stream."""
        return self.now

    def timing(self, chunks: Iterable[Timed]) -> Iterator[Chunk]:
        """Yield the chunks, each at its time."""
        for at, chunk in chunks:
            self.now = at
            yield chunk


def cut(text: str, size: int) -> list[Timed]:
    """Return a text in chunks of `size` characters, like those of a model."""
    starts = range(0, len(text), size)
    return [(PACE * n, text[start : start + size]) for n, start in enumerate(starts)]


def recorded(recording: str, size: int = 0) -> list[Timed]:
    """Return the chunks of a recording, as `guardstream.consumers.record` writes it, or of an SSE
    answer.

    With `size`, the text of a recording of text is cut into chunks of that many characters; other
    chunks stay. RecordingError names the line that is not part of a recording.
    """
    if recording.lstrip().startswith(("data:", "event:", ":")):
        frames = recording.replace("\r\n", "\n").split("\n\n")
        return [(PACE * n, f"{each}\n\n".encode()) for n, each in enumerate(frames) if each.strip()]
    chunks: list[Timed] = list(timed(line for line in recording.split("\n") if line.strip()))
    if size and all(isinstance(chunk, str) for _, chunk in chunks):
        return _recut(chunks, size)
    return chunks


def _recut(chunks: list[Timed], size: int) -> list[Timed]:
    """Return the text in chunks of `size` characters, each at the time of its last one."""
    times = [at for at, chunk in chunks for _ in chunk]
    text = text_of(chunks)
    return [
        (times[min(start + size, len(text)) - 1], text[start : start + size])
        for start in range(0, len(text), size)
    ]


def text_of(chunks: Iterable[Timed]) -> str:
    """Return the joined text of those chunks that are text."""
    return "".join(chunk for _, chunk in chunks if isinstance(chunk, str))


class Playing:
    """Plays chunks through a guard. Each chunk becomes a step once the guard has taken it.

    A step has `t` in seconds, `came` and `released` as lists of `[slot, text]`, the number of
    characters that are `held`, and the `findings` that are new. A slot is `choice/channel`, for
    arguments of tools with the call's number: `0/tool_args/1`. The `place` of a finding is a span
    of what came in a slot, None for text at a path that no format knows.
    """

    def __init__(self, guard: Guard, emit: Emit) -> None:
        self._guard = guard
        self._emit = emit
        self._clock = Clock()
        self._came: list[list[str]] = []
        self._released: list[list[str]] = []
        self._places = Places(lambda: self._stream.findings if self._stream else ())
        self._stream: SyncGuardedStream[Chunk] | None = None

    def play(self, chunks: Iterable[Timed], *, text: bool) -> Event:
        """Play all chunks; return the outcome. `text` says that all of them are text."""
        source: Iterable[Chunk] = self._reporting(self._clock.timing(chunks), text)
        if not text:  # take the text of a provider's chunks before it is guarded
            source = _PLAIN.wrap_sync(source, on_part=self._take, clock=self._clock)
        guard = Guard(self._guard.policy, stages=[self._places.plan], rules_only=True)
        stream = wrapped(guard, source, self._clock, text=text, on_part=self._release)
        self._stream = stream
        for _ in stream:
            pass
        self._step()
        stats = stream.stats
        return {
            "type": "end",
            "finish": stream.finish,
            "blocked_by": stream.blocked_by,
            "text": stream.result.text,
            "chunks": stats.chunks_in,
            "characters_in": stats.characters_in,
            "characters_out": stats.characters_out,
            "held_max": stats.held_max,
            "held_mean": round(stats.held_mean, 2),
        }

    def _reporting(self, chunks: Iterable[Chunk], text: bool) -> Iterator[Chunk]:
        for chunk in chunks:
            if text and isinstance(chunk, str):
                self._note(_ANSWER, chunk)
            yield chunk
            self._step()  # the guard has taken the chunk when it asks for the next one

    def _take(self, part: Part) -> None:
        self._note(_slot(part), part.text)

    def _release(self, part: Part) -> None:
        self._released.append([_slot(part), part.text])

    def _note(self, slot: str, text: str) -> None:
        self._came.append([slot, text])
        self._places.came(slot, text)

    def _step(self) -> None:
        stream = self._stream
        if stream is None:
            return
        step = {
            "type": "step",
            "t": round(self._clock.now, 4),
            "came": self._came,
            "held": stream.held,
            "released": self._released,
            "findings": [self._finding(*found) for found in self._places.new()],
        }
        self._came, self._released = [], []
        self._emit(step)

    def _finding(self, finding: Finding, matched: str, place: Place | None) -> Event:
        lines = list(explanation(self._guard.policy.built, finding, matched))
        return {**asdict(finding), "place": place and place._asdict(), "why": lines}


_PLAIN = Guard(Policy.parse("version: 1"))
_ANSWER = "0/text"


def _slot(part: Part) -> str:
    call = f"/{part.slot.number}" if part.channel == "tool_args" else ""
    return f"{part.choice}/{part.channel}{call}"


def wrapped(
    guard: Guard,
    source: Iterable[Chunk],
    clock: Callable[[], float],
    *,
    text: bool,
    on_part: Callable[[Part], None] | None = None,
) -> SyncGuardedStream[Chunk]:
    """Return the guarded stream of a source that is not played in real time."""
    framing: Literal["text"] | None = "text" if text else None
    return guard.wrap_sync(source, on_part=on_part, framing=framing, clock=clock)


def is_text(chunks: Sequence[Timed]) -> bool:
    """Return whether all chunks are text."""
    return all(isinstance(chunk, str) for _, chunk in chunks)


def outcome(guard: Guard, chunks: Sequence[Timed]) -> Event:
    """Return the outcome without the steps: the text, the finish reason, findings by rule."""
    clock = Clock()
    stream = wrapped(guard, clock.timing(chunks), clock, text=is_text(chunks))
    text = stream.text()
    found = Counter(finding.rule for finding in counted(stream.findings))
    return {"text": text, "finish": stream.finish, "findings": dict(found)}


def cost(guard: Guard, chunks: Sequence[Timed]) -> float | None:
    """Return how many microseconds the guard takes for a chunk, with warm caches."""
    few = [chunk for _, chunk in chunks[:_MEASURED]]
    if not few:
        return None
    stream = wrapped(guard, few, lambda: 0.0, text=is_text(chunks))
    started = perf_counter()
    for _ in stream:
        pass
    return round(1e6 * (perf_counter() - started) / max(stream.stats.chunks_in, 1), 2)


def drawn(guard: Guard, chunks: Sequence[Timed]) -> str:
    """Return the timeline of the stream, as SVG."""
    clock = Clock()
    timeline = Timeline(clock)
    source = timeline.source(clock.timing(chunks))
    stream = timeline.watch(wrapped(guard, source, clock, text=is_text(chunks)))
    for _ in stream:
        pass
    return timeline.svg()
