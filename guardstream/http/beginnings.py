"""How an answer in no known format begins, which tells what it is.

Clients read JSON and events whatever an answer calls itself, and in JSON a text may stand in
escapes. So what is only said to be a text, or not said to be anything, is looked at first.
"""

from __future__ import annotations

import re
from codecs import BOM_UTF8

from guardstream.http.bodies import EVENTS, LINES

WHOLE = ""
"""Stands for a media type that nobody has named: all of the answer tells what it is."""

_UNTOLD = frozenset({"", "text/plain", "application/octet-stream"})
"""The media types of answers that may be events all the same."""

_NAMES = (b"data", b"event", b"id", b"retry", b"")
"""What begins the lines of events, before a colon: the last is that of a comment."""

_MOST = 64 * 1024
"""Bytes of a first event after which it is taken for one."""

_SPACE = b" \t\r\n"
_JSON_DATA = re.compile(rb'^data: ?[{["]', re.MULTILINE)


def media_told(media: str, start: bytes, *, ended: bool = False) -> str | None:
    """Return the media type to guard a text by that begins so; None if that is yet to be told."""
    plain = start.removeprefix(BOM_UTF8)
    if not ended and BOM_UTF8.startswith(start):
        return None
    plain = plain.lstrip(_SPACE)
    if not plain:
        return media if ended else None
    if media in LINES:  # of which objects alone are guarded one by one
        return media if plain[:1] in (b"{", b"\x1e") else WHOLE
    if plain[:1] in (b"{", b"[", b'"'):
        return WHOLE
    if media not in _UNTOLD:
        return media
    events = _begins_events(plain, ended=ended)
    return None if events is None else EVENTS if events else media


def _begins_events(start: bytes, *, ended: bool) -> bool | None:
    """Tell whether bytes begin with an event, or a comment; None if that is yet to be told."""
    says = False
    for line in start[:_MOST].splitlines(keepends=True):
        name, colon, _ = line.partition(b":")
        if line.strip(b"\r\n"):
            if not (name in _NAMES if colon else any(each.startswith(name) for each in _NAMES)):
                return False
            says = says or name in (b"data", b"")
        elif says:
            return True
    if len(start) >= _MOST:
        return True
    return _JSON_DATA.search(start) is not None if ended else None
