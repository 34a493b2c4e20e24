"""Response bodies as bytes: decompressed, in another charset, guarded; no I/O."""

from __future__ import annotations

import codecs
import zlib
from email.message import Message
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
    """A body around another one, which knows how it goes."""

    def __init__(self, body: Body) -> None:
        self._body = body

    @property
    def ended(self) -> FinishReason | None:
        return self._body.ended

    @property
    def error(self) -> Exception | None:
        return self._body.error

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
        try:
            plain = self._zlib.decompress(data, MAX_INFLATED)
        except zlib.error:
            raise BodyError("a compressed body is damaged") from None
        if self._zlib.unconsumed_tail:
            raise BodyError(f"a message decompresses to more than {MAX_INFLATED} bytes")
        if self._zlib.unused_data:
            raise BodyError("more bytes after the end of a compressed body")
        return self._body.feed(plain)

    def finish(self) -> list[bytes]:
        if not self._zlib.eof:
            raise BodyError("a compressed body is cut off")
        return self._body.finish()


class Transcoded(_Around):
    """A text in another charset than UTF-8, and back into it.

    What the charset does not have, in a replacement, becomes a question mark.
    """

    def __init__(self, body: Body, charset: str) -> None:
        super().__init__(body)
        self._charset = charset
        self._decode = codecs.getincrementaldecoder(charset)().decode
        self._encode = codecs.getincrementalencoder(charset)("replace").encode

    def feed(self, data: bytes) -> list[bytes]:
        return self._back(self._body.feed(self._text(data, final=False).encode()))

    def finish(self) -> list[bytes]:
        rest = self._text(b"", final=True).encode()
        frames = self._body.feed(rest) if rest else []
        return self._back(frames if self.ended else frames + self._body.finish())

    def _text(self, data: bytes, *, final: bool) -> str:
        try:
            return self._decode(data, final)
        except UnicodeError:
            raise BodyError(f"a body is not in its charset {self._charset!r}") from None

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
