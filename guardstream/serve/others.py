"""Responses that are no known stream, until it is told what becomes of them; no I/O.

A text goes through the guard as it comes, unless its headers say how long it is: then, as JSON does
always, it waits for its end, and keeps its headers if nothing is found. What is not text passes, if
it is of a type that is a file, and is refused otherwise.
"""

from __future__ import annotations

from codecs import getincrementaldecoder
from collections.abc import Iterator
from io import BytesIO
from json import detect_encoding
from typing import Literal, TypeAlias

from guardstream.framing.frames import Media
from guardstream.http.beginnings import WHOLE, Beginning
from guardstream.http.bodies import BINARY, SIGN, begins_with_json, text_of
from guardstream.http.headers import in_utf8
from guardstream.http.media import AMAZON, EVENTS, PARTS
from guardstream.serve.announced import announced
from guardstream.serve.bodies import BodyError, Reading, reading
from guardstream.serve.routes import Headers, Route, values
from guardstream.serve.whole_body import WholeBody

Way: TypeAlias = Media | Literal["pass", "whole"]
"""What becomes of a body: it is guarded as a stream, or whole, or it passes."""

_PDF = b"%PDF-"

_OR_PASS = ", or give its path a route without a guard"

PART = f"a part of a body cannot be guarded: do not answer ranges{_OR_PASS}"


class Undecided:
    """One body, until it is told what becomes of it. `feed` takes it piece by piece.

    `raw` is what has come, `media` its media type, `is_text` whether that is of a text. With `part`
    it is a part of a body, which passes if it is not text, or is refused. With `text` it would
    stream if nobody knew how long it is: if a rule blocks it, what stands before that goes out.
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
        """BodyError if no body with these headers can be guarded."""
        said = announced(route, headers, media, text=text)
        if media.startswith(PARTS):
            raise BodyError(f"a body in parts, {media!r}, cannot be guarded{_OR_PASS}")
        if part and not said.is_untold:
            raise BodyError(PART)
        self._reading: Reading = reading(route, headers, text=said.is_text or said.is_json)
        if said.kind == "amazon" and not in_utf8("".join(values(headers, b"content-type"))):
            raise BodyError("events that are not in UTF-8 cannot be guarded")
        self.raw = BytesIO()
        self._announced = said
        self._route = route
        self._part = part
        self._may_end_early = text
        self._plain = BytesIO()
        self._fault: BodyError | None = None
        self._told: str | None = None
        self._beginning = Beginning(said.media_of_text) if said.may_be_another else None
        self._is_file: bool | None = None if said.is_untold else False
        if said.is_json and said.fits is False:
            raise self._too_long()

    @property
    def media(self) -> str:
        """The media type that the headers name."""
        return self._announced.media

    @property
    def is_text(self) -> bool:
        """Whether the headers announce a text."""
        return self._announced.is_text

    @property
    def waits(self) -> bool:
        """Whether it waits for its end, as far as is known."""
        return bool(self._announced.fits) or self._announced.is_json or self._told == WHOLE

    @property
    def streams(self) -> bool:
        """Whether it is guarded as it comes, once it is told that it is a text."""
        return not self._announced.fits and self._told is not None and self._framing() is not None

    def feed(self, data: bytes, *, last: bool) -> Way | None:
        """Take the next bytes; return what becomes of the body, None if that is yet to be told.

        BodyError for a body that cannot be guarded.
        """
        self.raw.write(data)
        self._read(data, last=last)
        ended = last or self._fault is not None
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
        if not self._announced.fits and not self._is_file:
            self._tell(ended=ended)
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
        """Return the body, which has come whole, to be guarded."""
        assert self._route.guard is not None
        return WholeBody(
            self._route.guard,
            self._announced,
            self._plain.getvalue(),
            self._reading.charset,
            may_end_early=self._may_end_early,
        )

    def _at_its_end(self) -> Way:
        """Return what becomes of a body that has come whole: it may be no text after all."""
        if self._announced.is_untold and self._announced.fits:
            plain = self._plain.getvalue()
            if text_of(plain) is None and self._a_file(plain, whole=True):
                return "pass"
        return "whole"

    def _read(self, data: bytes, *, last: bool) -> None:
        """Read bytes as the headers say; a fault counts after what stands before it."""
        most = self._route.max_answer + 1
        try:
            for piece in _pieces(self._reading, data, last=last):
                self._plain.write(piece)
                if self._plain.tell() > most:
                    return  # all that is asked for is that it is too long
        except BodyError as error:
            self._fault = error

    def _tell(self, *, ended: bool) -> None:
        """Tell by how it begins what the body is."""
        if self._told is not None:
            return
        if self._beginning is None:
            self._told = self.media
            return
        new = bytes(self._plain.getbuffer()[len(self._beginning.read) :])
        self._told = self._beginning.feed(new)
        if self._told is None and ended:
            self._told = self._beginning.finish()

    def _framing(self) -> Media | None:
        """Return how a body is guarded that comes bit by bit; None if it waits for its end."""
        if self._told == EVENTS:
            return "sse"
        if self._told == AMAZON:
            return "event_stream"
        return "text" if self._told and not self._announced.is_json else None

    def _a_file(self, data: bytes, *, whole: bool) -> bool:
        """Tell whether bytes are a file that passes; BodyError for neither that nor a text."""
        may_be_pdf = self._announced.kind == "untold" or self.media == "application/pdf"
        if data.startswith(_PDF) and may_be_pdf:
            return True  # though much of it may be a text
        if (text_of(data) if whole else _text_so_far(data)) is not None:
            return False
        if self._passes(data):
            return True
        raise BodyError(
            f"a body of the type {self.media!r} that is not text in UTF-8 cannot be guarded: name "
            f"a text's charset, or the type in 'file_types' if it may pass{_OR_PASS}"
        )

    def _passes(self, data: bytes) -> bool:
        """Tell whether bytes that are no text in UTF-8 pass, as a file does."""
        if self.media in self._route.file_types:
            return True
        if BINARY.isdisjoint(data) or _may_be_text(data, self._announced.charset):
            return False
        return self._announced.is_of_files or self._announced.kind == "untold"

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


def _text_so_far(data: bytes) -> str | None:
    """Return the text that bytes begin, of which a last character may be cut."""
    for end in range(len(data), max(len(data) - 4, 0), -1):
        text = text_of(data[:end])
        if text is not None:
            return text
    return None


def _may_be_text(data: bytes, charset: str | None) -> bool:
    """Tell whether some readers take bytes for a text that are none in UTF-8: for one in UTF-16 or
    UTF-32, in the charset that is named, or for the JSON that they begin with."""
    if charset is not None and _is_text_in(charset, data):
        return True
    named = detect_encoding(data)
    if not named.startswith("utf-8"):
        return _is_text_in(named, data)
    return begins_with_json(data)


def _is_text_in(charset: str, data: bytes) -> bool:
    """Tell whether bytes begin a text in a charset; a last character may be cut."""
    try:
        text = getincrementaldecoder(charset)().decode(data)
    except UnicodeError:
        return False
    return BINARY.isdisjoint(map(ord, text))
