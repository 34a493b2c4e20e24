"""A plain list of words: one a line, `#` begins a comment line."""

from __future__ import annotations

import re
from mimetypes import MimeTypes
from pathlib import Path

from guardstream.cli.importing.write import Draft
from guardstream.policy.lint.words import is_like_pattern

_TYPES = MimeTypes()  # not the system's, so that a file is read alike everywhere
_PLAIN = (None, "text/plain", "text/markdown", "text/x-rst")  # Python 3.13 knows the last two

_SETTINGS = (".cf", ".cfg", ".conf", ".ini", ".rules", ".yar", ".yara")
"""Suffixes of settings and rules that have no media type."""

_BINARY = re.compile(r"[\0-\x08\x0e-\x1f\x7f]")
_DATA = re.compile(r"\s*(?:[{\[<]|#!|%YAML|---\s)")
_NO_WORD = re.compile(
    r"\s+\S"  # indented
    r"|[-*+] |</?\w|[^\s:]+:(?:\s|$)"  # an item of a list, a tag, a key
    r"|(?:class|def|export|from|func|function|import|let|package|public|use|using|var)\s"
    r"|.*[=;{}(),\[\]]\s*$|.*\w\s*=\s*\S"  # a line that goes on, a statement, an assignment
)


def may_be(text: str, path: Path) -> bool:
    """Return whether a file may be a list of words: nothing shows markup, code or other data.

    Words may look like code, so up to half of the lines may.
    """
    kind, packed = _TYPES.guess_type(path.name)
    if kind not in _PLAIN or packed or path.suffix.lower() in _SETTINGS:
        return False
    if _DATA.match(text) or _BINARY.search(text):
        return False
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return 2 * sum(1 for line in lines if _NO_WORD.match(line)) <= len(lines)


def has_patterns(text: str) -> bool:
    """Return whether more than half of the lines look like patterns."""
    lines = _lines(text)
    return 2 * sum(map(is_like_pattern, lines)) > len(lines)


def _lines(text: str) -> list[str]:
    lines = dict.fromkeys(line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def draft(text: str, path: Path) -> Draft:
    """Read a list; characters that are special in patterns stand for themselves."""
    words = _lines(text)
    made = Draft.of(path)
    made.rules.append({"id": made.name, "words": words, "replacement": "*"})
    if not words:
        made.notes.append("the list has no words")
    if odd := sum(map(is_like_pattern, words)):
        made.notes.append(
            f"{odd} of its lines look like patterns, and are only found as they are written"
        )
    return made
