"""Clients and upstreams that look for a way around the guard."""

from __future__ import annotations

import gzip
import json
import socket
from typing import Any

import pytest
from starlette.responses import JSONResponse, Response

from guardstream.serve.proxy.formats import FORMATS, disguised
from tests.serve.proxy.test_faults import CHAT, MESSAGES, error_of, post
from tests.serve.proxy.upstream import Provider, chat, completion, event, proxied

ALIASES = [
    "/v1/x/../chat/completions",
    "/v1/./chat/completions",
    "/v1/%2e%2e/v1/chat/completions",
    "/v1/chat/completions/",
    "/v1//chat/completions",
    "//v1/chat/completions",
    "/chat/completions",
    "/V1/Chat/Completions",
    "/v1/chat/completions;a=b",
    "/v1/chat/completions%3Fa=b",
    "/v1/chat/completions%23",
    "/v1/chat%252Fcompletions",
    "/v1/chat%5Ccompletions",
    "/v1/chat/completions%20",
    "/v1/chat/completions%00",
    "/v1/messages%0D%0AX-A:%20b",
    "@127.0.0.1/v1/models",
    ".example.com/v1/models",
]


def status_of(url: str, target: str) -> int:
    """The status of the answer to a request for exactly this target."""
    host, port = url.removeprefix("http://").split(":")
    body = b'{"messages": []}'
    head = f"POST {target} HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(head.encode() + body)
        return int(connection.recv(4096).split()[1])


def test_no_other_name_of_a_guarded_path_is_passed() -> None:
    with proxied(lambda _, __: completion("a secret"), other="pass") as (url, provider):
        statuses = {alias: status_of(url, alias) for alias in ALIASES}
        assert status_of(url, "/v1/files/a%3Fb%20c") == 200
    assert {alias for alias, status in statuses.items() if status not in (400, 404)} == set()
    assert len(provider.requests) == 1


@pytest.mark.parametrize("path", ["/v1/models", "/v1/files/a?b", "/v1/messages/count_tokens"])
def test_other_paths_are_no_disguise(path: str) -> None:
    assert not disguised(path)
    assert all(disguised(guarded + "/") for guarded in FORMATS)


@pytest.mark.parametrize(
    ("status", "kind", "body"),
    [
        (206, "application/json", completion("a secret").body),
        (200, "application/json; charset=utf-7", completion("+AHMAZQBjAHIAZQB0-").body),
        (200, "text/event-stream; charset=nonsense", b"".join(chat("a secret"))),
        (200, "application/json", b'{"choices": [{"a": "a secret"}], "choices": []}'),
        (400, "application/json", b'{"error": {"a secret": "b"}}'),
        (400, "application/json", b'{"error": "a secret", "error": "b"}'),
        (
            400,
            "application/json",
            b'{"error": ' + b"[" * 100_000 + b'"secret"' + b"]" * 100_000 + b"}",
        ),
    ],
    ids=["part", "charset", "no charset", "twice", "field", "error twice", "deep"],
)
def test_an_answer_that_may_say_more_than_was_read_is_refused(
    status: int, kind: str, body: bytes
) -> None:
    answer = Response(body, status, headers={"content-type": kind})
    with proxied(lambda _, __: answer) as (url, _):
        response = post(url)
    assert response.status_code == 502
    assert error_of(response)["type"] == "server_error"
    assert "secret" not in response.text


def test_a_compressed_answer_is_read_before_it_is_guarded() -> None:
    answer = Response(gzip.compress(b"".join(chat("a sec", "ret"))))
    answer.headers.update({"content-type": "text/event-stream", "content-encoding": "gzip"})
    with proxied(lambda _, __: answer) as (url, _):
        response = post(url)
    assert "######" in response.text
    assert "secret" not in response.text


@pytest.mark.parametrize(
    ("path", "payload"),
    [(CHAT, {"choices": [], "a secret": "x"}), (MESSAGES, {"type": "a secret", "text": "x"})],
)
def test_names_that_are_not_known_are_guarded(path: str, payload: dict[str, Any]) -> None:
    with proxied(lambda provider, _: provider.stream([event(payload)])) as (url, _):
        response = post(url, path)
    assert "a ######" in response.text
    assert "secret" not in response.text


def test_half_a_surrogate_pair_in_a_guarded_answer_stays_escaped() -> None:
    def respond(_provider: Provider, body: Any) -> Response:
        text = rb"secret \ud83d"
        if body.get("stream"):
            return Response(b'{"error": "' + text + b'"}', 400, media_type="application/json")
        choice = b'{"choices": [{"index": 0, "message": {"content": "' + text + b'"}}]}'
        return Response(choice, media_type="application/json")

    with proxied(respond) as (url, _):
        whole, error = post(url, body={"messages": []}), post(url)
    assert json.loads(whole.content)["choices"][0]["message"]["content"] == "###### \ud83d"
    assert json.loads(error.content) == {"error": "###### \ud83d"}


def test_a_method_is_not_changed_by_a_header() -> None:
    with proxied(lambda _, __: JSONResponse({}), other="pass") as (url, provider):
        post(url, "/v1/files", b"{}", **{"x-http-method-override": "DELETE"})
    assert "x-http-method-override" not in provider.headers[0]
