"""Messages of Amazon's event streams as frames."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from guardstream.framing import aws
from guardstream.framing.frames.frame import Frame, Media, PlainFrames, Value
from guardstream.framing.json import json_bytes


class BinaryFrames(PlainFrames):
    """Amazon's event streams, as objects with one field: the event's type, and its payload."""

    media: Media = "event_stream"

    def __init__(self) -> None:
        self._messages = aws.Messages()

    def feed(self, data: bytes) -> Iterator[Frame]:
        for raw, headers, payload in self._messages.feed(data):
            yield Frame(aws.event(headers, payload), raw, id=aws.other_headers(headers) or None)

    def finish(self) -> Iterator[Frame]:
        if self._messages.rest:
            yield Frame(None, self._messages.rest, cut=True)

    def write(
        self,
        value: Value,
        like: Frame | None,
        *,
        keep_id: bool,  # noqa: ARG002
        name: str = "",  # noqa: ARG002
    ) -> bytes:
        assert isinstance(value, dict)
        return b"".join(_message(kind, payload, like) for kind, payload in value.items())


def _message(name: str, fields: dict[str, Any], like: Frame | None) -> bytes:
    """Return a message; an exception or an error if the frame `like` has one of that name."""
    is_same = like is not None and isinstance(like.value, dict) and name in like.value
    kind = aws.kind_of(like.raw) if like is not None and is_same else "event"
    if kind != "error":
        return aws.message(name, json_bytes(fields), kind)
    rest = {field: each for field, each in fields.items() if field != "message"}
    payload = json_bytes(rest) if rest else b""
    return aws.message(name, payload, kind, str(fields.get("message", "")))
