"""LiveKit's chunks, as objects of classes that have their fields."""

from __future__ import annotations

from guardstream.formats import detect
from tests.support.samples.livekit import ChatChunk, Usage

USAGE = ChatChunk(id="c-1", usage=Usage(completion_tokens=3))


def test_dicts_with_these_fields_are_of_another_format() -> None:
    assert detect(USAGE.model_dump()).name == "json"  # type: ignore[attr-defined]
