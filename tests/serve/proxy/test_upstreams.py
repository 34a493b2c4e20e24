"""Several upstreams: which one a request goes to, at which address, with which key."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from starlette.responses import JSONResponse, Response

from guardstream.serve.proxy import ProxySettings, SettingsError, application
from guardstream.serve.proxy.keys import query_without
from guardstream.serve.proxy.upstreams import Choice, Target
from tests.serve.apps import app_of
from tests.serve.proxy.upstream import Provider, completion, guard
from tests.serve.server import serving

CHAT = "/v1/chat/completions"


@pytest.mark.parametrize(
    ("base", "path", "expected"),
    [
        ("https://a", CHAT, "https://a/v1/chat/completions"),
        ("https://a/", CHAT, "https://a/v1/chat/completions"),
        ("https://a/v1", CHAT, "https://a/v1/chat/completions"),
        ("https://a/base", CHAT, "https://a/base/v1/chat/completions"),
        ("https://a/api/paas/v4", CHAT, "https://a/api/paas/v4/chat/completions"),
        ("https://a/v1beta/openai", CHAT, "https://a/v1beta/openai/chat/completions"),
        ("https://a/openai/v1", CHAT, "https://a/openai/v1/chat/completions"),
        ("https://a/openai/v1", "/openai/v1/models", "https://a/openai/v1/models"),
        ("https://a", "/v1beta/models/m:generateContent", "https://a/v1beta/models/m:generateContent"),
        ("https://a/v1x", CHAT, "https://a/v1x/v1/chat/completions"),
        ("https://a", "/api/chat", "https://a/api/chat"),
    ],
)  # fmt: skip
def test_a_base_may_have_a_version_or_none(base: str, path: str, expected: str) -> None:
    assert Target(base).address(path, "") == expected
    assert Target(base).address(path, "a=b") == expected + "?a=b"


def test_an_upstream_may_say_whether_a_version_stands_between() -> None:
    assert Target("https://a", version=False).address(CHAT, "") == "https://a/chat/completions"
    assert Target("https://a/v4", version=True).address(CHAT, "") == f"https://a/v4{CHAT}"


def test_the_model_chooses_before_the_path() -> None:
    choice = Choice({"claude-3": "old", "claude-*": "b", "org/*": "c"}, {"/v1/responses": "d"})
    assert choice.of((), "claude-3", "a") == "old"
    assert choice.of((), "claude-4", "a") == "b"
    assert choice.of(("/v1/responses",), "org/m", "a") == "c"
    assert choice.of(("/openai/v1/responses", "/v1/responses"), "gpt", "a") == "d"
    assert choice.of((), None, "a") == "a"
    assert choice.of((), "CLAUDE-3", "a") == "a"


def test_requests_go_where_their_model_is_with_the_key_of_there() -> None:
    def respond(_: Any) -> Response:
        answer = completion("a secret")
        answer.headers["openai-organization"] = "org"
        answer.headers["x-request-id"] = "r"
        answer.set_cookie("session", "s")
        return answer

    first, second, third = (Provider(respond) for _ in range(3))
    with (
        serving(app_of(first)) as a,
        serving(app_of(second)) as b,
        serving(app_of(third)) as c,
    ):
        urls = [f"http://127.0.0.1:{port}" for port in (a, b, c)]
        settings = ProxySettings(
            Target(urls[0], "key-a"),
            {"default": guard()},
            upstreams={"b": Target(urls[1], "key-b", auth="api-key"), "c": Target(urls[2])},
            models={"b-*": "b"},
            upstream_routes={"/v1/completions": "c"},
        )
        with serving(application(settings), lifespan="on") as front:
            url = f"http://127.0.0.1:{front}"
            for path, model in ((CHAT, "m"), (CHAT, "b-1"), ("/completions", "m"),
                                ("/openai/deployments/b-2/chat/completions", "m")):  # fmt: skip
                headers = {"authorization": "Bearer mine", "cookie": "a=b", "openai-project": "p"}
                answer = httpx.post(
                    f"{url}{path}?key=mine&a=1", json={"model": model}, headers=headers
                )
                assert "secret" not in answer.text
                assert not {"set-cookie", "openai-organization"} & answer.headers.keys()
                assert answer.headers["x-request-id"] == "r"
    assert [len(each.requests) for each in (first, second, third)] == [1, 2, 1]
    assert first.headers[0]["authorization"] == "Bearer key-a"
    assert second.headers[0]["api-key"] == "key-b"
    every = [*first.headers, *second.headers, *third.headers]
    assert not any("mine" in value for headers in every for value in headers.values())
    assert not any({"cookie", "openai-project"} & headers.keys() for headers in every)
    assert "authorization" not in third.headers[0]
    assert {each.targets[0].partition("?")[2] for each in (first, second, third)} == {"a=1"}


def test_a_clients_own_key_goes_on_where_the_proxy_has_none() -> None:
    provider = Provider(lambda _: JSONResponse({"data": []}))
    with serving(app_of(provider)) as port:
        settings = ProxySettings(f"http://127.0.0.1:{port}", {"default": guard()})
        with serving(application(settings), lifespan="on") as front:
            httpx.get(f"http://127.0.0.1:{front}/v1/models?key=mine", headers={"api-key": "mine"})
    assert provider.headers[0]["api-key"] == "mine"
    assert provider.targets == ["/v1/models?key=mine"]


@pytest.mark.parametrize(
    ("path", "auth"), [("/v1/models", "x-api-key"), ("/v1/moderations", "authorization")]
)
def test_anthropics_client_has_its_own_header_at_paths_of_both(path: str, auth: str) -> None:
    provider = Provider(lambda _: JSONResponse({"data": []}))
    with serving(app_of(provider)) as port:
        settings = ProxySettings(Target(f"http://127.0.0.1:{port}", "k"), {"default": guard()})
        with serving(application(settings), lifespan="on") as front:
            httpx.request(
                "GET" if "models" in path else "POST",
                f"http://127.0.0.1:{front}{path}",
                json={"input": "x"},
                headers={"anthropic-version": "2023-06-01"},
            )
    assert provider.headers[0][auth].endswith("k")


def test_keys_in_queries_are_found_however_they_are_written() -> None:
    assert query_without("a=1&%6bey=x&KEY=y&api%5Fkey=z&b=2&access_token=") == "a=1&b=2"


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"models": {"a": "none"}}, "models 'a': no upstream 'none', known: default"),
        ({"upstream_routes": {"/x": "none"}}, "route '/x': no upstream 'none'"),
        ({"routes": {"v1/models": "default"}}, "route 'v1/models': a path begins with '/'"),
        (
            {"routes": {"/v1/mesages": "default"}},
            "route '/v1/mesages': the proxy does not know this path, and refuses it: "
            r"did you mean '/v1/messages'\? Or give it a 'provider', or set 'other: guard'",
        ),
        ({"upstream_routes": {"/x": "default"}}, "route '/x': .* refuses it: give it a 'provider'"),
        ({"upstreams": {"a": Target("nowhere")}}, "upstreams: 'a': expected a URL"),
        (
            {"upstreams": {"a": Target("http://x/v1/chat/completions")}},
            "upstreams: 'a': the URL of an upstream is the base of its paths: "
            "leave out '/chat/completions'",
        ),
        *(
            ({"upstreams": {"a": Target(url)}}, "upstreams: 'a': expected a URL")
            for url in ("http://[x", "http://:80", "http://x:99999", "http://x:a", "http://x /")
        ),
        *(
            ({"upstreams": {"a": Target(url)}}, "upstreams: 'a': .* leave out its query")
            for url in ("http://x/v1?api-version=1", "http://x/v1?", "http://x/#a")
        ),
        ({"upstreams": {"default": Target("http://x")}}, "'default' is the name of 'upstream'"),
    ],
)
def test_what_cannot_be_is_told_at_once(settings: dict[str, Any], why: str) -> None:
    with pytest.raises(SettingsError, match=why):
        ProxySettings("http://x", {"default": guard()}, **settings)


@pytest.mark.parametrize(
    ("path", "settings"),
    [
        ("/v1/messages/batches/{id}/results", {}),
        ("/v1/models/gpt", {}),
        ("/api/v1/chat/completions", {}),
        ("/openai/deployments/mine/chat/completions", {}),
        ("/v1beta/models/gemini:generateContent", {}),
        ("/acme", {"formats": {"/acme": "openai_chat"}}),
        ("/acme", {"other": "guard"}),
    ],
)
def test_a_route_is_for_a_path_that_is_answered(path: str, settings: dict[str, Any]) -> None:
    made = ProxySettings("http://x", {"default": guard()}, routes={path: "default"}, **settings)
    assert made.routes == {path: "default"}


def test_a_cookie_of_one_client_is_not_sent_with_anothers_request() -> None:
    def respond(_: Any) -> Response:
        answer = JSONResponse({"data": []})
        answer.set_cookie("session", "of-ann")
        return answer

    provider = Provider(respond)
    with serving(app_of(provider)) as port:
        settings = ProxySettings(f"http://127.0.0.1:{port}", {"default": guard()})
        with serving(application(settings), lifespan="on") as front:
            url = f"http://127.0.0.1:{front}/v1/models"
            first = httpx.get(url, headers={"authorization": "Bearer ann"})
            httpx.get(url, headers={"authorization": "Bearer bob"})
            httpx.get(url, headers={"cookie": "own=1"})
    assert first.cookies["session"] == "of-ann"
    assert [headers.get("cookie") for headers in provider.headers] == [None, None, "own=1"]


@pytest.mark.parametrize("held", [True, False])
def test_the_models_of_all_upstreams_are_listed_where_they_are_asked_for(held: bool) -> None:
    def listing(*ids: str) -> Provider:
        return Provider(
            lambda _: JSONResponse({"object": "list", "data": [{"id": i} for i in ids]})
        )

    first, second = listing("a-1", "b-1", "c"), listing("b-1", "b-2", "a-1")
    with serving(app_of(first)) as a, serving(app_of(second)) as b:
        key = "k" if held else None
        settings = ProxySettings(
            Target(f"http://127.0.0.1:{a}", key),
            {"default": guard()},
            upstreams={
                "b": Target(f"http://127.0.0.1:{b}", key and "l", auth="x-api-key"),
                "gone": Target("http://127.0.0.1:9", key),
            },
            models={"b-*": "b"},
        )
        with serving(application(settings), lifespan="on") as front:
            answer = httpx.get(f"http://127.0.0.1:{front}/v1/models", headers={"x-a": "1"}).json()
            one = httpx.get(f"http://127.0.0.1:{front}/v1/models/a-1").json()
    ids = [each["id"] for each in answer["data"]]
    # A client's own key is not shown to all upstreams: then the first alone is asked.
    assert ids == (["a-1", "c", "b-1", "b-2"] if held else ["a-1", "b-1", "c"])
    assert answer["object"] == one["object"] == "list"
    assert [headers.get("x-api-key") for headers in second.headers] == (["l"] if held else [])


def test_where_no_upstream_lists_models_the_client_is_told() -> None:
    nowhere = Target("http://127.0.0.1:9", "k")
    settings = ProxySettings(nowhere, {"default": guard()}, upstreams={"b": nowhere})
    with serving(application(settings), lifespan="on") as front:
        answer = httpx.get(f"http://127.0.0.1:{front}/v1/models")
    assert answer.status_code == 502
    assert answer.json()["error"]["code"] == "upstream_error"
