"""Directives of reStructuredText and MyST, and macros of AsciiDoc: images, videos, links, targets.

Docutils removes the spaces in their addresses
(https://docutils.sourceforge.io/docs/ref/rst/directives.html#images); Asciidoctor encodes them
(https://docs.asciidoctor.org/asciidoc/latest/macros/images), but for what is passed through
(https://docs.asciidoctor.org/asciidoc/latest/pass).
"""

from __future__ import annotations

from enum import unique

from guardstream.vault.addresses.spelling import ADDRESS, SPACED_ADDRESS
from guardstream.vault.addresses.states import (
    CLOSED,
    OTHER,
    PARAGRAPH,
    SPACE,
    Ending,
    Markup,
    Opening,
    State,
    never_an_address,
)


@unique
class Directive(State):
    """In a directive or a target of reStructuredText or MyST. They end with their paragraph."""

    BODY = "in a directive, or in a target with a name"
    TARGET = "in a target without a name that names no host yet"
    TARGET_SLASH = "after a slash or a colon in it"


@unique
class Embedded(State):
    """In angle brackets in a reference of reStructuredText, which backticks enclose."""

    RELATIVE = "in a target that names no host yet"
    RELATIVE_SLASH = "after a slash or a colon in it"
    ABSOLUTE = "in a target that may name a host"


@unique
class Macro(State):
    """In a macro of AsciiDoc."""

    TARGET = "in its target, before its attributes in brackets"
    ATTRIBUTE = "in an attribute that is an address, and those after it"
    PASSED = "in an address that is written as it is, up to the paragraph's end"
    ROOT = "in the definition of an address that precedes others, such as `:imagesdir:`"


_PASSES = r"(?:(?i:pass):[a-z,]{0,8}\[|\+\+|\$\$)"
_ROOT = "imagesdir|iconsdir|stylesdir|stylesheet|scriptsdir|favicon"
_ROOTS = frozenset((Macro.ROOT,))

DIRECTIVES = Markup(
    openings=[
        Opening(
            ":",
            ":",
            Directive.BODY,
            # A substitution has its name in bars before it.
            after=r"(?:\.\.|\|)\s{1,60}(?i:image|figure|video|audio|raw|csv-table|meta)[ ]?",
        ),
        Opening("{", r"(?<=[`:~]\{)(?i:image|figure)(?:-md)?\}", Directive.BODY),  # MyST
        # https://docutils.sourceforge.io/docs/ref/rst/restructuredtext.html#hyperlink-targets
        Opening(".", r"\.[ \t\f\v]{1,60}_", Directive.BODY),
        Opening("_", r"_[ \t\f\v]", Directive.TARGET, after=r"(?<![^\n])[ \t\f\v*+\-]{0,60}"),
        # https://docutils.sourceforge.io/docs/ref/rst/restructuredtext.html#embedded-uris-and-aliases
        Opening("<", r"(?=\S)", Embedded.RELATIVE, after=r"`[^`]{1,100}+\s"),
        Opening(
            ":",
            rf"(?<=image:|video:|audio:)(?<![\w\-].....:):?(?:\{{|{ADDRESS})",
            Macro.TARGET,
        ),
        Opening(
            ":", rf":?{_PASSES}", Macro.PASSED, after=r"(?<![\w\-])(?:image|video|audio|link|xref)"
        ),
        Opening(":", rf"(?:{_ROOT}):[ \t]{{1,8}}{ADDRESS}", Macro.ROOT, after=r"(?<![^\n])"),
        Opening(":", rf":?{ADDRESS}", Macro.TARGET, after=r"(?<![\w\-])(?:include|xref)"),
        Opening(
            "=",
            SPACED_ADDRESS,
            Macro.ATTRIBUTE,
            after=r"[\[,]\s{0,8}(?:poster|fallback|link)\s{0,8}",
        ),
        # The first attribute of a video is its poster.
        Opening("[", SPACED_ADDRESS, Macro.ATTRIBUTE, after=r"(?<![\w\-])video::?[^\n\[\]]{0,80}"),
    ],
    steps={
        Directive.BODY: {PARAGRAPH: CLOSED},
        Directive.TARGET: {
            **dict.fromkeys(":/\\", Directive.TARGET_SLASH),
            PARAGRAPH: CLOSED,
        },
        Directive.TARGET_SLASH: {
            **dict.fromkeys("/\\", Directive.BODY),
            SPACE: Directive.TARGET_SLASH,
            PARAGRAPH: CLOSED,
            OTHER: Directive.TARGET,
        },
        Embedded.RELATIVE: {
            **dict.fromkeys(":/\\", Embedded.RELATIVE_SLASH),
            **dict.fromkeys((">", "`", PARAGRAPH), CLOSED),
        },
        Embedded.RELATIVE_SLASH: {
            **dict.fromkeys("/\\", Embedded.ABSOLUTE),
            SPACE: Embedded.RELATIVE_SLASH,
            **dict.fromkeys((">", "`", PARAGRAPH), CLOSED),
            OTHER: Embedded.RELATIVE,
        },
        Embedded.ABSOLUTE: dict.fromkeys((">", "`", PARAGRAPH), CLOSED),
        Macro.TARGET: {"[": CLOSED, PARAGRAPH: CLOSED},
        Macro.ATTRIBUTE: {"]": CLOSED, PARAGRAPH: CLOSED},
        Macro.PASSED: {PARAGRAPH: CLOSED},
        Macro.ROOT: {},
    },
    harmless={
        Directive.TARGET: never_an_address,
        Directive.TARGET_SLASH: never_an_address,
        Embedded.RELATIVE: never_an_address,
        Embedded.RELATIVE_SLASH: never_an_address,
    },
    endings=[Ending(r"\n", inside=_ROOTS, closes=_ROOTS)],
)
