"""The keys in a file of clients' keys, read again when it changes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from guardstream.errors import PolicyError
from guardstream.policy.files import Seen, read_bytes
from guardstream.policy.key_file import LARGEST, entries_in, hashed
from guardstream.policy.operational import rate_of, revealed_key
from guardstream.policy.serving import KeyFile
from guardstream.serve.proxy.keys import Key


def key_of(name: str, entry: KeyFile, clear: str | None) -> Key:
    """Return the key of an entry; `clear` is the key itself, if it is not hashed."""
    sha256 = hashed(clear) if clear is not None else entry.sha256
    assert sha256 is not None
    tokens = rate_of(entry.tokens) if entry.tokens else None
    return Key(name, sha256, entry.policy, entry.at_once, tokens, entry.other)


class KeysOfFile:
    """The keys of a file that may change; `policies` are those that they may name.

    With `other`, keys may be for paths that the proxy does not know.
    """

    def __init__(self, path: str, policies: Iterable[str], *, other: bool = False) -> None:
        self._path = Path(path)
        self._policies = tuple(policies)
        self._other = other
        self._seen: Seen | None = None

    def changed(self) -> tuple[Key, ...] | None:
        """Return the keys if they changed since the last call. PolicyError."""
        if self._seen is not None and not self._seen.changed():
            return None
        self._seen = Seen(self._path)
        data = read_bytes(self._path, LARGEST)
        self._seen.read(data)
        keys = []
        for name, entry in entries_in(self._path, data).items():
            if entry.policy is not None and entry.policy not in self._policies:
                known = ", ".join(self._policies)
                raise PolicyError(
                    f"{self._path}: key {name!r}: no policy {entry.policy!r} in 'policies', "
                    f"known: {known}"
                )
            if entry.other and not self._other:
                raise PolicyError(
                    f"{self._path}: key {name!r}: 'other' of a key is for 'other: guard'"
                )
            keys.append(key_of(name, entry, revealed_key(entry.key) if entry.key else None))
        return tuple(keys)
