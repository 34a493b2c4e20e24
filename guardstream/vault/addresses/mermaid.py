"""Mermaid: the properties of a shape, such as its image, in `@{ }`, and links of actors.

https://mermaid.js.org/syntax/flowchart.html and
https://mermaid.js.org/syntax/sequenceDiagram.html#actor-menus
"""

from __future__ import annotations

from enum import unique

from guardstream.vault.addresses.spelling import ADDRESS
from guardstream.vault.addresses.states import CLOSED, Ending, Markup, Opening, State


@unique
class Shape(State):
    """In the properties of a shape."""

    PROPERTIES = "in the braces"
    STRING = "in a string in them"


@unique
class Actor(State):
    """In a link of an actor."""

    LINK = "in its address, the rest of a line: `link Alice: Site @ https://…`"


_LINK = frozenset((Actor.LINK,))

MERMAID = Markup(
    openings=[
        Opening("@", r"(?<=\w@)\{", opens=Shape.PROPERTIES),
        Opening(
            "@",
            rf"[ \t]{{0,20}}{ADDRESS}",
            Actor.LINK,
            after=r"(?<![^\s;])(?i:link)\s[^\n:]{1,60}:[^\n@]{0,60}",
        ),
    ],
    steps={
        Shape.PROPERTIES: {"}": CLOSED, '"': Shape.STRING},
        Shape.STRING: {'"': Shape.PROPERTIES},
        Actor.LINK: {},
    },
    harmless={},
    endings=[Ending(r"\n", inside=_LINK, closes=_LINK)],
)
