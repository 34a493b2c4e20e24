"""`guardstream serve`, as a user starts it: one process or several, told to stop by a signal."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
import websockets

from tests.serve.apps import app_of
from tests.serve.proxy.upstream import POLICY, Provider, chat
from tests.serve.server import serving
from tests.support.command_line import guardstream
from tests.support.ports import free_port
from tests.support.serving import _wait_until_ready, command, running, workers_of


def _wait_until(is_so: Callable[[], bool], seconds: float = 120) -> None:
    """Wait for another program."""
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "it does not happen"
        time.sleep(0.05)


@pytest.mark.parametrize("workers", [1, 2])
def test_it_guards_with_one_worker_and_with_two(workers: int, tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY)
    provider = Provider(lambda _: provider.stream(chat("a sec", "ret", " here")))
    with serving(app_of(provider)) as port:
        upstream = f"http://127.0.0.1:{port}"
        arguments = ["--policy", str(policy), "--upstream", upstream, "--workers", str(workers)]
        with running(*arguments) as (url, process):
            if workers > 1:
                assert len(workers_of(process)) == workers
            answers = [
                httpx.post(f"{url}/v1/chat/completions", json={"messages": []}) for _ in range(8)
            ]
    assert all("######" in answer.text and "secret" not in answer.text for answer in answers)
    assert len({answer.headers["guardstream-policy"] for answer in answers}) == 1


def test_it_answers_checks_and_streams_of_websockets(tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY)

    async def guarded(url: str) -> str:
        async with websockets.connect(f"{url.replace('http', 'ws', 1)}/check") as socket:
            for text in ("a sec", "ret", " here", ""):
                await socket.send(text)
            return "".join([json.loads(line).get("text", "") async for line in socket])

    with running("--policy", str(policy), "--check") as (url, _):
        asked = {"text": "a secret", "direction": "response"}
        assert httpx.post(f"{url}/check", json=asked).json()["text"] == "a ######"
        assert asyncio.run(guarded(url)) == "a ###### here"
        assert httpx.post(f"{url}/v1/chat/completions", json={}).status_code == 404


SLOW_WORKERS = """
import sys, time
if "--multiprocessing-fork" in sys.orig_argv:
    time.sleep(12)
"""


def test_workers_that_are_slow_to_start_are_not_killed(tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY)
    (tmp_path / "sitecustomize.py").write_text(SLOW_WORKERS)
    given = ["--policy", str(policy), "--upstream", "http://localhost", "--workers", "2"]
    with running(*given, PYTHONPATH=str(tmp_path)) as (_, process):
        assert len(workers_of(process)) == 2


@pytest.mark.parametrize("workers", [1, 2])
def test_each_request_is_logged_in_the_process_that_answers_it(
    workers: int, tmp_path: Path
) -> None:
    provider = Provider(lambda _: provider.stream(chat("a sec", "ret")))
    policy, log = tmp_path / "policy.yaml", tmp_path / "log"
    policy.write_text(POLICY)
    with serving(app_of(provider)) as port:
        upstream = f"http://127.0.0.1:{port}"
        given = [str(policy), "--upstream", upstream, "--workers", str(workers)]
        with running(*given, log=log) as (url, _):
            body = {"model": "m", "stream": True, "messages": []}
            httpx.post(f"{url}/v1/chat/completions", json=body, timeout=30)
    assert "POST /v1/chat/completions 200 finish=stop policy=proxied@" in log.read_text()
    assert "secret" not in log.read_text()


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--policy", "none.yaml", "--upstream", "http://localhost"], "none.yaml"),
        (["--policy", "guardstream/chat", "--upstream", "nowhere"], "upstream: expected a URL"),
        (["--policy", "x=guardstream/chat", "--upstream", "http://localhost"], "'default'"),
        (
            ["--policy", "guardstream/chat", "--upstream", "http://x", "--route", "/v1=none"],
            "no policy 'none'",
        ),
        (["--policy", "guardstream/chat", "--upstream", "http://x", "--other", "y"], "'y'"),
    ],
)
def test_what_is_wrong_with_its_options_is_said_at_once(arguments: list[str], why: str) -> None:
    done = guardstream("serve", *arguments)
    assert done.status == 2
    assert why in done.err


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("GUARDSTREAM_SERVE_UPSTRAEM", "did you mean GUARDSTREAM_SERVE_UPSTREAM?"),
        ("GUARDSTREAM_SERVE_ALLOW_CODE", "see 'guardstream serve --help'"),
    ],
)
def test_a_variable_that_is_no_options_is_named(
    name: str, hint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "http://localhost")
    done = guardstream("serve", "guardstream/chat")
    assert done.status == 2
    assert done.err.startswith(f"warning: the variable {name} is not read: it belongs to no ")
    assert hint in done.err.splitlines()[0]


@pytest.mark.parametrize(
    ("option", "value"), [("PORT", "tcp://10.0.0.1:80"), ("WORKERS", "0"), ("RELOAD", "maybe")]
)
def test_a_wrong_value_of_a_variable_names_the_variable(
    option: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"GUARDSTREAM_SERVE_{option}"
    monkeypatch.setenv(name, value)
    done = guardstream("serve", "guardstream/chat")
    assert done.status == 2
    assert done.err.startswith(f"guardstream serve: invalid value for the variable {name}: ")


def test_it_says_where_it_listens_what_it_guards_and_by_which_policy(tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY)
    upstream = "http://user:password@127.0.0.1:1/base"
    arguments = ["--port", "0", "--policy", str(policy), "--upstream", upstream]
    with subprocess.Popen(
        command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stderr is not None
            first, second = process.stderr.readline(), process.stderr.readline()
            found = re.match(r"guardstream: listening on (http://127\.0\.0\.1:\d+), ", first)
            assert found, first
            _wait_until_ready(found[1], process)
        finally:
            process.send_signal(signal.SIGTERM)
            out, rest = process.communicate(timeout=60)
    assert first.endswith("guarding http://127.0.0.1:1/base\n")
    assert second.startswith(f"guardstream: policy 'default': {policy} (")
    assert second.endswith(") guards answers and prompts\n")
    assert (out, "password" in rest) == ("", False)


@pytest.mark.parametrize("workers", [1, 2])
def test_it_says_that_it_is_not_ready_before_it_stops(workers: int, tmp_path: Path) -> None:
    provider = Provider(lambda _: provider.stream(chat("a secret ", "here")))
    with serving(app_of(provider)) as port:
        policy = tmp_path / "policy.yaml"
        section = f"serve: {{upstream: 'http://127.0.0.1:{port}', drain: 6s, workers: {workers}}}"
        policy.write_text(f"{POLICY}\n{section}\n")
        with running(str(policy)) as (url, process):
            process.send_signal(signal.SIGTERM)
            body = {"model": "m", "stream": True, "messages": []}
            states = set()
            until = time.monotonic() + 5
            while time.monotonic() < until and 503 not in states:
                states.add(httpx.get(f"{url}/readyz").status_code)
            answer = httpx.post(f"{url}/v1/chat/completions", json=body)
            assert "a ###### here" in "".join(re.findall(r'"content": ?"([^"]*)"', answer.text))
            assert 503 in states
            assert process.wait(timeout=30) in (0, -signal.SIGTERM)


def _slow(tmp_path: Path, port: int, workers: int) -> Path:
    policy = tmp_path / "policy.yaml"
    section = f"{{upstream: 'http://127.0.0.1:{port}', drain: 5m, grace: 60s, workers: {workers}}}"
    policy.write_text(f"{POLICY}\nserve: {section}\n")
    return policy


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("signals", [["SIGTERM", "SIGTERM"], ["SIGTERM", "SIGINT"], ["SIGINT"]])
def test_a_second_signal_or_sigint_ends_the_wait(
    workers: int, signals: list[str], tmp_path: Path
) -> None:
    with running(str(_slow(tmp_path, 1, workers))) as (url, process):
        process.send_signal(getattr(signal, signals[0]))
        for name in signals[1:]:
            _wait_until(lambda: httpx.get(f"{url}/readyz").status_code != 200)
            process.send_signal(getattr(signal, name))
        assert process.wait(timeout=120) in (0, -signal.SIGTERM, 130)


@pytest.fixture
def not_below_nohup() -> Iterator[None]:
    """What is started does not ignore SIGHUP, whatever started the tests."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("not_below_nohup")
def test_sighup_ends_one_process_as_sigterm_does(tmp_path: Path) -> None:
    with running(str(_slow(tmp_path, 1, 1))) as (url, process):
        process.send_signal(signal.SIGHUP)
        _wait_until(lambda: httpx.get(f"{url}/readyz").status_code != 200)
        assert httpx.get(f"{url}/healthz").status_code == 200
        process.send_signal(signal.SIGHUP)
        assert process.wait(timeout=120) == -signal.SIGTERM


def test_workers_that_are_being_replaced_can_be_stopped(tmp_path: Path) -> None:
    """An old worker ends only after its `drain` of five minutes."""
    log = tmp_path / "log"
    with running(str(_slow(tmp_path, 1, 2)), log=log) as (_, process):
        first, _ = workers_of(process)
        process.send_signal(signal.SIGHUP)
        _wait_until(lambda: "stopping: not ready" in log.read_text())
        process.send_signal(signal.SIGTERM)
        _wait_until(lambda: log.read_text().count("stopping: not ready") > 1)
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=120)
    assert not Path(f"/proc/{first}").exists()
    assert "Traceback" not in log.read_text()


def test_workers_stop_when_the_process_that_started_them_is_killed(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with running(str(_slow(tmp_path, 1, 2)), log=log) as (url, process):
        _wait_until(lambda: len(workers_of(process)) == 2)
        _wait_until(lambda: _is_ready(url))
        started = workers_of(process)
        process.kill()
        process.wait(timeout=120)
        # Two signals that come at once are one.
        _wait_until(lambda: log.read_text().count("stopping: not ready") == 2)
        assert log.read_text().count("is gone: stopping") == 2
        for each in started:
            os.kill(each, signal.SIGTERM)  # the second signal, which ends `drain`
        _wait_until(lambda: not any(Path(f"/proc/{each}").exists() for each in started))


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz").status_code == 200
    except httpx.TransportError:  # while no worker runs, connections wait for one
        return False


def _policies_of(url: str) -> set[str]:
    """The policies by which a few requests are answered."""
    asked = [httpx.post(f"{url}/v1/chat/completions", json={"messages": []}) for _ in range(12)]
    return {answer.headers["guardstream-policy"] for answer in asked}


def test_all_workers_have_one_policy_whatever_becomes_of_its_file(tmp_path: Path) -> None:
    policy, log = _slow(tmp_path, 1, 2), tmp_path / "log"
    policy.write_text(policy.read_text() + "reload: true\n")
    valid = policy.read_text()
    with running(str(policy), log=log) as (url, process):
        (before,) = _policies_of(url)
        policy.write_text(valid.replace("[secret]", "[secret, another]"))
        _wait_until(lambda: before not in _policies_of(url))
        (edited,) = _policies_of(url)
        policy.write_text("rulez: []")
        _wait_until(lambda: "unknown key 'rulez', did you mean 'rules'?" in log.read_text())
        assert _policies_of(url) == {edited}
        first, _ = workers_of(process)
        os.kill(first, signal.SIGKILL)
        _wait_until(lambda: len(workers_of(process)) == 2 and first not in workers_of(process))
        _wait_until(lambda: _is_ready(url))
        assert _policies_of(url) == {edited}
        policy.write_text(valid)
        _wait_until(lambda: _policies_of(url) == {before})
        process.send_signal(signal.SIGINT)
    assert log.read_text().count("unknown key 'rulez'") == 1
    assert "Traceback" not in log.read_text()


def test_workers_that_are_replaced_have_the_policy_of_that_moment_or_the_last(
    tmp_path: Path,
) -> None:
    policy, log = _slow(tmp_path, 1, 2), tmp_path / "log"
    policy.write_text(policy.read_text().replace("drain: 5m", "drain: 0s"))
    valid = policy.read_text()
    with running(str(policy), log=log) as (url, process):
        (before,) = _policies_of(url)
        policy.write_text("rulez: []")
        process.send_signal(signal.SIGHUP)
        _wait_until(lambda: "no policy was reloaded" in log.read_text())
        policy.write_text(valid.replace("[secret]", "[secret, another]"))
        _wait_until(lambda: _is_ready(url))
        assert _policies_of(url) == {before}
        process.send_signal(signal.SIGHUP)
        _wait_until(lambda: _is_ready(url) and before not in _policies_of(url))
        process.send_signal(signal.SIGINT)
    assert "Traceback" not in log.read_text()


DYING_WORKERS = """
import os, pathlib, sys, time
if "--multiprocessing-fork" in sys.orig_argv and pathlib.Path(__file__).with_name("die").exists():
    time.sleep(2)  # by then it has been asked whether it lives
    os._exit(1)
"""


def test_a_worker_that_dies_while_it_starts_is_replaced_at_once(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(DYING_WORKERS)
    dying, seen = tmp_path / "die", set[int]()

    def two_have_followed() -> bool:
        seen.update(workers_of(process))
        return len(seen) >= 4

    with running(str(_slow(tmp_path, 1, 2)), PYTHONPATH=str(tmp_path)) as (_, process):
        seen.update(workers_of(process))
        dying.touch()
        os.kill(min(seen), signal.SIGKILL)
        _wait_until(two_have_followed, seconds=30)  # a silent one has a minute
        dying.unlink()
        process.send_signal(signal.SIGINT)


def test_metrics_can_have_an_address_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    provider = Provider(lambda _: provider.stream(chat("a secret ", "here")))
    with serving(app_of(provider)) as upstream:
        policy = tmp_path / "policy.yaml"
        section = f"metrics: {{prometheus: true}}\nserve: {{metrics_listen: '127.0.0.1:{port}'}}"
        policy.write_text(f"{POLICY}\n{section}\n")
        monkeypatch.setenv("GUARDSTREAM_SERVE_UPSTREAM", f"http://127.0.0.1:{upstream}")
        monkeypatch.setenv("GUARDSTREAM_SERVE_WORKERS", "2")
        with running(str(policy)) as (url, process):
            assert len(workers_of(process)) == 2
            body = {"model": "m", "stream": True, "messages": []}
            assert httpx.post(f"{url}/v1/chat/completions", json=body).status_code == 200
            shown = httpx.get(f"http://127.0.0.1:{port}/metrics")
            assert httpx.get(f"http://127.0.0.1:{port}/").status_code == 404
            assert httpx.get(f"{url}/metrics").status_code == 404
    assert 'guardstream_findings_total{action="mask"' in shown.text


def test_code_is_never_allowed_by_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("rules: [{id: a, pattern: a, validate: builtins.bool}]")
    monkeypatch.setenv("GUARDSTREAM_SERVE_ALLOW_CODE", "builtins:bool")
    done = guardstream("serve", policy, "--upstream", "http://127.0.0.1:1", "--port", "0")
    assert done.status == 2
    assert "is code, which the caller must allow" in done.err
