"""Replay: what was released can be had again by its own id, and nothing else can."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from guardstream import Guard, Policy
from guardstream.framing.sse import Event
from guardstream.serve import GuardMiddleware, Kept, MemoryReplay
from tests.serve.apps import Upstream, guarded, streaming
from tests.serve.visit import Visit
from tests.support.replays import SSE, WORDS, events, fetch, ids, text

pytestmark = pytest.mark.anyio


def replaying(upstream: Upstream, **settings: Any) -> GuardMiddleware:
    return guarded(streaming(upstream, SSE), replay=MemoryReplay(), **settings)


async def test_released_events_get_ids() -> None:
    visit = await fetch(replaying(Upstream(WORDS)))
    secret = {re.fullmatch(r"gs(.{22})\.\d+", found).group(1) for found in ids(visit)}  # type: ignore[union-attr]
    assert len(secret) == 1
    assert [found.partition(".")[2] for found in ids(visit)] == ["1", "2", "3", "4", "5"]
    assert text(visit) == "one two ****** four five "


async def test_every_event_can_be_had_again_from_where_the_client_was() -> None:
    upstream = Upstream(WORDS)
    app = replaying(upstream)
    first = await fetch(app)
    whole = events(first.body)
    given = upstream.given
    for number, event in enumerate(whole[:-1], 1):
        again = await fetch(app, event.id)
        assert events(again.body) == whole[number:]
        assert again.complete
        assert again.headers["guardstream-policy"] == first.headers["guardstream-policy"]
    assert upstream.given == given


async def test_who_has_all_is_told_to_stop() -> None:
    app = replaying(Upstream(WORDS))
    visit = await fetch(app, ids(await fetch(app))[-1])
    assert (visit.status, visit.body, visit.complete) == (204, b"", True)


async def test_two_streams_never_share_an_id() -> None:
    app = replaying(Upstream(WORDS))
    first, second = await fetch(app), await fetch(app)
    assert not set(ids(first)) & set(ids(second))


@pytest.mark.parametrize("change", ["secret", "path", "policy"])
async def test_a_stream_can_only_be_had_by_its_own_id(change: str) -> None:
    store = MemoryReplay()
    app = guarded(streaming(Upstream(WORDS), SSE), replay=store)
    last = ids(await fetch(app, path="/a"))[0]
    other = Guard(Policy.parse("{version: 1, name: other}"))
    if change == "secret":
        last = f"{last[:5]}{'x' if last[5] != 'x' else 'y'}{last[6:]}"
    if change == "policy":
        app = GuardMiddleware(app.app, other, replay=store)
    visit = await fetch(app, last, path="/b" if change == "path" else "/a")
    assert visit.status == 410
    assert visit.complete


async def test_another_applications_id_is_left_to_it() -> None:
    app = replaying(Upstream(WORDS))
    assert text(await fetch(app, "7")) == "one two ****** four five "


async def test_an_application_that_gives_ids_does_its_own_replay() -> None:
    store = MemoryReplay()
    upstream = Upstream([b"id: 1\ndata: a \n\n", b"id: 2\ndata: b \n\n"])
    visit = await fetch(guarded(streaming(upstream, SSE), replay=store))
    assert ids(visit) == ["1", "2"]
    assert len(store) == 0


@pytest.mark.parametrize("first", [b"", b": hello\n\n", b"retry: 5\n\n"])
@pytest.mark.parametrize("size", [1, 7, 1000])
async def test_the_beginning_of_an_event_that_has_an_id_gets_none_of_ours(
    first: bytes, size: int
) -> None:
    store = MemoryReplay()
    body = first + b"id: 1\ndata: a sec\n\nid: 2\ndata: t and more\n\n"
    upstream = Upstream([body[at : at + size] for at in range(0, len(body), size)])
    visit = await fetch(guarded(streaming(upstream, SSE), replay=store))
    assert text(visit) == "a sect and more"
    assert ids(visit) == ["", "2"]
    assert len(store) == 0


async def test_an_application_that_gives_an_id_without_data_does_its_own_replay() -> None:
    store = MemoryReplay()
    upstream = Upstream([b"id: 1\n\n", b"data: a \n\n"])
    visit = await fetch(guarded(streaming(upstream, SSE), replay=store))
    assert ids(visit) == [""]
    assert len(store) == 0


async def test_what_was_held_is_not_replayed() -> None:
    app = replaying(Upstream([b"data: one \n\n", b"data: sec\n\n"], silent=True))
    visit = await fetch(app, leave_after=2)
    again = await fetch(app, ids(visit)[0])
    assert text(again) == ""
    assert [event.event for event in events(again.body)] == ["error"]
    assert b"sec" not in again.body
    assert (await fetch(app, ids(again)[-1])).status == 204


async def test_a_block_is_replayed_as_it_was() -> None:
    app = replaying(Upstream([b"data: one \n\n", b"data: forbidden! \n\n"], silent=True))
    visit = await fetch(app)
    assert events(visit.body)[-1] == Event(
        '{"finish":"content_filter"}', "complete", ids(visit)[-1]
    )
    assert events((await fetch(app, ids(visit)[0])).body) == events(visit.body)[1:]


class Taps:
    """A source that gives its next chunk when it is told to."""

    def __init__(self) -> None:
        self.closed = anyio.Event()
        self._send, self._receive = anyio.create_memory_object_stream[bytes](100)

    def give(self, *words: str) -> None:
        for word in words:
            self._send.send_nowait(f"data: {word} \n\n".encode())

    def end(self) -> None:
        self._send.close()

    async def stream(self) -> AsyncIterator[bytes]:
        try:
            with self._receive, self._send:
                async for chunk in self._receive:
                    yield chunk
        finally:
            self.closed.set()


def lingering(taps: Taps, seconds: float) -> GuardMiddleware:
    return replaying(taps, linger=seconds)  # type: ignore[arg-type]


async def test_a_stream_that_lingers_goes_on_live() -> None:
    taps = Taps()
    app = lingering(taps, 60)
    first, again = Visit(), Visit()
    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            group.start_soon(first.to, app)
            taps.give("one", "two")
            await first.until(b"two")
            first.left.set()
            taps.give("secret", "four")
            again.scope["headers"] = [(b"last-event-id", ids(first)[0].encode())]
            group.start_soon(again.to, app)
            await again.until(b"four")
            taps.give("five")
            await again.until(b"five")
            taps.end()
    assert text(again) == "two ****** four five "
    assert again.complete
    assert text(first) == "one two "


async def test_a_stream_that_nobody_follows_is_closed() -> None:
    taps = Taps()
    app = lingering(taps, 0.01)
    visit = Visit()
    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            group.start_soon(visit.to, app)
            taps.give("one")
            await visit.until(b"one")
            visit.left.set()
            await taps.closed.wait()
    again = await fetch(app, ids(visit)[0])
    assert [event.event for event in events(again.body)] == ["error"]


async def test_a_follower_that_leaves_leaves_nothing() -> None:
    taps = Taps()
    app = lingering(taps, 60)
    first, again = Visit(), Visit()
    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            group.start_soon(first.to, app)
            taps.give("one", "two")
            await first.until(b"two")
            again.scope["headers"] = [(b"last-event-id", ids(first)[0].encode())]
            async with anyio.create_task_group() as following:
                following.start_soon(again.to, app)
                await again.until(b"two")
                again.left.set()
            taps.end()
    assert text(again) == "two "
    assert not again.complete


class Failing(MemoryReplay):
    """A store that cannot be reached from the third event on."""

    async def append(self, stream: str, number: int, event: bytes) -> None:
        if number > 2:
            raise ConnectionError("store")
        await super().append(stream, number, event)


async def test_a_stream_goes_on_without_its_store(caplog: pytest.LogCaptureFixture) -> None:
    app = guarded(streaming(Upstream(WORDS), SSE), replay=Failing())
    visit = await fetch(app)
    assert text(visit) == "one two ****** four five "
    assert [record.message for record in caplog.records] == [
        "replay store failed (ConnectionError): a stream goes on without it"
    ]


class Back(MemoryReplay):
    """A store that fails at one event, and is there again for the next."""

    async def append(self, stream: str, number: int, event: bytes) -> None:
        if number == 3:
            raise ConnectionError("store")
        await super().append(stream, number, event)


async def test_who_comes_back_is_told_that_a_store_has_failed() -> None:
    app = guarded(streaming(Upstream(WORDS), SSE), replay=Back())
    first = await fetch(app)
    assert text(first) == "one two ****** four five "
    for last, rest in ((0, "two "), (1, ""), (2, "")):
        again = await fetch(app, ids(first)[last])
        assert (again.complete, text(again)) == (True, rest)
        assert events(again.body)[-1].event == "error"
        assert b"not_kept" in again.body
    assert (await fetch(app, ids(again)[-1])).status == 204


async def test_who_comes_back_is_told_that_an_application_went_on_by_itself() -> None:
    own = [*WORDS[:2], b"id: 7\ndata: more\n\n"]
    app = guarded(streaming(Upstream(own), SSE), replay=MemoryReplay())
    again = await fetch(app, ids(await fetch(app))[0])
    assert (again.complete, text(again)) == (True, "two ")
    assert b"not_kept" in again.body


async def test_a_stream_that_is_not_kept_does_not_linger() -> None:
    taps = Taps()
    app = guarded(streaming(taps, SSE), replay=Back(), linger=60)  # type: ignore[arg-type]
    visit = Visit()
    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            group.start_soon(visit.to, app)
            taps.give("one")
            await visit.until(b"one")
            visit.left.set()
            taps.give("two", "three", "four")
            await taps.closed.wait()


class Broken(MemoryReplay):
    """A store that cannot be asked who follows, nor told of an end."""

    async def followed(self, stream: str) -> bool:  # noqa: ARG002
        raise ConnectionError("store")

    async def close(self, stream: str) -> None:  # noqa: ARG002
        raise ConnectionError("store")


async def test_a_broken_store_ends_neither_a_stream_nor_its_end() -> None:
    app = guarded(streaming(Upstream(WORDS), SSE), replay=Broken())
    assert (await fetch(app)).complete
    taps = Taps()
    app = guarded(streaming(taps, SSE), replay=Broken(), linger=0.01)  # type: ignore[arg-type]
    visit = Visit()
    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            group.start_soon(visit.to, app)
            taps.give("one")
            await visit.until(b"one")
            visit.left.set()
            await taps.closed.wait()


async def test_a_follower_of_a_stream_that_is_forgotten_is_told() -> None:
    taps = Taps()
    store = MemoryReplay(max_streams=1)
    app = guarded(streaming(taps, SSE), replay=store, linger=60)  # type: ignore[arg-type]
    first, again = Visit(), Visit()
    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            group.start_soon(first.to, app)
            taps.give("one", "two")
            await first.until(b"two")
            again.scope["headers"] = [(b"last-event-id", ids(first)[0].encode())]
            group.start_soon(again.to, app)
            await again.until(b"two")
            await store.append("another", 1, b"")
            await again.until(b"not_kept")
            taps.end()
    assert again.complete


class Unreadable(MemoryReplay):
    """A store that cannot be read."""

    async def since(self, stream: str, number: int, wait: float = 0.0) -> Kept | None:  # noqa: ARG002
        raise ConnectionError("store")


async def test_a_store_that_cannot_be_read_keeps_nothing() -> None:
    app = guarded(streaming(Upstream(WORDS), SSE), replay=Unreadable())
    assert (await fetch(app, ids(await fetch(app))[0])).status == 410


async def test_heartbeats_and_comments_get_no_id() -> None:
    upstream = Upstream([b": hello\n\n", b"retry: 5\n\n", b"data: one \n\n"])
    visit = await fetch(replaying(upstream))
    assert visit.body.startswith(b": hello\n\nretry: 5\n\nid: gs")


async def test_a_stream_is_for_the_caller_that_began_it() -> None:
    app = replaying(Upstream(WORDS), replay_by=["Authorization", "cookie"])
    mine = {"authorization": "Bearer a", "cookie": "s=1"}
    with anyio.fail_after(5):
        first = await Visit(headers=mine).to(app)
        last_id = ids(first)[1]
        others = [
            {"authorization": "Bearer b", "cookie": "s=1"},
            {"authorization": "Bearer a"},
            {"authorization": "s=1", "cookie": "Bearer a"},
            {},
        ]
        tried = [
            await Visit(headers={**headers, "last-event-id": last_id}).to(app) for headers in others
        ]
        again = await Visit(headers={**mine, "last-event-id": last_id}).to(app)
    assert [visit.status for visit in tried] == [410] * 4
    assert text(again) == "****** four five "
