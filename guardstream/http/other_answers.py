"""Guards answers in no known format by their content.

All text counts as a model's, and JSON is guarded by its paths. A body that is not UTF-8 is refused,
unless it is a file that may pass.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from guardstream.errors import AdapterError
from guardstream.events import CLOSED, is_refused
from guardstream.framing.json import json_line, json_start
from guardstream.framing.sniffing import sniffed_text
from guardstream.guard import Guard
from guardstream.http.bodies import BINARY, SIGN, is_file, json_of, text_of
from guardstream.http.charsets import AsUTF8
from guardstream.http.media import EVENTS, PARTS, kind_of, may_be_another
from guardstream.http.request import RefusedError
from guardstream.http.sniffing import sniff
from guardstream.stream.result import Result
from guardstream.stream.synchronous import SyncGuardedStream

_OPENS = ("{", "[", '"')
"""The first characters of JSON values that are not numbers."""

_BLOCKED = "the policy blocked the answer"


class Guarded(NamedTuple):
    """A guarded answer; `result` is its Result, if it is one answer of a model.

    `is_read` is False for a file, which has passed unread.
    """

    body: bytes
    result: Result | None = None
    is_read: bool = True


def guarded(
    guard: Guard,
    kind: str,
    body: bytes,
    attributes: Mapping[str, str],
    *,
    files: bool = False,
) -> Guarded:
    """Guard a whole answer by its content; `kind` is the media type that it declares.

    With `files`, files pass. RefusedError if it cannot be guarded, or if a rule blocks it and its
    format cannot express that. AdapterError for JSON that cannot be read, StageError if a stage
    fails.
    """
    detected = sniff(kind, body) if may_be_another(kind) else kind
    is_binary = files and not BINARY.isdisjoint(body[:SIGN])
    if is_binary and detected != EVENTS and text_of(body) is None and is_file(kind, body):
        return Guarded(body, is_read=False)
    kind = detected or kind
    try:
        return _guarded(guard, kind, body, attributes)
    except RecursionError as error:
        raise RefusedError(502, "unguarded_answer", "the answer is nested too deeply") from error


def guarded_in(
    charset: str, guard: Guard, kind: str, body: bytes, attributes: Mapping[str, str]
) -> Guarded:
    """Guard a whole answer in a charset other than UTF-8, and again in the reading of clients that
    assume UTF-8. Raises the same exceptions as `guarded`."""
    try:
        plain = body.decode(charset).encode()
    except UnicodeError as error:
        why = f"the answer is not in its charset {charset!r}"
        raise RefusedError(502, "unguarded_answer", why) from error
    found = guarded(guard, kind, plain, attributes)
    changed = body if found.body == plain else found.body.decode().encode(charset, "replace")
    again = AsUTF8(guard)
    shown = again.feed(changed) + again.finish()
    if again.ended in CLOSED:
        raise RefusedError(502, "content_filter", _BLOCKED)
    return found._replace(body=shown)


def _guarded(guard: Guard, kind: str, body: bytes, attributes: Mapping[str, str]) -> Guarded:
    if not body:
        return Guarded(b"")
    text = None if kind.startswith(PARTS) else text_of(body)
    if text is None:
        why = "the answer is neither text in UTF-8 nor of a type that may pass"
        raise RefusedError(502, "unguarded_answer", why)
    if kind == EVENTS:
        return _guarded_stream(guard, body, attributes, "sse")
    are_scalars = kind_of(kind) in ("json", "lines") and _are_scalars(body)
    content = None if are_scalars else json_of(kind, text)
    if content is None and not are_scalars:
        return _guarded_unsound(guard, body, text, attributes)
    if content is None or content.form == "lines":
        plain = text.encode()
        lines = _guarded_stream(guard, plain, attributes)
        out = lines.body if text[-1] == "\n" else lines.body.rstrip(b"\n")
        return lines._replace(body=body if out == plain else out)
    if content.form == "text":
        return _guarded_text(guard, body, text, attributes)
    (value,), result = _through(guard, [content.value], attributes)
    if value == content.value:
        return Guarded(body, result)
    try:
        return Guarded(content.written(value), result)
    except RefusedError as error:
        raise AdapterError(error.message) from error


def _are_scalars(body: bytes) -> bool:
    """Return whether each line is a number, a flag or null."""
    found = [json_line(line) for line in body.splitlines() if line.strip()]
    return bool(found) and all(each is not None and each[1] == "number" for each in found)


def _guarded_unsound(
    guard: Guard, body: bytes, text: str, attributes: Mapping[str, str]
) -> Guarded:
    """Guard a body that is declared as JSON but is several values, events, or a text without
    escapes."""
    if "\\" not in text and not text.lstrip().startswith(_OPENS):
        return _guarded_text(guard, body, text, attributes)
    try:
        return _guarded_stream(guard, body, attributes)
    except AdapterError as error:
        raise RefusedError(502, "upstream_invalid", "the answer is not JSON") from error


def _guarded_stream(
    guard: Guard,
    body: bytes,
    attributes: Mapping[str, str],
    framing: Literal["sse", "text"] | None = None,
) -> Guarded:
    """Guard a complete stream, in the format that its beginning shows."""
    stream = guard.wrap_sync([body], framing=framing, keep_text=False, attributes=attributes)
    with stream:
        out = b"".join(stream)
        result = stream.result
        _check_passed(stream)
    if framing is None and getattr(stream.state.flow, "is_cut", False):
        raise AdapterError("the answer ends inside JSON")
    return Guarded(out, result)


def _guarded_text(guard: Guard, body: bytes, text: str, attributes: Mapping[str, str]) -> Guarded:
    """Guard a text. JSON that some clients find in it must stay unchanged."""
    if sniffed_text(body) not in ("text", None):  # as for a text that streams
        return _guarded_stream(guard, body, attributes, "text")
    result = guard.check(text)
    if guard.on_block == "error" and is_refused(result.finish, result.blocked_by):
        raise RefusedError(502, "content_filter", _BLOCKED, result.blocked_by)
    start = json_start(result.text)
    if start and _through(guard, start, attributes)[0] != start:
        why = "the policy changes JSON at the beginning of the answer, which is not JSON itself"
        raise RefusedError(502, "unguarded_answer", why)
    return Guarded(body if result.text == text else result.text.encode(), result)


def _through(
    guard: Guard, values: Sequence[Any], attributes: Mapping[str, str]
) -> tuple[list[Any], Result]:
    """Guard values of JSON by their paths; return them, and the Result. RefusedError for a
    block."""
    chunks = [[value] for value in values]  # a list has no name that a rule could change
    stream = guard.wrap_sync(chunks, format="json", keep_text=False, attributes=attributes)
    with stream:
        out = [each[0] for each in stream]
        result = stream.result
        _check_passed(stream)
    if len(out) != len(values):
        raise RefusedError(502, "content_filter", _BLOCKED)
    return out, result


def _check_passed(stream: SyncGuardedStream[Any]) -> None:
    """Raise RefusedError for a stream that was blocked."""
    if is_refused(stream.finish, stream.blocked_by):
        raise RefusedError(502, "content_filter", _BLOCKED, stream.blocked_by)
