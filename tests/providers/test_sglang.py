"""SGLang's `/generate`: all of a text so far, or what is new in it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import pytest

from guardstream import Guard, Policy
from guardstream.providers import detect
from tests.providers.changes import leaves, put
from tests.providers.laws import EMPTY, GUARD, cuttings, events, in_any_cut, left_raw, unchanged

TEXT = "a secret, no sec"
MASKED = "a ######, no sec"

Event = dict[str, Any]


def chunk(text: str, ids: Sequence[int], count: int, **more: Any) -> Event:
    told = {
        "id": "f2b1e0c9a7",
        "finish_reason": None,
        "prompt_tokens": 3,
        "weight_version": "default",
        "num_retractions": 0,
        "completion_tokens": count,
        "cached_tokens": 0,
    }
    return {"text": text, "output_ids": list(ids), "meta_info": {**told, **more}}


def over(source: list[Event], reason: Event | None = None) -> list[Event]:
    last = source[-1]
    reason = reason or {"type": "stop", "matched": 2}
    told = {**last["meta_info"], "finish_reason": reason, "e2e_latency": 0.5}
    return [*source[:-1], {**last, "meta_info": told}]


def so_far(pieces: Sequence[str]) -> list[Event]:
    texts = enumerate(accumulate(pieces), 1)
    return over([chunk(text, range(count), count) for count, text in texts])


def new(pieces: Sequence[str]) -> list[Event]:
    return over([chunk(text, [count], count) for count, text in enumerate(pieces, 1)])


def text_of(chunks: Sequence[Event], make: Any) -> str:
    texts = [each["text"] for each in chunks]
    return "".join(texts) if make is new else texts[-1]


@pytest.mark.parametrize("make", [so_far, new])
def test_a_text_is_guarded_whichever_way_it_is_told(make: Any) -> None:
    for pieces in cuttings(TEXT):
        source = make(pieces)
        assert detect(source[0]).name == "sglang"  # type: ignore[attr-defined]
        assert unchanged(source)
        stream = GUARD.wrap_sync(source)
        out = list(stream)
        assert not left_raw(out)
        assert text_of(out, make) == MASKED == stream.result.text
        assert stream.finish == "stop"
        assert out[-1]["meta_info"]["finish_reason"] == {"type": "stop", "matched": 2}
    wire = events(*make(["a sec", "ret, no", " sec"])) + b"data: [DONE]\n\n"
    assert in_any_cut(wire) == wire
    assert in_any_cut(wire, GUARD).endswith(b"data: [DONE]\n\n")


def test_pieces_that_repeat_are_new_where_the_tokens_say_so() -> None:
    source = new(["sec", "secret", "s"])
    out = list(GUARD.wrap_sync(source))
    assert text_of(out, new) == "secsecrets"
    masked = list(GUARD.wrap_sync(new(["se", "se", " secret"])))
    assert text_of(masked, new) == "sese ######"


@pytest.mark.parametrize("make", [so_far, new])
def test_nothing_waits_once_the_tokens_say_how_a_text_is_told(make: Any) -> None:
    stream = GUARD.wrap_sync(make(["a sec", "r", "so", " on"]))
    next(stream)
    assert text_of([next(stream)], so_far).endswith("secrso")


@pytest.mark.parametrize("make", [so_far, new])
def test_a_block_ends_the_text(make: Any) -> None:
    stream = GUARD.wrap_sync(make(["all for", "bidden ", "fruit"]))
    out = list(stream)
    assert text_of(out, make) == "all "
    assert out[-1]["meta_info"]["finish_reason"] == {"type": "content_filter"}
    assert stream.finish == "content_filter"
    wire = events(*make(["all for", "bidden ", "fruit"])) + b"data: [DONE]\n\n"
    assert in_any_cut(wire, GUARD).endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ({"type": "length", "length": 8}, "length"),
        ({"type": "stop", "matched": "\nUser:"}, "stop"),
        ({"type": "abort", "message": "a secret", "status_code": 400}, "error"),
    ],
)
def test_the_reason_is_the_streams(reason: Event, finish: str) -> None:
    stream = GUARD.wrap_sync(over([chunk("so", [1], 1), chunk("so it", [1, 2], 2)], reason))
    assert not left_raw(list(stream))
    assert stream.finish == finish


@pytest.mark.parametrize("first", ["sec", "se", "a sec", "so"])
def test_a_sample_that_has_ended_is_not_told_again(first: str) -> None:
    short = [{**each, "index": 0} for each in new([first])]
    long = [{**each, "index": 1} for each in new(["so", " a sec", "ret"])]
    for source in ([*short, *long], [long[0], *short, *long[1:]]):
        out = list(GUARD.wrap_sync(source))
        assert text_of([each for each in out if each["index"] == 0], new) == first
        assert text_of([each for each in out if each["index"] == 1], new) == "so a ######"


def test_samples_are_choices() -> None:
    told: list[Event] = []
    for text in accumulate(["a sec", "ret"]):
        told += [{**chunk(text, [], 0), "index": index} for index in (0, 1)]
    told += [{**over([chunk("a secret", [], 0)])[0], "index": index} for index in (0, 1)]
    assert unchanged(told)
    out = list(GUARD.wrap_sync(told))
    assert not left_raw(out)
    last = {each["index"]: each["text"] for each in out}
    assert last == {0: "a ######", 1: "a ######"}


def test_tokens_go_where_the_text_changed() -> None:
    tokens = [[-0.1, 1, "a "], [-0.2, 2, "secret"]]
    source = [
        chunk("a ", [1], 1, output_token_logprobs=tokens[:1]),
        chunk("a secret", [1, 2], 2, output_token_logprobs=tokens),
    ]
    assert unchanged(over(source))
    out = list(GUARD.wrap_sync(over(source)))
    assert not left_raw(out)
    assert out[0] == source[0]
    assert all(not each["output_ids"] for each in out[1:])


def test_no_secret_in_place_of_any_value_passes() -> None:
    guard = Guard(Policy.parse("rules: [{id: word, pattern: secret}]"))
    source = over([chunk("so", [1], 1), chunk("so it", [1, 2], 2)])
    source.append({"error": {"message": "no", "type": "invalid_request_error", "code": 400}})
    for place, event in enumerate(source):
        for way in leaves(event):
            changed = [*source[:place], put(event, way, "a secret"), *source[place + 1 :]]
            assert not left_raw(list(guard.wrap_sync(changed, provider="sglang"))), way


def test_an_error_ends_the_stream() -> None:
    source = [chunk("a sec", [1], 1), {"error": {"message": "a secret"}}]
    stream = GUARD.wrap_sync(source)
    assert not left_raw(list(stream))
    assert stream.finish == "error"
    assert list(EMPTY.wrap_sync(source)) == source
