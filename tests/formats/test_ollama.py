"""Ollama's responses: lines of JSON, and the package's objects."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from guardstream import AdapterError
from guardstream.formats.ollama import Ollama
from tests.laws.asked import GUARD, check_masked, in_any_cut, lines, recorded, unchanged
from tests.support.optional import optional

ollama = optional("ollama")

RECORDINGS = recorded("ollama/*")


def chat(content: str = "", *, done: bool = False, **fields: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": content, **fields}
    last = {"done_reason": "stop", "eval_count": 3} if done else {}
    return {"model": "m", "created_at": "t", "message": message, "done": done, **last}


def objects(*chunks: dict[str, Any]) -> list[Any]:
    """The responses that the package gives for a body."""

    def handle(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=lines(*chunks))

    client = ollama.Client(transport=httpx.MockTransport(handle))
    if "message" in chunks[0]:
        return list(client.chat(model="m", messages=[], stream=True))
    return list(client.generate(model="m", prompt="q", stream=True))


def joined(chunks: Any) -> dict[Any, str]:
    found: dict[Any, str] = {}
    for chunk in chunks:
        plain = chunk if isinstance(chunk, dict) else chunk.model_dump()
        message = plain.get("message") or {}
        for name, text in (
            ("content", message.get("content") or plain.get("response")),
            ("thinking", message.get("thinking") or plain.get("thinking")),
        ):
            found[name] = found.get(name, "") + (text or "")
    return found


def test_what_is_not_known_is_refused() -> None:
    source = [chat("a", aside="words")]
    with pytest.raises(AdapterError, match="is not known"):
        list(GUARD.wrap_sync(source, unknown="refuse"))
    assert list(GUARD.wrap_sync(source, format=Ollama(unknown="pass"))) == source


@pytest.mark.corpus
@pytest.mark.parametrize("path", RECORDINGS)
def test_recordings(path: Path) -> None:
    data = path.read_bytes()
    source = [json.loads(row) for row in data.splitlines()]
    assert unchanged(source)
    assert unchanged(objects(*source))
    assert in_any_cut(data) == data
    check_masked(source, joined)
    check_masked(objects(*source), joined)
