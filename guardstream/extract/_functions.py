"""The four ways to take values out of a stream."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from decimal import Decimal
from math import isfinite
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from guardstream.extract._errors import ExtractError
from guardstream.extract._growing import Growing
from guardstream.extract._places import SpansAt, TextAt
from guardstream.extract._reader import Reader, Stream
from guardstream.extract._texts import TextOf, Texts
from guardstream.jsonstream.documents import Fences
from guardstream.jsonstream.schema.models import EarlySchema
from guardstream.jsonstream.schema.unions import Unions
from guardstream.providers import Adapter

T = TypeVar("T")

_SHARE = 64  # what snapshots may copy for each character read: entries, or 256 characters


async def snapshots(
    stream: Stream,
    model: type[T],
    *,
    partial_strings: bool = True,
    tool: str | None = None,
    provider: str | Adapter[Any] | None = None,
    text_of: TextOf | None = None,
    fences: Fences | None = None,
) -> AsyncIterator[T]:
    """Yield what is there of a `model` after each chunk that brings something; last, all of it.

    `stream`, `tool`, `provider`, `text_of` and `fences` say where the JSON stands: see the module.

    A large value is shown less often, so that copying it stays in proportion to the text.

    Fields that have not come are absent, or have their default; `model_fields_set` names those
    that came. Numbers and literals appear when they are complete, strings as they grow unless
    `partial_strings` is False. Only the last snapshot is validated by the model as a whole. Raises
    ExtractError.
    """
    reader = Reader(stream, EarlySchema(model), text_of or Texts(provider, tool), fences)
    growing = Growing(model, strings=partial_strings)
    allowed = 0.0
    async with aclosing(reader.parts()) as parts:
        async for part in parts:
            growing.take(part.tokens)
            allowed += _SHARE * len(part.text)
            if growing.changed and not part.document.done and growing.cost() <= allowed:
                allowed -= growing.cost()
                yield growing.snapshot()
    yield _validated(reader, model)


async def items(
    stream: Stream,
    path: str,
    model: type[T] | None = None,
    *,
    tool: str | None = None,
    provider: str | Adapter[Any] | None = None,
    text_of: TextOf | None = None,
    fences: Fences | None = None,
) -> AsyncIterator[T]:
    """Yield each value at `path` once, when it is over: `orders.item` is each element of `orders`.

    `stream`, `tool`, `provider`, `text_of` and `fences` say where the JSON stands: see the module.
    Without a `model` it is a plain JSON value. Each value is validated by itself. Raises
    ExtractError, after the values before it.
    """
    adapter = TypeAdapter(model) if model is not None else None
    unions = Unions(adapter.core_schema) if adapter is not None else None
    reader = Reader(stream, None, text_of or Texts(provider, tool), fences)
    spans = SpansAt(path)
    async with aclosing(reader.parts()) as parts:
        async for part in parts:
            for token in part.tokens:
                span = spans.take(token)
                if span is not None:
                    value = reader.read(*span)
                    if unions and unions.any and unions.too_many(_plain(value), len(value)):
                        reason = "the model's unions would be tried too often: give them a tag"
                        raise ExtractError(reason, reader.offset, reader.partial)
                    yield _plain(value) if adapter is None else _model(reader, adapter, value)


async def text(
    stream: Stream,
    path: str,
    *,
    tool: str | None = None,
    provider: str | Adapter[Any] | None = None,
    text_of: TextOf | None = None,
    fences: Fences | None = None,
) -> AsyncIterator[str]:
    """Yield the decoded text of the string at `path` as it comes, in pieces that are not empty.

    Where several strings stand at `path`, one follows the other. `stream`, `tool`, `provider`,
    `text_of` and `fences` say where the JSON stands: see the module. Raises ExtractError.
    """
    reader = Reader(stream, None, text_of or Texts(provider, tool), fences)
    place = TextAt(path)
    async with aclosing(reader.parts()) as parts:
        async for part in parts:
            piece = "".join(place.take(token) for token in part.tokens)
            if piece:
                yield piece


async def final(
    stream: Stream,
    model: type[T],
    *,
    tool: str | None = None,
    provider: str | Adapter[Any] | None = None,
    text_of: TextOf | None = None,
    fences: Fences | None = None,
) -> T:
    """Return the whole as a validated `model`. Raises ExtractError as soon as it cannot be.

    `stream`, `tool`, `provider`, `text_of` and `fences` say where the JSON stands: see the module.
    """
    reader = Reader(stream, EarlySchema(model), text_of or Texts(provider, tool), fences)
    async with aclosing(reader.parts()) as parts:
        async for _ in parts:
            pass
    return _validated(reader, model)


def _validated(reader: Reader, model: type[T]) -> T:
    try:
        return TypeAdapter(model).validate_json(reader.source)
    except ValidationError as error:
        raise reader.refusal(error) from error


def _model(reader: Reader, adapter: TypeAdapter[T], text: str) -> T:
    try:
        return adapter.validate_json(text)
    except ValidationError as error:
        raise reader.refusal(error) from error


def _plain(text: str) -> Any:
    """The value that `text` is; a number that is too large for a float is a Decimal."""
    return json.loads(text, parse_float=_number)


def _number(text: str) -> float | Decimal:
    number = float(text)
    return number if isfinite(number) else Decimal(text)
