"""Mermaid: the properties of a shape, such as its image, in `@{ }`.

https://mermaid.js.org/syntax/flowchart.html
"""

from __future__ import annotations

from enum import unique

from guardstream.vault.addresses.states import CLOSED, Markup, Opening, State


@unique
class Shape(State):
    """In the properties of a shape."""

    PROPERTIES = "in the braces"
    STRING = "in a string in them"


MERMAID = Markup(
    openings=[Opening("@", r"(?<=\w@)\{", opens=Shape.PROPERTIES)],
    steps={
        Shape.PROPERTIES: {"}": CLOSED, '"': Shape.STRING},
        Shape.STRING: {'"': Shape.PROPERTIES},
    },
    harmless={},
)
