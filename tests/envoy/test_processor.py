"""The external processor behind a real Envoy: guarded as by the proxy, and closed if it fails.

`make scale` has what they need.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from guardstream import Guard, Policy
from guardstream.serve.proxy import ProxySettings, application
from tests.envoy.gateway import POLICY, Gateway
from tests.envoy.provider import Provider, provider
from tests.serve.server import serving
from tests.support.optional import needs


@pytest.fixture(scope="module")
def upstream() -> Iterator[int]:
    with provider() as port:
        yield port


@pytest.fixture(scope="module")
def gateway(upstream: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with Gateway(tmp_path_factory.mktemp("envoy"), upstream) as made:
        made.wait()
        yield made


def ask(say: list[str], prompt: str = "hello", **more: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": prompt}], "say": say, **more}


def text_of(body: str) -> str:
    """What a stream says, and its last finish reason."""
    events = [json.loads(line[6:]) for line in body.splitlines() if line.startswith("data: {")]
    choices = [event["choices"][0] for event in events]
    said = "".join(choice["delta"].get("content") or "" for choice in choices)
    return f"{said}|{choices[-1]['finish_reason']}"


CHAT = "/v1/chat/completions"


def test_a_stream_is_guarded(gateway: Gateway) -> None:
    answer = gateway.client.post(CHAT, json=ask(["a blue", "bird", " sings"], stream=True))
    assert answer.status_code == 200
    assert text_of(answer.text) == "a [bird] sings|stop"
    assert answer.text.endswith("data: [DONE]\n\n")
    assert "x-note" not in answer.headers
    assert answer.headers["guardstream-policy"].startswith("policy@")


def test_a_block_ends_the_stream_and_the_provider(gateway: Gateway) -> None:
    Provider.said, Provider.seconds = 0, 0.02
    say = ["a ", "forbid", "den word", *["bluebird "] * 300]
    answer = gateway.client.post(CHAT, json=ask(say, stream=True))
    Provider.seconds = 0.0
    assert text_of(answer.text) == "a no.|content_filter"
    assert Provider.said < 300


def test_text_goes_on_as_it_comes(gateway: Gateway) -> None:
    Provider.said, Provider.seconds = 0, 0.1
    with gateway.client.stream("POST", CHAT, json=ask(["one "] * 10, stream=True)) as answer:
        pieces = answer.iter_raw()
        first = next(pieces)
        said = Provider.said
        list(pieces)
    Provider.seconds = 0.0
    assert b"one" in first
    assert said < 10


def test_a_whole_answer_is_guarded(gateway: Gateway) -> None:
    answer = gateway.client.post(CHAT, json=ask(["a bluebird"]))
    assert answer.json()["choices"][0]["message"]["content"] == "a [bird]"


def test_a_prompt_is_masked_or_refused(gateway: Gateway) -> None:
    gateway.client.post(CHAT, json=ask(["x"], "I am secretname"))
    assert b"I am [name]" in Provider.requests[-1][2]
    known = len(Provider.requests)
    refused = gateway.client.post(CHAT, json=ask(["x"], "evil"))
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "content_filter")
    assert len(Provider.requests) == known


def test_large_bodies_go_through_in_pieces(gateway: Gateway) -> None:
    answer = gateway.client.post(CHAT, json=ask(["a bluebird " * 100_000], "word " * 200_000))
    text = answer.json()["choices"][0]["message"]["content"]
    assert text == "a [bird] " * 100_000
    assert Provider.requests[-1][2].count(b"word ") == 200_000


def test_an_answer_that_cannot_be_read_is_refused(gateway: Gateway) -> None:
    answer = gateway.client.post(CHAT, json=ask(["bluebird"], type="application/pdf"))
    assert answer.status_code == 502
    assert "bluebird" not in answer.text


def test_errors_of_the_provider_keep_their_status(gateway: Gateway) -> None:
    answer = gateway.client.post(CHAT, json=ask(["bluebird"], status=429))
    assert answer.status_code == 429
    assert "bluebird" not in answer.text


@pytest.mark.parametrize(
    ("path", "recording"),
    [
        ("/v1/chat/completions", "openai_chat.sse"),
        ("/v1/responses", "openai_responses.sse"),
        ("/v1/messages", "anthropic.sse"),
    ],
)
@pytest.mark.parametrize("size", [17, 1000, 1_000_000])
def test_recordings_come_out_as_from_the_proxy(
    gateway: Gateway, upstream: int, path: str, recording: str, size: int
) -> None:
    guards = {"default": Guard(Policy.parse(POLICY, name=str(gateway.policy)))}
    settings = ProxySettings(upstream=f"http://127.0.0.1:{upstream}", guards=guards)
    body = {"model": "m", "messages": [], "input": "x", "max_tokens": 9, "stream": True}
    asked = {**body, "replay": recording, "size": size}
    with serving(application(settings), lifespan="on") as port:
        wanted = httpx.post(f"http://127.0.0.1:{port}{path}", json=asked)
    answer = gateway.client.post(path, json=asked)
    assert answer.status_code == wanted.status_code == 200
    assert answer.content == wanted.content
    assert b"[mail]" in answer.content
    assert b"example.com" not in answer.content


def test_official_clients_take_what_comes(gateway: Gateway, upstream: int) -> None:
    openai = needs("openai")
    assert upstream
    url = f"http://127.0.0.1:{gateway.port}/v1"
    replayed = {"replay": "openai_chat.sse", "size": 40}
    with openai.OpenAI(base_url=url, api_key="x", max_retries=0) as client:
        hello: Any = [{"role": "user", "content": "hello"}]
        chat = client.chat.completions
        with chat.stream(model="m", messages=hello, extra_body=replayed) as stream:
            message = stream.get_final_completion().choices[0].message
        assert "[mail]" in message.content
        assert message.tool_calls[0].function.arguments == '{"to": "[mail]"}'
        said = {"say": ["a blue", "bird, then forbid", "den"]}
        parts = list(chat.create(model="m", messages=hello, stream=True, extra_body=said))
    assert "".join(part.choices[0].delta.content or "" for part in parts) == "a [bird], then no."
    assert parts[-1].choices[0].finish_reason == "content_filter"


def test_a_path_that_is_not_guarded_is_refused(gateway: Gateway) -> None:
    for path in ("/v1/none", "/v1/chat/completions/", "/V1/chat/completions"):
        assert gateway.client.post(path, json=ask(["bluebird"])).status_code in (400, 404)
    assert (
        gateway.client.post("/v1//chat/completions", json=ask(["bluebird"])).text.count("bluebird")
        == 0
    )


def test_a_client_that_leaves_stops_the_provider(gateway: Gateway) -> None:
    Provider.said, Provider.seconds = 0, 0.02
    with gateway.client.stream("POST", CHAT, json=ask(["x "] * 500, stream=True)) as answer:
        next(answer.iter_raw())
    time.sleep(1)
    told = Provider.said
    time.sleep(0.5)
    Provider.seconds = 0.0
    assert told == Provider.said < 500


BUFFER = f"""\
      upstream_bind_config:
        source_address: {{address: 127.0.0.1, port_value: 0}}
        socket_options:
          - {{level: {socket.SOL_SOCKET}, name: {socket.SO_RCVBUF}, int_value: 65536}}
"""
"""What the system keeps for a connection, lest it take what should wait at the provider."""


def test_a_client_that_does_not_read_makes_the_provider_wait(tmp_path: Path, upstream: int) -> None:
    limit = "      connect_timeout: 5s\n"
    times, asked = 2_000, ask(["word " * 10_000], stream=True)
    with Gateway(tmp_path, upstream, (limit, limit + BUFFER)) as made:
        made.wait()
        Provider.said = 0
        with made.client.stream("POST", CHAT, json={**asked, "times": times}) as answer:
            assert answer.status_code == 200
            said = -1
            while said < Provider.said:
                said = Provider.said
                time.sleep(2)
    assert 0 < said * 50_000 < 15_000_000  # bytes


SAY = ["fine ", "too ", "blue", "bird ", "sings ", "on"]


@pytest.mark.parametrize("events", range(len(SAY) + 1))
def test_a_processor_that_is_killed_at_an_event_shows_nothing(
    tmp_path: Path, upstream: int, events: int
) -> None:
    seen = ""
    with Gateway(tmp_path, upstream) as made:
        made.wait()
        Provider.said, Provider.seconds = 0, 0.2

        def kill() -> None:
            while Provider.said < events:
                time.sleep(0.01)
            made.processor.kill()

        killer = threading.Thread(target=kill)
        try:
            with made.client.stream("POST", CHAT, json=ask(SAY, stream=True)) as answer:
                killer.start()
                for piece in answer.iter_text():
                    seen += piece
            assert answer.status_code >= 500
        except httpx.HTTPError:
            pass
        finally:
            killer.join()
            Provider.seconds = 0.0
    assert "blue" not in seen
    assert "bird" not in seen.replace("[bird]", "")
    assert "[DONE]" not in seen


HEARTBEATS = POLICY + "serve: {heartbeats: 100ms}\n"


def test_a_model_may_think_for_longer_than_a_heartbeat(tmp_path: Path, upstream: int) -> None:
    with Gateway(tmp_path, upstream, policy=HEARTBEATS) as made:
        made.wait()
        answer = made.client.post(CHAT, json=ask(["a bluebird"], stream=True, think=0.5))
    assert text_of(answer.text) == "a [bird]|stop"


def test_headers_that_a_rule_matches_are_left_out(gateway: Gateway) -> None:
    named = ("date", "host", "server", "etag", "keep-alive", "x-envoy-note", "x-note")
    more = dict.fromkeys(named, "a bluebird")
    answer = gateway.client.post(CHAT, json=ask(["a"], stream=True, headers=more))
    assert answer.status_code == 200
    assert "bluebird" not in str(answer.headers)


TRAILERS = (
    "    - name: provider\n      connect_timeout: 5s\n",
    """    - name: provider
      connect_timeout: 5s
      typed_extension_protocol_options:
        envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
          "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
          explicit_http_config:
            http_protocol_options: {enable_trailers: true}
""",
)


@pytest.mark.parametrize("say", [[], ["a bluebird"]], ids=["no body", "a body"])
def test_trailers_of_an_answer_are_left_out(tmp_path: Path, upstream: int, say: list[str]) -> None:
    with Gateway(tmp_path, upstream, TRAILERS) as made:
        made.wait()
        asked = ask(say, stream=True, trailers={"x-note": "a bluebird"}, empty=not say)
        answer = made.client.post(CHAT, json=asked)
    assert answer.status_code == 200
    assert ("[bird]" in answer.text) == bool(say)
    assert "bluebird" not in answer.text


def test_other_modes_are_refused(tmp_path: Path, upstream: int) -> None:
    change = ("response_body_mode: FULL_DUPLEX_STREAMED", "response_body_mode: STREAMED")
    with (
        Gateway(tmp_path, upstream, change) as made,
        pytest.raises(AssertionError, match="does not answer"),
    ):
        made.wait(10)
    assert "have to be FULL_DUPLEX_STREAMED" in (tmp_path / "processor.log").read_text()
