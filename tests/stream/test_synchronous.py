"""Plain iterators are guarded with the same promises."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event, Thread, get_ident
from typing import Any

import pytest

from guardstream import AdapterError, BlockedError, Guard, StageError
from guardstream.stream.state import StreamState
from tests.support.chunking import every_split
from tests.support.sources import agen, broken_guard, gen, guard
from tests.support.watching import Watching, watched

CHUNKS = ["a ", "sec", "ret", " and", " more"]


def test_every_cut_gives_what_check_gives() -> None:
    for text in ("a secret b", "forbidden", "x enough "):
        expected = guard().check(text)
        for chunks in every_split(text):
            stream = guard().wrap_sync(gen(chunks))
            assert stream.text() == expected.text
            assert stream.result == expected


@pytest.mark.parametrize("chunks", [CHUNKS, ["fine ", "forbidden", "x"], ["so, ", "enough", "x"]])
def test_closed_at_the_end_of_any_kind(chunks: list[str]) -> None:
    log: list[str] = []
    guard().wrap_sync(gen(chunks, log)).text()
    assert log == ["closed"]


def test_closed_when_the_consumer_leaves() -> None:
    log: list[str] = []
    with guard().wrap_sync(gen(CHUNKS, log)) as stream:
        next(stream)
    assert log == ["closed"]
    assert stream.finish == "cancelled"
    assert list(stream) == []


def test_closed_when_the_consumer_just_leaves() -> None:
    class Response:
        closed = 0

        def __iter__(self) -> Iterator[str]:
            return iter(CHUNKS)

        def close(self) -> None:
            self.closed += 1

    response = Response()
    for _ in guard().wrap_sync(response):
        break
    gc.collect()
    assert response.closed == 1


def test_a_source_that_is_its_own_iterator_is_closed_once() -> None:
    class Response:
        closed = 0

        def __iter__(self) -> Iterator[str]:
            return self

        def __next__(self) -> str:
            raise StopIteration

        def close(self) -> None:
            self.closed += 1

    response = Response()
    guard().wrap_sync(response).text()
    assert response.closed == 1


def test_an_error_of_the_source_passes_unchanged() -> None:
    error = OSError("upstream")

    def failing() -> Iterator[str]:
        yield "a sec"
        raise error

    stream = guard().wrap_sync(failing())
    with pytest.raises(OSError, match="upstream") as caught:
        list(stream)
    assert caught.value is error
    assert (stream.result.text, stream.finish) == ("a ", "error")


def test_an_error_while_closing_is_dropped() -> None:
    class Clumsy:
        def __iter__(self) -> Iterator[str]:
            return iter(["x "])

        def close(self) -> None:
            raise OSError("already gone")

    assert guard().wrap_sync(Clumsy()).text() == "x "


@pytest.mark.parametrize("finishes", [True, False])
def test_a_stage_that_raises_blocks(finishes: bool) -> None:
    log: list[str] = []
    stream = broken_guard(finishes=finishes).wrap_sync(
        gen(["fine ", "boom"] if finishes else [], log)
    )
    with pytest.raises(StageError):
        list(stream)
    assert stream.finish == "error"
    assert log == ["closed"]


def test_stop_ends_the_stream_before_the_next_chunk() -> None:
    log: list[str] = []
    stream = guard().wrap_sync(gen(CHUNKS, log))
    next(stream)
    stream.stop()
    assert list(stream) == []
    assert (stream.finish, log) == ("cancelled", ["closed"])


def test_stop_while_the_source_is_being_read_drops_what_it_says() -> None:
    def stopping() -> Iterator[str]:
        yield "a "
        stream.stop()
        yield "b "

    stream = guard().wrap_sync(stopping())
    assert list(stream) == ["a "]
    assert stream.finish == "cancelled"


def test_a_consumer_that_stops_and_leaves_has_its_source_closed() -> None:
    log: list[str] = []
    ends: list[object] = []
    stream = guard().wrap_sync(gen(CHUNKS, log), on_finish=ends.append)
    for _ in stream:
        stream.stop()
        break
    assert (log, stream.finish, ends) == (["closed"], "cancelled", [stream.result])
    stream.close()
    assert list(stream) == []
    assert len(ends) == 1


def test_a_stop_from_a_callback_closes_the_source_of_a_consumer_that_leaves() -> None:
    log: list[str] = []
    stream = guard().wrap_sync(gen(CHUNKS, log), on_text=lambda _: stream.stop())
    assert next(stream) == "a "
    assert (log, stream.finish, stream.result.text) == (["closed"], "cancelled", "a ")


def test_a_source_that_is_waited_for_is_closed_by_its_reader() -> None:
    class Waiting:
        def __init__(self) -> None:
            self.waits, self.go_on = Event(), Event()
            self.closed_by: list[int] = []

        def __iter__(self) -> Iterator[str]:
            return self

        def __next__(self) -> str:
            self.waits.set()
            assert self.go_on.wait(10)
            return "text "

        def close(self) -> None:
            self.closed_by.append(get_ident())

    source = Waiting()
    stream = guard().wrap_sync(source)
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(lambda: (list(stream), get_ident()))
        assert source.waits.wait(10)
        stream.stop()
        assert source.closed_by == []
        source.go_on.set()
        chunks, reader = reading.result(10)
    assert (chunks, set(source.closed_by), stream.finish) == ([], {reader}, "cancelled")


def test_a_block_raises_if_asked_to() -> None:
    stream = guard().wrap_sync(gen(["forbidden"]), raise_on_block=True)
    with pytest.raises(BlockedError):
        stream.text()


def test_an_unknown_chunk_is_refused() -> None:
    with pytest.raises(AdapterError, match="'float'"):
        list(guard().wrap_sync([1.5]))


async def coroutine() -> None: ...


@contextmanager
def manager() -> Iterator[str]:
    yield ""


@pytest.mark.parametrize(
    ("make", "hint"),
    [
        (coroutine, "await it first"),
        (manager, "'with ... as stream'"),
        (lambda: agen([]), r"use wrap\(\)"),
        (lambda: "text", r"use check\(\)"),
        (lambda: 5, "needs an iterator, not 'int'"),
    ],
)
def test_what_is_no_stream_is_refused_with_advice(make: Any, hint: str) -> None:
    with pytest.raises(TypeError, match=hint):
        guard().wrap_sync(make())


def test_a_guard_is_shared_between_threads() -> None:
    shared = Guard.load("guardstream/chat")
    texts = [
        f"mail a{n}@example.com, key sk-{n:020}, 密码 {n}, card 4111 1111 1111 1111."
        for n in range(40)
    ]
    expected = [shared.check(text).text for text in texts]

    def run(text: str) -> str:
        return fresh.wrap_sync(list(text)).text()

    fresh = Guard.load("guardstream/chat")
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(run, texts)) == expected


@pytest.mark.parametrize("reads_on", [True, False])
def test_a_stream_that_is_interrupted_while_it_ends_is_closed_later(
    reads_on: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    chunks = iter(["a", "b"])
    closed: list[bool] = []

    class Once:
        def __iter__(self) -> Iterator[str]:
            return chunks

        def close(self) -> None:
            closed.append(True)

    real = StreamState.end

    def interrupted(*_: object) -> None:
        monkeypatch.setattr(StreamState, "end", real)
        raise KeyboardInterrupt

    stream = guard().wrap_sync(Once())
    monkeypatch.setattr(StreamState, "end", interrupted)
    with pytest.raises(KeyboardInterrupt):
        list(stream)
    assert list(stream) == [] if reads_on else stream.close() is None
    assert (closed, stream.finish) == ([True], "stop" if reads_on else "cancelled")


def test_a_stream_that_is_interrupted_while_it_closes_is_closed_again() -> None:
    calls: list[int] = []

    class Source:
        def __iter__(self) -> Iterator[str]:
            return iter(["a"])

        def close(self) -> None:
            calls.append(1)
            if len(calls) == 1:
                raise KeyboardInterrupt

    stream = guard().wrap_sync(Source())
    with pytest.raises(KeyboardInterrupt):
        list(stream)
    stream.close()
    stream.close()
    assert len(calls) == 2


def test_a_source_that_another_thread_reads_is_closed_as_soon_as_it_can_be() -> None:
    log: list[str] = []
    waiting, chunk = Event(), Event()

    def source() -> Iterator[str]:
        try:
            yield "a "
            waiting.set()
            chunk.wait(20)
            yield "secret"
        finally:
            log.append("closed")

    stream = guard().wrap_sync(source())
    with ThreadPoolExecutor(1) as pool:
        read = pool.submit(list, stream)
        assert waiting.wait(20)
        stream.close()
        assert log == []  # a generator that runs cannot be closed
        chunk.set()
        assert read.result(20) == ["a "]
        assert log == ["closed"]  # although the stream is still there
    assert stream.finish == "cancelled"


def test_a_stream_that_another_thread_closes_as_it_opens_has_a_record(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def closing() -> float:  # is called just before the observers are told
        closer = Thread(target=stream.close)
        closer.start()
        closer.join()
        return 0.0

    seen = Watching()
    monkeypatch.setattr("guardstream.stream.observers.time", closing)
    stream = watched(seen).wrap_sync(gen(["a ", "b"]))
    assert list(stream) == []
    assert (len(seen.starts), seen.record.finish) == (1, "cancelled")
