"""Decides how responses that are not known streams are handled; no I/O.

A text is guarded as it streams, unless its headers give its length. Then, like JSON always, it is
read to its end first, and keeps its headers if nothing is found. Other bodies pass if their type is
that of a file, and are refused otherwise.
"""

from __future__ import annotations

from codecs import getincrementaldecoder
from collections.abc import Iterator
from io import BytesIO
from json import detect_encoding
from typing import Literal, TypeAlias

from guardstream.framing.frames.frame import Media
from guardstream.http.bodies import (
    BINARY,
    SIGN,
    begins_as_text,
    begins_with_json,
    text_of,
    text_so_far,
)
from guardstream.http.charsets import charset_of_json
from guardstream.http.headers import in_utf8
from guardstream.http.media import AMAZON, EVENTS, PARTS
from guardstream.http.sniffing import WHOLE, Sniffer
from guardstream.serve.bodies import BodyError, Reading, decoded, reading
from guardstream.serve.declared import declared
from guardstream.serve.routes import Headers, Route, values
from guardstream.serve.whole_body import WholeBody

Handling: TypeAlias = Media | Literal["pass", "whole"]
"""How a body is handled: guarded as a stream or whole, or passed on."""

_PDF = b"%PDF-"

_PASS = "give its path a route without a guard"
_OR_PASS = f", or {_PASS}"

PART = f"a part of a body cannot be guarded: do not answer ranges{_OR_PASS}"


class BodyClassifier:
    """Classifies one body, which `feed` takes piece by piece.

    `raw` is what has arrived, `media` its media type, `is_text` whether that is a type of text.
    With `part`, the body is only part of one: it passes if it is not text, and is refused
    otherwise. With `text`, the body would have been streamed if its length were unknown: if a rule
    blocks it, the text before the match goes out.
    """

    def __init__(
        self,
        route: Route,
        headers: Headers,
        media: str,
        *,
        part: bool = False,
        text: bool = False,
    ) -> None:
        """Raise BodyError if a body with these headers cannot be guarded."""
        declaration = declared(route, headers, media, text=text)
        if media.startswith(PARTS):
            raise BodyError(f"a body in parts, {media!r}, cannot be guarded: {_PASS}")
        if part and not declaration.is_unspecified:
            raise BodyError(PART)
        self._reading: Reading = reading(
            route, headers, text=declaration.is_text or declaration.is_json
        )
        if declaration.kind == "amazon" and not in_utf8("".join(values(headers, b"content-type"))):
            raise BodyError("events that are not in UTF-8 cannot be guarded")
        self.raw = BytesIO()
        self._declared = declaration
        self._route = route
        self._part = part
        self._may_end_early = text
        self._plain = BytesIO()
        self._fault: BodyError | None = None
        self._detected: str | None = None
        self._sniffer = Sniffer(declaration.media_of_text) if declaration.may_be_another else None
        self._is_file: bool | None = None if declaration.is_unspecified else False
        if declaration.is_json and declaration.fits is False:
            raise self._too_long()

    @property
    def media(self) -> str:
        """The media type that the headers name."""
        return self._declared.media

    @property
    def is_text(self) -> bool:
        """Whether the headers announce a text."""
        return self._declared.is_text

    @property
    def waits(self) -> bool:
        """Whether the body is read to its end first, as far as is known."""
        return bool(self._declared.fits) or self._declared.is_json or self._detected == WHOLE

    @property
    def streams(self) -> bool:
        """Whether the body is guarded as it streams, once it is known to be text."""
        return (
            not self._declared.fits and self._detected is not None and self._framing() is not None
        )

    def feed(self, data: bytes, *, last: bool) -> Handling | None:
        """Take the next bytes; return how the body is handled, or None while that is undecided.

        Raises BodyError for a body that cannot be guarded.
        """
        self.raw.write(data)
        self._read(data, last=last)
        ended = last or self._fault is not None
        if self._is_file is None and self._declared.kind == "media" and self._fault is None:
            is_text = begins_as_text(bytes(self._plain.getbuffer()[:SIGN]), ended=ended)
            self._is_file = None if is_text is None else not is_text
        if self._is_file is None and (ended or self._plain.tell() >= SIGN):
            whole = ended and self._plain.tell() <= SIGN
            self._is_file = self._a_file(bytes(self._plain.getbuffer()[:SIGN]), whole=whole)
        if self._is_file is None:
            return None
        if self._is_file and self._fault is None:
            return "pass"
        if self._part:
            raise BodyError(PART)
        too_long = self._plain.tell() > self._route.max_answer
        if not self._declared.fits and not self._is_file:
            self._detect(ended=ended)
            framing = self._framing()
            is_whole = last and self._fault is None and not too_long
            if framing is not None and not (framing == "text" and is_whole):
                return framing
        if self._fault is not None:
            raise self._fault
        if too_long:
            raise self._too_long()
        return self._at_its_end() if last else None

    def whole(self) -> WholeBody:
        """Return the complete body, to be guarded."""
        assert self._route.guard is not None
        plain, charset = self._plain.getvalue(), self._reading.charset
        if self._declared.kind == "json":
            charset = charset_of_json(plain, self._declared.charset)
            plain = plain if charset is None else decoded(plain, charset)
        return WholeBody(
            self._route.guard,
            self._declared,
            plain,
            charset,
            may_end_early=self._may_end_early,
        )

    def _at_its_end(self) -> Handling:
        """Return how a complete body is handled: it may turn out not to be text."""
        if self._declared.is_unspecified and self._declared.fits:
            plain = self._plain.getvalue()
            if text_of(plain) is None and self._a_file(plain, whole=True):
                return "pass"
        return "whole"

    def _read(self, data: bytes, *, last: bool) -> None:
        """Decode bytes as the headers say; an error counts only after the bytes before it."""
        most = self._route.max_answer + 1
        try:
            for piece in _pieces(self._reading, data, last=last):
                self._plain.write(piece)
                if self._plain.tell() > most:
                    return  # too long, the rest is not needed
        except BodyError as error:
            self._fault = error

    def _detect(self, *, ended: bool) -> None:
        """Detect what the body is by its beginning."""
        if self._detected is not None:
            return
        if self._sniffer is None:
            self._detected = self.media
            return
        new = bytes(self._plain.getbuffer()[len(self._sniffer.read) :])
        self._detected = self._sniffer.feed(new)
        if self._detected is None and ended:
            self._detected = self._sniffer.finish()

    def _framing(self) -> Media | None:
        """Return how a streamed body is guarded; None if it is read to its end first."""
        if self._detected == EVENTS:
            return "sse"
        if self._detected == AMAZON:
            return "event_stream"
        return "text" if self._detected and not self._declared.is_json else None

    def _a_file(self, data: bytes, *, whole: bool) -> bool:
        """Return whether bytes are a file that passes; False for a text, BodyError for neither."""
        may_be_pdf = self._declared.kind == "unspecified" or self.media == "application/pdf"
        if data.startswith(_PDF) and may_be_pdf:
            return True  # although much of it may be text
        if (text_of(data) if whole else text_so_far(data)) is not None:
            return False
        if self._passes(data):
            return True
        raise BodyError(
            f"a body of the type {self.media!r} that is not text in UTF-8 cannot be guarded: name "
            f"a text's charset, or the type in 'file_types' if it may pass{_OR_PASS}"
        )

    def _passes(self, data: bytes) -> bool:
        """Return whether bytes that are not UTF-8 text pass as a file."""
        if self.media in self._route.file_types or self._declared.kind == "media":
            return True
        if BINARY.isdisjoint(data) or _may_be_text(data, self._declared.charset):
            return False
        return self._declared.is_of_files or self._declared.kind == "unspecified"

    def _too_long(self) -> BodyError:
        return BodyError(
            f"a body of more than {self._route.max_answer} bytes cannot be guarded whole: raise "
            f"'max_answer' (in a policy: serve.limits.answer), name a text in 'text_types' so "
            f"that it streams{_OR_PASS}"
        )


def _pieces(body: Reading, data: bytes, *, last: bool) -> Iterator[bytes]:
    yield from body.feed(data)
    if last:
        yield from body.finish()


def _may_be_text(data: bytes, charset: str | None) -> bool:
    """Return whether some clients may read bytes as text although they are not UTF-8: as UTF-16 or
    UTF-32, in the named charset, or as the JSON that they begin with."""
    if charset is not None and _is_text_in(charset, data):
        return True
    named = detect_encoding(data)
    if not named.startswith("utf-8"):
        return _is_text_in(named, data)
    return begins_with_json(data)


def _is_text_in(charset: str, data: bytes) -> bool:
    """Return whether bytes are text in a charset; the last character may be cut."""
    try:
        text = getincrementaldecoder(charset)().decode(data)
    except UnicodeError:
        return False
    return BINARY.isdisjoint(map(ord, text))
