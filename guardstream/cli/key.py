"""`guardstream key`: keys for the clients of the proxy."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from guardstream.cli.output import UsageError, note
from guardstream.policy.files import read_bytes
from guardstream.policy.key_file import LARGEST, entries_in, hashed, new_key
from guardstream.policy.operational import Rate, Setting
from guardstream.policy.problems import message_of


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
    for an argument that the proxy would refuse in the entry.
    """
    _check("NAME", name, Setting)
    _check("--policy", policy, Setting)
    _check("--tokens", tokens, Rate)
    key = new_key()
    fields = {"sha256": hashed(key), "policy": policy, "at_once": at_once, "tokens": tokens}
    fields |= {"other": True if other else None}
    given = {field: value for field, value in fields.items() if value is not None}
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


def _check(argument: str, given: str | None, kind: Any) -> None:
    """Raise UsageError, which names the argument, for a value that is not of the type `kind`."""
    if given is None:
        return
    try:
        TypeAdapter(kind).validate_python(given)
    except ValidationError as error:
        raise UsageError(f"{argument}: {message_of(error)}") from error


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _value(value: object) -> str:
    return _quoted(value) if isinstance(value, str) else str(value).lower()
