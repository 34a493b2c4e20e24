"""The errors of a document: each has its place, the value it is in, and what is wrong."""

from __future__ import annotations

from collections.abc import Iterable

from guardstream.errors import GuardstreamError


class DocumentError(GuardstreamError):
    """A document is invalid at `offset`: no text from there on could make it valid.

    - `reason`: what is wrong, without any text of the document.
    - `offset`: code points from the start of the stream. `line` and `column` are the same place,
      counted from 1.
    - `pointer`: the JSON pointer (RFC 6901) of the innermost value there, with the document's keys.
    """

    def __init__(self, reason: str, offset: int, line: int, column: int, pointer: str) -> None:
        super().__init__(f"{reason} at line {line}, column {column} ({pointer or '/'})")
        self.reason = reason
        self.offset = offset
        self.line = line
        self.column = column
        self.pointer = pointer

    @property
    def advice(self) -> str:
        """One line that can be sent back to a model, without any text or key of the document."""
        return f"invalid JSON at line {self.line}, column {self.column}: {self.reason}"


class JSONSyntaxError(DocumentError):
    """The text is not JSON (RFC 8259), or exceeds a limit."""


def json_pointer(path: Iterable[str | int]) -> str:
    """Write `path` as RFC 6901 does: `~` as `~0`, `/` as `~1`."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


def pointer_parts(pointer: str) -> list[str]:
    """Return the parts of a JSON pointer, as strings."""
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]
