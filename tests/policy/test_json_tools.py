"""Each tool's arguments are judged by that tool's schema, each call by itself, and none is lost."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from guardstream import Guard
from guardstream.errors import PolicyError
from guardstream.policy import Policy
from tests.providers.chunks import call, chunk

WEATHER = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TRANSFER = {"type": "object", "properties": {"cents": {"type": "integer"}}, "required": ["cents"]}
TOOLS = f"""\
json:
  tools:
    get_weather: {{schema: {json.dumps(WEATHER)}}}
    transfer: {{schema: {json.dumps(TRANSFER)}}}
"""
ANY = TOOLS + "    '*': {}\n"


def chat(calls, size=3):
    """Chunks of parallel tool calls, which come in turns."""
    yield chunk({"role": "assistant", "content": "one moment"})
    for at, (name, _) in enumerate(calls):
        yield chunk(call(at, "", id=f"call_{at}", type="function", name=name))
    longest = max(len(arguments) for _, arguments in calls)
    for start in range(0, longest, size):
        for at, (_, arguments) in enumerate(calls):
            piece = arguments[start : start + size]
            if piece:
                yield chunk(call(at, piece))
    yield chunk({}, finish="tool_calls")


def run(policy, calls, size=3):
    """The calls that came out, the rules that found something, and the finish."""
    stream = Guard(Policy.parse(policy)).wrap_sync(chat(calls, size))
    for _ in stream:
        pass
    found = [(each.name, each.arguments) for each in stream.result.tool_calls]
    return found, [each.rule for each in stream.findings], stream.finish


GOOD = [("get_weather", '{"city": "Oslo"}'), ("transfer", '{"cents": 100}')]


@pytest.mark.parametrize("size", [1, 3, 100])
@pytest.mark.parametrize("policy", [TOOLS, "json: {channels: [tool_args]}\n",
    "json: {channels: [tool_args], after: ignore}\n"])  # fmt: skip
def test_no_call_is_lost(policy, size):
    calls = [*GOOD, ("get_weather", '{"city": "Bergen"}')]
    assert run(policy, calls, size) == (calls, [], "tool_calls")


@pytest.mark.parametrize("size", [1, 3, 100])
def test_each_call_is_judged_by_its_own_tool(size):
    swapped = [("get_weather", '{"cents": 100}'), ("transfer", '{"cents": "1"}')]
    found, rules, finish = run(TOOLS, swapped, size)
    assert (rules, finish) == (["json"], "content_filter")
    assert all(not arguments.endswith("}") for _, arguments in found)
    assert run(TOOLS, [("transfer", '{"cents": "1"}')], size)[0] == [("transfer", '{"cents": ')]


def test_a_tool_that_is_not_named_is_blocked_unless_any_may_be_called():
    calls = [("launch", '{"at": "noon"}')]
    assert run(TOOLS, calls) == ([("launch", "")], ["json"], "content_filter")
    assert run(ANY, calls) == (calls, [], "tool_calls")
    assert run(ANY, [("launch", "noon")])[2] == "content_filter"


def test_a_tool_may_have_any_json():
    policy = "json: {tools: {launch: {}}}\n"
    assert run(policy, [("launch", "[1]")]) == ([("launch", "[1]")], [], "tool_calls")
    assert run(policy, [("launch", "soon")])[2] == "content_filter"


def test_text_is_no_json_where_only_tools_are_named():
    assert run(TOOLS, GOOD)[2] == "tool_calls"  # it says "one moment"
    guard = Guard(Policy.parse("json: {channels: [text], tools: {a: {}}}\n"))
    assert guard.check("one moment").finish == "content_filter"
    assert Guard(Policy.parse(TOOLS)).check("one moment").finish == "stop"


def test_arguments_of_no_known_tool_are_those_of_any():
    assert Guard(Policy.parse(TOOLS)).check("{}", channel="tool_args").finish == "content_filter"
    assert Guard(Policy.parse(ANY)).check("{}", channel="tool_args").finish == "stop"


def test_rules_apply_in_the_arguments_of_tools():
    policy = "rules: [{id: w, words: [secret]}]\n" + TOOLS
    calls = [("get_weather", '{"city": "\\u0073ecret"}'), ("transfer", '{"cents": 1}')]
    found, rules, finish = run(policy, calls)
    assert found == [("get_weather", '{"city": "[w]"}'), calls[1]]
    assert (rules, finish) == (["w"], "tool_calls")


@pytest.mark.parametrize(("action", "finish"), [("stop", "stop"), ("monitor", "tool_calls")])
def test_a_violation_does_what_the_section_says(action, finish):
    policy = TOOLS + f"  on_violation: {action}\n"
    found, rules, reason = run(policy, [("transfer", '{"cents": "1"}'), GOOD[0]])
    assert (rules[0], reason) == ("json", finish)
    assert (found[0][1] == '{"cents": "1"}') == (action == "monitor")


def test_arguments_that_come_whole_are_judged_too():
    def answer(cents):
        part = {"functionCall": {"name": "transfer", "args": {"cents": cents}}}
        yield {"candidates": [{"content": {"parts": [part], "role": "model"}, "index": 0}]}
        yield {"candidates": [{"finishReason": "STOP", "index": 0}]}

    for cents, finish in ((100, "tool_calls"), ("1", "content_filter")):
        stream = Guard(Policy.parse(TOOLS)).wrap_sync(answer(cents), provider="gemini")
        list(stream)
        assert stream.finish == finish


def test_the_blocks_of_one_message_are_calls_of_their_own():
    def block(index, name, arguments):
        yield {"type": "content_block_start", "index": index, "content_block":
               {"type": "tool_use", "id": f"t{index}", "name": name, "input": {}}}  # fmt: skip
        for at in range(0, len(arguments), 3):
            delta = {"type": "input_json_delta", "partial_json": arguments[at : at + 3]}
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}

    def message(calls):
        about = {"id": "m", "type": "message", "role": "assistant", "content": [], "model": "m",
                 "stop_reason": None, "stop_sequence": None,
                 "usage": {"input_tokens": 1, "output_tokens": 1}}  # fmt: skip
        yield {"type": "message_start", "message": about}
        for at, (name, arguments) in enumerate(calls):
            yield from block(at, name, arguments)
        delta = {"stop_reason": "tool_use", "stop_sequence": None}
        yield {"type": "message_delta", "delta": delta, "usage": {"output_tokens": 9}}
        yield {"type": "message_stop"}

    for calls, finish in ((GOOD, "tool_calls"), ([*GOOD, ("transfer", "{}")], "content_filter")):
        stream = Guard(Policy.parse(TOOLS)).wrap_sync(message(calls))
        list(stream)
        assert stream.finish == finish
        found = [(each.name, each.arguments) for each in stream.result.tool_calls]
        assert found[:2] == GOOD


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        ("json:\n  tools:\n    a: {schema: {type: int}}\n", "p.yaml:3:24: cannot use the schema: "),
        ("json:\n  tools:\n    a: {schema: no.json}\n", "p.yaml:3:17: cannot use the schema: "),
        ("json:\n  tools: {a: {scheme: x}}\n", "p.yaml:2:15: unknown key 'scheme', did you mean"),
        ("json:\n  channels: [tool_args]\n  tools: {a: {}}\n",
         "p.yaml:3:10: the channel 'tool_args' has a schema too: leave it out of 'channels'"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_tool_is_named_where_it_stands(policy, message):
    with pytest.raises(PolicyError) as caught:
        Policy.parse(policy, name="p.yaml")
    assert str(caught.value).startswith(message)


def test_the_schema_of_a_tool_may_be_a_file_of_another_draft(tmp_path: Path):
    (tmp_path / "old.json").write_text('{"minimum": 3, "exclusiveMinimum": true}')
    policy = "json: {draft: '2020-12', tools: {a: {schema: old.json, draft: draft-04}}}\n"
    stages = Policy.parse(policy, folder=tmp_path).stages("tool_args", "a")
    assert stages[0].feed("3 ")[-1].reason == "content_filter"
