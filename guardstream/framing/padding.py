"""Padding: random letters that providers add to events, so that no length gives a text away."""

from __future__ import annotations

import re
from string import ascii_lowercase

_RUN = ""
for _letter in reversed(ascii_lowercase):
    _RUN = f"(?:{_letter}{_RUN})?"

PADDING = (
    r"(?:(?=[^\"0-9]*[0-9])[\w.:|+/=-]+"
    r"|(?!(?:[a-z]{4,}|[A-Z]{4,}|[A-Z][a-z]{3,})(?![A-Za-z]))[A-Za-z]*"
    rf"|{_RUN})"
)
"""Letters and digits with at least one digit; letters alone, unless their case is that of a word;
or the first letters of the alphabet, as Amazon and Mistral pad."""

is_padding = re.compile(PADDING, re.ASCII).fullmatch
"""Returns whether a string is padding."""
