"""DashScope's own stream: all of a text so far, or what is new in it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import pytest

from guardstream.providers import detect
from tests.providers.laws import GUARD, cuttings, events, in_any_cut, left_raw, unchanged

TEXT = "a secret, no sec"
MASKED = "a ######, no sec"


def told(texts: Sequence[str], field: str = "content") -> list[dict[str, Any]]:
    chunks: list[dict[str, Any]] = []
    for text in texts:
        choice = {"message": {"role": "assistant", field: text}, "finish_reason": "null"}
        chunks.append({"output": {"choices": [choice]}, "usage": {}, "request_id": "r"})
    chunks[-1]["output"]["choices"][0]["finish_reason"] = "stop"
    return chunks


def as_text(texts: Sequence[str]) -> list[dict[str, Any]]:
    made = [
        {"output": {"text": text, "finish_reason": "null"}, "request_id": "r"} for text in texts
    ]
    return [*made[:-1], {"output": {"text": texts[-1], "finish_reason": "stop"}, "request_id": "r"}]


def said(chunk: dict[str, Any], field: str = "content") -> str:
    output = chunk["output"]
    return str(output["choices"][0]["message"][field] if "choices" in output else output["text"])


@pytest.mark.parametrize("field", ["content", "reasoning_content"])
def test_all_so_far_becomes_what_was_released_so_far(field: str) -> None:
    for pieces in cuttings(TEXT):
        source = told(list(accumulate(pieces)), field)
        assert type(detect(source[0])).name == "dashscope"
        assert unchanged(source)
        out = [said(chunk, field) for chunk in GUARD.wrap_sync(source)]
        assert out[-1] == MASKED
        assert all(MASKED.startswith(text) for text in out)


def test_what_is_new_is_joined() -> None:
    for pieces in cuttings(TEXT):
        stream = GUARD.wrap_sync(told(pieces))
        assert "".join(map(said, stream)) == MASKED
        assert stream.result.text == MASKED
        assert stream.result.finish == "stop"


def test_texts_without_choices_are_guarded_alike() -> None:
    for pieces in cuttings(TEXT):
        out = [said(chunk) for chunk in GUARD.wrap_sync(as_text(list(accumulate(pieces))))]
        assert out[-1] == MASKED


def test_a_block_ends_with_a_reason_and_what_was_said() -> None:
    for make in (told, as_text):
        out = list(GUARD.wrap_sync(make(["all ", "all for", "all forbidden fruit"])))
        assert said(out[-1]) == "all "
        assert "content_filter" in str(out[-1])


def test_events_on_the_wire_are_guarded() -> None:
    sent = in_any_cut(events(*told(list(accumulate(TEXT)))), GUARD)
    assert not left_raw(sent.decode())
