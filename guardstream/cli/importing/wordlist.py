"""A plain list of words: one a line, `#` begins a comment line."""

from __future__ import annotations

from pathlib import Path

from guardstream.cli.importing.write import Draft, slug


def draft(text: str, path: Path) -> Draft:
    """Read a list; what a regular expression would mean stands for itself."""
    lines = dict.fromkeys(line.strip() for line in text.splitlines())
    words = [line for line in lines if line and not line.startswith("#")]
    made = Draft(slug(path.stem), f"Imported from {path.name}")
    made.rules.append({"id": slug(path.stem), "words": words, "replacement": "*"})
    if not words:
        made.notes.append("the list has no words")
    return made
