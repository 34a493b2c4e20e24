"""What is in a string: JSON, or server-sent events.

A string may end amid JSON or an event, as the chunks of a connection do. What is open then is kept
as a short text, which is read the same way before the next string as all that came.
"""

from __future__ import annotations

import re
from contextlib import suppress

from guardstream.stream.flows.nested.events import begun_in, in_events, may_be_events
from guardstream.stream.flows.nested.reader import BOM, Reader
from guardstream.stream.flows.nested.values import Strings

_BEGINS = re.compile(rf"{BOM}?[ \t\n\r]*[{{\[]")
_BEGINS_ANEW = re.compile(rf"{BOM}?[ \t\n\r]*(?:[{{\[]|(?:data|event):)")
"""How a text begins that may continue none, even if it could."""

_DEEPEST = 2
"""How many events may be around one another: a server that frames what is framed makes two.

Each level takes five characters and reads the rest of the text once more.
"""

_NOTHING = Strings()


def strings(text: str, depth: int = 0, begun: str = "") -> Strings:
    """Return the strings, numbers and constants of a text that is JSON, or the beginning of an
    object or a list; of server-sent events, those in their data, or what other data say.

    Several values may follow each other. A string alone is guarded as it is written, but for one in
    an event: it may be the answer itself, which is read elsewhere. Events are not read in a text
    with a `depth` of two events around it. The text may continue what another one has `begun`;
    values of that one come first.
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
    """Return whether values after a border continue what is before it: JSON goes on as JSON, and
    other data without fields of its own."""
    return not any(
        begins_anew(joined[border : each.end]) or joined[each.start : border].strip()
        for each in found.values
        if each.is_data and each.start <= border < each.end
    )
