"""Guards whole answers of an upstream, by the kind that their endpoint declares."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from guardstream.errors import AdapterError, BlockedError, GuardstreamError
from guardstream.events import is_refused
from guardstream.formats.answers.whole import BODIES
from guardstream.formats.errors import BLOCKED_CODE
from guardstream.formats.generic.any_json import AnyJSON
from guardstream.formats.generic.text import PlainText
from guardstream.framing.json import BOM, json_bytes, json_object
from guardstream.gate.tasks import Delivery
from guardstream.guard import Guard
from guardstream.http import other_answers
from guardstream.http.bodies import json_of
from guardstream.http.body import Beside, checked_text, guard_body, guard_error, judged_body
from guardstream.http.media import Kind, kind_of
from guardstream.http.other_answers import Guarded
from guardstream.http.request import RefusedError
from guardstream.http.stream import WireGuard
from guardstream.operations import gated
from guardstream.serve.endings import guarded_message
from guardstream.serve.proxy.endpoints import Answer, Endpoint
from guardstream.stream.options import Delivering


class UpstreamError(Exception):
    """The upstream cannot be reached, or its answer cannot be guarded.

    `reason` is the kind of failure, for the log, without anything that was sent; `rule` the rule
    that blocked the answer, if one did.
    """

    def __init__(
        self, status: int, code: str, message: str, reason: str = "", rule: str | None = None
    ) -> None:
        super().__init__(message)
        self.rule = rule
        self.status, self.code, self.message, self.reason = status, code, message, reason


def deadline_error() -> UpstreamError:
    """Return the error of an answer that exceeds a deadline of the policy."""
    return UpstreamError(504, "deadline", TOO_LONG)


def unguarded(why: str) -> UpstreamError:
    """Return the error for an answer that cannot be guarded; `why` has nothing that was sent."""
    return UpstreamError(502, "unguarded_answer", why, why)


TOO_LONG = "the answer took longer than the policy allows"

T = TypeVar("T")

_NOTHING = b"{}"
"""What is left of a blocked answer that an error replaces."""

_JUDGED = ("transcript", "results", "file")
"""Answers that gates judge, besides those of models."""


def guarded_answer(
    guard: Guard, endpoint: Endpoint, media: str, body: bytes, attributes: Mapping[str, str]
) -> Guarded:
    """Guard a whole answer of an endpoint; `media` is its media type.

    UpstreamError if it cannot be guarded.
    """
    try:
        return _by_kind(guard, endpoint, media, body, attributes)
    except BlockedError as error:
        raise UpstreamError(502, BLOCKED_CODE, str(error), rule=error.rule) from error
    except GuardstreamError as error:
        raise UpstreamError(502, "unguarded_answer", guarded_message(guard, error)) from error
    except RecursionError as error:
        raise unguarded("the upstream's answer is nested too deeply") from error


async def judged_answer(
    guard: Guard,
    endpoint: Endpoint,
    media: str,
    body: bytes,
    attributes: Mapping[str, str],
    beside: Beside,
) -> Guarded:
    """Run `guarded_answer` through `beside`, and await the checks of the guard's gates.

    They judge a model's answer as in its stream; in a transcript, a file and the results of a
    batch, each string by itself. Also UpstreamError if one of these is blocked.
    """
    try:
        if endpoint.answer == "model" and kind_of(media) in _KINDS["model"]:
            return await _judged(guard, endpoint.format, body, attributes, beside)
        rules = partial(guarded_answer, guard, endpoint, media, body, attributes)
        guarded = await beside(rules)
        if endpoint.answer in _JUDGED:
            return Guarded(await judged_strings(guard, guarded.body))
        return guarded
    except GuardstreamError as error:
        raise UpstreamError(502, "unguarded_answer", guarded_message(guard, error)) from error
    except RecursionError as error:
        raise unguarded("the upstream's answer is nested too deeply") from error


async def _judged(
    guard: Guard, format: str, body: bytes, attributes: Mapping[str, str], beside: Beside
) -> Guarded:
    value = await beside(partial(_object, body))
    if format in BODIES:
        options = Delivering(keep_text=False, attributes=attributes)
        guarded, result = await judged_body(guard, format, value, beside, options)
        if guarded is value:
            return Guarded(body, result)
        return Guarded(await beside(partial(json_bytes, guarded, len(body))), result)
    line = _each([json_bytes(value) + b"\n"])
    stream = guard.wrap(line, format=format, keep_text=False, attributes=attributes)
    async with stream:
        out = b"".join([frame async for frame in stream])
        if guard.on_block == "error" and is_refused(stream.finish, stream.blocked_by):
            return Guarded(_NOTHING, stream.result)
        return Guarded(_only_line(out), stream.result)


async def judged_strings(guard: Guard, body: bytes) -> bytes:
    """Judge the strings in JSON, in lines of JSON, or a text. UpstreamError if one is blocked."""
    text = _utf8(body).removeprefix(BOM)
    content = json_of("", text)
    assert content is not None  # no media type claims that it is JSON
    judged: Any
    if isinstance(content.value, str):
        judged = "".join(await _through_gates(guard, content.value, PlainText))
    else:
        (judged,) = await _through_gates(guard, content.value, AnyJSON)
    return body if judged == content.value else content.written(judged)


async def _through_gates(guard: Guard, chunk: Any, adapter: Callable[[], Any]) -> list[Any]:
    """Return what the gates leave of a chunk. UpstreamError if they block it."""
    through = gated(_each([chunk]), guard.gates, Delivery(lambda _: adapter()), None, whole=True)
    async with through as stream:
        judged = [each async for each in stream]
    if is_refused(stream.finish, stream.blocked_by):
        why = "the policy's gate blocked the answer"
        raise UpstreamError(502, BLOCKED_CODE, why, rule=stream.blocked_by)
    return judged


async def _each(chunks: Iterable[T]) -> AsyncIterator[T]:
    for chunk in chunks:
        yield chunk


def guarded_error(guard: Guard, body: bytes) -> bytes | None:
    """Guard every string in an upstream's error; None for a body that begins no JSON object.

    UpstreamError for an object that cannot be read or guarded.
    """
    if not body.lstrip().startswith(b"{"):
        return None
    value, guard = _object(body, "error"), guard.with_on_block("finish")  # it is an error anyway
    try:
        guarded = guard_error(guard, value)
        return body if guarded is value else json_bytes(guarded, len(body))
    except GuardstreamError as error:
        raise unguarded("the upstream's error cannot be guarded") from error


def _by_kind(
    guard: Guard, endpoint: Endpoint, media: str, body: bytes, attributes: Mapping[str, str]
) -> Guarded:
    answer = endpoint.answer
    kind = kind_of(media)
    if kind not in _KINDS[answer] and not (answer == "speech" and media.startswith("audio/")):
        raise unguarded("the upstream's answer has a content type that cannot be guarded")
    if answer == "model":
        return _of_model(guard, endpoint.format, body, attributes)
    if answer == "speech":
        return Guarded(body)
    if answer in ("results", "file"):
        results = _results(guard.with_on_block("finish"), body)  # each is an answer of its own
        if results is not None:
            return Guarded(results)
        if answer == "results":
            raise unguarded("the results of a batch are not lines of JSON")
        return _file(guard, media, body, attributes)
    if answer == "transcript" and kind != "json":
        return Guarded(_cues(guard, _utf8(body)).encode())
    value = _object(body)
    guarded = _GUARDS[answer](guard, value)
    return Guarded(body if guarded is value else json_bytes(guarded, len(body)))


_KINDS: Mapping[Answer, Sequence[Kind]] = {
    "model": ("json",),
    "strings": ("json",),
    "data": ("json",),
    "images": ("json",),
    "transcript": ("json", "text"),
    "results": ("lines", "unspecified"),
    "file": ("lines", "unspecified", "text", "json"),
    "speech": (),
}
"""The kinds of answers that can be guarded."""


def _of_model(guard: Guard, format: str, body: bytes, attributes: Mapping[str, str]) -> Guarded:
    """Guard a model's answer; in a format without whole answers, as the only chunk of its
    stream."""
    value = _object(body)
    if format in BODIES:
        guarded, result = guard_body(guard, format, value, keep_text=False, attributes=attributes)
        return Guarded(body if guarded is value else json_bytes(guarded, len(body)), result)
    wire = WireGuard(guard, media="ndjson", format=format, keep_text=False, attributes=attributes)
    out = b"".join([*wire.feed(json_bytes(value) + b"\n"), *wire.finish()])
    if guard.on_block == "error" and is_refused(wire.ended, wire.blocked_by) and wire.error is None:
        return Guarded(_NOTHING, wire.result)
    if wire.error is not None:
        raise AdapterError("the upstream's answer does not match its format")
    return Guarded(_only_line(out), wire.result)


def _only_line(out: bytes) -> bytes:
    lines = [line for line in out.split(b"\n") if line.strip()]
    if len(lines) != 1:  # a block's message in a stream has no place in a whole answer
        raise unguarded("the policy ended the answer, which its format cannot express")
    return lines[0]


def _data(_guard: Guard, value: dict[str, Any]) -> dict[str, Any]:
    """Return JSON without model text; results of Anthropic's batches are fetched through the proxy.

    The URL of the upstream, which their clients follow, would bypass the guard.
    """
    if value.get("type") == "message_batch" and isinstance(value.get("results_url"), str):
        return {**value, "results_url": f"/v1/messages/batches/{value.get('id')}/results"}
    listed = value.get("data")
    if not isinstance(listed, list):
        return value
    shown = [_data(_guard, each) if isinstance(each, dict) else each for each in listed]
    same = all(one is other for one, other in zip(shown, listed, strict=True))
    return value if same else {**value, "data": shown}


_PICTURES = ("b64_json", "url")


def _images(guard: Guard, value: dict[str, Any]) -> dict[str, Any]:
    """Guard the text beside images:
    https://platform.openai.com/docs/api-reference/images/object."""
    guarded: dict[str, Any] = {}
    for name, inner in value.items():
        if name == "data" and isinstance(inner, list):
            guarded[name] = [
                _images(guard, each) if isinstance(each, dict) else each for each in inner
            ]
        elif name in _PICTURES and isinstance(inner, str):
            guarded[name] = inner
        else:
            guarded |= guard_error(guard, {name: inner})
    return value if guarded == value else guarded


_PIECES = {"segments": ("text", ""), "words": ("word", " ")}
"""The lists of a transcription that repeat its text in pieces, and the separator of these."""


def _transcript(guard: Guard, value: dict[str, Any]) -> dict[str, Any]:
    """Guard a transcription: https://platform.openai.com/docs/api-reference/audio/json-object.

    If its text changes, the tokens of log probabilities are removed.
    """
    rest = {name: inner for name, inner in value.items() if name not in (*_PIECES, "logprobs")}
    guarded = guard_error(guard, rest)
    changed = guarded is not rest
    for name, (field, between) in _PIECES.items():
        pieces = value.get(name)
        if pieces is None:
            continue
        if not isinstance(pieces, list) or not all(
            isinstance(each, dict) and isinstance(each.get(field), str) for each in pieces
        ):
            raise AdapterError(f"{name!r} of a transcription is not a list of its pieces")
        texts = [each[field] for each in pieces]
        shown = _in_pieces(guard, texts, between)
        kept = []
        for each, text in zip(pieces, shown, strict=True):
            beside = {key: inner for key, inner in each.items() if key not in (field, "tokens")}
            tokens = {"tokens": each["tokens"]} if "tokens" in each and shown == texts else {}
            kept.append({**guard_error(guard, beside), field: text, **tokens})
        changed = changed or kept != pieces
        guarded = {**guarded, name: kept}
    return guarded if changed else value


def _in_pieces(guard: Guard, texts: Sequence[str], between: str) -> list[str]:
    """Guard one text that comes in pieces; if a match spans two, the first gets all of the text."""
    each = [checked_text(guard, text) for text in texts]
    whole = checked_text(guard, between.join(texts))
    if between.join(each) == whole:
        return each
    return [whole, *[""] * (len(texts) - 1)]


_TIME = r"(?:\d{1,4}:)?\d\d:\d\d[.,]\d{1,3}"
_SETTINGS = (
    r"(?: +(?:vertical|line|position|size|align)"
    r":(?:[\d.]{1,6}%?|start|center|end|left|right|rl|lr))*"
)
_TIMES = re.compile(rf"{_TIME} --> {_TIME}{_SETTINGS} *")
_NUMBER = re.compile(r"\d{1,6}")
"""The times of a cue, and its number: https://www.w3.org/TR/webvtt1/, and SubRip."""


def _cues(guard: Guard, text: str) -> str:
    """Guard a text, or subtitles, whose sentences continue in the next cue."""
    lines = text.split("\n")
    plain = [line.rstrip("\r") for line in lines]
    texts = [at for at in range(len(lines)) if not _is_layout(plain, at)]
    shown = _in_pieces(guard, [plain[at] for at in texts], " ")
    for at, new in zip(texts, shown, strict=True):
        if new != plain[at]:
            lines[at] = new
    return "\n".join(lines)


def _is_layout(lines: Sequence[str], at: int) -> bool:
    """Return whether a line of subtitles has no text. A number is text, unless times follow it."""
    line = lines[at]
    if _NUMBER.fullmatch(line):
        return at + 1 < len(lines) and _TIMES.fullmatch(lines[at + 1]) is not None
    is_title = at == 0 and line == "WEBVTT"
    return is_title or not line.strip() or _TIMES.fullmatch(line) is not None


def _results(guard: Guard, body: bytes) -> bytes | None:
    """Guard lines of objects, such as the results of a batch; None if they are not objects."""
    lines = [line for line in _utf8(body).split("\n") if line.strip()]
    if not lines:
        return body
    out = []
    for line in lines:
        value = json_object(line)
        if value is None:
            return None
        guarded = _result(guard, value)
        out.append(line.encode() if guarded is value else json_bytes(guarded))
    return b"\n".join([*out, b""])


def _file(guard: Guard, media: str, body: bytes, attributes: Mapping[str, str]) -> Guarded:
    """Guard a file by its content: JSON by its paths, because it may escape its text."""
    try:
        return Guarded(other_answers.guarded(guard, media, body, attributes).body)
    except RefusedError as error:
        raise UpstreamError(error.status, error.code, error.message, rule=error.rule) from error


_SHAPES = {
    "chat.completion": "openai_chat",
    "text_completion": "openai_completions",
    "response": "openai_responses",
    "message": "anthropic",
}
"""The formats of whole answers, by their own type names."""


def _result(guard: Guard, line: dict[str, Any]) -> dict[str, Any]:
    """Guard one result: the whole answer in it as such, and every other string."""
    for outer, inner in (("response", "body"), ("result", "message")):
        holder = line.get(outer)
        found = holder.get(inner) if isinstance(holder, dict) else None
        if isinstance(holder, dict) and isinstance(found, dict):
            format = _SHAPES.get(str(found.get("object") or found.get("type")))
            body = _body(guard, format, found)
            beside = {name: value for name, value in holder.items() if name != inner}
            around = {name: value for name, value in line.items() if name != outer}
            shown, rest = guard_error(guard, beside), guard_error(guard, around)
            if body is found and shown is beside and rest is around:
                return line
            return {**line, **rest, outer: {**shown, inner: body}}
    return guard_error(guard, line)


def _body(guard: Guard, format: str | None, body: dict[str, Any]) -> dict[str, Any]:
    if format is None:
        return guard_error(guard, body)
    return guard_body(guard, format, body, keep_text=False)[0]


_GUARDS: Mapping[str, Callable[[Guard, dict[str, Any]], dict[str, Any]]] = {
    "strings": guard_error,
    "data": _data,
    "images": _images,
    "transcript": _transcript,
}


def _utf8(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise unguarded("the upstream's answer is not in UTF-8") from error


def _object(body: bytes, what: str = "answer") -> dict[str, Any]:
    try:
        value = json_object(body)
    except AdapterError as error:
        raise UpstreamError(502, "upstream_invalid", str(error)) from error
    if value is None:
        raise UpstreamError(502, "upstream_invalid", f"the upstream's {what} is not a JSON object")
    return value
