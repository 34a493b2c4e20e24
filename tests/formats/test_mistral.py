"""The mistralai package's events, made by its client from what Mistral sends."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from guardstream import AdapterError
from guardstream.formats.mistral.chat import Mistral
from tests.formats.chunks import chunk
from tests.laws.asked import GUARD, check_masked, recorded, unchanged
from tests.support.samples.mistral import objects

RECORDINGS = recorded("vercel*/mistral__*")


def thinking(said: str) -> dict[str, Any]:
    return {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": said}]}]}


def joined(source: Any) -> dict[Any, str]:
    found: dict[Any, str] = {}
    for each in source:
        for choice in each.data.choices:
            content = choice.delta.content or ""
            parts = [("text", content)] if isinstance(content, str) else map(_part, content)
            calls = choice.delta.tool_calls or ()
            for key, said in [*parts, *(("tool_args", c.function.arguments) for c in calls)]:
                found[key] = found.get(key, "") + said
    return {key: said for key, said in found.items() if said}


def _part(part: Any) -> tuple[str, str]:
    if part.type == "thinking":
        return "thinking", "".join(inner.text for inner in part.thinking)
    return "text", part.text


def test_what_is_not_known_is_refused() -> None:
    source = [{"data": chunk({"content": "a", "aside": "words"})}]
    with pytest.raises(AdapterError, match="is not known"):
        list(GUARD.wrap_sync(source, unknown="refuse"))
    assert list(GUARD.wrap_sync(source, format=Mistral(unknown="pass"))) == source


@pytest.mark.corpus
@pytest.mark.parametrize("path", RECORDINGS)
def test_recordings(path: Path) -> None:
    rows = path.read_text(encoding="utf-8").splitlines()
    source = objects(*(json.loads(row) for row in rows if row))
    assert unchanged(source)
    check_masked(source, joined)
