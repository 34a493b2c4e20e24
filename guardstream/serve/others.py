"""Responses that are no known stream, guarded by what they are; no I/O.

A text goes through the guard as it comes, unless its headers say how long it is: then, as JSON does
always, it waits for its end, and keeps its headers if nothing is found. What is no text passes, if
it is of a type that is a file, and is refused otherwise.
"""

from __future__ import annotations

import re
from codecs import getincrementaldecoder
from collections.abc import Iterator
from io import BytesIO
from json import detect_encoding
from typing import Literal, TypeAlias

from guardstream.events import FinishReason
from guardstream.framing.frames import Media
from guardstream.http.beginnings import WHOLE, Beginning, media_told
from guardstream.http.bodies import BINARY, SIGN, begins_with_json, text_of
from guardstream.http.charsets import AsUTF8
from guardstream.http.headers import in_utf8, media_types
from guardstream.http.media import (
    AMAZON,
    EVENTS,
    PARTS,
    is_unread,
    kind_of,
    may_be_another,
)
from guardstream.http.other_answers import guarded
from guardstream.http.request import RefusedError
from guardstream.http.stream import WireGuard
from guardstream.serve.bodies import BodyError, Reading, encoded, known_charset, reading
from guardstream.serve.routes import Headers, Route, values

Way: TypeAlias = Media | Literal["pass", "whole"]
"""What becomes of a body: it is guarded as a stream, or whole, or it passes."""

_PDF = b"%PDF-"

_LENGTH = re.compile("[0-9]{1,18}")


def type_of(headers: Headers) -> str:
    """Return the media type of a body; BodyError for two, of which clients choose differently."""
    kinds = media_types(values(headers, b"content-type"))
    if len(kinds) > 1:
        raise BodyError("a body with two content types cannot be guarded: send one")
    return next(iter(kinds), "")


def passes_unread(route: Route, kind: str, *, part: bool) -> bool:
    """Tell whether a body, or a `part` of one, passes by its media type alone."""
    return route.other == "pass" or is_unread(kind) or (part and _is_of_files(route, kind))


class Other:
    """One body, until it is told what becomes of it. `feed` takes it piece by piece.

    `raw` is what has come, `kind` its media type, `is_text` whether that is of a text. With `part`
    it is a part of a body, which passes if it is no text, or is refused. With `text` it would
    stream if nobody knew how long it is: if a rule blocks it, what stands before that goes out.
    """

    def __init__(
        self,
        route: Route,
        headers: Headers,
        kind: str,
        *,
        part: bool = False,
        text: bool = False,
    ) -> None:
        """BodyError if no body with these headers can be guarded."""
        self.kind = kind
        self.raw = BytesIO()
        self.finish: FinishReason | None = None
        self._route = route
        self._part = part
        self._plain = BytesIO()
        self._kind = kind_of(kind)
        self._json = self._kind == "json"
        self._charset = known_charset(headers)
        self._may_end_early = text
        self.is_text = (
            text or self._kind == "text" or (self._charset is not None and self._is_unknown())
        )
        self._untold = not self.is_text and self._kind not in ("json", "amazon")
        self._fault: BodyError | None = None
        self._told: str | None = None
        self._beginning = Beginning(self._as_told()) if self._may_be_another() else None
        self._is_file: bool | None = None if self._untold else False
        if kind.startswith(PARTS):
            raise BodyError(f"a body in parts, {kind!r}, cannot be guarded{_OR_PASS}")
        if part and not self._untold:
            raise BodyError(PART)
        content_type = "".join(values(headers, b"content-type"))
        self._reading: Reading = reading(route, headers, text=self.is_text or self._json)
        if self._kind == "amazon" and not in_utf8(content_type):
            raise BodyError("events that are not in UTF-8 cannot be guarded")
        self._fits = fits(headers, route.max_answer)
        if self._json and self._fits is False:
            raise self._too_long()

    @property
    def waits(self) -> bool:
        """Whether it waits for its end, as far as is known."""
        return bool(self._fits) or self._json or self._told == WHOLE

    @property
    def streams(self) -> bool:
        """Whether it is guarded as it comes, once it is told that it is a text."""
        return not self._fits and self._told is not None and self._way() is not None

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
        if not self._fits and not self._is_file:
            self._tell(ended=ended)
            way = self._way()
            is_whole = last and self._fault is None and not too_long
            if way is not None and not (way == "text" and is_whole):
                return way
        if self._fault is not None:
            raise self._fault
        if too_long:
            raise self._too_long()
        return self._at_its_end() if last else None

    def _at_its_end(self) -> Way:
        """Return what becomes of a body that has come whole: it may be no text after all."""
        if self._untold and self._fits:
            plain = self._plain.getvalue()
            if text_of(plain) is None and self._a_file(plain, whole=True):
                return "pass"
        return "whole"

    def guarded(self) -> bytes | None:
        """Guard the whole body; return what goes out in its place, None if nothing changes.

        BodyError if that cannot be done, or a rule blocks it; AdapterError or StageError, too.
        """
        plain = self._plain.getvalue()
        if not plain:
            return None
        try:
            body = self._guarded(plain)
        except RefusedError as error:
            raise BodyError(error.message, error.code) from error
        charset = self._reading.charset
        changed = encoded(body, charset)
        shown = changed if charset is None else self._as_utf8(changed)
        return None if body == plain and shown == changed else shown

    def _as_utf8(self, body: bytes) -> bytes:
        """Guard a text in another charset once more, as those read it who go by UTF-8."""
        assert self._route.guard is not None
        again = AsUTF8(self._route.guard)
        shown = again.feed(body) + again.finish()
        if again.ended == "content_filter":
            self._ended(again.ended)
        return shown

    def _guarded(self, plain: bytes) -> bytes:
        guard, kind = self._route.guard, self.kind
        assert guard is not None
        told = media_told(self._as_told(), plain) if self._may_be_another() else kind
        if told != WHOLE and told != EVENTS and not self._json:
            return self._guarded_text(plain)
        if told == EVENTS:
            kind = EVENTS
        found = guarded(guard, kind, plain, {})
        if found.result is not None and not self._json:
            self._ended(found.result.finish)
        return found.body

    def _guarded_text(self, plain: bytes) -> bytes:
        """Guard a text as if it streamed: whoever observes streams is told of it."""
        assert self._route.guard is not None
        try:
            plain.decode()
        except UnicodeDecodeError:
            why = "a text that is not in UTF-8 cannot be guarded: name its charset in its type"
            raise BodyError(why) from None
        wire = WireGuard(self._route.guard, media="text", keep_text=False)
        try:
            frames = [*wire.feed(plain), *wire.finish()]
            if wire.error is not None:
                raise wire.error
        finally:
            wire.close()
        self._ended(wire.ended)
        return b"".join(frames)

    def _ended(self, finish: FinishReason | None) -> None:
        """Note how a text ended. BodyError for one that is blocked, unless it might have begun."""
        self.finish = finish
        if finish == "content_filter" and self._fits and not self._may_end_early:
            raise BodyError(f"the policy blocked the response{_OF_YOUR_OWN}", "content_filter")

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
            self._told = self.kind
            return
        new = bytes(self._plain.getbuffer()[len(self._beginning.read) :])
        self._told = self._beginning.feed(new)
        if self._told is None and ended:
            self._told = self._beginning.finish()

    def _may_be_another(self) -> bool:
        return self._untold or self._is_unknown() or may_be_another(self.kind)

    def _as_told(self) -> str:
        """The media type that the body may have: one of files says nothing of a text."""
        return "application/octet-stream" if self._kind == "untold" else self.kind

    def _way(self) -> Media | None:
        """Return how a body is guarded that comes bit by bit; None if it waits for its end."""
        if self._told == EVENTS:
            return "sse"
        if self._told == AMAZON:
            return "event_stream"
        return "text" if self._told and not self._json else None

    def _a_file(self, data: bytes, *, whole: bool) -> bool:
        """Tell whether bytes are a file that passes; BodyError for neither that nor a text."""
        may_be_pdf = self._kind == "untold" or self.kind == "application/pdf"
        if data.startswith(_PDF) and may_be_pdf:
            return True  # though much of it may be a text
        if (text_of(data) if whole else _text_so_far(data)) is not None:
            return False
        if self._passes(data):
            return True
        raise BodyError(
            f"a body of the type {self.kind!r} that is no text in UTF-8 cannot be guarded: name a "
            f"text's charset, or the type in 'file_types' if it may pass{_OR_PASS}"
        )

    def _passes(self, data: bytes) -> bool:
        if self.kind in self._route.file_types:
            return True
        if BINARY.isdisjoint(data) or _may_be_text(data, self._charset):
            return False
        return _is_of_files(self._route, self.kind) or self._kind == "untold"

    def _is_unknown(self) -> bool:
        """Tell whether the media type is neither of JSON, nor of events, nor of a file."""
        known = self._kind in ("json", "amazon", "untold")
        return not known and not _is_of_files(self._route, self.kind)

    def _too_long(self) -> BodyError:
        return BodyError(
            f"a body of more than {self._route.max_answer} bytes cannot be guarded whole: raise "
            f"'max_answer' (in a policy: serve.limits.answer), name a text in 'text_types' so "
            f"that it streams{_OR_PASS}"
        )


_OR_PASS = ", or give its path a route without a guard"

_OF_YOUR_OWN = ": give pages and files of your own a route without a guard"

PART = f"a part of a body cannot be guarded: do not answer ranges{_OR_PASS}"


def _is_of_files(route: Route, kind: str) -> bool:
    """Tell whether a media type is of files that are no text."""
    return kind_of(kind) == "file" or kind in route.file_types


def fits(headers: Headers, most: int) -> bool | None:
    """Tell whether a body has at most so many bytes; None if its headers do not say."""
    told = values(headers, b"content-length")
    found = _LENGTH.fullmatch(told[0]) if told else None
    return None if found is None else int(found[0]) <= most


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
