"""One table says what a media type is, and every edge reads it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from guardstream.http.media import AMAZON, EVENTS, kind_of, media_of
from guardstream.http.transport import SyncGuardTransport
from guardstream.serve import Route
from guardstream.serve.routes import media_of as media_of_headers
from tests.serve.apps import Upstream, guarded, streaming
from tests.serve.proxy.upstream import chat, guard, proxied
from tests.serve.visit import Visit
from tests.support.transport import HELLO, Source, provider, sync_client

LINES = [
    *("application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonl"),
    *("application/jsonlines", "application/x-jsonlines", "application/json-lines"),
    *("application/json-seq", "application/geo+json-seq", "application/stream+json"),
    *("application/x-json-stream", "application/x-ldjson", "text/x-ndjson", "text/jsonl"),
    "application/vnd.elasticsearch+x-ndjson",
]


def said(text: str, *, done: bool = False) -> bytes:
    """A line of Ollama's."""
    message = {"role": "assistant", "content": text}
    return json.dumps({"model": "m", "message": message, "done": done}).encode() + b"\n"


STREAM = [said("a sec"), said("ret b", done=True)]


def text_of(body: bytes) -> str:
    return "".join(json.loads(line)["message"]["content"] for line in body.splitlines())


def upstream_of(media: str, parts: list[bytes]) -> Callable[..., Any]:
    return lambda upstream, _: upstream.stream(parts, media_type=media)


@pytest.mark.parametrize("media", LINES)
def test_all_names_of_lines_are_lines(media: str) -> None:
    assert kind_of(media) == "lines"


@pytest.mark.parametrize(
    ("media", "kind"),
    [
        (EVENTS, "events"),
        (AMAZON, "amazon"),
        ("application/json", "json"),
        ("application/problem+json", "json"),
        ("text/json", "json"),
        ("text/plain", "text"),
        ("application/x-subrip", "text"),
        ("image/svg+xml", "text"),
        ("image/png", "media"),
        ("image/", "other"),
        ("", "unspecified"),
        ("application/binary", "unspecified"),
        ("application/pdf", "file"),
        ("image/jsonl", "json"),
        ("application/x-own", "other"),
    ],
)
def test_a_media_type_says_what_a_body_is(media: str, kind: str) -> None:
    assert kind_of(media) == kind


def test_parameters_and_capitals_say_nothing() -> None:
    assert media_of(" Application/X-NDJSON ; charset=utf-8") == "application/x-ndjson"


@pytest.mark.parametrize("other", ["refuse", "guard"])
@pytest.mark.parametrize("media", LINES)
def test_a_transport_guards_lines_of_every_name(media: str, other: str) -> None:
    source = Source(STREAM)
    with sync_client(provider(source, media), other=other) as http:
        body = http.post("http://provider/api/chat", json=HELLO).content
    assert text_of(body) == "a ###### b"


@pytest.mark.parametrize("media", LINES)
def test_a_transport_guards_lines_in_no_known_format(media: str) -> None:
    inner = httpx.MockTransport(provider(Source([b'{"a": "a \\u0073ecret"}\n']), media))
    with httpx.Client(transport=SyncGuardTransport(guard(), inner, other="guard")) as http:
        lines = http.get("http://provider/other").text.splitlines()
    assert [json.loads(line)["a"] for line in lines] == ["a ", "######"]


@pytest.mark.anyio
@pytest.mark.parametrize("media", LINES)
async def test_the_middleware_guards_lines_of_every_name(media: str) -> None:
    assert media_of_headers([(b"content-type", media.encode())], ()) == "ndjson"
    visit = Visit()
    await visit.to(guarded(streaming(Upstream(STREAM), media)))
    assert text_of(visit.body) == "a ****** b"


@pytest.mark.parametrize(
    ("path", "other"), [("/api/chat", "refuse"), ("/api/elsewhere/than/known", "guard")]
)
def test_the_proxy_guards_lines_of_every_name(path: str, other: str) -> None:
    for media in LINES:
        with proxied(upstream_of(media, STREAM), other=other) as (url, _):
            body = httpx.post(url + path, json={"model": "m", **HELLO}).content
        assert text_of(body) == "a ###### b", media


def test_results_of_a_batch_may_have_every_name_of_lines() -> None:
    results = b'{"custom_id": "a", "result": {"type": "errored", "error": "a secret"}}\n'
    for media in [*LINES, "application/binary", "application/octet-stream"]:
        with proxied(upstream_of(media, [results])) as (url, _):
            read = httpx.get(f"{url}/v1/messages/batches/b_1/results")
        assert read.json()["result"]["error"] == "a ######", media


@pytest.mark.parametrize("media", ["text/json", "application/vnd.provider+json"])
def test_a_whole_answer_may_have_every_name_of_json(media: str) -> None:
    whole = said("a secret", done=True)
    with sync_client(provider(Source([whole]), media)) as http:
        assert text_of(http.post("http://provider/api/chat", json=HELLO).content) == "a ######"
    with proxied(upstream_of(media, [whole])) as (url, _):
        body = httpx.post(f"{url}/api/chat", json={"model": "m", **HELLO}).content
    assert text_of(body) == "a ######"


@pytest.mark.parametrize("media", LINES)
def test_a_block_in_lines_says_so_under_every_name(media: str) -> None:
    lines = [b'{"a": "fine "}\n', b'{"a": "forbidden"}\n']
    with proxied(upstream_of(media, lines), other="guard") as (url, _):
        *_, last = httpx.get(f"{url}/other").content.splitlines()
    assert json.loads(last)["error"]["code"] == "content_filter"


def test_a_route_says_that_lines_are_never_texts() -> None:
    with pytest.raises(ValueError, match=r"'text_types' names .*: leave it out"):
        Route("/chat", guard(), text_types=("application/x-jsonl",))


@pytest.mark.parametrize("media", ["text/plain", "application/octet-stream", ""])
def test_what_a_model_says_is_told_by_its_beginning_if_its_type_says_nothing(media: str) -> None:
    whole = {
        "object": "chat.completion",
        "choices": [{"index": 0, "message": {"content": "a secret"}}],
    }
    for parts in (chat("a sec", "ret b"), [json.dumps(whole).encode()]):
        with proxied(upstream_of(media, parts)) as (url, _):
            answer = httpx.post(f"{url}/v1/chat/completions", json={"model": "m", **HELLO})
        assert answer.status_code == 200
        assert "######" in answer.text
        assert "sec" not in answer.text
    with proxied(upstream_of(media, [b"a secret"])) as (url, _):
        answer = httpx.post(f"{url}/v1/chat/completions", json={"model": "m", **HELLO})
    assert (answer.status_code, "secret" in answer.text) == (502, False)
