"""Finds the JSON documents in a stream: bare ones, or those in prose and in Markdown code fences.

Each character belongs to one piece: text around documents, a mark that only delimits them, or part
of a document. Which one it is depends on the text alone, not on the chunking.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

import regex

from guardstream.framing.json import BOM
from guardstream.jsonstream.document import Document
from guardstream.jsonstream.errors import SchemaViolationError
from guardstream.jsonstream.lexer.tokens import Token
from guardstream.jsonstream.repair import Repair
from guardstream.jsonstream.repaired import DocumentOptions, RepairedDocument
from guardstream.jsonstream.trial import LONGEST, Trial

Fences: TypeAlias = Literal["strip", "keep", "require"]

_JSON = frozenset(("json", "json5", "jsonc", "jsonl", "ndjson"))
_THOUGHTS = {"<think>": "</think>", "<thinking>": "</thinking>"}
_FIRST_BLOCK, _LAST_BLOCK = 1_024, 1 << 30
_BEGINNINGS = frozenset('{["')

_turn = re.compile(r"[\[{<`\n]")  # where prose may end
_bracket = re.compile(r"[\[{]").search
_fence_run = re.compile(r" {0,3}(`+|~+)?")  # CommonMark 0.31, section 4.5
_late_fence = regex.compile(
    r"(```+)[ \t]*(?:json5?|jsonc|jsonl|ndjson)[ \t]*\r?\n", regex.IGNORECASE
).match
"""A fence for JSON that does not begin its line: "Here it is: ```json"."""

_not_space = re.compile(r"[^ \t\n\r]")


@dataclass(frozen=True, slots=True)
class Prose:
    """Text around documents. `start` is its offset in the stream, in code points."""

    text: str
    start: int


@dataclass(frozen=True, slots=True)
class Mark:
    """A fence, or space between documents."""

    text: str
    start: int


@dataclass(frozen=True, slots=True)
class Part:
    """The next piece of a document, with its tokens; `document` says whether it is complete or
    invalid.

    `text` is the source, which begins at `start`, or its repaired form; `repairs` describes the
    repairs.
    """

    document: Document
    text: str
    start: int
    tokens: list[Token]
    repairs: tuple[Repair, ...] = ()


Piece: TypeAlias = Prose | Mark | Part


class Documents:
    """Splits a stream into pieces. `options` say how its documents are read.

    Without `fences`, the whole stream is JSON: documents with white space between them. With
    "require", only documents in code fences count, otherwise those in prose do, too. After the part
    with a document's error, the caller may call `go_on` before it takes the next piece: then the
    document's schema is ignored, or, if the text is not JSON, the rest becomes prose. `close` makes
    everything that follows prose. With `or_text` and no fences, so does text that begins with no
    bracket or quote where a document would begin.
    """

    def __init__(
        self, options: DocumentOptions, fences: Fences | None, *, or_text: bool = False
    ) -> None:
        self.document: Document | None = None
        self._options = options
        self._in_prose = fences is not None
        self._or_text = or_text and fences is None
        self._trial = Trial(options)
        self._brackets = fences != "require"
        self._state: _State = self._prose if fences else self._between
        self._pending = ""
        self._offset = 0
        self._line = 1
        self._column = 1
        self._line_start = True
        self._fence = ""  # the backticks or tildes of the open fence
        self._is_code = False  # its content is not only JSON
        self._fresh = True  # only white space and thoughts so far
        self._thought = ""  # the closing tag of the open thought
        self._closed = False
        self._block = _FIRST_BLOCK

    @property
    def held(self) -> int:
        """How many code points wait until it is clear what they are."""
        return len(self._pending)

    @property
    def position(self) -> tuple[int, int]:
        """The line and column of the next character, outside documents."""
        return self._line, self._column

    @property
    def inside(self) -> Document | None:
        """The open document, if the next characters are its own: feed them to it, then call
        `resume`."""
        if self._state != self._inside or self._pending or self._options.repair:
            return None
        return self.document

    def resume(self, text: str, start: int, tokens: list[Token]) -> Iterator[Piece]:
        """Split `text`, after the open document took its part and returned `tokens`."""
        assert self.document
        self._offset = start
        end, piece = self._part(self.document, text, 0, tokens)
        if piece:
            yield piece
        self._end_if_invalid()
        yield from self._divide(text[end:], False)

    def _end_if_invalid(self) -> None:
        if self._state == self._inside and self.document and self.document.error:
            self._state = self._after_error

    def feed(self, text: str) -> Iterator[Piece]:
        """Take the next characters and split them."""
        text, self._pending = self._pending + text, ""
        return self._divide(text, False)

    def finish(self) -> Iterator[Piece]:
        """Take the stream's end; an open document's last part comes with its error, if any."""
        text, self._pending = self._pending, ""
        yield from self._divide(text, True)
        document = self.document
        if document and self._state == self._inside:
            start, tokens = document.accepted, document.finish()
            yield self._piece(document, "", start, tokens)

    def go_on(self) -> None:
        """Continue after the error in the last part."""
        assert self.document
        schema = isinstance(self.document.error, SchemaViolationError)
        self._state = self._forgiven if schema else self._rest

    def close(self) -> None:
        """Look for no further document; the end of an open fence is still dropped."""
        self._closed = True
        self._state = self._code if self._fence else self._rest

    def _divide(self, text: str, final: bool) -> Iterator[Piece]:
        index = 0
        while index < len(text):
            state = self._state
            end, piece = state(text, index, final)
            if isinstance(piece, Prose | Mark):
                self._advance(piece.text)
            if piece:
                yield piece
                self._end_if_invalid()
            elif end == index and state == self._state:
                self._pending = text[index:]
                return
            index = end

    def _advance(self, text: str) -> None:
        self._offset += len(text)
        lines = text.count("\n")
        if lines:
            self._line += lines
            self._column = len(text) - text.rindex("\n")
        else:
            self._column += len(text)

    # The states: each says what the text from `index` to the returned index is. No piece, the same
    # state and the same index mean that more text is needed.

    def _between(self, text: str, index: int, final: bool) -> _Step:
        found = _not_space.search(text, index)
        end = found.start() if found else len(text)
        if end > index:
            return end, Mark(text[index:end], self._offset)
        if self._or_text and text[index] not in _BEGINNINGS:
            self._state = self._rest
            return index, None
        if text[index] == BOM and not self._offset:
            return index + 1, Mark(BOM, 0)
        if self._fence and text[index] == self._fence[0]:
            end = index + len(text[index:]) - len(text[index:].lstrip(self._fence[0]))
            if end == len(text) and end - index < len(self._fence) and not final:
                return index, None
            if end - index >= len(self._fence):
                self._state = self._fence_end
                return end, Mark(text[index:end], self._offset)
        return self._open(index)

    def _open(self, index: int) -> _Step:
        self.document = self._options.document(self._offset, self._line, self._column)
        self._state = self._inside
        self._block = _FIRST_BLOCK
        return index, None

    def _inside(self, text: str, index: int, final: bool) -> _Step:
        document = self.document
        assert document
        self._offset = document.accepted
        if isinstance(document, RepairedDocument):
            tokens = document.read(text, index, final=final)
            return self._part(document, text, index, tokens)
        block = text[index : index + self._block]
        # Avoid copying a chunk for each of its documents.
        self._block = min(2 * self._block, _LAST_BLOCK)
        return self._part(document, text, index, document.feed(block))

    def _part(self, document: Document, text: str, index: int, tokens: list[Token]) -> _Step:
        start, self._offset = self._offset, document.accepted
        end = index + self._offset - start
        if document.done:
            self._line, self._column = document.position(self._offset)
            self._state = self._after_document()
            self._line_start = False
        piece = self._piece(document, text[index:end], start, tokens)
        nothing = end == index and not (piece.text or piece.tokens or piece.repairs)
        return end, None if nothing and not document.ended else piece

    def _piece(self, document: Document, text: str, start: int, tokens: list[Token]) -> Part:
        if isinstance(document, RepairedDocument):
            text, repairs = document.part()
            return Part(document, text, start, tokens, repairs)
        return Part(document, text, start, tokens)

    def _after_document(self) -> _State:
        if self._fence:
            return self._code if self._is_code else self._between
        return self._prose if self._in_prose else self._between

    def _forgiven(self, text: str, index: int, final: bool) -> _Step:
        del final
        document = self.document
        assert document
        tokens = document.forgive()
        self._state = self._inside
        return self._part(document, text, index, tokens)

    def _prose(self, text: str, index: int, final: bool) -> _Step:
        if text[index] == BOM and not self._offset:
            return index + 1, Mark(BOM, 0)
        if self._line_start:
            step = self._try_fence(text, index, final)
            if step:
                return step
            self._line_start = False
        turn = _turn.search(text, index)
        end = turn.start() if turn else len(text)
        if end == index and text[index] == "<":
            return self._try_thought(text, index, final)
        if end == index and text[index] == "`":
            return self._try_late_fence(text, index, final)
        if end == index and text[index] != "\n":
            return self._try_brackets(text, index, final)
        if turn and text[end] == "\n":
            self._line_start = True
            end += 1
        return end, self._text(text[index:end])

    def _text(self, text: str) -> Prose:
        """Return a piece of prose; at the start of a text, a document only has white space before
        it."""
        self._fresh &= text.isspace()
        return Prose(text, self._offset)

    def _try_thought(self, text: str, index: int, final: bool) -> _Step:
        for tag, end in _THOUGHTS.items():
            if text.startswith(tag, index):
                self._thought = end
                self._state = self._thinking
                return index + len(tag), Prose(tag, self._offset)
        if not final and any(tag.startswith(text[index:]) for tag in _THOUGHTS):
            return index, None
        return index + 1, self._text("<")

    def _thinking(self, text: str, index: int, final: bool) -> _Step:
        """Inside a thought, nothing is a document."""
        at = text.find(self._thought, index)
        if at >= 0:
            self._state = self._prose
            end = at + len(self._thought)
            return end, Prose(text[index:end], self._offset)
        # The beginning of a tag waits for the rest of it.
        keep = 0 if final else _begun(self._thought, text[index:])
        end = len(text) - keep
        return (end, Prose(text[index:end], self._offset)) if end > index else (index, None)

    def _try_brackets(self, text: str, index: int, final: bool) -> _Step:
        begins = self._begins(text, index) if self._brackets else False
        if begins is None and not final:
            return index, None
        if begins:
            return self._open(index)
        return index + 1, self._text(text[index])

    def _begins(self, text: str, index: int) -> bool | None:
        """Return whether the bracket at `index` begins a document; None if more text is needed."""
        anywhere = self._fresh or bool(self._fence)
        return self._trial.begins(text[index : index + LONGEST], anywhere=anywhere)

    def _try_fence(self, text: str, index: int, final: bool) -> _Step | None:
        found = _fence_run.match(text, index, index + LONGEST)
        assert found
        newline = text.find("\n", found.end(), index + LONGEST)
        run = found[1] or ""
        info = text[found.end() : newline] if newline >= 0 else text[found.end() :]
        may_grow = found.end() == len(text) or len(run) >= 3
        if newline < 0 and may_grow and len(text) < index + LONGEST and not final:
            return None if "`" in info else (index, None)
        if len(run) < 3 or newline < 0 or "`" in info:
            return None
        self._fence = run
        self._line_start = True
        language = info.split()[0].lower() if info.split() else ""
        self._is_code = language not in _JSON
        if language in _JSON:
            self._state = self._between
        else:
            self._state = self._code if language else self._unlabelled
        return newline + 1, Mark(text[index : newline + 1], self._offset)

    def _try_late_fence(self, text: str, index: int, final: bool) -> _Step:
        """Take backticks that do not begin a line. These may only be prose about fences, so the
        text after them is JSON only if it begins with a bracket."""
        ahead = text[index : index + LONGEST]
        found = _late_fence(ahead, partial=not final)
        if found is None or (found.partial and len(ahead) == LONGEST):
            run = ahead[: len(ahead) - len(ahead.lstrip("`"))]
            return index + len(run), self._text(run)
        if found.partial:
            return index, None
        self._fence = found[1]
        self._line_start = True
        self._state = self._unlabelled
        return index + found.end(), Mark(found[0], self._offset)

    def _unlabelled(self, text: str, index: int, final: bool) -> _Step:
        """Inside a fence without a language: JSON if it begins with a bracket."""
        del final
        found = _not_space.search(text, index)
        end = found.start() if found else len(text)
        if end > index:
            space = text[index:end]
            self._line_start = "\n" in space and space.rindex("\n") > len(space) - 5
            return end, Mark(space, self._offset)
        self._is_code = text[index] not in "[{"
        self._state = self._code if self._is_code else self._between
        return index, None

    def _code(self, text: str, index: int, final: bool) -> _Step:
        """Inside a fence without JSON, or with JSON among other text."""
        if self._line_start:
            found = _fence_run.match(text, index, index + LONGEST)
            assert found
            if found.end() == len(text) and found.end() < index + LONGEST and not final:
                return index, None
            if (found[1] or "").startswith(self._fence):
                self._state = self._fence_end
                return found.end(), Mark(text[index : found.end()], self._offset)
            self._line_start = False
        newline = text.find("\n", index)
        end = newline + 1 if newline >= 0 else len(text)
        bracket = None if self._closed else _bracket(text, index, end)
        if bracket and bracket.start() == index:
            begins = self._begins(text, index)
            if begins is None and not final:
                return index, None
            return self._open(index) if begins else (index + 1, self._text(text[index]))
        if bracket:
            end = bracket.start()
        self._line_start = not bracket and newline >= 0
        return end, self._text(text[index:end])

    def _fence_end(self, text: str, index: int, final: bool) -> _Step:
        """After a closing fence on its line."""
        del final
        newline = text.find("\n", index)
        end = newline + 1 if newline >= 0 else len(text)
        if newline >= 0:
            self._fence = ""
            self._line_start = True
            self._state = self._rest if self._closed else self._prose
        return end, Mark(text[index:end], self._offset)

    def _after_error(self, text: str, index: int, final: bool) -> _Step:
        """Drop everything after an error, unless the caller continued from it."""
        del index, final
        return len(text), None

    def _rest(self, text: str, index: int, final: bool) -> _Step:
        del final
        return len(text), Prose(text[index:], self._offset)


def _begun(tag: str, text: str) -> int:
    """Return how many characters at the end of `text` may begin `tag`."""
    sizes = range(min(len(tag) - 1, len(text)), 0, -1)
    return next((size for size in sizes if text.endswith(tag[:size])), 0)


_Step: TypeAlias = tuple[int, Piece | None]
_State: TypeAlias = Callable[[str, int, bool], _Step]
