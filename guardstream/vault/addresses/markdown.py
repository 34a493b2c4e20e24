"""Markdown: targets of links, and addresses in angle brackets.

Python-Markdown allows spaces in both, and removes or encodes them. It reads code, links and images
in them first, whose texts become part of the address, whatever they contain.
"""

from __future__ import annotations

from enum import unique

import regex

from guardstream.vault.addresses.html import ELEMENTS
from guardstream.vault.addresses.spelling import RECIPIENT
from guardstream.vault.addresses.states import (
    CLOSED,
    OTHER,
    PARAGRAPH,
    SPACE,
    Markup,
    Opening,
    State,
    never_an_address,
)

# The name of an element whose tag is followed, and that of another, or none.
_FOLLOWED = rf"(?i:{ELEMENTS}|style)[\s/>]"
_ANOTHER = rf"(?!{_FOLLOWED})(?:[A-Za-z0-9]{{20}}|[A-Za-z0-9]{{0,19}}(?![A-Za-z0-9]))"
_recipient_in_parentheses = regex.compile(rf"\]\(\s*<?{RECIPIENT}[^?&()]*\Z")
_recipient_in_angle_brackets = regex.compile(rf"\](?:\(|:)\s{{0,32}}<{RECIPIENT}[^?&<>]*\Z")


@unique
class AngleBrackets(State):
    """In angle brackets, as the target of a link or alone."""

    TARGET = "in a target"
    TARGET_ESCAPE = "after a backslash in a target"
    AUTOLINK = "in an address, which ends with its paragraph"
    AUTOLINK_ESCAPE = "after a backslash in such an address"
    AUTOLINK_LABEL = "in brackets in it"
    AUTOLINK_PARENTHESES = "in parentheses in it"
    AUTOLINK_HIDDEN = "after code, or deeper markup, which may hide its end"


@unique
class Target(State):
    """In the parentheses of a link. They end with the paragraph."""

    RELATIVE = "in a target that names no host yet"
    RELATIVE_SLASH = "after a slash in it"
    RELATIVE_HIDDEN = "after code or a bracket in it"
    RELATIVE_HIDDEN_SLASH = "after a slash after these"
    ABSOLUTE = "in a target that may name a host"
    ABSOLUTE_ESCAPE = "after a backslash in it"
    LABEL = "in brackets in it"
    NESTED = "in parentheses in it"
    NESTED_ESCAPE = "after a backslash in these"
    TITLE = "after a quote, which may begin a title"
    TITLE_QUOTE = "after a later quote, which ends the title if a parenthesis follows"
    TITLE_NESTED = "in parentheses in a title"
    TITLE_NESTED_QUOTE = "after a quote in these, which may end the title"
    HIDDEN = "after code, or deeper markup, which may hide its end"


MARKDOWN = Markup(
    openings=[
        Opening("<", r"(?i:(?:https?|ftps?):)?//", AngleBrackets.AUTOLINK),
        Opening("<", _ANOTHER, AngleBrackets.TARGET, after=r"\](?:\(|:)\s{0,38}"),
        Opening("]", r"\(", Target.RELATIVE),
    ],
    steps={
        AngleBrackets.TARGET: {">": CLOSED, "\\": AngleBrackets.TARGET_ESCAPE},
        AngleBrackets.TARGET_ESCAPE: {OTHER: AngleBrackets.TARGET},
        AngleBrackets.AUTOLINK: {
            "<": CLOSED,
            ">": CLOSED,
            "\\": AngleBrackets.AUTOLINK_ESCAPE,
            "[": AngleBrackets.AUTOLINK_LABEL,
            "(": AngleBrackets.AUTOLINK_PARENTHESES,
            "`": AngleBrackets.AUTOLINK_HIDDEN,
            PARAGRAPH: CLOSED,
        },
        AngleBrackets.AUTOLINK_ESCAPE: {PARAGRAPH: CLOSED, OTHER: AngleBrackets.AUTOLINK},
        AngleBrackets.AUTOLINK_LABEL: {
            "]": AngleBrackets.AUTOLINK,
            **dict.fromkeys("[\\`", AngleBrackets.AUTOLINK_HIDDEN),
            PARAGRAPH: CLOSED,
        },
        AngleBrackets.AUTOLINK_PARENTHESES: {
            ")": AngleBrackets.AUTOLINK,
            **dict.fromkeys("([<\"'\\`", AngleBrackets.AUTOLINK_HIDDEN),
            PARAGRAPH: CLOSED,
        },
        AngleBrackets.AUTOLINK_HIDDEN: {PARAGRAPH: CLOSED},
        Target.RELATIVE: {
            **dict.fromkeys(":&", Target.ABSOLUTE),
            **dict.fromkeys("/\\", Target.RELATIVE_SLASH),
            **dict.fromkeys("[`", Target.RELATIVE_HIDDEN),
            ")": CLOSED,
            PARAGRAPH: CLOSED,
        },
        Target.RELATIVE_SLASH: {
            **dict.fromkeys(":&/\\", Target.ABSOLUTE),
            **dict.fromkeys("[`", Target.RELATIVE_HIDDEN_SLASH),
            ")": CLOSED,
            PARAGRAPH: CLOSED,
            SPACE: Target.RELATIVE_SLASH,
            OTHER: Target.RELATIVE,
        },
        # A parenthesis before a host is in the path, even if it is in code.
        Target.RELATIVE_HIDDEN: {
            **dict.fromkeys(":&", Target.HIDDEN),
            **dict.fromkeys("/\\", Target.RELATIVE_HIDDEN_SLASH),
            ")": CLOSED,
            PARAGRAPH: CLOSED,
        },
        Target.RELATIVE_HIDDEN_SLASH: {
            **dict.fromkeys(":&/\\", Target.HIDDEN),
            **dict.fromkeys("[]`", Target.RELATIVE_HIDDEN_SLASH),
            ")": CLOSED,
            PARAGRAPH: CLOSED,
            SPACE: Target.RELATIVE_HIDDEN_SLASH,
            OTHER: Target.RELATIVE_HIDDEN,
        },
        Target.ABSOLUTE: {
            ")": CLOSED,
            "(": Target.NESTED,
            "[": Target.LABEL,
            "\\": Target.ABSOLUTE_ESCAPE,
            **dict.fromkeys("\"'", Target.TITLE),
            "`": Target.HIDDEN,
            PARAGRAPH: CLOSED,
        },
        Target.ABSOLUTE_ESCAPE: {PARAGRAPH: CLOSED, OTHER: Target.ABSOLUTE},
        Target.LABEL: {
            "]": Target.ABSOLUTE,
            **dict.fromkeys("[\"'\\`", Target.HIDDEN),
            PARAGRAPH: CLOSED,
        },
        Target.NESTED: {
            ")": Target.ABSOLUTE,
            "\\": Target.NESTED_ESCAPE,
            **dict.fromkeys("([<\"'`", Target.HIDDEN),
            PARAGRAPH: CLOSED,
        },
        Target.NESTED_ESCAPE: {PARAGRAPH: CLOSED, OTHER: Target.NESTED},
        Target.TITLE: {
            **dict.fromkeys("\"'", Target.TITLE_QUOTE),
            "(": Target.TITLE_NESTED,
            **dict.fromkeys("[`", Target.HIDDEN),
            PARAGRAPH: CLOSED,
        },
        Target.TITLE_QUOTE: {
            ")": CLOSED,
            **dict.fromkeys("\"'", Target.TITLE_QUOTE),
            "(": Target.TITLE_NESTED,
            **dict.fromkeys("[`", Target.HIDDEN),
            PARAGRAPH: CLOSED,
            OTHER: Target.TITLE,
        },
        Target.TITLE_NESTED: {
            ")": Target.TITLE,
            **dict.fromkeys("\"'", Target.TITLE_NESTED_QUOTE),
            **dict.fromkeys("([`", Target.HIDDEN),
            PARAGRAPH: CLOSED,
        },
        Target.TITLE_NESTED_QUOTE: {
            **dict.fromkeys("\"'", Target.TITLE_NESTED_QUOTE),
            **dict.fromkeys("()[`", Target.HIDDEN),
            PARAGRAPH: CLOSED,
            OTHER: Target.TITLE_NESTED,
        },
        Target.HIDDEN: {PARAGRAPH: CLOSED},
    },
    harmless={
        AngleBrackets.TARGET: lambda near: bool(_recipient_in_angle_brackets.search(near)),
        Target.RELATIVE: never_an_address,
        Target.RELATIVE_SLASH: never_an_address,
        Target.RELATIVE_HIDDEN: never_an_address,
        Target.RELATIVE_HIDDEN_SLASH: never_an_address,
        Target.ABSOLUTE: lambda near: bool(_recipient_in_parentheses.search(near)),
    },
)
