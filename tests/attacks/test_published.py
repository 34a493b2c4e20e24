"""Tests that others have published for guardrails of streams, run on the packs and the proxy.
`make weekly-published`.

- chunk-invariance: each text in every two parts, against the whole.
- pii-leak-benchmark: whether values of a prompt reach the model and come back, and whether those of
  the model leak when they are cut at each place. `examples/policies/benchmark.yaml` is its policy.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from guardstream import Guard, Policy
from guardstream.policy import packs
from tests.support.optional import needs
from tests.support.ports import free_port

POLICY = Path(__file__).resolve().parents[2] / "examples" / "policies" / "benchmark.yaml"

CAPTURE = 8765
"""The port at which the benchmark stands for a model's API."""


@pytest.mark.parametrize("pack", packs.names())
def test_the_answer_is_the_same_in_any_two_parts(pack: str) -> None:
    invariance = needs("chunk_invariance")
    policy = Policy.load(f"guardstream/{pack}")
    guard = Guard(policy)

    def streamed(chunks: Iterable[str]) -> Iterator[str]:
        yield from guard.wrap_sync(chunks, framing="text").text_stream

    texts = [case.input or case.clean or "" for each in policy.tests.values() for case in each]
    for text in filter(None, texts):
        invariance.assert_chunk_invariant(streamed, lambda whole: guard.check(whole).text, text)


@contextmanager
def proxy(upstream: int) -> Iterator[str]:
    """The proxy with the benchmark's policy; its address."""
    needs("pii_leak_benchmark")
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    command = ("serve", POLICY, "--upstream", f"http://127.0.0.1:{upstream}", "--port", str(port))
    process = subprocess.Popen(
        [sys.executable, "-m", "guardstream", *map(str, command)],
        env={**os.environ, "VAULT_ID_KEY": secrets.token_hex(32)},
    )
    try:
        _wait_for(address)
        yield address
    finally:
        process.terminate()
        process.wait(timeout=20)


def _wait_for(address: str) -> None:
    end = time.monotonic() + 60
    while True:
        try:
            httpx.get(f"{address}/healthz").raise_for_status()
        except httpx.HTTPError:
            assert time.monotonic() < end
            time.sleep(0.1)
        else:
            return


@pytest.mark.parametrize("profile", ["pii-v1", "pii-secrets-v1"])
def test_no_value_of_a_prompt_reaches_the_model_and_all_come_back(profile: str) -> None:
    with proxy(CAPTURE) as address:
        asked = ("selfcheck", "--target-base-url", f"{address}/v1", "--profile", profile)
        code = "from pii_leak_benchmark.cli import main; raise SystemExit(main())"
        done = subprocess.run(
            [sys.executable, "-c", code, *asked], stdout=subprocess.PIPE, text=True, check=False
        )
    assert (done.returncode, "CLEAN" in done.stdout) == (0, True), done.stdout


def test_no_value_of_the_model_leaks_wherever_it_is_cut(tmp_path: Path) -> None:
    port = free_port()
    with proxy(port) as address:
        subprocess.run(
            [
                *(sys.executable, "-m", "pii_leak_benchmark.v2_emitter", "--exhaustive-splits"),
                *("--validate", "--out", tmp_path, "--only", "proxy", "--upstream-port", str(port)),
                *("--gateway-url", f"{address}/v1/chat/completions"),
                *("--json-out", tmp_path / "summary.json"),
            ],
            check=True,
        )
    (row,) = json.loads((tmp_path / "summary.json").read_text(encoding="utf-8"))["rows"]
    assert row["outcome"] == "pass"
    assert (row["fidelity_rate"], row["leak_adversarial"], row["inconclusive"]) == (1, 0, 0)
