"""The files that a policy is made of: reading one, and noticing that it has changed since."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from time import monotonic
from typing import TypeAlias

from guardstream.errors import PolicyError
from guardstream.hints import nearest
from guardstream.policy import packs

MAX_FILE = 64 * 1024 * 1024
"""The maximum bytes of a policy or word file; a larger one is probably a mistake."""

_SECOND = 1_000_000_000

_TICK = 0.05
"""Seconds that the clock of a file system may stand still: 4 to 16 ms, by the kernel's timer."""

_COARSE_TICK = 2.5
"""The same for file systems with times in whole seconds, of which FAT's are even ones."""

Stamp: TypeAlias = tuple[int, int, int, int]
"""Distinguishes the versions of a file: when its content and its inode were changed, its size, its
inode."""


def _stamp_of(path: str | Path) -> Stamp | None:
    """Return the stamp of a file; None if it is not there."""
    try:
        stat = os.stat(path)
    except (OSError, ValueError):
        return None
    return stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size, stat.st_ino


def _tick(stamp: Stamp) -> float:
    """Return for how many seconds after a change another one may not change the stamp."""
    return _TICK if stamp[0] % _SECOND or stamp[1] % _SECOND else _COARSE_TICK


def read_bytes(path: Path, largest: int | None = None) -> bytes:
    """Read a regular file of at most `largest` bytes, `MAX_FILE` if None; PolicyError says what is
    wrong with it."""
    largest = MAX_FILE if largest is None else largest
    try:
        found = path.stat()
        if not (S_ISREG(found.st_mode) or S_ISDIR(found.st_mode)):
            raise PolicyError(f"{path}:1:1: cannot be read: not a regular file")
        if found.st_size > largest:
            raise PolicyError(f"{path}:1:1: the file is larger than {largest} bytes")
        with path.open("rb") as file:
            data = file.read(largest + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        hint = _meant(path) if isinstance(error, FileNotFoundError) else ""
        raise PolicyError(f"{path}:1:1: cannot be read: {reason.lower()}{hint}") from error
    if len(data) > largest:  # it grows, or does not report its size
        raise PolicyError(f"{path}:1:1: the file is larger than {largest} bytes")
    return data


def decoded(path: Path, data: bytes) -> str:
    """Return the text of a UTF-8 file; PolicyError says where it is not valid."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        before = data[data.rfind(b"\n", 0, error.start) + 1 : error.start]
        column = len(before.decode("utf-8-sig", "replace")) + 1
        raise PolicyError(f"{path}:{line}:{column}: not valid UTF-8: save it as UTF-8") from error


def read_text(path: Path) -> str:
    """Read a UTF-8 file; PolicyError says what is wrong with it and where."""
    return decoded(path, read_bytes(path))


def _meant(path: Path) -> str:
    """Return a hint for a missing file: a pack of that name, or a file beside it."""
    if str(path) == "-":
        return ": a policy is a file or a pack, not standard input"
    if path.name in packs.names():
        return f", did you mean the pack {packs.PREFIX + path.name!r}?"
    try:
        beside = {each.stem: each.name for each in path.parent.iterdir()}
    except OSError:
        return f": there is no folder {str(path.parent)!r}"
    # Without the suffixes, by which all files are alike.
    close = nearest(path.stem, beside, cutoff=0.75)
    return f", did you mean {beside[close]!r}?" if close else ""


def absolute(path: Path) -> Path:
    """Return the path as an absolute one; as it is if the current folder no longer exists."""
    try:
        return path.absolute()
    except OSError:
        return path


class Seen:
    """A file as it was read, or as it could not be read.

    Its stamp tells whether it has changed since. That takes one call of the system, but a stamp
    does not change if a file is written twice within a tick of the file system's clock. So, as git
    does, a stamp is not trusted until the content was compared after that tick
    (https://git-scm.com/docs/racy-git). The same holds for a file that could not be read: whether
    it can be does not only depend on the file.
    """

    def __init__(self, path: Path) -> None:
        """The file is about to be read."""
        self._path = absolute(path)
        self._name = str(self._path)
        self._stamp = _stamp_of(path)
        self._at = monotonic()
        self._digest: bytes | None = None
        self._trusted = False

    @classmethod
    def now(cls, path: Path) -> Seen:
        """Read a file, only to notice when it changes."""
        seen = cls(path)
        seen._digest = seen._content()
        return seen

    def read(self, data: bytes) -> None:
        """Note what was read."""
        self._digest = hashlib.sha256(data).digest()

    def changed(self) -> bool:
        """Return whether the file has changed since it was read."""
        stamp = _stamp_of(self._name)
        if stamp == self._stamp and self._trusted:
            return False
        if stamp != self._stamp:
            if None in (stamp, self._stamp, self._digest):
                return True
            self._stamp, self._at, self._trusted = stamp, monotonic(), False
        if stamp is None:
            return False
        now = monotonic()
        if self._content() != self._digest:
            return True
        self._trusted = self._digest is not None and now - self._at > _tick(stamp)
        return False

    def _content(self) -> bytes | None:
        try:
            return hashlib.sha256(read_bytes(self._path)).digest()
        except PolicyError:
            return None
