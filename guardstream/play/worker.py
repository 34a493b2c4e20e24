"""The process that runs the page's policies, with limits on memory and time, and without secrets.

It reads requests from standard input, each a line of JSON, and answers with lines of JSON. An empty
line ends its turn: then the server may send the next message. The first turn says that it has
started. A live stream has a turn for each chunk.

    python -m guardstream.play.worker
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any, BinaryIO

from guardstream.errors import GuardstreamError
from guardstream.play import jobs

MEMORY = 1 << 30
"""Bytes of address space."""

SECONDS = 30
"""Seconds of processor time for one request."""

_FILES = 64


def bound() -> Callable[[], None]:
    """Limit the resources of this process; return a function that allows CPU time for one request.

    On systems without such limits (Windows), only the server's own timeout remains.
    """
    try:
        import resource
    except ImportError:  # pragma: no cover
        return lambda: None
    limits = {
        resource.RLIMIT_AS: MEMORY,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_NOFILE: _FILES,
        resource.RLIMIT_CORE: 0,
    }
    for limit, most in limits.items():
        _lower(resource, limit, most)

    def allow() -> None:
        used = resource.getrusage(resource.RUSAGE_SELF)
        soon = int(used.ru_utime + used.ru_stime) + SECONDS
        _lower(resource, resource.RLIMIT_CPU, soon, hard=False)

    return allow


def _lower(resource: Any, limit: int, most: int, *, hard: bool = True) -> None:
    """Lower a limit, as far as the system allows."""
    _, highest = resource.getrlimit(limit)
    unlimited = resource.RLIM_INFINITY
    wanted = most if highest == unlimited else min(most, highest)
    try:
        resource.setrlimit(limit, (wanted, wanted if hard else highest))
    except (OSError, ValueError):  # macOS does not bound address space
        return


class _Answer:
    """Writes events, many at a time, because each write costs more than creating an event."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out

    def emit(self, event: dict[str, Any]) -> None:
        """Write one event."""
        self._out.write(json.dumps(event, separators=(",", ":")).encode() + b"\n")

    def end_turn(self) -> None:
        """Flush the events and end the turn."""
        self._out.write(b"\n")
        self._out.flush()


def work(source: BinaryIO, out: BinaryIO, allow: Callable[[], None]) -> None:
    """Answer requests until there are no more."""
    answer = _Answer(out)

    def more() -> dict[str, Any]:
        answer.end_turn()
        line = source.readline()
        said: dict[str, Any] = json.loads(line) if line else {}
        return said

    while line := source.readline():
        allow()
        try:
            jobs.do(json.loads(line), answer.emit, more)
        except GuardstreamError as error:
            answer.emit({"type": "error", "message": str(error)})
        except (MemoryError, RecursionError):
            raise
        except Exception as error:
            said = f"this could not be done ({type(error).__name__})"
            answer.emit({"type": "error", "message": said})
        answer.end_turn()


def main() -> None:
    """Work on standard input and output; nothing else is written to them."""
    out = os.fdopen(os.dup(1), "wb", buffering=64 * 1024)
    sys.stdout = sys.stderr
    try:
        allow = bound()
        _Answer(out).end_turn()
        work(sys.stdin.buffer, out, allow)
    except (MemoryError, RecursionError, BrokenPipeError, KeyboardInterrupt):
        os._exit(1)


if __name__ == "__main__":
    main()
