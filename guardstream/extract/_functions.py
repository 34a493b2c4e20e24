"""The four ways to take values out of a stream, each for asynchronous and for plain streams."""

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
    """Yield what is there of a `model` after each chunk that brings something; last, all of it.

    A large value is shown less often, so that copying it stays in proportion to the text.

    `stream` gives text or a provider's chunks; `reading` are the options that all these functions
    have, see `Reading`.

    Fields that have not come have their declared default, else MISSING; `model_fields_set` names
    those that came. Numbers and literals appear when they are complete, strings as they grow
    unless `partial_strings` is False. What is complete is of its declared type; only the last
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
    """Yield what `snapshots` does, for a plain stream."""
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

    `stream` gives text or a provider's chunks; `reading` are the options that all these functions
    have, see `Reading`.

    Without a `model` it is a plain JSON value. Each value is validated by itself; one that the
    model refuses is left out with `on_invalid` "skip", otherwise raised with its `index`. With
    `documents` "many", such as JSON lines, the path is looked for in each. Raises ExtractError,
    after the values before it, also if there was nothing at the path and no empty array before it.
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
    """Yield what `items` does, for a plain stream.

    `path`, `model`, `on_invalid`, `documents`, and what is raised, are as there.
    """
    work = _items(stream, path, model, reading, on_invalid, documents)
    return values_sync(stream, work)


def text(
    stream: Stream, path: str, *, documents: Documents | None = None, **reading: Unpack[Reading]
) -> AsyncGenerator[str, None]:
    """Yield the decoded text of the string at `path` as it comes, in pieces that are not empty.

    `stream` gives text or a provider's chunks. Where several strings stand at `path`, one follows
    the other, null is like an empty one; with `documents` "many" they are looked for in each
    document. `reading` are the options that all these functions have, see `Reading`. Raises
    ExtractError, also if other values stand there and no string.
    """
    return values(stream, _pieces(stream, path, reading, documents))


def text_sync(
    stream: Iterable[Any],
    path: str,
    *,
    documents: Documents | None = None,
    **reading: Unpack[Reading],
) -> Generator[str, None, None]:
    """Yield what `text` does, for a plain stream."""
    return values_sync(stream, _pieces(stream, path, reading, documents))


@overload
async def final(stream: Stream, model: Model[T], **reading: Unpack[Reading]) -> T: ...
@overload
async def final(stream: Stream, model: object, **reading: Unpack[Reading]) -> Any: ...
async def final(stream: Stream, model: Any, **reading: Unpack[Reading]) -> Any:
    """Return the whole document of `stream` as a validated `model`, once it is complete.

    `reading` are the options that all these functions have, see `Reading`. Raises ExtractError as
    soon as the text cannot become the model, and what the stream raises.
    """
    async with aclosing(values(stream, Whole[Any](model, _reading(stream, reading)))) as found:
        return await anext(found)


@overload
def final_sync(stream: Iterable[Any], model: Model[T], **reading: Unpack[Reading]) -> T: ...
@overload
def final_sync(stream: Iterable[Any], model: object, **reading: Unpack[Reading]) -> Any: ...
def final_sync(stream: Iterable[Any], model: Any, **reading: Unpack[Reading]) -> Any:
    """Return what `final` does, for a plain stream."""
    with closing(values_sync(stream, Whole[Any](model, _reading(stream, reading)))) as found:
        return next(found)


# A stream of a guard says how its policy wants it read; what the call says counts first.


def _reading(stream: object, reading: Reading) -> Reading:
    if reading.get("text_of") is not None:
        unused = next((name for name in ("tool", "provider") if reading.get(name)), None)
        if unused is not None:
            raise TypeError(f"text_of= defines the text of a chunk: leave {unused}= out")
    said = getattr(stream, "extraction", None)
    if not said:
        return reading
    return {**{name: value for name, value in said.items() if name in _OF_READING}, **reading}


_OF_READING = frozenset(Reading.__annotations__)


def _said(stream: object, name: str, asked: Any, usual: Any) -> Any:
    if asked is not None:
        return asked
    return (getattr(stream, "extraction", None) or {}).get(name, usual)


def _snapshots(
    stream: object, model: Any, reading: Reading, strings: bool | None
) -> Snapshots[Any]:
    strings = _said(stream, "partial_strings", strings, True)
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
        on_invalid=_said(stream, "on_invalid", on_invalid, "raise"),
        documents=_said(stream, "documents", documents, "one"),
    )


def _pieces(stream: object, path: str, reading: Reading, documents: Documents | None) -> Pieces:
    return Pieces(path, _reading(stream, reading), _said(stream, "documents", documents, "one"))
