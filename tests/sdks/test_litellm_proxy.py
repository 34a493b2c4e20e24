"""LiteLLM's own proxy with the guardrail: four APIs, streamed and whole. `make weekly-litellm`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from guardstream import Guard, Policy
from guardstream.serve.check.app import checking
from guardstream.serve.proxy import ProxySettings
from tests.sdks.litellm_upstream import POLICY, Upstream
from tests.serve.server import serving
from tests.support.optional import needs
from tests.support.ports import free_port

needs("backoff")  # of the proxy

KEY = "sk-a-master-key-that-is-long-enough-1234"

CONFIG = """
model_list:
  - {model_name: m, litellm_params: {model: openai/m, api_base: URL/v1, api_key: k}}
  - {model_name: t, litellm_params: {model: text-completion-openai/m, api_base: URL/v1, api_key: k}}
  - {model_name: c, litellm_params: {model: anthropic/claude-3, api_base: URL, api_key: k}}
guardrails:
  - guardrail_name: guardstream
    litellm_params:
      guardrail: guardstream.integrations.litellm.Guardrail
      mode: [pre_call, post_call]
      default_on: true
      policy: policy.yaml
general_settings: {master_key: KEY}
"""


def asked(path: str, text: str, *, stream: bool) -> dict[str, Any]:
    messages = [{"role": "user", "content": text}]
    bodies: dict[str, dict[str, Any]] = {
        "/v1/chat/completions": {"model": "m", "messages": messages},
        "/v1/completions": {"model": "t", "prompt": text},
        "/v1/messages": {"model": "c", "max_tokens": 9, "messages": messages},
        "/v1/responses": {"model": "m", "input": text},
    }
    return {**bodies[path], "stream": stream}


PATHS = ["/v1/chat/completions", "/v1/completions", "/v1/messages", "/v1/responses"]

CLOSED = ["/v1/chat/completions", "/v1/messages"]
"""LiteLLM closes the provider's stream here; those of the others it leaves to their end."""

every = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
everywhere = pytest.mark.parametrize("path", PATHS)


class Proxy:
    def __init__(self, client: httpx.Client, upstream: Upstream) -> None:
        self.upstream = upstream
        self._client = client

    def ask(self, path: str, text: str, *, stream: bool) -> httpx.Response:
        return self._client.post(path, json=asked(path, text, stream=stream))


@contextmanager
def running(config: str, folder: Path) -> Iterator[Proxy]:
    """LiteLLM's proxy before an upstream; `folder` is its own."""
    upstream, port = Upstream(), free_port()
    with serving(upstream.app) as behind:
        (folder / "policy.yaml").write_text(POLICY)
        config = config.replace("URL", f"http://127.0.0.1:{behind}").replace("KEY", KEY)
        (folder / "config.yaml").write_text(config)
        command = [Path(sys.executable).with_name("litellm"), "--config", "config.yaml"]
        environment = {**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
        with (folder / "log").open("w") as log:
            process = subprocess.Popen(
                [*command, "--host", "127.0.0.1", "--port", str(port)],
                cwd=folder,
                env=environment,
                stdout=log,
                stderr=log,
            )
        url = f"http://127.0.0.1:{port}"
        try:
            wait_until_ready(url, process, folder / "log")
            key = {"authorization": f"Bearer {KEY}"}
            with httpx.Client(base_url=url, headers=key, timeout=60) as client:
                yield Proxy(client, upstream)
        finally:
            process.terminate()
            process.wait(60)


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    with running(CONFIG, tmp_path_factory.mktemp("litellm")) as proxy:
        yield proxy


def wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + 180
    while time.monotonic() < end:
        assert process.poll() is None, log.read_text()
        try:
            if httpx.get(f"{url}/health/liveliness", timeout=5).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.2)  # it is another program: there is nothing else to wait for
    raise AssertionError(log.read_text())


@every
@everywhere
def test_prompts_and_answers_are_masked(proxy: Proxy, path: str, *, stream: bool) -> None:
    answer = proxy.ask(path, "I am Ann", stream=stream)
    assert answer.status_code == 200
    assert "[bird]" in answer.text
    assert "bluebird" not in answer.text
    assert "[name]" in proxy.upstream.asked[-1]
    assert "Ann" not in proxy.upstream.asked[-1]


@every
@everywhere
def test_a_blocked_prompt_does_not_go_on(proxy: Proxy, path: str, *, stream: bool) -> None:
    before = len(proxy.upstream.asked)
    answer = proxy.ask(path, "be evil", stream=stream)
    assert answer.status_code == 400
    assert "blocked by rule" in answer.text
    assert len(proxy.upstream.asked) == before


@every
@everywhere
def test_a_blocked_answer_ends(proxy: Proxy, path: str, *, stream: bool) -> None:
    left = len(proxy.upstream.left)
    answer = proxy.ask(path, "block", stream=stream)
    assert answer.status_code == 200
    assert "forbidden" not in answer.text
    assert "thing" not in answer.text
    said = ("content_filter", "refusal", "incomplete")
    assert any(reason in answer.text for reason in said)
    end = time.monotonic() + 8
    while stream and path in CLOSED and len(proxy.upstream.left) == left:
        assert time.monotonic() < end, "the upstream goes on"
        time.sleep(0.05)


@every
def test_arguments_of_tools_are_masked(proxy: Proxy, *, stream: bool) -> None:
    answer = proxy.ask("/v1/chat/completions", "use the tool", stream=stream)
    if stream:
        events = [
            json.loads(line[6:]) for line in answer.text.splitlines() if line[:7] == "data: {"
        ]
        calls = [
            call
            for event in events
            for choice in event["choices"]
            for call in choice["delta"].get("tool_calls") or ()
        ]
        arguments = "".join(call["function"].get("arguments") or "" for call in calls)
    else:
        (call,) = answer.json()["choices"][0]["message"]["tool_calls"]
        arguments = call["function"]["arguments"]
    assert json.loads(arguments) == {"q": "a [bird]"}


CHECKED = """
model_list:
  - {model_name: m, litellm_params: {model: openai/m, api_base: URL/v1, api_key: k}}
guardrails:
  - guardrail_name: guardstream
    litellm_params:
      guardrail: generic_guardrail_api
      mode: [pre_call, post_call]
      default_on: true
      api_base: CHECK/check
      streaming_sampling_rate: 1
      streaming_transform_mode: incremental_diff
general_settings: {master_key: KEY}
"""
"""The endpoint for checks, in place of the class: another machine may answer it."""


@pytest.fixture(scope="module")
def asking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    guards = {"default": Guard(Policy.parse(POLICY), rules_only=True)}
    with serving(checking(ProxySettings(None, guards))) as checks:
        config = CHECKED.replace("CHECK", f"http://127.0.0.1:{checks}")
        with running(config, tmp_path_factory.mktemp("checks")) as proxy:
            yield proxy


@every
def test_the_endpoint_for_checks_masks(asking: Proxy, *, stream: bool) -> None:
    answer = asking.ask("/v1/chat/completions", "I am Ann", stream=stream)
    assert answer.status_code == 200
    assert said_in(answer) == "a [bird] sings"
    assert "[name]" in asking.upstream.asked[-1]
    assert "Ann" not in asking.upstream.asked[-1]


def said_in(answer: httpx.Response) -> str:
    """The text of an answer, whole or streamed."""
    if not answer.text.startswith("data:"):
        return str(answer.json()["choices"][0]["message"]["content"])
    lines = [line[6:] for line in answer.text.splitlines() if line.startswith("data: {")]
    deltas = [each["delta"] for line in lines for each in json.loads(line)["choices"]]
    return "".join(each.get("content") or "" for each in deltas)


@every
def test_the_endpoint_for_checks_blocks(asking: Proxy, *, stream: bool) -> None:
    before = len(asking.upstream.asked)
    assert asking.ask("/v1/chat/completions", "be evil", stream=stream).status_code == 400
    assert len(asking.upstream.asked) == before
    answer = asking.ask("/v1/chat/completions", "block", stream=stream)
    assert "forbidden" not in answer.text
    assert "thing" not in answer.text
