"""Standard output and error of the command line. Redirected output is UTF-8.

A policy or a text that is written to a file must be readable again in any locale: Windows redirects
in cp1252 or gbk, which lack most characters. A terminal keeps its encoding; characters that it
lacks are escaped.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper, UnsupportedOperation
from pathlib import Path

from guardstream.errors import GuardstreamError

_MACHINE = frozenset(
    getattr(errno, name, 0)
    for name in ["ENOSPC", "EDQUOT", "EFBIG", "EIO", "EBADF", "EMFILE", "ENFILE", "ENOMEM"]
)
"""Errors of the machine, not of the user."""


class UsageError(GuardstreamError):
    """Options that do not fit together, or a package that is not installed."""


class MachineError(GuardstreamError):
    """A failure of the machine: a full disk, a closed output, a port in use."""


def prepare() -> None:
    """Make the standard streams able to print any character; replace those that are None."""
    if sys.stdout is None:
        # Open for reading only: a command that prints fails, any other goes on.
        sys.stdout = open(os.devnull, encoding="utf-8")  # noqa: SIM115
    if sys.stderr is None:
        # print(file=None) would write errors to standard output.
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper) and stream.writable():
            redirected = stream is sys.stdout and not stream.isatty()
            encoding = "utf-8" if redirected else None
            stream.reconfigure(encoding=encoding, errors="backslashreplace")


def note(line: object) -> None:
    """Write a line to standard error; a failure to write it is ignored."""
    try:
        print(line, file=sys.stderr, flush=True)
    except (OSError, ValueError):
        abandon()


def shortened(text: str, most: int) -> str:
    """Return a text of at most `most` characters as it is, and the beginning of a longer one."""
    return text if len(text) <= most else text[:most] + "…"


def abandon() -> None:
    """Discard all further output, including what the interpreter flushes at its end."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            devnull = os.open(os.devnull, os.O_WRONLY)
            os.dup2(devnull, stream.fileno())
            os.close(devnull)


def check_apart(output: str | Path | None, *others: str | Path | None) -> None:
    """Raise GuardstreamError if the file `output` is also one of `others`, which are read or
    written."""
    for other in others if output is not None else ():
        if other is not None and _is_same(str(output), str(other)):
            raise GuardstreamError(f"{output}: is read or written as well: name another file")


def _is_same(one: str, other: str) -> bool:
    try:
        same = os.path.samefile(one, other)
        return same and os.path.isfile(one)  # a terminal or /dev/null may be used for both
    except (OSError, ValueError):  # one of them is not there
        return one == other


@contextmanager
def naming(path: str | Path) -> Iterator[None]:
    """Add `path` to an OSError that names no file."""
    try:
        yield
    except OSError as error:
        if error.filename is not None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


def of_system(error: OSError) -> GuardstreamError:
    """Return an OSError's message in one line; as a MachineError if the machine is the cause."""
    if isinstance(error, UnsupportedOperation):
        return MachineError("standard output is closed: send it to a file, or to the null device")
    name = error.filename if error.filename is not None else "standard output"
    message = f"{os.fsdecode(name)!s}: {(error.strerror or str(error)).lower()}"
    return MachineError(message) if error.errno in _MACHINE else GuardstreamError(message)
