"""Mistral's transcriptions: events as dicts, as the package gives them, and over the wire."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from guardstream import Guard, Policy
from guardstream.providers import detect
from guardstream.providers.mistral.transcriptions import Transcriptions
from tests.providers.laws import GUARD, cuttings, in_any_cut, left_raw, unchanged
from tests.providers.served import sse
from tests.support.optional import optional

models = optional("mistralai.client.models")

Event = dict[str, Any]
TOKENS = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
LANGUAGE: Event = {"type": "transcription.language", "audio_language": "en"}


def said(piece: str) -> Event:
    return {"type": "transcription.text.delta", "text": piece}


def segment(text: str) -> Event:
    return {"type": "transcription.segment", "text": text, "start": 0.5, "end": 1.5}


def done(text: str, *segments: Event) -> Event:
    told = {"model": "voxtral-mini-2507", "language": "en", "usage": TOKENS}
    parts = [{**each, "type": "transcription_segment"} for each in segments]
    return {"type": "transcription.done", "text": text, "segments": parts, **told}


def answer(pieces: Sequence[str]) -> list[Event]:
    return [LANGUAGE, *map(said, pieces), done("".join(pieces))]


def wrapped(source: Sequence[Event]) -> list[Event]:
    return [{"event": each["type"], "data": each} for each in source]


def objects(source: Sequence[Event]) -> list[Any]:
    """The events as the package parses them."""
    return [models.TranscriptionStreamEvents.model_validate(each) for each in wrapped(source)]


def inner(each: Any) -> Event:
    plain: Event = each if isinstance(each, dict) else json.loads(each.model_dump_json())
    found: Event = plain.get("data", plain)
    return found


def joined(source: Any) -> str:
    told = [each for each in map(inner, source) if each["type"] == "transcription.text.delta"]
    return "".join(each["text"] for each in told)


MAKE = pytest.mark.parametrize("make", [list, wrapped, objects], ids=["data", "event", "object"])


@MAKE
def test_text_is_masked_in_any_cut_and_repeated_so(make: Any) -> None:
    for pieces in cuttings("a secret, no sec"):
        stream = GUARD.wrap_sync(make(answer(pieces)))
        out = list(stream)
        assert not left_raw(out)
        assert joined(out) == inner(out[-1])["text"] == "a ######, no sec"
        assert (stream.result.text, stream.finish) == ("a ######, no sec", "stop")


@MAKE
def test_what_no_rule_touches_passes_as_it_is(make: Any) -> None:
    parts = segment("so it"), segment("is")
    made = make([LANGUAGE, said("so it "), *parts, said("is"), done("so it is", *parts)])
    assert isinstance(detect(made[0]), Transcriptions)
    assert unchanged(made)


@MAKE
def test_segments_are_masked_alone_and_joined(make: Any) -> None:
    source = [segment("a secret"), segment("a sec"), segment("ret"), done("", segment("secret"))]
    assert not left_raw(list(GUARD.wrap_sync(make(source))))
    out = [inner(each) for each in GUARD.wrap_sync(make(source[1:3]))]
    assert out[1]["text"] != "ret"


def test_over_the_wire_the_bytes_may_be_cut_anywhere() -> None:
    body = sse(answer(["a se", "cret, no sec"]), named=True)
    assert in_any_cut(body) == body
    rows = in_any_cut(body, GUARD).decode().splitlines()
    told = [json.loads(row[6:]) for row in rows if row.startswith("data: ")]
    assert joined(told) == "a ######, no sec"


@MAKE
def test_a_block_and_a_stop_end_with_the_text_so_far(make: Any) -> None:
    for word, reason in (("forbidden ", "content_filter"), ("enough ", "stop")):
        stream = GUARD.wrap_sync(make(answer(["so ", word, "unread"])))
        out = list(stream)
        assert joined(out) == inner(out[-1])["text"] == "so "
        assert stream.finish == reason
        again = GUARD.wrap_sync(out)
        assert list(again) == out


@MAKE
def test_a_block_message_is_said_at_the_end(make: Any) -> None:
    policy = "block_message: no\nrules: [{id: b, words: [forbidden], action: block}]"
    out = list(Guard(Policy.parse(policy)).wrap_sync(make(answer(["so ", "forbidden "]))))
    assert joined(out) == "so no"
