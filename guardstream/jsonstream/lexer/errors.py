"""The errors of a document: each says where it is, in which value, and what is wrong."""

from __future__ import annotations

from collections.abc import Iterable

from guardstream.errors import GuardstreamError


class DocumentError(GuardstreamError):
    """A document is wrong from `offset` on: no continuation of the text before it would be valid.

    `offset` counts code points from the start of the stream. `line` and `column` count from 1 and
    are those of `offset`. `pointer` is the JSON pointer (RFC 6901) of the innermost value that had
    begun there. `reason` never holds text of the document; `pointer` holds its keys.
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
        """One line that can be sent back to a model: it holds no text of the document, no key."""
        return f"invalid JSON at line {self.line}, column {self.column}: {self.reason}"


class JSONSyntaxError(DocumentError):
    """The text is no JSON (RFC 8259), or passes a limit."""


def json_pointer(path: Iterable[str | int]) -> str:
    """Write `path` as RFC 6901 does: `~` as `~0`, `/` as `~1`."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)
