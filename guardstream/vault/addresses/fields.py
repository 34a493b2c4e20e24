"""Fields that hold nothing but an address: elements of feeds, properties of calendars and contacts.

RSS (https://www.rssboard.org/rss-specification), Atom (RFC 4287), sitemaps; iCalendar (RFC 5545)
and vCard (RFC 6350), where a line goes on after a line break and one space.
"""

from __future__ import annotations

from enum import unique

from guardstream.vault.addresses.spelling import ADDRESS, SPACED_ADDRESS
from guardstream.vault.addresses.states import CLOSED, Ending, Markup, Opening, State

_ELEMENTS = "link|ur[il]|loc|guid|icon|logo|comments|docs|image|thumbnail|src|href"
_PROPERTIES = "url|attach|image(?=;)|photo|logo|sound|source|conference|key"


@unique
class Field(State):
    """In a field that begins with an address."""

    ELEMENT = "in an element, up to the next tag"
    PROPERTY = "in a property, with the lines that continue it"


_PROPERTY = frozenset((Field.PROPERTY,))

FIELDS = Markup(
    openings=[
        Opening(
            "<",
            rf"(?:\w{{1,20}}:)?(?i:{_ELEMENTS})(?:\s[^<>]{{0,40}})?>\s{{0,8}}(?:<!\[CDATA\[)?"
            rf"{SPACED_ADDRESS}",
            Field.ELEMENT,
        ),
        Opening(
            ":",
            ADDRESS,
            Field.PROPERTY,
            # A contact's properties may have the name of a group before them.
            after=rf"(?<![^\n])(?:\w{{1,20}}\.)?(?i:{_PROPERTIES})(?:;[^:\n]{{0,60}})?",
        ),
    ],
    steps={Field.ELEMENT: {"<": CLOSED}, Field.PROPERTY: {}},
    harmless={},
    endings=[Ending(r"\n(?![ \t])", inside=_PROPERTY, closes=_PROPERTY)],
)
