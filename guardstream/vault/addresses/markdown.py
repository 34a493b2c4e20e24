"""Markdown: targets of links, and addresses in angle brackets.

Python-Markdown allows spaces in both, and removes or encodes them.
"""

from __future__ import annotations

import re
from enum import unique

import regex

from guardstream.vault.addresses.spelling import RECIPIENT
from guardstream.vault.addresses.states import (
    CLOSED,
    OTHER,
    PARAGRAPH,
    SPACE,
    Found,
    Markup,
    Opening,
    State,
    never_an_address,
)

_autolink = re.compile(r"<(?:(?:https?|ftps?):)?//", re.IGNORECASE)
_MOST_SPACES = 38  # before the angle bracket of a target
_recipient_in_parentheses = regex.compile(rf"\]\(\s*<?{RECIPIENT}[^?&()]*\Z")
_recipient_in_angle_brackets = regex.compile(rf"\](?:\(|:)\s{{0,32}}<{RECIPIENT}[^?&<>]*\Z")


@unique
class AngleBrackets(State):
    """In angle brackets, as the target of a link or alone."""

    TARGET = "in a target"
    TARGET_ESCAPE = "after a backslash in a target"
    AUTOLINK = "in an address, which ends with its paragraph"
    AUTOLINK_ESCAPE = "after a backslash in such an address"


@unique
class Target(State):
    """In the parentheses of a link. They end with the paragraph."""

    RELATIVE = "in a target that names no host yet"
    RELATIVE_SLASH = "after a slash in it"
    ABSOLUTE = "in a target that may name a host"
    ABSOLUTE_ESCAPE = "after a backslash in it"
    NESTED = "in parentheses in it"
    NESTED_ESCAPE = "after a backslash in these"
    DEEPER = "in deeper parentheses, which are not counted"
    TITLE = "after a quote, which may begin a title"
    TITLE_QUOTE = "after a later quote, which ends the title if a parenthesis follows"


def _at_angle_bracket(text: str, at: int, last: int) -> Found:
    if link := _autolink.match(text, at, last):
        yield link.end(), AngleBrackets.AUTOLINK
    if text[max(at - _MOST_SPACES - 2, 0) : at].rstrip().endswith(("](", "]:")):
        yield at + 1, AngleBrackets.TARGET


MARKDOWN = Markup(
    openings=[
        Opening("<", "", opens=_at_angle_bracket),
        Opening("]", r"\(", opens=Target.RELATIVE),
    ],
    steps={
        AngleBrackets.TARGET: {">": CLOSED, "\\": AngleBrackets.TARGET_ESCAPE},
        AngleBrackets.TARGET_ESCAPE: {OTHER: AngleBrackets.TARGET},
        AngleBrackets.AUTOLINK: {
            "<": CLOSED,
            ">": CLOSED,
            PARAGRAPH: CLOSED,
            "\\": AngleBrackets.AUTOLINK_ESCAPE,
        },
        AngleBrackets.AUTOLINK_ESCAPE: {PARAGRAPH: CLOSED, OTHER: AngleBrackets.AUTOLINK},
        Target.RELATIVE: {
            **dict.fromkeys(":&", Target.ABSOLUTE),
            **dict.fromkeys("/\\", Target.RELATIVE_SLASH),
            ")": CLOSED,
            PARAGRAPH: CLOSED,
        },
        Target.RELATIVE_SLASH: {
            **dict.fromkeys(":&/\\", Target.ABSOLUTE),
            ")": CLOSED,
            PARAGRAPH: CLOSED,
            SPACE: Target.RELATIVE_SLASH,
            OTHER: Target.RELATIVE,
        },
        Target.ABSOLUTE: {
            "(": Target.NESTED,
            ")": CLOSED,
            "\\": Target.ABSOLUTE_ESCAPE,
            **dict.fromkeys("\"'", Target.TITLE),
            PARAGRAPH: CLOSED,
        },
        Target.ABSOLUTE_ESCAPE: {PARAGRAPH: CLOSED, OTHER: Target.ABSOLUTE},
        Target.NESTED: {
            "(": Target.DEEPER,
            ")": Target.ABSOLUTE,
            "\\": Target.NESTED_ESCAPE,
            **dict.fromkeys("\"'", Target.TITLE),
            PARAGRAPH: CLOSED,
        },
        Target.NESTED_ESCAPE: {PARAGRAPH: CLOSED, OTHER: Target.NESTED},
        Target.DEEPER: {**dict.fromkeys("\"'", Target.TITLE), PARAGRAPH: CLOSED},
        Target.TITLE: {**dict.fromkeys("\"'", Target.TITLE_QUOTE), PARAGRAPH: CLOSED},
        Target.TITLE_QUOTE: {
            ")": CLOSED,
            **dict.fromkeys("\"'", Target.TITLE_QUOTE),
            PARAGRAPH: CLOSED,
            OTHER: Target.TITLE,
        },
    },
    harmless={
        AngleBrackets.TARGET: lambda near: bool(_recipient_in_angle_brackets.search(near)),
        Target.RELATIVE: never_an_address,
        Target.RELATIVE_SLASH: never_an_address,
        Target.ABSOLUTE: lambda near: bool(_recipient_in_parentheses.search(near)),
    },
)
