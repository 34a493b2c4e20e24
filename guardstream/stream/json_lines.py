"""Distinguishes lines of JSON from the JSON that a model writes, in a stream of `str`.

If such lines were taken for text, they would be guarded together with the JSON around their text,
and a match that spans two of them would be missed. So the stream is refused if each of its first
two chunks is whole lines of JSON. A model's tokens are not.
"""

from __future__ import annotations

import json
import re

from guardstream.errors import AdapterError

_CODE = re.compile(r'[0-9a-z]:(?=["{\[])')
"""What a data stream of the AI SDK has before the JSON of each line."""


class JSONLines:
    """Inspects the beginning of a text."""

    def __init__(self) -> None:
        self._began = False

    def may_be_lines(self, chunk: str) -> bool:
        """Take the next text; return whether it may still be lines of JSON. AdapterError if it is
        certain."""
        if not chunk.strip():
            return True
        if not _is_lines(chunk):
            return False
        if self._began:
            raise AdapterError(
                "the chunks are lines of JSON: encode them, or wrap what json.loads makes of each "
                "line; if they are text, pass framing='text'"
            )
        self._began = True
        return True


def _is_lines(chunk: str) -> bool:
    """Return whether a chunk is a JSON value that may have text, or lines of such values."""
    if not chunk.startswith(("{", "[")) and not _CODE.match(chunk):
        return False
    lines = [line for line in re.split(r"[\r\n]+", chunk) if line.strip()]
    return all(map(_has_text, lines)) or _has_text(chunk)


def _has_text(line: str) -> bool:
    """Return whether a line is JSON: an object, an array with text, or any value after a code."""
    code = _CODE.match(line)
    try:
        value = json.loads(line[code.end() :] if code else line)
    except (ValueError, RecursionError):
        return False
    in_array = isinstance(value, list) and any(isinstance(each, (str, dict)) for each in value)
    return bool(code) or isinstance(value, dict) or in_array
