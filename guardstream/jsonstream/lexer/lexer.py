"""An incremental lexer for JSON (RFC 8259): text in any chunks in, tokens out.

It refuses a document at the first character where no continuation is valid, wherever the text was
cut. Beyond the RFC's grammar it refuses what could not be passed on: unpaired surrogates, and by
default an object that names a key twice, since the last one would undo what a reader saw first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from guardstream.jsonstream import tokens as t
from guardstream.jsonstream.errors import JSONSyntaxError, json_pointer
from guardstream.jsonstream.lexer.cache import LONGEST, PATIENCE, Plans, keep, replay
from guardstream.jsonstream.lexer.scalars import (
    WHOLE,
    end_number,
    in_number,
    in_string,
)
from guardstream.jsonstream.lexer.structure import End, colon, past, skip, value
from guardstream.jsonstream.tokens import Token


@dataclass(frozen=True, slots=True)
class Limits:
    """What a document may not pass, in levels and code points; a bound per value, then for all.

    `depth` is serde_json's limit, which jsonschema-rs and most readers share; `digits` keeps the
    conversion to int, which is quadratic, far below Python's own limit of 4,300.
    """

    depth: int = 128
    digits: int = 1_000
    string: int = 10_000_000
    document: int = 100_000_000


class Lexer:
    """One document. `feed` stops behind its last character; from there only whitespace may follow.

    `offset` is how far the stream was accepted; it starts at the document's own offset in it, as do
    `line` and `column`. An error is kept in `error`, not raised, so that the tokens before it are
    delivered; all further text is ignored.
    """

    __slots__ = (
        "_after",
        "_after_key",
        "_base",
        "_before_value",
        "_bound",
        "_duplicates",
        "_escape",
        "_high",
        "_keys",
        "_kind",
        "_length",
        "_limits",
        "_line",
        "_line_before",
        "_line_start",
        "_lines_base",
        "_luck",
        "_max_digits",
        "_max_string",
        "_missed_at",
        "_next",
        "_out",
        "_parts",
        "_plans",
        "_plans_fit",
        "_rest",
        "_start",
        "_state",
        "_text",
        "_within",
        "done",
        "ended",
        "error",
        "offset",
        "path",
        "waits",
    )

    def __init__(
        self,
        limits: Limits | None = None,
        *,
        duplicates: bool = False,
        offset: int = 0,
        line: int = 1,
        column: int = 1,
    ) -> None:
        self.done = False
        self.ended = False  # done or wrong
        self.waits = False  # an escape has begun
        self.error: JSONSyntaxError | None = None
        self.offset = offset
        self.path: list[str | int | None] = []
        self._limits = limits or Limits()
        self._max_digits = self._limits.digits
        self._max_string = self._limits.string
        self._duplicates = duplicates
        self._bound = offset + self._limits.document
        self._line = line
        self._line_start = offset - (column - 1)
        self._line_before = line, self._line_start
        self._lines_base = -1  # the feed that `_line_before` was before
        self._text = ""
        self._base = offset
        self._state: _State = value
        self._before_value: _State = value
        self._after_key: _State = colon
        self._next: _State = past  # the state after the value
        self._after: list[_State] = []  # the same, for each open container
        self._keys: list[set[str]] = []
        self._out: list[Token] = []
        self._kind = t.STRING
        self._plans: Plans | None = None  # for the next chunk; None if they must be looked up
        self._plans_fit = min(self._max_digits, self._max_string) >= LONGEST
        self._luck = PATIENCE
        self._missed_at = offset
        self._rest = 0  # chunks for which no plan is looked for
        self._parts: list[str] = []
        self._length = 0
        self._start = 0
        self._escape = ""
        self._high = ""
        self._within: Any = None  # the number's state, or the literal's word and value

    def feed(self, text: str) -> list[Token]:  # noqa: C901  # the hot loop
        """Take the next characters; `offset` then says how far they were accepted."""
        base = self._base = self.offset
        size = len(text)
        end = base + size
        if end > self._bound:
            return self._feed_slowly(text)
        state = self._state
        if (
            state is in_string
            and text.isprintable()  # as nearly all that no escape is needed for
            and '"' not in text
            and "\\" not in text
            and size
        ):
            # Nearly half of all chunks: a run in a string.
            length = self._length + size
            if length <= self._max_string:
                self._length = length
                self._parts.append(text)
                self.offset = end
                return [(self._kind + 1, text, base, end)]
        known = 1 < size <= LONGEST
        if known and self._rest:
            self._rest -= 1
            known = False
        elif known:
            planned = replay(self, text, base)
            if planned is not None:
                self.offset = end
                return planned
        self._text = text
        out: list[Token] = []
        self._out = out
        index = 0
        try:
            while index < size:
                index = self._state(self, text, index)
        except End as over:
            index = over.index
        except JSONSyntaxError as error:
            self._fail(error)
            index = error.offset - base
        self.offset = base + index
        if known:
            keep(self, text, out, state)
        self._plans = None
        return out

    def finish(self) -> list[Token]:
        """Take the text's end: a number at the top ends here, anything else open is an error."""
        self.feed("")
        if self.done or self.error:
            return []
        if self.path or self._state is not in_number or self._within not in WHOLE:
            self._fail(self._error(0, "unexpected end of text"))
        else:
            end_number(self, 0)
        return self._out

    def position(self, offset: int) -> tuple[int, int]:
        """The line and column of `offset`, which lies in the text fed last or at its end."""
        if self._lines_base != self._base:
            return self._line, offset - self._line_start + 1
        line, line_start = self._line_before
        before = self._text[: offset - self._base]
        if "\n" in before:
            line_start = self._base + before.rindex("\n") + 1
        return line + before.count("\n"), offset - line_start + 1

    def pointer(self) -> str:
        """The JSON pointer of the innermost value that has begun."""
        return json_pointer(part for part in self.path if part is not None)

    def _count_lines(self, space: str, index: int) -> None:
        """Count the lines in `space`, which stands at `index`: only there may a line end."""
        if self._lines_base != self._base:
            self._lines_base = self._base
            self._line_before = self._line, self._line_start
        self._line += space.count("\n")
        self._line_start = self._base + index + space.rindex("\n") + 1

    def _feed_slowly(self, text: str) -> list[Token]:
        """Feed what follows the document or an error, or may pass the document's length limit."""
        self._out = []
        self._text = text
        if self.error:
            return []
        if self.done:
            index, reason = skip(self, text, 0), "unexpected text after the document"
        else:
            room, self._bound = self._bound - self._base, self._base + len(text)
            out = self.feed(text[:room])
            if self.done or self.error:
                return out
            index, reason = 0, "the document is too long"
            self._base, self._text, text = self.offset, text[room:], text[room:]
        self.offset = self._base + index
        if index < len(text):
            self._fail(self._error(index, reason))
        return [] if self.done else out

    def _fail(self, error: JSONSyntaxError) -> None:
        self.error = error
        self.ended = True
        self._bound = -1

    def _error(self, index: int, reason: str) -> JSONSyntaxError:
        offset = self._base + index
        return JSONSyntaxError(reason, offset, *self.position(offset), self.pointer())


_State: TypeAlias = Callable[[Lexer, str, int], int]
