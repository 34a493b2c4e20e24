"""The events of a response of LLM, as objects of a class that has their fields."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from guardstream.formats import detect
from tests.support.samples.llm import StreamEvent, events


def called(pieces: Sequence[str], own: str = "call_1", **more: Any) -> list[StreamEvent]:
    return [
        StreamEvent("tool_call_name", "find", tool_call_id=own, **more),
        *events("tool_call_args", pieces, tool_call_id=own, **more),
    ]


def answer(pieces: Sequence[str]) -> list[StreamEvent]:
    """Thinking, text, a call that the model's server runs, and text again."""
    return [
        *events("reasoning", pieces, part_index=0),
        *events("text", pieces, part_index=1),
        *called(pieces, part_index=2, server_executed=True),
        StreamEvent("tool_result", "a secret", 3, "call_1", True, "find"),
        *events("text", [" it is"], part_index=4),
        StreamEvent("reasoning", "", redacted=True),
    ]


@pytest.mark.parametrize("place", [0, 2, 4, 5, 7])
def test_a_stream_may_begin_with_any_event(place: int) -> None:
    first = answer(["so", ""])[place]
    assert detect(first).name == "llm"  # type: ignore[attr-defined]
    assert detect({"type": first.type, "chunk": "so"}).name == "json"  # type: ignore[attr-defined]


def test_other_formats_may_have_fields_of_the_same_names() -> None:
    for kind in ("other", ["text"], {"text": 1}, None):
        first = {"type": kind, "chunk": "so", "part_index": 0, "tool_call_id": None}
        assert detect(first).name == "json"  # type: ignore[attr-defined]
