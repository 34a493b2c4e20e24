"""Hyperlinks of terminals: the control sequence OSC 8, which names an address and is not shown.

https://gist.github.com/egmontkob/eb114294efbcd5adb1944c9f3cb5feda
"""

from __future__ import annotations

from enum import unique

from guardstream.vault.addresses.states import Ending, Markup, Opening, State


@unique
class Hyperlink(State):
    """In a control sequence that begins a hyperlink."""

    ADDRESS = "in its address, after its parameters"


_ADDRESS = frozenset((Hyperlink.ADDRESS,))

TERMINALS = Markup(
    # ESC and `]`, or one character for both.
    openings=[
        Opening("\x1b", r"\]8;[^;\n]{0,100};", Hyperlink.ADDRESS),
        Opening("\x9d", r"8;[^;\n]{0,100};", Hyperlink.ADDRESS),
    ],
    steps={Hyperlink.ADDRESS: {}},
    harmless={},
    endings=[Ending(r"[\x07\x1b\x9c\x18\x1a]", inside=_ADDRESS, closes=_ADDRESS)],
)
