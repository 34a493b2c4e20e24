"""OpenAI's transcriptions, images and speech, as they stream."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from guardstream.providers import detect
from tests.providers.laws import GUARD, cuttings, events, in_any_cut, left_raw, unchanged
from tests.support.optional import optional

construct_type = optional("openai._models", "construct_type")
TranscriptionStreamEvent = optional("openai.types.audio", "TranscriptionStreamEvent")

Event = dict[str, Any]


def transcript(pieces: Sequence[str]) -> list[Event]:
    spelled = [[{"token": piece, "logprob": -0.5, "bytes": [1]}] for piece in pieces]
    deltas = [
        {"type": "transcript.text.delta", "delta": piece, "logprobs": each}
        for piece, each in zip(pieces, spelled, strict=True)
    ]
    text = "".join(pieces)
    return [*deltas, {"type": "transcript.text.done", "text": text, "usage": {"total_tokens": 3}}]


def test_a_transcription_is_one_text() -> None:
    for pieces in cuttings("a secret, no sec"):
        source = transcript(pieces)
        objects: list[Any] = [
            construct_type(type_=TranscriptionStreamEvent, value=event) for event in source
        ]
        for made in (source, objects):
            assert detect(made[0]).name == "openai_media"  # type: ignore[attr-defined]
            assert unchanged(made)
            stream = GUARD.wrap_sync(made)
            out = [each if isinstance(each, dict) else each.model_dump() for each in stream]
            assert not left_raw(out)
            assert stream.result.text == out[-1]["text"] == "a ######, no sec"
    assert b"secret" not in in_any_cut(events(*transcript(list("a secret, no"))), GUARD)


def test_segments_are_judged_at_once() -> None:
    source = [
        {"type": "transcript.text.segment", "id": f"s{number}", "speaker": "A", "text": text}
        for number, text in enumerate(("a sec", "ret"))
    ]
    out = list(GUARD.wrap_sync([*source, transcript([" so"])[-1]]))
    assert out[0] == source[0]
    assert "ret" not in out[1]["text"]


def test_a_block_ends_a_transcription() -> None:
    out = list(GUARD.wrap_sync(transcript(["all ", "for", "bidden"])))
    assert out[-1] == {"type": "transcript.text.done", "text": "all "}


def test_images_and_speech_pass() -> None:
    image = {"type": "image_generation.partial_image", "b64_json": "c2VjcmV0", "quality": "low"}
    source = [image, {**image, "type": "image_generation.completed"}]
    assert list(GUARD.wrap_sync(source)) == source
    speech = [{"type": "speech.audio.delta", "audio": "c2VjcmV0"}, {"type": "speech.audio.done"}]
    assert list(GUARD.wrap_sync(speech)) == speech
    assert not left_raw(list(GUARD.wrap_sync([{**image, "note": "a secret"}])))
