"""What the headers of a response that is no known stream announce of its body; no I/O."""

from __future__ import annotations

import re
from dataclasses import dataclass

from guardstream.http.headers import media_types
from guardstream.http.media import Kind, is_unread, kind_of, may_be_another
from guardstream.serve.bodies import BodyError, known_charset
from guardstream.serve.routes import Headers, Route, values

_LENGTH = re.compile("[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class Announced:
    """What headers announce of a body; how it begins tells the rest.

    `media` is its media type and `kind` what the table has for that; `charset` the one that is
    named, None for UTF-8. `is_of_files` and `is_unknown` tell whether the type is that of files
    that are no text, or one of which nothing is known; `is_text` whether it is that of a text.
    `fits` tells whether the body has at most the route's `max_answer` bytes; None if nothing does.
    """

    media: str
    kind: Kind
    charset: str | None
    is_of_files: bool
    is_unknown: bool
    is_text: bool
    fits: bool | None

    @property
    def is_json(self) -> bool:
        """Whether it is JSON, which always waits for its end."""
        return self.kind == "json"

    @property
    def is_untold(self) -> bool:
        """Whether the body may as well be a file as a text."""
        return not self.is_text and self.kind not in ("json", "amazon")

    @property
    def may_be_another(self) -> bool:
        """Whether how the body begins may tell another media type."""
        return self.is_untold or self.is_unknown or may_be_another(self.media)

    @property
    def media_of_text(self) -> str:
        """The media type by which the body is read as a text: that of some file says nothing."""
        return "application/octet-stream" if self.kind == "untold" else self.media


def announced(route: Route, headers: Headers, media: str, *, text: bool = False) -> Announced:
    """Return what headers announce of a body with a media type; with `text`, that it is a text."""
    kind, charset = kind_of(media), known_charset(headers)
    is_of_files = _is_of_files(route, media)
    is_unknown = kind not in ("json", "amazon", "untold") and not is_of_files
    return Announced(
        media,
        kind,
        charset,
        is_of_files,
        is_unknown,
        text or kind == "text" or (charset is not None and is_unknown),
        fits(headers, route.max_answer),
    )


def type_of(headers: Headers) -> str:
    """Return the media type of a body; BodyError for two, of which clients choose differently."""
    types = media_types(values(headers, b"content-type"))
    if len(types) > 1:
        raise BodyError("a body with two content types cannot be guarded: send one")
    return next(iter(types), "")


def passes_unread(route: Route, media: str, *, part: bool) -> bool:
    """Tell whether a body, or a `part` of one, passes by its media type alone."""
    return route.other == "pass" or is_unread(media) or (part and _is_of_files(route, media))


def fits(headers: Headers, most: int) -> bool | None:
    """Tell whether a body has at most so many bytes; None if its headers do not say."""
    told = values(headers, b"content-length")
    found = _LENGTH.fullmatch(told[0]) if told else None
    return None if found is None else int(found[0]) <= most


def _is_of_files(route: Route, media: str) -> bool:
    """Tell whether a media type is of files that are no text."""
    return kind_of(media) == "file" or media in route.file_types
