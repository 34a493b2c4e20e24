"""A server of the command line, while it runs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx

from tests.support.ports import free_port


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "guardstream", "serve", *arguments]


@contextmanager
def running(
    *arguments: str, log: Path | None = None, **environment: str
) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The command in a process of its own, once it is ready; its URL."""
    port = free_port()
    given = command("--port", str(port), *arguments)
    with ExitStack() as stack:
        said = stack.enter_context(log.open("w")) if log else subprocess.PIPE
        process = stack.enter_context(
            subprocess.Popen(given, stderr=said, text=True, env={**os.environ, **environment})
        )
        url = f"http://127.0.0.1:{port}"
        try:
            _wait_until_ready(url, process)
            yield url, process
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=60)


def _wait_until_ready(url: str, process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + 180  # with workers, on a busy machine
    while time.monotonic() < end and process.poll() is None:
        try:
            if httpx.get(f"{url}/readyz").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.05)  # it is another program: there is nothing else to wait for
    raise AssertionError("the proxy did not get ready")


def workers_of(process: subprocess.Popen[str]) -> list[int]:
    """The processes that this one has started to serve."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    lines = {int(child): Path(f"/proc/{child}/cmdline").read_bytes() for child in children}
    return [child for child, line in lines.items() if line and b"resource_tracker" not in line]
