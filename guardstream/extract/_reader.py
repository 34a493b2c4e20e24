"""Reads the document of a stream, or its documents: tokens and accepted text, as they come."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal, TypedDict, get_args

from pydantic import ValidationError

from guardstream.extract._errors import ExtractError
from guardstream.extract._texts import TextOf, Texts
from guardstream.formats import Adapter
from guardstream.hints import check_known, hint
from guardstream.jsonstream.document import Checks, Document, SourceText
from guardstream.jsonstream.documents import Documents, Fences, Part, Piece
from guardstream.jsonstream.errors import (
    DocumentError,
    JSONSyntaxError,
    SchemaViolationError,
)
from guardstream.jsonstream.lexer.scalars import in_string
from guardstream.jsonstream.lexer.state import LexerState, Limits
from guardstream.jsonstream.lexer.tokens import STRING
from guardstream.jsonstream.repair import USUAL, Kind, kinds_named
from guardstream.jsonstream.repaired import DocumentOptions, RepairedDocument
from guardstream.jsonstream.schema.schema import Schema

_CUT = {
    "length": "; the answer was cut at a limit of its length: allow more",
    "content_filter": "; a content filter ended the answer",
    "timeout": "; the answer took longer than a deadline allows",
    "cancelled": "; the stream was cancelled",
}
"""What an error says about a document that is cut off, by the answer's finish reason."""

_BRACKETS = ("an object", "an array")
_FENCES = "; if prose or a ``` fence surrounds the JSON, pass fences='strip'"


class Reading(TypedDict, total=False):
    """How a stream is read.

    - `tool`: read the arguments of the first call of that tool instead of the answer's text.
    - `format`: the adapter of the chunks, or its name; otherwise the first chunk tells.
    - `text_of`: the text of a chunk that no adapter knows, in place of `tool` and `format`.
    - `fences`: what may stand around the document, as in a policy.
    - `repair`: kinds of almost-JSON that are repaired, or True for all but `truncated`.
    - `duplicates`: whether an object may name a key twice; the last one counts.
    - `limits`: bounds on a document.
    - `schema`: a JSON Schema that each document must fulfil, or a Schema.
    - `context`: what the model's validators get as `info.context`.
    """

    tool: str | None
    format: str | Adapter[Any] | None
    text_of: TextOf | None
    fences: Fences | None
    repair: bool | set[Kind] | frozenset[Kind] | list[Kind]
    duplicates: bool
    limits: Limits | None
    schema: Mapping[str, Any] | bool | Schema | None
    context: Any


_OPTIONS = (*Reading.__annotations__, "documents", "on_invalid")


class Reader:
    """One stream's document, or each of its documents with `documents` "many" or "last".

    `feed` and `finish` give the parts, and raise ExtractError. `over` says that no more is read.
    """

    def __init__(
        self,
        checks: Checks | None,
        reading: Reading,
        documents: Literal["one", "many", "last"] = "one",
    ) -> None:
        unknown = sorted(reading.keys() - Reading.__annotations__.keys())
        if unknown:
            others = [name for name in _OPTIONS if name != unknown[0]]
            raise TypeError(f"there is no option {unknown[0]!r}: {hint(unknown[0], others)}")
        fences, limits = reading.get("fences"), reading.get("limits")
        if fences is not None:
            check_known("fences", fences, get_args(Fences))
        check_known("documents", documents, ("one", "many", "last"))
        if limits is not None and not isinstance(limits, Limits):
            given = type(limits).__qualname__
            raise TypeError(f"limits= needs Limits(depth=64, string=100_000), not {given!r}")
        text_of = reading.get("text_of")
        if text_of is not None and not callable(text_of):
            raise TypeError(f"text_of= needs a function, not {type(text_of).__qualname__!r}")
        self.text: TextOf = text_of or Texts(reading.get("format"), reading.get("tool"))
        self.over = False
        self.offset = 0  # how far the text is accepted, in code points
        self._came = 0  # how much of it has arrived
        kinds = _kinds(reading.get("repair", False))
        schema = reading.get("schema")
        if schema is not None:
            checks = schema if isinstance(schema, Schema) else Schema(schema)
        duplicates = reading.get("duplicates", False)
        options = DocumentOptions(checks, limits, duplicates, build=True, repair=kinds)
        self._unchecked = DocumentOptions(None, limits, duplicates, build=True)
        self._fenced = fences is not None
        self._finder = Documents(options, fences)
        self._many = documents != "one"
        self._may_lack = documents == "many"
        self.context = reading.get("context")
        self._document: Document | None = None
        self._source = SourceText(0)
        self._ended = False
        self._cut = ""

    @property
    def partial(self) -> Any:
        """The value so far."""
        if self._document is None:
            return None
        value = self._document.value
        return _with_open_string(value, self._document.state) if self._ended else value

    def partial_until(self, end: int) -> Any:
        """Return the value as it was at `end`, the offset where a token ends.

        This reads the document again, so it is for errors alone.
        """
        document = self._unchecked.document(self._source.start)
        document.feed(self._source.read(document.start, end) + " ")  # the space ends a number
        return document.value

    @property
    def source(self) -> str:
        """The text of the document so far."""
        return self._source.text

    def read(self, start: int, end: int) -> str:
        """Return the document's text between two offsets of tokens."""
        return self._source.read(start, end)

    def feed(self, chunk: Any) -> Iterator[Part]:
        """Take the next chunk."""
        text = self.text(chunk)
        self._came += len(text)
        return self._parts(self._finder.feed(text))

    def finish(self, stream: object) -> Iterator[Part]:
        """Take the end of `stream`, which may say by which rule it was blocked, or how it ended."""
        self._ended = True
        self.offset = self._came
        blocked_by = getattr(stream, "blocked_by", None)
        known = self.text.finish if isinstance(self.text, Texts) else None
        self._cut = _CUT.get(str(known or getattr(stream, "finish", None)), "")
        if isinstance(blocked_by, str):
            reason = f"the stream was blocked by rule {blocked_by!r}"
            raise ExtractError(reason, self.offset, self.partial)
        yield from self._parts(self._finder.finish())
        self.offset = self._came
        if self._document is None and not self._may_lack:
            why = "" if self._came else self._no_text()
            raise ExtractError(
                f"there is no document in the stream{why}{self._cut}", self.offset, None
            )

    def _no_text(self) -> str:
        missing = self.text.missing if isinstance(self.text, Texts) else ""
        unread = "" if self._cut else "; was the stream read before?"
        return f": {missing or f'no text came{unread}'}"

    def refusal(
        self,
        error: ValidationError,
        index: int | None = None,
        hint: str = "",
        *,
        end: int | None = None,
    ) -> ExtractError:
        """Return the error for a value that the model refuses; `hint` is for a value refused as a
        whole.

        `end` is the offset where the value ends, if it is not the whole document.
        """
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        whole = "the value" if index is None else f"item {index}"
        part = f"{place!r}" if index is None else f"{place!r} of {whole}"
        reason = f"the model refuses {part if place else whole}: {first['type']}"
        if not place:
            reason += hint
        return ExtractError(reason, self.place(end), self.partial, index=index)

    def place(self, end: int | None) -> int:
        """Return the offset in the stream for `end`, an offset of tokens."""
        if end is None:
            return self.offset
        if isinstance(self._document, RepairedDocument):
            # What repair adds to close a cut document comes after the end of the text.
            return min(self._document.source(end - 1, end)[1], self._came)
        return end

    def _parts(self, pieces: Iterator[Piece]) -> Iterator[Part]:
        if self.over:
            return
        for piece in pieces:
            if not isinstance(piece, Part) or piece.document.blank:
                continue
            document = piece.document
            if document is not self._document:
                self._document = document
                self._source = SourceText(document.offset - len(piece.text))
            self._source.add(piece.text)
            self.offset = document.accepted
            yield piece
            error: DocumentError | None = document.error
            if error:
                raise ExtractError(self._message(error), error.offset, self.partial) from error
            if document.done and not self._many:
                self.over = True
                return

    def _message(self, error: DocumentError) -> str:
        """Return what is wrong with the document, and what may help."""
        if isinstance(error, JSONSyntaxError):
            prose = not (self._fenced or error.pointer or self.partial is not None)
            return f"{error}{self._cut if self._ended else _FENCES if prose else ''}"
        if not isinstance(error, SchemaViolationError):
            return str(error)
        found = error.explanation
        prose = not (self._fenced or error.pointer or found.came in _BRACKETS)
        prose = prose and self.partial is None
        return f"{error}: expected {found.expected}, got {found.came}{_FENCES if prose else ''}"


def _kinds(repair: Any) -> frozenset[Kind]:
    if isinstance(repair, bool):
        return USUAL if repair else frozenset()
    if isinstance(repair, str):
        listed = "True or a list of kinds, such as ['comments']"
        raise TypeError(f"repair= needs {listed}, not the text {repair!r}")
    return kinds_named(repair)


def _with_open_string(value: Any, state: LexerState) -> Any:
    """Return the value, including the open string in which the text ended."""
    if state.step is not in_string or state.kind != STRING:
        return value
    text, container = "".join(state.parts), value
    if not text:
        return value
    if not state.path:
        return text
    *outer, last = state.path
    for step in outer:
        container = container[step]
    if isinstance(container, dict):
        container[last] = text
    else:
        container.append(text)
    return value
