"""Requests and answers in no known format: rules see nothing but what was sent."""

from __future__ import annotations

import pytest

from guardstream import Guard, Policy
from guardstream.http.other_answers import guarded
from guardstream.http.other_requests import checked

RULE = "rules: [{id: any, pattern: '[a-z]+', action: %s}]"


@pytest.mark.parametrize("body", ["[1, 2]", '{"1": 2}', '"3"', '[{"4": "5"}]', '{"6": []}\n7\n'])
@pytest.mark.parametrize("action", ["mask", "block"])
def test_a_rule_finds_nothing_in_json_but_its_names_and_strings(body: str, action: str) -> None:
    answers = Guard(Policy.parse(RULE % action))
    assert guarded(answers, "application/json", body.encode(), {}).body == body.encode()
    prompts = Guard(Policy.parse(f"input: {{{RULE % action}}}"))
    sent = checked(prompts, "application/json", "2=3", body.encode())
    assert (sent.body, sent.query) == (body.encode(), "2=3")


def test_every_name_and_string_in_json_is_found() -> None:
    body, masked = b'{"a": ["b", {"c": 1}]}', b'{"[any]":["[any]",{"[any]":1}]}'
    answers = Guard(Policy.parse(RULE % "mask"))
    assert guarded(answers, "application/json", body, {}).body == masked
    prompts = Guard(Policy.parse(f"input: {{{RULE % 'mask'}}}"))
    assert checked(prompts, "application/json", "", body).body == masked
