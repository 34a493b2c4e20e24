"""TruffleHog's custom detectors in YAML: https://docs.trufflesecurity.com/custom-detectors.

Their patterns are RE2; the first group of a match is the secret. TruffleHog verifies the matches of
a detector's patterns together; here each stands for itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from guardstream.cli.importing.re2 import part, secrets
from guardstream.cli.importing.write import (
    Draft,
    any_of,
    containing,
    slug,
    unknown,
    untold_keywords,
)
from guardstream.cli.importing.yaml_file import entries

_DETECTOR = frozenset({"name", "keywords", "regex", "entropy", "exclude_words", "description"})
_DETECTOR |= {"exclude_regexes_capture", "exclude_regexes_match", "verify", "primary_regex_name"}


def draft(text: str, path: Path) -> Draft:
    """Read detectors; how they verify what they find has no meaning here."""
    config, detectors = entries(text, path, "detectors")
    made = Draft(slug(path.stem), f"Imported from {path.name}")
    made.notes += unknown(config, frozenset({"detectors"}))
    for detector in detectors:
        _add(made, detector)
    return made


def _add(made: Draft, detector: dict[str, Any]) -> None:
    name = slug(str(detector.get("name") or "detector"))
    given = detector.get("regex")
    patterns = given if isinstance(given, dict) else {}
    if not patterns:
        made.notes.append(f"detector {name!r} has no regex, and is left out")
        return
    made.notes += [f"detector {name!r}: {note}" for note in _untold(detector, patterns)]
    allowed = list(_allowed(detector))
    for key, pattern in patterns.items():
        own = name if len(patterns) == 1 else slug(f"{name}-{key}")
        written, group = secrets(str(pattern))
        about, entropy = detector.get("description"), detector.get("entropy")
        made.add(own, about, "high", written, group=group, entropy=entropy, allowed=allowed)


def _untold(detector: dict[str, Any], patterns: dict[str, Any]) -> Iterator[str]:
    if len(patterns) > 1:
        yield "each of its patterns holds without the others"
    if detector.get("exclude_regexes_match"):
        yield "'exclude_regexes_match' is left out, the secret alone is seen"
    yield from untold_keywords(detector.get("keywords"), " ".join(map(str, patterns.values())))
    yield from unknown(detector, _DETECTOR)


def _allowed(detector: dict[str, Any]) -> Iterator[str]:
    """The patterns for secrets that are excluded."""
    for pattern in detector.get("exclude_regexes_capture") or ():
        yield containing(part(str(pattern)))
    words = any_of(detector.get("exclude_words") or ())
    if words:
        yield containing(words)
