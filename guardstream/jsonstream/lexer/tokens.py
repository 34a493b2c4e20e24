"""The tokens of a JSON text: the output of the lexer.

A token is the tuple `(kind, value, start, end)`; its offsets count code points of the source, end
exclusive. It is a tuple with small integers because two of them are created for every chunk.

- `OPEN_OBJECT`, `CLOSE_OBJECT`, `OPEN_ARRAY`, `CLOSE_ARRAY`, `COMMA`: value is None.
- `STRING_PART`, `KEY_PART`: a piece of an incomplete string. Either a run in which each source
  character stands for itself (`len(value) == end - start`, may be empty at the opening quote), or
  one escape (`len(value) == 1`, `end - start` is 2, 6 or 12).
- `STRING`, `KEY`: the string is complete; value is all of it, `start` the beginning of the run
  after the last part (after the opening quote if there was none), `end` follows the closing quote.
- `SCALAR_PART`: a number or literal that began at `start` is incomplete. A number has one with each
  piece, value is its text so far; a literal has only one, value is its first character.
- `INTEGER`, `FLOAT`: value is the text.
- `LITERAL`: value is True, False or None.
"""

from __future__ import annotations

from typing import Any, TypeAlias

Token: TypeAlias = tuple[int, Any, int, int]

STRING = 0
STRING_PART = 1
KEY = 2
KEY_PART = 3
COMMA = 4
INTEGER = 5
FLOAT = 6
LITERAL = 7
SCALAR_PART = 8
OPEN_OBJECT = 9
CLOSE_OBJECT = 10
OPEN_ARRAY = 11
CLOSE_ARRAY = 12
