"""TruffleHog's custom detectors in YAML: https://docs.trufflesecurity.com/custom-detectors.

Their patterns are RE2; the first group of a match is the secret. TruffleHog verifies the matches of
a detector's patterns together; here each counts by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from guardstream.cli.importing.re2 import part
from guardstream.cli.importing.secret_group import secrets
from guardstream.cli.importing.shape import ANYTHING, UNUSED, fitted
from guardstream.cli.importing.write import (
    Draft,
    any_of,
    containing,
    keyword_notes,
    slug,
)
from guardstream.cli.importing.yaml_file import mapping

_DETECTOR = {
    "name": str,
    "description": str,
    "keywords": [str],
    "regex": ANYTHING,
    "entropy": float,
    "exclude_words": [str],
    "exclude_regexes_capture": [str],
    "exclude_regexes_match": [str],
    "verify": UNUSED,
    "primary_regex_name": UNUSED,
}


def draft(text: str, path: Path) -> Draft:
    """Read detectors; how they verify what they find has no meaning here."""
    made = Draft.of(path)
    config = fitted(mapping(text, path, "detectors"), {"detectors": [ANYTHING]}, "", made.notes)
    for detector in config.get("detectors", ()):
        name = slug(str(detector.get("name") or "detector"))
        _add(made, name, fitted(detector, _DETECTOR, f"detector {name!r}", made.notes))
    return made


def _add(made: Draft, name: str, detector: dict[str, Any]) -> None:
    given = detector.get("regex", {})
    whose = f"detector {name!r}"
    patterns = fitted(given, dict.fromkeys(given, str), f"{whose}: regex", made.notes)
    if not patterns:
        made.notes.append(f"{whose} has no regex, and is left out")
        return
    made.notes += [f"{whose}: {note}" for note in _lost(detector, patterns)]
    allowed = list(_allowed(detector))
    for key, pattern in patterns.items():
        own = name if len(patterns) == 1 else slug(f"{name}-{key}")
        about, entropy = detector.get("description"), detector.get("entropy")
        made.add(own, about, "high", secrets(pattern), entropy=entropy, allowed=allowed)


def _lost(detector: dict[str, Any], patterns: dict[str, str]) -> Iterator[str]:
    if len(patterns) > 1:
        yield "each of its patterns holds without the others"
    if detector.get("exclude_regexes_match"):
        yield "'exclude_regexes_match' is left out, only the secret is seen"
    yield from keyword_notes(detector.get("keywords"), " ".join(patterns.values()))


def _allowed(detector: dict[str, Any]) -> Iterator[str]:
    """Yield the patterns of the secrets that are excluded."""
    for pattern in detector.get("exclude_regexes_capture", ()):
        yield containing(part(pattern))
    words = any_of(detector.get("exclude_words", ()))
    if words:
        yield containing(words)
