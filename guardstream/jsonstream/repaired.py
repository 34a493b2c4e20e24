"""A document that is repaired while it arrives: the repair, the lexer and the schema in step.

The lexer sees the JSON that `Repairer` returns; errors refer to the source.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from guardstream.jsonstream.document import Checks, Document
from guardstream.jsonstream.errors import DocumentError, JSONSyntaxError, SchemaViolationError
from guardstream.jsonstream.lexer.state import Limits
from guardstream.jsonstream.lexer.tokens import Token
from guardstream.jsonstream.repair import Kind, Repair, Repairer


class RepairedDocument(Document):
    """One document of almost-JSON, which takes `read` instead of `feed`.

    Offsets of tokens, `offset` and `start` refer to the repaired text, which begins at the same
    offset as the source; `accepted`, `source` and `error` refer to the source.
    """

    def __init__(
        self,
        schema: Checks | None = None,
        limits: Limits | None = None,
        *,
        repair: frozenset[Kind],
        duplicates: bool = False,
        build: bool = False,
        offset: int = 0,
        line: int = 1,
        column: int = 1,
    ) -> None:
        super().__init__(schema, limits, duplicates=duplicates, build=build, offset=offset)
        self._repairer = Repairer(repair, offset)
        self._line = line
        self._lines = [offset - column]  # the end of each previous line
        self._text = ""  # the repaired text that was lexed last
        self._text_at = offset  # its offset
        self._given = offset  # how much of it was returned
        self._repairs: list[Repair] = []
        self._error: tuple[DocumentError, DocumentError] | None = None

    @property
    def error(self) -> DocumentError | None:
        """The first error, at its place in the source."""
        found = super().error
        if found is None:
            return None
        if self._error is None or self._error[0] is not found:
            self._error = found, self._placed(found)
        return self._error[1]

    @property
    def accepted(self) -> int:
        """How much of the source was accepted."""
        if self.done:
            return self._repairer.origins.end(self.offset)
        if super().error:
            return self._repairer.origins.start(self.offset)
        return self._repairer.offset

    @property
    def blank(self) -> bool:
        """Whether there is nothing but white space and comments."""
        return self._repairer.begun is None

    @property
    def begun(self) -> int | None:
        """The offset of the first character that is neither white space nor in a comment."""
        return self._repairer.begun

    def source(self, start: int, end: int) -> tuple[int, int]:
        """Return the source offsets of the repaired text between two offsets."""
        origins = self._repairer.origins
        first = origins.start(start)
        return first, max(origins.end(end), first) if end > start else first

    def position(self, offset: int) -> tuple[int, int]:
        """Return the line and column of an offset in the source."""
        before = bisect_left(self._lines, offset)
        return self._line + before - 1, offset - self._lines[before - 1]

    def read(self, text: str, index: int, *, final: bool = False) -> list[Token]:
        """Read `text` from `index`, at most up to the next repair, and everything that cannot
        wait."""
        start = self._repairer.offset
        repaired = self._repairer.read(text, index, final=final)
        end = index + self._repairer.offset - start
        at = text.find("\n", index, end)
        while at >= 0:
            self._lines.append(start + at - index)
            at = text.find("\n", at + 1, end)
        return self._lexed(repaired)

    def finish(self) -> list[Token]:
        """Take the end of the text; with `truncated`, an open document is closed."""
        if self.ended:
            return []
        tokens = self._lexed(self._repairer.finish())
        return tokens if self.ended or self.blank else [*tokens, *super().finish()]

    def forgive(self) -> list[Token]:
        """Continue as if there were no schema. Return the tokens read after the violation."""
        tokens = super().forgive()
        return tokens if self.ended else [*tokens, *self._end_of_number()]

    def part(self) -> tuple[str, tuple[Repair, ...]]:
        """Return the repaired text that was accepted since the last part, and its repairs."""
        start, self._given = self._given, max(self.offset, self._given)
        text = self._text[start - self._text_at : self._given - self._text_at]
        if super().error:
            return text, ()
        repairs, self._repairs = self._repairs, []
        return text, tuple(repairs)

    def _lexed(self, repaired: str) -> list[Token]:
        self._text, self._text_at = repaired, self._text_at + len(self._text)
        self._repairs = self._repairer.repairs
        tokens = self.feed(repaired)
        if not self.ended:
            tokens = [*tokens, *self._end_of_number()]
        if self.state.error:
            self._repairer.origins.end_at(self.state.error.offset)
        return tokens

    def _end_of_number(self) -> list[Token]:
        """End a number that is the whole document, if the source shows that it is complete."""
        return super().finish() if self._repairer.done else []

    def _placed(self, error: DocumentError) -> DocumentError:
        # What closes a document comes after its end.
        offset = min(self._repairer.origins.start(error.offset), self._repairer.offset)
        line, column = self.position(offset)
        reason, pointer = error.reason, error.pointer
        if isinstance(error, SchemaViolationError):
            keyword, why = error.keyword, error.explanation
            return SchemaViolationError(reason, offset, line, column, pointer, keyword, why)
        return JSONSyntaxError(reason, offset, line, column, pointer)


@dataclass(frozen=True, slots=True)
class DocumentOptions:
    """How the documents of a stream are read: the arguments of `Document`, and what is repaired."""

    schema: Checks | None = None
    limits: Limits | None = None
    duplicates: bool = False
    build: bool = False
    repair: frozenset[Kind] = frozenset()

    def document(self, offset: int = 0, line: int = 1, column: int = 1) -> Document:
        """Return the document that begins at that offset, line and column."""
        make: Callable[..., Document] = Document
        if self.repair:
            make = partial(RepairedDocument, repair=self.repair)
        return make(
            self.schema,
            self.limits,
            duplicates=self.duplicates,
            build=self.build,
            offset=offset,
            line=line,
            column=column,
        )
