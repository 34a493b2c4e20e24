"""TeX: commands with an address or CSS, as KaTeX and MathJax read them, even with spaces.

https://katex.org/docs/supported.html#html and https://docs.mathjax.org.
"""

from __future__ import annotations

from enum import unique

import regex

from guardstream.vault.addresses.spelling import RECIPIENT
from guardstream.vault.addresses.states import (
    CLOSED,
    OTHER,
    SPACE,
    Markup,
    Opening,
    State,
    never_an_address,
)

_recipient_or_nothing = regex.compile(rf"(?<!\\)\{{\s*(?:{RECIPIENT}[^?&{{}}]*)?\Z")


@unique
class Command(State):
    """In a command whose first group is an address or CSS."""

    NAME = "after its name, or its options"
    NAME_ESCAPE = "after a backslash there, as of a line end in JSON"
    OPTIONS = "in its options"
    OPTIONS_ESCAPE = "after a backslash in them"
    OPTIONS_GROUP = "in a group in them"
    GROUP = "in its group"
    GROUP_ESCAPE = "after a backslash in it"
    NESTED = "in a group in it"
    NESTED_ESCAPE = "after a backslash in that"
    DEEPER = "in deeper groups, which are not counted: it does not end"
    UNCLEAR = "after a comment, or options that are not simple: any later group may be its own"
    UNCLEAR_GROUP = "in such a group"
    UNCLEAR_GROUP_ESCAPE = "after a backslash in such a group"


@unique
class Box(State):
    r"""In `\bbox`, whose options are CSS."""

    NAME = "after its name"
    OPTIONS = "in its options"
    UNCLEAR = "after a comment or an escape, or options that are not simple: it does not end"


TEX = Markup(
    openings=[
        Opening(
            "\\", "(?:href|url|includegraphics|style|htmlStyle)(?![A-Za-z])", opens=Command.NAME
        ),
        Opening("\\", "bbox(?![A-Za-z])", opens=Box.NAME),
    ],
    steps={
        Command.NAME: {
            SPACE: Command.NAME,
            "[": Command.OPTIONS,
            "{": Command.GROUP,
            "\\": Command.NAME_ESCAPE,
            "%": Command.UNCLEAR,
            OTHER: CLOSED,
        },
        Command.NAME_ESCAPE: {"{": Command.GROUP},
        Command.OPTIONS: {
            "]": Command.NAME,
            "{": Command.OPTIONS_GROUP,
            "\\": Command.OPTIONS_ESCAPE,
            **dict.fromkeys("[%", Command.UNCLEAR),
        },
        Command.OPTIONS_ESCAPE: {"\\": Command.UNCLEAR, OTHER: Command.OPTIONS},
        Command.OPTIONS_GROUP: {
            "}": Command.OPTIONS,
            **dict.fromkeys("{\\%", Command.UNCLEAR),
        },
        Command.UNCLEAR: {"{": Command.UNCLEAR_GROUP},
        Command.UNCLEAR_GROUP: {
            "{": Command.DEEPER,
            "}": Command.UNCLEAR,
            "\\": Command.UNCLEAR_GROUP_ESCAPE,
        },
        Command.UNCLEAR_GROUP_ESCAPE: {OTHER: Command.UNCLEAR_GROUP},
        Command.GROUP: {"{": Command.NESTED, "}": CLOSED, "\\": Command.GROUP_ESCAPE},
        Command.GROUP_ESCAPE: {OTHER: Command.GROUP},
        Command.NESTED: {"{": Command.DEEPER, "}": Command.GROUP, "\\": Command.NESTED_ESCAPE},
        Command.NESTED_ESCAPE: {OTHER: Command.NESTED},
        Command.DEEPER: {},
        Box.NAME: {
            SPACE: Box.NAME,
            "[": Box.OPTIONS,
            "%": Box.UNCLEAR,
            "\\": Box.UNCLEAR,
            OTHER: CLOSED,
        },
        Box.OPTIONS: {"]": CLOSED, **dict.fromkeys("[{\\%", Box.UNCLEAR)},
        Box.UNCLEAR: {},
    },
    harmless={
        Command.NAME: never_an_address,
        Command.NAME_ESCAPE: never_an_address,
        Command.OPTIONS: never_an_address,
        Command.OPTIONS_ESCAPE: never_an_address,
        Command.OPTIONS_GROUP: never_an_address,
        Command.GROUP: lambda near: bool(_recipient_or_nothing.search(near)),
        Command.UNCLEAR: never_an_address,
        Command.UNCLEAR_GROUP: lambda near: bool(_recipient_or_nothing.search(near)),
        Box.NAME: never_an_address,
    },
)
