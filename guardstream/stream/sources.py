"""Checks of the arguments of `wrap` and `wrap_sync`; an error says what to pass instead."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterable, Iterable, Mapping
from typing import Any

from guardstream.stream.arguments import described_kind
from guardstream.stream.opening import REOPENING


def check_open(stream: object, options: Mapping[str, object]) -> None:
    """Raise for anything but a stream, and for options of a function that opens one."""
    _check_async(stream, "wrap() was given")
    for name in REOPENING:
        if options.get(name):
            raise TypeError(
                f"{name}= needs a function that opens the stream, not an open stream: "
                f"wrap(lambda: client.stream(...), {name}=...)"
            )


def check_opened(stream: object) -> None:
    """Raise TypeError unless what a function has returned is a stream; say what it is instead."""
    _check_async(stream, "the function that wrap() was given returned")


def _check_async(stream: Any, what: str) -> None:
    """Raise TypeError, which begins with `what`, for anything but a stream."""
    if inspect.iscoroutine(stream):
        stream.close()
    if isinstance(stream, AsyncIterable) or _has(stream, "__anext__"):
        return
    _check_response(stream, what, "aiter_bytes")
    if inspect.isawaitable(stream):
        raise TypeError(f"{what} a coroutine, not a stream: await it first")
    if _has(stream.stream if _has(stream, "stream") else stream, "subscribe"):
        raise TypeError(
            f"{what} a {type(stream).__qualname__!r}, which has subscribers, and no end: "
            "wrap an iterator of what they get; AG2's is guardstream.integrations.ag2.events(run)"
        )
    if _has(stream, "__aenter__"):
        raise TypeError(
            f"{what} a context manager, not a stream: "
            "enter it first, 'async with ... as stream', and wrap the stream"
        )
    if isinstance(stream, (str, bytes)):
        raise TypeError(f"{what} a whole text, not a stream: use check()")
    if isinstance(stream, Iterable):
        raise TypeError(f"{what} a plain iterator: use wrap_sync()")
    if _has(stream, "__enter__"):
        raise TypeError(
            f"{what} a context manager, not a stream: "
            "enter it first, 'with ... as stream', and wrap the stream"
        )
    kind = described_kind(stream)
    raise TypeError(f"{what} no stream: wrap() needs an async iterator, not {kind}")


def check_sync(stream: object) -> None:
    """Raise TypeError for anything but an iterable of chunks; say what to pass instead."""
    if inspect.iscoroutine(stream):
        stream.close()
        raise TypeError("wrap_sync() was given a coroutine: await it first and use wrap()")
    if isinstance(stream, (str, bytes)):
        raise TypeError("wrap_sync() was given a whole text, not a stream: use check()")
    _check_response(stream, "wrap_sync() was given", "iter_bytes")
    if isinstance(stream, Mapping):
        raise TypeError(
            "wrap_sync() was given a mapping, not a stream: give it an iterator of chunks, "
            "or a list with this one"
        )
    if isinstance(stream, Iterable):
        return
    if isinstance(stream, AsyncIterable) or _has(stream, "__aenter__"):
        raise TypeError("wrap_sync() was given an async stream: use wrap()")
    if _has(stream, "__enter__"):
        raise TypeError(
            "wrap_sync() was given a context manager, not a stream: "
            "enter it first, 'with ... as stream', and wrap the stream"
        )
    if callable(stream):
        raise TypeError("wrap_sync() was given a function: call it, and wrap what it returns")
    raise TypeError(f"wrap_sync() needs an iterator, not {type(stream).__qualname__!r}")


def check_function(function: Any) -> None:
    """Raise for a function that cannot be called without arguments, or returns a plain iterator."""
    _check_response(function, "wrap() was given", "aiter_bytes")
    if inspect.isgeneratorfunction(function):
        raise TypeError(
            "wrap() was given a function of a plain iterator: use wrap_sync(), and call it"
        )
    try:
        inspect.signature(function).bind()
    except TypeError:
        raise TypeError(
            "wrap() was given a function that needs arguments: call it first, or give "
            "wrap(lambda: function(...)), which is called when the stream is read"
        ) from None
    except ValueError:
        return  # a built-in function may have no signature


def _check_response(stream: object, what: str, chunks: str) -> None:
    """Raise for a response or a whole answer, and name where its stream is."""
    given = type(stream).__qualname__
    if _has(stream, chunks):
        raise TypeError(f"{what} a {given!r}: give it its bytes, response.{chunks}()")
    if _has(stream, "body_iterator"):
        raise TypeError(f"{what} a {given!r}: guard its content first, and build it from that")
    opener = next((name for name in _OPENERS if _has(stream, name)), None)
    if opener:
        raise TypeError(f"{what} a {given!r}, not a stream: wrap what its {opener}() returns")
    if _has(stream, "model_fields_set"):
        raise TypeError(
            f"{what} one object, a {given!r}, not a stream: ask for a stream "
            "(stream=True), or guard its text with check()"
        )


_OPENERS = ("stream_events", "stream_text", "astream", "parse")
"""Methods that return a stream: of a run of OpenAI's agents, of a result of pydantic-ai, of what
LangChain can run, of a raw response of OpenAI's and Anthropic's clients."""


def _has(stream: object, name: str) -> bool:
    """Return whether an object or its class defines an attribute, without a call of `__getattr__`:
    CAMEL's streams read themselves to the end to answer it."""
    return inspect.getattr_static(stream, name, None) is not None or hasattr(stream.__class__, name)
