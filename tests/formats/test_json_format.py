"""Formats of one's own, described by paths, in Python and in a policy."""

from __future__ import annotations

import json
from itertools import pairwise
from random import Random
from typing import Any

import pytest

from guardstream import AdapterError, Guard, Policy, PolicyError
from guardstream.formats.generic.json_format import JSONFormat
from guardstream.framing.sse import Decoder, Event
from guardstream.jsonpath import steps_of

RULES = """
rules:
  - {id: bird, words: [blue bird], replacement: "*"}
  - {id: fish, words: [red fish], action: block}
"""

MINE = JSONFormat(
    "mine",
    text=["$.token", "$.parts[*].text"],
    thinking="$.think",
    copies="$.full",
    done="$.end",
    harmless="$.kind",
)

FORMATS = """
formats:
  mine:
    text: [$.token, "$.parts[*].text"]
    thinking: $.think
    copies: [$.full]
    done: $.end
    harmless: [$.kind]
"""

GUARD = Guard(Policy.parse(RULES))

DECLARED = Guard(Policy.parse(FORMATS + RULES))


def told(*texts: str, end: bool = True) -> list[dict[str, Any]]:
    chunks: list[dict[str, Any]] = [{"kind": "blue bird", "token": text} for text in texts]
    return [*chunks, {"kind": "blue bird", "end": True}] if end else chunks


def said(chunks: Any) -> str:
    return "".join(chunk.get("token", "") for chunk in chunks)


@pytest.mark.parametrize("guard", [GUARD, DECLARED], ids=["in python", "in the policy"])
def test_a_word_is_masked_in_any_cut(guard: Guard) -> None:
    text = "the blue bird and a blue sea"
    for cut in ([0, 6, 7, len(text)], range(len(text) + 1), [0, len(text)]):
        parts = [text[a:b] for a, b in pairwise(cut)]
        provider = MINE if guard is GUARD else "mine"
        out = list(guard.wrap_sync(told(*parts), format=provider))
        assert said(out) == "the ********* and a blue sea"
        assert out[-1] == {"kind": "blue bird", "end": True}


@pytest.mark.parametrize("tasks", [("a", "b"), (0, 1), (True, False), (None, "None")])
@pytest.mark.parametrize("seed", range(4))
def test_texts_in_turns_are_told_apart_by_a_field(tasks: tuple[Any, Any], seed: int) -> None:
    random = Random(seed)
    rest = ["so it is a blue bird, a blue", "a blue red bird and a blue bird"]
    source: list[Any] = []
    while any(rest):
        at, size = random.randrange(2), random.randrange(1, 4)
        if rest[at]:
            source.append({"task": tasks[at], "note": rest[at][:size]})
            rest[at] = rest[at][size:]
    provider = JSONFormat("turns", text="$.note", by="$.task", done="$.end")
    out = list(GUARD.wrap_sync([*source, {"end": True}], format=provider))
    assert out[-1] == {"end": True}
    texts: dict[str, str] = {repr(task): "" for task in tasks}
    for chunk in out[:-1]:
        texts[repr(chunk["task"])] += chunk["note"]
    assert [*texts.values()] == ["so it is a *********, a blue", "a blue red bird and a *********"]


def test_each_text_has_a_copy_of_its_own() -> None:
    provider = JSONFormat("turns", text="$.note", by="$.task", copies="$.full")
    told = [("a", "blue "), ("b", "so "), ("a", "bird"), ("b", "blue")]
    source = [
        {"task": t, "note": n, "full": "".join(m for u, m in told[: at + 1] if u == t)}
        for at, (t, n) in enumerate(told)
    ]
    assert list(GUARD.wrap_sync(source, format=provider)) == [
        {"task": "b", "note": "so ", "full": "so "},
        {"task": "a", "note": "*********", "full": "*********"},
        {"task": "b", "note": "blue", "full": "so blue"},
    ]


def test_numbers_that_are_equal_tell_nothing_apart() -> None:
    provider = JSONFormat("turns", text="$.note", by="$.task")
    source = [
        {"task": task, "note": note} for task, note in [(1, "blue"), (True, " b"), (1.0, "ird")]
    ]
    assert said_in_turns(GUARD.wrap_sync(source, format=provider)) == "*********"


def test_long_values_tell_texts_apart() -> None:
    provider = JSONFormat("turns", text="$.note", by="$.task")
    told = [("a", "blue "), ("b", "red "), ("a", "bird"), ("b", "sea")]
    source: list[Any] = [{"task": task * 5000, "note": note} for task, note in told]
    out = list(GUARD.wrap_sync(source, format=provider))
    assert said_in_turns(each for each in out if each["task"][0] == "a") == "*********"
    assert said_in_turns(each for each in out if each["task"][0] == "b") == "red sea"


@pytest.mark.parametrize("task", [{"id": 1}, [1], object()])
def test_what_has_parts_tells_no_texts_apart(task: Any) -> None:
    provider = JSONFormat("turns", text="$.note", by="$.task")
    with pytest.raises(AdapterError, match=r"turns: \$.task is no single value"):
        list(GUARD.wrap_sync([{"task": task, "note": "so"}], format=provider))


@pytest.mark.parametrize("task", ["a blue bird", "b", "blue bird"])
def test_held_text_goes_out_where_what_tells_it_apart_is_left_out(task: str) -> None:
    provider = JSONFormat("turns", text="$.note", by="$.task")
    told = [("the blue bird", "a blue"), (task, "so blue"), ("the blue bird", " bird"), (task, "!")]
    source = [{"task": task, "note": note} for task, note in told]
    out = list(GUARD.wrap_sync([*source, {"task": task, "note": " blue"}], format=provider))
    assert sorted(said_in_turns(out)) == sorted("a *********so blue! blue")


def said_in_turns(chunks: Any) -> str:
    return "".join(chunk["note"] for chunk in chunks)


def test_too_many_texts_block() -> None:
    provider = JSONFormat("turns", text="$.note", by="$.task")
    stream = GUARD.wrap_sync([{"task": nr, "note": "so"} for nr in range(5000)], format=provider)
    with pytest.raises(AdapterError, match="more than 4096 texts"):
        list(stream)
    assert list(GUARD.wrap_sync([{"task": 5000, "note": "so"}], format=provider))


@pytest.mark.parametrize(
    "path", ["token", "$", "$.", "$token", "$.a[0]", "$.a..b", "$[*", "$.a b", "$['']"]
)
def test_what_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="is not a path"):
        JSONFormat("x", text=path)
    with pytest.raises(PolicyError, match=r"<policy>:1:\d+: .*path"):
        Policy.parse(f"formats: {{x: {{text: {json.dumps(path)}}}}}")


def test_paths_are_read() -> None:
    assert steps_of("$.a['b c'][*].d") == ["a", "b c", None, "d"]
    assert steps_of("$['[*]'].a") == ["[*]", "a"]


@pytest.mark.parametrize(
    ("paths", "why"),
    [
        (("$.a", "$.a"), "two things"),
        (("$.a", "$.a.b"), "is inside the value at"),
        (("$.a.b", "$.a"), "is inside the value at"),
        (("$.a", "$.a[*]"), "is inside the value at"),
        (("$.a[*].b", "$.a.c"), "expects a list where"),
        (("$.a[*][*]", "$.b"), "list of lists"),
        (("$[*].a", "$.b"), "begins in a list"),
    ],
)
def test_paths_that_do_not_fit_one_another_are_refused(paths: tuple[str, str], why: str) -> None:
    text, thinking = paths
    with pytest.raises(ValueError, match=f"format 'x': .*{why}"):
        JSONFormat("x", text=text, thinking=thinking)
    with pytest.raises(PolicyError, match=rf"<policy>:1:\d+: .*{why}"):
        Policy.parse(f"formats: {{x: {{text: '{text}', thinking: '{thinking}'}}}}")


@pytest.mark.parametrize("by", ["$.tasks[*].id", "$.tasks[*]", "$.parts[*].tasks[*].id"])
def test_what_tells_apart_one_text_is_one_value(by: str) -> None:
    text = ["$.parts[*].note", "$.note"]
    with pytest.raises(ValueError, match=r"several values for the one text at '\$.(parts|note)"):
        JSONFormat("x", text=text, by=by)
    with pytest.raises(PolicyError, match=r"<policy>:1:\d+: .*several values for the one text"):
        Policy.parse(f"formats: {{x: {{text: {text}, by: '{by}'}}}}")


def test_an_empty_path_is_refused() -> None:
    for argument in ("by", "done", "copies"):
        given: Any = {argument: ""}
        with pytest.raises(ValueError, match=r"format 'x': '' is not a path"):
            JSONFormat("x", text="$.text", **given)


@pytest.mark.parametrize("argument", ["text", "thinking", "by", "copies", "done", "harmless"])
@pytest.mark.parametrize("wrong", [3, b"$.a", {"by": 1, 2: 3}, [["$.a"]], object()])
def test_what_is_no_path_is_refused_with_its_argument(argument: str, wrong: Any) -> None:
    given: Any = {"text": "$.text", argument: wrong}
    with pytest.raises(
        TypeError, match=rf"format 'x': {argument}= needs a path such as '\$.token'"
    ):
        JSONFormat("x", **given)


def test_a_name_that_is_taken_is_told_at_once() -> None:
    policy = Policy.parse("version: 1\nformats:\n  mine: {text: $.a}\n  openai_chat: {text: $.a}")
    with pytest.raises(PolicyError, match="<policy>:4:3: the format 'openai_chat' is built in"):
        Guard(policy)


def test_an_unknown_format_names_those_there_are() -> None:
    with pytest.raises(Exception, match=r"no adapter 'yours'.*mine"):
        DECLARED.wrap_sync([], format="yours")


@pytest.mark.parametrize("done", ["", "done: $.finish_reason, "])
def test_text_that_was_held_comes_under_the_name_of_text(done: str) -> None:
    policy = f"formats: {{mine: {{text: $.content, {done}harmless: [$.model]}}}}\n{RULES}"
    guard = Guard(Policy.parse(policy))
    events = [
        b'event: start\ndata: {"model": "m"}\n\n',
        b'event: content\ndata: {"content": "a blue"}\n\n',
        b'event: content\ndata: {"content": " bird"}\n\n',
        b'event: complete\ndata: {"finish_reason": "stop"}\n\n',
    ]
    body = b"".join(guard.wrap_sync(events))
    found = [each for each in Decoder().feed(body) if isinstance(each, Event)]
    said = [each.event for each in found if "content" in json.loads(each.data)]
    assert said == ["content", "content"]
    assert [each.event for each in found[-2:]] == ["content", "complete"]


def test_a_chunk_of_a_class_needs_the_formats_name() -> None:
    class Chunk:
        def __init__(self, token: str) -> None:
            self.token = token

    chunks = [Chunk("a blue"), Chunk(" bird")]
    with pytest.raises(AdapterError, match=r"detected from dicts and records: name one of mine$"):
        DECLARED.wrap_sync(chunks).text()
    assert DECLARED.wrap_sync(chunks, format="mine").text() == "a *********"


@pytest.mark.parametrize("policy", ["", FORMATS], ids=["in python", "in the policy"])
def test_added_chunks_have_what_clients_tell_chunks_apart_by(policy: str) -> None:
    guard = Guard(Policy.parse(policy + RULES))
    provider: Any = "mine" if policy else MINE
    marks = {"type": "delta", "id": "m-1", "event": "token", "role": "assistant"}
    source = [{**marks, "token": "a blue"}, {"type": "usage", "tokens": 3}]
    out = list(guard.wrap_sync(source, format=provider))
    assert out == [{**marks, "token": "a "}, source[1], {**marks, "token": "blue"}]


def test_so_have_the_objects_around_a_text() -> None:
    inner = JSONFormat("inner", text="$.items[*].said.token")

    def chunk(token: str) -> dict[str, Any]:
        said = {"kind": "so", "token": token}
        return {"type": "more", "items": [{"id": "i-1", "said": said}]}

    out = list(GUARD.wrap_sync([chunk("a blue"), {"type": "end"}], format=inner))
    assert out == [chunk("a "), {"type": "end"}, chunk("blue")]


@pytest.mark.parametrize("field", ["type", "id", "event", "kind", "role"])
def test_a_match_in_such_a_field_is_left_out_and_reported(field: str) -> None:
    token = JSONFormat("token", text="$.token")
    source = [{field: "a blue bird", "token": "a blue"}, {field: "so", "token": "!"}]
    stream = GUARD.wrap_sync(source, format=token)
    assert [chunk[field] for chunk in stream] == ["", "so"]
    assert [(found.rule, found.path) for found in stream.findings] == [("bird", f"$.{field}")]
    stream = GUARD.wrap_sync([{field: "red fish", "token": "so"}], format=token)
    assert not said(stream)
    assert stream.finish == "content_filter"


@pytest.mark.parametrize("first", [{"type": "a blue", "token": ""}, {"type": "so", "token": "so"}])
def test_halves_of_a_match_in_such_a_field_are_never_added_again(first: dict[str, Any]) -> None:
    token = JSONFormat("token", text="$.token")
    source = [first, {"type": " bird", "token": "a blue"}, {"type": "end"}]
    out = list(GUARD.wrap_sync(source, format=token))
    types = "".join(chunk["type"] for chunk in out if "type" in chunk)
    assert "blue bird" not in types
    assert said(out).removeprefix("so") == "a blue"


def test_a_path_to_such_a_field_says_what_it_is() -> None:
    event = JSONFormat("event", text="$.event", tool_args="$.type.of.role", harmless="$.kind")
    source = [{"event": "a blue", "kind": "blue bird"}, {"event": " bird", "kind": "blue bird"}]
    out = list(GUARD.wrap_sync(source, format=event))
    assert "".join(chunk["event"] for chunk in out) == "a *********"
    assert {chunk["kind"] for chunk in out} == {"blue bird"}
    arguments = {"type": {"of": {"role": '{"a": "blue bird"}', "id": "x-1"}, "kind": "so"}}
    [out] = GUARD.wrap_sync([arguments], format=event)
    assert out == {"type": {"of": {"role": '{"a": "*********"}', "id": "x-1"}, "kind": "so"}}
