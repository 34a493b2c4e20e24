"""The proxy as the section `serve` of a policy describes it: keys, room, attempts, replay."""

from __future__ import annotations

import json
import re
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.responses import JSONResponse, Response

from guardstream import PolicyError
from guardstream.observability import read_audit
from guardstream.serve import Route
from guardstream.serve.proxy import (
    ProxySettings,
    ServeOptions,
    SettingsError,
    section_options,
)
from tests.serve.apps import app_of
from tests.serve.proxy.upstream import POLICY, Provider, chat, completion, guard
from tests.serve.server import serving
from tests.support.command_line import guardstream
from tests.support.proxy.section import CHAT, MESSAGES, options, served
from tests.support.serving import running

KEYS = "  keys: {web: '${WEB_KEY}', batch: '${BATCH_KEY}'}\n"


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("UPSTREAM_KEY", "WEB_KEY", "BATCH_KEY"):
        monkeypatch.setenv(name, f"the-{name.lower()}")


def test_a_section_that_says_nothing_says_what_the_code_does(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text("rules: [{id: a, words: [b]}]\nserve: {upstream: 'https://a.example'}")
    assert options(path) == ServeOptions("https://a.example", {"default": str(path)})
    settings = options(path).settings()
    alone = ProxySettings("https://a.example", settings.guards)
    assert settings.targets == alone.targets
    for bound in ("max_body", "max_answer", "body_timeout", "answer_tokens", "heartbeat"):
        assert getattr(settings, bound) == getattr(alone, bound)
    assert Route("/", None).max_answer == alone.max_answer


@pytest.mark.parametrize(
    "given",
    [
        {"heartbeat": 0},
        {"heartbeat": float("nan")},
        {"body_timeout": -1},
        {"read_timeout": 0},
        {"max_body": 0},
        {"max_answer": True},
        {"answer_tokens": 1.5},
        {"max_connections": 0},
    ],
)
def test_an_amount_that_is_none_is_refused(given: dict[str, Any]) -> None:
    (name,) = given
    with pytest.raises(SettingsError, match=f"{name}= needs"):
        ProxySettings("https://a.example", {"default": guard()}, **given)


@pytest.mark.parametrize("value", ["sk-1\n", " sk-1", "sk\r\n1", "\ufeffsk-1", "  "])
@pytest.mark.parametrize(
    ("variable", "place"),
    [("UPSTREAM_KEY", "upstream.key"), ("WEB_KEY", "keys.web"), ("BATCH_KEY", "upstreams.b.key")],
)
def test_a_key_that_no_header_can_hold_is_refused_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, place: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    path = tmp_path / "policy.yaml"
    path.write_text(
        "rules: []\nserve:\n  upstream: {url: 'https://a.example', key: '${UPSTREAM_KEY}'}\n"
        "  keys: {web: '${WEB_KEY}'}\n"
        "  upstreams: {b: {url: 'https://b.example', key: '${BATCH_KEY}'}}"
    )
    with pytest.raises(PolicyError) as raised:
        options(path).settings()
    assert f"serve.{place}: the environment variable '{variable}'" in str(raised.value)
    assert "white space" in str(raised.value)
    assert "sk" not in str(raised.value).replace(str(tmp_path), "")


def ask(url: str, path: str = CHAT, **headers: str) -> httpx.Response:
    body = {"model": "m", "stream": True, "messages": []}
    return httpx.post(url + path, json=body, headers=headers, timeout=30)


def streamed(provider: Provider) -> Response:
    return provider.stream(chat("a sec", "ret"))


# Keys


@pytest.mark.parametrize(
    ("path", "headers", "name"),
    [
        (CHAT, {"authorization": "Bearer the-web_key"}, "web"),
        (MESSAGES, {"x-api-key": "the-batch_key"}, "batch"),
        (CHAT, {"api-key": "the-batch_key"}, "batch"),
    ],
)
def test_clients_come_with_keys_of_yours_and_requests_go_on_with_the_upstreams(
    tmp_path: Path, path: str, headers: dict[str, str], name: str
) -> None:
    section = "  upstream: UPSTREAM\n" + KEYS
    with served(tmp_path, lambda _: completion("a secret"), section, "audit: {path: a.jsonl}") as (
        url,
        provider,
    ):
        ask(url, path, **headers)
    (sent,) = provider.headers
    given = {key: value for key, value in sent.items() if "key" in key or key == "authorization"}
    expected = {"authorization": "Bearer the-upstream_key"}
    assert given == ({"x-api-key": "the-upstream_key"} if path == MESSAGES else expected)
    records: list[Any] = list(read_audit(tmp_path / "a.jsonl"))
    assert [record["attributes"] for record in records] in ([{"key": name}], [])  # no address


@pytest.mark.parametrize("path", [CHAT, MESSAGES])
def test_a_client_cannot_have_the_upstreams_key_left_out(tmp_path: Path, path: str) -> None:
    section = "  upstream: UPSTREAM\n" + KEYS
    with served(tmp_path, lambda _: completion("a"), section) as (url, provider):
        named = "close, authorization, x-api-key"
        ask(url, path, authorization="Bearer the-web_key", connection=named)
    (sent,) = provider.headers
    assert "the-upstream_key" in (sent.get("authorization", "") + sent.get("x-api-key", ""))


@pytest.mark.parametrize(
    "headers",
    [{}, {"authorization": "Bearer other"}, {"x-api-key": ""}, {"authorization": "Bearer"}],
)
@pytest.mark.parametrize("path", [CHAT, MESSAGES, "/v1/models"])
def test_a_client_without_a_key_is_refused(
    tmp_path: Path, headers: dict[str, str], path: str
) -> None:
    section = "  upstream: UPSTREAM\n  other: pass\n" + KEYS
    with served(tmp_path, streamed, section) as (url, provider):
        response = ask(url, path, **headers)
    assert response.status_code == 401
    assert "invalid_api_key" in response.text
    assert provider.requests == []


def test_a_secret_that_is_not_there_is_told_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WEB_KEY")
    path = tmp_path / "p.yaml"
    path.write_text("serve:\n  upstream: {url: 'http://x', key: '${UPSTREAM_KEY}'}\n" + KEYS)
    made = options(path)
    assert "the-" not in repr(made)
    with pytest.raises(PolicyError, match=r"p.yaml: serve.keys.web: .*'WEB_KEY'"):
        made.settings()
    monkeypatch.setenv("WEB_KEY", "the-web_key")
    assert "the-" not in repr(made.settings())


# Room and attempts


def test_requests_beyond_the_policys_concurrency_are_told_to_come_later(tmp_path: Path) -> None:
    section = "  upstream: UPSTREAM\n" + KEYS
    limits = "concurrency: {by: key, per_key: {rate: 1/h}, timeout: 1s}"
    web, batch = ({"authorization": f"Bearer the-{name}_key"} for name in ("web", "batch"))
    with served(tmp_path, streamed, section, limits) as (url, provider):
        answers = [ask(url, **headers) for headers in (web, web, batch)]
    assert [answer.status_code for answer in answers] == [200, 429, 200]
    assert 3_500 < int(answers[1].headers["retry-after"]) <= 3_600
    assert json.loads(answers[1].content)["error"]["code"] == "too_many_requests"
    assert len(provider.requests) == 2


def test_a_section_says_who_may_use_paths_that_are_not_known(tmp_path: Path) -> None:
    keys = "  keys: {web: '${WEB_KEY}', batch: {key: '${BATCH_KEY}', other: true}}\n"
    section = "  upstream: UPSTREAM\n  other: guard\n" + keys
    with served(tmp_path, lambda _: JSONResponse({"a": "a secret"}), section) as (url, _):
        answers = [
            httpx.get(f"{url}/v1/threads", headers={"authorization": f"Bearer the-{name}_key"})
            for name in ("web", "batch")
        ]
    assert [each.status_code for each in answers] == [403, 200]
    assert answers[1].json() == {"a": "a ######"}
    with (
        pytest.raises(SettingsError, match=r"key 'batch': .*'other: guard'"),
        served(tmp_path, lambda _: JSONResponse({}), section.replace("guard", "pass")),
    ):
        pass


def test_a_request_waits_while_another_is_answered(tmp_path: Path) -> None:
    go_on = threading.Event()

    def respond(provider: Provider) -> Response:
        if len(provider.requests) == 1:
            return provider.stream(chat("first")[:2], silent=True)
        return provider.stream(chat("second"))

    with served(tmp_path, respond, "", "concurrency: {at_once: 1}") as (url, provider):
        body = {"model": "m", "stream": True, "messages": []}
        with httpx.stream("POST", url + CHAT, json=body, timeout=30) as first:
            assert next(first.iter_bytes())
            second = threading.Thread(target=lambda: (ask(url), go_on.set()))
            second.start()
            assert not go_on.is_set()
            assert len(provider.requests) == 1
        second.join(30)
    assert go_on.is_set()
    assert len(provider.requests) == 2


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_upstream_is_asked_again(tmp_path: Path, status: int) -> None:
    def respond(provider: Provider) -> Response:
        if len(provider.requests) < 3:
            return JSONResponse({"error": {"message": "busy"}}, status)
        return provider.stream(chat("a sec", "ret"))

    retry = "retry: {attempts: 3, wait_initial: 1ms, wait_max: 1ms}"
    with served(tmp_path, respond, "", retry) as (url, provider):
        response = ask(url)
    assert (response.status_code, len(provider.requests)) == (200, 3)
    assert "secret" not in response.text


def test_the_last_answer_of_a_busy_upstream_is_the_clients(tmp_path: Path) -> None:
    def busy(_: Provider) -> Response:
        headers = {"retry-after": "0"}
        return JSONResponse({"error": {"message": "a secret"}}, 503, headers)

    retry = "retry: {attempts: 2, wait_initial: 1ms, wait_max: 1ms}"
    with served(tmp_path, busy, "", retry) as (url, provider):
        response = ask(url)
    assert (response.status_code, len(provider.requests)) == (503, 2)
    assert json.loads(response.content) == {"error": {"message": "a ######"}}


def test_what_is_wrong_with_a_request_is_not_tried_again(tmp_path: Path) -> None:
    wrong = JSONResponse({"error": {"message": "no"}}, 400)
    with served(tmp_path, lambda _: wrong, "", "retry: {attempts: 3}") as (url, provider):
        assert ask(url).status_code == 400
    assert len(provider.requests) == 1


# Heartbeats and replay


def test_a_silent_stream_has_heartbeats(tmp_path: Path) -> None:
    def respond(provider: Provider) -> Response:
        return provider.stream(chat("first")[:2], silent=True)

    with served(tmp_path, respond, "  heartbeats: 5ms\n") as (url, _):
        body = {"model": "m", "stream": True, "messages": []}
        with httpx.stream("POST", url + CHAT, json=body, timeout=30) as response:
            seen = b""
            for part in response.iter_bytes():
                seen += part
                if seen.count(b": ping\n\n") >= 3:
                    break
    assert b"first" in seen


def test_a_client_that_comes_back_gets_what_followed(tmp_path: Path) -> None:
    with served(
        tmp_path, lambda p: p.stream(chat("one", "a sec", "ret ", "two")), "  replay: {}\n"
    ) as (
        url,
        provider,
    ):
        whole = ask(url)
        ids = re.findall(r"^id: (gs\S+)$", whole.text, re.MULTILINE)
        again = ask(url, **{"last-event-id": ids[1]})
        over = ask(url, **{"last-event-id": ids[-1]})
        unknown = ask(url, **{"last-event-id": "gs" + "x" * 22 + ".1"})
    assert whole.text.endswith(again.text)
    assert again.text.count("id: ") == len(ids) - 2
    assert (over.status_code, unknown.status_code, len(provider.requests)) == (204, 410, 1)
    assert "secret" not in whole.text


def test_the_beginning_of_an_event_that_an_upstream_gives_an_id_gets_none(tmp_path: Path) -> None:
    frames = [b"id: %d\n%b" % told for told in enumerate(chat("a sec", "t and more")[1:])]
    with served(tmp_path, lambda p: p.stream(frames), "  replay: {}\n") as (url, _):
        whole = ask(url).text
    assert re.findall("^id: (.*)$", whole, re.MULTILINE) == ["1", "2", "3"]


def test_a_stream_that_its_client_left_says_that_it_is_not_whole(tmp_path: Path) -> None:
    def respond(provider: Provider) -> Response:
        return provider.stream(chat("one", "two")[:3], silent=True)

    with served(tmp_path, respond, "  replay: {}\n") as (url, provider):
        body = {"model": "m", "stream": True, "messages": []}
        with httpx.stream("POST", url + CHAT, json=body, timeout=30) as response:
            found = None
            for line in response.iter_lines():
                found = found or re.fullmatch("id: (gs.*)", line)
                if "one" in line:
                    break
        assert provider.closed.wait(10)
        assert found is not None
        again = ask(url, **{"last-event-id": found[1]})
    assert '"code": "cancelled"' in again.text


def test_an_answer_goes_on_for_a_client_that_comes_back_in_time(tmp_path: Path) -> None:
    with served(
        tmp_path, lambda p: p.stream(chat(*["word "] * 300)), "  replay: {linger: 30s}\n"
    ) as (
        url,
        _,
    ):
        body = {"model": "m", "stream": True, "messages": []}
        with httpx.stream("POST", url + CHAT, json=body, timeout=30) as response:
            found = next(
                match
                for line in response.iter_lines()
                if (match := re.fullmatch("id: (gs.*)", line))
            )
        again = ask(url, **{"last-event-id": found[1]})
    assert again.text.count("word ") == 300
    assert again.text.endswith("data: [DONE]\n\n")


# What the section says, and what it cannot


def test_routes_and_names_lead_to_files_beside_the_policy(tmp_path: Path) -> None:
    (tmp_path / "strict.yaml").write_text("rules: [{id: a, words: [word], action: block}]")
    section = "  routes: {/v1/messages: strict.yaml, /v1/responses: {policy: strict}}\n"
    section += "  policies: {strict: strict.yaml, chat: guardstream/chat}\n"
    path = tmp_path / "p.yaml"
    path.write_text("serve:\n  upstream: http://x\n" + section)
    made = options(path)
    assert made.routes == {MESSAGES: "strict.yaml", "/v1/responses": "strict"}
    strict = str(tmp_path / "strict.yaml")
    assert made.policies["strict"] == made.policies["strict.yaml"] == strict
    assert made.policies["chat"] == "guardstream/chat"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("serve: {routes: {/x: {heartbeat: 1s}}}", r"1:18: 'heartbeat' of a route is for the midd"),
        ("serve: {by_header: true, routes: {/x: a.yaml}}", r"1:35: with 'by_header' a route names"),
    ],
)
def test_what_the_proxy_does_not_do_is_told(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(text)
    with pytest.raises(PolicyError, match=f"p.yaml:{why}"):
        section_options(str(path))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (
            "vault: {}\ninput: {rules: [{id: e, pattern: 'e@x', reversible: true}]}\n"
            "gate: [{use: judge, options: {format: llama_guard, model: m}}]",
            "a gate would see the values that the vault restores",
        ),
        ("concurrency: {by: user, per_key: {at_once: 1}}", "have key and client, not user"),
    ],
)
def test_what_its_requests_cannot_have_is_told(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(f"serve: {{upstream: 'http://x'}}\n{text}")
    with pytest.raises(SettingsError, match=rf"p.yaml:\d:\d+: .*{why}"):
        options(path).settings()


# The command


def test_the_command_does_what_the_file_says(tmp_path: Path) -> None:
    provider = Provider(lambda _: provider.stream(chat("a sec", "ret")))
    with serving(app_of(provider)) as port:
        path = tmp_path / "guardstream.yaml"
        section = f"serve:\n  upstream: http://127.0.0.1:{port}\n  listen: 127.0.0.1:1\n"
        path.write_text(
            f"{POLICY}\n{section}audit: {{path: a.jsonl}}\nmetrics: {{prometheus: true}}"
        )
        with running(str(path)) as (url, _):  # --port overrides what it says
            assert "######" in ask(url).text
            assert "guardstream_streams_total" in httpx.get(f"{url}/metrics").text
    assert len(list(read_audit(tmp_path / "a.jsonl"))) == 1


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ([], "no policy for all paths"),
        (["guardstream/chat"], "no upstream: give --upstream"),
        (["guardstream/chat", "--policy", "guardstream/code"], "name one policy"),
        (["FILE"], "'UPSTREAM_KEY', which holds the secret, is not set"),
    ],
)
def test_the_command_says_what_is_missing(
    tmp_path: Path, arguments: list[str], why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("UPSTREAM_KEY")
    path = tmp_path / "p.yaml"
    path.write_text("serve: {upstream: {url: 'http://x', key: '${UPSTREAM_KEY}'}}")
    given = [str(path) if each == "FILE" else each for each in arguments]
    done = guardstream("serve", *given)
    assert (done.status, done.out) == (2, "")
    assert why in done.err
    assert len(done.err.splitlines()) == 1
