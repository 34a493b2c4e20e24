"""A policy that follows its files: changes take effect for new streams."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from threading import Lock
from typing import TypeAlias

from guardstream.errors import PolicyError
from guardstream.forks import kept_across_forks
from guardstream.policy import build, packs
from guardstream.policy.files import Seen, absolute
from guardstream.policy.plugins import allowed
from guardstream.policy.policy import Policy
from guardstream.policy.sources import Loader

log = logging.getLogger("guardstream")

Files: TypeAlias = Mapping[Path, Seen]

_ATTEMPTS = 3
"""How often files are read that change meanwhile."""


class Watched:
    """The policy at `path`, reloaded when it, or a file it needs, has changed.

    Raises PolicyError if the file is invalid at first; later the last valid policy is kept, and
    errors are logged by the logger `guardstream`.
    """

    def __init__(self, path: str | Path, *, allow_code: Iterable[str] = ()) -> None:
        self._path = packs.resolve(path)
        self._code = allowed(allow_code)
        self._lock = kept_across_forks(Lock())
        self.checks: list[Callable[[Policy], object]] = []
        """Called with a policy before it replaces the last one; a PolicyError keeps the last
        one."""
        self._files: Files = {}
        policy, self._files = self._load()
        if isinstance(policy, PolicyError):
            raise policy
        self._policy = policy
        self._path = absolute(self._path)

    def __repr__(self) -> str:
        return repr(self._policy)

    def policy(self) -> Policy:
        """Return the policy as its files are now."""
        if self.changed():
            with self._lock:
                if self.changed():
                    self._reload()
        return self._policy

    @property
    def name(self) -> str:
        """What the log calls the policy."""
        return str(self._path)

    @property
    def loaded(self) -> Policy:
        """The policy as it was last loaded."""
        return self._policy

    def changed(self) -> bool:
        """Return whether files have changed, so that `policy` would load them."""
        return _changed(self._files)

    def keep(self, names: Iterable[str], what: str) -> None:
        """From now on, refuse a policy in which one of these sections differs: `what` has applied
        them, and does so only once."""
        was, names = self._policy.file, tuple(names)

        def check(policy: Policy) -> None:
            changed = [each for each in names if getattr(policy.file, each) != getattr(was, each)]
            if changed:
                where = policy.place(changed[0])
                raise PolicyError(f"{where}: {what} to apply a change of {changed[0]!r}")

        self.checks.insert(0, check)  # others may apply the policy, which this one refuses

    def _reload(self) -> None:
        policy, files = self._load()
        try:
            if isinstance(policy, PolicyError):
                raise policy
            if _changed(files):
                raise PolicyError(f"{self._path}: its files change while they are read")
            for check in self.checks:
                check(policy)
        except PolicyError as error:
            log.error("the policy was not reloaded, the last valid one stays:\n%s", error)
        else:
            self._policy = policy
            log.info("reloaded the policy %s", self.name)
        self._files = files  # last: whoever finds nothing changed has the new policy

    def _load(self) -> tuple[Policy | PolicyError, Files]:
        """Return the policy in the files, or the error in them, and the files.

        The files are read again if one changed meanwhile: it may have been half written, or be
        newer than the others.
        """
        for _ in range(_ATTEMPTS):
            loader = Loader(self._code)
            policy: Policy | PolicyError
            try:
                policy, files = Policy(build.load(self._path, loader)), loader.seen
            except PolicyError as error:
                unread = self._files.keys() - loader.seen.keys()
                policy, files = error, loader.seen | {path: Seen.now(path) for path in unread}
            if not _changed(files):
                break
        return policy, files


def _changed(files: Files) -> bool:
    """Return whether one of the files has changed since it was read."""
    return any(file.changed() for file in files.values())
