"""Strings in quotes, in any language: HTML, CSS, JSON, YAML, JavaScript.

A string is followed if what precedes it says that it is an address, or if it begins with one: so do
addresses for Vega-Lite, Mermaid and reveal.js.
"""

from __future__ import annotations

from enum import unique

from guardstream.vault.addresses.spelling import SPACED_ADDRESS, recipient_after
from guardstream.vault.addresses.states import CLOSED, OTHER, Markup, Opening, State

TEXT_OF_STRING = "\x02"
"""Written before a text that is all of a string."""

_ANNOUNCEMENT = (
    r"(?i:(?:url|image-set)\(|@import|[\s\"'/{:](?:style|src|background|(?:xlink:)?href)\s{0,8}=)"
    r"\s{0,36}"
)
_ANNOUNCEMENT_ENDS = r"(?<=[(=tT\s].)"  # one that can be tested without `_ANNOUNCEMENT`
_BEFORE_ADDRESS = r"(?<![^ \t\r\n\f\v=:(\[{,].)"  # nothing else may be before the quote


@unique
class Announced(State):
    """In a string after an attribute's name or a function of CSS."""

    DOUBLE_QUOTED = "in double quotes"
    SINGLE_QUOTED = "in single quotes"


@unique
class StringOfAddress(State):
    """In a string that begins with an address."""

    DOUBLE_QUOTED = "in double quotes"
    SINGLE_QUOTED = "in single quotes"
    DOUBLE_QUOTED_ESCAPE = "in double quotes, after a backslash"
    SINGLE_QUOTED_ESCAPE = "in single quotes, after a backslash"
    TEXT = "in a text that is all of a string"


STRINGS = Markup(
    openings=[
        Opening('"', _ANNOUNCEMENT_ENDS, Announced.DOUBLE_QUOTED, after=_ANNOUNCEMENT),
        Opening("'", _ANNOUNCEMENT_ENDS, Announced.SINGLE_QUOTED, after=_ANNOUNCEMENT),
        Opening('"', _BEFORE_ADDRESS + SPACED_ADDRESS, StringOfAddress.DOUBLE_QUOTED),
        Opening("'", _BEFORE_ADDRESS + SPACED_ADDRESS, StringOfAddress.SINGLE_QUOTED),
        Opening(TEXT_OF_STRING, SPACED_ADDRESS, StringOfAddress.TEXT),
    ],
    steps={
        Announced.DOUBLE_QUOTED: {'"': CLOSED},
        Announced.SINGLE_QUOTED: {"'": CLOSED},
        StringOfAddress.DOUBLE_QUOTED: {'"': CLOSED, "\\": StringOfAddress.DOUBLE_QUOTED_ESCAPE},
        StringOfAddress.SINGLE_QUOTED: {"'": CLOSED, "\\": StringOfAddress.SINGLE_QUOTED_ESCAPE},
        StringOfAddress.DOUBLE_QUOTED_ESCAPE: {OTHER: StringOfAddress.DOUBLE_QUOTED},
        StringOfAddress.SINGLE_QUOTED_ESCAPE: {OTHER: StringOfAddress.SINGLE_QUOTED},
        StringOfAddress.TEXT: {},
    },
    harmless={
        Announced.DOUBLE_QUOTED: recipient_after('"'),
        Announced.SINGLE_QUOTED: recipient_after("'"),
    },
)
