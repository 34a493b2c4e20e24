"""Sinks, which guarded text is written to as it arrives: a file, JSON lines, a log.

A write goes to the operating system's cache and takes microseconds; slow work (forcing a file to
the disk) is done once, at the end, in a thread.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any, Literal, Protocol, Self, TextIO

import anyio.to_thread

from guardstream.errors import without_message
from guardstream.events import FinishReason
from guardstream.hints import check_known
from guardstream.stream.result import Result

COMPLETE: Sequence[FinishReason] = ("stop", "length", "tool_calls")
"""The finish reasons of an answer that is whole, or as long as it was allowed to be."""

log = logging.getLogger("guardstream")


class Sink(Protocol):
    """A target of `write_to`.

    It is not called again after it raised, so it has to clean up before.
    """

    def write(self, text: str) -> None:
        """Write the next text."""
        ...

    def close(self, result: Result) -> None:
        """Finish, given the `result` of the stream. Called in a thread, so it may block."""
        ...


class Readable(Protocol):
    """A stream whose text can be written: a guarded one, or one that is opened again."""

    @property
    def result(self) -> Result: ...
    @property
    def delta(self) -> str: ...
    def __aiter__(self) -> AsyncIterator[object]: ...
    async def __aenter__(self) -> Self: ...
    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...


async def write_to(
    stream: Readable, *sinks: Sink, on_error: Literal["raise", "report"] = "raise"
) -> Result:
    """Read `stream` to its end, write the answer's text to the `sinks`, and return the result.

    `on_error`: a sink that fails, for example because the disk is full, ends the stream with its
    error ("raise"), or is dropped with a log message while the others continue ("report"). The
    others are closed on every exit path. Exceptions of the stream pass unchanged. Raises
    ValueError for another `on_error`.
    """
    check_known("on_error", on_error, ("raise", "report"))
    writing, closing = list(sinks), Lock()

    def close() -> list[Exception]:
        first = closing.acquire(blocking=False)
        return _each(writing, lambda sink: sink.close(stream.result)) if first else []

    try:
        async with stream:
            async for _ in stream:
                if stream.delta:
                    _settle(_each(writing, lambda sink: sink.write(stream.delta)), on_error)
    finally:
        with anyio.CancelScope(shield=True):
            try:
                failures = await anyio.to_thread.run_sync(close)
            except BaseException:
                close()  # a task's own `cancel` passes a shield, before a thread has begun
                raise
    _settle(failures, on_error)
    return stream.result


def _each(sinks: list[Sink], act: Callable[[Sink], None]) -> list[Exception]:
    """Do something with all sinks, drop those that fail, and return their errors."""
    failures = []
    for sink in [*sinks]:
        try:
            act(sink)
        except Exception as error:
            sinks.remove(sink)
            failures.append(error)
            log.error("sink %s failed (%s)", type(sink).__name__, without_message(error))
    return failures


def _settle(failures: list[Exception], on_error: Literal["raise", "report"]) -> None:
    if failures and on_error == "raise":
        raise failures[0]


class FileSink:
    """A file at `path` that exists only once the answer is complete.

    The text is written to `path.partial`, which is renamed at the end. If the answer was blocked,
    cancelled or cut off, or could not be written, the partial file is kept (`partial="keep"`) or
    removed ("delete"). With `fsync` the text is forced to the disk before the file is renamed. A
    lone surrogate, which UTF-8 cannot encode, is written as a question mark. Writing raises
    OSError.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        partial: Literal["keep", "delete"] = "keep",
        fsync: bool = True,
    ) -> None:
        check_known("partial", partial, ("keep", "delete"))
        self.path = Path(path)
        self.partial = self.path.with_name(f"{self.path.name}.partial")
        self._keep = partial == "keep"
        self._fsync = fsync
        self._file: TextIO | None = None

    def write(self, text: str) -> None:
        """Write text; it can be read from the partial file right away."""
        with self._failing():
            _write(self._opened(), text)

    def close(self, result: Result) -> None:
        """Rename the file if the answer is whole."""
        with self._failing():
            with self._opened() as file:
                if self._fsync:
                    os.fsync(file.fileno())
            if result.finish in COMPLETE:
                os.replace(self.partial, self.path)
            elif not self._keep:
                self.partial.unlink(missing_ok=True)

    @contextmanager
    def _failing(self) -> Iterator[None]:
        """Remove what cannot be completed, unless it is kept."""
        try:
            yield
        except OSError:
            if not self._keep:
                with suppress(OSError):
                    self.partial.unlink()
            raise

    def _opened(self) -> TextIO:
        if self._file is None:
            self._file = self.partial.open("w", encoding="utf-8", errors="replace", newline="")
        return self._file


class JsonLinesSink:
    """Appends JSON lines to the file at `path`. Raises OSError if it cannot be written.

    It writes a line `{"text": …}` for each text, then `{"finish": …, "findings": […]}`.
    """

    def __init__(self, path: str | Path) -> None:
        # Half a surrogate pair becomes an escape, which is one in JSON, too.
        self._file = Path(path).open("a", encoding="utf-8", errors="backslashreplace")  # noqa: SIM115

    def write(self, text: str) -> None:
        """Write a line."""
        self._line({"text": text})

    def close(self, result: Result) -> None:
        """Write the last line."""
        with self._file:
            findings = [
                {"rule": found.rule, "action": found.action, "channel": found.channel}
                for found in result.findings
            ]
            self._line({"finish": result.finish, "findings": findings})

    def _line(self, value: dict[str, Any]) -> None:
        _write(self._file, json.dumps(value, ensure_ascii=False) + "\n")


class LoggingSink:
    """Logs each line of the answer, and its finish reason, at `level`.

    `logger` is `guardstream.answers` by default.
    """

    def __init__(self, logger: logging.Logger | None = None, level: int = logging.INFO) -> None:
        self._logger = logger or logging.getLogger("guardstream.answers")
        self._level = level
        self._line = ""

    def write(self, text: str) -> None:
        """Log the lines that are whole with this text."""
        *lines, self._line = (self._line + text).split("\n")
        for line in lines:
            self._logger.log(self._level, "%s", line)

    def close(self, result: Result) -> None:
        """Log what is left, and the finish reason."""
        if self._line:
            self._logger.log(self._level, "%s", self._line)
        self._logger.log(self._level, "finish: %s", result.finish)


def _write(file: TextIO, text: str) -> None:
    """Write and flush; a file that cannot be written is closed."""
    try:
        file.write(text)
        file.flush()
    except OSError:
        with suppress(OSError):
            file.close()
        raise
