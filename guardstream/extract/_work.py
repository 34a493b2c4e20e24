"""The sans-I/O part of each function: chunks in, values out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from math import isfinite
from typing import Any, Generic, Literal, TypeVar

from pydantic import ValidationError

from guardstream.extract._errors import ExtractError
from guardstream.extract._growing import Growing
from guardstream.extract._known import known
from guardstream.extract._places import Place, SpansAt, TextAt
from guardstream.extract._reader import Reader, Reading
from guardstream.hints import check_known
from guardstream.jsonstream.documents import Part

T = TypeVar("T")

_SHARE = 64  # entries that snapshots may copy for each character read; 256 characters count as one


class _Work(Generic[T]):
    """Makes values from the parts of a document."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader

    @property
    def over(self) -> bool:
        """Whether no more is read."""
        return self.reader.over

    def feed(self, chunk: Any) -> Iterator[T]:
        """Take the next chunk."""
        for part in self.reader.feed(chunk):
            yield from self._take(part)
        if self.over:
            yield from self._end()

    def finish(self, stream: object) -> Iterator[T]:
        """Take the end of `stream`, which may say how it ended."""
        for part in self.reader.finish(stream):
            yield from self._take(part)
        yield from self._end()

    def _take(self, part: Part) -> Iterator[T]:
        raise NotImplementedError

    def _end(self) -> Iterator[T]:
        """Return the values at the end of the document, or of the last of many."""
        return iter(())

    def _check_met(self, place: Place) -> None:
        message = place.missing()
        if message:
            raise ExtractError(message, self.reader.offset, self.reader.partial)


class Whole(_Work[T]):
    """The whole document as a model, at its end."""

    def __init__(
        self, model: Any, reading: Reading, documents: Literal["one", "last"] = "one"
    ) -> None:
        check_known("documents", documents, ("one", "last"))
        found = known(model)
        self._adapter = found.adapter
        early = found.early if documents == "one" else None  # those before the last are drafts
        super().__init__(Reader(early, reading, documents))

    def _take(self, part: Part) -> Iterator[T]:
        del part
        return iter(())

    def _end(self) -> Iterator[T]:
        try:
            yield self._adapter.validate_json(self.reader.source, context=self.reader.context)
        except ValidationError as error:
            raise self.reader.refusal(error) from error


class Snapshots(Whole[T]):
    """The model as it grows, and finally the complete model."""

    def __init__(self, model: Any, reading: Reading, *, strings: bool) -> None:
        super().__init__(model, reading)
        self._growing = Growing(model, strings=strings)
        self._allowed = 0.0

    def _take(self, part: Part) -> Iterator[T]:
        growing = self._growing
        growing.take(part.tokens)
        self._allowed += _SHARE * len(part.text)
        if growing.changed and not part.document.done and growing.cost() <= self._allowed:
            self._allowed -= growing.cost()
            yield growing.snapshot()


class Items(_Work[T]):
    """Each value at a path, when it is complete."""

    def __init__(
        self,
        path: str,
        model: Any,
        reading: Reading,
        *,
        on_invalid: Literal["raise", "skip"],
        documents: Literal["one", "many"],
    ) -> None:
        check_known("on_invalid", on_invalid, ("raise", "skip"))
        super().__init__(Reader(None, reading, documents))
        found = None if model is None else known(model)
        self._adapter = found.adapter if found else None
        self._unions = found.unions if found else None
        self._spans = SpansAt(path)
        self._skips = on_invalid == "skip"
        self._index = -1

    def _take(self, part: Part) -> Iterator[T]:
        for token in part.tokens:
            span = self._spans.take(token)
            if span is None:
                continue
            self._index += 1
            try:
                value = self._value(*span)
            except ExtractError as error:
                if not self._skips:
                    error.partial = self.reader.partial_until(span[1])
                    raise
            else:
                yield value
        if part.document.done:
            self._spans.place.restart()

    def _end(self) -> Iterator[T]:
        self._check_met(self._spans.place)
        return iter(())

    def _value(self, start: int, end: int) -> T:
        text = self.reader.read(start, end)
        if self._adapter is None:
            return self._plain(text, end)  # type: ignore[no-any-return]
        unions = self._unions
        if unions and unions.any and unions.too_many(self._plain(text, end), len(text)):
            raise self._refusal("the model's unions would be tried too often: give them a tag", end)
        try:
            made: T = self._adapter.validate_json(text, context=self.reader.context)
        except ValidationError as error:
            hint = self._spans.place.elements if text.lstrip()[:1] == "[" else ""
            raise self.reader.refusal(error, self._index, hint, end=end) from error
        return made

    def _plain(self, text: str, end: int) -> Any:
        try:
            return plain(text)
        except RecursionError:
            raise self._refusal(
                "the item is nested deeper than Python can read: lower limits.depth", end
            ) from None

    def _refusal(self, reason: str, end: int) -> ExtractError:
        reader = self.reader
        return ExtractError(reason, reader.place(end), reader.partial, index=self._index)


class Pieces(_Work[str]):
    """The text of the strings at a path, as it arrives."""

    def __init__(self, path: str, reading: Reading, documents: Literal["one", "many"]) -> None:
        super().__init__(Reader(None, reading, documents))
        self._at = TextAt(path)

    def _take(self, part: Part) -> Iterator[str]:
        piece = "".join(self._at.take(token) for token in part.tokens)
        if piece:
            yield piece
        if part.document.done:
            self._at.place.restart()

    def _end(self) -> Iterator[str]:
        self._check_met(self._at.place)
        if self._at.other:
            raise ExtractError(self._at.other, self.reader.offset, self.reader.partial)
        return iter(())


def plain(text: str) -> Any:
    """Return the value of a JSON text; a number that is too large for a float is a Decimal."""
    return json.loads(text, parse_float=_number)


def _number(text: str) -> float | Decimal:
    number = float(text)
    return number if isfinite(number) else Decimal(text)
