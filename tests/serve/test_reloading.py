"""A policy is reloaded beside the event loop, whose other streams go on meanwhile."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeAlias

import httpx
import pytest
from anyio import from_thread

from guardstream import Guard
from guardstream.http import GuardTransport
from guardstream.policy.reload import Watched
from guardstream.serve import GuardMiddleware
from guardstream.serve.proxy import ProxySettings, application
from tests.serve.apps import Upstream, streaming

RULES = """
rules: [{id: word, words: [WORD]}]
input: {rules: [{id: word, words: [WORD], action: block}]}
"""

Client: TypeAlias = Callable[[Guard], httpx.AsyncClient]


def of_middleware(guard: Guard) -> httpx.AsyncClient:
    app = streaming(Upstream([b"one ", b"two"]), "text/plain")
    transport = httpx.ASGITransport(GuardMiddleware(app, guard))
    return httpx.AsyncClient(transport=transport, base_url="http://test")


def of_transport(guard: Guard) -> httpx.AsyncClient:
    inner = httpx.MockTransport(lambda _: httpx.Response(200, text="one two"))
    return httpx.AsyncClient(transport=GuardTransport(guard, inner), base_url="http://test")


def of_proxy(guard: Guard) -> httpx.AsyncClient:
    app = application(ProxySettings("http://127.0.0.1:9", {"default": guard}))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")


async def answered(client: httpx.AsyncClient) -> str:
    return (await client.get("/")).text


async def refused(client: httpx.AsyncClient) -> str:
    body = {"model": "m", "messages": [{"role": "user", "content": "two"}]}
    return (await client.post("/v1/chat/completions", json=body)).text


async def ready(client: httpx.AsyncClient) -> str:
    return (await client.get("/readyz")).text


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("client_of", "ask", "expected"),
    [
        (of_middleware, answered, "one [word]"),
        (of_transport, answered, "one [word]"),
        (of_proxy, refused, "content_filter"),
        (of_proxy, ready, "FINGERPRINT"),
    ],
)
async def test_the_event_loop_runs_while_a_changed_policy_is_loaded(
    client_of: Client,
    ask: Callable[[httpx.AsyncClient], Awaitable[str]],
    expected: str,
    tmp_path: Path,
) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(RULES.replace("WORD", "one"))
    watched, meanwhile = Watched(path), list[str]()
    # Raises unless it is called in a thread, and waits for the event loop.
    watched.checks.append(lambda _: from_thread.run_sync(meanwhile.append, "other streams"))
    async with client_of(Guard(watched)) as client:
        path.write_text(RULES.replace("WORD", "two"))
        answer = await ask(client)
    assert expected.replace("FINGERPRINT", watched.policy().fingerprint) in answer
    assert meanwhile == ["other streams"]
