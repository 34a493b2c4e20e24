"""Server-sent events as `str`, in two forms: lines without their ends, as HTTP clients yield them,
or text with line ends, such as whole events."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from guardstream.errors import AdapterError

_LINE_END = re.compile(r"\r\n|\r|\n")

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")


class EventText:
    """Encodes the `str` of one stream as bytes, and decodes what goes out in the same form.

    The first chunk that is not empty decides: without a line end, each chunk is a line; with one,
    the chunks are text, cut anywhere. Text goes out line by line until a chunk has more than one
    line, then event by event.
    """

    def __init__(self) -> None:
        self._is_text: bool | None = None
        self._by_line = True
        self._end = ""  # the line end of text

    def encode(self, chunk: Any) -> bytes:
        """Return a chunk as bytes. AdapterError for a chunk in the other form, and for a chunk that
        is not UTF-8 or not a `str`."""
        if not isinstance(chunk, str):
            raise AdapterError(f"a chunk of type {type(chunk).__qualname__!r} in a stream of lines")
        found = _LINE_END.search(chunk)
        if self._is_text is None and chunk:
            self._is_text = found is not None
        if found and not self._is_text:
            raise AdapterError(
                "a line end in a stream of lines that began without: if the chunks are text that "
                "is cut anywhere, encode them, as in guard.wrap(text.encode() for text in source)"
            )
        if found:
            self._end = self._end or found[0]
            self._by_line = self._by_line and found.end() == len(chunk)
        try:
            return (chunk if self._is_text else f"{chunk}\n").encode()
        except UnicodeEncodeError:
            raise AdapterError("half a surrogate pair in a stream of lines") from None

    def decode(self, events: bytes) -> Sequence[str]:
        """Return the chunks that whole events go out in."""
        text = events.decode()
        if not self._is_text:
            return text.removesuffix("\n").split("\n")
        if "\r" not in text:
            text = text.replace("\n", self._end)
        return _LINE.findall(text) if self._by_line and text else [text]
