"""Objects that an upstream stores: those that requests name and answers create."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from guardstream.errors import AdapterError
from guardstream.framing.json import json_object
from guardstream.framing.sse import MAX_EVENT, Decoder, Event

_ONE = frozenset(
    {"previous_response_id", "conversation", "conversation_id", "file_id", "input_file_id"}
)
_ONE |= {"container", "container_id", "vector_store_id", "cachedcontent", "cached_content"}
_MANY = frozenset({"file_ids", "vector_store_ids"})
"""Fields of requests that name objects, in lower case, because some upstreams ignore case."""

_URIS = frozenset({"fileuri", "file_uri"})

_OPAQUE = frozenset({"parameters", "input_schema", "schema", "metadata", "arguments"})
"""Fields whose values are the program's own, and name no objects of the upstream."""

_CALLS = frozenset({"tool_use", "server_tool_use", "mcp_tool_use"})

_RESULT_FILES = ("output_file_id", "error_file_id")


def referenced_ids(value: Any) -> Iterator[str]:
    """Yield the ids of the objects that a request names."""
    if isinstance(value, list):
        for inner in value:
            if isinstance(inner, Mapping):
                yield from _in_item(inner)
            else:
                yield from referenced_ids(inner)
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _in_field(name.casefold(), inner)


def _in_item(item: Mapping[str, Any]) -> Iterator[str]:
    """Yield the ids in an item of a list, such as a message, a part of one, or a call."""
    if isinstance(item.get("id"), str) and _refers(item):
        yield item["id"]
    kind = item.get("type")
    for name, inner in item.items():
        if not (name == "input" and kind in _CALLS):
            yield from _in_field(name.casefold(), inner)


def _in_field(name: str, value: Any) -> Iterator[str]:
    if name in _OPAQUE:
        return
    if name in _ONE or name in _MANY:
        yield from _ids(value)
    if name in _URIS and isinstance(value, str) and "files/" in value:
        yield value
    yield from referenced_ids(value)


def _ids(value: Any) -> Iterator[str]:
    """Yield the ids in a field: one, one in an object, or several."""
    if isinstance(value, Mapping):
        value = value.get("id")
    for each in value if isinstance(value, list) else [value]:
        if isinstance(each, str):
            yield each


def _refers(item: Mapping[str, Any]) -> bool:
    """Return whether an item refers to something the upstream has stored, and has no text itself.

    Other fields of a reference are ignored, and so are summaries of reasoning.
    """
    kind = item.get("type")
    if kind == "item_reference" or (kind == "reasoning" and not item.get("encrypted_content")):
        return True
    return all(name in ("id", "type", "status") or not inner for name, inner in item.items())


def created_ids(answer: Mapping[str, Any]) -> Iterator[str]:
    """Yield the ids of the objects in an answer: its own, its items', its files'."""
    whole = answer.get("response") if isinstance(answer.get("response"), dict) else answer
    assert isinstance(whole, Mapping)
    for name in ("id", *_RESULT_FILES):
        if isinstance(whole.get(name), str):
            yield whole[name]
    for name in ("container", "conversation"):
        inner = whole.get(name)
        if isinstance(inner, dict) and isinstance(inner.get("id"), str):
            yield inner["id"]
    items = whole.get("output")
    for item in [*(items if isinstance(items, list) else ()), answer.get("item")]:
        if isinstance(item, dict) and isinstance(item.get("id"), str):
            yield item["id"]


def created_ids_in(body: bytes) -> list[str]:
    """Return the ids of the objects in a JSON answer."""
    return list(dict.fromkeys(created_ids(json_object(body) or {})))


def only_own(answer: dict[str, Any], own: frozenset[str]) -> dict[str, Any]:
    """Return a list of objects reduced to those whose ids are in `own`."""
    found = answer.get("data")
    if not isinstance(found, list):
        return {"object": "list", "data": [], "has_more": False}
    kept = [each for each in found if isinstance(each, dict) and each.get("id") in own]
    shown = {"object": "list", **{name: answer[name] for name in ("object",) if name in answer}}
    first, last = (kept[at].get("id") if kept else None for at in (0, -1))
    more = bool(answer.get("has_more"))
    return {**shown, "data": kept, "first_id": first, "last_id": last, "has_more": more}


def ids_of(answer: dict[str, Any]) -> Iterator[str]:
    """Yield the ids in a list of objects."""
    found = answer.get("data")
    for each in found if isinstance(found, list) else ():
        if isinstance(each, dict) and isinstance(each.get("id"), str):
            yield each["id"]


class ObjectFinder:
    """Finds the ids of objects in the events of a stream; in most formats, only the first."""

    def __init__(self, format: str) -> None:
        self._decoder = Decoder(max_line=2 * MAX_EVENT, max_event=2 * MAX_EVENT)
        self._reported: set[str] = set()
        self._all = format == "openai_responses"

    def feed(self, frames: bytes) -> list[str]:
        """Take events that are about to be sent; return the ids that are new in them."""
        if self._reported and not (self._all and b'"id"' in frames):
            return []
        found: list[str] = []
        for item in self._decoder.feed(frames):
            if not isinstance(item, Event) or (self._reported and not self._all):
                continue
            found += (each for each in created_ids(_read(item.data)) if each not in self._reported)
            self._reported.update(found)
        return found


def _read(data: str) -> dict[str, Any]:
    try:
        return json_object(data) or {}
    except AdapterError:
        return {}
