"""A policy's file as the editor shows it: its word files are written out as lists.

The page reads no files, since a policy there may be somebody else's. Those that the command's own
file names are read once, before the page is there.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from guardstream.errors import PolicyError
from guardstream.policy.build import beside, words_in
from guardstream.policy.document import read
from guardstream.policy.sources import read_text

_LINE_END = re.compile(r"\r\n|[\r\n\x85\u2028\u2029]")
_ANCHOR = re.compile(r"(?:[&!]\S*\s+)*")
_CLOSE = re.compile(r"\s*,?\s*\}")

LONGEST = 100_000
"""Characters of a text with its lists; a longer one keeps naming its files."""


def opened(path: Path) -> str:
    """Return the text of a policy's file; PolicyError if it cannot be read.

    A word file that is not there, or outside of the policy's folder, stays named.
    """
    text = read_text(path)
    document = read(text)
    lines = [0, *(found.end() for found in _LINE_END.finditer(text))]
    named: dict[int, tuple[int, str]] = {}  # an alias names a file once more

    def place(line: int, column: int) -> int:
        return _ANCHOR.match(text, lines[line - 1] + column - 1).end()  # type: ignore[union-attr]

    for key, (line, column, quotes, file) in document.values.items():
        if key[-2:] == ("words", "file") and file is not None:
            begin, written = place(line, column), f"{quotes}{file}{quotes}"
            start, end = place(*document.mark(key[:-1])), begin + len(written)
            closed = _CLOSE.match(text, end) if text[start] == "{" else None
            if text.startswith(written, begin) and (closed or text[start] != "{"):
                named[start] = closed.end() if closed else end, file
    made = text
    for start, (end, file) in sorted(named.items(), reverse=True):
        listed = _listed(path.parent, file)
        made = made[:start] + listed + made[end:] if listed else made
    return made if len(made) <= LONGEST else text


def _listed(folder: Path, name: str) -> str | None:
    """Return the words of a file as a list in YAML; None if it has none, or cannot be read."""
    try:
        words = words_in(read_text(beside(folder, name)))
    except PolicyError:
        return None
    return json.dumps(words, ensure_ascii=False) if words else None
