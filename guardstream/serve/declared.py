"""The headers of a response that is not a known stream: what they declare of its body; no I/O."""

from __future__ import annotations

import re
from dataclasses import dataclass

from guardstream.http.headers import media_types
from guardstream.http.media import Kind, is_media, kind_of, may_be_another
from guardstream.serve.bodies import BodyError, known_charset
from guardstream.serve.routes import Headers, Route, values

_LENGTH = re.compile("[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class Declared:
    """What headers declare about a body; its beginning decides the rest.

    `media` is its media type, `kind` the kind of that type, `charset` the named charset, None for
    UTF-8. `is_of_files` says that the type is one of files that are not text, `takes_charset` that
    a charset makes its body a text: it is neither such a type nor JSON, Amazon's events or
    unspecified. `is_text` says that the type, its charset or the caller declares a text, `fits`
    whether the body has at most the route's `max_answer` bytes; None if the headers do not say.
    """

    media: str
    kind: Kind
    charset: str | None
    is_of_files: bool
    takes_charset: bool
    is_text: bool
    fits: bool | None

    @property
    def is_json(self) -> bool:
        """Whether it is JSON, which is always read to its end first."""
        return self.kind == "json"

    @property
    def is_unspecified(self) -> bool:
        """Whether the body could be either a file or text."""
        return not self.is_text and self.kind not in ("json", "amazon")

    @property
    def may_be_another(self) -> bool:
        """Whether the body's beginning may show another media type."""
        return self.is_unspecified or self.takes_charset or may_be_another(self.media)

    @property
    def media_of_text(self) -> str:
        """The media type to read the body by, if it is text: a generic one says nothing."""
        return "application/octet-stream" if self.kind == "unspecified" else self.media


def declared(route: Route, headers: Headers, media: str, *, text: bool = False) -> Declared:
    """Return what headers declare about a body of type `media`; with `text`, that it is text.

    `text/event-stream` counts as a text here, because the route says so.
    """
    media = "text/plain" if kind_of(media) == "events" else media
    kind, charset = kind_of(media), known_charset(headers)
    is_of_files = _is_of_files(route, media)
    takes_charset = kind not in ("json", "amazon", "unspecified") and not is_of_files
    return Declared(
        media,
        kind,
        charset,
        is_of_files,
        takes_charset,
        text or kind == "text" or (charset is not None and takes_charset),
        fits(headers, route.max_answer),
    )


def type_of(headers: Headers) -> str:
    """Return the media type of a body; BodyError for two, because clients choose differently."""
    types = media_types(values(headers, b"content-type"))
    if len(types) > 1:
        raise BodyError("a body with two content types cannot be guarded: send one")
    return next(iter(types), "")


def passes_unread(route: Route, headers: Headers, media: str, *, part: bool, bare: bool) -> bool:
    """Return whether a body, or a `part` of one, passes by its media type alone; `bare` headers
    have none. An image in a content coding is not looked at."""
    if route.other == "pass" or (part and _is_of_files(route, media)):
        return True
    return is_media(media) and (bare or bool(values(headers, b"content-encoding")))


def fits(headers: Headers, most: int) -> bool | None:
    """Return whether a body has at most `most` bytes; None if its headers do not say."""
    lengths = values(headers, b"content-length")
    found = _LENGTH.fullmatch(lengths[0]) if lengths else None
    return None if found is None else int(found[0]) <= most


def _is_of_files(route: Route, media: str) -> bool:
    """Return whether a media type is one of files that are not text."""
    return kind_of(media) in ("file", "media") or media in route.file_types
