"""A limiter lets so many in, in their order, and gives every place back."""

from __future__ import annotations

import copy
import pickle
from collections import Counter
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from trio.testing import MockClock

from guardstream.resilience import Limiter, LimiterError
from guardstream.resilience.rate import Pacer, Rate

pytestmark = pytest.mark.anyio


class Visitors:
    """Streams that come in and stay until they are let go."""

    def __init__(self, limiter: Limiter) -> None:
        self.inside: list[str] = []
        self.refused: list[str] = []
        self._limiter = limiter
        self._leave: dict[str, anyio.Event] = {}

    async def visit(self, name: str, key: str = "") -> None:
        leave = self._leave[name] = anyio.Event()
        try:
            async with self._limiter.slot(key):
                self.inside.append(name)
                await leave.wait()
                self.inside.remove(name)
        except LimiterError:
            self.refused.append(name)

    async def leave(self, name: str) -> None:
        self._leave[name].set()
        await anyio.wait_all_tasks_blocked()


@pytest.mark.parametrize("taken", [copy.copy, copy.deepcopy, pickle.dumps])
def test_a_limiter_cannot_be_copied(taken: Callable[[Limiter], object]) -> None:
    with pytest.raises(TypeError, match="a limiter cannot be pickled or copied"):
        taken(Limiter(1))


async def test_streams_come_in_in_their_order() -> None:
    limiter = Limiter(2)
    visitors = Visitors(limiter)
    async with anyio.create_task_group() as group:
        for name in "abcd":
            group.start_soon(visitors.visit, name)
            await anyio.wait_all_tasks_blocked()
        assert visitors.inside == ["a", "b"]
        assert (limiter.running, limiter.waiting) == (2, 2)
        await visitors.leave("b")
        assert visitors.inside == ["a", "c"]
        await visitors.leave("a")
        assert visitors.inside == ["c", "d"]
        await visitors.leave("c")
        await visitors.leave("d")
    assert (limiter.running, limiter.waiting) == (0, 0)


async def test_who_comes_later_does_not_overtake() -> None:
    limiter = Limiter(1)
    visitors = Visitors(limiter)
    async with anyio.create_task_group() as group:
        group.start_soon(visitors.visit, "a")
        await anyio.wait_all_tasks_blocked()
        group.start_soon(visitors.visit, "b")
        await anyio.wait_all_tasks_blocked()
        visitors._leave["a"].set()
        group.start_soon(visitors.visit, "c")
        await anyio.wait_all_tasks_blocked()
        assert visitors.inside == ["b"]
        await visitors.leave("b")
        await visitors.leave("c")


async def test_a_key_that_is_full_takes_no_room_from_others() -> None:
    visitors = Visitors(Limiter(3, per_key=1))
    async with anyio.create_task_group() as group:
        for name in ("a1", "a2", "a3", "b1", "c1", "b2"):
            group.start_soon(visitors.visit, name, name[0])
            await anyio.wait_all_tasks_blocked()
        assert visitors.inside == ["a1", "b1", "c1"]
        await visitors.leave("b1")
        assert visitors.inside == ["a1", "c1", "b2"]
        for name in ("a1", "a2", "a3", "c1", "b2"):
            await visitors.leave(name)


async def test_a_full_queue_refuses() -> None:
    visitors = Visitors(Limiter(1, queue=1))
    async with anyio.create_task_group() as group:
        for name in "abc":
            group.start_soon(visitors.visit, name)
            await anyio.wait_all_tasks_blocked()
        assert (visitors.inside, visitors.refused) == (["a"], ["c"])
        await visitors.leave("a")
        assert visitors.inside == ["b"]
        await visitors.leave("b")


async def test_no_queue_refuses_at_once() -> None:
    limiter = Limiter(1, queue=0)
    async with limiter.slot():
        with pytest.raises(LimiterError, match="no room"):
            async with limiter.slot():
                pass
    async with limiter.slot():
        assert limiter.running == 1


@pytest.mark.parametrize("per_key", [None, 1])
async def test_a_wait_that_takes_too_long_is_refused(per_key: int | None) -> None:
    limiter = Limiter(1, per_key=per_key, timeout=0.01)
    async with limiter.slot("a"):
        with pytest.raises(LimiterError, match=r"within .* seconds"):
            async with limiter.slot("a"):
                pass
        with pytest.raises(LimiterError):
            async with limiter.slot("b"):
                pass
    assert (limiter.running, limiter.waiting) == (0, 0)
    async with limiter.slot("a"):
        assert limiter.running == 1


async def test_a_wait_that_is_cancelled_takes_no_place() -> None:
    limiter = Limiter(1, per_key=1)
    visitors = Visitors(limiter)
    async with anyio.create_task_group() as group:
        group.start_soon(visitors.visit, "a", "x")
        await anyio.wait_all_tasks_blocked()
        with anyio.CancelScope() as scope:
            scope.cancel()
            async with limiter.slot("x"):
                pass
        with anyio.move_on_after(0.01):
            async with limiter.slot("y"):
                pass
        await visitors.leave("a")
    assert (limiter.running, limiter.waiting) == (0, 0)
    async with limiter.slot("x"):
        pass


async def test_a_wait_that_is_cancelled_gives_the_place_of_its_key_back() -> None:
    limiter = Limiter(1, per_key=1)
    visitors = Visitors(limiter)
    leaving = anyio.CancelScope()

    async def impatient() -> None:
        with leaving:
            await visitors.visit("b", "y")

    async with anyio.create_task_group() as group:
        group.start_soon(visitors.visit, "a", "x")
        await anyio.wait_all_tasks_blocked()
        group.start_soon(impatient)
        await anyio.wait_all_tasks_blocked()
        group.start_soon(visitors.visit, "c", "y")
        await anyio.wait_all_tasks_blocked()
        leaving.cancel()
        await anyio.wait_all_tasks_blocked()
        await visitors.leave("a")
        assert visitors.inside == ["c"]
        await visitors.leave("c")


async def test_a_stream_that_fails_gives_its_place_back() -> None:
    limiter = Limiter(1)
    for _ in range(3):
        with pytest.raises(LookupError):
            async with limiter.slot():
                raise LookupError
    assert limiter.running == 0


async def test_bounds_hold_at_random() -> None:
    random = Random(5)
    limiter = Limiter(4, per_key=2)
    running: Counter[str] = Counter()
    done = 0

    async def one(key: str, steps: int) -> None:
        nonlocal done
        with anyio.CancelScope() as scope:
            if steps == 0:
                scope.cancel()
            async with limiter.slot(key):
                running[key] += 1
                assert running.total() <= 4
                assert running[key] <= 2
                for _ in range(steps):
                    await anyio.lowlevel.checkpoint()
                running[key] -= 1
        done += 1

    async with anyio.create_task_group() as group:
        for _ in range(200):
            group.start_soon(one, random.choice("abc"), random.randrange(6))
    assert (done, running.total(), limiter.running, limiter.waiting) == (200, 0, 0, 0)


@pytest.mark.parametrize("bounds", [{"total": 0}, {"total": 1, "per_key": 0}])
def test_there_is_room_for_one(bounds: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Limiter(**bounds)


# Rates


def test_a_pacer_lets_no_more_begin_in_any_such_time_after_a_pause() -> None:
    pacer = Pacer(Rate(3, 6.0))
    begun = []
    now = 100.0
    for _ in range(9):
        now += pacer.wait(now)
        pacer.take(now)
        begun.append(now)
    assert begun == [100.0, 100.0, 100.0, 102.0, 104.0, 106.0, 108.0, 110.0, 112.0]
    assert not pacer.idle(113.0)
    assert pacer.idle(118.0)
    pacer.give_back()
    assert pacer.wait(112.0) == 0.0


@pytest.mark.parametrize(("streams", "seconds"), [(0, 1.0), (1, 0.0), (1, float("inf"))])
def test_a_rate_that_lets_none_begin_is_refused(streams: int, seconds: float) -> None:
    with pytest.raises(ValueError, match="a rate must admit at least one"):
        Limiter(rate=(streams, seconds))
    with pytest.raises(ValueError, match="a rate must admit at least one"):
        Limiter(key_rate=(streams, seconds))


@pytest.mark.parametrize("given", [{}, {"queue": 10}, {"timeout": 5.0}])
def test_a_limiter_that_bounds_nothing_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="there is no limit: give total"):
        Limiter(**given)


def in_virtual_time(main: Callable[[], Awaitable[None]]) -> None:
    """Run with a clock that jumps to where something happens."""
    anyio.run(main, backend="trio", backend_options={"clock": MockClock(autojump_threshold=0)})


def test_streams_begin_no_faster_than_the_rate() -> None:
    async def main() -> None:
        limiter = Limiter(rate=(2, 10))
        began, start = [], anyio.current_time()
        for _ in range(5):
            async with limiter.slot():
                began.append(round(anyio.current_time() - start, 6))
        assert began == [0, 0, 5, 10, 15]

    in_virtual_time(main)


def test_a_key_that_waits_for_its_rate_takes_no_turn_from_others() -> None:
    async def main() -> None:
        limiter = Limiter(rate=(10, 10), key_rate=(1, 60))
        start, began = anyio.current_time(), {}

        async def visit(name: str, key: str) -> None:
            async with limiter.slot(key):
                began[name] = round(anyio.current_time() - start, 6)

        async with anyio.create_task_group() as group:
            for name in ("a1", "a2", "b1", "c1"):
                group.start_soon(visit, name, name[0])
                await anyio.wait_all_tasks_blocked()
        assert began == {"a1": 0, "b1": 0, "c1": 0, "a2": 60}

    in_virtual_time(main)


def test_a_wait_that_is_known_to_be_too_long_is_refused_at_once() -> None:
    async def main() -> None:
        limiter = Limiter(rate=(1, 60), timeout=30)
        async with limiter.slot():
            pass
        start = anyio.current_time()
        with pytest.raises(LimiterError) as caught:
            await limiter.enter()
        assert anyio.current_time() == start
        assert caught.value.retry_after == pytest.approx(60)
        await anyio.sleep(40)
        async with limiter.slot():
            assert anyio.current_time() - start == pytest.approx(60)

    in_virtual_time(main)


def test_who_gives_up_gives_the_turn_back() -> None:
    async def main() -> None:
        limiter = Limiter(rate=(1, 10))
        start = anyio.current_time()
        await limiter.enter()
        with anyio.move_on_after(5):
            await limiter.enter()
        await limiter.enter()
        assert anyio.current_time() - start == pytest.approx(10)
        assert limiter.waiting == 0

    in_virtual_time(main)


def test_those_that_have_waited_for_a_place_begin_no_faster_than_the_rate() -> None:
    async def main() -> None:
        limiter = Limiter(2, rate=(1, 10))
        start, began = anyio.current_time(), []

        async def visit(until: float) -> None:
            async with limiter.slot():
                began.append(round(anyio.current_time() - start, 6))
                await anyio.sleep_until(start + until)

        async with anyio.create_task_group() as group:
            for until in (100, 100, 0, 0):
                group.start_soon(visit, until)
                await anyio.wait_all_tasks_blocked()
        assert began == [0, 10, 100, 110]

    in_virtual_time(main)


def test_the_turn_of_one_that_gave_up_is_the_next_ones() -> None:
    async def main() -> None:
        limiter = Limiter(rate=(1, 10))
        start, began = anyio.current_time(), []

        async def visit(patience: float) -> None:
            with anyio.move_on_after(patience):
                await limiter.enter()
                began.append(round(anyio.current_time() - start, 6))

        async with anyio.create_task_group() as group:
            for patience in (1, 5, 100, 100):
                group.start_soon(visit, patience)
                await anyio.wait_all_tasks_blocked()
            await anyio.sleep(6)
            await visit(100)
        assert began == [0, 10, 20, 30]

    in_virtual_time(main)


def test_keys_are_forgotten_when_their_time_is_over() -> None:
    async def main() -> None:
        limiter = Limiter(key_rate=(1, 1))
        for number in range(3_000):
            async with limiter.slot(str(number)):
                pass
            await anyio.sleep(0.01)
        assert len(limiter._keys) <= 1_000

    in_virtual_time(main)


async def test_a_place_is_given_back_once() -> None:
    limiter = Limiter(1)
    place = await limiter.enter()
    place.leave()
    place.leave()
    assert limiter.running == 0
    async with limiter.slot():
        assert limiter.running == 1
