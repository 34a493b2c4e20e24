"""The four ways to extract values from a stream, each for asynchronous and for plain streams."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Iterable
from contextlib import aclosing, closing
from typing import Any, Literal, TypeAlias, TypeVar, Unpack, overload

from pydantic import TypeAdapter

from guardstream.extract._reader import Reading
from guardstream.extract._streams import Stream, values, values_sync
from guardstream.extract._work import Items, Pieces, Snapshots, Whole

T = TypeVar("T")

Model: TypeAlias = type[T] | TypeAdapter[T]
Documents: TypeAlias = Literal["one", "many"]
Last: TypeAlias = Literal["one", "last"]
OnInvalid: TypeAlias = Literal["raise", "skip"]


@overload
def snapshots(
    stream: Stream,
    model: type[T],
    *,
    partial_strings: bool | None = ...,
    **reading: Unpack[Reading],
) -> AsyncGenerator[T, None]: ...
@overload
def snapshots(
    stream: Stream, model: object, *, partial_strings: bool | None = ..., **reading: Unpack[Reading]
) -> AsyncGenerator[Any, None]: ...
def snapshots(
    stream: Stream, model: Any, *, partial_strings: bool | None = None, **reading: Unpack[Reading]
) -> AsyncGenerator[Any, None]:
    """Yield the incomplete `model` after each chunk that adds to it, and finally the complete one.

    A large value is yielded less often, so that the cost of copying it stays in proportion to the
    text.

    `stream` yields text or a provider's chunks; `reading` are the options of all these functions,
    see `Reading`.

    Fields that have not arrived have their declared default, or else MISSING; `model_fields_set`
    names those that have. Numbers and literals appear when they are complete, strings as they grow
    unless `partial_strings` is False. Complete values have their declared types; only the last
    snapshot is validated by the model as a whole. Raises ExtractError.
    """
    return values(stream, _snapshots(stream, model, reading, partial_strings))


@overload
def snapshots_sync(
    stream: Iterable[Any],
    model: type[T],
    *,
    partial_strings: bool | None = ...,
    **reading: Unpack[Reading],
) -> Generator[T, None, None]: ...
@overload
def snapshots_sync(
    stream: Iterable[Any],
    model: object,
    *,
    partial_strings: bool | None = ...,
    **reading: Unpack[Reading],
) -> Generator[Any, None, None]: ...
def snapshots_sync(
    stream: Iterable[Any],
    model: Any,
    *,
    partial_strings: bool | None = None,
    **reading: Unpack[Reading],
) -> Generator[Any, None, None]:
    """Yield the values of `snapshots`, for a plain stream."""
    return values_sync(stream, _snapshots(stream, model, reading, partial_strings))


@overload
def items(
    stream: Stream,
    path: str,
    model: Model[T],
    *,
    on_invalid: OnInvalid | None = ...,
    documents: Documents | None = ...,
    **reading: Unpack[Reading],
) -> AsyncGenerator[T, None]: ...
@overload
def items(
    stream: Stream,
    path: str,
    model: object = ...,
    *,
    on_invalid: OnInvalid | None = ...,
    documents: Documents | None = ...,
    **reading: Unpack[Reading],
) -> AsyncGenerator[Any, None]: ...
def items(
    stream: Stream,
    path: str,
    model: Any = None,
    *,
    on_invalid: OnInvalid | None = None,
    documents: Documents | None = None,
    **reading: Unpack[Reading],
) -> AsyncGenerator[Any, None]:
    """Yield each value at `path` when it is complete: `orders.item` is each element of `orders`.

    `stream` yields text or a provider's chunks; `reading` are the options of all these functions,
    see `Reading`.

    Without a `model`, it is a plain JSON value. Each value is validated by itself; one that the
    model rejects is skipped with `on_invalid` "skip", and otherwise raised with its `index`. With
    `documents` "many", such as JSON lines, `path` applies to each document. Raises ExtractError
    after the values before the error, and also if there was no value at the path and no empty array
    on the way to it.
    """
    work = _items(stream, path, model, reading, on_invalid, documents)
    return values(stream, work)


@overload
def items_sync(
    stream: Iterable[Any],
    path: str,
    model: Model[T],
    *,
    on_invalid: OnInvalid | None = ...,
    documents: Documents | None = ...,
    **reading: Unpack[Reading],
) -> Generator[T, None, None]: ...
@overload
def items_sync(
    stream: Iterable[Any],
    path: str,
    model: object = ...,
    *,
    on_invalid: OnInvalid | None = ...,
    documents: Documents | None = ...,
    **reading: Unpack[Reading],
) -> Generator[Any, None, None]: ...
def items_sync(
    stream: Iterable[Any],
    path: str,
    model: Any = None,
    *,
    on_invalid: OnInvalid | None = None,
    documents: Documents | None = None,
    **reading: Unpack[Reading],
) -> Generator[Any, None, None]:
    """Yield the values of `items`, for a plain stream.

    `path`, `model`, `on_invalid`, `documents`, and the exceptions are those of `items`.
    """
    work = _items(stream, path, model, reading, on_invalid, documents)
    return values_sync(stream, work)


def text(
    stream: Stream, path: str, *, documents: Documents | None = None, **reading: Unpack[Reading]
) -> AsyncGenerator[str, None]:
    """Yield the decoded text of the string at `path` as it arrives, in pieces that are not empty.

    `stream` yields text or a provider's chunks. If there are several strings at `path`, they follow
    each other, and null is like an empty one; with `documents` "many", `path` applies to each
    document. `reading` are the options of all these functions, see `Reading`. Raises ExtractError,
    also if there are other values at the path, but no string.
    """
    return values(stream, _pieces(stream, path, reading, documents))


def text_sync(
    stream: Iterable[Any],
    path: str,
    *,
    documents: Documents | None = None,
    **reading: Unpack[Reading],
) -> Generator[str, None, None]:
    """Yield the pieces of `text`, for a plain stream."""
    return values_sync(stream, _pieces(stream, path, reading, documents))


@overload
async def final(
    stream: Stream, model: Model[T], *, documents: Last | None = ..., **reading: Unpack[Reading]
) -> T: ...
@overload
async def final(
    stream: Stream, model: object, *, documents: Last | None = ..., **reading: Unpack[Reading]
) -> Any: ...
async def final(
    stream: Stream, model: Any, *, documents: Last | None = None, **reading: Unpack[Reading]
) -> Any:
    """Return the whole document of `stream` as a validated `model`, once it is complete.

    With `documents` "last", it is the last of several. `reading` are the options of all these
    functions, see `Reading`. Raises ExtractError as soon as the text cannot become the model, and
    the exceptions of the stream.
    """
    async with aclosing(values(stream, _whole(stream, model, reading, documents))) as found:
        return await anext(found)


@overload
def final_sync(
    stream: Iterable[Any],
    model: Model[T],
    *,
    documents: Last | None = ...,
    **reading: Unpack[Reading],
) -> T: ...
@overload
def final_sync(
    stream: Iterable[Any],
    model: object,
    *,
    documents: Last | None = ...,
    **reading: Unpack[Reading],
) -> Any: ...
def final_sync(
    stream: Iterable[Any], model: Any, *, documents: Last | None = None, **reading: Unpack[Reading]
) -> Any:
    """Return the result of `final`, for a plain stream."""
    with closing(values_sync(stream, _whole(stream, model, reading, documents))) as found:
        return next(found)


# A guard's stream has the defaults of its policy; arguments of the call take precedence.


def _reading(stream: object, reading: Reading) -> Reading:
    if reading.get("text_of") is not None:
        unused = next((name for name in ("tool", "format") if reading.get(name)), None)
        if unused is not None:
            raise TypeError(f"text_of= defines the text of a chunk: leave {unused}= out")
    defaults = getattr(stream, "extraction", None)
    if not defaults:
        return reading
    return {**{name: value for name, value in defaults.items() if name in _OF_READING}, **reading}


_OF_READING = frozenset(Reading.__annotations__)


def _option(stream: object, name: str, given: Any, default: Any) -> Any:
    if given is not None:
        return given
    return (getattr(stream, "extraction", None) or {}).get(name, default)


def _whole(stream: object, model: Any, reading: Reading, documents: Last | None) -> Whole[Any]:
    return Whole(model, _reading(stream, reading), documents or "one")


def _snapshots(
    stream: object, model: Any, reading: Reading, strings: bool | None
) -> Snapshots[Any]:
    strings = _option(stream, "partial_strings", strings, True)
    return Snapshots(model, _reading(stream, reading), strings=bool(strings))


def _items(
    stream: object,
    path: str,
    model: Any,
    reading: Reading,
    on_invalid: OnInvalid | None,
    documents: Documents | None,
) -> Items[Any]:
    return Items(
        path,
        model,
        _reading(stream, reading),
        on_invalid=_option(stream, "on_invalid", on_invalid, "raise"),
        documents=_option(stream, "documents", documents, "one"),
    )


def _pieces(stream: object, path: str, reading: Reading, documents: Documents | None) -> Pieces:
    return Pieces(path, _reading(stream, reading), _option(stream, "documents", documents, "one"))
