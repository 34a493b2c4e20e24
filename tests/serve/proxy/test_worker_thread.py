"""Long work goes on in a thread, and is never left half done."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from guardstream.serve.proxy.long_events import MANY
from guardstream.serve.proxy.loop_budget import LoopBudget
from guardstream.serve.proxy.memory_budget import MemoryBudget
from guardstream.serve.proxy.worker_thread import SHORT, FairQueue, Job, WorkerThread
from guardstream.stream.flows.frames import LONG_EVENT
from tests.serve.proxy.upstream import chat, proxied
from tests.support.proxy.faults import post


@pytest.mark.asyncio
async def test_a_caller_that_is_cancelled_leaves_when_the_work_is_done() -> None:
    done = threading.Event()

    def work() -> None:
        time.sleep(0.1)
        done.set()

    worker = WorkerThread()
    task = asyncio.create_task(worker.event(work))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done.is_set()
    worker.close()


@pytest.mark.asyncio
async def test_what_the_work_raises_is_raised() -> None:
    worker = WorkerThread()
    with pytest.raises(ZeroDivisionError):
        await worker.event(lambda: 1 // 0)
    worker.close()


@pytest.mark.asyncio
async def test_what_has_not_begun_is_not_done_for_a_caller_that_is_cancelled() -> None:
    begun, go_on = threading.Event(), threading.Event()
    done: list[str] = []

    def first() -> None:
        begun.set()
        assert go_on.wait(10)
        done.append("first")

    worker = WorkerThread()
    working = asyncio.create_task(worker.text(SHORT + 1, first))
    assert await asyncio.to_thread(begun.wait, 10)
    waiting = [
        asyncio.create_task(worker.event(lambda: done.append("event"))),
        asyncio.create_task(worker.text(SHORT + 1, lambda: done.append("text"))),
    ]
    await asyncio.sleep(0)
    for task in waiting:
        task.cancel()
    await asyncio.wait(waiting)
    go_on.set()
    await working
    await worker.event(lambda: done.append("last"))
    worker.close()
    assert done == ["first", "last"]


@pytest.mark.asyncio
async def test_a_text_is_given_up_at_once() -> None:
    begun, go_on = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        assert go_on.wait(10)

    worker = WorkerThread()
    task = asyncio.create_task(worker.text(SHORT + 1, work))
    assert await asyncio.to_thread(begun.wait, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    go_on.set()
    worker.close()


@pytest.mark.asyncio
async def test_who_waits_when_it_is_closed_is_told() -> None:
    begun, go_on = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        assert go_on.wait(10)

    worker = WorkerThread()
    working = asyncio.create_task(worker.text(SHORT + 1, work))
    assert await asyncio.to_thread(begun.wait, 10)
    waiting = asyncio.create_task(worker.text(SHORT + 1, work))
    in_thread = asyncio.create_task(
        asyncio.to_thread(worker.text_of_thread, SHORT + 1, lambda: None)
    )
    await asyncio.sleep(0.05)
    worker.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    with pytest.raises(asyncio.CancelledError):
        await in_thread
    go_on.set()
    await working


@pytest.mark.asyncio
async def test_one_thing_is_done_at_a_time_whatever_it_is() -> None:
    running: list[int] = []
    most: list[int] = []

    def work() -> None:
        running.append(1)
        most.append(len(running))
        time.sleep(0.001)
        running.pop()

    worker = WorkerThread()
    threads = [asyncio.to_thread(worker.text_of_thread, SHORT + 1, work) for _ in range(4)]
    texts = [worker.text(size, work) for size in (SHORT + 1, 10_000_000) * 4]
    await asyncio.gather(*texts, *threads, *(worker.event(work) for _ in range(8)))
    worker.close()
    assert len(most) == 20
    assert max(most) == 1


def test_each_kind_of_work_has_the_same_share() -> None:
    queue = FairQueue()
    took = {"event": 1.0, "text": 10.0}
    for kind in took:
        for _ in range(30):
            queue.put(Job(kind, int))
    order = []
    for _ in range(33):
        job = queue.take()
        assert job is not None
        order.append(job.kind)
        queue.took(job, took[job.kind])
    assert order.count("text") == 3
    assert max(map(len, "".join(kind[0] for kind in order).split("t"))) <= 11


def test_a_kind_that_was_not_asked_for_has_no_more_than_its_share_later() -> None:
    queue = FairQueue()
    for _ in range(3):
        queue.put(Job("text", int))
        job = queue.take()
        assert job is not None
        queue.took(job, 100.0)
    for kind in ("event", "text", "event", "text", "event"):
        queue.put(Job(kind, int))
    order = []
    while (job := queue.take()) is not None:
        order.append(job.kind)
        queue.took(job, 100.0)
    assert "text" in order[:3]


def test_a_long_event_is_guarded_as_a_short_one_is() -> None:
    text = "it was a secret, " * (LONG_EVENT // 4)
    events = chat("a sec", "ret ", text, "and a secret")
    with proxied(lambda provider, _: provider.stream([b"".join(events)])) as (url, _):
        answer = post(url).text
    assert "secret" not in answer
    assert answer.count("######") == LONG_EVENT // 4 + 2
    assert answer.endswith("data: [DONE]\n\n")


@pytest.mark.asyncio
async def test_room_is_taken_in_order_and_the_first_may_always_take_more() -> None:
    memory = MemoryBudget(10)
    await memory.acquire("a", 8)
    second = asyncio.create_task(memory.acquire("b", 3))
    await asyncio.sleep(0)
    assert not second.done()
    await memory.acquire("a", 8)
    assert memory.taken == 16
    memory.release("a")
    await second
    assert memory.taken == 3


@pytest.mark.asyncio
async def test_room_that_is_given_back_goes_to_those_whom_it_is_enough_for() -> None:
    memory, granted = MemoryBudget(10), []

    async def take(holder: str, size: int) -> None:
        await memory.acquire(holder, size)
        granted.append(holder)

    await memory.acquire("a", 1)
    await memory.acquire("b", 9)
    waiting = [asyncio.create_task(take(name, 4)) for name in "cdef"]
    await asyncio.sleep(0)
    memory.release("b")
    await asyncio.gather(*waiting[:2])
    assert memory.taken == 9
    memory.release("a")
    memory.release("c")
    memory.release("d")
    await asyncio.gather(*waiting)
    assert granted == ["c", "d", "e", "f"]


@pytest.mark.asyncio
async def test_who_gives_up_waiting_takes_nothing() -> None:
    memory = MemoryBudget(10)
    await memory.acquire("a", 10)
    second = asyncio.create_task(memory.acquire("b", 1))
    await asyncio.sleep(0)
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    memory.release("b")
    memory.release("a")
    assert memory.taken == 0


def test_long_events_of_many_streams_take_turns_in_little_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        "guardstream.serve.proxy.context.WorkerThread", lambda: WorkerThread(LONG_EVENT)
    )
    text = "it was a secret, " * (LONG_EVENT // 4)
    served = proxied(lambda provider, _: provider.stream(chat(text, text)))
    with served as (url, _), ThreadPoolExecutor(8) as clients:
        answers = list(clients.map(lambda _: post(url).text, range(8)))
    assert {each.count("######") for each in answers} == {2 * (LONG_EVENT // 4)}
    assert all(each.endswith("data: [DONE]\n\n") for each in answers)


def test_a_piece_of_many_lines_is_guarded_as_others_are() -> None:
    comments = b"".join(b": %d\n\n" % number for number in range(2 * MANY))
    whole = [comments + b"".join(chat("a sec", "ret"))]
    with proxied(lambda provider, _: provider.stream(whole)) as (url, _):
        answer = post(url).text
    assert answer.startswith(comments.decode())
    assert "######" in answer
    assert "secret" not in answer


@pytest.mark.asyncio
async def test_who_would_work_too_long_in_one_turn_waits_in_order() -> None:
    loop_time, seen = LoopBudget(most=0.5), []

    async def work(name: str) -> None:
        await loop_time.wait()
        loop_time.spend(1.0)
        seen.append(name)

    async def other() -> None:
        await asyncio.sleep(0)
        seen.append("other")

    left = asyncio.create_task(loop_time.wait())
    await asyncio.sleep(0)
    names = "abcdefgh"
    working = [asyncio.create_task(work(name)) for name in names]
    gone = asyncio.create_task(work("gone"))
    asking = asyncio.create_task(other())
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.gather(left, asking, *working)
    assert [name for name in seen if name != "other"] == list("abcdefgh")
    assert seen.index("other") < len(seen) - 1
