"""What announces a value is its context even where an upstream says that the text is over: at an
end that is none, at an error in mid-stream, and where an index counts chunks."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from guardstream import Guard, Policy
from tests.formats.chunks import chunk

RULES = r"""
rules:
  - {id: code, pattern: 'code: (?<v>[0-9a-z]{4,9})', group: v, replacement: "[code]"}
  - {id: bird, words: [bluebird], replacement: "[bird]"}
"""
GUARD = Guard(Policy.parse(RULES))
ERROR = {"error": {"message": "overloaded", "type": "server_error"}}


def said(text: str | None, finish: str | None = None, choice: int = 0) -> dict[str, Any]:
    return chunk({} if text is None else {"content": text}, finish=finish, choice=choice)


def shown(chunks: Sequence[Any]) -> str:
    """The text that a client sees which reads on after an end; with and without a loop."""

    async def source() -> Any:
        for each in chunks:
            yield each

    async def guarded() -> list[Any]:
        return [each async for each in GUARD.wrap(source())]

    outs = [[*GUARD.wrap_sync(chunks)], asyncio.run(guarded())]
    texts = [
        "".join(
            choice["delta"].get("content") or ""
            for each in out
            for choice in each.get("choices", ())
        )
        for out in outs
    ]
    assert texts[0] == texts[1]
    return texts[0]


@pytest.mark.parametrize(
    "chunks",
    [
        [said("the code: ", "stop"), said("a1b2c3 x", "stop"), said(" y", "stop")],
        [said("the code: "), said(None, "stop"), said("a1b2c3 x y")],
        [said("the code: ", "stop"), said("a1b2", "stop"), said("c3 x y", "stop")],
    ],
)
def test_an_end_that_is_none_hides_no_context(chunks: list[Any]) -> None:
    assert shown(chunks) == "the code: [code] x y"


def test_what_was_masked_before_an_end_that_is_none_is_masked_once() -> None:
    chunks = [said("a bluebird, code: ", "stop"), said("a1b2 x, a blue", "stop"), said("bird")]
    assert shown(chunks) == "a [bird], code: [code] x, a [bird]"


@pytest.mark.parametrize(
    ("before", "after"),
    [("the code: ", "a1b2c3 x"), ("the code: a1b2", "c3 x"), ("a1b2 blue", "bird")],
)
def test_an_error_in_mid_stream_hides_no_context(before: str, after: str) -> None:
    text = shown([said(before), ERROR, said(after)])
    assert "a1b2c3" not in text
    assert "c3" not in text
    assert "bird" not in text


def test_an_index_that_counts_chunks_hides_no_context() -> None:
    parts = ["the ", "code: ", "a1b2", "c3 ", "x"]
    assert shown([said(part, choice=n) for n, part in enumerate(parts)]) == "the code: [code] x"


def test_a_value_that_comes_twice_is_text_unless_its_path_began_with_it() -> None:
    parts = ["the code: ", "a1b", "a1b", "a1b", " x"]
    out = [each["delta"] for each in GUARD.wrap_sync([{"delta": part} for part in parts])]
    assert "".join(out) == "the code: [code] x"
