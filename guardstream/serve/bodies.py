"""Response bodies as bytes: decompressed, in another charset, guarded; no I/O."""

from __future__ import annotations

import codecs
import zlib
from contextlib import suppress
from email.message import Message
from io import BytesIO
from typing import Protocol

from guardstream.errors import GuardstreamError
from guardstream.events import FinishReason
from guardstream.framing.frames import Media
from guardstream.http.stream import WireGuard
from guardstream.serve.routes import Headers, Route, values

MAX_INFLATED = 8 * 1024 * 1024
"""Bytes that one message may decompress to."""

_WINDOW = {"gzip": 31, "x-gzip": 31, "deflate": 15}
"""zlib's window sizes; 16 more mean gzip's header."""


class BodyError(GuardstreamError):
    """A body is in an encoding that cannot be read, or is not in the one that it names."""


class Body(Protocol):
    """Bytes in, frames that may go out; `ended` says why it ended, `error` what fault ended it."""

    @property
    def ended(self) -> FinishReason | None: ...

    @property
    def error(self) -> Exception | None: ...

    def feed(self, data: bytes) -> list[bytes]:
        """Take the next bytes."""
        ...

    def finish(self) -> list[bytes]:
        """Take the source's end."""
        ...

    def remaining(self) -> float | None:
        """Return the seconds until the policy's next deadline; None if it has none."""
        ...

    def close(self, reason: FinishReason = "cancelled") -> None:
        """End the body where it is."""
        ...


class Inflating(Protocol):
    """What zlib keeps of a compressed body on its way."""

    @property
    def unconsumed_tail(self) -> bytes: ...

    def copy(self) -> Inflating: ...

    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


def open_body(route: Route, media: Media, headers: Headers) -> Body:
    """Return the guard of a body with these headers; BodyError if it cannot be read."""
    assert route.guard is not None
    body: Body = WireGuard(route.guard, media=media, provider=route.provider, unknown=route.unknown)
    charset = _charset(headers)
    if charset is not None:
        if media != "text":
            raise BodyError(f"JSON and events in the charset {charset!r} cannot be guarded")
        body = Transcoded(body, charset)
    for encoding in _encodings(headers):
        if encoding not in _WINDOW or not route.decompress:
            hint = "" if route.decompress else ": compress outside of the guard, or set decompress"
            raise BodyError(f"a body with content-encoding {encoding!r} cannot be guarded{hint}")
        body = Inflated(body, _WINDOW[encoding])
    return body


class _Around:
    """A body around another one, which knows how it goes, but for a fault in what is around it.

    What stands before a fault is good, wherever the bytes were cut.
    """

    def __init__(self, body: Body) -> None:
        self._body = body
        self._fault: BodyError | None = None

    @property
    def ended(self) -> FinishReason | None:
        return "content_filter" if self._fault is not None else self._body.ended

    @property
    def error(self) -> Exception | None:
        return self._fault or self._body.error

    def _fed(self, data: bytes, fault: BodyError | None) -> list[bytes]:
        """Pass on what stands before a fault, if there is one: it counts unless that is the end."""
        frames = self._body.feed(data)
        if self._body.ended is None:
            self._fault = fault
        return frames

    def remaining(self) -> float | None:
        return self._body.remaining()

    def close(self, reason: FinishReason = "cancelled") -> None:
        self._body.close(reason)


class Inflated(_Around):
    """A compressed body; what comes out is not compressed."""

    def __init__(self, body: Body, window: int) -> None:
        super().__init__(body)
        self._zlib = zlib.decompressobj(window)

    def feed(self, data: bytes) -> list[bytes]:
        before = self._zlib.copy()
        try:
            plain = self._zlib.decompress(data, MAX_INFLATED)
        except zlib.error:
            plain = before_fault(before, data, MAX_INFLATED)
            return self._fed(plain, BodyError("a compressed body is damaged"))
        if self._zlib.unconsumed_tail:
            raise BodyError(f"a message decompresses to more than {MAX_INFLATED} bytes")
        more = bool(self._zlib.unused_data)
        fault = BodyError("more bytes after the end of a compressed body") if more else None
        return self._fed(plain, fault)

    def finish(self) -> list[bytes]:
        if not self._zlib.eof:
            raise BodyError("a compressed body is cut off")
        return self._body.finish()


def before_fault(state: Inflating, data: bytes, most: int) -> bytes:
    """Return what damaged bytes inflate to before the fault, up to `most` bytes of it; `state` is
    the one before them."""
    plain = b""
    while data and len(plain) < most:
        trial, size = state.copy(), (len(data) + 1) // 2
        try:
            plain += trial.decompress(data[:size], most - len(plain))
        except zlib.error:
            data = data[:size] if size < len(data) else b""
        else:
            state, data = trial, trial.unconsumed_tail + data[size:]
    return plain


class Transcoded(_Around):
    """A text in another charset than UTF-8, and back into it.

    What the charset does not have, in a replacement, becomes a question mark.
    """

    def __init__(self, body: Body, charset: str) -> None:
        super().__init__(body)
        self._charset = charset
        self._decoder = codecs.getincrementaldecoder(charset)()
        self._encode = codecs.getincrementalencoder(charset)("replace").encode

    def feed(self, data: bytes) -> list[bytes]:
        return self._read(data, final=False)

    def finish(self) -> list[bytes]:
        frames = self._read(b"", final=True)
        return frames if self.ended else frames + self._back(self._body.finish())

    def _read(self, data: bytes, *, final: bool) -> list[bytes]:
        before, fault = self._decoder.getstate(), None
        try:
            text = self._decoder.decode(data, final).encode()
        except UnicodeError:
            self._decoder.setstate(before)
            text = self._before_fault(data)
            fault = BodyError(f"a body is not in its charset {self._charset!r}")
        return self._back(self._fed(text, fault)) if text or fault else []

    def _before_fault(self, data: bytes) -> bytes:
        read = BytesIO()
        with suppress(UnicodeError):
            for at in range(len(data)):
                read.write(self._decoder.decode(data[at : at + 1]).encode())
        return read.getvalue()

    def _back(self, frames: list[bytes]) -> list[bytes]:
        return [self._encode(frame.decode()) for frame in frames]


def _encodings(headers: Headers) -> list[str]:
    """Return the content encodings, the outermost last."""
    named = ",".join(values(headers, b"content-encoding")).lower().split(",")
    return [name.strip() for name in named if name.strip() not in ("", "identity")]


def _charset(headers: Headers) -> str | None:
    """Return the charset of a text; None for UTF-8 and its subset ASCII."""
    message = Message()
    message["content-type"] = "".join(values(headers, b"content-type")[:1])
    named = message.get_param("charset")
    charset = named if isinstance(named, str) else "utf-8"
    try:
        "a".encode(charset)  # refuses the codecs that are not of text
        codecs.getincrementaldecoder(charset), codecs.getincrementalencoder(charset)
        return None if codecs.lookup(charset).name in ("utf-8", "ascii") else charset
    except (LookupError, UnicodeError):
        raise BodyError(f"a body in the unknown charset {charset!r} cannot be guarded") from None
