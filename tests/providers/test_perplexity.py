"""Perplexity's chunks: what is new in an answer, and all of it so far beside it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import pytest

from tests.providers.chunks import chunk, model
from tests.providers.laws import GUARD, cuttings, events, in_any_cut, left_raw, unchanged

TEXT = "a secret, no sec"
MASKED = "a ######, no sec"


def told(pieces: Sequence[str], *, choice: int = 0) -> list[dict[str, Any]]:
    made = []
    for piece, said in zip(pieces, accumulate(pieces), strict=True):
        each = chunk({"role": "assistant", "content": piece}, choice=choice)
        each["choices"][0]["message"] = {"role": "assistant", "content": said}
        made.append(each)
    made[-1]["choices"][0]["finish_reason"] = "stop"
    return made


@pytest.mark.parametrize("as_objects", [False, True])
def test_all_so_far_becomes_what_was_released_so_far(as_objects: bool) -> None:
    for pieces in cuttings(TEXT):
        source: list[Any] = told(pieces)
        if as_objects:
            source = [model(each) for each in source]
        assert unchanged(source)
        stream = GUARD.wrap_sync(source)
        out = [each if isinstance(each, dict) else each.model_dump() for each in stream]
        choices = [each["choices"][0] for each in out]
        assert "".join(choice["delta"].get("content") or "" for choice in choices) == MASKED
        assert stream.result.text == MASKED
        whole = [choice["message"]["content"] for choice in choices if choice.get("message")]
        assert whole[-1] == MASKED
        assert all(MASKED.startswith(text) for text in whole)
        assert not stream.findings or {each.path for each in stream.findings} == {""}


def test_choices_are_told_apart() -> None:
    both = [told(["a sec", "ret"], choice=0), told(["a sec", "ond"], choice=1)]
    source = [chunk for pair in zip(*both, strict=True) for chunk in pair]
    out = list(GUARD.wrap_sync(source))
    assert not left_raw(out)
    last = {each["choices"][0]["index"]: each["choices"][0]["message"]["content"] for each in out}
    assert last == {0: "a ######", 1: "a second"}


def test_a_message_that_repeats_nothing_is_guarded_at_once() -> None:
    source = told(["so", " it"])
    source[1]["choices"][0]["message"]["content"] = "a secret"
    out = list(GUARD.wrap_sync(source))
    assert out[1]["choices"][0]["message"]["content"] == "a ######"
    lonely = [chunk({}), chunk({})]
    for each, text in zip(lonely, ("the sec", "the secret"), strict=True):
        each["choices"][0]["message"] = {"role": "assistant", "content": text}
    assert not left_raw(list(GUARD.wrap_sync(lonely)))


def test_what_a_model_reasons_is_guarded() -> None:
    steps = [
        {"thought": "a secret", "type": "web_search", "web_search": {"search_keywords": ["so"]}}
    ]
    source = [chunk({"role": "assistant", "content": "", "reasoning_steps": steps})]
    source[0]["object"] = "chat.reasoning"
    source[0]["choices"][0]["message"] = {"role": "assistant", "reasoning_steps": steps}
    stream = GUARD.wrap_sync(source)
    out = list(stream)
    assert not left_raw(out)
    assert len(stream.findings) == 1


def test_bytes_are_guarded_in_any_cut() -> None:
    assert b"secret" not in in_any_cut(events(*told(list(TEXT))), GUARD)
