"""A limiter lets so many in, in their order, and gives every place back."""

from __future__ import annotations

from collections import Counter
from random import Random

import anyio
import anyio.lowlevel
import pytest

from guardstream.resilience import Limiter, LimiterError

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
def test_there_is_room_for_one(bounds: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="at least one"):
        Limiter(**bounds)
