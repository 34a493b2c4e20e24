"""Only the page that was opened with the token may ask, from this machine, and not too much."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from guardstream.play.access import HEADER, MAX_BODY
from tests.play.conftest import TOKEN

ASK = {"policy": "version: 1"}


def test_the_page_and_its_files_stand_below_the_token(client: httpx.Client) -> None:
    page = client.get(f"/{TOKEN}/")
    assert page.status_code == 200
    assert "guardstream" in page.text
    for name in ("app.js", "style.css", "editor.js", "editor.licences.txt", "icon.svg"):
        assert client.get(f"/{TOKEN}/{name}").status_code == 200


@pytest.mark.parametrize("path", ["/", "/app.js", "/another/", "/another/app.js", "//app.js"])
def test_nothing_is_there_without_the_token(client: httpx.Client, path: str) -> None:
    assert client.get(path).status_code == 403


@pytest.mark.parametrize("path", ["/../app.py", "/%2e%2e/app.py", "/..%2fapp.py", "/index.html"])
def test_no_other_files_are_served(client: httpx.Client, path: str) -> None:
    assert client.get(f"/{TOKEN}{path}").status_code in (403, 404)


@pytest.mark.parametrize("token", ["", "wrong", TOKEN + "x", "tökén"])
def test_what_is_asked_needs_the_token_in_its_header(client: httpx.Client, token: str) -> None:
    headers = {HEADER.encode(): token.encode()}
    for path in ("/api/lint", f"/{TOKEN}/api/lint"):
        answer = client.post(path, json=ASK, headers=headers)
        assert answer.status_code == 403


def test_the_token_counts_in_no_cookie_and_no_query(address: str) -> None:
    with httpx.Client(base_url=address, trust_env=False, cookies={HEADER: TOKEN}) as client:
        for path in ("/api/setup", f"/api/setup?{HEADER}={TOKEN}"):
            assert client.get(path).status_code == 403


def hosts(address: str) -> Iterator[str]:
    port = urlsplit(address).port
    yield from ("127.0.0.1", "localhost", "127.0.0.1:1", f"rebound.example:{port}", "")
    yield f"127.0.0.1.example:{port}"


def test_other_hosts_are_refused(client: httpx.Client, address: str) -> None:
    for host in hosts(address):
        assert client.get(f"/{TOKEN}/", headers={"host": host}).status_code == 421, host


def test_localhost_is_a_name_of_it(client: httpx.Client, address: str) -> None:
    host = f"localhost:{urlsplit(address).port}"
    headers = {"host": host, "origin": f"http://{host}"}
    assert client.post("/api/lint", json=ASK, headers=headers).status_code == 200


@pytest.mark.parametrize("origin", ["null", "https://example.com", "http://127.0.0.1:1"])
def test_other_origins_are_refused(client: httpx.Client, origin: str) -> None:
    headers = {"origin": origin}
    assert client.post("/api/lint", json=ASK, headers=headers).status_code == 403
    assert client.get("/api/setup", headers=headers).status_code == 403


def test_only_a_get_may_lack_an_origin(address: str) -> None:
    with httpx.Client(base_url=address, trust_env=False, headers={HEADER: TOKEN}) as client:
        assert client.get("/api/setup").status_code == 200
        assert client.post("/api/lint", json=ASK).status_code == 403


def test_there_is_no_cors(client: httpx.Client) -> None:
    preflight = {"access-control-request-method": "POST"}
    answers = [
        client.options("/api/lint", headers=preflight),
        client.post("/api/lint", json=ASK),
        client.get(f"/{TOKEN}/"),
    ]
    for answer in answers:
        assert not [name for name in answer.headers if name.startswith("access-control")]


def test_the_page_may_load_nothing_from_elsewhere_and_run_nothing_inline(
    client: httpx.Client,
) -> None:
    page = client.get(f"/{TOKEN}/")
    said = dict(
        each.strip().split(" ", 1) for each in page.headers["content-security-policy"].split(";")
    )
    assert said["default-src"] == "'none'"
    assert said["script-src"] == "'self'"
    assert said["connect-src"] == "'self'"
    assert said["frame-ancestors"] == "'none'"
    assert [name for name, value in said.items() if "unsafe" in value] == ["style-src-attr"]
    nonce = said["style-src"].removeprefix("'self' 'nonce-").removesuffix("'")
    assert f'content="{nonce}"' in page.text
    assert nonce not in client.get(f"/{TOKEN}/").text
    assert page.headers["referrer-policy"] == "no-referrer"
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["cache-control"] == "no-store"


def test_a_large_body_is_refused(client: httpx.Client) -> None:
    large = b" " * (MAX_BODY + 1)
    assert client.post("/api/lint", content=large).status_code == 413
    assert client.post("/api/lint", content=iter([large])).status_code == 413  # without a length


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"policy": 1},
        {"policy": "x" * 200_001},
        {"policy": "version: 1", "more": 1},
        {"policy": "version: 1", "text": "x", "size": -1},
    ],
)
def test_what_makes_no_sense_is_refused_without_quoting_it(
    client: httpx.Client, asked: dict[str, object]
) -> None:
    answer = client.post("/api/lint" if "text" not in asked else "/api/stream", json=asked)
    assert answer.status_code == 422
    assert "xxx" not in answer.text


def test_a_stream_needs_a_text_or_a_recording(client: httpx.Client) -> None:
    for also in ({}, {"text": "a", "recording": "b"}):
        asked = {"policy": "version: 1", "size": 1, **also}
        assert client.post("/api/stream", json=asked).status_code == 422
