"""What the page asks for, over HTTP: notes, streams, chunkings, tests, timelines, a live model."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from guardstream.play.access import HEADER
from guardstream.play.app import Playground, application
from guardstream.play.policies import guard_of
from guardstream.play.upstream import Upstream
from guardstream.policy import packs, schema
from tests.play.conftest import TOKEN
from tests.play.recordings import DEMO, TEXT
from tests.serve.server import serving
from tests.support.slow_patterns import SLOW

POLICY = "extends: guardstream/pii-en\nrules: [{id: name, words: [bluebird]}]\n"


def events(client: httpx.Client, path: str, asked: dict[str, Any]) -> list[dict[str, Any]]:
    answer = client.post(path, json=asked)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/x-ndjson"
    return [json.loads(line) for line in answer.text.splitlines()]


def released(found: list[dict[str, Any]]) -> str:
    steps = [event for event in found if event["type"] == "step"]
    return "".join(text for step in steps for _, text in step["released"])


def test_the_page_is_told_what_it_needs(client: httpx.Client) -> None:
    said = client.get("/api/setup").json()
    assert said["schema"] == schema.schema()
    assert [pack["name"] for pack in said["packs"]] == packs.names()
    assert "luhn" in said["validators"]
    assert said["model"] is None


def test_notes_have_their_places(client: httpx.Client) -> None:
    said = client.post("/api/lint", json={"policy": "rules:\n  - id: a\n    acton: mask\n"}).json()
    assert said["notes"][0]["level"] == "error"
    assert (3, 5) in [(note["line"], note["column"]) for note in said["notes"]]


@pytest.mark.parametrize("size", [1, 3, 500])
def test_a_streamed_text_equals_the_check(client: httpx.Client, size: int) -> None:
    text = "the bluebird of ann@example.com, and its song " * 5
    expected = guard_of(POLICY).check(text)
    found = events(client, "/api/stream", {"policy": POLICY, "text": text, "size": size})
    assert (found[0]["type"], found[-1]["type"]) == ("start", "end")
    assert released(found) == found[-1]["text"] == found[-1]["enforce"]["text"] == expected.text
    assert found[-1]["shadow"]["text"] == text
    assert found[-1]["shadow"]["findings"] == found[-1]["enforce"]["findings"]
    assert sum(len(event.get("findings", ())) for event in found[:-1]) == len(expected.findings)


def test_a_recording_streams_too(client: httpx.Client) -> None:
    found = events(client, "/api/stream", {"policy": POLICY, "recording": DEMO, "size": 0})
    assert released(found) == guard_of(POLICY).check(TEXT).text
    assert [event["t"] for event in found if event["type"] == "step"][:2] == [0.0, 0.1]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"policy": "gate: []", "text": "a"}, "policy.yaml:1:1: only rules run here"),
        ({"policy": POLICY, "recording": "nonsense"}, "recording:1: "),
    ],
)
def test_what_cannot_stream_is_an_error(
    client: httpx.Client, asked: dict[str, str], message: str
) -> None:
    (said,) = events(client, "/api/stream", {**asked, "size": 0})
    assert said["type"] == "error"
    assert said["message"].startswith(message)


def test_chunkings_go_on_where_they_were(client: httpx.Client) -> None:
    begin: int | None = 0
    while begin is not None:
        asked = {"policy": POLICY, "text": "the bluebird sings", "begin": begin}
        said = client.post("/api/chunkings", json=asked).json()
        assert said["differs"] is None
        assert said["done"] > begin
        begin = said["next"]
    assert said["done"] == said["total"] == 17 + 1 + 200


def test_a_finding_becomes_a_test(client: httpx.Client) -> None:
    asked = {"policy": POLICY, "rule": "name", "text": "a bluebird", "start": 2, "end": 10}
    said = client.post("/api/save", json=asked).json()
    assert 'tests: [{input: "a bluebird", output: "a [name]"}]' in said["policy"]
    wrong = client.post("/api/save", json={**asked, "rule": "other"})
    assert (wrong.status_code, wrong.json()["type"]) == (422, "error")


def test_the_timeline_is_a_picture_without_what_was_masked(client: httpx.Client) -> None:
    asked = {"policy": POLICY, "text": "a bluebird", "size": 2}
    svg = client.post("/api/timeline", json=asked).json()["svg"]
    assert svg.startswith("<svg")
    assert "bluebird" not in svg


@pytest.mark.parametrize("path", ["/api/stream", "/api/timeline"])
@pytest.mark.parametrize("sources", [{}, {"text": "a", "recording": DEMO}])
def test_a_stream_has_one_source(client: httpx.Client, path: str, sources: dict[str, str]) -> None:
    said = client.post(path, json={"policy": POLICY, "size": 0, **sources})
    assert (said.status_code, said.json()["message"]) == (
        422,
        "the request: give a text or a recording",
    )


async def model(request: Request) -> Response:
    """An API like OpenAI's, which says what it is asked, a part at a time."""
    assert request.headers["authorization"] == "Bearer the key"
    asked = await request.json()
    assert asked["stream"] is True

    async def answer() -> Any:
        for piece in asked["messages"][0]["content"].split("|"):
            chunk = {"index": 0, "delta": {"content": piece}, "finish_reason": None}
            said = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
            yield f"data: {json.dumps({**said, 'choices': [chunk]})}\n\n"
        yield "data: [DONE]\n\n"

    return StreamingResponse(answer(), media_type="text/event-stream")


async def broken(_request: Request) -> Response:
    return Response("secret details", 500)


@contextmanager
def playing(upstream: str = "", silence: float = 10.0) -> Iterator[httpx.Client]:
    """A playground of its own."""
    found = Upstream(upstream, "m", "the key") if upstream else None
    app = application(Playground("version: 1", [], found, silence), TOKEN)
    with serving(app, lifespan="on") as port:
        address = f"http://127.0.0.1:{port}"
        headers = {HEADER: TOKEN, "origin": address}
        with httpx.Client(base_url=address, headers=headers, timeout=60, trust_env=False) as client:
            yield client


@pytest.fixture(scope="module")
def live() -> Iterator[httpx.Client]:
    routes = [
        Route("/v1/chat/completions", model, methods=["POST"]),
        Route("/broken/chat/completions", broken, methods=["POST"]),
    ]
    with serving(Starlette(routes=routes)) as port, playing(f"http://127.0.0.1:{port}/v1") as found:
        yield found


def test_a_live_answer_streams_through_the_policy(live: httpx.Client) -> None:
    prompt = "a blue|bird of ann@exa|mple.com|, and more"
    found = events(live, "/api/live", {"policy": POLICY, "prompt": prompt})
    assert released(found) == found[-1]["text"] == "a [name] of [email], and more"
    assert found[-1]["shadow"]["text"] == prompt.replace("|", "")
    steps = [event for event in found if event["type"] == "step"]
    assert [text for _, text in steps[1]["came"]] == ["bird of ann@exa"]


def test_a_block_ends_a_live_answer(live: httpx.Client) -> None:
    policy = "rules: [{id: no, words: [bluebird], action: block}]"
    found = events(live, "/api/live", {"policy": policy, "prompt": "a |bluebird |and| more"})
    assert found[-1]["finish"] == "content_filter"
    assert released(found) == "a "


def test_a_policy_that_is_not_valid_asks_no_model(live: httpx.Client) -> None:
    (said,) = events(live, "/api/live", {"policy": "gate: []", "prompt": "a"})
    assert said["type"] == "error"


def test_an_api_that_fails_is_told_without_what_it_said() -> None:
    routes = [Route("/broken/chat/completions", broken, methods=["POST"])]
    with (
        serving(Starlette(routes=routes)) as port,
        playing(f"http://127.0.0.1:{port}/broken") as client,
    ):
        found = events(client, "/api/live", {"policy": POLICY, "prompt": "a"})
    assert found[-1] == {"type": "error", "message": "the model's API answered 500"}


def test_without_a_model_nothing_is_asked(client: httpx.Client) -> None:
    assert client.post("/api/live", json={"policy": POLICY, "prompt": "a"}).status_code == 404


def test_a_policy_that_takes_too_long_is_ended_and_said_so() -> None:
    with playing(silence=2.0) as client:
        said = client.post("/api/timeline", json=SLOW)
        assert said.status_code == 503
        assert "took too much time or memory" in said.json()["message"]
        assert client.post("/api/lint", json={"policy": POLICY}).status_code == 200
