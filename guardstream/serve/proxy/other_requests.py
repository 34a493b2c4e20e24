"""Reads requests to paths that the proxy does not know."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from guardstream.http.bodies import body_of
from guardstream.http.forms import Part, read_form
from guardstream.http.media import FIELDS, media_of
from guardstream.http.other_requests import form_fields, is_undeclared_json
from guardstream.http.queries import query_parts
from guardstream.serve.proxy.budgets import FILE
from guardstream.serve.proxy.requests import RequestContent

_APART = re.compile(r"[^\w.-]+")


def read(kind: str, query: str, body: bytes) -> RequestContent:
    """Return what the proxy reads of a request. RefusedError for one that cannot be read."""
    media = media_of(kind)
    fields: dict[str, Any] = {}
    if media == "multipart/form-data":
        parts = read_form(kind, body)
        fields = {part.name: _weighed(part) for part in parts}
    elif media == FIELDS and not is_undeclared_json(body):
        fields = dict(form_fields(body))
    elif body:
        form, value = body_of(media, body)
        fields = value if form == "json" and isinstance(value, dict) else {"": value}
        fields = {"": _FILE} if form == "unread" else fields
    return RequestContent({**fields, "?": [text for _, text in query_parts(query)]}, [])


_FILE = "data:" + "." * FILE
"""Stands for a file, which is counted as one."""


def _weighed(part: Part) -> str:
    """Return the text by which a field of a form is counted."""
    return part.text() if part.filename is None else _FILE


def named_in(path: str, query: str) -> Iterator[str]:
    """Yield the names in a path and its query that may be ids of stored objects."""
    for text in (path, *(text for _, text in query_parts(query))):
        yield from (name for name in _APART.split(unquote(text)) if name)
