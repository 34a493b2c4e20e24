"""One policy for all workers: the process that starts them loads it, and they take what it found.

Else a valid edit and then a broken one would leave each worker with what it last read, and a worker
that replaces another would start with what no other has.
"""

from __future__ import annotations

import logging
import os
import pickle
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from guardstream.errors import PolicyError
from guardstream.guard import Guard
from guardstream.policy import Policy
from guardstream.policy.files import Seen
from guardstream.policy.reload import Files, Watched

FOLDER = "GUARDSTREAM_GENERATIONS"
"""The variable that tells workers where the policies are."""

_POLL = 0.25
"""Seconds between two looks at the files."""

log = logging.getLogger("guardstream.serve")


class Published(Watched):
    """The policy of this name that another process has last published in a folder."""

    def __init__(self, folder: str, name: str) -> None:
        super().__init__(_path(folder, name))

    @property
    def name(self) -> str:
        """What the log calls the policy."""
        return f"{self._path.name!r} in this worker"

    def _load(self) -> tuple[Policy | PolicyError, Files]:
        while True:  # it is replaced as a whole, so that it is never half written
            seen = Seen.now(self._path)
            data = self._path.read_bytes()
            if not seen.changed():
                break
        try:
            policy: Policy | PolicyError = pickle.loads(data)
        except PolicyError as error:  # such as a variable that this process lacks
            policy = error
        return policy, {self._path: seen}


def _path(folder: str, name: str) -> Path:
    return Path(folder, quote(name, safe=""))


class Generations:
    """Publishes the policies of guards in a folder, and again when their files have changed."""

    def __init__(self, folder: str, guards: Mapping[str, Guard]) -> None:
        self._folder, self._guards = folder, guards
        self._current: dict[str, Policy] = {}
        self._stopped = threading.Event()
        self.publish()

    def publish(self) -> None:
        """Publish the policies that have changed."""
        for name, guard in self._guards.items():
            policy = guard.policy
            if self._current.get(name) is not policy:
                self._write(name, policy)
                self._current[name] = policy

    def reload(self, load: Callable[[str], Policy]) -> None:
        """Load all policies anew and publish them, or none of them if one is invalid."""
        try:
            loaded = {name: load(name) for name in self._guards}
        except PolicyError as error:
            log.error("no policy was reloaded, the last valid ones stay:\n%s", error)
            return
        for name, policy in loaded.items():
            self._write(name, policy)

    def _write(self, name: str, policy: Policy) -> None:
        path = _path(self._folder, name)
        made = path.with_suffix(".new")
        made.write_bytes(pickle.dumps(policy))
        os.replace(made, path)

    def follow(self) -> None:
        """Publish again whenever files change, until `stop`; what fails is tried again."""
        while not self._stopped.wait(_POLL):
            try:
                self.publish()
            except OSError as error:  # a full disk, say: the workers keep what they have
                log.error("a policy could not be published: %s", error.strerror)

    def stop(self) -> None:
        """End `follow`."""
        self._stopped.set()


@contextmanager
def published(folder: str, guards: Mapping[str, Guard]) -> Iterator[Generations]:
    """Publish policies in a folder for the processes that are started meanwhile."""
    generations = Generations(folder, guards)
    os.environ[FOLDER] = folder
    thread = threading.Thread(target=generations.follow, daemon=True)
    thread.start()
    try:
        yield generations
    finally:
        generations.stop()
        thread.join()
        os.environ.pop(FOLDER, None)
