"""HTML: tags with attributes for addresses. Browsers fetch these, with the spaces in them.

In tags of other elements, an attribute with the name of such a one opens a string (see `strings`).
"""

from __future__ import annotations

from enum import unique

import regex

from guardstream.vault.addresses.spelling import RECIPIENT, recipient_after
from guardstream.vault.addresses.states import CLOSED, OTHER, SPACE, Markup, Opening, State

ELEMENTS = (
    # https://html.spec.whatwg.org/multipage/indices.html#attributes-3
    "a|area|audio|base|blockquote|body|button|del|embed|form|frame|iframe|image|img|input|ins|link"
    "|math|meta|object|q|script|source|svg|track|use|video"
    # `background`: https://html.spec.whatwg.org/multipage/rendering.html#tables-2
    "|table|thead|tbody|tfoot|colgroup|col|tr|th|td|caption"
    # `fill`, `mask`, `filter` and others: https://www.w3.org/TR/SVG2/styling.html, and animations
    "|circle|clippath|defs|ellipse|filter|foreignobject|g|line|lineargradient|marker|mask|path"
    "|pattern|polygon|polyline|radialgradient|rect|stop|switch|symbol|text|textpath|tspan|view"
    "|fe[a-z]{4,16}|animate[a-z]{0,9}|set"
)
"""A pattern for the names of elements with attributes for addresses."""

_unquoted_recipient = regex.compile(rf"\s[^\s\"'=<>/?:]+\s*=\s*{RECIPIENT}[^\s?&]*\Z")


@unique
class Tag(State):
    """In a tag: the tokenizer's states of https://html.spec.whatwg.org/#tokenization."""

    BEFORE_ATTRIBUTE_NAME = "before the name of an attribute"
    ATTRIBUTE_NAME = "in the name of an attribute, or after it"
    BEFORE_VALUE = "after the equals sign"
    UNQUOTED_VALUE = "in a value without quotes"
    DOUBLE_QUOTED_VALUE = "in a value in double quotes"
    SINGLE_QUOTED_VALUE = "in a value in single quotes"


HTML = Markup(
    openings=[Opening("<", rf"(?i:{ELEMENTS})(?=[\s/])", Tag.BEFORE_ATTRIBUTE_NAME)],
    steps={
        Tag.BEFORE_ATTRIBUTE_NAME: {
            SPACE: Tag.BEFORE_ATTRIBUTE_NAME,
            "/": Tag.BEFORE_ATTRIBUTE_NAME,
            ">": CLOSED,
            OTHER: Tag.ATTRIBUTE_NAME,
        },
        Tag.ATTRIBUTE_NAME: {
            "=": Tag.BEFORE_VALUE,
            "/": Tag.BEFORE_ATTRIBUTE_NAME,
            ">": CLOSED,
        },
        Tag.BEFORE_VALUE: {
            SPACE: Tag.BEFORE_VALUE,
            '"': Tag.DOUBLE_QUOTED_VALUE,
            "'": Tag.SINGLE_QUOTED_VALUE,
            ">": CLOSED,
            OTHER: Tag.UNQUOTED_VALUE,
        },
        Tag.UNQUOTED_VALUE: {SPACE: Tag.BEFORE_ATTRIBUTE_NAME, ">": CLOSED},
        Tag.DOUBLE_QUOTED_VALUE: {'"': Tag.BEFORE_ATTRIBUTE_NAME},
        Tag.SINGLE_QUOTED_VALUE: {"'": Tag.BEFORE_ATTRIBUTE_NAME},
    },
    harmless={
        Tag.UNQUOTED_VALUE: lambda near: bool(_unquoted_recipient.search(near)),
        Tag.DOUBLE_QUOTED_VALUE: recipient_after('"'),
        Tag.SINGLE_QUOTED_VALUE: recipient_after("'"),
    },
)
