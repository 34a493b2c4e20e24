"""The errors about schemas: a schema that cannot be used, and a document that a schema refuses."""

from __future__ import annotations

from dataclasses import dataclass

from guardstream.errors import GuardstreamError
from guardstream.jsonstream.lexer.errors import DocumentError


class SchemaError(GuardstreamError):
    """A schema cannot be used; the message names the place in it as a JSON pointer."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a value was refused, without a character of it, so that it can be sent back to a model.

    - `pointer`: that of the value. A key that the schema does not name is written as `#` and its
      position in the object, from 1.
    - `expected`: the keyword, and its value in the schema.
    - `came`: the type of the value, with its length if the value was complete.
    """

    pointer: str
    expected: str
    came: str

    def __str__(self) -> str:
        """All of it in one line."""
        return f"at {self.pointer or '/'}: expected {self.expected}, got {self.came}"


class SchemaViolationError(DocumentError):
    """The text is JSON, but no value that the schema allows begins like it (`keyword`)."""

    def __init__(
        self,
        reason: str,
        offset: int,
        line: int,
        column: int,
        pointer: str,
        keyword: str,
        explanation: Explanation | None = None,
    ) -> None:
        super().__init__(reason, offset, line, column, pointer)
        self.keyword = keyword
        self.explanation = explanation or Explanation("", keyword, "something else")

    @property
    def advice(self) -> str:
        """The explanation in one line, which can be sent back to a model."""
        return str(self.explanation)
