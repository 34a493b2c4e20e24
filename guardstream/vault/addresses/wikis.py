"""Links and images in brackets and braces, which may contain spaces.

Org (https://orgmode.org/manual/Link-Format.html), DokuWiki
(https://www.dokuwiki.org/wiki:syntax#images_and_other_files), BBCode
(https://www.phpbb.com/community/help/bbcode).
"""

from __future__ import annotations

from enum import unique

from guardstream.vault.addresses.spelling import SPACED_ADDRESS
from guardstream.vault.addresses.states import CLOSED, OTHER, PARAGRAPH, Markup, Opening, State


@unique
class Link(State):
    """In a link or an image that begins with an address."""

    BRACKETS = "in brackets: of Org, or in a tag of BBCode such as `[url=`"
    BRACKETS_ESCAPE = "after a backslash in them"
    BRACES = "in double braces: of DokuWiki"
    BETWEEN_TAGS = "between tags of BBCode"
    BETWEEN_TAGS_BRACKET = "after a bracket there, which may begin the closing tag"


WIKIS = Markup(
    openings=[
        Opening("[", rf"(?:\[|(?i:[a-z]{{1,10}}=)){SPACED_ADDRESS}", opens=Link.BRACKETS),
        Opening(
            "[",
            rf"(?i:img|url)(?:[ =][^\[\]\n]{{0,60}})?\]{SPACED_ADDRESS}",
            opens=Link.BETWEEN_TAGS,
        ),
        Opening("{", rf"\{{{SPACED_ADDRESS}", opens=Link.BRACES),
    ],
    steps={
        Link.BRACKETS: {"]": CLOSED, "\\": Link.BRACKETS_ESCAPE, PARAGRAPH: CLOSED},
        Link.BRACKETS_ESCAPE: {PARAGRAPH: CLOSED, OTHER: Link.BRACKETS},
        Link.BRACES: {"}": CLOSED, PARAGRAPH: CLOSED},
        Link.BETWEEN_TAGS: {"[": Link.BETWEEN_TAGS_BRACKET},
        Link.BETWEEN_TAGS_BRACKET: {
            "[": Link.BETWEEN_TAGS_BRACKET,
            "/": CLOSED,
            OTHER: Link.BETWEEN_TAGS,
        },
    },
    harmless={},
)
