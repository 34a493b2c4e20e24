"""`guardstream import`: policies from other tools' configurations.

What cannot be converted is reported, one line each; nothing is dropped silently.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from guardstream.cli.importing import (
    bedrock,
    gitleaks,
    kingfisher,
    litellm,
    llm_guard,
    nemo,
    presidio,
    trivy,
    trufflehog,
    wordlist,
)
from guardstream.cli.importing.write import Draft, ImportingError, as_yaml, usable
from guardstream.cli.importing.yaml_file import value_of
from guardstream.hints import hint
from guardstream.policy.files import read_text

FORMATS = {
    "gitleaks": gitleaks.draft,
    "kingfisher": kingfisher.draft,
    "trivy": trivy.draft,
    "trufflehog": trufflehog.draft,
    "presidio": presidio.draft,
    "bedrock": bedrock.draft,
    "llm-guard": llm_guard.draft,
    "litellm": litellm.draft,
    "nemo": nemo.draft,
    "words": wordlist.draft,
}

_SUFFIXES = {".toml": "gitleaks", ".json": "bedrock"}

_KEYS = (
    ("presidio", {"recognizers"}, {"supported_entity", "patterns", "deny_list"}),
    ("presidio", {"recognizer_registry"}, set[str]()),
    ("trufflehog", {"detectors"}, set[str]()),
    ("llm-guard", {"input_scanners", "output_scanners"}, set[str]()),
    ("litellm", {"guardrails"}, set[str]()),
    ("nemo", {"rails"}, set[str]()),
    ("trivy", trivy.CONFIG.keys() - {"rules"}, {"regex"}),
    ("kingfisher", set[str](), {"pattern"}),
)
"""What identifies a format: keys of a YAML file, and keys of the first of its rules."""


def convert(path: Path, kind: str | None) -> tuple[str, list[str]]:
    """Return the policy for a file, as YAML, and notes on what could not be carried over."""
    text = read_text(path)
    kind = kind or _detected(text, path)
    if kind not in FORMATS:
        raise ImportingError(f"unknown format {kind!r}, {hint(kind, FORMATS)}")
    made: Draft = FORMATS[kind](text, path)
    for side in (made, made.prompts):
        side.rules, notes = usable(side)
        made.notes += notes
    if made.is_empty and made.prompts.is_empty:
        made.notes.append("the policy has no rules")
    return as_yaml(made), [f"{path}: {note}" for note in dict.fromkeys(made.notes)]


def _detected(text: str, path: Path) -> str:
    """Return the format of a file: by its name, and a YAML file's by what is in it."""
    suffix = path.suffix.lower()
    if suffix in _SUFFIXES:
        return _SUFFIXES[suffix]
    if suffix in (".yaml", ".yml"):
        found = _detected_yaml(value_of(text, path))
    else:
        found = "words" if wordlist.may_be(text, path) else None
    if found == "words" and wordlist.has_patterns(text):
        raise ImportingError(
            f"{path}: its lines are patterns: list them under 'pattern' in a rule of a policy; "
            "--from words takes them as they are written"
        )
    if found is None:
        there_are = ", ".join(FORMATS)
        raise ImportingError(
            f"{path}: its format cannot be detected; name it: --from FORMAT, one of {there_are} "
            "(plain text, one a line)"
        )
    return found


def _detected_yaml(value: Any) -> str | None:
    """Return the format of a YAML file by its keys, or those of its first item."""
    value = {"": value} if isinstance(value, list) else value
    if not isinstance(value, dict):
        return None
    items = next((each for each in value.values() if isinstance(each, list)), None)
    first = items[0] if items and isinstance(items[0], dict) else {}
    for kind, keys, own in _KEYS:
        if keys & value.keys() or (own & first.keys() and ("" in value or "rules" in value)):
            return kind
    return None
