"""What a client would run is what is judged: no arguments are an empty object, and one object is
all that a call has."""

from __future__ import annotations

import json
from random import Random

import pytest

from guardstream import Guard
from guardstream.events import Finding, Finish
from guardstream.policy import Policy
from tests.formats.chunks import call, chunk
from tests.support.chunking import joined, normalised, one_by_one, play, random_split

NEEDS_PATH = {"type": "object", "required": ["path"], "properties": {"path": {"type": "string"}}}
POLICY = Policy.parse(
    f"json: {{tools: {{'*': {{}}, write: {{schema: {json.dumps(NEEDS_PATH)}}}}}}}\nrules: []"
)
OBJECT = '{"path": "a"}'


def judged(text, tool="write", policy=POLICY):
    """What comes out, the findings and the finish, which are the same in every splitting."""
    splits = [[text], one_by_one(text), *(random_split(text, Random(seed)) for seed in range(20))]
    told = [normalised(play(policy.stages("tool_args", tool)[0], parts)) for parts in splits]
    assert all(each == told[0] for each in told)
    events = told[0]
    found = [(each.rule, each.start, each.end) for each in events if isinstance(each, Finding)]
    ends = [each.reason for each in events if isinstance(each, Finish)]
    return joined(events), found, ends[-1]


@pytest.mark.parametrize("text", ["", "null", '""', " \n"])
def test_what_stands_for_no_arguments_is_judged_as_an_empty_object(text):
    assert judged(text, "any") == (text, [], "stop")
    out, found, finish = judged(text)
    assert (out, finish) == ("", "content_filter")
    assert [rule for rule, _, _ in found] == ["json"]


@pytest.mark.parametrize("first", ["{}", "null", '""', "{ }\n", "{}{}"])
def test_an_empty_object_before_the_arguments_is_left_out(first):
    found = [("json.empty_arguments", 0, len(first))]
    assert judged(first + OBJECT) == (OBJECT, found, "stop")


def test_an_empty_object_is_held_until_the_call_ends():
    stage = POLICY.stages("tool_args", "any")[0]
    assert stage.feed("{}") == []
    assert stage.held == 2
    assert joined(stage.finish()) == "{}"


@pytest.mark.parametrize("token", ["</s>", "```", "<|im_end|>"])
def test_an_end_token_after_the_arguments_is_left_out(token):
    assert judged(f"{OBJECT}\n{token}") == (
        f"{OBJECT}\n", [("json.end_token", 14, 14 + len(token))], "stop",
    )  # fmt: skip


@pytest.mark.parametrize("rest", [OBJECT, "<", "</tool", "}", "\nDone.", "[]"])
def test_anything_else_after_the_arguments_is_a_violation(rest):
    at = len(OBJECT) + rest.startswith("\n")
    assert judged(OBJECT + rest) == (
        OBJECT + rest[: at - len(OBJECT)], [("json", at, at + 1)], "content_filter",
    )  # fmt: skip


@pytest.mark.parametrize("text", ["{}" + OBJECT, OBJECT + OBJECT, OBJECT + "</s>", "null", ""])
def test_without_a_section_all_of_it_passes(text):
    free = Policy.parse("rules: [{id: w, words: [bluebird]}]")
    assert judged(text, policy=free) == (text, [], "stop")


@pytest.mark.parametrize("text", ["{}" + OBJECT, OBJECT + OBJECT, OBJECT + "</s>"])
def test_a_policy_that_monitors_changes_nothing(text):
    monitor = Policy.parse("json: {tools: {'*': {}}, on_violation: monitor}\nrules: []")
    out, found, finish = judged(text, policy=monitor)
    assert (out, finish) == (text, "stop")
    assert found


@pytest.mark.parametrize("arguments", [None, ""])
@pytest.mark.parametrize(("tool", "finish"), [("write", "content_filter"), ("any", "tool_calls")])
def test_a_call_without_arguments_is_judged_when_it_ends(tool, finish, arguments):
    first = call(0, arguments, id="c", type="function", name=tool)
    stream = Guard(POLICY).wrap_sync([chunk(first), chunk({}, finish="tool_calls")])
    stream.text()
    assert stream.finish == finish
    assert [each.complete for each in stream.result.tool_calls] == [tool == "any"]
