"""Reads the values of a YAML file for an importer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from guardstream.cli.importing.write import ImportingError
from guardstream.policy.document import Document, Mark, read


def value_of(text: str, path: Path) -> Any:
    """Read YAML as plain values. Raises ImportingError, with the place, if it is not valid."""
    return _read(text, path).value


def _read(text: str, path: Path) -> Document:
    document = read(text)
    if document.problems:
        raise _error(path, *document.problems[0])
    return document


def _error(path: Path, mark: Mark, message: str) -> ImportingError:
    return ImportingError(f"{path}:{mark.line}:{mark.column}: {message}")


def mapping(text: str, path: Path, key: str | None = None) -> dict[str, Any]:
    """Read a mapping, with a list under a `key`. Raises ImportingError."""
    document = _read(text, path)
    value = document.value
    if not isinstance(value, dict):
        raise _error(
            path, document.mark(()), "not a mapping: begin it with a key, as in 'name: value'"
        )
    if key is not None and not isinstance(value.get(key), list):
        what = f"{key!r} is not a list" if key in value else f"no list of {key}"
        raise _error(path, document.key_mark((key,)), f"{what}: begin each item with '- '")
    return value
