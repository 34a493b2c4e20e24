"""Directives of reStructuredText, MyST and AsciiDoc: images, figures, videos, targets.

Docutils removes the spaces in their addresses
(https://docutils.sourceforge.io/docs/ref/rst/directives.html#images).
"""

from __future__ import annotations

from enum import unique

from guardstream.vault.addresses.spelling import ADDRESS
from guardstream.vault.addresses.states import CLOSED, PARAGRAPH, Markup, Opening, State


@unique
class Directive(State):
    """In a directive or a macro with an address."""

    PARAGRAPH = "in one of reStructuredText or MyST, or in a target; it ends with its paragraph"
    MACRO = "in one of AsciiDoc, before its attributes in brackets"


DIRECTIVES = Markup(
    openings=[
        # https://docs.asciidoctor.org/asciidoc/latest/macros/images; in braces an attribute's name
        Opening(
            ":",
            r"(?:(?<=image:)|(?<=video:)|(?<=audio:))(?<![\w\-].....:)"
            rf":?(?:\{{|{ADDRESS})",
            opens=Directive.MACRO,
        ),
        Opening(
            ":",
            ":",
            opens=Directive.PARAGRAPH,
            after=r"(?:\.\.|\|)[ ]{1,60}(?i:image|figure|video|audio)[ ]?",
        ),
        # MyST: {image}
        Opening("{", r"(?<=[`:~]\{)(?i:image|figure)(?:-md)?\}", opens=Directive.PARAGRAPH),
        # https://docutils.sourceforge.io/docs/ref/rst/restructuredtext.html#hyperlink-targets
        Opening(".", r"\.[ ]_", opens=Directive.PARAGRAPH),
    ],
    steps={
        Directive.PARAGRAPH: {PARAGRAPH: CLOSED},
        Directive.MACRO: {"[": CLOSED, PARAGRAPH: CLOSED},
    },
    harmless={},
)
