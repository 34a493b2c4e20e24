"""Findings of `guardstream lint` as SARIF 2.1.0, which code hosts and editors show in place.

Format: OASIS, "Static Analysis Results Interchange Format (SARIF) Version 2.1.0".
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from guardstream.policy.notes import Note
from guardstream.version import __version__

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def log(notes: Iterable[Note]) -> dict[str, Any]:
    """Return the notes as a log of one run."""
    rules = [
        {"id": "error", "shortDescription": {"text": "the policy does not load"}},
        {"id": "warning", "shortDescription": {"text": "allowed, and probably not meant"}},
    ]
    driver = {"name": "guardstream", "version": __version__, "rules": rules}
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(note) for note in notes],
    }
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def _result(note: Note) -> dict[str, Any]:
    place = {
        "artifactLocation": {"uri": quote(Path(note.file).as_posix(), errors="surrogateescape")},
        "region": {"startLine": note.line, "startColumn": note.column},
    }
    return {
        "ruleId": note.level,
        "level": note.level,
        "message": {"text": note.message},
        "locations": [{"physicalLocation": place}],
    }
