"""The mapping in a YAML file that is to be imported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from guardstream.cli.importing.write import ImportingError
from guardstream.policy.document import read


def value_of(text: str, path: Path) -> Any:
    """Read YAML as plain values. Raises ImportingError for what is none, with its place."""
    document = read(text)
    if document.problems:
        mark, message = document.problems[0]
        raise ImportingError(f"{path}:{mark.line}:{mark.column}: {message}")
    return document.value


def entries(text: str, path: Path, key: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Read a mapping and the list of mappings under one of its keys. Raises ImportingError."""
    value = value_of(text, path)
    found = value.get(key) if isinstance(value, dict) else None
    if not isinstance(found, list):
        raise ImportingError(f"{path}:1:1: no list of {key}")
    return value, [entry for entry in found if isinstance(entry, dict)]
