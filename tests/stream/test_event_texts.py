"""Events with one string, in no named format: their text is guarded as a text is."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import pairwise
from random import Random
from typing import Any

import anyio
import pytest

from guardstream import Guard, Policy

GUARD = Guard(
    Policy.parse(
        """
rules:
  - {id: codename, words: [bluebird, blue bird], replacement: "[codename]"}
  - {id: key, pattern: 'sk-[a-z0-9]{4,12}', replacement: "*"}
  - {id: fish, words: [redfish], action: block}
"""
    )
)

TEXT = "it is a bluebird, or a blue bird; sk-ab12cd and sk-x so bluebird"

SHAPES: dict[str, Callable[[str, int], dict[str, Any]]] = {
    "content": lambda text, _: {"content": text},
    "delta": lambda text, _: {"delta": text},
    "text": lambda text, _: {"text": text},
    "typed": lambda text, _: {"type": "text", "text": text},
    "named": lambda text, _: {"any": {"name of it": text}, "model": "m-1", "done": False},
    "author": lambda text, _: {"author": "Ann Lee", "id": "m1", "body": text},
    "clock": lambda text, nr: {"created": 1000 + nr // 3, "token": text, "usage": None},
    "ended": lambda text, nr: {"token": text, "finish_reason": "stop" if nr else None},
}


def pieces(text: str, seed: int) -> list[str]:
    random, found = Random(seed), []
    while text:
        size = random.choice([1, 2, 3, 5, 9])
        found.append(text[:size])
        text = text[size:]
    return found


def said(value: Any) -> str:
    """What an event says: its last string that is no mark."""
    if isinstance(value, dict):
        return "".join(said(each) for key, each in value.items() if key not in MARKS)
    return value if isinstance(value, str) else ""


MARKS = ("type", "model", "author", "id", "finish_reason", "kind", "role")


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("seed", range(6))
def test_the_text_is_guarded_as_a_text_is(shape: str, seed: int) -> None:
    make = SHAPES[shape]
    source = [make(text, nr) for nr, text in enumerate(pieces(TEXT, seed))]
    stream = GUARD.wrap_sync(source)
    out = list(stream)
    assert "".join(map(said, out)) == GUARD.check(TEXT).text
    assert stream.result.text == GUARD.check(TEXT).text
    assert [each.rule for each in stream.findings] == [
        each.rule for each in GUARD.check(TEXT).findings
    ]


@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize(
    "frame",
    [
        lambda event: f"data: {json.dumps(event)}\n\n",
        lambda event: f"event: token\ndata: {json.dumps(event)}\n\n",
        lambda event: f"{json.dumps(event)}\n",
    ],
)
def test_it_is_so_in_bytes(frame: Callable[[Any], str], size: int) -> None:
    body = "".join(frame({"type": "text", "text": text}) for text in pieces(TEXT, 1)).encode()
    chunks = [body[at : at + size] for at in range(0, len(body), size)]
    stream = GUARD.wrap_sync(chunks)
    out = b"".join(stream).decode()
    lines = [line.removeprefix("data: ") for line in out.splitlines() if '{"' in line]
    assert "".join(json.loads(line)["text"] for line in lines) == GUARD.check(TEXT).text


def test_a_match_over_two_events_is_masked_whole() -> None:
    assert list(GUARD.wrap_sync([{"delta": "blue"}, {"delta": "bird"}])) == [
        {"delta": "[codename]"}
    ]


def test_no_text_moves_into_an_event_of_somebody_else() -> None:
    room = [{"text": "it is blue"}, {"text": "hello"}]
    assert list(GUARD.wrap_sync(room)) == [{"text": "it is "}, {"text": "blue"}, {"text": "hello"}]
    masked = [{"text": "so bluebird"}, {"text": " hello"}]
    out = list(GUARD.wrap_sync(masked))
    assert out == [{"text": "so "}, {"text": "[codename]"}, {"text": " hello"}]


def test_an_event_all_of_which_was_held_goes_out_whole() -> None:
    first, second = {"id": 7, "at": 1.5, "body": "blue"}, {"id": 7, "at": 2.5, "body": " sky"}
    assert list(GUARD.wrap_sync([first, second])) == [first, second]


def test_texts_of_kinds_authors_and_event_names_are_told_apart() -> None:
    for mark in ("kind", "role", "author"):
        source = [
            {mark: "token", "body": "the blue"},
            {mark: "status", "body": "searching"},
            {mark: "token", "body": "bird sings."},
        ]
        out = list(GUARD.wrap_sync(source))
        assert [each["body"] for each in out] == ["the ", "searching", "[codename] sings."]


def test_an_id_that_is_new_with_every_event_tells_nothing_apart() -> None:
    texts = ["it is ", "blue", "bird and", "bluebird", "x"]
    source = [{"id": f"m{nr}", "text": text} for nr, text in enumerate(texts)]
    out = "".join(each["text"] for each in GUARD.wrap_sync(source))
    assert out == "it is [codename] and[codename]x"  # judged by itself, too


def test_an_id_that_stays_and_changes_is_of_another_text() -> None:
    source = [{"id": "m1", "text": text} for text in ("so", " blue")]
    source += [{"id": "m2", "text": text} for text in ("bird", " so")]
    out = list(GUARD.wrap_sync(source))
    assert "".join(each["text"] for each in out if each["id"] == "m1") == "so blue"
    assert "".join(each["text"] for each in out if each["id"] == "m2") == "bird so"


def test_texts_in_turns_are_judged_at_once() -> None:
    told = [("a1", "blue"), ("b2", "so"), ("a1", "bird"), ("b2", "it"), ("a1", " so")]
    out = list(GUARD.wrap_sync([{"task_id": task, "text": text} for task, text in told]))
    shown = "".join(each["text"] for each in out if each["task_id"] == "a1")
    assert shown == "blue[codename] so"


def test_a_name_that_repeats_is_no_text() -> None:
    guard = Guard(Policy.parse("rules: [{id: mail, pattern: '[a-z]+@corp'}]"))
    source = [{"role_name": "assistant", "n": nr} for nr in range(300)]
    stream = guard.wrap_sync(source)
    assert list(stream) == source
    assert not stream.findings


def test_an_event_that_may_be_the_end_waits_for_the_text_before_it() -> None:
    out = list(GUARD.wrap_sync([{"token": "it is blue"}, {"done": True}]))
    assert out == [{"token": "it is "}, {"token": "blue"}, {"done": True}]


def test_pings_never_wait() -> None:
    source = [{"token": "blue"}, {"type": "ping"}, {"token": "bird"}]
    assert list(GUARD.wrap_sync(source)) == [{"type": "ping"}, {"token": "[codename]"}]


def test_a_text_waits_for_eight_events_at_most() -> None:
    source: list[dict[str, Any]] = [{"token": "blue"}, *({"step": nr} for nr in range(20))]

    def chunks() -> Iterator[dict[str, Any]]:
        for nr, each in enumerate(source):
            if nr == 10:
                assert guarded.stats.chunks_out
            yield each

    guarded = GUARD.wrap_sync(chunks())
    seen = list(guarded)
    assert seen[0] == {"token": "blue"}
    assert sorted(map(str, seen)) == sorted(map(str, source))


def test_a_block_shows_nothing_of_its_match() -> None:
    stream = GUARD.wrap_sync([{"text": "so red"}, {"text": "fish."}, {"text": "more"}])
    assert list(stream) == [{"text": "so "}]
    assert (stream.finish, stream.blocked_by) == ("content_filter", "fish")


def test_rules_of_any_channel_apply() -> None:
    guard = Guard(Policy.parse("rules: [{id: t, words: [owl], channels: [thinking]}]"))
    assert list(guard.wrap_sync([{"thought": "ow"}, {"thought": "l"}])) == [{"thought": "[t]"}]


def test_json_in_a_text_is_read() -> None:
    source = [{"data": {"body": '{"t": "blu\\u0065'}}, {"data": {"body": 'bird"}'}}]
    out = "".join(each["data"]["body"] for each in GUARD.wrap_sync(source))
    assert "bluebird" not in json.loads(out)["t"]


def test_a_known_format_after_such_an_event_is_found() -> None:
    known = {"choices": [{"index": 0, "delta": {"content": "so bluebird!"}}]}
    stream = GUARD.wrap_sync([{"status": "it is blue"}, known])
    out = list(stream)
    assert out[:2] == [{"status": "it is "}, {"status": "blue"}]
    assert out[2]["choices"][0]["delta"]["content"] == "so [codename]!"


def test_cumulative_texts_are_told() -> None:
    whole = "so it is a bluebird that sings here"
    source = [{"answer": whole[:end]} for end in range(4, len(whole) + 1, 3)]
    *_, last = GUARD.wrap_sync([*source, {"answer": whole}])
    assert last == {"answer": GUARD.check(whole).text}


@pytest.mark.anyio
async def test_what_is_held_leaves_in_silence_and_the_rest_of_a_match_is_masked() -> None:
    shown = anyio.Event()

    async def chunks() -> AsyncIterator[dict[str, str]]:
        yield {"status": "Shall I delete blue"}
        with anyio.fail_after(5):
            await shown.wait()
        yield {"status": "bird!"}

    said = ""
    async for each in GUARD.wrap(chunks()):
        said += each["status"]
        if said.endswith("blue"):
            shown.set()
    assert said == "Shall I delete blue[codename]!"


# The settings of unknown text


def test_hold_lets_text_wait_for_the_next_one_at_its_path() -> None:
    source = [{"title": "so it is", "text": "a blue"}, {"title": "or so", "text": "bird!"}]
    out = list(GUARD.wrap_sync(source, unknown="hold"))
    assert "".join(each["text"] for each in out) == "a [codename]!"
    assert "".join(each["title"] for each in out) == "so it isor so"


def test_hold_keeps_no_known_text_waiting() -> None:
    def chunk(text: str, note: str) -> dict[str, Any]:
        return {"choices": [{"index": 0, "delta": {"content": text}}], "note": note}

    source = [chunk("one", "a blue"), chunk("two", "bird so")]
    out = list(GUARD.wrap_sync(source, unknown="hold"))
    assert out[0]["choices"][0]["delta"]["content"] == "one"
    assert "".join(each["note"] for each in out) == "a [codename] so"
    texts = [each["choices"][0]["delta"]["content"] for each in out]
    assert "".join(texts) == "onetwo"


def test_hold_joins_no_marks() -> None:
    guard = Guard(Policy.parse("rules: [{id: mail, pattern: '[a-z]+@corp'}]"))
    source = [{"a": "assistant", "b": "so"} for _ in range(300)]
    assert list(guard.wrap_sync(source, unknown="hold")) == source


def test_drop_leaves_out_what_no_format_names() -> None:
    known = {
        "choices": [{"index": 0, "delta": {"content": "so"}}],
        "note": "it is",
        "n": {"a": "b"},
    }
    (out,) = GUARD.wrap_sync([known], unknown="drop")
    assert out["choices"] == known["choices"]
    assert "it is" not in str(out)
    assert "'b'" not in str(out)
    assert list(GUARD.wrap_sync([{"a": "so it", "b": "is so"}], unknown="drop")) == []
    assert list(GUARD.wrap_sync([{"delta": "so"}], unknown="drop")) == [{"delta": "so"}]


NUMBER = Guard(Policy.parse("rules: [{id: n, pattern: '[0-9]{3}-[0-9]{2}-[0-9]{4}'}]"))


@pytest.mark.parametrize("beside", [{}, {"content": "", "role": "assistant"}])
@pytest.mark.parametrize("cut", range(1, 11))
def test_hold_never_shows_the_whole_of_a_match(beside: dict[str, str], cut: int) -> None:
    number = "123-45-6789"
    source = [
        {"choices": [{"index": 0, "delta": {**beside, "record": piece}}]}
        for piece in (number[:cut], number[cut:])
    ]
    out = list(NUMBER.wrap_sync(source, unknown="hold"))
    said = "".join(choice["delta"].get("record", "") for each in out for choice in each["choices"])
    # A number by itself does not wait; the rest of the match is masked.
    assert said == ("[n]" if cut > 3 else f"{number[:cut]}[n]")


@pytest.mark.parametrize("setting", ["guard", "hold", "drop", "refuse", "pass"])
def test_a_policy_may_say_so(setting: str) -> None:
    assert Policy.parse(f"unknown: {setting}").unknown == setting


def test_nothing_of_a_blocked_match_is_left_of_a_text_that_grows() -> None:
    block = Guard(Policy.parse("rules: [{id: w, words: [bluebird], action: block}]"))
    for grown in (
        ["my own", "my own bluebird", "my own bluebird is"],
        ["a bluebird", "a bluebird so"],
    ):
        out = str([*block.wrap_sync([{"say": each} for each in grown])])
        assert "bluebird" not in out


@pytest.mark.parametrize("size", [1, 3, 8])
@pytest.mark.parametrize("beside", [{}, {"type": "token"}, {"n": 1, "model": "m-1"}])
def test_the_text_so_far_is_one_text_and_leaves_as_the_text_so_far(
    size: int, beside: dict[str, Any]
) -> None:
    guard = Guard(Policy.parse("rules: [{id: w, words: [bluebird], replacement: '[w]'}]"))
    said = "I once saw a bluebird sing in the blue"
    told = [{"say": said[:end], **beside} for end in [*range(size, len(said), size), len(said)]]
    lines = [json.dumps(each).encode() + b"\n" for each in told]
    for out in (
        [*guard.wrap_sync(told)],
        [json.loads(each) for each in b"".join(guard.wrap_sync(lines)).splitlines()],
    ):
        values = [each["say"] for each in out]
        assert all(after.startswith(before) for before, after in pairwise(values))
        assert values[-1] == "I once saw a [w] sing in the blue"
        assert all({**each, **beside} == each for each in out)
