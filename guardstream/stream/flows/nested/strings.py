"""The values in a string that is JSON, or server-sent events.

A string may end amid JSON or an event, as the chunks of a connection do. What is open then is kept
as a short text: the next string is read after it as it would be after all earlier text.
"""

from __future__ import annotations

import re
from contextlib import suppress

from guardstream.framing.json import BOM
from guardstream.stream.flows.nested.events import begun_in, in_events, may_be_events
from guardstream.stream.flows.nested.reader import Reader
from guardstream.stream.flows.nested.values import Strings

_BEGINS = re.compile(rf"{BOM}?[ \t\n\r]*[{{\[]")
_BEGINS_ANEW = re.compile(rf"{BOM}?[ \t\n\r]*(?:[{{\[]|(?:data|event):)")
"""How a text begins that may be JSON or events of its own, even if it could continue another."""

_DEEPEST = 2
"""How deep events may nest: a server that frames events again makes two levels.

Each level takes five characters and reads the rest of the text once more.
"""

_NOTHING = Strings()


def strings(text: str, depth: int = 0, begun: str = "") -> Strings:
    """Return the strings, numbers and constants in a text, and what is open at its end.

    The text may be JSON, also several values in a row or the beginning of one, or server-sent
    events, whose data is JSON or one value. A string alone counts only in an event: elsewhere it
    may be the answer itself, which is guarded as it is written. `depth` is how many events are
    around the text; in two, events are not read. `begun` is what an earlier text ended in; if this
    one continues it, its values come first.
    """
    joined, border = begun + text, len(begun)
    found = _read(joined, depth)
    if begun and (found is None or not _continues(found, joined, border)):
        return strings(text, depth)
    if found is None:
        return _NOTHING
    for each in found.values if begun else ():
        each.move(joined, border)
    return found


def begins_anew(text: str) -> bool:
    """Return whether a text looks like JSON or events of its own, whatever it may continue."""
    return _BEGINS_ANEW.match(text) is not None


def _read(text: str, depth: int) -> Strings | None:
    """Return what is in a text; None if it is neither JSON nor events."""
    if _BEGINS.match(text):
        with suppress(ValueError):
            return Reader().read(text)
    if depth == _DEEPEST:
        return None
    if may_be_events(text):
        found = in_events(text)
        for each in found.values:
            each.depth = depth + each.is_data
        return found
    if begun := begun_in(text):
        return Strings(begun=begun)
    return None


def _continues(found: Strings, joined: str, border: int) -> bool:
    """Return whether the text after a border continues the text before it.

    It does not if data that is no JSON spans the border, and has text before it, or begins anew.
    """
    return not any(
        begins_anew(joined[border : each.end]) or joined[each.start : border].strip()
        for each in found.values
        if each.is_data and each.start <= border < each.end
    )
