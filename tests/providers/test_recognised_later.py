"""A stream that begins with an application's own events: its format shows later."""

from __future__ import annotations

import json
from typing import Any

import pytest

from guardstream import Guard, Policy
from guardstream.providers.generic.any_json import EVENTS
from tests.providers.chunks import chunk
from tests.providers.laws import GUARD, cuttings, events, in_any_cut, left_raw, lines, unchanged

Event = dict[str, Any]

STARTED: Event = {"status": "started", "type": "run", "conversation": "a chat with a secret"}
TEXT = "it is a secret."
MASKED = "it is a ######."


def openai(pieces: list[str]) -> list[Event]:
    return [*(chunk({"content": piece}) for piece in pieces), chunk(finish="stop")]


def anthropic(pieces: list[str]) -> list[Event]:
    block = {"type": "text", "text": ""}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "content": []}
    return [
        {"type": "message_start", "message": message},
        {"type": "content_block_start", "index": 0, "content_block": block},
        *(
            {
                "type": "content_block_delta",
                "index": 0,
                "delta": {"type": "text_delta", "text": piece},
            }
            for piece in pieces
        ),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}},
        {"type": "message_stop"},
    ]


def ui(pieces: list[str]) -> list[Event]:
    said = [{"type": "text-delta", "id": "t", "delta": piece} for piece in pieces]
    return [{"type": "start"}, {"type": "text-start", "id": "t"}, *said, {"type": "finish"}]


FORMATS = {"openai_chat": openai, "anthropic": anthropic, "ui_messages": ui}


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("before", [1, 3, EVENTS - 2])
def test_what_comes_after_is_guarded_as_if_it_came_first(name: str, before: int) -> None:
    for pieces in cuttings(TEXT):
        source = FORMATS[name](pieces)
        stream = GUARD.wrap_sync([STARTED] * before + source)
        out = list(stream)
        assert not left_raw(out)
        assert out[before:] == list(GUARD.wrap_sync(source))
        assert (stream.result.text, stream.finish) == (MASKED, "stop")
        assert stream.state.flow is not None
        assert stream.state.flow.provider == name


@pytest.mark.parametrize("name", FORMATS)
def test_an_empty_policy_changes_nothing(name: str) -> None:
    source = [STARTED, *FORMATS[name](["so", " be it"])]
    assert unchanged(source)
    for wire in (events(*source), lines(*source)):
        assert in_any_cut(wire) == wire


@pytest.mark.parametrize("name", FORMATS)
def test_bytes_are_guarded_alike_however_they_are_cut(name: str) -> None:
    source = FORMATS[name](list(TEXT))
    first = events({"status": "started"})
    assert in_any_cut(first + events(*source), GUARD) == first + in_any_cut(events(*source), GUARD)


def test_a_block_ends_the_stream_as_its_format_does() -> None:
    wire = events(STARTED, *openai(["it is for", "bidden"]))
    *_, last, done = in_any_cut(wire, GUARD).decode().strip().split("\n\n")
    assert json.loads(last.removeprefix("data: "))["choices"][0]["finish_reason"] == (
        "content_filter"
    )
    assert done == "data: [DONE]"


def test_a_text_that_has_begun_goes_on_by_its_path() -> None:
    """Another reader would not know what came before, and let the rest of a match out."""
    first: Event = {"message": {"content": "a sec"}}
    later: Event = {
        "model": "m-1",
        "message": {"role": "assistant", "content": "ret"},
        "done": False,
    }
    stream = GUARD.wrap_sync([first, later])
    texts = [each["message"]["content"] for each in stream]
    assert "secret" not in "".join(texts)
    assert [finding.rule for finding in stream.findings] == ["word"]


@pytest.mark.parametrize("options", [{"provider": "json"}, {"before": EVENTS}])
def test_json_that_is_asked_for_or_goes_on_stays_json(options: dict[str, Any]) -> None:
    before = options.pop("before", 1)
    stream = GUARD.wrap_sync([STARTED] * before + openai([TEXT]), **options)
    assert not left_raw(list(stream))
    assert stream.state.flow is not None
    assert stream.state.flow.provider == "json"


def test_a_format_of_the_policy_is_found_later_too() -> None:
    formats = "formats: {a: {text: $.say}, b: {text: $.tell}}"
    guard = Guard(Policy.parse(f"{formats}\nrules: [{{id: w, words: [secret], replacement: '#'}}]"))
    source = [{"status": "started"}, *({"tell": piece} for piece in ("a sec", "ret"))]
    stream = guard.wrap_sync(source)
    assert "".join(each.get("tell", "") for each in stream) == "a ######"
    assert stream.result.text == "a ######"


def test_chunks_that_no_format_reads_are_guarded_on() -> None:
    source = [STARTED, ["a secret"], {"more": "a secret"}]
    assert not left_raw(list(GUARD.wrap_sync(source)))


@pytest.mark.parametrize("kind", ["error", "ping"])
def test_an_event_that_many_formats_have_shows_none(kind: str) -> None:
    told = {"type": kind, "error": {"type": "overloaded_error", "message": "later"}}
    source = [STARTED, told, *openai(["a sec", "ret"])]
    stream = GUARD.wrap_sync(source)
    assert not left_raw(list(stream))
    assert (stream.result.text, stream.finish) == ("a ######", "stop")


@pytest.mark.parametrize("kind", ["start", "ping"])
@pytest.mark.parametrize("name", FORMATS)
def test_a_first_event_of_a_kind_alone_may_be_of_any_format(name: str, kind: str) -> None:
    for pieces in cuttings(TEXT):
        source = FORMATS[name](pieces)
        stream = GUARD.wrap_sync([{"type": kind}, *source])
        assert list(stream)[1:] == list(GUARD.wrap_sync(source))
        assert (stream.result.text, stream.finish) == (MASKED, "stop")
    assert unchanged([{"type": kind}, *FORMATS[name]([TEXT])])


def test_what_no_format_knows_leaves_the_first_ones() -> None:
    source = [{"type": "start"}, {"type": "finish", "finishReason": "length"}]
    stream = GUARD.wrap_sync(source, unknown="refuse")
    assert list(stream) == source
    assert stream.finish == "length"
    assert stream.state.flow is not None
    assert stream.state.flow.provider == "ui_messages"
