"""Definitions of links in Markdown: markdown2 reads all of the rest of the line as the address, and
Pandoc the next line, too, after a backslash."""

from __future__ import annotations

import regex

from guardstream.vault.addresses.plain import has_beginning

LINES = 3
"""A definition may have so many lines: its label, its address, and what follows a backslash."""

_definition = regex.compile(
    r"(?:\A|\n)[ ]{0,3}\[(?:(?!\]:)[^\n])++\]:[ \t]*+(?:\n[ \t]*+)?"
    r"<?(\S++)(?:[ \t]|(?<=\\)\n)[^\n]*+\Z"
)


def ends_in_definition(text: str) -> bool:
    """Return whether `text` ends in a definition, after its address."""
    if "]:" not in text:
        return False
    start = len(text)
    for _ in range(LINES):
        start = text.rfind("\n", 0, max(start, 0))
    defined = _definition.search(text, max(start, 0))
    return defined is not None and has_beginning(defined[1])
