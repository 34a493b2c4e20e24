"""Judges a request's text by the policy's `input` before the request is forwarded."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from guardstream.framing.json import json_bytes, json_object
from guardstream.guard import Guard
from guardstream.http.bodies import Outgoing
from guardstream.http.forms import Part, read_form, write_form
from guardstream.http.request import RefusedError, checked_request, object_of, refused
from guardstream.http.request_fields import NAMES
from guardstream.serve.proxy.endpoints import Endpoint, EndpointTable

BATCH = "batch"
"""The purpose of a file that is a batch of requests."""


_JSON = b"application/json"


class RequestContent(NamedTuple):
    """A request as the proxy itself reads it: its JSON, or the fields and lines of its form."""

    fields: Mapping[str, Any]
    batch: list[dict[str, Any]]
    """The bodies of its requests, if it is a batch."""


def checked(
    guard: Guard, endpoint: Endpoint, table: EndpointTable, kind: str, body: bytes
) -> Outgoing:
    """Return what may be forwarded of a request. RefusedError if it cannot be judged.

    `kind` is its content type.
    """
    if not endpoint.request:
        return Outgoing(b"")
    if endpoint.request == "form":
        content_type, made = write_form(_checked_form(guard, table, read_form(kind, body)))
        return Outgoing(made, content_type)
    if endpoint.request == "batch":
        return Outgoing(_checked_batch(guard, endpoint, body), _JSON)
    return Outgoing(checked_request(guard, endpoint.request, body), _JSON)


def asks_for_stream(endpoint: Endpoint, body: bytes) -> bool:
    """Return whether a judged request asks for a streamed answer."""
    if endpoint.path.endswith(":streamGenerateContent"):
        return True
    usual = endpoint.request == "ollama"  # which streams unless it is told not to
    return (json_object(body) or {}).get("stream", usual) is True


def read(endpoint: Endpoint, kind: str, body: bytes) -> RequestContent:
    """Return what the proxy reads of a request. RefusedError if that cannot be read."""
    if not endpoint.request:
        return RequestContent({}, [])
    if endpoint.request != "form":
        fields = object_of(body)
        batch = _requests(fields) if endpoint.request == "batch" else []
        return RequestContent(fields, [each["params"] for each in batch])
    parts = read_form(kind, body)
    fields = {part.name: part.text() for part in parts if not part.is_file}
    if fields.get("purpose") != BATCH:
        return RequestContent(fields, [])
    lines = [_line(line) for part in parts if part.is_file for line in _lines(part.data)]
    return RequestContent(fields, [line["body"] for line in lines])


def _checked_form(guard: Guard, table: EndpointTable, parts: list[Part]) -> list[Part]:
    """Check a form: its texts and names as the user's, and the requests of a batch."""
    purposes = [part.text() for part in parts if part.name == "purpose"]
    if len(purposes) > 1:
        raise RefusedError(400, "invalid_form", "the form has two purposes for its file")
    fields = [(part, *field) for part in parts for field in _texts_of(part)]
    texts = {"text": [text for _, _, text in fields]}  # all at once, by a name that is not judged
    judged = object_of(checked_request(guard, "form", json_bytes(texts)))["text"]
    for (part, attribute, _), text in zip(fields, judged, strict=True):
        setattr(part, attribute, text.encode() if attribute == "data" else text)
    if purposes == [BATCH]:
        for part in parts:
            if part.is_file:
                part.data = b"".join(
                    _checked_line(guard, table, line) for line in _lines(part.data)
                )
    return parts


def _texts_of(part: Part) -> Iterator[tuple[str, str]]:
    """Yield the texts in a field of a form, each after the attribute that has it."""
    if not (part.is_file or part.name in NAMES):
        yield "name", part.name
    if part.filename:
        yield "filename", part.filename
    if not part.is_file and part.name != "model":
        yield "data", part.text()


def _lines(data: bytes) -> list[bytes]:
    return [line for line in data.removeprefix(BOM_UTF8).split(b"\n") if line.strip()]


def _line(line: bytes) -> dict[str, Any]:
    """Read one request of OpenAI's batches: https://platform.openai.com/docs/guides/batch."""
    value = object_of(line)
    if not isinstance(value.get("body"), dict) or not isinstance(value.get("url"), str):
        raise RefusedError(400, "invalid_batch", "a line of the batch has no 'url' or no 'body'")
    return value


def _checked_line(guard: Guard, table: EndpointTable, line: bytes) -> bytes:
    value = _line(line)
    endpoint = table.find(str(value.get("method", "POST")).upper(), value["url"]).endpoint
    if not endpoint.request or endpoint.request in ("form", "batch"):
        raise RefusedError(400, "invalid_batch", "a line of the batch is for no known endpoint")
    body = checked_request(guard, endpoint.request, _json(value["body"]))
    return _json({**value, "body": object_of(body)}) + b"\n"


def _checked_batch(guard: Guard, endpoint: Endpoint, body: bytes) -> bytes:
    """Check the requests of Anthropic's batches: https://docs.anthropic.com/en/api/creating-message-batches."""
    whole = object_of(body)
    requests = []
    for each in _requests(whole):
        params = checked_request(guard, endpoint.format, _json(each["params"]))
        requests.append({**each, "params": object_of(params)})
    return _json({**whole, "requests": requests})


def _requests(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = body.get("requests")
    if not isinstance(found, list) or not all(
        isinstance(each, dict) and isinstance(each.get("params"), dict) for each in found
    ):
        raise RefusedError(400, "invalid_batch", "'requests' is not a list of requests")
    return found


def _json(value: dict[str, Any]) -> bytes:
    with refused():
        return json_bytes(value)
