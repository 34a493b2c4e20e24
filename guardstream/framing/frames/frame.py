"""A frame: a piece of bytes that carries a chunk, and the ways to read and write such pieces."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

from guardstream.framing.json import json_bytes

Media: TypeAlias = Literal[
    "sse", "ndjson", "json_array", "data_stream", "event_stream", "packets", "text", "messages"
]

Value: TypeAlias = dict[str, Any] | list[Any] | str
"""What a frame carries: JSON, or text."""

UNNAMED = ("", "message")
"""Event names without meaning: `message` is the default (HTML, "Server-sent events")."""

Form: TypeAlias = Literal["object", "list", "string", "text", "alike", "line", "number"]
"""What the data of a frame is: JSON of some type, or text that is not JSON.

`alike` is an object of which only the text was read, because it matches the template of an earlier
one. In lines and arrays of JSON, which are not events, a string is a `line`, and a `number` its
digits.
"""


@dataclass(frozen=True, slots=True)
class Frame:
    """A piece of the source. `value` is JSON or text, by its `form`; None if it has neither.

    `data` is the text that an event's value was decoded from. `note` is text outside of the chunks,
    a comment. `name`, `id` and `retry` are the event's; `done` marks the stream's end. `lead` is
    what came between the last chunk and `raw`. `unread` are lines of `raw` that clients ignore,
    `spare` is `raw` without them. `cut` is the rest of a source that ended inside a frame.
    """

    value: Value | None
    raw: bytes
    form: Form = "object"
    data: str = ""
    note: str = ""
    name: str = ""
    id: str | None = None
    retry: int | None = None
    done: bool = False
    cut: bool = False
    lead: bytes = b""
    array: int = 0  # the array of the item, if several follow each other
    unread: str = ""
    spare: bytes = b""


class Frames(Protocol):
    """A way to carry chunks in bytes. AdapterError is raised after the frames before an error."""

    media: Media

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Take the next bytes; yield the frames that they complete."""
        ...

    def finish(self) -> Iterator[Frame]:
        """Take the end of the bytes."""
        ...

    def write(self, value: Value, like: Frame | None, *, keep_id: bool, name: str = "") -> bytes:
        """Return a frame with `value`, named like the frame that it derives from."""
        ...

    def between(self, source: Frame | None) -> bytes:
        """Return what comes before the next chunk that goes out; `source` is its frame if it goes
        out unchanged."""
        ...

    def close(self, mark: str) -> bytes:
        """Return what ends the chunks here; `mark` is the format's end marker, if it has one."""
        ...


class PlainFrames:
    """The base of frames without names and ids."""

    def write(
        self,
        value: Value,
        like: Frame | None,  # noqa: ARG002
        *,
        keep_id: bool,  # noqa: ARG002
        name: str = "",  # noqa: ARG002
    ) -> bytes:
        return self._bytes(value)

    @staticmethod
    def _bytes(value: Value) -> bytes:
        return json_bytes(value)

    def between(self, source: Frame | None) -> bytes:  # noqa: ARG002
        return b""

    def close(self, mark: str) -> bytes:  # noqa: ARG002
        return b""


AS_TEXT = "; if the bytes are plain text, pass framing='text'"
"""What to do where bytes are not what they were taken for."""
