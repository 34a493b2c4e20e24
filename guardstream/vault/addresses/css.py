"""CSS: elements `style`, and `url( )` in any text.

In a `style`, addresses only occur in parentheses and after an `@`. They need no quotes, and may
contain spaces as escapes, as in `url(//host/\\20 …)`; names may be escaped too, as in `u\\72l("…`.
Strings of CSS in other text begin after `url(` or `@import`: see `strings`.
"""

from __future__ import annotations

from enum import unique

from guardstream.vault.addresses.spelling import SPACED_ADDRESS
from guardstream.vault.addresses.states import (
    CLOSED,
    OTHER,
    PARAGRAPH,
    WORD,
    Ending,
    Markup,
    Opening,
    State,
    never_an_address,
)


@unique
class Style(State):
    """In an element `style`, which only its end tag ends.

    In SVG, a `<` may begin a comment, in which `</style` ends nothing.
    """

    RULES = "outside of parentheses"
    LESS_THAN = "after a `<`"
    END_TAG = "after `</`, which may be the end tag"
    COMMENT = "after any other `<`"
    PARENTHESES = "in parentheses, with nothing in them that could be an address"
    ADDRESS = "where an address may have begun"
    ADDRESS_LESS_THAN = "there, after a `<`"
    ADDRESS_END_TAG = "there, after `</`"
    ADDRESS_COMMENT = "there, after any other `<`"


@unique
class Parentheses(State):
    """In parentheses that begin with an address, outside of a `style`.

    Themes of Mermaid and slides of Marp contain such CSS.
    """

    CONTENT = "in the parentheses"
    ESCAPE = "after a backslash in them"


CSS = Markup(
    openings=[
        Opening("<", r"(?i:style)(?=[\s/>])", Style.RULES),
        Opening("(", rf"(?<=[a-zA-Z0-9]\(){SPACED_ADDRESS}", Parentheses.CONTENT),
    ],
    endings=[
        Ending(
            r"</(?i:style)(?=[\s/>])",
            inside=frozenset(Style),
            closes=frozenset((Style.END_TAG, Style.ADDRESS_END_TAG)),
        )
    ],
    steps={
        Style.RULES: {
            "<": Style.LESS_THAN,
            "(": Style.PARENTHESES,
            "@": Style.ADDRESS,
            "&": Style.ADDRESS,
        },
        Style.LESS_THAN: {
            "/": Style.END_TAG,
            **dict.fromkeys("(@&", Style.ADDRESS_COMMENT),
            OTHER: Style.COMMENT,
        },
        Style.END_TAG: {
            WORD: Style.END_TAG,
            **dict.fromkeys("(@&", Style.ADDRESS_COMMENT),
            OTHER: Style.COMMENT,
        },
        Style.COMMENT: dict.fromkeys("(@&", Style.ADDRESS_COMMENT),
        Style.PARENTHESES: {
            ")": Style.RULES,
            "<": Style.ADDRESS_LESS_THAN,
            **dict.fromkeys("(@&/\\\"'", Style.ADDRESS),
        },
        Style.ADDRESS: {"<": Style.ADDRESS_LESS_THAN},
        Style.ADDRESS_LESS_THAN: {"/": Style.ADDRESS_END_TAG, OTHER: Style.ADDRESS_COMMENT},
        Style.ADDRESS_END_TAG: {WORD: Style.ADDRESS_END_TAG, OTHER: Style.ADDRESS_COMMENT},
        Style.ADDRESS_COMMENT: {},
        Parentheses.CONTENT: {")": CLOSED, "\\": Parentheses.ESCAPE, PARAGRAPH: CLOSED},
        Parentheses.ESCAPE: {PARAGRAPH: CLOSED, OTHER: Parentheses.CONTENT},
    },
    harmless={
        Style.RULES: never_an_address,
        Style.LESS_THAN: never_an_address,
        Style.END_TAG: never_an_address,
        Style.COMMENT: never_an_address,
    },
)
