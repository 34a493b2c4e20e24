"""Text in fields and events that no adapter knows: guarded at once, refused, or let through."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from random import Random
from types import MappingProxyType, SimpleNamespace
from typing import Any, ClassVar, NamedTuple
from uuid import UUID

import pytest
from pydantic import BaseModel

from guardstream import AdapterError, Guard, Policy, PolicyError
from guardstream.events import Event, Finish, Text
from guardstream.providers.adapter import Piece, Slot
from guardstream.providers.spec import META, Leaf, Spec, SpecAdapter
from guardstream.providers.toolkit import paths
from guardstream.stream.flows import unknown
from guardstream.stream.flows.checks import Asides, CachedCheck, Names
from guardstream.stream.flows.recurring import Tail
from guardstream.stream.flows.told_apart import ToldApart
from guardstream.stream.flows.unknown import UnknownTexts
from tests.providers.chunks import call, chunk, model
from tests.support.effort import lines_executed
from tests.support.optional import optional

AIMessageChunk = optional("langchain_core.messages", "AIMessageChunk")
ChatCompletionChunk = optional("openai.types.chat", "ChatCompletionChunk")

GUARD = Guard(
    Policy.parse(
        """
rules:
  - {id: bird, words: [blue bird], replacement: "*"}
  - {id: fish, words: [red fish], action: block}
  - {id: thought, words: [grey owl], channels: [thinking]}
  - {id: seen, words: [white crow], action: monitor}
"""
    )
)

FORMATS: dict[str, dict[str, Any]] = {
    "openai_chat": {"choices": [{"index": 0, "delta": {"content": "so "}}]},
    "openai_completions": {"object": "text_completion", "choices": [{"index": 0, "text": "so "}]},
    "openai_responses": {
        "type": "response.output_text.delta",
        **{"delta": "so ", "item_id": "i", "output_index": 0, "content_index": 0},
    },
    "anthropic": {
        "type": "content_block_delta",
        "index": 0,
        "delta": {"type": "text_delta", "text": "so "},
    },
    "gemini": {"candidates": [{"content": {"parts": [{"text": "so "}]}}]},
    "ollama": {"message": {"content": "so "}, "done": False},
    "cohere": {
        "type": "content-delta",
        "index": 0,
        "delta": {"message": {"content": {"text": "so "}}},
    },
    "bedrock": {"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"text": "so "}}},
    "watsonx": {"results": [{"generated_text": "so ", "stop_reason": "not_finished"}]},
    "json": {"some": "so "},
}


class Loose(BaseModel, extra="allow"):
    """A model that takes fields of any name."""


def with_text(name: str, *values: Any) -> list[dict[str, Any]]:
    """Chunks of a format, each with a value in a field that it does not have."""
    return [{**FORMATS[name], "dreams": value} for value in values]


@pytest.mark.parametrize("name", FORMATS)
def test_unknown_text_is_masked_in_its_chunk(name: str) -> None:
    stream = GUARD.wrap_sync(with_text(name, "a blue bird!", {"deep": ["a blue bird"]}))
    out = list(stream)
    assert [each["dreams"] for each in out] == ["a *********!", {"deep": ["a *********"]}]
    assert [found.path for found in stream.findings] == ["$.dreams", "$.dreams.deep[*]"]
    assert stream.finish in ("stop", "incomplete")  # the chunks say nothing of an end


@pytest.mark.parametrize("name", FORMATS)
def test_of_a_match_across_chunks_the_end_is_masked(name: str) -> None:
    stream = GUARD.wrap_sync(with_text(name, "a blue ", "bird!", "so"))
    assert [each["dreams"] for each in stream] == ["a blue ", "[bird]", "so"]


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(
    ("values", "shown", "rules"),
    [
        (("a blue ", "bird, a red fish"), ["a blue ", "[bird]"], ["bird", "fish"]),
        (("a blue ", "bird, a white crow"), ["a blue ", "[bird]"], ["bird", "seen"]),
        (("a red ", "fish, a red fish"), ["a red ", ""], ["fish"]),
        (("a white ", "crow, a blue bird"), ["a white ", "crow, a *********"], ["seen", "bird"]),
        (("a white ", "crow, a red fish"), ["a white ", "crow, a "], ["seen", "fish"]),
    ],
)
def test_a_match_across_chunks_and_one_after_it_are_both_found(
    name: str, values: tuple[str, ...], shown: list[str], rules: list[str]
) -> None:
    stream = GUARD.wrap_sync(with_text(name, *values))
    assert [each.get("dreams", "") for each in stream][: len(shown)] == shown
    assert [found.rule for found in stream.findings] == rules


def test_a_monitored_part_of_a_name_does_not_hide_what_its_pieces_say() -> None:
    def check(text: str) -> list[Event]:
        session = GUARD.session()
        events = [*session.feed(text), *session.finish()]
        return [each for each in events if each != Finish("stop")]

    names = Names(check, 256)
    for said in ("red ", "fish white crow"):
        events = names.judge("$.name", said)
        names.end_chunk(over=False)
    assert events[-1] == Finish("content_filter")


@dataclass
class Message:
    type: int
    data: str


def test_a_block_leaves_no_empty_string_in_place_of_json_or_a_kind() -> None:
    for made in (
        lambda text: Message(1, text),
        lambda text: {"role": "assistant", "said": text},
    ):
        first = made('{"say": "so"}')
        for say in ("a red fish", "red fish"):
            stream = GUARD.wrap_sync([first, made(json.dumps({"say": say})), first])
            assert list(stream) == [first]
            assert stream.finish == "content_filter"
    kind = [{"say": "so ", "type": "word"}, {"say": "red fish", "type": "word"}]
    assert list(GUARD.wrap_sync(kind, provider="json")) == kind[:1]
    text, beside = [{"say": "red fish"}], [{"beside": "so", "say": '["red fish"]'}]
    assert list(GUARD.wrap_sync(text, provider="json")) == []
    assert list(GUARD.wrap_sync(beside, provider="json")) == [{"beside": "so", "say": ""}]


class Echoing(SpecAdapter):
    """An adapter that makes chunks with the ids of earlier ones as they came in."""

    name = "echoing"
    spec: ClassVar[Spec] = {"id": META, "text": Leaf("delta", "text", "text")}

    def extra(self, chunk: Any, *_: Any) -> list[Any]:
        return [chunk]

    def end(self, chunk: Any, *_: Any) -> list[Any]:
        return [chunk]


@dataclass
class Told:
    """A record that names its kind last."""

    say: str
    type: str


@pytest.mark.parametrize("made", [Told, lambda say, kind: {"say": say, "type": kind}])
def test_a_record_that_a_block_cuts_keeps_its_kind_if_no_rule_changes_that(made: Any) -> None:
    cases = [("so a red fish!", "word", "word"), ("so a red fish!", "a red fish", ""),
             ("so a red fish!", "two words", "")]  # fmt: skip
    for say, kind, left in cases:
        *_, last = GUARD.wrap_sync([made("so ", "word"), made(say, kind)], provider="json")
        assert last == made("so a ", left)
    *_, last = GUARD.wrap_sync([made("so", "red "), made("a red fish", "fish")], provider="json")
    assert last == made("a ", "")


def test_no_adapter_can_add_a_chunk_with_an_id_that_a_rule_would_change() -> None:
    adapter = Echoing()
    adapter.judge_marks(lambda _steps, mark: "blue bird" not in mark)
    for make in (adapter.extra, adapter.end):
        assert make({"id": "the blue bird", "text": "so"}) == [{"id": "", "text": "so"}]
        assert make({"id": "a crow", "text": "so"}) == [{"id": "a crow", "text": "so"}]


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("values", [("a red fish",), ("a red ", "fish")])
def test_a_block_ends_the_stream(name: str, values: tuple[str, ...]) -> None:
    stream = GUARD.wrap_sync(with_text(name, *values, "unread"))
    assert "fish" not in str(list(stream))
    assert (stream.finish, stream.blocked_by) == ("content_filter", "fish")


@pytest.mark.parametrize("name", FORMATS)
def test_rules_for_any_channel_apply(name: str) -> None:
    stream = GUARD.wrap_sync(with_text(name, "a grey owl", "a white ", "crow"))
    assert [each["dreams"] for each in stream] == ["a [thought]", "a white ", "crow"]
    assert [found.rule for found in stream.findings] == ["thought", "seen"]


@pytest.mark.parametrize("name", sorted(FORMATS.keys() - {"json"}))
def test_an_unknown_event_is_guarded(name: str) -> None:
    event = {"type": "dream.delta", "delta": "a blue bird", "choices": 5, "n": None}
    out = list(GUARD.wrap_sync([FORMATS[name], event], provider=name))
    assert out[1] == {**event, "delta": "a *********"}


@pytest.mark.parametrize("name", FORMATS)
def test_what_was_masked_may_be_over(name: str) -> None:
    stream = GUARD.wrap_sync(with_text(name, "a blue bird", "blue b", "ird"))
    assert [each["dreams"] for each in stream] == ["a *********", "blue b", "[bird]"]


def test_what_was_masked_may_go_on() -> None:
    guard = Guard(Policy.parse("rules: [{id: key, pattern: 'key=[a-z]{4,}'}]"))
    stream = guard.wrap_sync(with_text("openai_chat", "key=abcd", "efgh", "ijkl. "))
    assert [each["dreams"] for each in stream] == ["[key]", "[key]", "[key]"]


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(
    ("values", "shown"),
    [
        (('{"t": "a blue "}', '{"t": "bird!"}'), ('{"t": "a blue "}', '{"t": "[bird]"}')),
        ((r'["a blu\u0065 bird", 1.50]',), ('["a *********", 1.50]',)),
        ((r'{"a": {"b c": "\"blue\u0020bird\""} }',), (r'{"a": {"b c": "\"*********\""} }',)),
        ((r'{"blue\tb": 1, "blue b\u0069rd": 2}',), (r'{"blue\tb": 1, "*********": 2}',)),
        ((r'["{\"t\": \"blue b\\u0069rd\"}"]',), (r'["{\"t\": \"*********\"}"]',)),
        ((r'{"a": "blue b\u0069rd", "a": 0}',), ('{"a": "*********", "a": 0}',)),
        ((r'[not JSON: "blue b\u0069rd"]',), (r'[not JSON: "blue b\u0069rd"]',)),
    ],
)
def test_strings_in_a_value_that_is_json_are_judged(
    name: str, values: tuple[str, ...], shown: tuple[str, ...]
) -> None:
    stream = GUARD.wrap_sync(with_text(name, *values))
    assert tuple(each["dreams"] for each in stream) == shown
    assert {(found.rule, found.path) for found in stream.findings} <= {("bird", "$.dreams")}


@pytest.mark.parametrize("name", FORMATS)
def test_a_string_in_a_value_that_is_json_blocks(name: str) -> None:
    stream = GUARD.wrap_sync(with_text(name, '{"t": "a red f"}', '{"t": "ish", "u": "so"}', "so"))
    assert [each.get("dreams", "") for each in stream][:2] == ['{"t": "a red f"}', ""]
    assert (stream.finish, stream.blocked_by) == ("content_filter", "fish")


def test_json_that_is_nested_too_deep_to_be_read_is_judged() -> None:
    deep = 5_000 * "[" + r'"blue b\u0069rd"' + 5_000 * "]"
    (shown,) = GUARD.wrap_sync(with_text("openai_chat", deep))
    assert shown["dreams"] == deep.replace(r"blue b\u0069rd", "*********")


def test_names_that_recur_in_json_are_no_text() -> None:
    guard = Guard(Policy.parse("rules: [{id: key, pattern: '[a-z0-9]{40,}'}]"))
    values = ['{"role": "assistant", "kinds": ["token", "token"]}'] * 100
    assert [each["note"] for each in guard.wrap_sync([{"note": v} for v in values])] == values
    parts = [f'{{"key": "{part}"}}' for part in ("ab12", "ab12" * 8, "cdefgh")]
    out = [each["note"] for each in guard.wrap_sync([{"note": v} for v in parts])]
    assert out == [*parts[:2], '{"key": "[key]"}']


def test_json_that_is_nested_costs_what_its_text_does() -> None:
    def lines(depth: int) -> int:
        nested = depth * '{"a": ' + '"blue bird"' + depth * "}"
        return lines_executed(lambda: list(GUARD.wrap_sync(with_text("openai_chat", nested))))

    assert lines(800) < 3 * lines(400)


@pytest.mark.parametrize("rest", [5_001 * "]" + ', "so"', r'"\x"', '"so'])
def test_what_nests_too_deep_and_is_no_json_passes(rest: str) -> None:
    deep = 5_000 * "[" + rest
    (shown,) = GUARD.wrap_sync(with_text("openai_chat", deep))
    assert shown["dreams"] == deep


def test_half_a_surrogate_pair_stays_an_escape_beside_a_mask() -> None:
    value = '{"é": "\\ud800 blue b\\u0069rd"}'
    frame = f"data: {json.dumps({**FORMATS['openai_chat'], 'dreams': value})}\n\n".encode()
    (shown,) = [part for part in GUARD.wrap_sync([frame]) if b"dreams" in part]
    dreams = json.loads(shown.removeprefix(b"data: "))["dreams"]
    assert json.loads(dreams) == {"é": "\ud800 *********"}


def test_json_of_very_many_keys_is_guarded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unknown, "PATHS", 8)
    value = json.dumps({f"key{number}": "a" for number in range(30)} | {"z": "blue bird"})
    (shown,) = GUARD.wrap_sync(with_text("openai_chat", value))
    assert shown["dreams"] == value.replace("blue bird", "*********")


def test_what_a_seen_string_in_json_is_counts_once() -> None:
    stream = GUARD.wrap_sync(with_text("openai_chat", '{"t": "white crow"}'))
    assert [each["dreams"] for each in stream] == ['{"t": "white crow"}']
    assert [found.rule for found in stream.findings] == ["seen"]


def test_keys_are_guarded_too() -> None:
    chunks = with_text("openai_chat", {"a blue bird": {"blue bird": 1}})
    stream = GUARD.wrap_sync(chunks)
    assert next(stream)["dreams"] == {"a *********": {"*********": 1}}
    assert "bird" not in str([found.path for found in stream.findings])
    clash = {"blue bird": 1, "Blue Bird": [{"blue bird": "x"}], "*********": 3, "b": 4}
    out = next(iter(GUARD.wrap_sync(with_text("openai_chat", clash))))["dreams"]
    told = {"********* 2": 1, "********* 3": [{"*********": "x"}], "*********": 3, "b": 4}
    assert list(out.items()) == list(told.items())


def test_an_empty_key_stays_where_another_one_is_changed() -> None:
    clash = {"blue bird": 1, "": {"x": 2}}
    out = next(iter(GUARD.wrap_sync(with_text("openai_chat", clash))))["dreams"]
    assert out == {"*********": 1, "": {"x": 2}}


def test_many_changed_keys_and_values_cost_what_a_few_do_each() -> None:
    def cost(count: int) -> int:
        dreams = {f"blue bird {place}": "blue bird" for place in range(count)}
        chunks = with_text("openai_chat", dreams)
        return lines_executed(lambda: list(GUARD.wrap_sync(chunks)))

    cost(10)  # what is made once
    assert cost(800) < 5 * cost(200)


@pytest.mark.parametrize("place", ["chunk", "choice", "delta", "usage", "inside"])
def test_names_that_a_model_does_not_declare_are_guarded_too(place: str) -> None:
    def made(**named: Any) -> Any:
        given = chunk({"content": "so "})
        choice = given["choices"][0]
        given["usage"] = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
        inside = choice["delta"]["made_up"] = Loose(given="x")
        within = {"chunk": given, "choice": choice, "delta": choice["delta"]}
        if place == "inside":
            choice["delta"]["made_up"] = inside.model_copy(update=named)
        else:
            (given["usage"] if place == "usage" else within[place]).update(named)
        return model(given)

    (out,) = GUARD.wrap_sync([made(**{"a blue bird": 1, "other": 2})])
    assert out == made(**{"a *********": 1, "other": 2})
    assert type(out) is ChatCompletionChunk
    (out,) = GUARD.wrap_sync([made(**{"a blue bird": 1, "a *********": 2})])
    assert out == made(**{"a ********* 2": 1, "a *********": 2})
    stream = GUARD.wrap_sync([made(**{"red fish": 1})])
    list(stream)
    assert stream.blocked_by == "fish"


def test_a_value_that_grows_is_judged_as_it_stands() -> None:
    values = ("a blue", "a blue bird", "a blue bird sings")
    out = [each["dreams"] for each in GUARD.wrap_sync(with_text("openai_chat", *values))]
    assert out == ["a blue", "a *********", "a ********* sings"]


@pytest.mark.parametrize(
    "said", ["birds on a blue bird on a blue", "bird blue bird blue bird blue"]
)
def test_text_that_repeats_itself_does_not_grow(said: str) -> None:
    size = len(said) // 2 + 1
    for values in (
        [said[:size], said[size:]],
        [said[size:], said[size:] + " and", said],
        *([said[at : at + step] for at in range(0, len(said), step)] for step in (8, 9, 10, 15)),
    ):
        out = [each["dreams"] for each in GUARD.wrap_sync(with_text("openai_chat", *values))]
        assert "blue bird" not in "".join(out)


def test_bytes_are_guarded_as_text() -> None:
    values = (b"a blue bird", b"\xff\xfe blue bird", b"\xff\x00")
    out = [each["dreams"] for each in GUARD.wrap_sync(with_text("openai_chat", *values))]
    assert out == [b"a *********", b"\xff\xfe *********", b"\xff\x00"]


def test_bytes_in_place_of_a_mark_and_in_what_spells_out_a_text_are_guarded_too() -> None:
    said: dict[str, Any] = {"choices": [{"index": 0, "delta": {"content": "so "}}]}
    (out,) = GUARD.wrap_sync([said | {"id": b"a blue bird", "model": b"\xff\x00", "object": b"a1"}])
    assert (out["id"], out["model"], out["object"]) == (b"a *********", b"\xff\x00", b"a1")
    said["choices"][0]["logprobs"] = {"content": [{"token": "so ", "raw": b"blue bird"}]}
    (out,) = GUARD.wrap_sync([said])
    assert out["choices"][0]["logprobs"] is None


def test_many_paths_are_guarded() -> None:
    whole = {"body": {f"field{n}": {"text": "a blue bird"} for n in range(1000)}}
    (out,) = GUARD.wrap_sync([whole], provider="json")
    assert {each["text"] for each in out["body"].values()} == {"a *********"}


def test_too_many_paths_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unknown, "PATHS", 256)
    chunks = [{**FORMATS["openai_chat"], f"field{n}": "x"} for n in range(300)]
    stream = GUARD.wrap_sync(chunks)
    with pytest.raises(AdapterError, match="256 paths"):
        list(stream)
    assert stream.finish == "error"


def test_refusing_names_every_path_in_one_order() -> None:
    chunks = [{**FORMATS["openai_chat"], "z": ["a", "b"], "a": "x", "m": 5, "n": None}]
    with pytest.raises(AdapterError, match=r"text at \$\.a, \$\.z\[\*\] is not known") as raised:
        list(GUARD.wrap_sync(chunks, unknown="refuse"))
    assert "{pass: ['$.a']}" in str(raised.value)


def test_named_paths_pass_and_the_rest_is_guarded() -> None:
    policy = """
unknown: {pass: ["$.dreams", "$.choices[*].note"]}
rules: [{id: bird, words: [blue bird], replacement: "*"}]
"""
    chunks = with_text("openai_chat", "blue bird")
    chunks[0] = {**chunks[0], "other": "blue bird"}
    chunks[0]["choices"] = [{**chunks[0]["choices"][0], "note": "blue bird"}]
    (out,) = Guard(Policy.parse(policy)).wrap_sync(chunks)
    assert out == {**chunks[0], "other": "*********"}


def test_a_shadow_changes_nothing_and_tells() -> None:
    policy = "mode: shadow\nrules: [{id: bird, words: [blue bird]}]"
    chunks = with_text("openai_chat", "a blue bird", "a blue ", "bird")
    stream = Guard(Policy.parse(policy)).wrap_sync(chunks)
    assert list(stream) == chunks
    assert [found.rule for found in stream.findings] == ["bird", "bird"]


def test_unknown_text_is_not_lost_where_text_is_held() -> None:
    chunks = [
        {**chunk({"content": "the blue "}), "dreams": "one"},
        {**chunk({"content": "sea"}), "dreams": "two"},
    ]
    out = list(GUARD.wrap_sync(chunks))
    assert [each.get("dreams") for each in out][:2] == ["one", "two"]
    assert all(each["choices"] for each in out)


def test_a_tools_name_that_matches_blocks() -> None:
    chunks = [chunk(call(0, "{}", id="call_1", name="red fish"))]
    stream = GUARD.wrap_sync(chunks)
    out = list(stream)
    assert "fish" not in str(out)
    assert (stream.finish, stream.blocked_by) == ("content_filter", "fish")
    masked = GUARD.wrap_sync([chunk(call(0, "{}", id="call_1", name="blue_bird blue bird"))])
    assert "bird" not in str(list(masked))
    assert masked.blocked_by == "bird"


def test_a_call_with_an_empty_id_is_blocked_by_its_arguments() -> None:
    said = call(0, '{"say": "a red fish"}', id="", name="find")
    stream = GUARD.wrap_sync([chunk(said, finish="stop")])
    assert "fish" not in str(list(stream))
    assert (stream.finish, stream.blocked_by) == ("content_filter", "fish")


def test_ids_that_look_like_ids_pass() -> None:
    guard = Guard(Policy.parse("rules: [{id: digits, pattern: '[0-9]{4}'}]"))
    chunks = [chunk(call(0, "{}", id="call_12345678", name="find")), chunk(finish="tool_calls")]
    assert list(guard.wrap_sync(chunks)) == chunks
    spoken = [chunk(call(0, "{}", id="the year 1984", name="find"))]
    assert guard.wrap_sync(spoken).text() == ""
    stream = guard.wrap_sync(spoken)
    list(stream)
    assert stream.blocked_by == "digits"


@pytest.mark.parametrize("action", ["block", "mask"])
@pytest.mark.parametrize(
    "values",
    [
        [*"letter"],
        ["let", "ter"],
        ["letter le", "letter letter"],
    ],
)
def test_values_that_repeat_one_another_are_joined_too(action: str, values: list[str]) -> None:
    guard = Guard(Policy.parse(f"rules: [{{id: w, words: [letter], action: {action}}}]"))
    stream = guard.wrap_sync(with_text("openai_chat", *values))
    out = list(stream)
    assert "letter" not in "".join(str(each.get("dreams", "")) for each in out)
    assert stream.findings


def test_a_number_in_equal_parts_is_found() -> None:
    guard = Guard(Policy.parse("rules: [{id: card, pattern: '[0-9]{4}( [0-9]{4}){3}'}]"))
    values = ("4111", " 1111", " 1111", " 1111")
    out = [each["dreams"] for each in guard.wrap_sync(with_text("openai_chat", *values))]
    assert out == ["4111", " 1111", " 1111", "[card]"]


NAMED: dict[str, list[dict[str, Any]]] = {
    "anthropic": [
        {
            "type": "content_block_start",
            "index": 0,
            "content_block": {"type": "tool_use", "id": "t", "name": "red fish", "input": {}},
        }
    ],
    "gemini": [{"candidates": [{"content": {"parts": [{"functionCall": {"name": "red fish"}}]}}]}],
    "ollama": [
        {
            "message": {"tool_calls": [{"function": {"name": "red fish", "arguments": {}}}]},
            "done": False,
        }
    ],
    "openai_responses": [
        {
            "type": "response.output_item.added",
            "output_index": 0,
            "item": {"id": "f", "type": "function_call", "arguments": "", "name": "red fish"},
        }
    ],
    "bedrock": [
        {"contentBlockStart": {"start": {"toolUse": {"toolUseId": "t", "name": "red fish"}}}}
    ],
    "openai_chat": [chunk(call(0, "{}", id="call_1", name="red fish"))],
}


@pytest.mark.parametrize("name", NAMED)
def test_a_tools_name_blocks_in_every_format(name: str) -> None:
    stream = GUARD.wrap_sync(NAMED[name], provider=name)
    assert "fish" not in str(list(stream))
    assert stream.blocked_by == "fish"


def test_a_name_with_a_digit_is_no_id() -> None:
    guard = Guard(Policy.parse("rules: [{id: agent, words: [agent007]}]"))
    stream = guard.wrap_sync([chunk(call(0, "{}", id="call_1", name="agent007"))])
    list(stream)
    assert stream.blocked_by == "agent"


def test_known_text_in_another_shape_is_joined() -> None:
    parts = [chunk({"reasoning": [{"type": "text", "text": part}]}) for part in ("blue ", "bird")]
    out = list(GUARD.wrap_sync(parts))
    assert out[1]["choices"][0]["delta"]["reasoning"][0]["text"] == "[bird]"


@pytest.mark.parametrize("value", [{"type": "novel", "text": "a red fish"}, "a red fish"])
def test_a_block_in_an_unknown_part_ends_well(value: Any) -> None:
    stream = GUARD.wrap_sync([chunk({"content": [value]}), chunk({"content": "unread"})])
    out = list(stream)
    assert "fish" not in str(out)
    assert out[-1]["choices"][0]["finish_reason"] == "content_filter"


class Colour(Enum):
    """A constant, which is not text."""

    RED = "red fish"


def test_odd_values_and_keys_pass_or_are_guarded() -> None:
    values: list[Any] = [Colour.RED, {None: "x"}, {(1, 2): "x"}, {1: 2}]
    chunks = with_text("openai_chat", *values)
    assert list(GUARD.wrap_sync(chunks)) == chunks
    (masked,) = GUARD.wrap_sync(with_text("json", {1: "blue bird"}))
    assert masked["dreams"] == {1: "*********"}
    named = chunk({"tool_calls": [{"index": 0, "function": {"name": {"t": "blue bird"}}}]})
    (out,) = GUARD.wrap_sync([named])
    assert "bird" not in str(out)


class Slotted:
    """An object without a `__dict__`."""

    __slots__ = ("said",)

    def __init__(self, said: str) -> None:
        self.said = said


@dataclass(frozen=True, slots=True)
class Frozen:
    """An object that cannot be changed."""

    said: str


class Pair(NamedTuple):
    said: str
    count: int


@pytest.mark.parametrize(
    ("value", "masked"),
    [
        (bytearray(b"a blue bird"), bytearray(b"a *********")),
        ({"a blue bird"}, {"a *********"}),
        (frozenset({"a blue bird"}), frozenset({"a *********"})),
        (("a blue bird", 5), ("a *********", 5)),
        (deque(["a blue bird"]), deque(["a *********"])),
        (Pair("a blue bird", 5), Pair("a *********", 5)),
        (MappingProxyType({"a": "blue bird"}), {"a": "*********"}),
        (Frozen("a blue bird"), Frozen("a *********")),
    ],
)
def test_values_of_any_type_are_guarded(value: Any, masked: Any) -> None:
    (out,) = GUARD.wrap_sync(with_text("openai_chat", value))
    assert out["dreams"] == masked
    assert type(out["dreams"]) is type(masked)


def test_objects_with_slots_are_guarded_and_not_changed() -> None:
    value = Slotted("a blue bird")
    (out,) = GUARD.wrap_sync(with_text("openai_chat", value))
    assert (out["dreams"].said, value.said) == ("a *********", "a blue bird")


@pytest.mark.parametrize("value", [iter(["a blue bird"]), {("a blue bird",): 1}, {b"blue bird": 1}])
def test_what_cannot_be_looked_into_ends_the_stream(value: Any) -> None:
    stream = GUARD.wrap_sync(with_text("openai_chat", value))
    with pytest.raises(AdapterError, match=r"at \$\.dreams cannot be read: it is a '"):
        next(stream)
    assert stream.finish == "error"


def test_without_rules_any_number_of_paths_passes() -> None:
    chunks = [{**FORMATS["openai_chat"], f"field{n}": "x"} for n in range(300)]
    assert list(Guard(Policy.parse("version: 1")).wrap_sync(chunks)) == chunks


def test_a_tools_name_in_parts_blocks_too() -> None:
    parts = [call(0, "", id="call_1", name="red "), call(0, "{}", name="fish")]
    stream = GUARD.wrap_sync([chunk(each) for each in parts])
    assert "fish" not in str(list(stream))
    assert stream.blocked_by == "fish"
    two = [call(0, "{}", name="red "), call(1, "{}", name="fish")]
    stream = GUARD.wrap_sync([chunk(each) for each in two])
    list(stream)
    assert stream.blocked_by is None


def test_json_under_the_adapter_for_text_is_text() -> None:
    data = b'data: {"z":"x"}\n\n'
    assert b"".join(GUARD.wrap_sync([data], provider="text")) == data
    masked = b"".join(GUARD.wrap_sync([b'data: {"z":"blue bird"}\n\n'], provider="text"))
    assert b"bird" not in masked


@pytest.mark.parametrize(
    "unknown",
    ["", "maybe", 5, [], {}, {"pass": "$.a"}, {"pass": ["a"]}, {"pass": 5}, {"pass": [], "x": 1}],
)
def test_what_is_no_way_to_treat_unknown_text_is_refused(unknown: Any) -> None:
    with pytest.raises(ValueError, match=r"unknown: |not a path"):
        GUARD.wrap_sync([], unknown=unknown)


def test_paths_that_pass_have_to_be_paths() -> None:
    with pytest.raises(PolicyError, match=r"<policy>:1:\d+: 'a' is not a path"):
        Policy.parse("unknown: {pass: [a]}")


UNDESCRIBED = [
    {"kind": "start", "id": "r1"},
    {"kind": "token", "data": {"say": "the blue ", "also": "no"}},
    {"kind": "token", "data": {"say": "bird is", "also": "no"}},
]


def test_a_log_says_once_which_text_is_judged_at_once(caplog: pytest.LogCaptureFixture) -> None:
    guard = Guard(GUARD.policy)
    for _ in range(3):
        list(guard.wrap_sync(UNDESCRIBED))
    (record,) = caplog.records
    said = record.getMessage()
    assert (record.name, record.levelname) == ("guardstream", "WARNING")
    assert "$.data.also, $.data.say is" in said
    assert "`unknown: hold`" in said
    assert "`formats`" in said
    other = [{**event, "kind": None, "note": "so", "it": "no"} for event in UNDESCRIBED]
    body = b"".join(b"data: %b\n\n" % json.dumps(event).encode() for event in other)
    list(guard.wrap_sync([body]))
    assert len(caplog.records) == 2


def test_the_log_says_nothing_of_text_that_is_guarded_exactly(
    caplog: pytest.LogCaptureFixture,
) -> None:
    list(Guard(GUARD.policy).wrap_sync([{"kind": "token", "say": text} for text in ("so", " it")]))
    assert not caplog.records


def test_the_log_says_nothing_of_what_rules_find_or_nobody_guards(
    caplog: pytest.LogCaptureFixture,
) -> None:
    list(Guard(Policy.parse("version: 1")).wrap_sync(UNDESCRIBED))
    list(GUARD.wrap_sync(UNDESCRIBED, provider="json"))
    list(GUARD.wrap_sync(UNDESCRIBED, unknown="pass"))
    assert not caplog.records
    list(Guard(GUARD.policy).wrap_sync([{"blue bird": {"deep": "a text"}}] * 2))
    (record,) = caplog.records
    assert "blue" not in record.getMessage()


class FailedError(Exception):
    """An error that is not made of its arguments alone."""

    def __init__(self, what: str, _logger: object) -> None:
        super().__init__(what)
        self.what = what


def raised(error: Exception) -> Exception:
    try:
        try:
            raise RuntimeError("blue bird")
        except RuntimeError as cause:
            raise error from cause
    except Exception as found:
        return found


@pytest.mark.parametrize(
    "error",
    [
        FailedError("a blue bird", None),
        ValueError("a blue bird", "blue bird"),
        KeyError("blue bird"),
        FileNotFoundError(2, "no such file", "/tmp/blue bird"),
        UnicodeDecodeError("utf-8", b"blue bird", 0, 1, "a blue bird"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_exceptions_say_is_guarded(error: Exception) -> None:
    (out,) = GUARD.wrap_sync([{"error": raised(error)}])
    found = out["error"]
    assert type(found) is type(error)
    assert "blue bird" not in f"{found!s} {found!r} {found.args} {vars(found)}"
    assert found.__cause__ is None
    assert found.__traceback__ is None
    assert "*" in f"{found!s}{found!r}"
    fine = raised(FailedError("fine", None))
    (out,) = GUARD.wrap_sync([{"error": fine}])
    assert out["error"] is fine


@pytest.mark.parametrize(
    "field", ["type", "event", "kind", "role", "agent", "model", "source", "runId", "message_id"]
)
def test_each_kind_of_event_goes_on_with_its_own_text(field: str) -> None:
    for told in (
        [("a", "blue "), ("b", "so"), ("a", "bird")],
        [("a", "bl"), ("a", "ue"), ("b", "so"), ("a", " bi"), ("b", "it"), ("a", "rd")],
    ):
        source = [{field: kind, "note": text} for kind, text in told]
        out = list(Guard(GUARD.policy).wrap_sync(source))
        said = ["".join(each["note"] for each in out if each[field] == kind) for kind in "ab"]
        exact = field not in ("runId", "message_id")  # an id that returns is of texts in turn
        others = "".join(text for kind, text in told if kind == "b")
        assert said == ["*********", others] if exact else said[0].endswith("[bird]")


def test_a_field_that_is_known_to_tell_texts_apart_may_stand_behind_many_others() -> None:
    others = {f"other {number}": number for number in range(100)}
    told = [("a", "blue "), ("b", "so"), ("a", "bird")]
    source = [{**others, "agent": agent, "note": text} for agent, text in told]
    out = [event["note"] for event in Guard(GUARD.policy).wrap_sync(source)]
    assert out == ["so", "*********"]


@dataclass
class Noted:
    """An event of an application's own."""

    task: Any
    note: str


class Who(Enum):
    """Who says a text."""

    A = "a"
    B = "b"


LAST = {"index": 0, "task": 2, "note": "so"}
"""The last item of a list, with the same index as the one before it."""


def turned(items: list[Any], nr: int) -> list[Any]:
    """Return items in one order or the other."""
    return items[::-1] if nr % 2 else items


def json_of(value: Any) -> dict[str, Any]:
    """Return an event with JSON in a string."""
    return {"own": json.dumps(value)}


def source_of(chunk: Any, said: Any, source: list[tuple[int, Any]]) -> int:
    """Return the source of an event: that of one which says the same with the same note."""
    text = "".join(notes(chunk))
    for nr, (at, _) in enumerate(source):
        for note in (text, text.removesuffix("so"), text.removeprefix("so")):
            if read(chunk) == read(said(note, at, nr)):
                return at
    raise AssertionError(chunk)


def read(value: Any) -> Any:
    """Return a value with JSON in place of a string of it."""
    if not isinstance(value, dict):
        return value
    return {
        name: json.loads(each) if name in ("own", "data") and isinstance(each, str) else each
        for name, each in value.items()
    }


@pytest.mark.parametrize(
    "said",
    [
        lambda text, at, _: {"task_id": "ab"[at], "note": text},
        lambda text, at, _: {"step": at, "note": text},
        lambda text, at, _: {"left": at == 0, "note": text},
        lambda text, at, _: {"node": {"name": "ab"[at]}, "note": text},
        lambda text, at, _: {"meta": {"node": {"nr": at}}, "data": {"note": text}},
        lambda text, at, _: {"data": {"task": "ab"[at], "note": text}},
        lambda text, at, _: {"path": ["root", "ab"[at]], "note": text},
        lambda text, at, _: {"items": [{"task": at, "note": text}]},
        lambda text, at, _: {"items": [{"task": at, "note": text}, {"task": 2, "note": "so"}]},
        lambda text, at, _: {"parent": None if at else "b", "note": text},
        lambda text, at, _: {"note": text, "other": "so"} | ({"parent": 1} if at else {}),
        lambda text, at, nr: {"seq": nr, "at": nr / 2, "task": at, "note": text},
        lambda text, at, nr: {"type": "so", "task": at, "part": nr % 2, "note": text},
        lambda text, at, _: {"task": at, "own": json.dumps({"note": text})},
        lambda text, at, _: {"own": json.dumps({"task": at, "note": text})},
        lambda text, at, _: {"data": json.dumps({"task": at, "note": text})},
        lambda text, at, _: {"own": json.dumps({"left": at == 0, "note": text})},
        lambda text, at, _: {"own": json.dumps([["so", "ab"[at]], {"note": text}])},
        lambda text, at, _: {"ids": [["so", "ab"[at]]], "data": [{"note": text}]},
        lambda text, at, _: {"ids": [{"id": at}], "note": text},
        lambda text, at, _: {"on": [{"id": at}, {"note": text}]},
        lambda text, at, _: [at, {"note": text}],
        lambda text, at, _: {"a": {"b": {"c": {"d": {"task": at}}}}, "note": text},
        lambda text, at, nr: {"type": "abc"[nr % 3], "task": at, "note": text},
        lambda text, at, nr: {"own": json.dumps({"type": "abc"[nr % 3], "task": at, "note": text})},
        lambda text, at, nr: {"items": turned([{"task": at, "note": text}, {"task": 2}], nr)},
        lambda text, at, nr: json_of({"items": turned([{"id": at, "note": text}, {"id": 2}], nr)}),
        lambda text, at, _: {"items": [{"index": 0, "task": at, "note": text}, LAST]},
        lambda text, at, _: Noted(at, text),
        lambda text, at, _: Noted([Who.A, Who.B][at], text),
        lambda text, at, _: Noted(UUID(int=at), text),
        lambda text, at, _: Noted(Noted(at, "so"), text),
        lambda text, at, _: chunk({"dreams": {"task": at, "note": text}}),
    ],
)
@pytest.mark.parametrize("seed", range(4))
def test_texts_that_interleave_are_told_apart_by_any_field(said: Any, seed: int) -> None:
    random = Random(seed)
    rest = [cut("it is a blue bird here", random), cut("so it was, and so it is", random)]
    source: list[tuple[int, Any]] = []
    while any(rest):
        at = random.randrange(2)
        if rest[at]:
            source.append((at, said(rest[at].pop(0), at, len(source))))
    alone = [each for each in source if each[0] == 0]
    kinds = {event.get("type") for _, event in alone if isinstance(event, dict)}
    is_one = len(kinds) < 2  # the texts of kinds are told apart
    for events in (source, alone) if is_one else (source,):
        stream = Guard(GUARD.policy).wrap_sync([event for _, event in events])
        out = list(stream)
        assert "bird" in {finding.rule for finding in stream.findings}
        text = "".join("".join(notes(each)) for each in out if source_of(each, said, source) == 0)
        assert "blue bird" not in text.replace("so", "")


@pytest.mark.parametrize(
    "said",
    [
        lambda text, at, _: {"session": at // 2, "choice": at % 2, "note": text},
        lambda text, at, nr: {
            "seq": nr,
            "on": {"id": at // 2},
            "of": [{"at": at % 2, "note": text}],
        },
        lambda text, at, _: {
            "session": at // 2,
            "own": json.dumps({"choice": at % 2, "note": text}),
        },
        lambda text, at, _: {"session": at // 2, "size": len(text), "choice": at % 2, "note": text},
    ],
)
@pytest.mark.parametrize("seed", range(4))
def test_texts_that_interleave_are_told_apart_by_two_fields_together(said: Any, seed: int) -> None:
    random = Random(seed)
    rest = [cut("so it is said here: it is a blue bird here", random) for _ in range(4)]
    source: list[tuple[int, Any]] = []
    while any(rest):
        at = random.choice([at for at in range(4) if rest[at]])
        source.append((at, said(rest[at].pop(0), at, len(source))))
    out = GUARD.wrap_sync([event for _, event in source])
    texts = [""] * 4
    for (at, _), event in zip(source, out, strict=True):
        texts[at] += "".join(notes(event))
    assert not any("blue bird" in each for each in texts)


def cut(text: str, random: Random) -> list[str]:
    """Return a text in pieces of one to four characters."""
    pieces = []
    while text:
        size = random.randrange(1, 5)
        pieces.append(text[:size])
        text = text[size:]
    return pieces


def notes(value: Any) -> Iterator[str]:
    """Yield the notes in an event, also those in strings of JSON."""
    if isinstance(value, str) and value.startswith(("{", "[")):
        value = json.loads(value)
    if isinstance(value, list):
        for each in value:
            yield from notes(each)
    elif isinstance(value, (dict, Noted)):
        for name, each in (value if isinstance(value, dict) else vars(value)).items():
            if name == "note":
                yield each
            else:
                yield from notes(each)


@pytest.mark.parametrize("names", [None, "so"])
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_texts_in_sse_that_interleave_are_told_apart(names: str | None, size: int) -> None:
    told = [("a", "a bl"), ("b", "so"), ("a", "ue "), ("b", "it"), ("a", "bird")]
    line = f"event: {names}\n" if names else ""
    body = "".join(f"{line}data: {json.dumps({'task': t, 'note': n})}\n\n" for t, n in told)
    source = [body[at : at + size].encode() for at in range(0, len(body), size)]
    out = b"".join(Guard(GUARD.policy).wrap_sync(source)).decode()
    said = [json.loads(line[6:])["note"] for line in out.splitlines() if line.startswith("data:")]
    assert said == ["a bl", "so", "ue ", "it", "[bird]"]


@pytest.mark.parametrize("size", [1, 2, 4])
@pytest.mark.parametrize("others", [["Done"], ["Done"] * 300])
def test_a_text_that_follows_another_one_begins_with_it(size: int, others: list[str]) -> None:
    parts = cut_at("blue bird", size)
    source = [{"step": 1, "note": note} for note in others]
    source += [{"step": 2, "note": part} for part in parts]
    out = ["".join(notes(each)) for each in Guard(GUARD.policy).wrap_sync(source)]
    # A step that is new may be that of a piece, until it stays.
    assert out == [*others, *(parts[:1] if len(others) == 1 else ()), "*********"]


@pytest.mark.parametrize("size", [1, 2, 4])
def test_a_text_that_others_interrupt_is_bounded_by_its_own(size: int) -> None:
    parts = cut_at("blue bird", size)
    told = [(1, "a "), (2, "so"), *((1, part) for part in parts), (2, "so"), (1, ".")]
    source = [{"step": step, "note": note} for step, note in told]
    out = ["".join(notes(each)) for each in Guard(GUARD.policy).wrap_sync(source)]
    assert out == ["a ", "so", *parts[:-1], "[bird]", "so", "."]


@pytest.mark.parametrize("ids", [(0, False), (1, True)])
def test_flags_in_a_list_are_no_numbers(ids: tuple[int, bool]) -> None:
    told = [(0, "a bl"), (1, "so"), (0, "ue "), (1, "so"), (0, "bird")]
    source = [{"ids": [ids[at]], "parts": [{"note": note}]} for at, note in told]
    out = ["".join(notes(each)) for each in Guard(GUARD.policy).wrap_sync(source)]
    assert out == ["a ", "bl", "so", "ue ", "so", "[bird]"]


def cut_at(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


RUN = {"run_id": "r", "name": "so", "tags": [], "metadata": {}, "parent_ids": []}


@pytest.mark.parametrize(
    ("provider", "carry"),
    [
        ("langgraph", lambda value: ("custom", value)),
        ("langgraph", lambda value: ((), "custom", {"deep": value})),
        ("langgraph_events", lambda value: {"event": "custom", "data": value}),
        ("langgraph_events", lambda value: {"event": "custom", "data": None} | value),
        ("langchain_chains", lambda value: {"out": value}),
        ("langchain_events", lambda value: {"event": "on_custom_event", "data": value} | RUN),
        ("langchain_events", lambda value: {"event": "on_chain_stream", "data": value} | RUN),
        ("sse_events", lambda value: {"data": json.dumps(FORMATS["openai_chat"]), **value}),
    ],
)
def test_texts_in_what_other_formats_carry_are_told_apart(provider: str, carry: Any) -> None:
    told = [("a", "blue "), ("b", "so"), ("a", "bird")]
    source = [carry({"task": task, "note": text}) for task, text in told]
    out = [*Guard(GUARD.policy).wrap_sync(source, provider=provider)]
    assert out[:-1] == source[:-1]
    assert "[bird]" in str(out[-1])


def test_texts_beside_what_several_models_say_are_told_apart() -> None:
    def event(run: str, **more: Any) -> dict[str, Any]:
        said = AIMessageChunk("so ", id=run, additional_kwargs=more)
        return {"event": "on_chat_model_stream", "data": {"chunk": said}} | RUN | {"run_id": run}

    told = [("a", "blue "), ("b", "so"), ("a", "bird")]
    dreams = [{"task": task, "note": text} for task, text in told]
    source = [event("r0"), *(event("r1", dreams=each) for each in dreams)]
    *_, last = Guard(GUARD.policy).wrap_sync(source)
    assert last["data"]["chunk"].additional_kwargs["dreams"]["note"] == "[bird]"


@pytest.mark.parametrize(
    "said",
    [
        lambda text, at: ["ab"[at], text],
        lambda text, at: {"said": ["ab"[at], text]},
        lambda text, at: {"said": json.dumps(["ab"[at], text])},
    ],
)
def test_texts_in_lists_are_told_apart_by_what_is_beside_them(said: Any) -> None:
    told = [(0, "blue "), (1, "so"), (0, "bird")]
    source = [said(text, at) for at, text in told]
    lines = [f"{json.dumps(each)}\n".encode() for each in source]
    assert "bird]" in str([*Guard(GUARD.policy).wrap_sync(source)][-1])
    assert b"bird]" in [*Guard(GUARD.policy).wrap_sync(lines)][-1]


def test_each_item_of_a_long_list_is_told_apart_by_its_own_fields() -> None:
    others = [{"task": nr % 9, "note": "so"} for nr in range(300)]
    told = [{"task": "a", "note": "blue "}, {"task": "b", "note": "so"}]
    source = [
        {"items": [*others, *told]},
        {"items": [*others, told[1], {**told[0], "note": "bird"}]},
    ]
    out = [*Guard(GUARD.policy).wrap_sync(source)]
    assert out[-1]["items"][-1]["note"] == "[bird]"


def test_rows_of_a_long_list_are_not_compared_with_each_other() -> None:
    rows = [{"id": nr, "note": "so"} for nr in range(40)]
    assert paths.beside({"rows": rows}, (((), "rows"), 5)) == [
        (".rows.id", 5),
        (".rows.note", "so"),
    ]


def test_values_on_the_way_to_a_text_are_compared_before_others() -> None:
    event = {"meta": {f"m{nr}": nr for nr in range(20)}, "data": {"task": 1, "note": "so"}}
    assert paths.beside(event, ((), "data"))[:2] == [(".data.task", 1), (".data.note", "so")]


@pytest.mark.parametrize(
    "said",
    [
        lambda text: {"note": text},
        lambda text: {"note": text, "token": {"text": text}},
        lambda text: {"note": text, "token": {"id": ord(text)}},
        lambda text: [text],
        lambda text: {"own": json.dumps({"note": text, "id": ord(text)})},
    ],
)
def test_what_comes_with_one_piece_alone_tells_no_texts_apart(said: Any) -> None:
    guard = Guard(Policy.parse("rules: [{id: pin, pattern: '1{4}', action: block}]"))
    source = [said(text) for text in "1,1,1,1,1.1,1"]
    assert [*guard.wrap_sync(source)] == source


def test_a_piece_that_came_again_and_again_is_not_forgotten() -> None:
    guard = Guard(Policy.parse("rules: [{id: pin, pattern: '1{4}2'}]"))
    told = [("a", "1"), ("b", ",")] * 4 + [("a", "2")]
    source = [{"task": task, "note": text} for task, text in told]
    assert [*guard.wrap_sync(source)][-1]["note"] == "[pin]"


def test_a_text_goes_on_after_many_others_began() -> None:
    others = [{"task": f"t{nr}", "note": "so "} for nr in range(200)]
    source = [{"task": "a", "note": "blue "}, *others, {"task": "a", "note": "bird"}]
    assert list(Guard(GUARD.policy).wrap_sync(source))[-1]["note"] == "[bird]"


def test_what_is_the_same_everywhere_is_not_read_again_by_other_fields() -> None:
    checked: list[str] = []

    def check(text: str) -> list[Text]:
        checked.append(text)
        return [Text(text)]

    texts = UnknownTexts(CachedCheck(check), 64, lambda: False)
    texts.judge("$.zone", "eu-west", beside=[("step", 3)])
    for nr in range(200):
        texts.judge("$.region", "eu-west", beside=[("step", nr % 3)])
    assert len(checked) < 20
    for step, text in [(0, "blue "), *[(nr % 2 + 1, "bird") for nr in range(60)], (0, "bird")]:
        texts.judge("$.note", text, beside=[("step", step)])
    assert "blue bird" in checked


def test_fields_that_differ_in_each_event_keep_no_texts() -> None:
    apart = ToldApart(16)
    for nr in range(2000):
        for each in apart.texts("$.note", "so", Tail(16), [("seq", nr), ("task", nr % 3)]).values():
            each.add("so")
    assert len(apart.texts("$.note", "so", Tail(16), [("seq", 2000), ("task", 0)])) == 1
    for nr in range(20_000):
        apart.texts(f"$.at{nr}", "so", Tail(16), [("task", nr % 3)])
        apart.texts("$.note", "so", Tail(16), [("task", nr)])
    assert len(apart) <= 16_384


def test_few_texts_are_kept_where_each_may_be_long() -> None:
    apart = ToldApart(1_000_000)
    for nr in range(1000):
        told = apart.texts("$.note", "so", Tail(16), [("task", nr % 200), ("step", nr % 2)])
        assert told or nr < 2
    assert len(apart) <= 64


class Agent:
    """An application's own object, which holds itself."""

    def __init__(self) -> None:
        self.name = "blue bird"
        self.tools = [SimpleNamespace(agent=self)]


@pytest.mark.parametrize(
    "said",
    [
        lambda text, at: {"outs": [{"index": at, "told": text}]},
        lambda text, at: {"index": at, "told": text},
        lambda text, at: {"type": "told", "parts": [{"said": {"index": at, "told": text}}]},
        lambda text, at: chunk({"dreams": text}, choice=at),
        lambda text, at: chunk({"dreams": [text] if at else ["", text]}),
    ],
)
@pytest.mark.parametrize("as_model", [False, True])
def test_samples_that_come_at_the_same_time_each_go_on(said: Any, as_model: bool) -> None:
    if as_model and "object" not in said("", 0):
        pytest.skip("no class of the package's")
    make = model if as_model else dict
    pieces = [(letter, at) for letter in "a blue bird" for at in (0, 1)]
    stream = GUARD.wrap_sync([make(said(piece, at)) for piece, at in pieces])
    out = [json.dumps(each if isinstance(each, dict) else each.model_dump()) for each in stream]
    assert [finding.rule for finding in stream.findings] == ["bird", "bird"]
    assert "[bird]" in out[-1]
    assert "[bird]" in out[-2]


def test_items_of_a_list_each_go_on() -> None:
    stream = GUARD.wrap_sync([{"outs": [{"t": letter}, letter]} for letter in "red fish"])
    assert "h" not in str(list(stream)[-1]["outs"])
    assert stream.finish == "content_filter"


def test_an_object_that_holds_itself_is_named_and_may_pass() -> None:
    agent = Agent()
    source = [{"data": "a blue ", "agent": agent}, {"data": "bird", "agent": agent}]
    with pytest.raises(AdapterError, match=r"\$\.agent.*pass: \['\$\.agent'\]"):
        list(Guard(GUARD.policy).wrap_sync(source))
    out = list(Guard(GUARD.policy).wrap_sync(source, unknown={"pass": ["$.agent"]}))
    assert [event["data"] for event in out] == ["a ", "*********"]
    assert all(event["agent"] is agent for event in out)
    assert list(GUARD.wrap_sync(source, unknown="pass")) == source


def test_of_several_objects_the_one_that_holds_itself_is_named() -> None:
    source = [{"info": SimpleNamespace(user="me"), "results": [Agent()], "data": "so"}]
    with pytest.raises(AdapterError, match=r"pass: \['\$\.results'\]"):
        list(GUARD.wrap_sync(source))


def test_what_is_below_a_path_that_passes_does_too() -> None:
    source = [{"own": {"deep": ["blue bird"], "blue bird": 1}, "other": "a blue bird"}]
    out = list(GUARD.wrap_sync(source, unknown={"pass": ["$.own"]}))
    assert out == [{"own": source[0]["own"], "other": text} for text in ("a ", "*********")]


def test_a_value_that_is_the_same_in_each_chunk_is_soon_judged_no_more() -> None:
    checked: list[str] = []

    def check(text: str) -> list[Text]:
        checked.append(text)
        return [Text(text)]

    texts = UnknownTexts(CachedCheck(check), 64, lambda: False)
    for _ in range(500):
        assert texts.judge("$.region", "eu-west") == [Text("eu-west")]
        assert texts.judge("$.zone", "b") == [Text("b")]
    assert len(checked) < 90
    texts.judge("$.region", "us")
    assert checked[-2:] == ["us", ("eu-west" * 10)[-64:] + "us"]


def test_what_stands_beside_each_chunk_is_soon_judged_no_more() -> None:
    checked: list[str] = []

    def check(text: str) -> list[Text]:
        checked.append(text)
        return [Text(text)]

    texts = Asides(CachedCheck(check), 64)
    for place in range(1000):
        for number, token in enumerate(("gpt-4o", f"{place} words", f"{place} words")):
            slot = Slot(0, "text", "logprobs", number)
            assert texts.passes(Piece(slot, token, "aside"), repeats=False)
    assert sum("gpt-4o" in each for each in checked) < 20
    assert sum("words" in each for each in checked) < 1000


def test_what_is_found_in_such_a_value_is_reported_each_time() -> None:
    rules = "rules: [{id: r, words: [bluebird], action: monitor}]"
    chunks = [{"choices": [{"index": 0, "delta": {"content": "a"}}], "note": "a bluebird,"}] * 90
    stream = Guard(Policy.parse(rules)).wrap_sync(iter(chunks))
    stream.text()
    assert len(stream.findings) == 90


ADDRESS = r"[\w.+-]+@[\w-]+\.\w+"
"""A pattern without a limit, of which each word may be the beginning."""


@pytest.mark.parametrize("action", ["block", "mask"])
@pytest.mark.parametrize(
    "kinds",
    [["a"], ["token"], ["token", ""], ["token", "thought", "token", "tool.call"], ["a-kind" * 35]],
)
def test_values_that_recur_are_no_candidate_that_grows(action: str, kinds: list[str]) -> None:
    guard = Guard(Policy.parse(f"rules: [{{id: m, pattern: '{ADDRESS}', action: {action}}}]"))
    source = [{"kind": kinds[at % len(kinds)], "tenant": "acme-corp"} for at in range(600)]
    source.append({"kind": "over", "tenant": "acme-corp"})
    stream = guard.wrap_sync(source)
    assert list(stream) == source
    assert not stream.findings


def test_a_match_after_values_that_recur_is_found() -> None:
    guard = Guard(Policy.parse(f"rules: [{{id: m, pattern: '{ADDRESS}'}}]"))
    values = ["token"] * 600 + ["@exam", "ple.com", "token"]
    out = [each["kind"] for each in guard.wrap_sync([{"kind": each} for each in values])]
    assert out == ["token"] * 600 + ["@exam", "[m]", "[m]"]


@pytest.mark.parametrize("action", ["block", "mask"])
@pytest.mark.parametrize("rest", ["", " zz" * 5, " zz" * 60])
def test_a_match_in_a_long_value_after_values_that_recur_is_found(action: str, rest: str) -> None:
    """The long value continues a candidate that began in the values that recur."""
    rules = f"""
max_holdback: 64
rules:
  - {{id: long, pattern: 'x[a-z ]+y', action: {action}}}
  - {{id: bird, words: [bluebird], replacement: "*"}}
"""
    values = [*["x ok "] * 40, "see blue", f"bird{rest}"]
    stream = Guard(Policy.parse(rules)).wrap_sync([{"note": each} for each in values])
    assert [each["note"] for each in stream] == [*values[:-2], "see ", f"********{rest}"]
    assert {(found.rule, found.kind) for found in stream.findings} == {("bird", "match")}


@pytest.mark.parametrize("size", [1, 2, 7])
def test_values_that_do_not_recur_are_a_candidate_that_grows(size: int) -> None:
    guard = Guard(Policy.parse("rules: [{id: key, pattern: '[a-z0-9]{9,} END'}]"))
    letters = "".join(f"{at * at * 7919 % 46656:04x}" for at in range(200))
    values = [letters[at : at + size] for at in range(0, len(letters), size)]
    out = [each["say"] for each in guard.wrap_sync([{"say": each} for each in values])]
    assert "".join(out) == guard.check(letters).text == "[key]"


@pytest.mark.parametrize("cut", range(len("a blue bird.") + 1))
def test_text_among_objects_is_guarded_like_a_stream_of_text(cut: int) -> None:
    text, masked = "a blue bird.", "a *********."
    steps: list[Any] = [{"step": 1}, {"step": 2}, 3]
    chunks = [steps[0], text[:cut], steps[1], text[cut:], ["a blue bird"], *steps[2:]]
    stream = GUARD.wrap_sync(chunks)
    out = list(stream)
    assert "".join(part for part in out if isinstance(part, str)) == masked
    assert [part for part in out if not isinstance(part, str)] == [
        *steps[:2],
        [masked[:-1]],
        *steps[2:],
    ]
    assert stream.result.text == masked


def test_a_known_format_after_text_among_objects_is_guarded_by_its_fields() -> None:
    event = {"type": "text-delta", "id": "1", "delta": "a blue bird"}
    chunks: list[Any] = [{"type": "start"}, "so", event]
    said = [{**event, "delta": text} for text in ("a ", "*********")]
    assert list(GUARD.wrap_sync(chunks))[-2:] == said


@pytest.mark.parametrize(
    "body",
    [
        b'data: {"step": 1}\n\ndata: a blue\n\n',
        b'data: {"step": 1}\n\ndata: "a blue"\n\ndata: {"step": 2}\n\n',
        b'{"step": 1}\n"a blue"\n',
        b'"a blue"\n',
    ],
)
def test_text_among_events_of_json_is_complete(body: bytes) -> None:
    assert b"".join(GUARD.wrap_sync([body])) == body
    assert b"".join(GUARD.wrap_sync([body, body])) == body * 2
