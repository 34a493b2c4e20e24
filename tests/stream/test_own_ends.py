"""A stream ends as its own kind ends: held text leaves before the end event, under its event's
name, and the guard adds no end that its clients do not know."""

from __future__ import annotations

import json
from typing import Any

import pytest

from guardstream import Guard, Policy
from guardstream.errors import PolicyError
from guardstream.framing.sse import Decoder, Event

RULES = "\nrules: [{id: w, words: [bluebird]}, {id: no, words: [forbidden], action: block}]"
FORMAT = "formats: {mine: {text: $.content, copies: [$.full]}}"


def event(data: Any, name: str = "") -> bytes:
    text = data if isinstance(data, str) else json.dumps(data)
    return (f"event: {name}\n" if name else "").encode() + f"data: {text}\n\n".encode()


def through(policy: str, *events: bytes) -> list[tuple[str, Any]]:
    """What comes out, by name; the same whole and byte for byte."""
    whole = b"".join(events)
    outs = [
        b"".join(Guard(Policy.parse(policy + RULES)).wrap_sync(parts))
        for parts in ([whole], [whole[at : at + 1] for at in range(len(whole))])
    ]
    assert outs[0] == outs[1]
    found = [each for each in Decoder().feed(outs[0]) if isinstance(each, Event)]
    return [(each.event, each.data) for each in found]


@pytest.mark.parametrize("policy", ["", FORMAT])
@pytest.mark.parametrize("name", ["complete", "end", "done", "finished"])
@pytest.mark.parametrize("last", [{"full": "the blue"}, {"ok": 1}, "bye"])
@pytest.mark.parametrize("field", ["content", "text"])
def test_held_text_leaves_before_an_event_of_another_name(
    policy: str, name: str, last: Any, field: str
) -> None:
    told = [event({field: "the "}, "token"), event({field: "blue"}, "token"), event(last, name)]
    out = through(policy, *told)
    names = [each for each, _ in out]
    assert names[:2] == ["token", "token"]
    assert {*names[2:]} == {name}
    assert [json.loads(data)[field] for _, data in out[:2]] == ["the ", "blue"]
    if len(out) > 3:  # an event of another kind has text, too, some of which was held
        assert [json.loads(data)["full"] for _, data in out[2:]] == ["the ", "blue"]
    else:
        assert out[-1][1] == (last if isinstance(last, str) else json.dumps(last))


def test_an_event_of_another_name_goes_out_once_the_text_goes_on() -> None:
    told = [event({"content": "the blue"}, "token"), event({"step": 2}, "status"),
            event({"content": " sky, a bluebird."}, "token")]  # fmt: skip
    out = through(FORMAT, *told)
    text = "".join(json.loads(data).get("content", "") for _, data in out)
    assert text == "the blue sky, a [w]."
    assert [name for name, _ in out].count("status") == 1


def test_a_text_without_a_name_gets_none() -> None:
    out = through("", event({"text": "the "}), event({"text": "blue"}), event({}, "complete"))
    assert [name for name, _ in out] == ["message", "message", "complete"]


@pytest.mark.parametrize(
    "told",
    [
        [event("the blue", "token"), event({"message": "ok"}, "complete")],
        [event("the blue"), event({"message": "ok"}, "done")],
    ],
)
def test_a_format_reorders_no_other_stream(told: list[bytes]) -> None:
    assert through(FORMAT, *told) == through("", *told)


def test_a_block_adds_no_foreign_end() -> None:
    told = [event({"content": "a "}), event({"content": "forbidden thing"}), event({"x": 1})]
    assert "[DONE]" not in str(through(FORMAT, *told))
    out = through("formats: {mine: {text: $.content, done: $.over}}", *told)
    assert json.loads(out[-1][1]) == {"over": True}


@pytest.mark.parametrize(
    ("end", "last"),
    [
        ("'[DONE]'", ("message", "[DONE]")),
        ("{event: complete, data: '{\"why\": \"{finish}\"}'}",
         ("complete", '{"why": "content_filter"}')),
    ],
)  # fmt: skip
def test_a_format_may_say_how_it_ends(end: str, last: tuple[str, str]) -> None:
    told = [event({"content": "a "}), event({"content": "forbidden"})]
    assert through(f"formats: {{mine: {{text: $.content, end: {end}}}}}", *told)[-1] == last


def test_one_value_may_end_a_stream_and_have_its_text() -> None:
    policy = "formats: {mine: {text: $.content, copies: [$.full], done: $.full}}"
    out = through(policy, event({"content": "the blue"}), event({"full": "the blue"}))
    assert [json.loads(data) for _, data in out] == [
        {"content": "the "}, {"content": "blue"}, {"full": "the blue"},
    ]  # fmt: skip
    with pytest.raises(PolicyError):
        Policy.parse("formats: {mine: {text: $.a, done: $.a}}")
