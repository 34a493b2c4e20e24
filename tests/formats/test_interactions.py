"""Events of Google's interactions: dicts, and the package's objects."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from guardstream import AdapterError
from guardstream.formats.google.interactions import Interactions
from tests.laws.asked import GUARD, check_masked, events, recorded, unchanged
from tests.support.optional import optional

genai = optional("google.genai")
types = optional("google.genai.types")

RECORDINGS = recorded("vercel*/google__interactions*")


def start(index: int, kind: str = "model_output", **fields: Any) -> dict[str, Any]:
    return {"event_type": "step.start", "index": index, "step": {"type": kind, **fields}}


def delta(index: int, kind: str, **fields: Any) -> dict[str, Any]:
    return {"event_type": "step.delta", "index": index, "delta": {"type": kind, **fields}}


def text(said: str, index: int = 0) -> dict[str, Any]:
    return delta(index, "text", text=said)


def interaction(kind: str, status: str, **fields: Any) -> dict[str, Any]:
    whole = {"id": "i", "object": "interaction", "status": status, "model": "m", **fields}
    return {"event_type": f"interaction.{kind}", "interaction": whole}


CREATED = interaction("created", "in_progress")


def objects(*source: dict[str, Any]) -> list[Any]:
    """The events that the package gives for a body."""

    def handle(_: httpx.Request) -> httpx.Response:
        return httpx.Response(
            200, content=events(*source), headers={"content-type": "text/event-stream"}
        )

    http = httpx.Client(transport=httpx.MockTransport(handle))
    client = genai.Client(api_key="none", http_options=types.HttpOptions(httpx_client=http))
    return list(client.interactions.create(model="m", input="q", stream=True))


def joined(source: Any) -> dict[Any, str]:
    found: dict[Any, str] = {}
    for each in source:
        plain = each if isinstance(each, dict) else each.model_dump()
        said = plain.get("delta") or {}
        if said.get("type") in ("text", "thought_summary", "arguments_delta"):
            content = (
                said.get("text") or said.get("arguments") or (said.get("content") or {}).get("text")
            )
            kind = {"arguments_delta": "tool_args"}.get(said["type"], said["type"])
            key = (plain["index"], kind)
            found[key] = found.get(key, "") + (content or "")
    return found


def test_what_is_not_known_is_refused() -> None:
    source = [CREATED, start(0, "hologram", words="a")]
    with pytest.raises(AdapterError, match="is not known"):
        list(GUARD.wrap_sync(source, unknown="refuse"))
    assert list(GUARD.wrap_sync(source, format=Interactions(unknown="pass"))) == source


@pytest.mark.corpus
@pytest.mark.parametrize("path", RECORDINGS)
def test_recordings(path: Path) -> None:
    source = [json.loads(row) for row in path.read_text(encoding="utf-8").splitlines() if row]
    assert unchanged(source)
    assert unchanged(objects(*source))
    check_masked(source, joined)
    check_masked(objects(*source), joined)
