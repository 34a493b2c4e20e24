"""Control strings of terminals: hyperlinks (OSC 8), titles, images. None of them is shown as text.

https://gist.github.com/egmontkob/eb114294efbcd5adb1944c9f3cb5feda, and for how terminals read them
https://vt100.net/emu/dec_ansi_parser: they ignore most control characters, such as NUL, wherever
these are.
"""

from __future__ import annotations

from enum import unique

from guardstream.vault.addresses.states import (
    CLOSED,
    OTHER,
    SPACE,
    WORD,
    Ending,
    Markup,
    Opening,
    State,
    never_an_address,
)


@unique
class Control(State):
    """In a control sequence."""

    ESCAPE = "after ESC, and control characters or letters"
    STRING = "in a string for the terminal, after `ESC ]` or the one character for both"


_STRING = frozenset((Control.STRING,))

TERMINALS = Markup(
    openings=[Opening("\x1b", "", Control.ESCAPE), Opening("\x9d", "", Control.STRING)],
    steps={
        Control.ESCAPE: {
            "]": Control.STRING,
            **dict.fromkeys((SPACE, WORD), Control.ESCAPE),
            OTHER: CLOSED,
        },
        Control.STRING: {},
    },
    harmless={Control.ESCAPE: never_an_address},
    endings=[Ending(r"[\x07\x1b\x9c\x18\x1a]", inside=frozenset(Control), closes=_STRING)],
)
