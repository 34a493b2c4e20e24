"""Policies run in a process with bounds, which is killed and replaced when it exceeds them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest
import pytest_asyncio

from guardstream.play.sandbox import StoppedError, Worker, Workers, _environment
from tests.support.slow_patterns import SLOW

QUICK = {"do": "lint", "policy": "version: 1\nrules: []\n"}


@pytest_asyncio.fixture
async def workers() -> AsyncIterator[Workers]:
    found = Workers(silence=3.0)
    yield found
    await found.aclose()


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.asyncio
async def test_a_worker_is_used_again(workers: Workers) -> None:
    async with workers.one() as first:
        assert [block async for block in first.turn(QUICK)]
    async with workers.one() as second:
        assert second.pid == first.pid
        assert alive(first.pid)


@pytest.mark.asyncio
async def test_one_that_does_not_answer_is_killed_and_a_new_one_answers(workers: Workers) -> None:
    await workers.ask(QUICK)
    async with workers.one() as slow:
        pass
    with pytest.raises(StoppedError, match="too much time or memory"):
        await workers.ask({"do": "timeline", **SLOW})
    assert not alive(slow.pid)
    assert (await workers.ask(QUICK))["type"] == "notes"


@pytest.mark.asyncio
async def test_one_that_is_slow_to_start_is_waited_for() -> None:
    slow = "import sys, time; time.sleep(0.5); print(flush=True); sys.stdin.read()"
    worker = Worker(await anyio.open_process([sys.executable, "-c", slow]), silence=0.1)
    try:
        await worker.start()
        assert worker.clean
    finally:
        await worker.aclose()


@pytest.mark.asyncio
async def test_one_that_was_left_in_the_middle_is_ended(workers: Workers) -> None:
    said = {"do": "stream", "policy": "version: 1", "text": "x" * 50_000, "size": 1}
    with anyio.move_on_after(30):
        async with workers.one() as left:
            async for _ in left.turn(said):
                break
    assert not alive(left.pid)


@pytest.mark.asyncio
async def test_none_is_left_when_the_server_ends() -> None:
    workers = Workers()
    async with workers.one() as worker:
        assert [block async for block in worker.turn(QUICK)]
    await workers.aclose()
    assert not alive(worker.pid)


@pytest.mark.asyncio
async def test_a_long_answer_comes_whole_and_in_lines(workers: Workers) -> None:
    said = {"do": "stream", "policy": "version: 1", "text": "é\n" * 20_000, "size": 1}
    async with workers.one() as worker:
        blocks = [block async for block in worker.turn(said)]
    assert all(block.endswith(b"\n") for block in blocks)
    lines = b"".join(blocks).splitlines()
    assert len(lines) == 40_000 + 3  # the beginning, a step a chunk and one for the end, the end
    assert all(lines)


@pytest.mark.asyncio
async def test_what_cannot_be_done_is_an_error_and_the_worker_goes_on(workers: Workers) -> None:
    wrong = {"do": "stream", "policy": "rules: [", "text": "a", "size": 1}
    async with workers.one() as worker:
        answer = b"".join([block async for block in worker.turn(wrong)])
        assert b'"error"' in answer
        assert b"policy.yaml:1:" in answer
        assert [block async for block in worker.turn(QUICK)]


@pytest.mark.asyncio
async def test_a_job_that_fails_is_told_by_its_kind_alone(workers: Workers) -> None:
    answer = await workers.ask({"do": "lint"})
    assert answer == {"type": "error", "message": "this could not be done (KeyError)"}


def test_the_environment_does_not_reach_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_SECRET_KEY", "the secret")
    assert "the secret" not in _environment().values()


def bounded(program: str) -> subprocess.CompletedProcess[str]:
    """Run a program within the worker's bounds."""
    pytest.importorskip("resource", reason="this system knows no limits")
    code = f"from guardstream.play import worker\nallow = worker.bound()\n{program}"
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.skipif(sys.platform != "linux", reason="address space is bounded on Linux alone")
def test_memory_is_bounded() -> None:
    assert "MemoryError" in bounded("bytearray(worker.MEMORY + 1)").stderr


def test_nothing_is_written(tmp_path: Path) -> None:
    place = tmp_path / "file"
    done = bounded(f"with open({str(place)!r}, 'w') as file: file.write('x')")
    assert done.returncode != 0
    assert not place.exists() or not place.read_text()


def test_processor_time_is_bounded() -> None:
    assert bounded("worker.SECONDS = 1\nallow()\nwhile True: pass").returncode != 0
