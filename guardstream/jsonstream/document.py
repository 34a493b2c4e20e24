"""One JSON document in a stream: the lexer, the schema and the value in step.

A document is refused at the first character that leaves it no valid continuation; tokens, offsets
and the error are the same in every chunking.
"""

from __future__ import annotations

import sys
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

from guardstream.jsonstream.lexer import tokens as t
from guardstream.jsonstream.lexer.errors import DocumentError, json_pointer
from guardstream.jsonstream.lexer.lexer import Lexer
from guardstream.jsonstream.lexer.state import Limits
from guardstream.jsonstream.lexer.tokens import Token
from guardstream.jsonstream.schema.errors import Explanation, SchemaViolationError
from guardstream.jsonstream.schema.expected import came, described
from guardstream.jsonstream.schema.nodes import ANY, ARRAY, Node
from guardstream.jsonstream.schema.refused import Refused
from guardstream.jsonstream.schema.schema import Verdict
from guardstream.jsonstream.schema.walker import Walker

DEEPEST = Limits().depth
"""The maximum nesting of a document with a schema: the judges of whole values are recursive, and
read no deeper."""


_NUMBERS = (t.SCALAR_PART, t.INTEGER, t.FLOAT)


class Checks(Protocol):
    """What a document is checked against: a Schema, or the schema of a model."""

    @property
    def reads_source(self) -> bool:
        """Whether judges and verdict read the text, not only the value."""
        ...

    @property
    def node(self) -> Node:
        """The node that decides what can be decided while the document arrives."""
        ...

    def explain(
        self, path: list[str | int], keyword: str, value: Any, by: Any = None
    ) -> tuple[str, str]:
        """Return the pointer to what was refused, and what was expected there; no text of the
        document.

        `by` is the schema that contains the keyword, if that is known.
        """
        ...

    def verdict(self, value: Any, text: str, *, followed: bool = False) -> Verdict:
        """Return the final verdict on the whole. `followed` says that the node and its judges have
        decided everything they can."""
        ...


class SourceText:
    """The text of a document so far, read by offsets; adding and reading take linear time."""

    def __init__(self, offset: int) -> None:
        self._chunks: list[str] = []
        self._starts: list[int] = []
        self.start = self._end = offset

    def add(self, text: str) -> None:
        """Add the text that follows."""
        if text:
            self._chunks.append(text)
            self._starts.append(self._end)
            self._end += len(text)

    @property
    def text(self) -> str:
        """All of it."""
        return "".join(self._chunks)

    def read(self, start: int, end: int) -> str:
        """Return the text between two offsets of the stream."""
        first = max(bisect_right(self._starts, start) - 1, 0)
        last = bisect_left(self._starts, end)
        before = start - self._starts[first] if self._starts else 0
        return "".join(self._chunks[first:last])[before : before + end - start]


class Document:
    """One document. `feed` returns its tokens; an error is stored in `error`, not raised.

    `offset` is how much of the stream was accepted, in code points. `done` says that the document
    is complete: the rest of the text is not part of it. With a schema, or with `build`, `value` is
    the part of the value that has been built.
    """

    def __init__(
        self,
        schema: Checks | None = None,
        limits: Limits | None = None,
        *,
        duplicates: bool = False,
        build: bool = False,
        offset: int = 0,
        line: int = 1,
        column: int = 1,
    ) -> None:
        if limits and schema:
            limits = replace(limits, depth=min(limits.depth, DEEPEST))
        if limits and (schema or build):
            longest = sys.get_int_max_str_digits() or limits.digits  # 0 is no limit
            limits = replace(limits, digits=min(limits.digits, longest))
        self.lexer = Lexer(limits, duplicates=duplicates, offset=offset, line=line, column=column)
        self.state = self.lexer.state
        self._lex = self.lexer.feed
        self.start = offset
        self._schema = schema
        self._refused: SchemaViolationError | None = None
        self._source = SourceText(offset) if schema and schema.reads_source else None
        self.ended = False  # complete or invalid
        self._after: list[Token] = []  # the tokens read past a violation
        self._walker: Walker | None = None
        self._walk: Callable[[list[Token]], None] | None = None
        if schema or build:
            node = schema.node if schema else ANY
            self._walker = Walker(node, self._read, offset, duplicates=duplicates)
            self._walk = self._walker.take

    @property
    def done(self) -> bool:
        """Whether the document is complete and valid."""
        return self.state.done and self.error is None

    @property
    def error(self) -> DocumentError | None:
        """The first error."""
        return self._refused or self.state.error

    @property
    def offset(self) -> int:
        """How much of the stream was accepted."""
        return self._refused.offset if self._refused else self.state.offset

    @property
    def accepted(self) -> int:
        """How much of the source was accepted: the same as `offset`, unless something was
        repaired."""
        return self.offset

    @property
    def blank(self) -> bool:
        """Whether it is empty except for white space and comments."""
        return False

    def source(self, start: int, end: int) -> tuple[int, int]:
        """Return the offsets in the source of the text between two offsets."""
        return start, end

    def position(self, offset: int) -> tuple[int, int]:
        """Return the line and column of an offset in the text fed last."""
        return self.state.position(offset)

    @property
    def waits(self) -> bool:
        """Whether there is an incomplete escape at `offset`, or an error in one."""
        return self._refused is None and self.state.waits

    @property
    def judged(self) -> bool:
        """Whether there is a schema."""
        return self._schema is not None

    @property
    def allows_arrays(self) -> bool:
        """Whether the document may be an array."""
        return self._schema is None or bool(self._schema.node.allows >> ARRAY & 1)

    @property
    def value(self) -> Any:
        """The part of the value that has been built."""
        return self._walker.value if self._walker else None

    def feed(self, text: str) -> list[Token]:
        """Take the next characters; return the tokens that they complete or continue."""
        if self.ended:
            return []
        tokens = self._lex(text)
        if self._source is not None:
            self._source.add(text)
        walk = self._walk
        if tokens and walk is not None:
            try:
                walk(tokens)
            except Refused as refused:
                return self._refuse(refused, tokens)
        state = self.state
        if state.ended:
            self.ended = True
            if state.done:
                return self._end(tokens)
        return tokens

    def finish(self) -> list[Token]:
        """Take the end of the text, which is an error unless the document is complete."""
        if self.ended:
            return []
        tokens = self.lexer.finish()
        self.ended = True
        try:
            if self._walker:
                self._walker.take(tokens)
        except Refused as refused:
            return self._refuse(refused, tokens)
        return self._end(tokens) if self.state.done else tokens

    def forgive(self) -> list[Token]:
        """Continue as if there were no schema. Return the tokens read after the violation."""
        self._refused = self._walker = self._walk = self._schema = None
        self.ended = self.state.ended
        return self._after

    def _refuse(self, refused: Refused, tokens: list[Token]) -> list[Token]:
        self.ended = True
        self._refused = self._violation(refused, tokens)
        kept, self._after = cut(tokens, refused.offset)
        return kept

    def _end(self, tokens: list[Token]) -> list[Token]:
        """End the document with the final verdict on the whole."""
        if not self._schema or not self._walker:
            return tokens
        kind, _, _, end = tokens[-1]
        walker, text = self._walker, self._read(self.start, end)
        verdict = self._schema.verdict(walker.value, text, followed=walker.complete)
        if verdict is None:
            return tokens
        last = end if kind in (t.INTEGER, t.FLOAT) else end - 1
        return self._refuse(Refused(last, *verdict, whole=True), tokens)

    def _read(self, start: int, end: int) -> str:
        return self._source.read(start, end) if self._source else ""

    def _violation(self, refused: Refused, tokens: list[Token]) -> SchemaViolationError:
        offset, keyword = refused.offset, refused.keyword
        line, column = self.state.position(offset)
        reason = f"the schema's {keyword!r} does not allow this"
        pointer = json_pointer(refused.path or ())
        explanation = self._explanation(refused, tokens)
        return SchemaViolationError(reason, offset, line, column, pointer, keyword, explanation)

    def _explanation(self, refused: Refused, tokens: list[Token]) -> Explanation:
        assert self._schema
        path, value = refused.path or [], self.value
        pointer, words = self._schema.explain(path, refused.explained, value, refused.by)
        for part in path:
            inside = isinstance(value, dict) and part in value
            inside |= isinstance(value, list) and isinstance(part, int) and part < len(value)
            value = value[part] if inside else None
        if refused.whole:
            return Explanation(pointer, words, described(value))
        return Explanation(pointer, words, came(refused.explained, refused.offset, tokens, value))


def cut(tokens: list[Token], offset: int) -> tuple[list[Token], list[Token]]:
    """Return the tokens before `offset` and those after it; a run in a string is split."""
    index = next(i for i, token in enumerate(tokens) if token[3] > offset or token is tokens[-1])
    before, after = tokens[:index], tokens[index:]
    kind, value, start, end = tokens[index]
    if end <= offset:
        return tokens, []
    if kind in (t.STRING, t.KEY) and start <= offset:
        tail = value[len(value) - (end - 1 - start) :]
        before.append((kind + 1, tail[: offset - start], start, offset))
        after[0] = (kind, value, offset, end)
    elif kind in _NUMBERS and start < offset:  # its text comes with its end
        before.append((t.SCALAR_PART, value[: offset - start], start, offset))
    elif kind in (t.STRING_PART, t.KEY_PART) and end - start == len(value) and start <= offset:
        before.append((kind, value[: offset - start], start, offset))
        after[0] = (kind, value[offset - start :], offset, end)
    return before, after
