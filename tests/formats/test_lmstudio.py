"""LM Studio's fragments, as structs like those of the `lmstudio` package, and as dicts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from guardstream.formats import detect
from tests.laws.asked import GUARD, cuttings, unchanged
from tests.support.samples.lmstudio import Fragment, answer

TEXT = "a secret, no sec"
MASKED = "a ######, no sec"


def thought(pieces: Sequence[str]) -> list[Any]:
    """A thought between its tags, and the answer."""
    return [
        *answer(["<think>"], "reasoningStartTag"),
        *answer(pieces, "reasoning"),
        *answer(["</think>"], "reasoningEndTag"),
        *answer(pieces),
    ]


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


@pytest.mark.parametrize("kind", ["none", "reasoning"])
def test_a_block_ends_the_stream(kind: str) -> None:
    stream = GUARD.wrap_sync(answer(["all for", "bidden fruit"], kind))
    assert "".join(each.content for each in stream) == "all "
    assert stream.finish == "content_filter"
