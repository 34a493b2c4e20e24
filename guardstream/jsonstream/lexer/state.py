"""The state of a lexer between two characters, and the questions about it.

The steps in `structure` and `scalars` read and change it; `Lexer` drives them, and `plans` replays
what they did. All of its fields are public to these modules, and only they change them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from guardstream.jsonstream.lexer.errors import JSONSyntaxError, json_pointer
from guardstream.jsonstream.lexer.tokens import STRING, Token


@dataclass(frozen=True, slots=True)
class Limits:
    """The maximum depth of a document, and the maximum length of a number, of a string and of all.

    `depth` is serde_json's limit, which jsonschema-rs and most readers share; `digits` keeps the
    conversion to int, which is quadratic, far below Python's own limit of 4,300.
    """

    depth: int = 128
    digits: int = 1_000
    string: int = 10_000_000
    document: int = 100_000_000


class LexerState:
    """One document's state. Offsets count code points from the start of the stream.

    A step is called with the fed text and the index of its next character; it returns the index up
    to which it has read.
    """

    __slots__ = (
        "after",
        "after_key",
        "base",
        "before_value",
        "bound",
        "done",
        "duplicates",
        "ended",
        "error",
        "escape",
        "high",
        "keys",
        "kind",
        "length",
        "limits",
        "line",
        "line_before",
        "line_start",
        "lines_base",
        "max_digits",
        "max_string",
        "next",
        "offset",
        "out",
        "parts",
        "path",
        "start",
        "step",
        "text",
        "waits",
        "within",
    )

    step: Step
    """Reads the next character."""
    next: Step
    """The step after the value that is open or comes next."""
    before_value: Step
    """The step after a key, because scalars know nothing of structure."""
    after_key: Step

    def __init__(
        self, limits: Limits, *, duplicates: bool, offset: int, line: int, column: int
    ) -> None:
        self.done = False
        self.ended = False  # complete or invalid
        self.waits = False  # inside an escape
        self.error: JSONSyntaxError | None = None
        self.offset = offset  # how much of the stream was accepted
        self.path: list[str | int | None] = []  # None before an object's first key
        self.limits = limits
        self.max_digits = limits.digits
        self.max_string = limits.string
        self.duplicates = duplicates
        self.bound = offset + limits.document  # -1 once nothing more may be read
        self.after: list[Step] = []  # the value of `next` for each open container
        self.keys: list[set[str]] = []  # of each open object
        self.out: list[Token] = []  # the tokens of the text that was fed last
        self.text = ""  # the text that was fed last
        self.base = offset  # its offset
        # Lines, and their values before the text in which the last one ended.
        self.line = line
        self.line_start = offset - (column - 1)
        self.line_before = line, self.line_start
        self.lines_base = -1  # the offset of that text
        # The open string, number or literal.
        self.kind = STRING
        self.parts: list[str] = []
        self.length = 0
        self.start = 0
        self.escape = ""
        self.high = ""  # the first half of a surrogate pair
        self.within: Any = None  # the number's state, or the literal's word and value

    def position(self, offset: int) -> tuple[int, int]:
        """Return the line and column of `offset`, which is in the text fed last or at its end."""
        if self.lines_base != self.base:
            return self.line, offset - self.line_start + 1
        line, line_start = self.line_before
        before = self.text[: offset - self.base]
        if "\n" in before:
            line_start = self.base + before.rindex("\n") + 1
        return line + before.count("\n"), offset - line_start + 1

    def pointer(self) -> str:
        """Return the JSON pointer of the innermost value that has begun."""
        return json_pointer(part for part in self.path if part is not None)

    def count_lines(self, space: str, index: int) -> None:
        """Count the lines in `space`, the white space at `index`, in which alone lines can end."""
        if self.lines_base != self.base:
            self.lines_base = self.base
            self.line_before = self.line, self.line_start
        self.line += space.count("\n")
        self.line_start = self.base + index + space.rindex("\n") + 1

    def fault(self, index: int, reason: str) -> JSONSyntaxError:
        """Return the error for the character at `index`."""
        offset = self.base + index
        return JSONSyntaxError(reason, offset, *self.position(offset), self.pointer())

    def fail(self, error: JSONSyntaxError) -> None:
        """End the document with `error`."""
        self.error = error
        self.ended = True
        self.bound = -1

    def finish(self) -> None:
        """End the document, whose last value is complete."""
        self.done = self.ended = True
        self.bound = -1


Step: TypeAlias = Callable[[LexerState, str, int], int]
