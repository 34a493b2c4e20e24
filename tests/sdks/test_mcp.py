"""Servers and clients of the Model Context Protocol, with a guard between them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest
from starlette.responses import JSONResponse, Response

from guardstream import Guard, Policy
from guardstream.http import GuardTransport
from guardstream.serve import GuardMiddleware
from guardstream.serve.proxy import ProxySettings, application
from guardstream.serve.proxy.protocol import BoundedProtocol
from tests.serve.apps import app_of
from tests.serve.server import serving
from tests.serve.visit import Visit
from tests.support.optional import optional

httpx2 = optional("httpx2")
Client, MCPError = optional("mcp", "Client", "MCPError")
streamable_http_client = optional("mcp.client.streamable_http", "streamable_http_client")
MCPServer = optional("mcp.server", "MCPServer")

GUARD = Guard(
    Policy.parse(
        """
rules:
  - {id: word, words: [secret], replacement: "#"}
  - {id: bad, words: [forbidden], action: block}
"""
    )
)

MODES: list[Any] = ["auto", "legacy"]
"""An answer is JSON in newer versions of the protocol, and server-sent events in older ones."""


def server() -> Any:
    made = MCPServer("demo")

    @made.tool()
    def find() -> str:
        """Find a secret."""
        return "a secret"

    @made.tool()
    def blocked() -> str:
        """Say what must not be said."""
        return "so forbidden"

    return made.streamable_http_app()


@contextmanager
def served(app: Any) -> Iterator[str]:
    with serving(app, lifespan="on") as port:
        yield f"http://127.0.0.1:{port}/mcp"


@asynccontextmanager
async def below(url: str, transport: GuardTransport, mode: Any) -> Any:
    """A client with a guard below it."""
    async with (
        httpx2.AsyncClient(transport=transport) as client,
        Client(streamable_http_client(url, http_client=client), mode=mode) as session,
    ):
        yield session


async def check(session: Client) -> None:
    """Check that what tools say is masked, and that a block fails one call and not the session."""
    tools = (await session.list_tools()).tools
    assert tools[0].description == "Find a ######."
    with pytest.raises(MCPError, match="the answer was blocked by rule 'bad'"):
        await session.call_tool("blocked")
    assert "a ######" in str((await session.call_tool("find")).content)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.asyncio
async def test_a_blocked_tool_fails_its_call_behind_the_middleware(mode: Any) -> None:
    with served(GuardMiddleware(server(), GUARD, on_block="error")) as url:
        async with Client(url, mode=mode) as session:
            await check(session)


@contextmanager
def proxied(guard: Guard, on_block: Any = "finish") -> Iterator[str]:
    """A server of MCP behind the proxy."""
    with served(server()) as url:
        upstream, guards = url.removesuffix("/mcp"), {"default": guard}
        settings = ProxySettings(upstream, guards, other="guard", on_block=on_block)
        with serving(application(settings), lifespan="on", http=BoundedProtocol) as port:
            yield f"http://127.0.0.1:{port}/mcp"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.asyncio
async def test_a_blocked_tool_fails_its_call_behind_the_proxy(mode: Any) -> None:
    with proxied(GUARD, "error") as url:
        async with Client(url, mode=mode) as session:
            await check(session)


@pytest.mark.asyncio
async def test_a_forbidden_call_fails_behind_the_proxy_and_no_other() -> None:
    rules = "rules: [{id: bad, words: [forbidden], action: block}]"
    with proxied(Guard(Policy.parse(f"input: {{{rules}}}"))) as url:
        async with Client(url, mode="auto") as session:
            with pytest.raises(MCPError, match="bad"):
                await session.call_tool("find", {"what": "so forbidden"})
            assert "a secret" in str((await session.call_tool("find")).content)


def test_an_error_of_the_proxy_has_the_id_of_the_call() -> None:
    settings = ProxySettings("http://127.0.0.1:1", {"default": GUARD}, other="guard")
    called = {"jsonrpc": "2.0", "id": "call_7", "method": "tools/list"}
    with serving(application(settings), lifespan="on", http=BoundedProtocol) as port:
        url = f"http://127.0.0.1:{port}/mcp"
        answer, other = httpx2.post(url, json=called), httpx2.post(url, json={})
    said = answer.json()
    assert (answer.status_code, said["id"], said["error"]["code"]) == (502, "call_7", -32000)
    assert "jsonrpc" not in other.json()


@pytest.mark.parametrize("provider", [None, "mcp"])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.asyncio
async def test_a_blocked_tool_fails_its_call_below_a_client(
    mode: Any, provider: str | None
) -> None:
    transport = GuardTransport(GUARD, format=provider, on_block="error")
    with served(server()) as url:
        async with below(url, transport, mode) as session:
            await check(session)


@pytest.mark.asyncio
async def test_a_block_below_a_client_leaves_its_session_open_without_the_setting() -> None:
    with served(server()) as url:
        async with below(url, GuardTransport(GUARD), "auto") as session:
            await check(session)


@pytest.mark.asyncio
async def test_a_refused_answer_says_why_without_the_setting() -> None:
    with served(GuardMiddleware(server(), GUARD)) as url:
        async with Client(url, mode="auto") as session:
            with pytest.raises(MCPError, match="the policy blocked the answer"):
                await session.call_tool("blocked")
            assert "a ######" in str((await session.call_tool("find")).content)


@pytest.mark.parametrize(
    ("own", "told"),
    [(7, 7), ("call_7", "call_7"), (None, None), ("a secret", None), ("forbidden", None)],
)
@pytest.mark.parametrize(("on_block", "status"), [("finish", 502), ("error", 400)])
@pytest.mark.anyio
async def test_the_error_has_the_id_of_the_call_if_no_rule_changes_it(
    on_block: Any, status: int, own: Any, told: Any
) -> None:
    answer = {"jsonrpc": "2.0", "id": own, "result": {"said": "so forbidden"}}
    app = GuardMiddleware(app_of(lambda _: JSONResponse(answer)), GUARD, on_block=on_block)
    visit = await Visit().to(app)
    said = json.loads(visit.body)
    assert (visit.status, visit.headers["x-should-retry"]) == (status, "false")
    assert (said["jsonrpc"], said["id"]) == ("2.0", told)
    assert said["error"]["data"] == {"code": "content_filter"}


@pytest.mark.parametrize(
    ("section", "own", "told"), [("json: {}", "call_7", "call_7"), ("", "a secret", None)]
)
@pytest.mark.anyio
async def test_the_id_in_an_error_is_judged_as_in_an_answer(
    section: str, own: str, told: str | None
) -> None:
    rules = f"""
{section}
rules:
  - {{id: word, words: [secret], channels: [tool_args]}}
  - {{id: bad, words: [forbidden], action: block}}
"""
    answer = {"jsonrpc": "2.0", "id": own, "result": {"said": "so forbidden"}}
    app = GuardMiddleware(app_of(lambda _: JSONResponse(answer)), Guard(Policy.parse(rules)))
    assert json.loads((await Visit().to(app)).body)["id"] == told


@pytest.mark.parametrize(
    "body",
    [
        b'{"said": "forbidden"}',
        b'{"jsonrpc": "1.0", "id": 7, "result": "forbidden"}',
        b'[{"jsonrpc": "2.0", "id": 7, "result": "forbidden"}]',
        b'{"jsonrpc": "2.0", "id": 7, "id": 8, "result": "forbidden"}',
    ],
)
@pytest.mark.anyio
async def test_other_answers_are_refused_as_before(body: bytes) -> None:
    app = app_of(lambda _: Response(body, media_type="application/json"))
    visit = await Visit().to(GuardMiddleware(app, GUARD))
    assert visit.status == 502
    assert json.loads(visit.body).keys() == {"error"}


@pytest.mark.anyio
async def test_a_long_answer_to_a_call_is_refused_as_a_short_one() -> None:
    answer = {"jsonrpc": "2.0", "id": 7, "result": {"said": "so " * 5_000 + "forbidden"}}
    visit = await Visit().to(GuardMiddleware(app_of(lambda _: JSONResponse(answer)), GUARD))
    assert (visit.status, json.loads(visit.body)["id"]) == (502, 7)


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ({"id": 7, "result": {"content": [{"type": "text", "text": "so forbidden"}]}}, 7),
        ({"id": "forbidden", "result": {"content": [{"type": "text", "text": "forbidden"}]}}, None),
        ({"id": True, "result": {"content": [{"type": "text", "text": "so forbidden"}]}}, None),
        ({"id": 7, "method": "elicit", "params": {"message": "so forbidden"}}, None),
    ],
)
def test_the_error_that_ends_a_stream_answers_the_call_that_was_blocked(
    message: dict[str, Any], told: int | None
) -> None:
    guard = GUARD.with_on_block("error")
    frame = f"event: message\ndata: {json.dumps({'jsonrpc': '2.0', **message})}\n\n".encode()
    for cut in range(0, len(frame), 7):
        stream = guard.wrap_sync(iter([frame[:cut], frame[cut:]]), format="mcp")
        (data,) = [line for line in b"".join(stream).splitlines() if line.startswith(b"data:")]
        assert json.loads(data[5:])["id"] == told
