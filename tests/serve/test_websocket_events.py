"""Messages with one string over a WebSocket: what is held goes out when the client speaks, or in
silence."""

from __future__ import annotations

import json
from typing import Any

import anyio
import pytest
from starlette.websockets import WebSocket

from guardstream import Guard, Policy
from guardstream.serve import GuardMiddleware
from tests.serve.sockets import Call, app_of

pytestmark = pytest.mark.anyio

GUARD = Guard(Policy.parse('rules: [{id: codename, words: [bluebird], replacement: "[c]"}]'))


def said(call: Call) -> list[str]:
    return [json.loads(text)["delta"] for text in call.texts]


async def talk_to(talk: Any, *messages: str, mode: Any, stays: bool = False) -> Call:
    app = GuardMiddleware(app_of(talk), GUARD, websocket=mode)
    return await Call(*messages, stays=stays).to(app)


@pytest.mark.parametrize("mode", ["text", "json"])
async def test_a_match_over_two_messages_is_masked_whole(mode: Any) -> None:
    async def talk(socket: WebSocket) -> None:
        for text in ("it is blue", "bird", " so"):
            await socket.send_text(json.dumps({"delta": text}))

    assert "".join(said(await talk_to(talk, mode=mode))) == "it is [c] so"


@pytest.mark.parametrize("mode", ["text", "json"])
async def test_what_is_held_goes_out_when_the_client_speaks(mode: Any) -> None:
    async def talk(socket: WebSocket) -> None:
        await socket.send_text(json.dumps({"delta": "Shall I delete blue"}))
        await socket.receive_text()
        await socket.send_text(json.dumps({"delta": "bird so"}))

    call = await talk_to(talk, "yes", mode=mode)
    assert said(call) == ["Shall I delete ", "blue", "[c] so"]


@pytest.mark.parametrize("mode", ["text", "json"])
async def test_what_is_held_goes_out_in_silence(mode: Any) -> None:
    async def talk(socket: WebSocket) -> None:
        await socket.send_text(json.dumps({"delta": "Shall I delete blue"}))
        await anyio.sleep(0.5)
        await socket.send_text(json.dumps({"delta": " sky"}))

    call = await talk_to(talk, mode=mode, stays=True)
    assert said(call) == ["Shall I delete ", "blue", " sky"]
