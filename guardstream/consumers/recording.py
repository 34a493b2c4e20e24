"""Recordings of streams, for tests and demos: chunks with the times at which they arrived.

A recording is JSON lines. The first is `{"recording": 1}`; then one for each chunk, with `t`, the
seconds since the beginning, and `text`, `bytes` (base64), `json`, or `model` with the fields of an
object and `type` with its class's name; the last one has `end`, true or an error's type.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from math import inf
from pathlib import Path
from threading import RLock
from typing import IO, Any, Generic, TypeAlias, TypeVar

import anyio

from guardstream.errors import GuardstreamError
from guardstream.events import FinishReason
from guardstream.stream.context import AsyncContext
from guardstream.stream.loops import aclose_source, iterator_of
from guardstream.stream.outcome import RelayedOutcome

C = TypeVar("C")

Build: TypeAlias = Callable[[Mapping[str, Any]], Any]
"""Makes a chunk of the fields of a recorded object, such as a pydantic model's `model_validate`."""


class RecordingError(GuardstreamError):
    """A file is not a valid recording; the message names the line."""


def record(stream: AsyncIterable[C], path: str | Path) -> Recorder[C]:
    """Return a stream of the chunks of `stream` that writes each to the file at `path`.

    Around a guarded stream it records guarded chunks only. Reading raises OSError for a file that
    cannot be written, and closes the stream then.
    """
    return Recorder(stream, path)


class Recorder(RelayedOutcome, AsyncContext, Generic[C]):
    """An async iterator of a stream's chunks that records them in the file at `path`.

    `result`, `stats`, `finish` and the rest are those of the stream.
    """

    def __init__(self, stream: AsyncIterable[C], path: str | Path) -> None:
        super().__init__(stream)
        self._chunks, self._sources = iterator_of(stream)
        self._path = Path(path)
        self._file: IO[str] | None = None
        self._lock = RLock()  # `stop` may come from another thread
        self._started = 0.0

    def __del__(self) -> None:
        # Its consumer has left without closing it.
        if getattr(self, "_file", None) is not None:
            with suppress(OSError):
                self._close("dropped")

    @property
    def finish(self) -> FinishReason | None:
        """Why the stream ended; None while it is open."""
        reason: FinishReason | None = self.stream.finish
        return reason

    def stop(self) -> None:
        """End the stream and the recording now. From any thread, any number of times."""
        self.stream.stop()
        self._close("stopped")

    async def __anext__(self) -> C:
        """Return the next chunk."""
        try:
            if self._file is None:
                self._begin()
            chunk: C = await anext(self._chunks)
            self._line(self._timed(_written(chunk)))
        except StopAsyncIteration:
            self._close(True)
            raise
        except BaseException as error:
            with suppress(OSError):  # the first error is the one that counts
                self._close(type(error).__name__)
            await aclose_source(*self._sources)
            raise
        return chunk

    async def aclose(self) -> None:
        """Close the stream and the recording."""
        try:
            self._close("closed")
        finally:
            await aclose_source(*self._sources)

    def _begin(self) -> None:
        # Half a surrogate pair becomes an escape, which is one in JSON, too.
        self._file = self._path.open("w", encoding="utf-8", errors="backslashreplace")
        self._started = time.monotonic()
        self._line({"recording": 1})

    def _timed(self, line: dict[str, Any]) -> dict[str, Any]:
        return {"t": round(time.monotonic() - self._started, 6), **line}

    def _line(self, line: dict[str, Any]) -> None:
        text = json.dumps(line, ensure_ascii=False) + "\n"
        with self._lock:
            if self._file is not None and not self._file.closed:
                self._file.write(text)

    def _close(self, end: bool | str) -> None:
        with self._lock:
            if self._file is not None and not self._file.closed:
                with self._file:
                    self._line(self._timed({"end": end}))


def replay(
    path: str | Path, *, speed: float = 1.0, build: Build | None = None
) -> AsyncIterator[Any]:
    """Yield the chunks recorded at `path` at their recorded times, `speed` times as fast.

    Speed 0 does not wait at all. Objects are yielded as dicts unless `build` creates them from
    their fields. A recorded error just ends the stream. Raises TypeError or ValueError for an
    invalid speed; reading raises RecordingError for a file that is not a recording.
    """
    _check_speed(speed)
    return _replayed(Path(path), speed, build)


async def _replayed(path: Path, speed: float, build: Build | None) -> AsyncIterator[Any]:
    started = anyio.current_time()
    for seconds, chunk in _read(path, build):
        if speed:
            await anyio.sleep_until(started + seconds / speed)
        yield chunk


def replay_sync(
    path: str | Path, *, speed: float = 1.0, build: Build | None = None
) -> Iterator[Any]:
    """The synchronous form of `replay`, with the same arguments and exceptions.

    Waiting blocks the thread.
    """
    _check_speed(speed)
    return _replayed_sync(Path(path), speed, build)


def _replayed_sync(path: Path, speed: float, build: Build | None) -> Iterator[Any]:
    started = time.monotonic()
    for seconds, chunk in _read(path, build):
        if speed:
            time.sleep(max(0.0, started + seconds / speed - time.monotonic()))
        yield chunk


def _check_speed(speed: object) -> None:
    if isinstance(speed, bool) or not isinstance(speed, (int, float)):
        raise TypeError(f"speed= needs a number, not {type(speed).__qualname__!r}")
    if not 0 <= speed < inf:
        raise ValueError(f"speed= needs a finite number, at least 0, not {speed}: 0 does not wait")


def _read(path: Path, build: Build | None) -> Iterator[tuple[float, Any]]:
    with path.open("rb") as file:
        yield from timed(file, str(path), build)


def timed(
    lines: Iterable[str | bytes], name: str = "recording", build: Build | None = None
) -> Iterator[tuple[float, Any]]:
    """Yield each chunk of a recording's lines after the seconds at which it came, at once.

    `name` is the file's in a RecordingError.
    """
    number = 0
    for number, text in enumerate(lines, 1):
        try:
            found = _timed_chunk(json.loads(text), first=number == 1)
        except (ArithmeticError, LookupError, TypeError, ValueError, StopIteration, RecursionError):
            raise RecordingError(f"{name}:{number}: not a line of a recording") from None
        if found is not None:
            seconds, kind, chunk = found
            yield seconds, build(chunk) if build and kind == "model" else chunk
    if not number:
        raise RecordingError(f"{name}: not a recording: it is empty")


def _timed_chunk(line: Mapping[str, Any], *, first: bool) -> tuple[float, str, Any] | None:
    """Return when a chunk came, its kind and the chunk; None for the first and the last line."""
    if first and line["recording"] != 1:
        raise ValueError(line["recording"])
    if first or "end" in line:
        return None
    seconds = float(line["t"])
    if not 0 <= seconds < inf:
        raise ValueError(seconds)
    kind = next(kind for kind in ("text", "bytes", "json", "model") if kind in line)
    value = line[kind]
    chunk = base64.b64decode(value, validate=True) if kind == "bytes" else value
    return seconds, kind, chunk


def _written(chunk: Any) -> dict[str, Any]:
    if isinstance(chunk, str):
        return {"text": chunk}
    if isinstance(chunk, (bytes, bytearray)):
        return {"bytes": base64.b64encode(chunk).decode()}
    if hasattr(chunk, "model_dump"):
        kind = type(chunk)
        name = f"{kind.__module__}.{kind.__qualname__}"
        return {"type": name, "model": chunk.model_dump(mode="json", exclude_unset=True)}
    return {"json": chunk}
