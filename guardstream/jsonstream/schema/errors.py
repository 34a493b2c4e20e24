"""The errors about schemas: one that cannot be used, and a document that one does not allow."""

from __future__ import annotations

from guardstream.errors import GuardstreamError
from guardstream.jsonstream.lexer.errors import DocumentError


class SchemaError(GuardstreamError):
    """A schema cannot be used; the message names the place in it as a JSON pointer."""


class SchemaViolationError(DocumentError):
    """The text is JSON, but no value that the schema allows begins so. `keyword` refused it."""

    def __init__(
        self, reason: str, offset: int, line: int, column: int, pointer: str, keyword: str
    ) -> None:
        super().__init__(reason, offset, line, column, pointer)
        self.keyword = keyword
