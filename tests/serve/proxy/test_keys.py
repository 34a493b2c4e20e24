"""Keys of clients: what each may do, what it may use, and which stored objects are its own."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import re
import secrets
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import httpx
import pytest
import pytest_asyncio
from redis.asyncio import Redis
from starlette.responses import JSONResponse, Response

from guardstream import Guard, Policy
from guardstream.errors import PolicyError
from guardstream.policy.key_file import hashed, new_key
from guardstream.policy.lint import warnings
from guardstream.serve import MemoryReplay
from guardstream.serve.from_policy import redis_of
from guardstream.serve.journal import Replay
from guardstream.serve.proxy import ProxySettings
from guardstream.serve.proxy import keys as keys_module
from guardstream.serve.proxy.budgets import of_text, reserved, used
from guardstream.serve.proxy.caller import BoundsError, Caller
from guardstream.serve.proxy.endpoints import EndpointTable
from guardstream.serve.proxy.key_file import KeysOfFile
from guardstream.serve.proxy.keys import Key, Keys
from guardstream.serve.proxy.objects import ObjectFinder, created_ids, referenced_ids
from guardstream.serve.proxy.requests import read
from guardstream.serve.proxy.state import LEASE, MemoryState, State, StateError, Stored, window
from guardstream.serve.proxy.state_redis import RedisState
from guardstream.serve.proxy.upstreams import Target
from tests.serve.apps import app_of
from tests.serve.proxy.upstream import Provider, chat, completion, event, guard, proxied
from tests.serve.server import serving
from tests.support.optional import optional
from tests.support.proxy.endpoints import asked, said, upload
from tests.support.proxy.faults import error_of
from tests.support.proxy.keys import bearer, keys
from tests.support.redis import redis_port as redis_port

openai = optional("openai")

CHAT, RESPONSES = "/v1/chat/completions", "/v1/responses"


# Keys


def test_a_key_has_256_random_bits_and_is_known_by_its_hash() -> None:
    made_keys = {new_key() for _ in range(100)}
    assert len(made_keys) == 100
    assert all(re.fullmatch(r"gsk-[\w-]{43}", key) for key in made_keys)
    assert re.fullmatch("[0-9a-f]{64}", hashed("x"))
    assert hashed("x") not in repr(Key("a", hashed("x")))


@pytest.mark.parametrize(
    "given",
    [
        {"sha256": hashed("x").upper()},
        {"sha256": "ann-key"},
        {"at_once": 0},
        {"tokens": (0, 60.0)},
        {"tokens": (10, 0)},
    ],
)
def test_a_key_that_nobody_could_use_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"'sha256' needs|at_once= needs|tokens= needs"):
        Key("ann", **{"sha256": hashed("x"), **given})


@pytest.mark.asyncio
async def test_all_hashes_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[str, str]] = []

    def compare(one: str, other: str) -> bool:
        compared.append((one, other))
        return one == other

    monkeypatch.setattr(keys_module, "compare_digest", compare)
    ring = Keys(tuple(keys().values()))
    headers = [(b"authorization", b"Bearer ann-key"), (b"x-api-key", b"other")]
    found = await ring.find(headers, "key=third")
    assert found is not None
    assert found.name == "ann"
    assert len(compared) == 6
    assert all(len(one) == len(other) == 64 for one, other in compared)


@pytest.mark.parametrize(
    ("headers", "query", "name"),
    [
        ({"x-goog-api-key": "bob-key"}, "", "bob"),
        ({}, "?key=ann-key", "ann"),
        ({"authorization": "bearer  ann-key"}, "", "ann"),
        ({"authorization": hashed("ann-key")}, "", None),
        ({"authorization": "Bearer ann-key2"}, "", None),
        ({"authorization": "Basic ann-key"}, "", None),
        ({}, "", None),
    ],
)
def test_a_key_is_found_wherever_clients_put_it(
    headers: dict[str, str], query: str, name: str | None
) -> None:
    with proxied(lambda *_: JSONResponse({"data": []}), keys=keys()) as (url, provider):
        answer = httpx.get(f"{url}/v1/models{query}", headers=headers)
    assert answer.status_code == (401 if name is None else 200)
    assert len(provider.requests) == (name is not None)
    if provider.requests:
        assert not {"x-goog-api-key", "authorization"} & provider.headers[0].keys()
        assert provider.targets == ["/v1/models?"]


def test_the_policy_of_a_key_counts_before_all_others() -> None:
    strict = Guard(Policy.parse("name: strict\nrules: [{id: w, words: [hello], replacement: '#'}]"))
    guards = {"default": guard(), "strict": strict}
    settings: dict[str, Any] = {"guards": guards, "by_header": True}
    with proxied(lambda *_: completion("hello"), keys=keys(policy="strict"), **settings) as (
        url,
        _,
    ):
        headers = {**bearer("ann"), "guardstream-policy": "default"}
        answer = httpx.post(url + CHAT, json=asked(CHAT, "x"), headers=headers)
    assert answer.headers["guardstream-policy"].startswith("strict@")
    assert "hello" not in answer.text


def test_a_function_may_know_the_keys() -> None:
    asked_for: list[str] = []

    async def find(sha256: str) -> Key | None:
        asked_for.append(sha256)
        if sha256 == hashed("broken"):
            raise OSError("a secret place")
        return Key("ann", sha256) if sha256 == hashed("ann-key") else None

    with proxied(lambda *_: JSONResponse({"data": []}), more_keys=Keys(function=find)) as (url, _):
        answers = [httpx.get(f"{url}/v1/models", headers={"api-key": key})
                   for key in ("ann-key", "other", "broken")]  # fmt: skip
    assert [answer.status_code for answer in answers] == [200, 401, 503]
    assert "secret place" not in answers[2].text
    assert set(asked_for) == {hashed(key) for key in ("ann-key", "other", "broken")}


@pytest.mark.asyncio
async def test_a_file_of_keys_is_read_anew_and_a_broken_one_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(keys_module, "_OFTEN", 0)
    path = tmp_path / "keys.yaml"
    path.write_text(f"ann: {{sha256: {hashed('ann-key')}, tokens: 5/d, at_once: 2}}\n")
    ring = Keys(load=KeysOfFile(str(path), ["default"]).changed)

    async def name(key: str) -> str | None:
        found = await ring.find([(b"api-key", key.encode())], "")
        return found.name if found else None

    assert (await name("ann-key"), await name("bob-key")) == ("ann", None)
    assert ring.loaded[0] == Key("ann", hashed("ann-key"), None, 2, (5, 86_400))
    path.write_text(f"bob: {{sha256: {hashed('bob-key')}}}\n")
    assert (await name("ann-key"), await name("bob-key")) == (None, "bob")
    for wrong, why in [
        ("bob: {sha256: abc}", ":1:15: expected a SHA-256"),
        ("bob: {}", ":1:6: give the key's 'sha256'"),
        ("bob: [", "not valid YAML"),
        (
            f"bob: {{sha256: {hashed('x')}, polcy: a}}",
            "unknown key 'polcy', did you mean 'policy'?",
        ),
        (f"bob: {{sha256: {hashed('x')}, policy: none}}", "no policy 'none' in 'policies'"),
    ]:
        path.write_text(wrong)
        assert await name("bob-key") == "bob"
        assert why in caplog.text
    path.unlink()
    assert await name("bob-key") == "bob"


def test_a_key_that_is_revoked_in_place_without_a_trace_is_revoked(tmp_path: Path) -> None:
    """Neither the size of the file nor the time of its change tell of it."""
    path = tmp_path / "keys.yaml"
    path.write_text(f"ann: {{sha256: {hashed('ann-key')}}}\n")
    file, found = KeysOfFile(str(path), []), path.stat()
    assert [key.name for key in file.changed() or ()] == ["ann"]
    with path.open("r+") as opened:
        opened.write("#")
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))
    assert file.changed() == ()
    assert file.changed() is None


def test_a_file_of_keys_that_could_not_be_read_for_a_while_is_read_as_soon_as_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "keys.yaml"
    path.write_text(f"ann: {{sha256: {hashed('ann-key')}}}\n")
    file = KeysOfFile(str(path), [])

    def refused(*_given: Any, **_named: Any) -> Any:
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", refused)
        with pytest.raises(PolicyError, match="too many"):
            file.changed()
        assert file.changed() is None
    assert [key.name for key in file.changed() or ()] == ["ann"]


def test_a_file_of_keys_that_is_gone_is_an_error_once(tmp_path: Path) -> None:
    path = tmp_path / "keys.yaml"
    written = f"ann: {{sha256: {hashed('ann-key')}}}\n"
    path.write_text(written)
    file = KeysOfFile(str(path), [])
    assert [key.name for key in file.changed() or ()] == ["ann"]
    path.rename(tmp_path / "keys.yml")
    with pytest.raises(PolicyError, match=r"keys\.yaml.* no such file .* did you mean 'keys\.yml'"):
        file.changed()
    assert file.changed() is None
    path.write_text(written)
    assert [key.name for key in file.changed() or ()] == ["ann"]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"ann: {}\n  \xff", r"keys\.yaml:2:3: not valid UTF-8"),
        (b"#" * 16 * 1024 * 1024 + b"\n", r"larger than 16777216 bytes"),
    ],
)
def test_a_file_of_keys_that_cannot_be_read_says_where(
    data: bytes, why: str, tmp_path: Path
) -> None:
    (tmp_path / "keys.yaml").write_bytes(data)
    with pytest.raises(PolicyError, match=why):
        KeysOfFile(str(tmp_path / "keys.yaml"), []).changed()


# How much


def test_a_key_runs_so_many_requests_at_once() -> None:
    def respond(provider: Provider, _body: Any) -> Response:
        return provider.stream(chat("one")[:2], silent=True)

    with proxied(respond, keys=keys(at_once=2)) as (url, provider):
        with httpx.Client(base_url=url, timeout=30) as client:
            streams = [client.stream("POST", CHAT, json={"messages": []}, headers=bearer("ann"))
                       for _ in range(2)]  # fmt: skip
            for stream in streams:
                assert stream.__enter__().status_code == 200
            refused = client.post(CHAT, json={"messages": []}, headers=bearer("ann"))
            gemini = client.post("/v1beta/models/m:generateContent", json={}, headers=bearer("ann"))
            with client.stream("POST", CHAT, json={"messages": []}, headers=bearer("bob")) as other:
                assert other.status_code == 200
            for stream in streams:
                stream.__exit__(None, None, None)
        assert provider.closed.wait(10)
        for _ in range(100):  # the places are given back once the streams are closed
            with httpx.stream("POST", url + CHAT, json={}, headers=bearer("ann")) as again:
                if again.status_code == 200:
                    break
        assert again.status_code == 200
    assert refused.status_code == 429
    assert refused.headers["retry-after"] == "1"
    assert error_of(refused)["type"] == "rate_limit_error"
    assert error_of(gemini)["status"] == "RESOURCE_EXHAUSTED"


def budget(url: str, path: str = CHAT, **body: Any) -> httpx.Response:
    given = {"model": "m", "messages": [{"role": "user", "content": "hi"}], **body}
    return httpx.post(url + path, json=given, headers=bearer("ann"), timeout=30)


def test_tokens_are_reserved_before_and_settled_after_what_was_used() -> None:
    with proxied(lambda *_: completion("hi"), keys=keys(tokens=(1_000, 86_400))) as (url, provider):
        too_many = budget(url, max_tokens=2_000)
        assert provider.requests == []
        # Each uses 3, as the provider says, though it reserves some 500.
        assert [budget(url, max_tokens=500).status_code for _ in range(20)] == [200] * 20
        later = budget(url, max_tokens=960)
        bob = httpx.post(url + CHAT, json={"max_tokens": 900}, headers=bearer("bob"))
    assert (too_many.status_code, later.status_code) == (429, 429)
    assert 0 < int(later.headers["retry-after"]) <= 86_400
    assert ("retry-after" in too_many.headers, too_many.headers["x-should-retry"]) == (
        False,
        "false",
    )
    assert error_of(too_many)["code"] == error_of(later)["code"] == "insufficient_quota"
    assert "reserves 2019 tokens, and the key has 1000 in 86400 s" in error_of(too_many)["message"]
    assert bob.status_code == 200


def test_what_has_no_usage_is_estimated_and_what_fails_is_free() -> None:
    def respond(provider: Provider, body: Any) -> Response:
        if body["model"] == "fails":
            return JSONResponse({"error": {"message": "no"}}, 500)
        return provider.stream(chat("x" * 300))

    with proxied(respond, keys=keys(tokens=(600, 86_400))) as (url, _):
        failed = [budget(url, max_tokens=400, model="fails").status_code for _ in range(9)]
        streams = [budget(url, max_tokens=300, stream=True).status_code for _ in range(5)]
    assert failed == [500] * 9
    assert streams == [200, 200, 200, 429, 429]  # 100 tokens for 300 characters, and the prompt


def test_a_client_that_leaves_before_the_answer_pays_what_it_reserved(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    go_on = threading.Event()

    def respond(_provider: Provider, _body: Any) -> Response:
        go_on.wait(10)
        return completion("x")

    with proxied(respond, keys=keys(tokens=(1_000, 86_400))) as (url, _):
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(url + CHAT, json={"max_tokens": 900}, headers=bearer("ann"), timeout=0.5)
        while "finish=cancelled" not in caplog.text:
            httpx.get(f"{url}/healthz")
        assert budget(url, max_tokens=400).status_code == 429
        go_on.set()


@pytest.mark.parametrize("many", [50])
@pytest.mark.asyncio
async def test_no_budget_is_overdrawn_by_requests_at_once(many: int) -> None:
    def respond(_provider: Provider, _body: Any) -> Response:
        return completion("hi")

    async def all_at_once(url: str) -> list[int]:
        found: list[int] = []
        limits = httpx.Limits(max_connections=many)
        async with httpx.AsyncClient(base_url=url, timeout=60, limits=limits) as client:

            async def one() -> None:
                body = {"max_tokens": 100, "messages": []}
                answer = await client.post(CHAT, json=body, headers=bearer("ann"))
                found.append(answer.status_code)

            async with anyio.create_task_group() as group:
                for _ in range(many):
                    group.start_soon(one)
        return found

    class Counting(MemoryState):
        most = 0

        async def reserve(self, spent: Any, tokens: int, limit: int) -> bool:
            done = await super().reserve(spent, tokens, limit)
            self.most = max(self.most, *self._spent.values(), 0)
            return done

    state = Counting()
    with proxied(respond, keys=keys(tokens=(1_000, 86_400)), state=state) as (url, provider):
        statuses = await all_at_once(url)
    assert set(statuses) <= {200, 429}
    assert 9 <= statuses.count(200) == len(provider.requests)
    assert state.most <= 1_000
    assert sum(state._spent.values()) == 3 * statuses.count(200)


PNG = b64encode(b"\x89PNG\r\n\x1a\n" + bytes(5_992)).decode()


def test_a_request_that_sets_no_limit_is_told_what_it_reserves() -> None:
    with proxied(lambda *_: completion("hi"), keys=keys(tokens=(2_000, 86_400))) as (url, _):
        answer = budget(url)
    assert answer.status_code == 429
    why = "4096 of them for the answer, since the request sets no limit for it"
    assert why in error_of(answer)["message"]


def test_lint_warns_of_a_budget_that_no_such_request_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UPSTREAM_KEY", "k")
    upstream = "{url: 'http://127.0.0.1:1', key: '${UPSTREAM_KEY}'}"
    hashes = f"{{sha256: '{hashed('ann-key')}', tokens: 2000/d}}"
    section = f"serve: {{upstream: {upstream}, keys: {{ann: {hashes}}}}}"
    lines = warnings(Policy.parse(f"rules: [{{id: a, words: [b]}}]\n{section}\n").built)
    assert any("no more than what is reserved, 4096 for an answer" in str(line) for line in lines)


@pytest.mark.parametrize(
    ("path", "body", "tokens"),
    [
        (CHAT, {"max_tokens": 10, "messages": []}, 10 + 8),
        (CHAT, {"n": 3, "max_completion_tokens": 10}, 30 + 10),
        (CHAT, {"max_tokens": -5}, 100 + 5),
        (CHAT, {"max_tokens": True}, 100 + 5),
        (CHAT, {"max_tokens": 20.0}, 20 + 5),
        (CHAT, {"max_tokens": "20"}, 20 + 4 + 1),
        (CHAT, {"max_tokens": "many"}, 100 + 4 + 2),
        (CHAT, {"n": "3", "max_tokens": 10.5}, 33 + 1 + 1 + 4 + 1),
        (CHAT, {"max_tokens": 1, "Max_Tokens": 20}, 20 + 5 + 5),
        ("/v1/responses", {"max_tokens": 1}, 100 + 5),
        ("/api/chat", {"max_tokens": 1, "num_predict": -1}, 100 + 5 + 5),
        ("/api/chat", {"Options": {"Num_Predict": 9}}, 9 + 3 + 4 + 1),
        ("/v1beta/models/m:generateContent", {"generationConfig": {"maxOutputTokens": 7}}, 19),
        ("/api/chat", {"options": {"num_predict": 9}}, 9 + 3 + 4 + 1),
        ("/v1/embeddings", {"input": "x" * 30}, 10 + 2),
        ("/v1/moderations", {"input": "x" * 30}, 0),
        ("/v1/messages/count_tokens", {"messages": []}, 0),
        (CHAT, {"max_tokens": 1, "url": f"data:image/png;base64,{PNG}"}, 1 + 4 + 1 + 1 + 1_000),
        (CHAT, {"max_tokens": 1, "url": "https://example.com/a.png"}, 1 + 4 + 1 + 1 + 1_000),
        ("/api/chat", {"num_predict": 1, "images": [PNG]}, 1 + 4 + 1 + 2 + 1_000),
        # What only says that it is a file is text.
        (CHAT, {"max_tokens": 1, "x": "data: " + "word " * 600}, 1 + 4 + 1 + 1 + 1_002),
        (CHAT, {"max_tokens": 1, "data": "word " * 600}, 1 + 4 + 1 + 2 + 1_000),
        (CHAT, {"max_tokens": 1, "data": "A" * 6_000}, 1 + 4 + 1 + 2 + 2_000),
        (CHAT, {"max_tokens": 1, "x": PNG}, 1 + 4 + 1 + 1 + -(-len(PNG) // 3)),
    ],
)
def test_what_a_request_may_use(path: str, body: dict[str, Any], tokens: int) -> None:
    endpoint = EndpointTable().find("POST", path).endpoint
    assert reserved(endpoint, read(endpoint, "", json.dumps(body).encode()), 100) == tokens


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        ({"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}, 3),
        ({"input_tokens": 1, "output_tokens": 2, "cache_read_input_tokens": 5}, 8),
        ({"promptTokenCount": 1, "candidatesTokenCount": 2, "totalTokenCount": 9}, 9),
        ({"output_tokens": 2}, None),
        ({"prompt_tokens": -9, "completion_tokens": 2}, 2),
        ({"total_tokens": "9"}, None),
        (None, None),
    ],
)
def test_what_a_usage_counts(usage: Any, tokens: int | None) -> None:
    assert used(usage) == tokens
    assert of_text(4) == 2


# Stored objects


class Store:
    """An upstream that stores, as OpenAI's does."""

    def __init__(self) -> None:
        self.made = 0

    def __call__(self, provider: Provider, body: dict[str, Any]) -> Response:
        path = provider.targets[-1].partition("?")[0]
        self.made += 1
        if path == RESPONSES and body.get("stream"):
            response = {"id": "resp_s", "object": "response", "status": "in_progress", "output": []}
            item = {"id": "msg_s", "type": "message", "role": "assistant", "content": []}
            return provider.stream([
                event({"type": "response.created", "response": response, "sequence_number": 0}),
                event({"type": "response.output_item.added", "item": item, "output_index": 0,
                       "sequence_number": 1}),
            ])  # fmt: skip
        if path == RESPONSES:
            return JSONResponse({**said(RESPONSES, "hi"), "id": f"resp_{self.made}"})
        if path in ("/v1/files", "/v1/batches") and "GET" in provider.headers[-1].get("x-m", ""):
            return JSONResponse({"object": "list", "data": [{"id": f"file-{n}"} for n in range(9)],
                                 "first_id": "file-0", "last_id": "file-8"})  # fmt: skip
        if path == "/v1/batches":
            return JSONResponse({"id": f"batch_{self.made}", "output_file_id": "file-out"})
        if path.startswith(RESPONSES):
            return JSONResponse(said(RESPONSES, "hi"))
        return JSONResponse({"id": f"file-{self.made}", "object": "file"})


@contextmanager
def storing(**settings: Any) -> Iterator[tuple[Any, Any, Provider]]:
    """Two callers, each a client, and what is behind the proxy."""
    with (
        proxied(Store(), **{"keys": keys(), **settings}) as (url, provider),
        httpx.Client(base_url=url, headers=bearer("ann"), timeout=30) as ann,
        httpx.Client(base_url=url, headers=bearer("bob"), timeout=30) as bob,
    ):
        yield ann, bob, provider


def test_a_stored_answer_is_its_callers_alone() -> None:
    with storing() as (ann, bob, provider):
        made_id = ann.post(RESPONSES, json={"input": "x"}).json()["id"]
        before = len(provider.requests)
        tried = [
            bob.get(f"{RESPONSES}/{made_id}"),
            bob.get(f"/responses/{made_id}"),
            bob.get(f"/openai/v1/responses/{made_id}?stream=true"),
            bob.get(f"{RESPONSES}/{made_id}/input_items"),
            bob.post(f"{RESPONSES}/{made_id}/cancel"),
            bob.delete(f"{RESPONSES}/{made_id}"),
            bob.post(RESPONSES, json={"input": "x", "previous_response_id": made_id}),
            ann.get(f"{RESPONSES}/resp_forged"),
            ann.get(f"{RESPONSES}/{made_id.upper()}"),
        ]
        assert len(provider.requests) == before
        assert ann.get(f"{RESPONSES}/{made_id}").status_code == 200
        again = ann.post(RESPONSES, json={"input": "x", "previous_response_id": made_id})
        assert again.status_code == 200
    assert [answer.status_code for answer in tried] == [404] * len(tried)
    assert len({answer.text for answer in tried}) == 1  # one that is not there looks the same


def test_what_a_stream_tells_of_is_remembered_before_it_is_told() -> None:
    with storing() as (ann, bob, _):
        with ann.stream("POST", RESPONSES, json={"input": "x", "stream": True}) as stream:
            for line in stream.iter_lines():
                if "resp_s" in line:
                    assert ann.get(f"{RESPONSES}/resp_s").status_code == 200
        reference = {"input": [{"type": "item_reference", "id": "msg_s"}]}
        assert ann.post(RESPONSES, json=reference).status_code == 200
        assert bob.get(f"{RESPONSES}/resp_s").status_code == 404
        assert bob.post(RESPONSES, json=reference).status_code == 404


REFERENCES = [
    {"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "file-2"}]}]},
    {"input": [{"id": "file-2"}]},
    {"input": [{"type": "image_generation_call", "id": "file-2"}]},
    {"input": [{"type": "item_reference", "id": "file-2", "note": "mine"}]},
    {"input": [{"type": "reasoning", "id": "file-2", "summary": [{"text": "mine"}]}]},
    {"type": "tool_use", "input": [{"type": "item_reference", "id": "file-2"}]},
    {"previous_response_id": ["file-2"]},
    {"Previous_Response_ID": "file-2"},
    {"tools": [{"type": "code_interpreter", "container": {"type": "auto", "file_ids": "file-2"}}]},
    {"conversation": "file-2"},
    {"conversation": {"id": "file-2"}},
    {"tools": [{"type": "file_search", "vector_store_ids": ["file-2"]}]},
    {"tools": [{"type": "x", "container": {"type": "auto", "file_ids": ["file-2"]}}]},
    {"tools": [{"type": "code_interpreter", "container": "file-2"}]},
    {"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "file-2"}}]}]},
    {"messages": [{"role": "user", "content": [
        {"type": "document", "source": {"type": "file", "file_id": "file-2"}}]}]},
]  # fmt: skip


@pytest.mark.parametrize("reference", REFERENCES)
def test_another_callers_file_cannot_be_named(reference: dict[str, Any]) -> None:
    assert list(referenced_ids(reference)) == ["file-2"]
    guards = {"default": Guard(Policy.parse("rules: []"))}
    with storing(guards=guards) as (ann, bob, provider):
        assert upload(str(ann.base_url), purpose="vision").status_code == 401  # without a key
        ann.post(RESPONSES, json={"input": "x"})
        answer = ann.post("/v1/files", data={"purpose": "vision"}, files={"file": ("a", b"x")})
        assert answer.json()["id"] == "file-2"
        path = "/v1/messages" if "messages" in reference else RESPONSES
        refused = bob.post(path, json=reference)
        before = len(provider.requests)
        own = ann.post(path, json=reference)
        assert (refused.status_code, len(provider.requests) > before) == (404, True)
    assert own.status_code in (200, 502)  # what it answers is of another endpoint


def test_an_object_of_ones_own_hides_no_other() -> None:
    container = {"id": "cntr-own", "type": "auto", "file_ids": ["file-2"]}
    reference = {"tools": [{"type": "code_interpreter", "container": container}]}
    assert list(referenced_ids(reference)) == ["cntr-own", "file-2"]


def test_what_was_reasoned_may_be_brought_along_whole() -> None:
    item = {"type": "reasoning", "id": "rs", "summary": [], "encrypted_content": "x"}
    assert list(referenced_ids({"input": [item]})) == []


def test_a_file_that_is_no_batch_is_not_run_as_one() -> None:
    with storing() as (ann, _, provider):
        uploaded = ann.post("/v1/files", data={"purpose": "user_data"}, files={"file": ("a", b"x")})
        before = len(provider.requests)
        batch = {"input_file_id": uploaded.json()["id"], "endpoint": CHAT}
        refused = ann.post("/v1/batches", json=batch)
    assert (refused.status_code, len(provider.requests)) == (400, before)


def test_what_only_looks_like_a_reference_is_none() -> None:
    schema = {"type": "object", "properties": {"file_id": {"type": "string"}}}
    call = {"type": "tool_use", "id": "t", "name": "f", "input": {"file_id": "a"}}
    body = {
        "metadata": {"file_id": "a"},
        "tools": [{"name": "f", "input_schema": schema}],
        "messages": [{"role": "assistant", "content": [call]}],
        "prompt": {"id": "pmpt_1"},
        "input": [{"type": "message", "id": "m", "content": "hello"}],
    }
    assert list(referenced_ids(body)) == []


def test_lists_show_a_callers_own_alone() -> None:
    with storing() as (ann, bob, _):
        ann.post("/v1/files", data={"purpose": "vision"}, files={"file": ("a", b"x")})
        lists = [client.get("/v1/files", headers={"x-m": "GET"}).json() for client in (ann, bob)]
    assert [each["id"] for each in lists[0]["data"]] == ["file-1"]
    assert (lists[0]["first_id"], lists[0]["last_id"]) == ("file-1", "file-1")
    assert (lists[1]["data"], lists[1]["first_id"]) == ([], None)


def test_the_results_of_a_batch_are_its_makers() -> None:
    with storing() as (ann, bob, _):
        ann.post("/v1/files", data={"purpose": "batch"}, files={"file": ("a", b"")})
        batch = {"input_file_id": "file-1", "endpoint": CHAT}
        assert bob.post("/v1/batches", json=batch).status_code == 404
        assert ann.post("/v1/batches", json=batch).status_code == 200
        assert bob.get("/v1/files/file-out/content").status_code == 404
        assert ann.get("/v1/files/file-out/content").status_code == 200


def test_a_batch_counts_each_time_it_is_run() -> None:
    line = {"url": CHAT, "method": "POST", "custom_id": "a", "body": {"max_tokens": 400}}
    files = {"file": ("a", json.dumps(line).encode() + b"\n")}
    with storing(keys=keys(tokens=(1_000, 86_400))) as (ann, _, _provider):
        made_file = ann.post("/v1/files", data={"purpose": "batch"}, files=files)
        other = ann.post("/v1/files", data={"purpose": "vision"}, files=files)
        ids = [answer.json()["id"] for answer in (made_file, other)]
        runs = [ann.post("/v1/batches", json={"input_file_id": ids[0]}) for _ in range(3)]
        none = ann.post("/v1/batches", json={"input_file_id": ids[1]})
    assert [run.status_code for run in runs] == [200, 200, 429]
    assert (none.status_code, error_of(none)["code"]) == (400, "invalid_batch")


def test_objects_of_all_may_be_named_by_all() -> None:
    with storing(shared_objects=frozenset({"vs_1"})) as (ann, _, _provider):
        tools = [{"type": "file_search", "vector_store_ids": ["vs_1"]}]
        assert ann.post(RESPONSES, json={"input": "x", "tools": tools}).status_code == 200
        tools = [{"type": "file_search", "vector_store_ids": ["vs_1", "vs_2"]}]
        assert ann.post(RESPONSES, json={"input": "x", "tools": tools}).status_code == 404


def test_without_keys_objects_are_the_upstreams_to_guard() -> None:
    with proxied(Store()) as (url, _):
        assert httpx.get(f"{url}{RESPONSES}/resp_1").status_code == 200


def test_ids_in_answers_are_found() -> None:
    answer = {"id": "a", "output_file_id": "b", "container": {"id": "c"}, "output": [{"id": "d"}]}
    assert set(created_ids(answer)) == {"a", "b", "c", "d"}
    assert set(created_ids({"response": {"id": "e"}, "item": {"id": "f"}})) == {"e", "f"}
    assert list(created_ids({"id": 1, "output": "x"})) == []


def test_the_official_client_works_with_a_key() -> None:
    with (
        proxied(lambda provider, _: provider.stream(chat("a sec", "ret")), keys=keys()) as (url, _),
        openai.OpenAI(base_url=f"{url}/v1", api_key="ann-key", max_retries=0) as client,
        openai.OpenAI(base_url=f"{url}/v1", api_key="no-key", max_retries=0) as stranger,
    ):
        messages: Any = [{"role": "user", "content": "hi"}]
        with client.chat.completions.stream(model="m", messages=messages) as stream:
            assert stream.get_final_completion().choices[0].message.content == "a ######"
        with pytest.raises(openai.AuthenticationError):
            stranger.chat.completions.create(model="m", messages=messages)


# What is remembered, in memory and in Redis, whose client has no other loop than asyncio


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest_asyncio.fixture(params=["memory", "redis"])
async def state(request: pytest.FixtureRequest, clock: Clock) -> Any:
    if request.param == "memory":
        yield MemoryState(clock)
        return
    async with Redis(port=request.getfixturevalue("redis_port")) as client:
        await client.flushall()
        yield RedisState(client, clock=clock)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.mark.asyncio
async def test_who_leaves_while_tokens_are_reserved_keeps_none_back() -> None:
    class Slow(MemoryState):
        """Counts first and looks then."""

        used, running = 0, 0

        async def reserve(self, spent: Any, tokens: int, limit: int) -> bool:  # noqa: ARG002
            self.used += tokens
            await anyio.lowlevel.checkpoint()
            if self.used <= limit:
                return True
            self.used -= tokens
            return False

        async def enter(self, name: str, place: str, most: int) -> bool:  # noqa: ARG002
            self.running += 1
            await anyio.lowlevel.checkpoint()
            return True

        async def leave(self, name: str, place: str) -> None:  # noqa: ARG002
            self.running -= 1

    state = Slow()
    settings = ProxySettings("http://x", {"default": guard()})
    caller = Caller(Key("web", hashed("x"), at_once=1, tokens=(10, 60.0)), state, settings)
    with anyio.CancelScope() as scope:
        scope.cancel()
        async with caller.place():
            await anyio.sleep_forever()
    with anyio.CancelScope() as scope, suppress(BoundsError):
        scope.cancel()
        async with caller.tokens(11):
            raise AssertionError
    assert (state.used, state.running) == (0, 0)


@pytest.mark.asyncio
async def test_a_budget_counts_in_its_stretch_of_time(state: State) -> None:
    from time import time

    now, later = window("a", 3_600, time()), window("a", 3_600, time() + 3_600)
    assert [await state.reserve(now, 40, 100) for _ in range(3)] == [True, True, False]
    await state.settle(now, -30)
    assert await state.reserve(now, 50, 100)
    assert not await state.reserve(now, 1, 100)
    assert await state.reserve(later, 100, 100)
    assert await state.reserve(window("b", 3_600, time()), 100, 100)


@pytest.mark.asyncio
async def test_reservations_at_once_stay_within_a_budget(state: State) -> None:
    from time import time

    spent, taken = window("c", 3_600, time()), []

    async def one() -> None:
        taken.append(await state.reserve(spent, 10, 100))

    async with anyio.create_task_group() as group:
        for _ in range(50):
            group.start_soon(one)
    assert 1 <= sum(taken) <= 10


@pytest.mark.asyncio
@pytest.mark.parametrize("hours", [-1, 1])
async def test_a_budget_counts_where_redis_has_another_time(redis_port: int, hours: int) -> None:
    from time import time

    def clock() -> float:
        return time() + 3_600 * hours

    async with Redis(port=redis_port) as client:
        state = RedisState(client, clock=clock, prefix=secrets.token_hex(4))
        spent = window("a", 60, clock())
        assert [await state.reserve(spent, 40, 100) for _ in range(3)] == [True, True, False]


class Losing:
    """Stands before a Redis, and loses the first answer to a command that has a word in it."""

    def __init__(self, port: int, word: bytes) -> None:
        self._port, self._word = port, word
        self.lost = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_redis, to_redis = await asyncio.open_connection(port=self._port)
        with closing(writer), closing(to_redis):
            while asked := await reader.read(65_536):
                to_redis.write(asked)
                answer = await from_redis.read(65_536)
                if self._word in asked and not self.lost:
                    self.lost = True
                    return
                writer.write(answer)


@pytest.mark.asyncio
@pytest.mark.parametrize("lost", [b"40", b"-30"], ids=["reserve", "settle"])
async def test_what_redis_is_asked_again_counts_once(
    redis_port: int, lost: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    from time import time

    losing, spent = (
        Losing(redis_port, b"$%d\r\n%b\r\n" % (len(lost), lost)),
        window("d", 60, time()),
    )
    async with await asyncio.start_server(losing.serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        monkeypatch.setenv("LOSING", f"redis://127.0.0.1:{port}")
        async with redis_of("${LOSING}", "state") as client:
            state = RedisState(client, prefix=secrets.token_hex(4))
            assert await state.reserve(spent, 40, 100)
            await state.settle(spent, -30)
            assert not await state.reserve(spent, 91, 100)
            assert await state.reserve(spent, 90, 100)
    assert losing.lost


@pytest.mark.asyncio
async def test_a_place_whose_answer_is_lost_is_given_back(redis_port: int) -> None:
    losing = Losing(redis_port, b"ZADD")
    async with (
        await asyncio.start_server(losing.serve, "127.0.0.1", 0) as server,
        Redis(port=server.sockets[0].getsockname()[1], retry=None) as client,
    ):
        state = RedisState(client, prefix=secrets.token_hex(4))
        with pytest.raises(StateError):
            await state.enter("a", "lost", 1)
        assert await state.enter("a", "x", 1)
    assert losing.lost


@pytest.mark.asyncio
async def test_places_are_given_back(state: State) -> None:
    assert [await state.enter("a", place, 2) for place in "xyz"] == [True, True, False]
    await state.leave("a", "x")
    await state.leave("a", "never")
    assert await state.enter("a", "z", 2)
    assert await state.enter("b", "x", 1)


@pytest.mark.asyncio
async def test_a_place_whose_process_is_gone_is_free_again(redis_port: int, clock: Clock) -> None:
    async with Redis(port=redis_port) as client:
        state = RedisState(client, clock=clock, prefix="lease:")
        assert await state.enter("a", "gone", 1)
        clock.now += LEASE - 1
        await state.renew("a", "gone")
        clock.now += LEASE - 1
        assert not await state.enter("a", "x", 1)
        clock.now += 2
        assert await state.enter("a", "x", 1)


@pytest.mark.asyncio
async def test_an_object_is_the_first_ones_who_is_told_of_it(state: State) -> None:
    await state.keep("o", Stored("ann", "default", 5))
    await state.keep("o", Stored("bob", "default"))
    assert await state.stored("o") == Stored("ann", "default", 5)
    assert await state.stored("other") is None


@pytest.mark.asyncio
async def test_a_redis_that_fails_refuses(clock: Clock) -> None:
    state = RedisState(Redis(port=1), timeout=1, clock=clock)
    with pytest.raises(StateError):
        await state.stored("o")


def test_a_request_is_refused_if_nothing_can_be_remembered() -> None:
    class Failing(MemoryState):
        async def enter(self, *_: Any) -> bool:
            raise StateError("Redis failed (TimeoutError)")

    with proxied(lambda *_: completion("x"), keys=keys(at_once=1), state=Failing()) as (
        url,
        provider,
    ):
        answer = httpx.post(url + CHAT, json={}, headers=bearer("ann"))
    assert (answer.status_code, provider.requests) == (503, [])


@pytest.mark.asyncio
async def test_memory_forgets_the_oldest_objects() -> None:
    state = MemoryState(max_objects=2)
    for name in "abc":
        await state.keep(name, Stored("ann", "default"))
    found = [await state.stored(name) for name in "abc"]
    assert [each is None for each in found] == [True, False, False]


def test_a_stream_comes_back_to_the_key_that_began_it() -> None:
    replay = Replay(MemoryReplay())
    with proxied(
        lambda provider, _: provider.stream(chat("one", "two")), keys=keys(), replay=replay
    ) as (url, provider):
        body = {"messages": [], "stream": True}
        first = httpx.post(url + CHAT, json=body, headers=bearer("ann"))
        (last_id, *_) = re.findall(r"^id: (gs\S+)$", first.text, re.MULTILINE)
        bob, ann = (
            httpx.post(url + CHAT, json=body, headers={**bearer(name), "last-event-id": last_id})
            for name in ("bob", "ann")
        )
    assert (bob.status_code, ann.status_code) == (410, 200)
    assert first.text.endswith(ann.text)
    assert len(provider.requests) == 1


@pytest.mark.parametrize("stream", [False, True])
def test_what_goes_on_in_the_background_counts_as_it_was_reserved(stream: bool) -> None:
    def respond(provider: Provider, body: dict[str, Any]) -> Response:
        response = {"id": "r", "object": "response", "status": "queued", "output": []}
        if body.get("stream"):
            created = {"type": "response.created", "response": response, "sequence_number": 0}
            return provider.stream([event(created)])
        return JSONResponse(response)

    with proxied(respond, keys=keys(tokens=(1_000, 86_400))) as (url, _):
        body = {"input": "x", "background": True, "max_output_tokens": 400, "stream": stream}
        statuses = [httpx.post(url + RESPONSES, json=body, headers=bearer("ann")).status_code
                    for _ in range(3)]  # fmt: skip
    assert statuses == [200, 200, 429]


def test_an_object_is_asked_for_where_it_is() -> None:
    other = Provider(lambda _: JSONResponse({**said(RESPONSES, "hi"), "id": "resp_b"}))
    with serving(app_of(other)) as port:
        settings = {
            "upstreams": {"b": Target(f"http://127.0.0.1:{port}")},
            "models": {"b-*": "b"},
        }
        with storing(**settings) as (ann, _, provider):
            assert ann.post(RESPONSES, json={"model": "b-1", "input": "x"}).status_code == 200
            assert ann.get(f"{RESPONSES}/resp_b").status_code == 200
            body = {"input": "x", "previous_response_id": "resp_b"}
            assert ann.post(RESPONSES, json=body).status_code == 200
    assert (len(other.requests), len(provider.requests)) == (3, 0)


def test_a_request_that_is_nested_deeply_is_read_or_refused() -> None:
    with proxied(lambda *_: completion("x"), keys=keys(tokens=(100_000, 60))) as (url, provider):
        statuses = []
        for depth in (10, *range(900, 1_000, 7), 100_000):
            body = b'{"messages": [], "x": ' + b"[" * depth + b"]" * depth + b"}"
            answer = httpx.post(url + CHAT, content=body, headers=bearer("ann"), timeout=60)
            statuses.append(answer.status_code)
    assert set(statuses) == {200, 400}
    assert statuses == sorted(statuses)
    assert len(provider.bodies) == statuses.count(200)


def test_a_stream_tells_the_same_objects_whether_its_events_come_one_by_one_or_together() -> None:
    events = [event({"id": name}) for name in ("a", "b", "a", "c")]
    for provider, ids in (("openai_chat", ["a"]), ("openai_responses", ["a", "b", "c"])):
        one, together = ObjectFinder(provider), ObjectFinder(provider)
        assert [each for frame in events for each in one.feed(frame)] == ids
        assert together.feed(b"".join(events)) == ids
