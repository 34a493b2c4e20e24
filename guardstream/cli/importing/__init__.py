"""`guardstream import`: policies out of other tools' configuration.

What cannot be carried over is said, one line each; nothing is dropped silently.
"""

from __future__ import annotations

from pathlib import Path

from guardstream.cli.importing import bedrock, gitleaks, presidio, wordlist
from guardstream.cli.importing.write import Draft, ImportingError, as_yaml, usable
from guardstream.policy.sources import read_text

FORMATS = {
    "gitleaks": gitleaks.draft,
    "presidio": presidio.draft,
    "bedrock": bedrock.draft,
    "words": wordlist.draft,
}

_SUFFIXES = {".toml": "gitleaks", ".yaml": "presidio", ".yml": "presidio", ".json": "bedrock"}


def convert(path: Path, kind: str | None) -> tuple[str, list[str]]:
    """Return the policy for a file, as YAML, and notes on what could not be carried over."""
    kind = kind or _SUFFIXES.get(path.suffix.lower(), "words")
    if kind not in FORMATS:
        raise ImportingError(f"unknown format {kind!r}, there are: {', '.join(FORMATS)}")
    made: Draft = FORMATS[kind](read_text(path), path)
    rules, notes = usable(made)
    made.rules[:] = rules
    return as_yaml(made), [f"{path}: {note}" for note in made.notes + notes]
