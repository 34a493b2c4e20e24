"""Metrics in Prometheus' text format, of one process and of several."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from guardstream.observability.prometheus import Prometheus
from tests.support.samples_of_metrics import samples
from tests.support.sources import Source, gen
from tests.support.streams import GUARD, chat
from tests.support.watching import watched


def test_streams_are_counted_by_how_they_end() -> None:
    metrics = Prometheus()
    guard = watched(metrics)
    guard.wrap_sync(gen(["a sec", "ret b"])).text()
    guard.wrap_sync(gen(["it is forbidden"])).text()
    with guard.wrap_sync(gen(["a", "b"])) as left:
        next(left)
    with pytest.raises(ZeroDivisionError):
        guard.wrap_sync(1 / 0 for _ in "a").text()
    found = samples(metrics.render())
    for finish in ("stop", "content_filter", "cancelled", "error"):
        assert found[f"guardstream_streams_total finish={finish}"] == 1
    assert found["guardstream_blocks_total rule=bad"] == 1
    assert found["guardstream_errors_total error=ZeroDivisionError"] == 1
    assert found["guardstream_findings_total action=mask rule=word"] == 1
    assert found["guardstream_findings_total action=block rule=bad"] == 1
    assert found["guardstream_characters_total direction=in"] == 26
    assert found["guardstream_characters_total direction=out"] == 17
    assert found["guardstream_streams_open"] == 0
    assert b"secret" not in metrics.render()


def test_streams_that_run_are_open() -> None:
    metrics = Prometheus()
    stream = watched(metrics).wrap_sync(gen(["a", "b"]))
    next(stream)
    assert samples(metrics.render())["guardstream_streams_open"] == 1
    stream.close()
    assert samples(metrics.render())["guardstream_streams_open"] == 0


@pytest.mark.anyio
async def test_times_and_tokens_are_measured() -> None:
    metrics = Prometheus()
    stream: Any = watched(metrics, policy=POLICY).wrap(Source(chat()))
    async for _ in stream:
        pass
    found = samples(metrics.render())
    for name in (
        *("first_received_seconds", "first_released_seconds", "duration_seconds"),
        *("held_seconds", "held_characters", "tokens_per_second"),
    ):
        assert found[f"guardstream_{name}_count"] == 1
    assert found["guardstream_held_characters_sum"] == 6
    assert found["guardstream_held_seconds_sum"] > 0


POLICY = "name: p\nrules: [{id: word, words: [secret], replacement: '#'}]"


def test_the_policys_version_is_a_label() -> None:
    metrics = Prometheus()
    guard = watched(metrics, policy=POLICY)
    guard.wrap_sync(gen(["a"])).text()
    assert f'policy="p",version="{guard.policy.fingerprint}"' in metrics.render().decode()


def test_two_guards_may_share_them() -> None:
    metrics = Prometheus()
    watched(metrics).wrap_sync(gen(["a"])).text()
    watched(metrics, policy=POLICY).wrap_sync(gen(["a"])).text()
    text = metrics.render().decode()
    assert text.count("guardstream_streams_total{") == 2
    assert GUARD.policy.fingerprint not in text


WORKER = """
import sys
from guardstream import Guard, Policy
from guardstream.observability.prometheus import Prometheus

metrics = Prometheus()
guard = Guard(Policy.parse("version: 1"), observers=[metrics])
guard.wrap_sync(["a"]).text()
open_ = guard.wrap_sync(["a", "b"])
next(open_)
sys.stdout.buffer.write(metrics.render())
sys.stdout.flush()
sys.stdin.read()
"""


def worker(folder: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", WORKER]
    environment = {"PROMETHEUS_MULTIPROC_DIR": str(folder), "PATH": ""}
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe)


def test_workers_are_summed_and_killed_ones_are_forgotten(tmp_path: Path) -> None:
    first = worker(tmp_path)
    assert first.stdout is not None
    while b"guardstream_streams_open" not in first.stdout.readline():
        pass
    second, _ = worker(tmp_path).communicate()
    found = samples(second)
    assert found["guardstream_streams_total finish=stop"] == 2
    assert found["guardstream_streams_open"] == 2
    first.kill()
    first.communicate()
    third, _ = worker(tmp_path).communicate()
    found = samples(third)
    assert found["guardstream_streams_total finish=stop"] == 3
    assert found["guardstream_streams_open"] == 1
