"""Definitions of links in Markdown: markdown2 reads all of the rest of the line as the address."""

from __future__ import annotations

import regex

from guardstream.vault.addresses.plain import has_beginning

_definition = regex.compile(
    r"(?:\A|\n)[ ]{0,3}\[(?:(?!\]:)[^\n])++\]:[ \t]*+(?:\n[ \t]*+)?<?(\S++)[ \t][^\n]*+\Z"
)


def ends_in_definition(text: str) -> bool:
    """Return whether `text` ends in a definition, after its address on the same line."""
    if "]:" not in text:
        return False
    line = text.rfind("\n", 0, max(text.rfind("\n"), 0))  # the start of the line before
    defined = _definition.search(text, max(line, 0))
    return defined is not None and has_beginning(defined[1])
