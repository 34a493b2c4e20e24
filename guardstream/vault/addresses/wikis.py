"""Links and images of wikis, trackers and forums: in brackets, braces, bars and marks.

Org (https://orgmode.org/manual/Link-Format.html), DokuWiki
(https://www.dokuwiki.org/wiki:syntax#images_and_other_files), MediaWiki
(https://www.mediawiki.org/wiki/Help:Links), Jira and Confluence
(https://jira.atlassian.com/secure/WikiRendererHelpAction.jspa?section=all), Textile
(https://textile-lang.com/doc/images), Tiki (https://doc.tiki.org/Wiki-Syntax-Links), BBCode
(https://www.phpbb.com/community/help/bbcode), PlantUML (https://plantuml.com/preprocessing). Most
readers take spaces and tags in them for a part of the address.
"""

from __future__ import annotations

from enum import unique

from guardstream.vault.addresses.spelling import ADDRESS, RECIPIENT, SPACED_ADDRESS
from guardstream.vault.addresses.states import (
    CLOSED,
    OTHER,
    PARAGRAPH,
    Ending,
    Markup,
    Opening,
    State,
)


@unique
class Link(State):
    """In a link or an image that begins with an address."""

    BRACKETS = "in brackets: `[https://…]`, `[text|https://…]`, a tag such as `[url=https://…]`"
    BRACKETS_ESCAPE = "after a backslash in them"
    DOUBLE_BRACKETS = "in double brackets, which may also begin with a prefix: `[[name:…]]`"
    DOUBLE_BRACKETS_ESCAPE = "after a backslash in double brackets"
    DOUBLE_BRACKETS_END = "after a closing bracket in them"
    PARENTHESES = "in double parentheses: of Tiki"
    BRACES = "in double braces: of DokuWiki"
    PROPERTIES = "in properties in braces: `{img src=https://…}`, of Tiki, Confluence or Pandoc"
    MARKS = "between exclamation marks: an image of Textile or Jira"
    BETWEEN_TAGS = "between tags of BBCode"
    BETWEEN_TAGS_BRACKET = "after a bracket there, which may begin the closing tag"
    KEYWORD = "in a line with a keyword of Org or PlantUML: `#+ATTR_HTML:`, `!include`"


# The rest of a mail after its recipient is text to send.
_MAIL = rf"{RECIPIENT}[^\s?&\[\]|]{{0,80}}[?&]"
_TARGET = rf"\s{{0,8}}(?:{ADDRESS}|{_MAIL})"
# A prefix may stand for an address: https://orgmode.org/manual/Link-Abbreviations.html and
# https://www.dokuwiki.org/interwiki
_PREFIX = rf"(?!{RECIPIENT})[^\W\d][\w .\-]{{0,19}}[:>]"
_SHARE = r"\\\\[\w.\-]"  # of a network: https://www.dokuwiki.org/wiki:syntax#windows_shares
# A host without a scheme, to which forums add one.
_HOST = r"(?i:www\.|[\w\-]{1,60}\.[\w.\-]{1,40}[/?#])"
_TAGS = "(?i:img|url|iurl|link|video|audio|media|iframe|embed|flash|thumb|ftp)"

# What an image of Textile may have before its address: its alignment, class and style.
_ATTRIBUTES = r"[<>=]?(?:\([^()\n]{0,40}\)|\{[^{}\n]{0,60}\}){0,2}"

WIKIS = Markup(
    openings=[
        Opening("[", rf"(?i:[a-z]{{1,10}}\s?=)?{_TARGET}", Link.BRACKETS),
        Opening("[", rf"(?i:url|img)\s?=\s?[\"']?{_HOST}", Link.BRACKETS),
        Opening("[", rf'"[^"\[\]\n]{{1,80}}":{ADDRESS}', Link.BRACKETS),
        Opening("|", _TARGET, Link.BRACKETS, after=r"\[[^\[\]|\n]{1,80}"),
        Opening(
            "[",
            # An arrow may precede the target: `[[text->https://…]]`, `[[text>>https://…]]`.
            rf"\[:?(?:[^\[\]\n]{{0,60}}?>)??(?:{_PREFIX}(?=[^\s\]])|{_SHARE}|{_PREFIX}?{_TARGET})",
            Link.DOUBLE_BRACKETS,
        ),
        Opening(
            "[",
            rf"{_TAGS}(?:[ =][^\[\]\n]{{0,60}})?\]\s{{0,8}}(?:{ADDRESS}|{_HOST})",
            opens=Link.BETWEEN_TAGS,
        ),
        Opening("(", rf"\({SPACED_ADDRESS}", Link.PARENTHESES),
        Opening("{", rf"\{{{SPACED_ADDRESS}", Link.BRACES),
        Opening(
            "=",
            SPACED_ADDRESS,
            Link.PROPERTIES,
            after=r"\{(?:[^{}\n]{0,60}[\s:|])?(?i:src|href|link|url)\s{0,8}",
        ),
        Opening(":", ADDRESS, Link.PROPERTIES, after=r"\{[a-z\-]{1,20}"),
        Opening("!", rf"(?<!\w!){_ATTRIBUTES}{ADDRESS}", Link.MARKS),
        Opening(
            "!",
            rf"(?:include|import|theme)[^\n]{{0,60}}?{ADDRESS}",
            Link.KEYWORD,
            after=r"(?<![^\n])[ \t]{0,20}",
        ),
        Opening(
            "#",
            rf"\+\w{{1,20}}:[^\n]{{0,80}}?{ADDRESS}",
            Link.KEYWORD,
            after=r"(?<![^\n])[ \t]{0,20}",
        ),
    ],
    steps={
        Link.BRACKETS: {"]": CLOSED, "\\": Link.BRACKETS_ESCAPE, PARAGRAPH: CLOSED},
        Link.BRACKETS_ESCAPE: {PARAGRAPH: CLOSED, OTHER: Link.BRACKETS},
        Link.DOUBLE_BRACKETS: {
            "]": Link.DOUBLE_BRACKETS_END,
            "\\": Link.DOUBLE_BRACKETS_ESCAPE,
            PARAGRAPH: CLOSED,
        },
        Link.DOUBLE_BRACKETS_ESCAPE: {PARAGRAPH: CLOSED, OTHER: Link.DOUBLE_BRACKETS},
        Link.DOUBLE_BRACKETS_END: {
            **dict.fromkeys("[]", CLOSED),
            PARAGRAPH: CLOSED,
            OTHER: Link.DOUBLE_BRACKETS,
        },
        Link.PARENTHESES: {")": CLOSED, PARAGRAPH: CLOSED},
        Link.BRACES: {"}": CLOSED, PARAGRAPH: CLOSED},
        Link.PROPERTIES: {"}": CLOSED, PARAGRAPH: CLOSED},
        Link.MARKS: {PARAGRAPH: CLOSED},
        Link.BETWEEN_TAGS: {"[": Link.BETWEEN_TAGS_BRACKET},
        Link.BETWEEN_TAGS_BRACKET: {
            "[": Link.BETWEEN_TAGS_BRACKET,
            "/": CLOSED,
            OTHER: Link.BETWEEN_TAGS,
        },
        Link.KEYWORD: {},
    },
    harmless={},
    endings=[
        Ending(r"!(?!\w)", inside=frozenset((Link.MARKS,)), closes=frozenset((Link.MARKS,))),
        Ending(r"\n", inside=frozenset((Link.KEYWORD,)), closes=frozenset((Link.KEYWORD,))),
    ],
)
