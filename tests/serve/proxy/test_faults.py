"""What goes wrong is told to the client in its own format; nothing unguarded is let through."""

from __future__ import annotations

import ast
import json
import logging
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.responses import JSONResponse, PlainTextResponse, Response

from guardstream import Guard, Policy
from guardstream.serve.proxy import ProxySettings, SettingsError, application
from guardstream.serve.proxy.protocol import BoundedProtocol
from tests.serve.proxy.upstream import Provider, chat, event, guard, message, proxied
from tests.serve.server import serving
from tests.support.optional import optional
from tests.support.proxy.faults import BODY, CHAT, MESSAGES, RESPONSES, error_of, post

cohere = optional("cohere")


def codes_in(source: str) -> Iterator[str]:
    """The codes of errors in a module: what comes after a status, or first in a BoundsError."""
    for call in ast.walk(ast.parse(source)):
        if isinstance(call, ast.Call):
            given = [each.value if isinstance(each, ast.Constant) else None for each in call.args]
            if ast.unparse(call.func) == "BoundsError":
                yield str(given[0])
            elif len(given) > 1 and given[0] in range(400, 600) and isinstance(given[1], str):
                yield given[1]


def test_every_code_of_an_error_is_documented() -> None:
    root = Path(__file__).parents[3]
    table = (root / "docs" / "proxy.md").read_text(encoding="utf-8").split("| code | status |")[1]
    paths = [*(root / "guardstream/serve/proxy").glob("*.py"), *root.glob("guardstream/http/*.py")]
    codes = {code for path in paths for code in codes_in(path.read_text(encoding="utf-8"))}
    assert len(codes) > 25
    assert [code for code in sorted(codes) if f"`{code}`" not in table] == []


def test_coheres_client_gets_an_answer_that_broke_off_as_it_broke_off() -> None:
    said = {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": "it "}}}}
    first, cut = event(json.dumps(said), "content-delta"), b'event: content-delta\ndata: {"ty'
    upstream = proxied(lambda provider, _: provider.stream([first, cut]))
    with upstream as (url, _), httpx.Client() as http:
        client = cohere.ClientV2("k", base_url=url, httpx_client=http)
        hello: Any = [{"role": "user", "content": "hello"}]
        *_, last = client.chat_stream(model="m", messages=hello)
    assert isinstance(last, cohere.ContentDeltaV2ChatStreamResponse)


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        ([event("{broken json")], "not a JSON object"),
        ([b'data: {"choices": [\xff]}\n\n'], "invalid UTF-8"),
        ([b"data: " + b"x" * 10_000_000 + b"\n\n"], "line of more than"),
    ],
    ids=["json", "utf-8", "line"],
)
def test_a_stream_that_cannot_be_guarded_ends_with_an_error(parts: list[bytes], why: str) -> None:
    good = chat("it was a sec", "ret ")[:3]
    with proxied(lambda provider, _: provider.stream([*good, *parts])) as (url, provider):
        response = post(url)
        assert provider.closed.wait(10)
    assert response.status_code == 200
    last = response.text.strip().rpartition("data: ")[2]
    assert json.loads(last)["error"]["code"] == "guard_failed"
    assert why in json.loads(last)["error"]["message"]
    assert "framing=" not in last  # an argument of a function that no client calls
    assert "secret" not in response.text


def test_half_an_event_at_the_end_is_left_out() -> None:
    good = chat("it was a sec", "ret ")[:3]
    with proxied(lambda provider, _: provider.stream([*good, chat("cut ")[1][:-9]])) as (url, _):
        response = post(url)
    assert "cut" not in response.text
    assert "error" not in response.text
    assert "secret" not in response.text


@pytest.mark.parametrize("before", [b"", b": still at work\n\n", b"\n\n"])
def test_a_block_before_the_first_chunk_is_told_whatever_kept_the_connection_alive(
    before: bytes,
) -> None:
    parts = [before, event('{"choices": []}', "secret"), *chat("more")]
    with proxied(lambda provider, _: provider.stream([*filter(None, parts)])) as (url, _):
        response = post(url)
    assert "secret" not in response.text
    last = response.text.strip().rpartition("data: ")[2]
    assert json.loads(last)["error"]["code"] == "content_filter"


def test_an_error_in_a_stream_of_anthropics_has_its_own_format() -> None:
    parts = [message("hello")[0], event("{broken", "content_block_delta")]
    with proxied(lambda provider, _: provider.stream(parts)) as (url, _):
        response = post(url, MESSAGES)
    name, data = response.text.strip().rsplit("\n", 1)
    assert name.endswith("event: error")
    assert json.loads(data.removeprefix("data: "))["error"]["type"] == "api_error"


def test_a_response_that_fails_says_so_in_an_event_of_its_own_too() -> None:
    created = {"type": "response.created", "sequence_number": 0, "response": {"id": "r1"}}
    parts = [event(json.dumps(created), "response.created"), event("{broken")]
    with proxied(lambda provider, _: provider.stream(parts)) as (url, _):
        response = post(url, RESPONSES)
    name, data = response.text.strip().rsplit("\n", 1)
    assert name.endswith("event: response.failed")
    failed = json.loads(data.removeprefix("data: "))["response"]
    assert (failed["status"], failed["error"]["code"]) == ("failed", "server_error")


def test_an_error_of_the_upstream_keeps_its_status_and_loses_its_secrets() -> None:
    def respond(_provider: Provider, _body: Any) -> Response:
        detail = {"error": {"message": "the secret key is wrong", "type": "x", "code": None}}
        return JSONResponse(detail, 429, headers={"retry-after": "7"})

    with proxied(respond) as (url, _):
        response = post(url)
    assert response.status_code == 429
    assert response.headers["retry-after"] == "7"
    assert error_of(response)["message"] == "the ###### key is wrong"


@pytest.mark.parametrize(
    "page",
    [
        Response("<h1>busy, secret</h1>", 503, media_type="text/html"),
        PlainTextResponse("slow down, secret", 429),
        Response(b"", 401),
        Response(b"x" * 2_000_000, 413),
        Response(b"\x1f\x8b broken", 404, headers={"content-encoding": "gzip"}),
    ],
    ids=["page", "text", "empty", "long", "broken"],
)
@pytest.mark.parametrize("path", [CHAT, MESSAGES])
def test_an_error_that_cannot_be_guarded_keeps_its_status_and_headers(
    path: str, page: Response
) -> None:
    """A client that is told of a 502 would ask again, and at once."""
    page.headers["retry-after"] = "7"
    with proxied(lambda *_: page) as (url, _):
        response = post(url, path)
    assert response.status_code == page.status_code
    assert response.headers["retry-after"] == "7"
    assert response.headers["content-type"] == "application/json"
    assert "upstream" in error_of(response)["message"]
    assert "secret" not in response.text


@pytest.mark.parametrize(("status", "told"), [(200, 502), (500, 500)])
def test_an_answer_that_is_no_json_is_not_passed(status: int, told: int) -> None:
    def respond(_provider: Provider, _body: Any) -> Response:
        return PlainTextResponse("a secret page", status)

    with proxied(respond) as (url, _):
        response = post(url)
    assert response.status_code == told
    assert "secret" not in response.text


def test_an_upstream_that_is_not_there_is_a_bad_gateway() -> None:
    with proxied(
        lambda provider, _: provider.stream([]), upstream="http://127.0.0.1:9", connect_timeout=5
    ) as (url, _):
        response = post(url)
    assert response.status_code == 502
    assert error_of(response)["code"] == "upstream_error"


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (None, "upstream_error (refused)"),
        (b"", "upstream_error (closed early)"),
        (b"SSH-2.0-secret\r\n\r\n", "upstream_error (no http)"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nsecret", "upstream_error (closed early)"),
        (
            b"HTTP/1.1 302 Found\r\nlocation: /secret\r\n\r\n",
            "unguarded_answer (the upstream redirects the request)",
        ),
        (
            b"HTTP/1.1 200 OK\r\ncontent-encoding: br\r\ncontent-length: 6\r\n\r\nsecret",
            "unguarded_answer (the upstream's answer is compressed with br, which was not "
            "requested)",
        ),
        (
            b"HTTP/1.1 200 OK\r\ncontent-encoding: secret\r\ncontent-length: 1\r\n\r\nx",
            "unguarded_answer (the upstream's answer is compressed with an unknown encoding, which "
            "was not requested)",
        ),
    ],
)
def test_the_log_says_how_an_upstream_failed(
    answer: bytes | None, error: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "guardstream.serve")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        def respond() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer or b"")

        if answer is None:
            listener.close()
        else:
            threading.Thread(target=respond, daemon=True).start()
        upstream = f"http://127.0.0.1:{port}"
        with proxied(lambda provider, _: provider.stream([]), upstream=upstream) as (url, _):
            assert post(url).status_code == 502
    (line,) = [r.getMessage() for r in caplog.records if r.name == "guardstream.serve"]
    assert f" error={error} " in line
    assert "secret" not in line


def test_a_silent_upstream_ends_at_the_policys_deadline() -> None:
    limited = Guard(Policy.parse("limits: {idle: 200ms}"))
    parts = chat("hello")[:2]
    with proxied(
        lambda provider, _: provider.stream(parts, silent=True), guards={"default": limited}
    ) as (url, provider):
        response = post(url)
        assert provider.closed.wait(10)
    assert json.loads(response.text.strip().rpartition("data: ")[2])["error"]["code"] == "deadline"


@pytest.mark.parametrize(
    ("limits", "stream", "code"),
    [
        ("{total: 100ms}", True, "deadline"),
        ("{total: 100ms}", False, "deadline"),
        ("{first_token: 100ms}", True, "deadline"),
        ("{idle: 100ms}", True, "deadline"),
        ("{first_token: 100ms, idle: 100ms}", False, "upstream_timeout"),
    ],
)
def test_an_upstream_that_does_not_begin_to_answer_is_not_waited_for(
    limits: str, stream: bool, code: str
) -> None:
    """Not even for the head of its answer; a whole one has no first token."""
    guards = {"default": Guard(Policy.parse(f"limits: {limits}"))}
    with socket.create_server(("127.0.0.1", 0)) as silent:
        upstream = f"http://127.0.0.1:{silent.getsockname()[1]}"
        proxy = application(ProxySettings(upstream, guards, read_timeout=1.0))
        with serving(proxy, lifespan="on") as port:
            response = post(f"http://127.0.0.1:{port}", body={**BODY, "stream": stream})
    assert (response.status_code, error_of(response)["code"]) == (504, code)


def test_a_whole_answer_that_does_not_end_is_not_waited_for() -> None:
    limited = Guard(Policy.parse("limits: {total: 200ms}"))
    with proxied(
        lambda provider, _: provider.stream(
            [b'{"choices": ['], silent=True, media_type="application/json"
        ),
        guards={"default": limited},
    ) as (url, provider):
        response = post(url)
        assert provider.closed.wait(10)
    assert (response.status_code, error_of(response)["code"]) == (504, "deadline")


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/v1/models", b"", 404, "not_guarded"),
        (CHAT, b"not json", 400, "invalid_json"),
        (CHAT, b"[]", 400, "invalid_json"),
        (CHAT, b" " * 2_000, 413, "body_too_large"),
    ],
)
def test_a_request_that_cannot_be_served_is_refused(
    path: str, body: bytes, status: int, code: str
) -> None:
    with proxied(lambda provider, _: provider.stream([]), max_body=1_000) as (url, provider):
        response = post(url, path, body)
    assert (response.status_code, error_of(response)["code"]) == (status, code)
    assert not provider.requests


@pytest.mark.parametrize(
    ("coding", "status"), [("gzip", 415), ("identity, br", 415), ("utf-8", 200)]
)
def test_a_compressed_request_is_refused_with_the_reason(coding: str, status: int) -> None:
    with proxied(lambda provider, _: provider.stream([])) as (url, _):
        response = httpx.post(f"{url}{CHAT}", json={}, headers={"content-encoding": coding})
    assert response.status_code == status
    assert ("compressed" in response.text) == (status == 415)


@pytest.mark.parametrize("other", ["refuse", "pass"])
def test_another_method_of_a_known_path_is_refused_by_its_method(other: Any) -> None:
    with proxied(lambda provider, _: provider.stream([]), other=other) as (url, provider):
        error = error_of(post(url, "/v1/models", b""))
    assert error["message"] == "the proxy knows this path only by the method GET"
    assert not provider.requests


@pytest.mark.parametrize("path", [RESPONSES, "/eu" + RESPONSES])
@pytest.mark.parametrize("other", ["refuse", "guard", "pass"])
def test_a_socket_to_a_model_is_told_to_ask_over_http(other: Any, path: str) -> None:
    """Codex opens one first, and asks over HTTP at once only after this status."""
    settings = ProxySettings("http://127.0.0.1:9", {"default": guard()}, other=other)
    app = application(settings)
    with serving(app, lifespan="on", http=BoundedProtocol, ws="none") as port:
        shake = {"connection": "Upgrade", "upgrade": "websocket", "sec-websocket-version": "13"}
        response = httpx.get(f"http://127.0.0.1:{port}{path}", headers=shake)
    assert (response.status_code, error_of(response)["code"]) == (426, "not_guarded")


def test_other_paths_pass_if_they_are_told_to() -> None:
    def respond(_provider: Provider, _body: Any) -> Response:
        return JSONResponse({"data": ["a secret model"]})

    with proxied(respond, other="pass") as (url, _):
        response = post(url, "/v1/fine_tuning/jobs", b"{}")
    assert response.json() == {"data": ["a secret model"]}
    assert "guardstream-policy" not in response.headers


def test_a_header_proves_which_policy_guarded_an_answer() -> None:
    strict = Guard(Policy.parse("name: strict\nrules: [{id: w, words: [hello], replacement: '#'}]"))
    guards = {"default": guard(), "strict": strict}
    with proxied(
        lambda provider, _: provider.stream(chat("hello")),
        guards=guards,
        routes={RESPONSES: "strict"},
        by_header=True,
    ) as (url, _):
        plain, chosen = post(url), post(url, **{"guardstream-policy": "strict"})
        unknown = post(url, **{"guardstream-policy": "none"})
    assert plain.headers["guardstream-policy"] == f"proxied@{guard().policy.fingerprint}"
    assert chosen.headers["guardstream-policy"] == f"strict@{strict.policy.fingerprint}"
    assert '"#####"' in chosen.text
    assert (unknown.status_code, error_of(unknown)["code"]) == (400, "unknown_policy")


def test_keys_are_passed_on_and_never_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with proxied(lambda provider, _: provider.stream(chat("hello"))) as (url, provider):
        post(url, f"{CHAT}?key=query-key", authorization="Bearer header-key")
    assert provider.headers[0]["authorization"] == "Bearer header-key"
    ours = [record.getMessage() for record in caplog.records if "guardstream" in record.name]
    assert len(ours) == 1
    assert "-key" not in ours[0]


def test_the_proxy_says_that_it_runs_and_that_it_is_ready() -> None:
    with proxied(lambda provider, _: provider.stream([])) as (url, _):
        assert httpx.get(f"{url}/healthz").json() == {"status": "ok"}
        ready = httpx.get(f"{url}/readyz").json()
    assert ready["policies"] == {"default": guard().policy.fingerprint}


def test_the_root_says_that_it_runs_as_ollamas_commands_need() -> None:
    with proxied(lambda provider, _: provider.stream([])) as (url, provider):
        assert httpx.head(url).status_code == 200
        assert httpx.get(url).text == "guardstream is running"
        assert not provider.requests


@pytest.mark.parametrize("settings", [{"other": "pass"}, {"other": "guard"}])
def test_the_root_is_the_upstreams_where_it_is_forwarded(settings: dict[str, Any]) -> None:
    with proxied(lambda *_: PlainTextResponse("a secret page"), **settings) as (url, _):
        assert "page" in httpx.get(url).text


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"upstream": "nowhere"}, "upstream"),
        ({"guards": {}}, "default"),
        ({"routes": {CHAT: "none"}}, "no policy 'none'"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings: dict[str, Any], why: str) -> None:
    given = {"upstream": "http://localhost", "guards": {"default": guard()}}
    with pytest.raises(SettingsError, match=why):
        ProxySettings(**{**given, **settings})
