"""`guardstream key new`, and what `serve` says to keys."""

from __future__ import annotations

import json
import re
import stat
import subprocess
import sys
from functools import partial
from pathlib import Path

import httpx
import pytest
from starlette.responses import JSONResponse

from guardstream.policy.key_file import hashed
from guardstream.serve.proxy.key_file import KeysOfFile
from tests.serve.apps import app_of
from tests.serve.proxy.upstream import POLICY, Provider, completion
from tests.serve.server import serving
from tests.support.command_line import guardstream
from tests.support.redis import redis_port as redis_port
from tests.support.serving import running, workers_of

key_new = partial(guardstream, "key", "new")


def test_a_key_is_printed_once_and_its_hash_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "keys.yaml"
    bounds = ["--at-once", "2", "--tokens", "100000/d", "--policy", "careful"]
    made = [key_new(name, "--file", str(path), *bounds) for name in ("ann", 'a "b": c')]
    keys = [done.out.strip() for done in made]
    assert all(re.fullmatch(r"gsk-[\w-]{43}", key) for key in keys)
    assert not any(key in path.read_text() for key in keys)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    found = KeysOfFile(str(path), ["careful"]).changed()
    assert found is not None
    assert [key.name for key in found] == ["ann", 'a "b": c']
    assert [key.sha256 for key in found] == [hashed(key) for key in keys]
    assert {(key.policy, key.at_once, key.tokens) for key in found} == {
        ("careful", 2, (100_000, 86_400))
    }


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_key_that_cannot_be_shown_is_not_recorded(tmp_path: Path) -> None:
    path = tmp_path / "keys.yaml"
    command = [sys.executable, "-m", "guardstream", "key", "new", "ann", "--file", str(path)]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False, timeout=60)
    assert done.returncode == 4
    assert b"standard output: no space left" in done.stderr
    assert path.read_text() == ""
    assert key_new("ann", "--file", str(path)).status == 0


def test_a_key_may_be_for_paths_that_are_not_known(tmp_path: Path) -> None:
    path = tmp_path / "keys.yaml"
    key_new("ann", "--file", str(path), "--other")
    key_new("bob", "--file", str(path))
    found = KeysOfFile(str(path), [], other=True).changed()
    assert found is not None
    assert {key.name: key.other for key in found} == {"ann": True, "bob": False}


@pytest.mark.parametrize(
    ("arguments", "before", "why"),
    [
        (["a", "--tokens", "many"], "", "--tokens: expected a number and a time"),
        (["a", "--policy", "", "--tokens", "5/d"], "", "--policy: must not be empty"),
        ([""], "", "NAME: must not be empty"),
        (["${NAME}"], "", "NAME: ${…} is only for secrets"),
        (["a", "--file", "FILE"], "a: {sha256: " + "f" * 64 + "}", "the key 'a' already exists"),
        (["a", "--file", "FILE"], "{b: {sha256: " + "f" * 64 + "}}", "not valid YAML"),
        (["a", "--file", "FILE"], "b: 1", "1:4: expected a mapping"),
        (["a", "--file", "FILE"], "b and c", "1:1: expected a mapping, as in {name: value}"),
        (["a", "--file", "none/keys.yaml"], "", "none/keys.yaml"),
    ],
)
def test_what_is_wrong_is_said_and_the_file_stays(
    tmp_path: Path, arguments: list[str], before: str, why: str
) -> None:
    path = tmp_path / "keys.yaml"
    path.write_text(before)
    done = key_new(*(str(path) if each == "FILE" else each for each in arguments))
    assert done.status in (2, 4)
    assert why in done.err
    assert (done.out, path.read_text()) == ("", before)


def test_a_key_of_a_file_opens_the_proxy_until_it_is_taken_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UPSTREAM_KEY", "upstream")
    path = tmp_path / "keys.yaml"
    key = key_new("ann", "--file", str(path)).out.strip()
    provider = Provider(lambda _: completion("a secret"))
    with serving(app_of(provider)) as port:
        policy = tmp_path / "guardstream.yaml"
        url = f"http://127.0.0.1:{port}"
        section = f"serve:\n  upstream: {{url: '{url}', key: '${{UPSTREAM_KEY}}'}}\n"
        policy.write_text(f"{POLICY}{section}  key_file: keys.yaml\n")
        with running(str(policy)) as (front, _):

            def ask() -> int:
                headers = {"authorization": f"Bearer {key}"}
                answer = httpx.post(f"{front}/v1/chat/completions", json={}, headers=headers)
                return answer.status_code

            assert ask() == 200
            path.write_text("")
            for _ in range(600):
                if ask() == 401:
                    break
            assert ask() == 401
    assert provider.headers[0]["authorization"] == "Bearer upstream"


SECTION = "serve: {upstream: {url: 'http://127.0.0.1:1', key: '${UPSTREAM_KEY}'}%s}"


@pytest.mark.parametrize(
    ("more", "arguments", "why"),
    [
        ("", ["--host", "0.0.0.0"], "anyone who reaches 0.0.0.0 would use the upstream's key"),
        (", upstreams: {b: {url: 'http://x', key: '${UPSTREAM_KEY}'}}", ["--host", "0.0.0.0"],
         "would use the upstream's key"),
        (", keys: {a: '${UPSTREAM_KEY}'}", ["--workers", "2"], "stored in one process"),
        (", key_file: none.yaml", [], "none.yaml"),
        (", key_function: 'os:getenv'", [], "--allow-code os:getenv"),
        (", state: {redis: '${UPSTREAM_KEY}'}, keys: {a: '${UPSTREAM_KEY}'}", [],
         "does not hold a Redis URL"),
    ],
)  # fmt: skip
def test_what_is_not_safe_does_not_start(
    tmp_path: Path, more: str, arguments: list[str], why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UPSTREAM_KEY", "upstream")
    path = tmp_path / "p.yaml"
    path.write_text(SECTION % more)
    done = guardstream("serve", str(path), "--port", "0", *arguments)
    assert done.status == 2
    assert why in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    ("vault", "keys", "why"),
    [
        ("{}", "", "each worker would make other stand-ins"),
        ("{id_key: '${ID_KEY}'}", ", keys: {a: '${ANN_KEY}'}", "a vault in memory is for one"),
    ],
)
def test_a_vault_that_workers_do_not_share_does_not_start(
    tmp_path: Path, vault: str, keys: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ID_KEY", "ANN_KEY"):
        monkeypatch.setenv(name, "of sixteen bytes and more")
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    state = ", state: {redis: '${REDIS_URL}'}"
    path = tmp_path / "p.yaml"
    path.write_text(
        "input: {rules: [{id: name, words: [Ann], reversible: true}]}\n"
        f"vault: {vault}\n"
        f"serve: {{upstream: {{url: 'http://127.0.0.1:1', key: '${{ANN_KEY}}'}}"
        f"{keys}{state if keys else ''}}}\n"
    )
    done = guardstream("serve", str(path), "--port", "0", "--workers", "2")
    assert done.status == 2
    assert f"p.yaml:2:1: {why}" in done.err


def test_one_file_says_all_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANN_KEY", "ann-key")
    monkeypatch.setenv("UPSTREAM_KEY", "upstream")
    first, second = (
        Provider(lambda _: JSONResponse({"say": "a secret", "data": []})) for _ in range(2)
    )
    with serving(app_of(first)) as a, serving(app_of(second)) as b:
        (tmp_path / "guardstream.yaml").write_text(f"""
formats: {{acme: {{text: $.say}}}}
rules: [{{id: word, words: [secret], replacement: "#"}}]
serve:
  upstream: {{url: "http://127.0.0.1:{a}", key: "${{UPSTREAM_KEY}}"}}
  upstreams: {{b: {{url: "http://127.0.0.1:{b}", key: "${{UPSTREAM_KEY}}", auth: api-key}}}}
  models: {{"b-*": b}}
  keys: {{ann: {{key: "${{ANN_KEY}}", at_once: 5, tokens: 1000/d, policy: strict.yaml}}}}
  routes: {{/acme: {{format: acme, upstream: b}}}}
  limits: {{answer_tokens: 100}}
""")
        strict = "name: strict\nformats: {acme: {text: $.say}}\nrules: [{id: a, words: [a secret]}]"
        (tmp_path / "strict.yaml").write_text(strict)
        with running(str(tmp_path / "guardstream.yaml")) as (url, _):
            client = httpx.Client(base_url=url, headers={"x-api-key": "ann-key"})
            with client:
                client.post("/v1/embeddings", json={"model": "b-1", "input": "x"})
                acme = client.post("/acme", json={"ask": "x"})
                client.post("/v1/embeddings", json={"model": "m", "input": "x"})
                stranger = httpx.post(f"{url}/acme", json={})
    assert stranger.status_code == 401
    assert acme.json()["say"] == "[a]"
    assert acme.headers["guardstream-policy"].startswith("strict@")
    assert [headers["api-key"] for headers in second.headers] == ["upstream"] * 2
    assert [headers["authorization"] for headers in first.headers] == ["Bearer upstream"]


def test_workers_share_what_a_key_has_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, redis_port: int
) -> None:
    monkeypatch.setenv("ANN_KEY", "ann-key")
    monkeypatch.setenv("REDIS", f"redis://127.0.0.1:{redis_port}/3")
    usage = {"prompt_tokens": 100, "completion_tokens": 300, "total_tokens": 400}
    made = json.loads(bytes(completion("hi").body))
    provider = Provider(lambda _: JSONResponse({**made, "id": "chatcmpl-1", "usage": usage}))
    with serving(app_of(provider)) as port:
        path = tmp_path / "guardstream.yaml"
        path.write_text(f"""
serve:
  workers: 2
  upstream: {{url: "http://127.0.0.1:{port}", key: null}}
  keys: {{ann: {{key: "${{ANN_KEY}}", tokens: 1000/d}}}}
  state: {{redis: "${{REDIS}}"}}
""")
        with running(str(path)) as (url, process):
            assert len(workers_of(process)) == 2
            headers = {"authorization": "Bearer ann-key", "connection": "close"}
            body = {"messages": [], "max_tokens": 400}
            answers = [
                httpx.post(f"{url}/v1/chat/completions", json=body, headers=headers)
                for _ in range(12)
            ]
            again = [
                httpx.get(f"{url}/v1/chat/completions/chatcmpl-1", headers=headers).status_code
                for _ in range(8)
            ]
    assert [answer.status_code for answer in answers] == [200] * 2 + [429] * 10
    assert again == [200] * 8
