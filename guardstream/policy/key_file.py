"""Clients' keys as they are stored for the proxy: hashes, and files that map names to entries in
the form of `keys` in the section `serve`.

A key that is created here has 256 random bits, so that its SHA-256 needs no salt.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from guardstream.errors import PolicyError
from guardstream.policy import document, problems
from guardstream.policy.files import decoded
from guardstream.policy.operational import Setting
from guardstream.policy.serving import KeyFile

PREFIX = "gsk-"
"""The prefix of keys that are created here, by which secret scanners recognise them."""

LARGEST = 16 * 1024 * 1024
"""The maximum bytes of a key file."""

_ENTRIES: TypeAdapter[dict[Setting, KeyFile]] = TypeAdapter(dict[Setting, KeyFile])


def hashed(key: str) -> str:
    """Return the SHA-256 of a key, in hex."""
    return hashlib.sha256(key.encode()).hexdigest()


def new_key() -> str:
    """Return a key of 256 random bits."""
    return PREFIX + secrets.token_urlsafe(32)


def entries_in(path: Path, data: bytes) -> Mapping[str, KeyFile]:
    """Return the entries in the bytes of a file. PolicyError for invalid ones."""
    read = document.read(decoded(path, data))
    wrong = list(read.problems)
    if not wrong:
        try:
            return _ENTRIES.validate_python({} if read.value is None else read.value)
        except ValidationError as error:
            wrong = problems.of_validation(error, read, KeyFile)
    raise PolicyError("\n".join(problems.lines_of(str(path), wrong)))
