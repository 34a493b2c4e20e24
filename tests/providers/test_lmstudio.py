"""LM Studio's fragments, as structs like those of the `lmstudio` package, and as dicts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from guardstream.providers import detect
from tests.providers.laws import GUARD, cuttings, unchanged

TEXT = "a secret, no sec"
MASKED = "a ######, no sec"


class Fragment(msgspec.Struct, kw_only=True):
    content: str
    tokens_count: int = 1
    contains_drafted: bool = False
    reasoning_type: str = "none"


def answer(pieces: Sequence[str], kind: str = "none") -> list[Any]:
    return [Fragment(content=piece, reasoning_type=kind) for piece in pieces]


def thought(pieces: Sequence[str]) -> list[Any]:
    """A thought between its tags, and the answer."""
    return [
        *answer(["<think>"], "reasoningStartTag"),
        *answer(pieces, "reasoning"),
        *answer(["</think>"], "reasoningEndTag"),
        *answer(pieces),
    ]


def as_dict(fragment: Any) -> dict[str, Any]:
    told = {"content": fragment.content, "reasoningType": fragment.reasoning_type}
    return {**told, "tokensCount": 1, "containsDrafted": False}


def test_fragments_are_guarded_and_keep_their_class() -> None:
    for pieces in cuttings(TEXT):
        source = thought(pieces)
        assert detect(source[0]).name == "lmstudio"  # type: ignore[attr-defined]
        assert unchanged(source)
        stream = GUARD.wrap_sync(source)
        out = list(stream)
        text = "".join(each.content for each in out if each.reasoning_type == "none")
        assert text == MASKED == stream.result.text
        assert stream.result.thinking == f"<think>{MASKED}</think>"
        assert "".join(each.content for each in out) == f"<think>{MASKED}</think>{MASKED}"
        assert {type(each) for each in out} == {Fragment}


def test_dicts_are_guarded_alike() -> None:
    for pieces in cuttings(TEXT):
        stream = GUARD.wrap_sync(map(as_dict, thought(pieces)))
        assert "secret" not in repr(list(stream))
        assert stream.result.text == MASKED


@pytest.mark.parametrize("kind", ["none", "reasoning"])
def test_a_block_ends_the_stream(kind: str) -> None:
    stream = GUARD.wrap_sync(answer(["all for", "bidden fruit"], kind))
    assert "".join(each.content for each in stream) == "all "
    assert stream.finish == "content_filter"
