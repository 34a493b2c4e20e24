"""The four ways to take values out of a stream."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from decimal import Decimal
from typing import Any, TypeVar, cast

import ijson
from pydantic import TypeAdapter, ValidationError

from guardstream.extract._growing import Growing
from guardstream.extract._reader import Reader, Stream
from guardstream.extract._texts import TextOf, Texts
from guardstream.jsonstream.documents import Fences
from guardstream.jsonstream.lexer import tokens as t
from guardstream.jsonstream.lexer.tokens import Token
from guardstream.jsonstream.schema.models import EarlySchema
from guardstream.providers import Adapter

T = TypeVar("T")

_SHARE = 64  # what snapshots may copy for each character read: entries, or 256 characters
_STRINGS = (t.STRING, t.STRING_PART)
_OPEN = (t.STRING_PART, t.KEY_PART, t.SCALAR_PART)


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

    Without a `model` it is a plain JSON value. Each value is validated by itself. Raises
    ExtractError, after the values before it.
    """
    adapter = TypeAdapter(model) if model is not None else None
    reader = Reader(stream, None, text_of or Texts(provider, tool), fences)
    found: list[Any] = ijson.sendable_list()
    push = ijson.items_coro(found, path)
    waiting = ""
    async with aclosing(reader.parts()) as parts:
        async for part in parts:
            waiting += part.text
            complete = _complete(part.tokens, part.start + len(part.text) - len(waiting), waiting)
            if part.document.done:
                push.send(f"{waiting} ".encode())  # the space ends a number
            elif complete:
                push.send(waiting[:complete].encode())
                waiting = waiting[complete:]
            for value in found:
                plain = _plain(value)
                yield plain if adapter is None else _model(reader, adapter, plain)
            del found[:]


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

    Where several strings stand at `path`, one follows the other. Raises ExtractError.
    """
    reader = Reader(stream, None, text_of or Texts(provider, tool), fences)
    place = _Place(path)
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
    """Return the whole as a validated `model`. Raises ExtractError as soon as it cannot be."""
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


def _model(reader: Reader, adapter: TypeAdapter[T], value: Any) -> T:
    try:
        return adapter.validate_json(json.dumps(value))
    except ValidationError as error:
        raise reader.refusal(error) from error


def _plain(value: Any) -> Any:
    """`value` with floats: ijson gives Decimal, or else refuses integers of more than 64 bits."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return float(value) if isinstance(value, Decimal) else value


def _complete(tokens: list[Token], start: int, waiting: str) -> int:
    """How much of `waiting`, which stands at `start`, consists of whole tokens.

    ijson is quadratic in a string that comes in pieces, and linear in one that comes whole.
    """
    for kind, _, _, end in reversed(tokens):
        if kind not in _OPEN:
            return min(end - start, len(waiting))
    return 0


class _Place:
    """Follows tokens to the strings at a path."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._prefixes: list[str] = []
        self._prefix = ""

    def take(self, token: Token) -> str:
        """The text that `token` brings at the path."""
        kind, value, start, end = token
        if kind in _STRINGS:
            if self._prefix != self._path:
                return ""
            tail = value[len(value) - (end - 1 - start) :] if kind == t.STRING else value
            return cast(str, tail)
        if kind == t.KEY:
            outer = self._prefixes[-1]
            self._prefix = f"{outer}.{value}" if outer else value
        elif kind == t.OPEN_OBJECT or kind == t.OPEN_ARRAY:
            self._prefixes.append(self._prefix)
            if kind == t.OPEN_ARRAY:
                self._prefix = f"{self._prefix}.item" if self._prefix else "item"
        elif kind in (t.CLOSE_OBJECT, t.CLOSE_ARRAY):
            self._prefix = self._prefixes.pop()
        return ""
