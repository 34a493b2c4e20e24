"""Cohere's chat events: dicts, the package's objects, and events on the wire."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from guardstream import AdapterError
from guardstream.formats.cohere import Cohere
from tests.laws.asked import GUARD, check_masked, in_any_cut, recorded, unchanged
from tests.support.optional import optional

cohere = optional("cohere")

RECORDINGS = recorded("vercel*/cohere__*", "other/*cohere*", "other/*test_chains*")


def event(kind: str, index: int | None = None, **message: Any) -> dict[str, Any]:
    place = {} if index is None else {"index": index}
    delta = {"delta": {"message": message}} if message else {}
    return {"type": kind, **place, **delta}


def text(said: str, index: int = 0) -> dict[str, Any]:
    return event("content-delta", index, content={"text": said})


def starts(index: int = 0, kind: str = "text") -> dict[str, Any]:
    return event("content-start", index, content={"type": kind, kind: ""})


def arguments(said: str, index: int = 0) -> dict[str, Any]:
    return event("tool-call-delta", index, tool_calls={"function": {"arguments": said}})


START = event(
    "message-start", role="assistant", content=[], tool_plan="", tool_calls=[], citations=[]
)


def body(*source: dict[str, Any]) -> bytes:
    named = [f"event: {each['type']}\ndata: {json.dumps(each)}\n\n" for each in source]
    return "".join([*named, "data: [DONE]\n\n"]).encode()


def objects(*source: dict[str, Any]) -> list[Any]:
    """The events that the package gives for a body."""

    def handle(_: httpx.Request) -> httpx.Response:
        return httpx.Response(
            200, content=body(*source), headers={"content-type": "text/event-stream"}
        )

    http = httpx.Client(transport=httpx.MockTransport(handle))
    client = cohere.ClientV2(api_key="none", httpx_client=http)
    return list(client.chat_stream(model="m", messages=[]))


def joined(source: Any) -> dict[Any, str]:
    found: dict[Any, str] = {}
    for each in source:
        plain = each if isinstance(each, dict) else each.model_dump()
        message = (plain.get("delta") or {}).get("message") or {}
        content = message.get("content") or {}
        call = message.get("tool_calls") or {}
        said = {
            "text": content.get("text") if content else "",
            (plain.get("index"), "thinking"): content.get("thinking") if content else "",
            (plain.get("index"), "tool_args"): (call.get("function") or {}).get("arguments")
            if call
            else "",
            "plan": message.get("tool_plan"),
        }
        for key, value in said.items():
            if value:
                found[key] = found.get(key, "") + value
    return found


def test_what_is_not_known_is_refused() -> None:
    for source in ([START, event("hologram", words="a")], [START, starts() | {"aside": "a"}]):
        with pytest.raises(AdapterError, match="is not known"):
            list(GUARD.wrap_sync(source, unknown="refuse"))
        assert list(GUARD.wrap_sync(source, format=Cohere(unknown="pass"))) == source


@pytest.mark.corpus
@pytest.mark.parametrize("path", RECORDINGS)
def test_recordings(path: Path) -> None:
    data = path.read_bytes()
    rows = [row.removeprefix("data:").strip() for row in data.decode().splitlines()]
    source = [json.loads(row) for row in rows if row.startswith("{")]
    assert unchanged(source)
    made = objects(*source)
    assert unchanged(made)
    check_masked(source, joined)
    check_masked(made, joined)
    if path.suffix == ".sse":
        assert in_any_cut(data) == data
