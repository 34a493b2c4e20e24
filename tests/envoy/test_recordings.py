"""Recordings of other projects through Envoy: what comes out is what the proxy says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from guardstream import Guard, Policy
from guardstream.serve.proxy import ProxySettings, application
from tests.envoy.gateway import Gateway
from tests.envoy.provider import provider
from tests.serve.server import serving
from tests.support.corpora import CORPORA, needs_corpora

pytestmark = [pytest.mark.corpus, needs_corpora]

POLICY = """
rules:
  - {id: common, words: [the, is, you, of, hello], replacement: "#"}
  - {id: rare, words: [London, banana], action: block}
"""

GEMINI = "/v1beta/models/m:streamGenerateContent"

PATHS = {
    "openai_chat": "/v1/chat/completions",
    "openai_completions": "/v1/completions",
    "openai_responses": "/v1/responses",
    "anthropic_messages": "/v1/messages",
    "anthropic": "/v1/messages",
    "gemini": GEMINI + "?alt=sse",
    "gemini_array": GEMINI,
    "ollama": "/api/chat",
}
KINDS = {
    ".sse": "text/event-stream",
    ".ndjson": "application/x-ndjson",
    ".json": "application/json",
}


def recordings(folder: str) -> list[Path]:
    found = [CORPORA / each / folder for each in ("streams", "streams_more")]
    return [path for each in found if each.is_dir() for path in sorted(each.iterdir())]


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, Any]]:
    """Clients of an Envoy, and of a proxy, before the same provider."""
    with provider() as upstream:
        guards = {"default": Guard(Policy.parse(POLICY, name="policy.yaml"))}
        settings = ProxySettings(upstream=f"http://127.0.0.1:{upstream}", guards=guards)
        folder = tmp_path_factory.mktemp("recordings")
        with (
            Gateway(folder, upstream, policy=POLICY) as gateway,
            serving(application(settings), lifespan="on") as port,
            httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20) as client,
        ):
            gateway.wait()
            yield gateway.client, client


@pytest.mark.parametrize("size", [13, 4096])
@pytest.mark.parametrize("folder", PATHS)
def test_a_recording_comes_out_as_from_the_proxy(
    sides: tuple[Any, Any], folder: str, size: int
) -> None:
    changed = 0
    paths = recordings(folder)
    for path in paths:
        asked = {
            **{"model": "m", "messages": [], "input": "x", "prompt": "x", "contents": []},
            **{"max_tokens": 9, "stream": True, "size": size},
            **{"replay": str(path), "type": KINDS[path.suffix]},
        }
        through, wanted = (client.post(PATHS[folder], json=asked) for client in sides)
        assert (through.status_code, through.content) == (wanted.status_code, wanted.content), path
        changed += wanted.content != path.read_bytes()
    assert len(paths) < 3 or changed > len(paths) / 4
