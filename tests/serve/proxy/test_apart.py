"""Long work goes on in a thread, and is never left half done."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from guardstream.serve.proxy.apart import LONG, Apart
from tests.serve.proxy.test_faults import post
from tests.serve.proxy.upstream import chat, proxied


def test_a_caller_that_is_cancelled_leaves_when_the_work_is_done() -> None:
    done = threading.Event()

    def work() -> None:
        time.sleep(0.1)
        done.set()

    async def run() -> None:
        apart = Apart()
        task = asyncio.create_task(apart.run(work))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert done.is_set()
        apart.close()

    asyncio.run(run())


def test_what_the_work_raises_is_raised() -> None:
    async def run() -> None:
        apart = Apart()
        with pytest.raises(ZeroDivisionError):
            await apart.run(lambda: 1 // 0)
        apart.close()

    asyncio.run(run())


def test_a_long_event_is_guarded_as_a_short_one_is() -> None:
    text = "it was a secret, " * (LONG // 4)
    events = chat("a sec", "ret ", text, "and a secret")
    with proxied(lambda provider, _: provider.stream([b"".join(events)])) as (url, _):
        answer = post(url).text
    assert "secret" not in answer
    assert answer.count("######") == LONG // 4 + 2
    assert answer.endswith("data: [DONE]\n\n")
