"""Only an index that recurs is an identity: some servers number the chunks of one text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import trio
import trio.testing

from guardstream import Guard, Policy
from tests.formats.chunks import accumulate, chunk

POLICY = """
rules:
  - {id: bird, words: [bluebird], replacement: "[bird]"}
  - {id: fish, words: [redfish], action: block}
"""
GUARD = Guard(Policy.parse(POLICY))

SENTENCE = "The bluebird sings in the blue hour before the sun is up."


def counted(text: str, size: int) -> list[dict[str, Any]]:
    """A text in chunks whose index counts them."""
    parts = [text[at : at + size] for at in range(0, len(text), size)]
    return [chunk({"content": part}, choice=n) for n, part in enumerate(parts)]


def read(chunks: Sequence[dict[str, Any]]) -> str:
    """The text for a client that joins all chunks."""
    choices = [choice for each in chunks for choice in each["choices"]]
    return "".join(choice["delta"].get("content") or "" for choice in choices)


@pytest.mark.parametrize("size", range(1, 20))
def test_the_chunks_of_a_counter_are_one_text(size: int) -> None:
    out = [*GUARD.wrap_sync([*counted(SENTENCE, size), chunk(finish="stop")])]
    assert read(out) == SENTENCE.replace("bluebird", "[bird]")


@pytest.mark.parametrize("size", range(1, 8))
def test_nothing_of_a_match_over_several_indexes_is_shown(size: int) -> None:
    stream = GUARD.wrap_sync(counted("a redfish swims", size))
    assert read([*stream]) == "a "
    assert stream.finish == "content_filter"


@pytest.mark.parametrize("size", range(1, 20))
def test_text_leaves_under_the_index_that_it_came_with(size: int) -> None:
    guard = Guard(Policy.parse("rules: [{id: bird, words: [zebra], normalize: [case]}]"))
    text = "a ze" * 20
    source = counted(text, size)
    assert accumulate([*guard.wrap_sync(source)]) == accumulate(source)


@pytest.mark.parametrize("count", [2, 3, 8, 12])
def test_choices_in_turn_are_texts_of_their_own(count: int) -> None:
    parts = ["the blue", "bird and a blue", " sky"]
    source = [chunk({"content": part}, choice=n) for part in parts for n in range(count)]
    out = accumulate([*GUARD.wrap_sync(source)])
    assert out == {(n, "content"): "the [bird] and a blue sky" for n in range(count)}


def test_whole_answers_of_several_choices_are_no_counter() -> None:
    source = [chunk({"content": f"{n} so it is"}, choice=n, finish="stop") for n in range(8)]
    assert [*GUARD.wrap_sync(source)] == source


def test_a_call_ends_the_wait() -> None:
    calls = [{"index": 0, "id": "c", "function": {"name": "find", "arguments": "{}"}}]
    source = [*counted("so it is", 4), chunk({"tool_calls": calls}), chunk(finish="tool_calls")]
    assert [*GUARD.wrap_sync(source)] == source


def test_silence_ends_the_wait() -> None:
    async def source() -> Any:
        for each in counted("so it is", 4):
            yield each
        await trio.sleep(60)

    async def main() -> list[float]:
        start = trio.current_time()
        return [round(trio.current_time() - start, 2) async for _ in GUARD.wrap(source())]

    assert trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0)) == [0.0, 0.5]
