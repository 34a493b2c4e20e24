"""Strings in quotes, in any language: HTML, CSS, JSON, YAML, JavaScript.

A string is followed if what precedes it says that it is an address, or if it begins with one: so do
addresses for Vega-Lite, Mermaid and reveal.js.
"""

from __future__ import annotations

import re
from enum import unique

from guardstream.vault.addresses.spelling import SPACED_ADDRESS, is_recipient
from guardstream.vault.addresses.states import CLOSED, OTHER, Found, Markup, Opening, State

TEXT_OF_STRING = "\x02"
"""Written before a text that is all of a string."""

_announced = re.compile(
    r"(?:(?:url|image-set)\(|@import|[\s\"'/{:](?:style|src|background|(?:xlink:)?href)\s{0,8}=)\Z",
    re.IGNORECASE,
)
_LONGEST_ANNOUNCEMENT = 40

_address = re.compile(SPACED_ADDRESS)
_MAY_PRECEDE_ADDRESS = frozenset(("", *" \t\r\n\f\v=:([{,"))


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


def _at_quote(text: str, at: int, last: int) -> Found:
    double = text[at] == '"'
    before = text[max(at - _LONGEST_ANNOUNCEMENT, 0) : at]
    if (near := before.rstrip()).endswith(("(", "=", "t", "T")) and _announced.search(near):
        yield at + 1, Announced.DOUBLE_QUOTED if double else Announced.SINGLE_QUOTED
    if before[-1:] in _MAY_PRECEDE_ADDRESS and (found := _address.match(text, at + 1, last)):
        yield (
            found.end(),
            StringOfAddress.DOUBLE_QUOTED if double else StringOfAddress.SINGLE_QUOTED,
        )


STRINGS = Markup(
    openings=[
        Opening("\"'", "", opens=_at_quote),
        Opening(TEXT_OF_STRING, SPACED_ADDRESS, opens=StringOfAddress.TEXT),
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
        Announced.DOUBLE_QUOTED: lambda near: is_recipient(near.rpartition('"')[2]),
        Announced.SINGLE_QUOTED: lambda near: is_recipient(near.rpartition("'")[2]),
    },
)
