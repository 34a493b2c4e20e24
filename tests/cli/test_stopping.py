"""How `guardstream serve` ends when it is told to: no stream is cut in silence, and none lasts."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.responses import Response

from guardstream.cli import main
from tests.attacks.raw import connected
from tests.serve.apps import app_of
from tests.serve.proxy.upstream import POLICY, Provider, chat, message
from tests.serve.server import serving
from tests.support.serving import running

CHAT, MESSAGES, OLLAMA = "/v1/chat/completions", "/v1/messages", "/api/chat"

BODY = {"model": "m", "stream": True, "max_tokens": 9, "messages": []}


@contextmanager
def stoppable(
    tmp_path: Path, respond: Callable[[Provider, dict[str, Any]], Response], **settings: Any
) -> Iterator[tuple[str, subprocess.Popen[str], Provider, Path]]:
    """The command before a provider; its URL, its process, the provider, and the log."""
    provider = Provider(lambda body: respond(provider, body))
    policy, log = tmp_path / "policy.yaml", tmp_path / "log"
    with serving(app_of(provider)) as port:
        section = {"upstream": f"http://127.0.0.1:{port}", **settings}
        policy.write_text(f"{POLICY}\nserve: {json.dumps(section)}\n")
        with running(str(policy), log=log) as (url, process):
            yield url, process, provider, log


def stopped(process: subprocess.Popen[str], log: Path) -> str:
    """Wait for the process to end by itself; what it has logged, which no fault is."""
    assert process.wait(timeout=60) in (0, -signal.SIGTERM)
    said = log.read_text()
    assert "Traceback" not in said
    assert "ERROR" not in said
    return said


@pytest.mark.parametrize("workers", [1, 2])
def test_streams_end_whole_and_then_the_process_ends(workers: int, tmp_path: Path) -> None:
    def respond(provider: Provider, body: dict[str, Any]) -> Response:
        return provider.stream(chat(*["a secret "] * 200), silent=body["model"] == "silent")

    settings = {"grace": "20m", "workers": workers}
    with (
        stoppable(tmp_path, respond, **settings) as (url, process, provider, log),
        connected(url) as idle,
        connected(url) as slow,
        ThreadPoolExecutor(20) as clients,
        httpx.Client(timeout=60) as client,
        client.stream("POST", url + CHAT, json={**BODY, "model": "silent"}) as held,
    ):
        slow.sendall(b"GET / HTTP/1.1\r\nHost")
        idle.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        assert idle.recv(4096).startswith(b"HTTP/1.1 200")
        parts = held.iter_raw()
        next(parts)
        answers = [clients.submit(httpx.post, url + CHAT, json=BODY) for _ in range(40)]
        answers[0].result()
        process.send_signal(signal.SIGTERM)
        while _answers(url):
            pass
        assert process.poll() is None  # one stream is open, and may be for long
        provider.closed.clear()
        held.close()
        stopped(process, log)
        taken = [each.result() for each in answers if each.exception() is None]
    assert all(each.text.endswith("data: [DONE]\n\n") for each in taken)
    assert taken
    assert provider.closed.is_set()


def _answers(url: str) -> bool:
    """Tell whether somebody still takes connections; one that only waits is no answer."""
    try:
        with connected(url) as connection:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            return bool(connection.recv(4096))
    except TimeoutError:
        raise
    except OSError:
        return False


@pytest.mark.parametrize(
    ("path", "parts", "kind", "said"),
    [
        (CHAT, chat("a secret "), "text/event-stream", '"code": "stopped"'),
        (MESSAGES, message("a secret "), "text/event-stream", "event: error"),
        (
            OLLAMA,
            [b'{"model":"m","message":{"role":"assistant","content":"a "},"done":false}\n'],
            "application/x-ndjson",
            '{"error": "the proxy was stopped',
        ),
    ],
)
def test_a_stream_that_lasts_is_broken_off_with_the_formats_own_error(
    path: str, parts: list[bytes], kind: str, said: str, tmp_path: Path
) -> None:
    def respond(provider: Provider, _: dict[str, Any]) -> Response:
        return provider.stream(parts[:-2] or parts, silent=True, media_type=kind)

    with stoppable(tmp_path, respond, grace="0s") as (url, process, provider, log):
        with (
            httpx.Client(timeout=60) as client,
            client.stream("POST", url + path, json=BODY) as answer,
        ):
            text = answer.iter_text()
            first = next(text)
            process.send_signal(signal.SIGTERM)
            last = first + "".join(text)  # it ends as a body should, or this raises
        assert "finish=cancelled" in stopped(process, log)
        assert provider.closed.wait(10)
    assert any(said in line for line in last.strip().splitlines()[-2:])
    assert "secret" not in last


def test_an_answer_that_has_not_begun_is_refused_in_the_end(tmp_path: Path) -> None:
    def respond(provider: Provider, _: dict[str, Any]) -> Response:
        return provider.stream([b'{"id": "c", '], silent=True, media_type="application/json")

    with (
        stoppable(tmp_path, respond, grace="0s") as (url, process, provider, log),
        ThreadPoolExecutor(1) as clients,
        connected(url) as unfinished,
    ):
        unfinished.sendall(
            f"POST {CHAT} HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{{".encode()
        )
        asked = clients.submit(httpx.post, url + CHAT, json={**BODY, "stream": False}, timeout=60)
        while not provider.requests:
            pass
        process.send_signal(signal.SIGTERM)
        answer = asked.result()
        assert unfinished.recv(4096).startswith(b"HTTP/1.1 503")
        stopped(process, log)
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    assert answer.json()["error"]["code"] == "stopped"


def test_a_client_that_does_not_read_does_not_keep_it(tmp_path: Path) -> None:
    def respond(provider: Provider, _: dict[str, Any]) -> Response:
        return provider.stream(chat(*["word " * 1000] * 4000), silent=True)

    with stoppable(tmp_path, respond, grace="0s") as (url, process, provider, log):
        with connected(url) as stalled:
            body = json.dumps(BODY).encode()
            head = f"POST {CHAT} HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n\r\n"
            stalled.sendall(head.encode() + body)
            assert stalled.recv(10, socket.MSG_WAITALL) == b"HTTP/1.1 2"
            process.send_signal(signal.SIGTERM)
            stopped(process, log)
        assert provider.closed.wait(10)


def test_the_first_process_of_a_container_can_be_told_to_stop_before_it_serves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = signal.getsignal(signal.SIGTERM)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        monkeypatch.setattr("os.getpid", lambda: 1)  # whose signals the system ignores otherwise
        monkeypatch.setattr("guardstream.cli.app.main", lambda: signal.raise_signal(signal.SIGTERM))
        with pytest.raises(SystemExit) as ended:
            main()
    finally:
        signal.signal(signal.SIGTERM, before)
    assert ended.value.code == 143
