"""Decides whether a bracket in prose begins a JSON document, by trying to read one there.

An object begins with a key and its colon. An array must be at the start, or be allowed by the
schema, and begin with an allowed value; without a schema, that value must not be a number or
literal, because `[1]` is common in prose.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

from guardstream.jsonstream.document import Document
from guardstream.jsonstream.errors import SchemaViolationError
from guardstream.jsonstream.lexer import tokens as t
from guardstream.jsonstream.lexer.state import Limits
from guardstream.jsonstream.lexer.tokens import Token
from guardstream.jsonstream.repair import Kind
from guardstream.jsonstream.repaired import DocumentOptions, RepairedDocument

LONGEST = 256
"""How many code points are held to distinguish a document or a fence from prose."""

_NESTED = Limits(depth=16)
"""Arrays that nest deeper before their first value are prose: each bracket of a run is tried."""

_FIRST = 32
"""How many code points are repaired at once at first, because most beginnings are decided in these.
"""

_PLAIN: frozenset[Kind] = frozenset(
    (
        "bad_escapes",
        "comments",
        "single_quotes",
        "python_literals",
        "raw_newlines",
        "unquoted_keys",
    )
)
"""What is repaired in a beginning that may be prose."""

_STRINGS = frozenset((t.STRING, t.STRING_PART))
_TELLING = _STRINGS | {t.OPEN_OBJECT, t.OPEN_ARRAY}
"""How the first value of an array in prose begins if no schema decides."""

_ENDED = (t.STRING, t.INTEGER, t.FLOAT, t.LITERAL, t.CLOSE_ARRAY, t.CLOSE_OBJECT)


class Trial:
    """Tries documents that are read with `options`, or without their schema."""

    def __init__(self, options: DocumentOptions) -> None:
        self._judged = replace(options, limits=_NESTED)
        self._plain = DocumentOptions(
            limits=_NESTED, duplicates=True, repair=options.repair & _PLAIN
        )

    @cached_property
    def _unread(self) -> Document:
        return self._judged.document()

    def begins(self, text: str, *, anywhere: bool) -> bool | None:
        """Return whether `text`, which begins with a bracket, begins a document; None if it still
        may.

        What is undecided after LONGEST code points counts as a document. With `anywhere`, any array
        and an empty object may come here, too.
        """
        trial = self._plain.document()
        tokens = _read(trial, text)
        kinds = [token[0] for token in tokens]
        if text[0] == "[" and not anywhere and not self._may_be_array(text, tokens):
            return False
        past_key = trial.state.step is trial.state.before_value
        if past_key and "unquoted_keys" in self._judged.repair:
            # A word and a colon after a brace are prose, unless a value follows.
            past_key = text.startswith(('"', "'"), len(text[1:]) - len(text[1:].lstrip()) + 1)
        found = _evidence(kinds, past_key=past_key)
        # Where any array is allowed, the beginning of a string distinguishes it from a bracketed
        # word.
        found = found or (anywhere and kinds[:2] == [t.OPEN_ARRAY, t.STRING_PART])
        if found or trial.error:
            return found
        if trial.done:
            return anywhere
        return True if len(text) == LONGEST else None

    def _may_be_array(self, text: str, tokens: list[Token]) -> bool:
        """Return whether an array may be in prose, judged by the beginning of its first value."""
        if not self._unread.allows_arrays or len(tokens) < 2:
            return self._unread.allows_arrays
        kind, _, start, _ = tokens[1]
        if not self._unread.judged or self._judged.repair:
            return kind in _TELLING
        trial = self._judged.document()
        trial.feed(text)
        refused = isinstance(trial.error, SchemaViolationError)
        return not refused or trial.offset > start - (kind in _STRINGS)


def _evidence(kinds: list[int], *, past_key: bool) -> bool:
    """Return whether the first tokens are those of a document: a key with its colon, or an
    element."""
    if kinds[:1] == [t.OPEN_ARRAY] and any(kind in _ENDED for kind in kinds[1:]):
        return True
    return t.KEY in kinds and (past_key or kinds.index(t.KEY) < len(kinds) - 1)


def _read(document: Document, text: str) -> list[Token]:
    """Feed an incomplete document; the tokens that more text could change are left out."""
    if not isinstance(document, RepairedDocument):
        return document.feed(text)
    tokens: list[Token] = []
    start, size = document.accepted, _FIRST
    while not document.ended:
        before = document.accepted
        tokens += document.read(text[:size], before - start)
        if document.accepted == before:
            if size >= len(text):
                break
            size *= 2
    return tokens
