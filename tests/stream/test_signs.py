"""A sign of an end proves nothing: what it would release waits for a proof."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from guardstream import Guard, Policy
from guardstream.stream.flows.pieces import MAX_WAITING
from tests.providers.chunks import accumulate, call, chunk

POLICY = """
rules:
  - {id: bird, words: [bluebird], replacement: "[bird]"}
  - {id: fish, words: [redfish], action: block}
"""
GUARD = Guard(Policy.parse(POLICY))


def said(*source: dict[str, Any]) -> str:
    return accumulate(list(GUARD.wrap_sync(source))).get((0, "content"), "")


def with_ends(text: str, size: int) -> list[dict[str, Any]]:
    """A text in chunks that each say that it ends."""
    parts = [text[at : at + size] for at in range(0, len(text), size)]
    return [chunk({"content": part}, finish="stop") for part in parts]


@pytest.mark.parametrize("size", range(1, 9))
def test_an_end_in_every_chunk_shows_nothing_of_a_match(size: int) -> None:
    assert said(*with_ends("the bluebird sings", size)) == "the [bird] sings"
    assert said(*with_ends("a redfish swims", size)) == "a "


@pytest.mark.parametrize("size", range(1, 9))
def test_after_a_wrong_end_no_end_of_its_own_is_believed(size: int) -> None:
    text = "so it goes: the bluebird sings"
    source = [each for part in with_ends(text, size) for each in (part, chunk(finish="stop"))]
    assert said(*source) == "so it goes: the [bird] sings"


def test_held_text_goes_out_with_the_end_that_it_came_with() -> None:
    out = list(GUARD.wrap_sync([chunk({"content": "the blue"}, finish="stop")]))
    assert out == [chunk({"content": "the blue"}, finish="stop")]


def test_a_call_proves_the_end_before_it() -> None:
    seen = []

    def source() -> Iterator[dict[str, Any]]:
        yield chunk({"content": "the blue"}, finish="stop")
        yield chunk(call(0, "{}", id="call_1", name="find"))
        seen.append(accumulate(out).get((0, "content")))

    out: list[Any] = []
    for each in GUARD.wrap_sync(source()):
        out.append(each)  # noqa: PERF402 (it is read meanwhile)
    assert seen == ["the blue"]


def test_other_choices_wait_for_no_end() -> None:
    first = chunk({"content": "the blue"}, finish="stop")
    stream = iter(GUARD.wrap_sync([first, chunk({"content": "hello "}, choice=1)]))
    assert next(stream) == chunk({"content": "hello "}, choice=1)
    assert [*stream] == [first]


def test_empty_chunks_wait_behind_an_end_only_up_to_a_bound() -> None:
    taken = 0

    def source() -> Iterator[dict[str, Any]]:
        nonlocal taken
        yield chunk({"content": "the blue"}, finish="stop")
        while True:
            taken += 1
            yield chunk({})

    assert accumulate([next(iter(GUARD.wrap_sync(source())))]) == {(0, "content"): "the blue"}
    assert taken == MAX_WAITING


def test_a_stream_without_any_sign_of_its_end_is_incomplete() -> None:
    source = [chunk({"content": "so "}), chunk({"content": "it"})]
    for more, finish in (([], "incomplete"), ([chunk(finish="length")], "length")):
        stream = GUARD.wrap_sync([*source, *more])
        assert (stream.text(), stream.finish) == ("so it", finish)


def test_one_choice_that_has_not_ended_makes_a_stream_incomplete() -> None:
    source = [chunk({"content": "so"}), chunk({"content": "it"}, choice=1), chunk(finish="stop")]
    stream = GUARD.wrap_sync(source)
    stream.text()
    assert stream.finish == "incomplete"


def test_any_sign_suffices() -> None:
    data = b"data: %b\n\ndata: [DONE]\n\n" % json.dumps(chunk({"content": "so it"})).encode()
    for body, finish in ((data, "stop"), (data[:-14], "incomplete")):
        stream = GUARD.wrap_sync([body])
        assert (b"".join(stream), stream.finish) == (body, finish)


def test_text_and_unknown_json_have_no_sign_to_miss() -> None:
    for source in (["so ", "it"], [{"some": "so"}, {"some": "it"}]):
        stream = GUARD.wrap_sync(source)
        list(stream)
        assert stream.finish == "stop"
