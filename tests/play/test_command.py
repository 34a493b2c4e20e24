"""`guardstream play` says where it is, listens on 127.0.0.1 alone, and ends with all it started."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from guardstream.play.access import HEADER

SHARED = "http://127.0.0.1:1/#gs1.abc"


@contextmanager
def started(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command, and the address that it prints."""
    command = [sys.executable, "-m", "guardstream", "play", *arguments]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        found = re.search(r"http://127\.0\.0\.1:\d+/[\w-]{32}/\S*", process.stderr.readline())
        assert found is not None
        try:
            yield process, found[0]
        finally:
            process.kill()


def children(pid: int) -> list[int]:
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(each) for each in file.read().split()]


@pytest.mark.skipif(sys.platform != "linux", reason="processes are found by Linux's /proc")
def test_an_interrupt_ends_it_and_its_workers() -> None:
    with started("guardstream/secrets") as (process, url):
        origin, token = url.split("/", 3)[2], url.split("/")[3]
        headers = {HEADER: token, "origin": f"http://{origin}"}
        with httpx.Client(base_url=f"http://{origin}", headers=headers, trust_env=False) as client:
            setup = client.get("/api/setup").json()
            assert setup["policy"] == "version: 1\nextends: guardstream/secrets\n"
            assert client.post("/api/lint", json={"policy": setup["policy"]}).status_code == 200
        workers = children(process.pid)
        assert len(workers) == 1
        process.send_signal(signal.SIGINT)
        assert process.wait(20) in (0, 130)
        for worker in workers:
            with pytest.raises(ProcessLookupError):
                os.kill(worker, 0)


def test_a_shared_link_is_opened() -> None:
    with started(SHARED) as (_, url):
        assert url.endswith("/#gs1.abc")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--upstream", "http://127.0.0.1:1/v1"], "a model needs both"),
        (["--model", "m"], "a model needs both"),
        (["--key-env", "A_KEY"], "--key-env needs an --upstream"),
        (["--upstream", "here", "--model", "m"], "expected https://HOST/v1"),
        (["--upstream", "http://h/v1", "--model", "m", "--key-env", "NO_SUCH_KEY"], "is not set"),
        (["no/such/policy.yaml"], "cannot be read"),
    ],
)
def test_wrong_usage_is_one_line(arguments: list[str], message: str) -> None:
    command = [sys.executable, "-m", "guardstream", "play", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
