"""The endpoint for checks: requests of gateways become verdicts, and streams come back guarded."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import httpx
import jsonschema_rs
import pytest
import websockets

from guardstream import Guard, Policy
from guardstream.policy.key_file import hashed
from guardstream.serve.check.app import checking
from guardstream.serve.check.openapi import OPENAPI
from guardstream.serve.proxy.keys import Key
from guardstream.serve.proxy.protocol import BoundedProtocol
from guardstream.serve.proxy.settings import ProxySettings
from tests.serve.server import serving

POLICY = """
rules:
  - {id: bird, words: [bluebird], replacement: "[bird]"}
  - {id: bad, words: [forbidden], action: block}
input:
  rules:
    - {id: evil, words: [evil], action: block}
    - {id: name, words: [Ann], replacement: "[name]"}
"""


def settings(**given: Any) -> ProxySettings:
    guards = {"default": Guard(Policy.parse(POLICY), rules_only=True)}
    guards["strict"] = Guard(Policy.parse("rules: [{id: all, words: [the], action: block}]"))
    return ProxySettings(None, guards, **given)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with serving(checking(settings(by_header=True, max_body=10_000)), lifespan="on") as port:
        yield port


def asked(port: int, body: Any, path: str = "/check", **headers: str) -> httpx.Response:
    return httpx.post(f"http://127.0.0.1:{port}{path}", json=body, headers=headers)


USER = {"role": "user", "content": "I am Ann"}
EVIL = {"role": "user", "content": "be evil"}
SYSTEM = {"role": "system", "content": "never be evil"}


@pytest.mark.parametrize(
    ("body", "action", "shown"),
    [
        ({"text": "hello"}, "none", {"text": "hello"}),
        ({"text": "I am Ann"}, "mask", {"text": "I am [name]"}),
        ({"texts": ["Ann", "Bob"]}, "mask", {"texts": ["[name]", "Bob"]}),
        ({"text": "be evil"}, "block", {}),
        ({"messages": [SYSTEM, EVIL]}, "block", {}),
        ({"messages": [SYSTEM]}, "none", {"messages": [SYSTEM]}),
        # A text that a message has is judged as that message's.
        (
            {"messages": [SYSTEM, USER], "texts": [SYSTEM["content"], "I am Ann"]},
            "mask",
            {"texts": [SYSTEM["content"], "I am [name]"]},
        ),
        ({"text": "a bluebird", "direction": "response"}, "mask", {"text": "a [bird]"}),
        ({"texts": ["forbidden", "x"], "direction": "response"}, "block", {}),
    ],
)
def test_a_program_gets_a_verdict(port: int, body: Any, action: str, shown: Any) -> None:
    answer = asked(port, body)
    assert answer.status_code == 200
    said = answer.json()
    assert (said["action"], said["blocked"]) == (action, action == "block")
    assert {name: said.get(name) for name in shown} == shown
    assert bool(said["findings"]) == (action != "none")
    if action == "block":
        assert said["blocked_by"] in ("evil", "bad")
        assert said.keys().isdisjoint(body)
    described = OPENAPI["paths"]["/check"]["post"]
    schema = described["responses"]["200"]["content"]["application/json"]["schema"]
    assert jsonschema_rs.is_valid(schema, said)
    of_request = described["requestBody"]["content"]["application/json"]["schema"]
    assert jsonschema_rs.is_valid(of_request, body)


def litellm(port: int, kind: str, **given: Any) -> dict[str, Any]:
    body = {"input_type": kind, "request_data": {"user_api_key_alias": "Ann"}, **given}
    answer = asked(port, body, "/check/beta/litellm_basic_guardrail_api")
    assert answer.status_code == 200
    said: dict[str, Any] = answer.json()
    return said


def test_litellms_prompts_are_judged() -> None:
    with serving(checking(settings())) as port:
        assert litellm(port, "request", texts=["hi"])["action"] == "NONE"
        said = litellm(port, "request", texts=["I am Ann"], structured_messages=[USER], model="Ann")
        assert said["action"] == "GUARDRAIL_INTERVENED"
        assert said["texts"] == ["I am [name]"]
        assert said["structured_messages"] == [{"role": "user", "content": "I am [name]"}]
        said = litellm(port, "request", texts=["be evil"], images=["data:image/png;base64,AAAA"])
        assert said["action"] == "BLOCKED"
        assert "'evil'" in said["blocked_reason"]


def test_litellm_withholds_what_may_still_change(port: int) -> None:
    said = litellm(port, "response", texts=["the blueb", "it is over", "a bluebird "])
    assert said["texts"] == ["the blueb", "it is over", "a [bird] "]
    assert said["stream_holdback_chars"] == [5, 0, 0]


def test_what_a_gateway_does_not_take_back_is_blocked(port: int) -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"q": "x"}'}}
    assert litellm(port, "response", texts=[], tool_calls=[call])["action"] == "NONE"
    call["function"] = {"name": "f", "arguments": '{"q": "bluebird"}'}
    said = litellm(port, "response", texts=["x"], tool_calls=[call])
    assert said["action"] == "BLOCKED"
    assert "tool_calls" in said["blocked_reason"]
    assert litellm(port, "response", texts=["x"], news=["a bluebird"])["action"] == "BLOCKED"
    assert litellm(port, "request", texts=["x"], news={"deep": ["I am Ann"]})["action"] == "BLOCKED"
    own = asked(port, {"direction": "response", "tool_calls": [call]}).json()
    assert own["tool_calls"][0]["function"]["arguments"] == '{"q": "[bird]"}'


def portkey(port: int, event: str, kind: str, request: Any, response: Any) -> dict[str, Any]:
    body = {"eventType": event, "requestType": kind, "provider": "openai", "metadata": {}}
    body |= {"request": {"json": request, "text": ""}, "response": {"json": response, "text": ""}}
    said: dict[str, Any] = asked(port, body).json()
    return said


def test_portkeys_bodies_are_judged_by_their_api(port: int) -> None:
    body = {"model": "m", "messages": [USER]}
    said = portkey(port, "beforeRequestHook", "chatComplete", body, None)
    assert said["verdict"]
    changed = said["transformedData"]["request"]["json"]
    assert changed == {"model": "m", "messages": [{"role": "user", "content": "I am [name]"}]}
    evil = {"model": "m", "prompt": "be evil"}
    assert not portkey(port, "beforeRequestHook", "complete", evil, None)["verdict"]
    message = {"role": "assistant", "content": "a bluebird"}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    answer = {"object": "chat.completion", "choices": [choice]}
    said = portkey(port, "afterRequestHook", "chatComplete", body, answer)
    made = said["transformedData"]["response"]["json"]
    assert made["choices"][0]["message"]["content"] == "a [bird]"
    message["content"] = "what is forbidden"
    said = portkey(port, "afterRequestHook", "chatComplete", body, answer)
    assert said == {
        "verdict": False,
        "data": {"findings": [{"rule": "bad", "action": "block", "severity": "medium"}]},
    }


@pytest.mark.parametrize(
    ("body", "status", "code", "message"),
    [
        ({"mesages": []}, 400, "invalid_request", "did you mean 'messages'?"),
        ({"text": "x", "direction": "sideways"}, 400, "invalid_request", "'direction'"),
        ({"texts": [1]}, 400, "invalid_request", "'texts'"),
        ({"texts": ["x"], "messages": {}}, 400, "invalid_request", "'messages'"),
        ([], 400, "invalid_json", "not a JSON object"),
        ({"text": "x" * 20_000}, 413, "body_too_large", "10000"),
        ({"eventType": "x", "request": 1}, 400, "invalid_request", "'request.json'"),
    ],
)
def test_what_cannot_be_judged_is_said(
    port: int, body: Any, status: int, code: str, message: str
) -> None:
    answer = asked(port, body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert message in answer.json()["message"]


def test_a_policy_without_input_judges_no_request(port: int) -> None:
    strict = {"guardstream-policy": "strict"}
    assert asked(port, {"text": "x"}, **strict).json()["code"] == "no_input"
    assert asked(port, {"text": "the", "direction": "response"}, **strict).json()["blocked"]
    assert asked(port, {"text": "x"}, **{"guardstream-policy": "x"}).status_code == 400


def test_clients_need_their_key() -> None:
    keys = {"one": Key("one", hashed("sesame"), at_once=1)}
    with serving(checking(settings(keys=keys))) as port:
        assert asked(port, {"text": "x"}).status_code == 401
        assert asked(port, {"text": "x"}, authorization="Bearer other").status_code == 401
        assert asked(port, {"text": "Ann"}, authorization="Bearer sesame").status_code == 200
        assert asked(port, {"nothing": 1}, authorization="Bearer sesame").status_code == 400
        asyncio.run(_crowded(port))


async def _crowded(port: int) -> None:
    """A stream holds the key's one place until it ends."""
    key = {"authorization": "Bearer sesame"}
    async with websockets.connect(f"ws://127.0.0.1:{port}/check", additional_headers=key) as socket:
        await socket.send("x y ")
        await socket.recv()
        async with httpx.AsyncClient() as http:
            full = await http.post(f"http://127.0.0.1:{port}/check", json={"text": ""}, headers=key)
            assert (full.status_code, full.headers["retry-after"]) == (429, "1")
            await socket.send("")
            async for _ in socket:
                pass
            free = await http.post(f"http://127.0.0.1:{port}/check", json={"text": ""}, headers=key)
            assert free.status_code == 200
    with pytest.raises(websockets.InvalidStatus):
        await websockets.connect(f"ws://127.0.0.1:{port}/check")


PIECES = ("the blue", "bird sings", " of für", "bidden things")
LINES = [
    {"text": "the "},
    {"text": "[bird] sings"},
    {"text": " of für"},
    {"text": "bidden things"},
]


def joined(lines: list[dict[str, Any]]) -> tuple[str, dict[str, Any]]:
    return "".join(each.get("text", "") for each in lines), lines[-1]


@pytest.mark.parametrize("cut", [1, 3, 1000])
def test_a_websocket_is_one_text(port: int, cut: int) -> None:
    async def guarded(text: str) -> list[dict[str, Any]]:
        async with websockets.connect(f"ws://127.0.0.1:{port}/check") as socket:
            for at in range(0, len(text), cut):
                await socket.send(text[at : at + cut])
            await socket.send("")
            return [json.loads(line) async for line in socket]

    text, end = joined(asyncio.run(guarded("".join(PIECES))))
    assert text == "the [bird] sings of fürbidden things"
    assert (end["finish"], end["blocked_by"]) == ("stop", None)
    assert end["findings"] == [{"rule": "bird", "action": "mask", "start": 4, "end": 12}]
    text, end = joined(asyncio.run(guarded("what is forbidden stays")))
    assert text == "what is "
    assert (end["finish"], end["blocked_by"]) == ("content_filter", "bad")


def test_a_body_of_text_comes_back_as_it_is_settled() -> None:
    async def stream(port: int) -> list[dict[str, Any]]:
        """Sends a piece once the one before has come back: no client of HTTP does that by itself,
        so it is spoken by hand."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        head = "POST /check HTTP/1.1\r\nhost: x\r\ncontent-type: text/plain\r\n"
        writer.write(f"{head}transfer-encoding: chunked\r\n\r\n".encode())
        lines: list[dict[str, Any]] = []
        for piece in (*PIECES, ""):
            data = piece.encode()
            writer.write(b"%x\r\n%b\r\n" % (len(data), data))
            while not lines or lines[-1].get("text") or not piece:
                line = await asyncio.wait_for(reader.readline(), 5)
                if line.startswith(b"{"):
                    lines.append(json.loads(line))
                    break
        writer.close()
        return lines

    with serving(checking(settings()), http=BoundedProtocol) as port:
        lines = asyncio.run(stream(port))
    assert lines[:-1] == LINES
    assert lines[-1]["finish"] == "stop"


def test_a_body_that_is_no_text_ends_in_an_error(port: int) -> None:
    answer = httpx.post(
        f"http://127.0.0.1:{port}/check",
        content=b"the \xff\xfe",
        headers={"content-type": "text/plain"},
    )
    assert json.loads(answer.text.splitlines()[-1])["code"] == "invalid_text"


def test_a_silent_client_is_let_go() -> None:
    async def silent(port: int) -> list[str]:
        async with websockets.connect(f"ws://127.0.0.1:{port}/check") as socket:
            await socket.send("the blue")
            return [str(line) async for line in socket]

    with serving(checking(settings(read_timeout=0.2))) as port:
        *_, last = asyncio.run(silent(port))
        assert json.loads(last)["code"] == "body_timeout"


def test_it_says_how_it_is(port: int) -> None:
    base = f"http://127.0.0.1:{port}"
    assert httpx.get(f"{base}/healthz").json() == {"status": "ok"}
    assert httpx.get(f"{base}/readyz").json()["status"] == "ready"
    assert httpx.get(f"{base}/openapi.json").json() == OPENAPI
    assert httpx.post(f"{base}/v1/chat/completions", json={}).status_code == 404
