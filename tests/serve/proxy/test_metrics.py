"""The proxy serves metrics and keeps an audit log, in one process and in several."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.responses import Response

from guardstream import Guard, Policy
from guardstream.observability import AuditLog, read_audit
from guardstream.observability.prometheus import Prometheus
from guardstream.serve.proxy import Target
from tests.serve.apps import app_of
from tests.serve.proxy.upstream import POLICY, Provider, chat, completion, proxied
from tests.serve.server import serving
from tests.support.command_line import guardstream
from tests.support.ports import free_port
from tests.support.samples_of_metrics import samples
from tests.support.serving import running
from tests.support.watching import Failing, Watching

PATH = "/v1/chat/completions"


def ask(url: str) -> httpx.Response:
    return httpx.post(url + PATH, json={"model": "m", "messages": []}, timeout=30)


def guard(*observers: Any, **options: Any) -> Guard:
    return Guard(Policy.parse(POLICY), observers=observers, **options)


def test_streams_and_whole_answers_are_counted() -> None:
    answers = [chat("a sec", "ret"), chat("it is forbidden"), None]

    def respond(provider: Provider, _: Any) -> Response:
        answer = answers[len(provider.requests) - 1]
        return completion("a secret") if answer is None else provider.stream(answer)

    metrics = Prometheus()
    guards = {"default": guard(metrics)}
    with proxied(respond, guards=guards, metrics=metrics) as (url, _):
        for _ in answers:
            ask(url)
        response = httpx.get(f"{url}/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=")
    found = samples(response.content)
    assert found["guardstream_streams_total finish=stop"] == 2
    assert found["guardstream_streams_total finish=content_filter"] == 1
    assert found["guardstream_findings_total action=mask rule=word"] == 2
    assert found["guardstream_blocks_total rule=bad"] == 1
    assert found["guardstream_streams_open"] == 0
    assert "secret" not in response.text


def test_requests_are_counted_by_what_became_of_them(caplog: pytest.LogCaptureFixture) -> None:
    """Also those that begin no stream: nobody would hear of an upstream that is down."""

    def respond(_provider: Provider, body: Any) -> Response:
        if body["model"] == "busy":
            return Response('{"error": {"message": "busy"}}', 429)
        return Response("{", 200) if body["model"] == "broken" else completion("hello")

    metrics = Prometheus()
    policy = Policy.parse("input: {rules: [{id: bad, words: [evil], action: block}]}")
    settings: dict[str, Any] = {
        "guards": {"default": Guard(policy, observers=[metrics])},
        "metrics": metrics,
        "upstreams": {"gone": Target("http://127.0.0.1:1")},
        "models": {"gone": "gone"},
    }
    asked = [("m", "hi"), ("m", "hi"), ("m", "evil"), ("busy", ""), ("broken", ""), ("gone", "")]
    with caplog.at_level("INFO"), proxied(respond, **settings) as (url, _):
        for model, text in asked:
            messages = [{"role": "user", "content": text}]
            httpx.post(url + PATH, json={"model": model, "messages": messages}, timeout=30)
        httpx.get(f"{url}/unknown/{'x' * 1000}")
        found = samples(httpx.get(f"{url}/metrics").content)
    counted = {name: count for name, count in found.items() if "requests_total" in name}
    assert counted == {
        "guardstream_requests_total error= status=200 upstream=default": 2,
        "guardstream_requests_total error=content_filter status=400 upstream=": 1,
        "guardstream_requests_total error= status=429 upstream=default": 1,
        "guardstream_requests_total error=upstream_invalid status=502 upstream=default": 1,
        "guardstream_requests_total error=upstream_error status=502 upstream=gone": 1,
        "guardstream_requests_total error=not_guarded status=404 upstream=": 1,
    }
    lines = [each.getMessage() for each in caplog.records if each.name == "guardstream.serve"]
    assert "blocked_by=bad upstream=- error=content_filter " in lines[2]
    assert "upstream=gone error=upstream_error (refused) " in lines[5]
    assert len(lines[6]) < 400


@pytest.mark.parametrize("whole", [True, False])
def test_the_log_names_the_rule_that_blocked_an_answer(
    whole: bool, caplog: pytest.LogCaptureFixture
) -> None:
    def respond(provider: Provider, _: Any) -> Response:
        return completion("so evil") if whole else provider.stream(chat("so evil"))

    guard = Guard(Policy.parse("rules: [{id: bad, words: [evil], action: block}]"))
    with caplog.at_level("INFO"), proxied(respond, guards={"default": guard}) as (url, _):
        httpx.post(url + PATH, json={"model": "m", "messages": [], "stream": not whole}, timeout=30)
    (line,) = [each.getMessage() for each in caplog.records if each.name == "guardstream.serve"]
    assert "finish=content_filter " in line
    assert "blocked_by=bad " in line


@pytest.mark.parametrize("whole", [True, False])
def test_the_log_says_why_a_record_could_not_be_written(
    whole: bool, caplog: pytest.LogCaptureFixture
) -> None:
    class Full:
        def opened(self, _: Any) -> None:
            raise OSError(28, "No space left on device")

        def closed(self, _: Any) -> None:
            pass

    def respond(provider: Provider, _: Any) -> Response:
        return completion("hello") if whole else provider.stream(chat("hello"))

    guards = {"default": guard(Full(), observer_errors="raise")}
    with caplog.at_level("INFO"), proxied(respond, guards=guards) as (url, _):
        ask(url)
    assert "observer 'Full' failed (OSError: No space left on device)" in caplog.text


def test_without_metrics_the_path_is_as_any_other() -> None:
    with proxied(lambda provider, _: provider.stream([])) as (url, _):
        assert httpx.get(f"{url}/metrics").status_code == 404


def test_whole_answers_have_the_providers_usage() -> None:
    seen = Watching()
    with proxied(lambda *_: completion("a secret"), guards={"default": guard(seen)}) as (url, _):
        ask(url)
    assert (seen.record.format, seen.record.finish) == ("openai_chat", "stop")
    assert seen.record.usage["completion_tokens"] == 2


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("when", ["opened", "closed"])
def test_an_observer_that_must_not_fail_fails_the_answer(when: str, whole: bool) -> None:
    strict = guard(Failing(when), observer_errors="raise")

    def respond(provider: Provider, _: Any) -> Response:
        return completion("hello") if whole else provider.stream(chat("hello"))

    with proxied(respond, guards={"default": strict}) as (url, _):
        response = ask(url)
    assert response.status_code == (502 if whole else 200)
    assert "observer 'Failing' failed (OSError: No space left on device)" in response.text
    assert "/var/log" not in response.text


@pytest.mark.parametrize("workers", [1, 2])
def test_the_command_serves_metrics_and_keeps_a_log(workers: int, tmp_path: Path) -> None:
    policy, audit = tmp_path / "policy.yaml", tmp_path / "audit.jsonl"
    policy.write_text(POLICY)
    provider = Provider(lambda _: provider.stream(chat("a sec", "ret", " here")))
    with serving(app_of(provider)) as port:
        arguments = ["--policy", policy, "--upstream", f"http://127.0.0.1:{port}"]
        arguments += ["--workers", workers, "--metrics", "--audit", audit]
        with running(*map(str, arguments)) as (url, _):
            for _ in range(8):
                ask(url)
            found = samples(httpx.get(f"{url}/metrics").content)
    assert found["guardstream_streams_total finish=stop"] == 8
    records = [record for record in read_audit(audit) if isinstance(record, dict)]
    assert sum("begins" in record for record in records) == 8
    ended = [record for record in records if "finish" in record]
    assert [record["finish"] for record in ended] == ["stop"] * 8
    assert "secret" not in json.dumps(records)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--audit", "/none/audit.jsonl"], "/none/audit.jsonl: no such file or directory"),
        (["--audit", "x", "--audit-errors", "ignore"], "expected report or raise"),
        (
            ["--audit-errors", "raise"],
            "--audit-errors has no effect without an audit log",
        ),
    ],
)
def test_what_is_wrong_is_said_at_once(arguments: list[str], why: str) -> None:
    given = ["--policy", "guardstream/chat", "--upstream", "http://x", *arguments]
    status, _, err = guardstream("serve", *given)
    assert (status, err.strip().rpartition("\n")[2]) == (2, err.strip())
    assert why in err


def test_a_log_can_be_opened_before_the_first_stream(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit.jsonl")
    log.open()
    assert log.path.exists()
    with pytest.raises(FileNotFoundError):
        AuditLog(tmp_path / "none" / "audit.jsonl").open()


NOWHERE = """
import tempfile
from guardstream.cli import main

def refused(**_):
    raise FileNotFoundError(2, "no usable temporary directory found")

tempfile.TemporaryDirectory = refused
main()
"""


def test_workers_that_cannot_share_their_metrics_say_what_they_need(tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY)
    arguments = ["serve", str(policy), "--upstream", "http://127.0.0.1:9", "--metrics"]
    ended = subprocess.run(
        [sys.executable, "-c", NOWHERE, *arguments, "--workers", "2", "--port", str(free_port())],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode == 4
    assert "name one in TMPDIR" in ended.stderr
