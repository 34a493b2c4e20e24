"""`guardstream key`: keys for the clients of the proxy."""

from __future__ import annotations

import os
from pathlib import Path

from guardstream.cli.output import UsageError, note
from guardstream.policy.files import read_bytes
from guardstream.policy.key_file import LARGEST, entries_in, hashed, new_key
from guardstream.policy.serving import KeyFile


def new(
    name: str,
    *,
    file: Path | None,
    policy: str | None,
    at_once: int | None,
    tokens: str | None,
    other: bool,
) -> None:
    """Print a new key, and add its entry for the proxy to `file`. The key itself is not stored.

    The key is printed first, because an entry for a key that nobody has seen would be of no use.
    Without a file the entry is printed to standard error. UsageError for a name that exists, and
    for a limit that cannot be read.
    """
    key = new_key()
    fields = {"sha256": hashed(key), "policy": policy, "at_once": at_once, "tokens": tokens}
    fields |= {"other": True if other else None}
    given = {field: value for field, value in fields.items() if value is not None}
    try:
        KeyFile.model_validate(given)
    except ValueError as error:
        raise UsageError("--tokens: expected a number and a time, such as 100000/d") from error
    entry = f"{_quoted(name)}: {{{', '.join(f'{k}: {_value(v)}' for k, v in given.items())}}}\n"
    if file is None:
        print(key, flush=True)
        note(f"put this below 'keys' of the section 'serve', or into its 'key_file':\n{entry}")
        return
    data = read_bytes(file, LARGEST) if file.exists() else b""
    if name in entries_in(file, data):
        raise UsageError(f"{file}: the key {name!r} already exists: use another name, or remove it")
    more = entry if not data or data.endswith(b"\n") else "\n" + entry
    entries_in(file, data + more.encode())
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "a", encoding="utf-8", newline="\n") as opened:
        print(key, flush=True)
        opened.write(more)
    note(f"wrote {file}: the key is shown only this once, and is not stored")


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _value(value: object) -> str:
    return _quoted(value) if isinstance(value, str) else str(value).lower()
