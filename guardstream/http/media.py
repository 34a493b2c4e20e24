"""The kinds of bodies that media types declare: one table for all code that reads a content type.

A declared type is never trusted alone: `sniffing` and `bodies` inspect the body itself.
"""

from __future__ import annotations

import re
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal[
    "events", "amazon", "lines", "json", "text", "media", "unspecified", "file", "other"
]
"""The kind of a body by its media type:

- `events`: server-sent events; `amazon`: Amazon's event stream.
- `lines`: JSON values in lines or records, which can be read one at a time.
- `json`: one JSON value; `text`: any other text.
- `media`: images, audio, video and fonts; `file`: a file of some program.
- `unspecified`: no type, or one that says nothing; `other`: a type that is in no table.
"""

EVENTS = "text/event-stream"
"""The media type of server-sent events."""

AMAZON = "application/vnd.amazon.eventstream"
"""The media type of Amazon's events, such as those of Bedrock."""

FIELDS = "application/x-www-form-urlencoded"
"""The media type of a form without files. Some clients declare it for any body."""

PARTS = "multipart/"
"""The prefix of the media types of bodies in parts, each with its own type."""

NAME = re.compile(r"[\w.+-]+/[\w.+-]+", re.ASCII)
"""A media type, without parameters."""

_LINES = frozenset({"ndjson", "jsonl", "jsonlines", "json-lines", "ldjson", "json-seq"})
"""Names of JSON in lines or records, after `application/` or `text/` and an optional `x-`; and as a
structured suffix, after a `+` (RFC 8091, section 3)."""

_OTHER_LINES = frozenset({"application/stream+json", "application/x-json-stream"})
"""Older names of the same, such as those of Spring."""

_TEXTS = frozenset({"application/xml", "application/javascript", "application/yaml"})
_TEXTS |= {"application/x-yaml", "application/toml", "application/graphql", "application/sql"}
_TEXTS |= {"application/x-subrip"}
"""The media types of texts other than `text/…`, `…+xml` and `…+yaml`."""

_MEDIA = ("image/", "audio/", "video/", "font/")
"""The prefixes of media types that no client reads as text."""

UNSPECIFIED = "application/octet-stream"
"""The media type that says nothing of a body, which then tells by its beginning what it is."""

_UNSPECIFIED = frozenset({"", UNSPECIFIED, "binary/octet-stream"})
_UNSPECIFIED |= {"application/binary"}
_UNSPECIFIED |= {"application/force-download", "application/x-download", "application/download"}
"""Media types that say nothing about the content, only that it is binary or a download."""

_FILES = frozenset({"pdf", "zip", "gzip", "x-gzip", "x-tar", "x-gtar", "x-bzip2", "x-xz", "zstd"})
_FILES |= {"x-7z-compressed", "vnd.rar", "x-rar-compressed", "x-zip-compressed", "java-archive"}
_FILES |= {"msword", "wasm", "x-sqlite3", "vnd.sqlite3", "x-iso9660-image", "x-apple-diskimage"}
_FILES |= {"vnd.apache.parquet", "x-parquet", "vnd.android.package-archive", "x-msdownload"}
_FILES |= {"x-msdos-program", "x-msi", "vnd.debian.binary-package", "x-debian-package", "x-rpm"}
_FILES |= {"x-redhat-package-manager", "x-xpinstall", "x-executable", "x-sharedlib", "java-vm"}
_FILES |= {"x-hdf", "x-hdf5", "x-netcdf", "x-cdf", "x-python-code", "x-bittorrent", "postscript"}
_FILES |= {"x-pkcs12", "pkcs12", "pkix-cert", "x-x509-ca-cert", "x-x509-user-cert", "x-dvi"}
_FILES |= {"x-shockwave-flash", "vnd.adobe.flash.movie"}
"""The media types, after `application/`, of files that no client reads as text."""

_FILE_FAMILIES = (
    "model/",
    "application/vnd.apache.arrow.",
    "application/vnd.apple.",
    "application/vnd.ms-",
    "application/vnd.openxmlformats-officedocument.",
    "application/vnd.oasis.opendocument.",
    "application/font-",
    "application/x-font",
)
"""The prefixes of further such media types."""


def media_of(content_type: str) -> str:
    """Return the media type of a body, in lower case, without parameters."""
    return content_type.partition(";")[0].strip().lower()


def kind_of(media: str) -> Kind:
    """Return the kind that a media type declares; `media` is the result of `media_of`."""
    if media in (EVENTS, AMAZON):
        return "events" if media == EVENTS else "amazon"
    if _is_lines(media):
        return "lines"
    if "json" in media:
        return "json"
    if media.startswith("text/") or media in _TEXTS or media.endswith(("+xml", "+yaml")):
        return "text"
    if media.startswith(_MEDIA) and NAME.fullmatch(media) is not None:
        return "media"
    if media in _UNSPECIFIED:
        return "unspecified"
    return "file" if _is_file(media) else "other"


def _is_file(media: str) -> bool:
    family, _, name = media.partition("/")
    named = family == "application" and name in _FILES
    return named or media.startswith(_FILE_FAMILIES) or media.endswith(("+zip", "+gzip"))


def _is_lines(media: str) -> bool:
    family, _, name = media.partition("/")
    if family not in ("application", "text"):
        return False
    return name.rpartition("+")[2].removeprefix("x-") in _LINES or media in _OTHER_LINES


def is_text(media: str) -> bool:
    """Return whether a media type is that of a text, but neither of JSON nor of events."""
    return kind_of(media) == "text"


def is_media(media: str) -> bool:
    """Return whether a media type is that of images, audio, video or fonts. Such a body passes,
    unless it begins as a text."""
    return kind_of(media) == "media"


def is_stream(media: str, *, gated: bool) -> bool:
    """Return whether a body of this media type can be guarded while it streams.

    Events, lines and texts can be. If the answer is `gated`, a text is withheld until its end,
    because gates judge the chunks of a format.
    """
    kind = kind_of(media)
    return kind in ("events", "amazon", "lines") or (kind == "text" and not gated)


def is_listed(path: str, media: str) -> bool:
    """Return whether an answer is a JSON array whose items are streamed.

    Gemini streams like this without `alt=sse`. Only the path shows it.
    """
    return path.endswith(":streamGenerateContent") and kind_of(media) == "json"


def framing_of(media: str) -> Literal["sse", "text"] | None:
    """Return the framing of a streamed body; None if its first byte decides."""
    kind = kind_of(media)
    return "sse" if kind == "events" else "text" if kind == "text" else None


def may_be_another(media: str) -> bool:
    """Return whether the beginning of an answer may show another media type than it declares."""
    return kind_of(media) in ("unspecified", "file", "lines", "text")


def may_be_events(media: str) -> bool:
    """Return whether an answer that does not declare events may be events."""
    return media == "text/plain" or kind_of(media) == "unspecified"
