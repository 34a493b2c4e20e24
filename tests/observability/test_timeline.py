"""Pictures of streams: what they show, and what they must not."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from guardstream import Guard, Policy, Result
from guardstream.observability import Timeline
from tests.support.sources import gen
from tests.support.streams import chat

GUARD = Guard(
    Policy.parse(
        "rules:\n"
        "  - {id: bird, words: [bluebird], replacement: '[<bird>]'}\n"
        "  - {id: stop, words: [forbidden], action: block}"
    )
)
SVG = "{http://www.w3.org/2000/svg}"


def drawn(chunks: list[str]) -> tuple[Timeline, ElementTree.Element, str]:
    """Guard chunks and draw them."""
    timeline = Timeline()
    for _ in timeline.watch(GUARD.wrap_sync(timeline.source(chunks))):
        pass
    svg = timeline.svg()
    return timeline, ElementTree.fromstring(svg), svg


def bars(picture: ElementTree.Element, kind: str) -> list[str]:
    return [
        "".join(each.itertext()) for each in picture.iter(f"{SVG}rect") if each.get("class") == kind
    ]


def test_each_chunk_is_a_step() -> None:
    timeline, picture, _ = drawn(["a blue", "bird", " sings"])
    assert [(step.came, step.held, step.findings) for step in timeline.steps] == [
        (6, 4, 0),
        (4, 8, 0),
        (6, 0, 1),
    ]
    assert sum(step.released for step in timeline.steps) == len("a [<bird>] sings")
    assert len(bars(picture, "came")) == 3
    assert len(bars(picture, "released")) == 2


def test_what_was_not_released_is_not_in_the_picture() -> None:
    _, picture, svg = drawn(["a blue", "bird is for", "bidden here"])
    assert not any(word in svg for word in ("blue", "forbid", "here"))
    shown = "".join(picture.itertext())
    assert shown.endswith("a [<bird>] is")
    assert "bird: mask, 8 characters from 2" in shown
    assert "stop: block, 9 characters from 14" in shown
    assert "finish content_filter" in shown


@pytest.mark.parametrize("text", ["", "\x00\x1b[31m \ud83d <b>&amp;</b>\n" * 3, "x" * 5000])
def test_any_text_gives_a_picture_that_can_be_read(text: str) -> None:
    _, picture, svg = drawn([text])
    assert picture.tag == f"{SVG}svg"
    svg.encode()


@pytest.mark.anyio
async def test_a_stream_of_a_provider_is_drawn_too(tmp_path: Path) -> None:
    timeline = Timeline()

    async def gen_async(chunks: list[object]) -> AsyncIterator[object]:
        for chunk in chunks:
            yield chunk

    stream = timeline.watch(GUARD.wrap(timeline.source(gen_async(chat(text="a bluebird")))))
    async for _ in stream:
        pass
    timeline.save(tmp_path / "stream.svg")
    assert "a [&lt;bird&gt;]" in (tmp_path / "stream.svg").read_text()
    assert timeline._repr_html_() == timeline.svg()


@pytest.mark.anyio
async def test_the_source_is_closed_with_the_stream() -> None:
    closed: list[bool] = []

    async def source() -> AsyncIterator[str]:
        try:
            while True:
                yield "forbidden "
        finally:
            closed.append(True)

    timeline = Timeline()
    async with timeline.watch(GUARD.wrap(timeline.source(source()))) as stream:
        async for _ in stream:
            pass
    assert closed == [True]


def test_a_client_whose_iterator_is_another_object_is_closed_with_the_stream() -> None:
    class Client:
        closed = False

        def __iter__(self) -> Iterator[str]:
            while True:
                yield "forbidden "

        def close(self) -> None:
            self.closed = True

    client, timeline = Client(), Timeline()
    list(timeline.watch(GUARD.wrap_sync(timeline.source(client))))
    assert client.closed


def test_a_timeline_that_watches_nothing_says_so() -> None:
    with pytest.raises(ValueError, match="call `watch`"):
        Timeline().svg()


def test_a_result_shows_itself_in_a_notebook() -> None:
    result = GUARD.wrap_sync(gen(["a bluebird <b>"]))
    list(result)
    html = result.result._repr_html_()
    assert "a [&lt;bird&gt;] &lt;b&gt;" in html
    assert "<td>bird</td><td>mask</td>" in html
    assert "bluebird" not in html
    assert "<table>" not in Result("x", (), None)._repr_html_()
