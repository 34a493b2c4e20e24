"""Guards texts in a charset other than UTF-8, which some clients read as UTF-8 anyway."""

from __future__ import annotations

import codecs
import json
import re
from email.message import Message
from functools import cache

from guardstream.errors import StageError
from guardstream.events import UNKNOWN, Event, Finish, FinishReason, text_of
from guardstream.guard import Guard
from guardstream.stream.whole import pipeline_of

_IN_UTF8 = ("utf-8", "utf-8-sig", "ascii")
"""UTF-8 and its subset."""


def charset_of(content_type: str) -> str | None:
    """Return the charset of a content type; None for UTF-8 and its subset ASCII.

    LookupError or ValueError for a charset that is unknown, or not one of text.
    """
    message = Message()
    message["content-type"] = content_type
    named = message.get_param("charset")
    charset = named if isinstance(named, str) else "utf-8"
    "a\ufffd".encode(charset, "replace")  # refuses the codecs that are not of text
    codecs.getincrementaldecoder(charset), codecs.getincrementalencoder(charset)
    return None if codecs.lookup(charset).name in _IN_UTF8 else charset


_LABEL = re.compile(r';\s*charset\s*=\s*(?:"[^"]*"|[^;]*)', re.IGNORECASE)


def charset_of_json(body: bytes, named: str | None = None) -> str | None:
    """Return the charset of JSON, None for UTF-8: its first bytes say it, as `json.loads` and httpx
    read it (RFC 4627, section 3).

    The one that is `named` counts where a body is not in UTF-8, if each byte of it is a character
    and it has ASCII: then JSON is the same JSON for all that read it.
    """
    found = json.detect_encoding(body)
    if found not in _IN_UTF8:
        return found
    if named is None or not _has_ascii(named):
        return None
    try:
        body.decode()
    except UnicodeDecodeError:
        return named
    return None


@cache
def _has_ascii(charset: str) -> bool:
    """Return whether a charset has a byte for each character, those of ASCII among them."""
    made = codecs.getincrementaldecoder(charset)
    read = [made("replace").decode(bytes([byte])) for byte in range(256)]
    return all(read) and "".join(read[:128]) == bytes(range(128)).decode("ascii")


def labelled(content_type: str, charset: str | None) -> str:
    """Return the content type of JSON in a charset, None for UTF-8; a label of another is gone."""
    try:
        named = charset_of(content_type)
    except (LookupError, ValueError):
        named = ""
    if named == charset or (named and charset and codecs.lookup(named) == codecs.lookup(charset)):
        return content_type
    return _LABEL.sub("", content_type) + (f"; charset={charset}" if charset else "")


class AsUTF8:
    """Guards a text in another charset once more, in the reading of clients that assume UTF-8.

    In that reading, the rules of all channels apply, because nothing is known about the text. Bytes
    that are not UTF-8 stay as they are. `ended` is the finish reason, if a rule ends it.
    """

    def __init__(self, guard: Guard) -> None:
        self.ended: FinishReason | None = None
        self._stage = pipeline_of(guard.policy, UNKNOWN)
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes; return those that may go out. StageError if a stage fails."""
        return self._take(data, last=False)

    def finish(self) -> bytes:
        """Take the end; return the rest. Raises the same exceptions as `feed`."""
        return self._take(b"", last=True)

    def _take(self, data: bytes, *, last: bool) -> bytes:
        if self.ended is not None:
            return b""
        try:
            events = list(self._stage.feed(self._decoder.decode(data, last)))
            if last and _end_of(events) is None:
                events += self._stage.finish()
        except Exception as error:
            raise StageError(f"a stage failed ({type(error).__name__})") from error
        self.ended = _end_of(events)
        return text_of(events).encode("utf-8", "surrogateescape")


def _end_of(events: list[Event]) -> FinishReason | None:
    """Return why some events end their text; None if it continues."""
    last = events[-1] if events else None
    return last.reason if isinstance(last, Finish) else None
