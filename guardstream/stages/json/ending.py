"""What may follow the document of a call: white space, and the tokens with which models end."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple, TypeAlias

Kind: TypeAlias = Literal["space", "token", "other"]

END_TOKENS = (
    "```",
    "</s>",
    "<|im_end|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|end|>",
    "<|return|>",
    "<|call|>",
    "<|endoftext|>",
    "<|end_of_text|>",
    "<|tool_call_end|>",
    "<|END_OF_TURN_TOKEN|>",
    "<end_of_turn>",
    "<eos>",
    "</tool_call>",
    "</function>",
    "[/TOOL_CALLS]",
    "<\uff5ctool\u2581call\u2581end\uff5c>",
    "<\uff5cend\u2581of\u2581sentence\uff5c>",
)
"""The tokens of chat templates that servers leave in the text; none is the beginning of another."""

_space = re.compile(r"[ \t\n\r]+").match


class Rest(NamedTuple):
    """A piece of the text after a document, and its place: offset, line and column."""

    kind: Kind
    text: str
    offset: int
    line: int
    column: int


class Ending:
    """Reads the text after a document, which ends at a place. After `other` it reads no more."""

    def __init__(self, offset: int, line: int, column: int) -> None:
        self._at = offset, line, column
        self._begun = ""

    @property
    def held(self) -> int:
        """How many code points may be the beginning of a token."""
        return len(self._begun)

    def take(self, text: str, *, final: bool = False) -> Iterator[Rest]:
        """Yield what the text is, as far as that is certain."""
        text, self._begun = self._begun + text, ""
        while text:
            kind, size = _next(text)
            if kind == "other" and not final and any(each.startswith(text) for each in END_TOKENS):
                self._begun = text
                return
            yield Rest(kind, text[:size], *self._at)
            self._advance(text[:size])
            text = text[size:]

    def _advance(self, text: str) -> None:
        offset, line, column = self._at
        lines = text.count("\n")
        column = len(text) - text.rindex("\n") if lines else column + len(text)
        self._at = offset + len(text), line + lines, column


def _next(text: str) -> tuple[Kind, int]:
    """Return what a text begins with, and its length."""
    space = _space(text)
    if space:
        return "space", space.end()
    token = next((each for each in END_TOKENS if text.startswith(each)), "")
    return ("token", len(token)) if token else ("other", len(text))
