"""Reads the values of a YAML file for an importer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from guardstream.cli.importing.write import ImportingError
from guardstream.policy.document import read


def value_of(text: str, path: Path) -> Any:
    """Read YAML as plain values. Raises ImportingError, with the place, if it is not valid."""
    document = read(text)
    if document.problems:
        mark, message = document.problems[0]
        raise ImportingError(f"{path}:{mark.line}:{mark.column}: {message}")
    return document.value


def mapping(text: str, path: Path, key: str | None = None) -> dict[str, Any]:
    """Read a mapping, with a list under a `key`. Raises ImportingError."""
    value = value_of(text, path)
    if not isinstance(value, dict):
        raise ImportingError(f"{path}:1:1: no mapping")
    if key is not None and not isinstance(value.get(key), list):
        raise ImportingError(f"{path}:1:1: no list of {key}")
    return value
