"""Long work goes on in a thread, and is never left half done."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from guardstream.serve.proxy.apart import SHORT, Apart, Job, Shares
from guardstream.serve.proxy.long_events import MANY
from guardstream.serve.proxy.room import Room
from guardstream.serve.proxy.turns import Turns
from guardstream.stream.frames import LONG_EVENT
from tests.serve.proxy.test_faults import post
from tests.serve.proxy.upstream import chat, proxied


@pytest.mark.asyncio
async def test_a_caller_that_is_cancelled_leaves_when_the_work_is_done() -> None:
    done = threading.Event()

    def work() -> None:
        time.sleep(0.1)
        done.set()

    apart = Apart()
    task = asyncio.create_task(apart.event(work))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done.is_set()
    apart.close()


@pytest.mark.asyncio
async def test_what_the_work_raises_is_raised() -> None:
    apart = Apart()
    with pytest.raises(ZeroDivisionError):
        await apart.event(lambda: 1 // 0)
    apart.close()


@pytest.mark.asyncio
async def test_what_has_not_begun_is_not_done_for_a_caller_that_is_cancelled() -> None:
    begun, go_on = threading.Event(), threading.Event()
    done: list[str] = []

    def first() -> None:
        begun.set()
        assert go_on.wait(10)
        done.append("first")

    apart = Apart()
    working = asyncio.create_task(apart.text(SHORT + 1, first))
    assert await asyncio.to_thread(begun.wait, 10)
    waiting = [
        asyncio.create_task(apart.event(lambda: done.append("event"))),
        asyncio.create_task(apart.text(SHORT + 1, lambda: done.append("text"))),
    ]
    await asyncio.sleep(0)
    for task in waiting:
        task.cancel()
    await asyncio.wait(waiting)
    go_on.set()
    await working
    await apart.event(lambda: done.append("last"))
    apart.close()
    assert done == ["first", "last"]


@pytest.mark.asyncio
async def test_a_text_is_given_up_at_once() -> None:
    begun, go_on = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        assert go_on.wait(10)

    apart = Apart()
    task = asyncio.create_task(apart.text(SHORT + 1, work))
    assert await asyncio.to_thread(begun.wait, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    go_on.set()
    apart.close()


@pytest.mark.asyncio
async def test_who_waits_when_it_is_closed_is_told() -> None:
    begun, go_on = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        assert go_on.wait(10)

    apart = Apart()
    working = asyncio.create_task(apart.text(SHORT + 1, work))
    assert await asyncio.to_thread(begun.wait, 10)
    waiting = asyncio.create_task(apart.text(SHORT + 1, work))
    in_thread = asyncio.create_task(
        asyncio.to_thread(apart.text_of_thread, SHORT + 1, lambda: None)
    )
    await asyncio.sleep(0.05)
    apart.close()
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

    apart = Apart()
    threads = [asyncio.to_thread(apart.text_of_thread, SHORT + 1, work) for _ in range(4)]
    texts = [apart.text(size, work) for size in (SHORT + 1, 10_000_000) * 4]
    await asyncio.gather(*texts, *threads, *(apart.event(work) for _ in range(8)))
    apart.close()
    assert len(most) == 20
    assert max(most) == 1


def test_each_kind_of_work_has_the_same_share() -> None:
    shares = Shares()
    took = {"event": 1.0, "text": 10.0}
    for kind in took:
        for _ in range(30):
            shares.put(Job(kind, int))
    order = []
    for _ in range(33):
        job = shares.take()
        assert job is not None
        order.append(job.kind)
        shares.took(job, took[job.kind])
    assert order.count("text") == 3
    assert max(map(len, "".join(kind[0] for kind in order).split("t"))) <= 11


def test_a_kind_that_was_not_asked_for_has_no_more_than_its_share_later() -> None:
    shares = Shares()
    for _ in range(3):
        shares.put(Job("text", int))
        job = shares.take()
        assert job is not None
        shares.took(job, 100.0)
    for kind in ("event", "text", "event", "text", "event"):
        shares.put(Job(kind, int))
    order = []
    while (job := shares.take()) is not None:
        order.append(job.kind)
        shares.took(job, 100.0)
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
    room = Room(10)
    await room.take("a", 8)
    second = asyncio.create_task(room.take("b", 3))
    await asyncio.sleep(0)
    assert not second.done()
    await room.take("a", 8)
    assert room.taken == 16
    room.give_back("a")
    await second
    assert room.taken == 3


@pytest.mark.asyncio
async def test_room_that_is_given_back_goes_to_those_whom_it_is_enough_for() -> None:
    room, granted = Room(10), []

    async def take(holder: str, size: int) -> None:
        await room.take(holder, size)
        granted.append(holder)

    await room.take("a", 1)
    await room.take("b", 9)
    waiting = [asyncio.create_task(take(name, 4)) for name in "cdef"]
    await asyncio.sleep(0)
    room.give_back("b")
    await asyncio.gather(*waiting[:2])
    assert room.taken == 9
    room.give_back("a")
    room.give_back("c")
    room.give_back("d")
    await asyncio.gather(*waiting)
    assert granted == ["c", "d", "e", "f"]


@pytest.mark.asyncio
async def test_who_gives_up_waiting_takes_nothing() -> None:
    room = Room(10)
    await room.take("a", 10)
    second = asyncio.create_task(room.take("b", 1))
    await asyncio.sleep(0)
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    room.give_back("b")
    room.give_back("a")
    assert room.taken == 0


def test_long_events_of_many_streams_take_turns_in_little_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("guardstream.serve.proxy.parts.Apart", lambda: Apart(LONG_EVENT))
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
    turns, seen = Turns(most=0.5), []

    async def work(name: str) -> None:
        await turns.mine()
        turns.worked(1.0)
        seen.append(name)

    async def other() -> None:
        await asyncio.sleep(0)
        seen.append("other")

    left = asyncio.create_task(turns.mine())
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
