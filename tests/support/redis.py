"""A Redis of the tests' own."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.optional import program
from tests.support.ports import free_port


@contextmanager
def redis_at(port: int, folder: Path) -> Iterator[None]:
    """A Redis of our own."""
    server = program("redis-server")
    options = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", ""]
    with subprocess.Popen([server, *options], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "eady to accept connections" in line:
                break
        try:
            yield
        finally:
            process.terminate()
            process.communicate()


@pytest.fixture(scope="module")
def redis_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    port = free_port()
    with redis_at(port, tmp_path_factory.mktemp("redis")):
        yield port
