"""A policy that follows its files: changes take effect for new streams."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from threading import Lock
from typing import TypeAlias

from guardstream.errors import PolicyError
from guardstream.policy import build, packs
from guardstream.policy.plugins import allowed
from guardstream.policy.policy import Policy
from guardstream.policy.sources import Loader

_log = logging.getLogger("guardstream")

_Signature: TypeAlias = tuple[tuple[int, int, int] | None, ...]


class Watched:
    """The policy at `path`, reloaded when it, or a file it needs, has changed.

    Raises PolicyError if the file is invalid at first; later the last valid policy is kept, and
    errors are logged by the logger `guardstream`.
    """

    def __init__(self, path: str | Path, *, allow_code: Iterable[str] = ()) -> None:
        self._path = packs.resolve(path)
        self._code = allowed(allow_code)
        self._lock = Lock()
        self.checks: list[Callable[[Policy], object]] = []
        """Called with a policy before it replaces the last one; a PolicyError keeps the last
        one."""
        self._signature: _Signature = ()
        loader = Loader(self._code)
        self._policy = Policy(build.load(self._path, loader))
        self._watch(loader.paths)

    def __repr__(self) -> str:
        return repr(self._policy)

    def policy(self) -> Policy:
        """Return the policy as its files are now."""
        if _signature(self._paths) != self._signature:
            with self._lock:
                if _signature(self._paths) != self._signature:
                    self._reload()
        return self._policy

    def keep(self, names: Iterable[str], what: str) -> None:
        """From now on, refuse a policy in which one of these sections differs: `what` has applied
        them, and does so only once."""
        was, names = self._policy.file, tuple(names)

        def check(policy: Policy) -> None:
            changed = [each for each in names if getattr(policy.file, each) != getattr(was, each)]
            if changed:
                where = policy.place(changed[0])
                raise PolicyError(f"{where}: {what} to apply a change of {changed[0]!r}")

        self.checks.append(check)

    def _reload(self) -> None:
        loader = Loader(self._code)
        # Taken before reading: a file that changes in between is reloaded for the next stream.
        known = self._paths
        before = _signature(known)
        try:
            policy = Policy(build.load(self._path, loader))
            for check in self.checks:
                check(policy)
            self._policy = policy
        except PolicyError as error:
            _log.error("the policy was not reloaded, the last valid one stays:\n%s", error)
            self._watch([*known, *loader.paths])
        else:
            _log.info("reloaded the policy %s", self._path)
            self._watch(loader.paths)
            if _signature(known) != before:
                self._signature = ()

    def _watch(self, paths: list[Path]) -> None:
        self._paths = tuple(dict.fromkeys(paths))
        self._signature = _signature(self._paths)


def _signature(paths: tuple[Path, ...]) -> _Signature:
    """Return what distinguishes versions of the files."""
    return tuple(_stamp(path) for path in paths)


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        stat = path.stat()
    except (OSError, ValueError):
        return None
    return stat.st_mtime_ns, stat.st_size, stat.st_ino
