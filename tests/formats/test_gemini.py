"""Gemini's responses: objects, REST's dicts, and the array or events that carry them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from guardstream import AdapterError
from guardstream.formats.google.gemini import Gemini
from tests.laws.asked import GUARD, check_masked, in_any_cut, left_raw, masked, recorded, unchanged

RECORDINGS = recorded("gemini/*", "gemini_js_mock_responses/*", "vercel*/google__google*")


def response(*parts: dict[str, Any], finish: str | None = None, **fields: Any) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"parts": list(parts), "role": "model"}, "index": 0}
    if finish:
        candidate["finishReason"] = finish
    return {"candidates": [candidate | fields], "usageMetadata": {"totalTokenCount": 3}}


def text(said: str, **fields: Any) -> dict[str, Any]:
    return response({"text": said}, **fields)


def load(path: Path) -> list[dict[str, Any]]:
    body = path.read_text(encoding="utf-8")
    if body.lstrip().startswith("["):
        found: list[dict[str, Any]] = json.loads(body)
        return found
    rows = (row.removeprefix("data:") for row in body.splitlines() if row.strip())
    return [json.loads(row) for row in rows]


def joined(chunks: Any) -> dict[Any, str]:
    """The text of each kind in each candidate, as a client joins it."""
    found: dict[Any, str] = {}
    for chunk in chunks:
        plain = chunk if isinstance(chunk, dict) else chunk.model_dump(by_alias=True)
        for candidate in plain.get("candidates") or ():
            for part in (candidate.get("content") or {}).get("parts") or ():
                key = (candidate.get("index") or 0, "thought" if part.get("thought") else "text")
                found[key] = found.get(key, "") + (part.get("text") or "")
    return found


def test_what_is_not_known_is_refused() -> None:
    source = [response({"text": "a", "hologram": {"words": "b"}})]
    with pytest.raises(AdapterError, match="is not known"):
        list(GUARD.wrap_sync(source, unknown="refuse"))
    assert list(GUARD.wrap_sync(source, format=Gemini(unknown="pass"))) == source


@pytest.mark.parametrize("body", [b"[{]}]", b'[{"\xff": 1}]'])
def test_an_array_that_is_none_is_an_error(body: bytes) -> None:
    with pytest.raises(AdapterError):
        in_any_cut(body, format="gemini")


@pytest.mark.corpus
@pytest.mark.parametrize("path", RECORDINGS)
def test_recordings(path: Path) -> None:
    source = load(path)
    assert unchanged(source)
    check_masked(source, joined)
    data = path.read_bytes()
    if data[:1] in b"[d":
        assert in_any_cut(data) == data
    guard, word = masked(joined(source), source)
    assert not left_raw(list(guard.wrap_sync(source)), f" {word} ")
