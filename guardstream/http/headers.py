"""The headers of an answer: which are for one connection, and which may contain a model's text."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable
from email.message import Message

from guardstream.errors import GuardstreamError
from guardstream.guard import Guard
from guardstream.http.media import media_of

CONVERSATION = "guardstream-conversation"
"""The request header that names the conversation, for reversible masks."""

HOP_BY_HOP = frozenset({"connection", "keep-alive", "proxy-authenticate", "proxy-authorization"})
HOP_BY_HOP |= {"proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}
"""Headers for one connection only: https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1."""

_PROTOCOL = frozenset({"allow", "cache-control", "content-encoding", "content-length", "vary"})
_PROTOCOL |= {"strict-transport-security", "x-accel-buffering", "x-content-type-options"}
"""Headers with values that the protocol defines, or that clients need."""

_TIME = re.compile(r"-?[0-9]+|[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9:]{8} GMT")
_TIMES = ("age", "date", "expires", "last-modified", "retry-after")
_FORMS = {
    **dict.fromkeys(_TIMES, _TIME),
    "content-type": re.compile(r"[^;]*(;\s*charset=[^;]*)?", re.IGNORECASE),
}
"""Values of other headers that pass: seconds or a date (RFC 9110, section 5.6.7), and a media type
with a charset. Any other value is judged."""


NOT_UTF8 = "its charset is not UTF-8"
"""The reason why an answer is not read as UTF-8, although it could be read in its own charset."""

_LEAST = 200
"""Statuses below this one are informational, or switch the protocol."""

_PARTIAL = 206

BYTES = "bytes"
"""The unit of ranges that may cut a body at any byte."""


def of_the_connection(values: Iterable[str]) -> frozenset[str]:
    """Return the names of the hop-by-hop headers, given the values of `Connection`."""
    named = (name.strip().lower() for value in values for name in value.split(","))
    return HOP_BY_HOP | frozenset(name for name in named if name)


def withheld(guard: Guard, headers: Iterable[tuple[str, str]]) -> frozenset[str]:
    """Return the names (in lower case) of headers that a rule would change or block.

    Names, ids and addresses cannot be masked, so such a header is removed.
    """
    named = [(name.lower(), value) for name, value in headers]
    judged = [header for header in named if not _is_of_the_protocol(*header)]
    if _passes(guard, "\n".join(text for header in judged for text in header)):
        return frozenset()
    return frozenset(header[0] for header in judged if not all(_passes(guard, t) for t in header))


def in_utf8(content_type: str) -> bool:
    """Return whether a body is in UTF-8, as JSON and events always are, and declares no other
    charset."""
    header = Message()
    header["content-type"] = content_type
    try:
        return codecs.lookup(header.get_content_charset("utf-8")).name in ("utf-8", "ascii")
    except LookupError:
        return False


def media_types(content_types: Iterable[str]) -> frozenset[str]:
    """Return the media types in the values of `Content-Type`; if there are two, clients differ in
    which one they use."""
    named = (each for value in content_types for each in value.split(","))
    return frozenset(media_of(each) for each in named if each.strip())


def is_part(status: int, content_range: str) -> bool:
    """Return whether a body is a range of the bytes of another one.

    Ranges in other units, such as the items of a list, are complete bodies (RFC 9110, section 14).
    """
    unit = content_range.strip().lower()
    return status == _PARTIAL and (not unit or unit.startswith(BYTES))


def why_unreadable(status: int, content_type: str, content_range: str = "") -> str | None:
    """Return why an answer cannot be read, whatever its type is; None if it can be read.

    A charset other than UTF-8 is reported only if there is no other reason.
    """
    if status < _LEAST:
        return "it switches to another protocol"
    if is_part(status, content_range):
        return "it is a part of one"
    if len(media_types([content_type])) > 1:
        return "it has two content types: clients differ in which one counts"
    return None if in_utf8(content_type) else NOT_UTF8


def _is_of_the_protocol(name: str, value: str) -> bool:
    form = _FORMS.get(name)
    return name in _PROTOCOL or (form is not None and form.fullmatch(value) is not None)


def _passes(guard: Guard, value: str) -> bool:
    try:
        return guard.check(value).text == value
    except GuardstreamError:
        return False
