"""Response bodies as bytes: decompressed, decoded and guarded; no I/O."""

from __future__ import annotations

import codecs
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from io import BytesIO
from math import inf
from typing import Protocol

from guardstream.errors import GuardstreamError
from guardstream.events import FinishReason
from guardstream.framing.frames.frame import Media
from guardstream.http.charsets import AsUTF8, charset_of
from guardstream.http.media import kind_of, media_of
from guardstream.http.stream import WireGuard
from guardstream.serve.routes import Headers, Route, values

MAX_INFLATED = 4 * 1024 * 1024
"""Bytes that a body may always inflate to, whatever its compressed size."""

MAX_RATIO = 500.0
"""Further bytes for each compressed byte: zlib's maximum is 1,032; events of one letter reach
230."""

_SLICE = 1024
"""Compressed bytes that are inflated at once: to a megabyte at most."""

_PIECE = 32 * 1024
"""Bytes that are guarded at once; other tasks get a turn after each."""

_WINDOW = {"gzip": 31, "x-gzip": 31, "deflate": 15}
"""zlib's window sizes; adding 16 means gzip's header."""

_MARKS = {
    codecs.BOM_UTF8: set(),
    codecs.BOM_UTF16_LE: {"utf-16", "utf-16-le", "utf-32", "utf-32-le"},
    codecs.BOM_UTF16_BE: {"utf-16", "utf-16-be"},
}
"""Byte order marks, and their charsets."""

_GZIP = 16


class BodyError(GuardstreamError):
    """A body cannot be guarded: its encoding cannot be read, or it is too long.

    `code` is sent to a client that gets an error instead of the response.
    """

    def __init__(self, message: str, code: str = "unguardable_response") -> None:
        super().__init__(message)
        self.code = code


class Decoder(Protocol):
    """Bytes in, bytes out. BodyError is raised after the output before an error."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take the next bytes; yield their decoded form, in pieces."""
        ...

    def finish(self) -> Iterator[bytes]:
        """Take the end; yield the rest."""
        ...


class Reading:
    """Decodes a body to uncompressed UTF-8. `charset` is that of the body, if it is not UTF-8."""

    def __init__(self, decoders: Sequence[Decoder], charset: str | None) -> None:
        self._decoders = decoders
        self.charset = charset

    def feed(self, data: bytes) -> Iterable[bytes]:
        """Take the next bytes; yield their decoded form. BodyError after the output before an
        error."""
        pieces: Iterable[bytes] = [data]
        if len(data) > _PIECE:
            pieces = (data[at : at + _PIECE] for at in range(0, len(data), _PIECE))
        for decoder in self._decoders:
            pieces = _fed(decoder, pieces)
        return pieces

    def finish(self) -> Iterable[bytes]:
        """Take the end; yield the rest. Raises what `feed` does."""
        pieces: Iterable[bytes] = ()
        for decoder in self._decoders:
            pieces = _finished(decoder, pieces)
        return pieces


class Body:
    """Bytes in, frames that may go out; `ended` says why it ended, `error` which error ended it.

    Frames are yielded piece by piece, as they are requested, so that little of a compressed body is
    in memory at once. BodyError is raised after the frames before an error, in every chunking,
    unless these have ended the body.
    """

    def __init__(self, wire: WireGuard, reading: Reading, again: AsUTF8 | None = None) -> None:
        """`again` guards the output once more, if its charset is not UTF-8."""
        self._wire = wire
        self._reading = reading
        self._again = again
        self._feeding = False
        self._woken: list[bytes] = []  # frames that go out in their turn
        charset = reading.charset
        made = codecs.getincrementalencoder(charset) if charset is not None else None
        self._encode = made("replace").encode if made is not None else None

    @property
    def ended(self) -> FinishReason | None:
        again = self._again.ended if self._again is not None else None
        return self._wire.ended or again

    @property
    def blocked_by(self) -> str | None:
        return self._wire.blocked_by

    @property
    def format(self) -> str | None:
        """The name of the format, once it is known."""
        return self._wire.state.flow.format if self._wire.state.flow else None

    @property
    def error(self) -> Exception | None:
        return self._wire.error

    def feed(self, data: bytes) -> Iterator[list[bytes]]:
        """Take the next bytes. Also raises what `WireGuard.feed` does."""
        return self._guarded(self._reading.feed(data))

    def finish(self) -> Iterator[list[bytes]]:
        """Take the source's end. Raises what `feed` does."""
        yield from self._guarded(self._reading.finish())
        if self.ended is None:
            yield [*self._back(self._wire.finish()), *self._held_again()]

    def remaining(self) -> float | None:
        """Return the seconds until `wake` is due; None if nothing waits for it."""
        return self._wire.remaining()

    def wake(self) -> list[bytes]:
        """Take the time that has passed. While a message is taken, its next frames have the result.

        Raises what `feed` does.
        """
        frames = self._back(self._wire.wake())
        if not self._feeding:
            return frames
        self._woken += frames
        return []

    def close(self, reason: FinishReason = "cancelled") -> None:
        """End the body early."""
        self._wire.close(reason)

    def fail(self, error: Exception | None) -> None:
        """End the body because the application raised `error`, or left it unfinished."""
        if error is not None:
            self._wire.state.note_error(error)
        self._wire.close("error")

    def _guarded(self, pieces: Iterable[bytes]) -> Iterator[list[bytes]]:
        self._feeding = True
        for piece in pieces:
            frames = [*self._in_turn(), *self._back(self._wire.feed(piece))]
            if self.ended is not None:
                yield [*frames, *self._held_again()]
                break
            yield frames
        self._feeding = False
        if self._woken:
            yield self._in_turn()

    def _in_turn(self) -> list[bytes]:
        woken, self._woken = self._woken, []
        return woken

    def _back(self, frames: list[bytes]) -> list[bytes]:
        """Return frames in the body's charset; missing characters become question marks."""
        encode, again = self._encode, self._again
        if encode is None:
            return frames
        frames = [encode(frame.decode()) for frame in frames]
        if again is not None:
            frames = [again.feed(frame) for frame in frames]
        return [frame for frame in frames if frame]

    def _held_again(self) -> list[bytes]:
        return [self._again.finish()] if self._again is not None else []


def _fed(decoder: Decoder, pieces: Iterable[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        yield from decoder.feed(piece)


def _finished(decoder: Decoder, pieces: Iterable[bytes]) -> Iterator[bytes]:
    yield from _fed(decoder, pieces)
    yield from decoder.finish()


def encoded(body: bytes, charset: str | None) -> bytes:
    """Encode a text in UTF-8 to a charset; missing characters become question marks."""
    return body if charset is None else body.decode().encode(charset, "replace")


def decoded(body: bytes, charset: str) -> bytes:
    """Decode a text to UTF-8. BodyError if it is not in its charset."""
    try:
        return body.decode(charset).encode()
    except UnicodeError:
        raise BodyError(f"a body is not in its charset {charset!r}") from None


def open_body(
    route: Route,
    media: Media,
    headers: Headers,
    *,
    text: bool = True,
    last: Decoder | None = None,
) -> Body:
    """Return the guard of a body with these headers; BodyError if it cannot be read.

    It is decoded by its charset if its type is one of `text`, and then by `last`, if that is set.
    """
    assert route.guard is not None
    read = reading(route, headers, text=text, last=last)
    if read.charset is not None and media != "text":
        raise BodyError(f"JSON and events in the charset {read.charset!r} cannot be guarded")
    return Body(
        wire_of(route, media), read, AsUTF8(route.guard) if read.charset is not None else None
    )


def wire_of(route: Route, media: Media) -> WireGuard:
    """Return the guard of a route's bodies in this framing."""
    assert route.guard is not None
    return WireGuard(
        route.guard,
        media=media,
        format=route.format,
        unknown=route.unknown,
        keep_text=False,  # unused, and a connection may be long-lived
        has_timer=True,
    )


def reading(
    route: Route, headers: Headers, *, text: bool = True, last: Decoder | None = None
) -> Reading:
    """Return the Reading of a body with these headers; a `text` is decoded by its charset.

    BodyError if it cannot be read.
    """
    decoders: list[Decoder] = []
    encodings = _encodings(headers)
    for encoding in encodings:
        if encoding not in _WINDOW or not route.decompress or len(encodings) > 1:
            hint = "" if route.decompress else ": compress outside of the guard, or set decompress"
            named = ", ".join(encodings)
            raise BodyError(f"a body with content-encoding {named!r} cannot be guarded{hint}")
        decoders.append(Inflating(_WINDOW[encoding]))
    content_type = "".join(values(headers, b"content-type")[:1])
    is_json = kind_of(media_of(content_type)) == "json"  # its first bytes say its charset
    charset = _charset(headers) if text and not is_json else None
    if charset is not None:
        decoders.append(Transcoding(charset))
    if last is not None:
        decoders.append(last)
    return Reading(decoders, charset)


class Inflating:
    """Inflates bytes with a zlib `window`. A gzip may have several members (RFC 1952, 2.2).

    A body that inflates to more than MAX_INFLATED bytes plus `ratio` times its compressed bytes is
    taken for an attack; without a `ratio`, any size is allowed. This is checked at each compressed
    byte, so that the result does not depend on the chunking.
    """

    def __init__(self, window: int, ratio: float | None = MAX_RATIO) -> None:
        self._window = window
        self._ratio = ratio
        self._zlib = zlib.decompressobj(window)
        self._read = self._given = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take the next bytes; yield their inflated form."""
        for at in range(0, len(data), _SLICE):
            plain, fault = self._inflated(data[at : at + _SLICE])
            for start in range(0, len(plain), _PIECE):
                yield plain[start : start + _PIECE]
            if fault is not None:
                raise fault

    def finish(self) -> Iterator[bytes]:
        """Take the end; BodyError if the body is incomplete."""
        if not self._zlib.eof:
            raise BodyError("a compressed body is cut off")
        return iter(())

    def _inflated(self, data: bytes) -> tuple[bytes, BodyError | None]:
        """Return the inflated bytes, and the error after them."""
        before = self._zlib.copy(), self._read, self._given
        try:
            return self._step(data), None
        except BodyError:
            self._zlib, self._read, self._given = before
        plain = BytesIO()
        for at in range(len(data)):
            try:
                plain.write(self._step(data[at : at + 1]))
            except BodyError as error:
                return plain.getvalue(), error
        return plain.getvalue(), None

    def _step(self, data: bytes) -> bytes:
        most = inf if self._ratio is None else MAX_INFLATED + self._ratio * self._read
        self._read += len(data)
        plain = b""
        while data:
            if self._zlib.eof:
                self._begin_member()
            try:
                plain += self._zlib.decompress(data)
            except zlib.error:
                why = "a compressed body is damaged, or something else follows it"
                raise BodyError(why) from None
            data = self._zlib.unused_data
        self._given += len(plain)
        if self._given > most:
            raise BodyError(
                f"a compressed body inflates to more than {MAX_INFLATED} bytes, and "
                f"{self._ratio:g} times its size"
            )
        return plain

    def _begin_member(self) -> None:
        if self._window < _GZIP:
            raise BodyError("more bytes after the end of a compressed body")
        self._zlib = zlib.decompressobj(self._window)


class Transcoding:
    """Converts a text in another charset to UTF-8.

    Some readers trust a byte order mark over the named charset: BodyError if they contradict.
    """

    def __init__(self, charset: str) -> None:
        self._charset = charset
        self._decoder = codecs.getincrementaldecoder(charset)()
        self._start: bytes | None = b""  # until it is known whether it is a mark

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take the next bytes; yield them in UTF-8."""
        return self._read(data, final=False)

    def finish(self) -> Iterator[bytes]:
        """Take the end; BodyError if it is inside a character."""
        return self._read(b"", final=True)

    def _read(self, data: bytes, *, final: bool) -> Iterator[bytes]:
        if self._start is not None:
            data = self._start = self._start + data
            begun = any(mark.startswith(data) and mark != data for mark in _MARKS)
            if begun and not final:
                return
            self._start = None
            self._check_mark(data)
        before = self._decoder.getstate()
        try:
            text = self._decoder.decode(data, final).encode()
        except UnicodeError:
            self._decoder.setstate(before)
            yield self._before_fault(data)
            raise BodyError(f"a body is not in its charset {self._charset!r}") from None
        if text:
            yield text

    def _check_mark(self, start: bytes) -> None:
        name = codecs.lookup(self._charset).name
        for mark, charsets in _MARKS.items():
            if start.startswith(mark) and name not in charsets:
                why = f"a body in the charset {self._charset!r} has a byte order mark of another"
                raise BodyError(why)

    def _before_fault(self, data: bytes) -> bytes:
        read = BytesIO()
        with suppress(UnicodeError):
            for at in range(len(data)):
                read.write(self._decoder.decode(data[at : at + 1]).encode())
        return read.getvalue()


def known_charset(headers: Headers) -> str | None:
    """Return the charset that a body names; None for UTF-8 and for unknown ones."""
    try:
        return _charset(headers)
    except BodyError:
        return None


def _encodings(headers: Headers) -> list[str]:
    """Return the content encodings, the outermost last."""
    named = ",".join(values(headers, b"content-encoding")).lower().split(",")
    return [name.strip() for name in named if name.strip() not in ("", "identity")]


def _charset(headers: Headers) -> str | None:
    """Return the charset of a text; None for UTF-8 and its subset ASCII."""
    content_type = "".join(values(headers, b"content-type")[:1])
    try:
        return charset_of(content_type)
    except (LookupError, ValueError):
        why = f"a body in the unknown charset of {content_type!r} cannot be guarded"
        raise BodyError(why) from None
