"""Findings of `guardstream lint` as SARIF 2.1.0, which code hosts and editors show in place.

Format: OASIS, "Static Analysis Results Interchange Format (SARIF) Version 2.1.0".
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from guardstream.policy.diagnostics import Diagnostic
from guardstream.version import __version__

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def log(diagnostics: Iterable[Diagnostic]) -> dict[str, Any]:
    """Return the diagnostics as a log of one run."""
    rules = [
        {"id": "error", "shortDescription": {"text": "the policy does not load"}},
        {"id": "warning", "shortDescription": {"text": "allowed, and probably not meant"}},
    ]
    driver = {"name": "guardstream", "version": __version__, "rules": rules}
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(diagnostic) for diagnostic in diagnostics],
    }
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def _result(diagnostic: Diagnostic) -> dict[str, Any]:
    place = {
        "artifactLocation": {
            "uri": quote(Path(diagnostic.file).as_posix(), errors="surrogateescape")
        },
        "region": {"startLine": diagnostic.line, "startColumn": diagnostic.column},
    }
    return {
        "ruleId": diagnostic.level,
        "level": diagnostic.level,
        "message": {"text": diagnostic.message},
        "locations": [{"physicalLocation": place}],
    }
