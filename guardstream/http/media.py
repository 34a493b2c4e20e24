"""What a media type says that a body is: the one table, for all that reads a content type.

Nothing is taken for what its type says alone: `sniffing` and `bodies` look at what it is.
"""

from __future__ import annotations

import re
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal[
    "events", "amazon", "lines", "json", "text", "unread", "unspecified", "file", "other"
]
"""Server-sent events; Amazon's; JSON in lines or records, which come one by one; one JSON; a text;
what nobody reads, such as images; what is not said; a file; and what no table has."""

EVENTS = "text/event-stream"
"""The media type of server-sent events."""

AMAZON = "application/vnd.amazon.eventstream"
"""The media type of Amazon's events, such as those of Bedrock."""

FIELDS = "application/x-www-form-urlencoded"
"""The media type of a form without files, which some clients name whatever they send."""

PARTS = "multipart/"
"""How media types begin of bodies in parts, each of a type of its own."""

NAME = re.compile(r"[\w.+-]+/[\w.+-]+", re.ASCII)
"""A media type, without parameters."""

_LINES = frozenset({"ndjson", "jsonl", "jsonlines", "json-lines", "ldjson", "json-seq"})
"""What JSON in lines or records is called after `application/` or `text/`, where `x-` may stand
first; and after a `+`: RFC 8091, section 3."""

_OTHER_LINES = frozenset({"application/stream+json", "application/x-json-stream"})
"""Names of the same that older servers have, such as those of Spring."""

_TEXTS = frozenset({"application/xml", "application/javascript", "application/yaml"})
_TEXTS |= {"application/x-yaml", "application/toml", "application/graphql", "application/sql"}
_TEXTS |= {"application/x-subrip"}
"""The media types of texts beside `text/…`, `…+xml` and `…+yaml`."""

_UNREAD = ("image/", "audio/", "video/", "font/")
"""How media types begin of what is not text, whoever reads it."""

_UNTOLD = frozenset({"", "application/octet-stream", "binary/octet-stream", "application/binary"})
_UNTOLD |= {"application/force-download", "application/x-download", "application/download"}
"""The media types that say no more than that there is something, or something to save."""

_FILES = frozenset({"pdf", "zip", "gzip", "x-gzip", "x-tar", "x-gtar", "x-bzip2", "x-xz", "zstd"})
_FILES |= {"x-7z-compressed", "vnd.rar", "x-rar-compressed", "x-zip-compressed", "java-archive"}
_FILES |= {"msword", "wasm", "x-sqlite3", "vnd.sqlite3", "x-iso9660-image", "x-apple-diskimage"}
_FILES |= {"vnd.apache.parquet", "x-parquet", "vnd.android.package-archive", "x-msdownload"}
_FILES |= {"x-msdos-program", "x-msi", "vnd.debian.binary-package", "x-debian-package", "x-rpm"}
_FILES |= {"x-redhat-package-manager", "x-xpinstall", "x-executable", "x-sharedlib", "java-vm"}
_FILES |= {"x-hdf", "x-hdf5", "x-netcdf", "x-cdf", "x-python-code", "x-bittorrent", "postscript"}
_FILES |= {"x-pkcs12", "pkcs12", "pkix-cert", "x-x509-ca-cert", "x-x509-user-cert", "x-dvi"}
_FILES |= {"x-shockwave-flash", "vnd.adobe.flash.movie"}
"""The media types, after `application/`, of files that programs open, and nobody reads as text."""

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
"""How others of them begin."""


def media_of(content_type: str) -> str:
    """Return the media type of a body, in lower case, without parameters."""
    return content_type.partition(";")[0].strip().lower()


def kind_of(media: str) -> Kind:
    """Tell what a media type, as `media_of` gives it, says that a body is."""
    if media in (EVENTS, AMAZON):
        return "events" if media == EVENTS else "amazon"
    if _is_lines(media):
        return "lines"
    if "json" in media:
        return "json"
    if media.startswith("text/") or media in _TEXTS or media.endswith(("+xml", "+yaml")):
        return "text"
    if media.startswith(_UNREAD) and NAME.fullmatch(media) is not None:
        return "unread"
    if media in _UNTOLD:
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
    """Tell whether a media type is of a text that is neither JSON nor events."""
    return kind_of(media) == "text"


def is_unread(media: str) -> bool:
    """Tell whether a media type is of what nobody reads: images, sound, films."""
    return kind_of(media) == "unread"


def is_stream(media: str, *, gated: bool) -> bool:
    """Tell whether a body of a media type may come bit by bit: events, lines, or a text.

    Where it is `gated`, a text waits for its end: gates judge the chunks of a format.
    """
    kind = kind_of(media)
    return kind in ("events", "amazon", "lines") or (kind == "text" and not gated)


def is_listed(path: str, media: str) -> bool:
    """Tell whether an answer is JSON in an array whose items come one by one.

    That is so of Gemini's streams without `alt=sse`, which nothing but their path tells.
    """
    return path.endswith(":streamGenerateContent") and kind_of(media) == "json"


def framing_of(media: str) -> Literal["sse", "text"] | None:
    """Return how a body comes bit by bit; None where its first byte tells."""
    kind = kind_of(media)
    return "sse" if kind == "events" else "text" if kind == "text" else None


def may_be_another(media: str) -> bool:
    """Tell whether how an answer begins may tell another media type than it names."""
    return kind_of(media) in ("unspecified", "file", "lines", "text")


def may_be_events(media: str) -> bool:
    """Tell whether an answer may be events that does not say so."""
    return media == "text/plain" or kind_of(media) == "unspecified"
