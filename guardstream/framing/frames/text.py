"""Plain text as frames: bytes cut anywhere, or the messages of a WebSocket."""

from __future__ import annotations

import codecs
from collections.abc import Iterator

from guardstream.errors import AdapterError
from guardstream.framing.frames.frame import Frame, Media, PlainFrames, Value
from guardstream.framing.json import json_bytes, json_data


class TextFrames(PlainFrames):
    """Text in UTF-8."""

    media: Media = "text"

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("strict")

    def feed(self, data: bytes) -> Iterator[Frame]:
        yield from self._read(data, final=False)

    def finish(self) -> Iterator[Frame]:
        yield from self._read(b"", final=True)

    @staticmethod
    def _bytes(value: Value) -> bytes:
        assert isinstance(value, str)
        return value.encode("utf-8", "surrogatepass")

    def _read(self, data: bytes, *, final: bool) -> Iterator[Frame]:
        fault = None
        try:
            text = self._decoder.decode(data, final)
        except UnicodeDecodeError as error:
            # What comes before the error is valid; the bytes that the decoder keeps are part of the
            # error.
            text, fault = error.object[: error.start].decode(), error
        text, nul, _ = text.partition("\0")
        if text:
            yield Frame(text, text.encode(), "text", text)
        if nul:  # readers may take the text for UTF-16, in which it means something else
            raise AdapterError("a NUL in a stream of text, which may not be in UTF-8")
        if fault is not None:
            raise AdapterError("invalid UTF-8 in a stream of text") from None


class MessageFrames(PlainFrames):
    """Messages of a WebSocket: each fed message is JSON or text by itself."""

    media: Media = "messages"

    def feed(self, data: bytes) -> Iterator[Frame]:
        try:
            text = data.decode()
        except UnicodeDecodeError:
            raise AdapterError("invalid UTF-8 in a message") from None
        value, form = json_data(text)
        yield Frame(value, data, form, text)

    def finish(self) -> Iterator[Frame]:
        return iter(())

    @staticmethod
    def _bytes(value: Value) -> bytes:
        if isinstance(value, str):
            return value.encode("utf-8", "surrogatepass")
        return json_bytes(value)
