"""Reads the document of a stream: tokens and accepted text, as they come."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, AsyncIterable, Iterable
from typing import Any, TypeAlias

import anyio
from pydantic import ValidationError

from guardstream.extract._errors import ExtractError
from guardstream.extract._texts import TextOf
from guardstream.jsonstream.document import Checks, Document, Source
from guardstream.jsonstream.documents import Documents, Fences, Part
from guardstream.jsonstream.errors import DocumentError

Stream: TypeAlias = AsyncIterable[Any] | Iterable[Any]


class Reader:
    """One stream's document. Iterate `parts` to read it; `document` is there once it has begun."""

    def __init__(
        self, stream: Stream, checks: Checks | None, text_of: TextOf, fences: Fences | None
    ) -> None:
        self._stream = stream
        self._text_of = text_of
        self._checks = checks
        self._finder = Documents(self._new, fences)
        self._source: Source | None = None
        self._offset = 0

    @property
    def offset(self) -> int:
        """How far the stream was read, in code points."""
        return self._offset

    @property
    def partial(self) -> Any:
        """The value so far."""
        return self._finder.document.value if self._finder.document else None

    def read(self, start: int, end: int) -> str:
        """The document's text between two offsets of the stream."""
        assert self._source
        return self._source.read(start, end)

    @property
    def source(self) -> str:
        """The document's text so far."""
        return self._source.text if self._source else ""

    async def parts(self) -> AsyncGenerator[Part, None]:
        """The document's parts. Raises ExtractError; closes the stream on every way out."""
        chunks = _Chunks(self._stream)
        try:
            async for chunk in chunks:
                text = self._text_of(chunk)
                self._offset += len(text)
                for piece in self._finder.feed(text):
                    if isinstance(piece, Part):
                        yield self._checked(piece)
                        if piece.document.done:
                            return
            self._check_blocked()
            for piece in self._finder.finish():
                if isinstance(piece, Part):
                    yield self._checked(piece)
            if not self._finder.document:
                raise ExtractError("the stream holds no document", self._offset, None)
        finally:
            await chunks.aclose()

    def refusal(self, error: ValidationError) -> ExtractError:
        """The error for a value that the model refuses."""
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        reason = f"the model refuses {place!r}: {first['type']}"
        return ExtractError(reason, self._offset, self.partial)

    def _check_blocked(self) -> None:
        """A guarded stream that was blocked ends before its document does."""
        rule = getattr(self._stream, "blocked_by", None)
        if isinstance(rule, str):
            raise ExtractError(
                f"the stream was blocked by rule {rule!r}", self._offset, self.partial
            )

    def _new(self, offset: int, line: int, column: int) -> Document:
        return Document(self._checks, build=True, offset=offset, line=line, column=column)

    def _checked(self, part: Part) -> Part:
        error: DocumentError | None = part.document.error
        if error:
            raise ExtractError(str(error), error.offset, self.partial) from error
        if self._source is None:
            self._source = Source(part.start)
        self._source.add(part.text)
        return part


class _Chunks:
    """A stream's chunks, from an asynchronous or a plain iterable; closes what it took."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._async = aiter(stream) if isinstance(stream, AsyncIterable) else None
        self._plain = None if isinstance(stream, AsyncIterable) else iter(stream)

    def __aiter__(self) -> _Chunks:
        return self

    async def __anext__(self) -> Any:
        if self._async is not None:
            return await anext(self._async)
        assert self._plain is not None
        for chunk in self._plain:
            return chunk
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Close the iterator and the stream, also while being cancelled."""
        with anyio.CancelScope(shield=True):
            for each in (self._async or self._plain, self._stream):
                close = getattr(each, "aclose", None) or getattr(each, "close", None)
                closing = close() if close else None
                if inspect.isawaitable(closing):
                    await closing
