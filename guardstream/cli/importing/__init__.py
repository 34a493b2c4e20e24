"""`guardstream import`: policies out of other tools' configuration.

What cannot be carried over is said, one line each; nothing is dropped silently.
"""

from __future__ import annotations

from pathlib import Path

from guardstream.cli.importing import (
    bedrock,
    gitleaks,
    kingfisher,
    presidio,
    trivy,
    trufflehog,
    wordlist,
)
from guardstream.cli.importing.write import Draft, ImportingError, as_yaml, usable
from guardstream.cli.importing.yaml_file import value_of
from guardstream.policy.sources import read_text

FORMATS = {
    "gitleaks": gitleaks.draft,
    "kingfisher": kingfisher.draft,
    "trivy": trivy.draft,
    "trufflehog": trufflehog.draft,
    "presidio": presidio.draft,
    "bedrock": bedrock.draft,
    "words": wordlist.draft,
}

_SUFFIXES = {".toml": "gitleaks", ".json": "bedrock"}


def convert(path: Path, kind: str | None) -> tuple[str, list[str]]:
    """Return the policy for a file, as YAML, and notes on what could not be carried over."""
    text = read_text(path)
    kind = kind or _told(text, path)
    if kind not in FORMATS:
        raise ImportingError(f"unknown format {kind!r}, there are: {', '.join(FORMATS)}")
    made: Draft = FORMATS[kind](text, path)
    rules, notes = usable(made)
    made.rules[:] = rules
    return as_yaml(made), [f"{path}: {note}" for note in made.notes + notes]


def _told(text: str, path: Path) -> str:
    """Return the format of a file: by its name, and a YAML file's by what is in it."""
    suffix = path.suffix.lower()
    if suffix not in (".yaml", ".yml"):
        return _SUFFIXES.get(suffix, "words")
    value = value_of(text, path)
    if isinstance(value, list):
        return "presidio"
    value = value if isinstance(value, dict) else {}
    if "recognizers" in value:
        return "presidio"
    if "detectors" in value:
        return "trufflehog"
    rules = value.get("rules")
    first = rules[0] if isinstance(rules, list) and rules else None
    if isinstance(first, dict) and "pattern" in first:
        return "kingfisher"
    if isinstance(first, dict) and "regex" in first:
        return "trivy"
    raise ImportingError(f"{path}: its format cannot be told; name it: --from FORMAT")
