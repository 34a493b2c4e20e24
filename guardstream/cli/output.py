"""Standard output and error of the command line: what is redirected is UTF-8, nothing is mangled.

A policy or a text that is written to a file must be read again, whatever the locale: Windows
redirects in cp1252 or gbk, which lack most characters. A terminal keeps its encoding; what that
lacks is escaped.
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
"""What is wrong with the machine and not with what was asked."""


class UsageError(GuardstreamError):
    """The command was called with options that do not fit, or needs more than is installed."""


class MachineError(GuardstreamError):
    """The machine cannot do what was asked: a full disk, a closed output, a port in use."""


def prepare() -> None:
    """Make the standard streams ready to print any character, and none of them None."""
    if sys.stdout is None:
        # Open for reading only: a command that prints fails, one that does not goes on.
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
    """Write a line to standard error; one that cannot be written changes nothing else."""
    try:
        print(line, file=sys.stderr, flush=True)
    except (OSError, ValueError):
        abandon()


def abandon() -> None:
    """Let nothing be written any more, not even by the interpreter when it ends."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            devnull = os.open(os.devnull, os.O_WRONLY)
            os.dup2(devnull, stream.fileno())
            os.close(devnull)


def check_apart(output: str | Path | None, *others: str | Path | None) -> None:
    """Raise GuardstreamError if a file that is to be written is another one, too."""
    for other in others if output is not None else ():
        if other is not None and _is_same(str(output), str(other)):
            raise GuardstreamError(f"{output}: is read or written as well: name another file")


def _is_same(one: str, other: str) -> bool:
    try:
        same = os.path.samefile(one, other)
        return same and os.path.isfile(one)  # a terminal or /dev/null may be several
    except (OSError, ValueError):  # one of them is not there
        return one == other


@contextmanager
def naming(path: str | Path) -> Iterator[None]:
    """Let an OSError that does not name its file name `path`."""
    try:
        yield
    except OSError as error:
        if error.filename is not None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


def of_system(error: OSError) -> GuardstreamError:
    """Return what an OSError says, in one line; a MachineError if the machine is the cause."""
    if isinstance(error, UnsupportedOperation):
        return MachineError("standard output is closed: send it to a file, or to the null device")
    name = error.filename if error.filename is not None else "standard output"
    said = f"{os.fsdecode(name)!s}: {(error.strerror or str(error)).lower()}"
    return MachineError(said) if error.errno in _MACHINE else GuardstreamError(said)
