"""Adapts the objects of httpx, and of packages like it, such as httpx2.

None of these packages is imported: the classes are those of the incoming requests and responses.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable, Iterator
from functools import cache
from typing import Any

from guardstream.errors import AdapterError, BlockedError
from guardstream.events import is_refused
from guardstream.http.bodies import begins_as_text
from guardstream.http.sniffing import Sniffer

_CODINGS = frozenset({"br", "compress", "dcb", "dcz", "deflate", "exi", "gzip", "pack200-gzip"})
_CODINGS |= {"aes128gcm", "x-compress", "x-gzip", "zstd"}
"""The registered content codings: RFC 9110, section 8.4.1."""

_PLAIN = b"plain"
"""Bytes in none of these codings."""


def still_encoded(response: Any) -> str:
    """Return the content codings of an answer that its client does not undo; "" if there are none.

    Which ones it undoes depends on the packages that are installed.
    """
    encodings = response.headers.get("content-encoding", "")
    codings = [each.strip().lower() for each in encodings.split(",")]
    kind: Any = type(response)
    return ", ".join(each for each in codings if each in _CODINGS and not _undoes(kind, each))


@cache
def _undoes(response: Callable[..., Any], coding: str) -> bool:
    """Return whether responses of a class undo a coding: then bytes without it fail or change."""
    try:
        read: bytes = response(200, headers={"content-encoding": coding}, content=_PLAIN).content
    except Exception:
        return True
    return read != _PLAIN


def class_beside(request: Any, name: str) -> Any:
    """Return the class `name` from the package of a request's class."""
    for base in type(request).__mro__:
        package = sys.modules.get(base.__module__.partition(".")[0])
        found = getattr(package, name, None)
        if found is not None:
            return found
    kind = f"{type(request).__module__}.{type(request).__qualname__}"
    raise AdapterError(f"no {name!r} beside {kind!r}: give the transport to put the guard around")


class AsyncSource:
    """A response's bytes; closing it closes the connection."""

    def __init__(self, response: Any) -> None:
        self._response = response
        self._parts: AsyncIterator[bytes] = response.aiter_bytes()
        self._begun = b""  # what was read of it, which comes first

    async def begin(self, media: str) -> str:
        """Read the beginning; return the media type by which to guard the body."""
        sniffer = Sniffer(media)
        detected = sniffer.feed(self._begun) if self._begun else None
        while detected is None:
            part = await anext(self._parts, None)
            detected = sniffer.finish() if part is None else sniffer.feed(part)
        self._begun = bytes(sniffer.read)
        return detected

    async def begins_as_text(self) -> bool:
        """Read the beginning; return whether it is that of a text."""
        is_text = None
        while is_text is None:
            part = await anext(self._parts, None)
            self._begun += part or b""
            is_text = begins_as_text(self._begun, ended=part is None)
        return is_text

    async def read(self) -> bytes:
        """Read the whole body."""
        return b"".join([part async for part in self])

    async def __aiter__(self) -> AsyncIterator[bytes]:
        begun, self._begun = self._begun, b""
        if begun:
            yield begun
        async for part in self._parts:
            yield part

    async def aclose(self) -> None:
        await self._response.aclose()


class SyncSource:
    """The same for a synchronous response."""

    def __init__(self, response: Any) -> None:
        self._response = response
        self._parts: Iterator[bytes] = response.iter_bytes()
        self._begun = b""

    def begin(self, media: str) -> str:
        """Read the beginning; return the media type by which to guard the body."""
        sniffer = Sniffer(media)
        detected = sniffer.feed(self._begun) if self._begun else None
        while detected is None:
            part = next(self._parts, None)
            detected = sniffer.finish() if part is None else sniffer.feed(part)
        self._begun = bytes(sniffer.read)
        return detected

    def begins_as_text(self) -> bool:
        """Read the beginning; return whether it is that of a text."""
        is_text = None
        while is_text is None:
            part = next(self._parts, None)
            self._begun += part or b""
            is_text = begins_as_text(self._begun, ended=part is None)
        return is_text

    def read(self) -> bytes:
        """Read the whole body."""
        return b"".join(self)

    def __iter__(self) -> Iterator[bytes]:
        begun, self._begun = self._begun, b""
        if begun:
            yield begun
        yield from self._parts

    def close(self) -> None:
        self._response.close()


def async_body(response: Any, stream: Any, *, raises: bool) -> Any:
    """Return a guarded stream as a body for the package of `response`.

    With `raises`, a blocked stream raises BlockedError after its last bytes, for clients that do
    not raise the error in them.
    """
    made = _async_body_class(_base(response, "AsyncByteStream"))  # type: ignore[arg-type]
    return made(stream, raises=raises)


def sync_body(response: Any, stream: Any, *, raises: bool) -> Any:
    """Return the same for a synchronous stream."""
    made = _sync_body_class(_base(response, "SyncByteStream"))  # type: ignore[arg-type]
    return made(stream, raises=raises)


def whole_body(response: Any, body: bytes) -> Any:
    """Return bytes as a body for the package of `response`, for both kinds of clients.

    A response that is given its content is not read by its client: it has no `elapsed`, and its raw
    bytes cannot be iterated.
    """
    bases = [class_beside(response, name) for name in ("AsyncByteStream", "SyncByteStream")]
    return _whole_body_class(*bases)(body)


def _check_passed(stream: Any) -> None:
    if is_refused(stream.finish, stream.blocked_by):
        raise BlockedError(stream.blocked_by or "content_filter", result=stream.result)


def _base(response: Any, name: str) -> type[Any]:
    """Return the class of bodies in the package of a response."""
    return next(base for base in type(response.stream).__mro__ if base.__name__ == name)


@cache
def _async_body_class(base: type[Any]) -> type[Any]:
    class AsyncBody(base):  # type: ignore[misc]
        def __init__(self, stream: Any, *, raises: bool) -> None:
            self._stream = stream
            self._raises = raises

        async def __aiter__(self) -> AsyncIterator[bytes]:
            async for frame in self._stream:
                yield frame
            if self._raises:
                _check_passed(self._stream)

        async def aclose(self) -> None:
            await self._stream.aclose()

    return AsyncBody


@cache
def _sync_body_class(base: type[Any]) -> type[Any]:
    class SyncBody(base):  # type: ignore[misc]
        def __init__(self, stream: Any, *, raises: bool) -> None:
            self._stream = stream
            self._raises = raises

        def __iter__(self) -> Iterator[bytes]:
            yield from self._stream
            if self._raises:
                _check_passed(self._stream)

        def close(self) -> None:
            self._stream.close()

    return SyncBody


@cache
def _whole_body_class(*bases: type[Any]) -> type[Any]:
    class WholeBody(*bases):  # type: ignore[misc]
        def __init__(self, body: bytes) -> None:
            self._body = body

        def __iter__(self) -> Iterator[bytes]:
            if self._body:
                yield self._body

        async def __aiter__(self) -> AsyncIterator[bytes]:
            if self._body:
                yield self._body

    return WholeBody
