"""Events whose data differs from an earlier one's in a single string are read without parsing them.

What stands before and after that string is the same, character for character: so the rest of the
object is the same, too, and keys that were unique are.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from json.encoder import encode_basestring, encode_basestring_ascii
from typing import Any

_PROBE = "\N{SNOWMAN} probe"
_PAD = "0probe"


class Template:
    """The data of an event, of which `text` is one string; `value` is the object that it is.

    `padding` is what stands around another string, after the text, that means nothing and is never
    the same: the characters up to it, and those after it.
    """

    def __init__(
        self, before: str, after: str, value: dict[str, Any], padding: tuple[str, str] | None = None
    ) -> None:
        self.value = value
        self._before = before
        self._after = after
        self._padding = padding

    def text(self, data: str) -> str | None:
        """Return the string that stands in other data in the same place; None if it is not like."""
        end = len(data) - len(self._tail(data))
        start = len(self._before)
        if end < start or not data.startswith(self._before):
            return None
        if not data.startswith(self._after, end) and self._padding is None:
            return None
        literal = data[start:end]
        if '"' not in literal and "\\" not in literal and literal.isprintable():
            return literal or None
        try:
            return json.loads(f'"{literal}"') or None
        except ValueError:
            return None

    def saying(self, text: str, data: str) -> str:
        """Return data like `data` that says another text."""
        try:
            text.encode()
            literal = encode_basestring(text)
        except UnicodeEncodeError:  # half a surrogate pair, which JSON can only escape
            literal = encode_basestring_ascii(text)
        return self._before + literal[1:-1] + self._tail(data)

    def _tail(self, data: str) -> str:
        """Return what stands after the text in data that is like this, as far as can be told."""
        if self._padding is None:
            return self._after
        middle, last = self._padding
        start = data.rfind('"', 0, len(data) - len(last)) + 1
        alike = data.endswith(last) and data.endswith(middle, 0, start)
        if not alike or "\\" in data[start:]:
            return data + "?"  # longer than the data: it is not like this
        return data[start - len(middle) :]


def template(
    data: str,
    value: dict[str, Any],
    text: str,
    padding: Collection[str],
    saying: Callable[[str], dict[str, Any]],
) -> Template | None:
    """Return what later data is compared with; None if it cannot be told where the text stands.

    `saying` makes an object like `value` that says another text.
    """
    place = _place(data, text)
    if place is None:
        return None
    before, after = data[: place[0]], data[place[1] :]
    pads = [name for name in padding if isinstance(value.get(name), str) and value[name]]
    if len(pads) > 1:
        return None
    said = saying(_PROBE)
    if not pads:
        same = json.loads(f"{before}{_PROBE}{after}") == said
        return Template(before, after, value) if same else None
    place = _place(after, value[pads[0]])
    if place is None:
        return None
    middle, last = after[: place[0]], after[place[1] :]
    try:
        same = json.loads(f"{before}{_PROBE}{middle}{_PAD}{last}") == {**said, pads[0]: _PAD}
    except ValueError:
        return None
    return Template(before, after, value, (middle, last)) if same else None


def _place(data: str, text: str) -> tuple[int, int] | None:
    """Return where a text stands as the only such string of JSON: within its quotes."""
    for encoded in dict.fromkeys((encode_basestring(text), encode_basestring_ascii(text))):
        start = data.find(encoded)
        if start >= 0:
            return (
                None
                if data.find(encoded, start + 1) >= 0
                else (start + 1, start + len(encoded) - 1)
            )
    return None
