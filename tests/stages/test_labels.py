"""The name of a member is its value's context: a rule that needs `password: ` before a value
finds it in JSON, in a tool call's arguments, and in a field that no format names."""

from __future__ import annotations

import json
from typing import Any

import pytest

from guardstream import Guard, Policy
from tests.formats.chunks import chunk

RULES = r"""
rules:
  - {id: code, pattern: 'code: (?<v>[0-9a-z]{3,9})', group: v, replacement: "[code]"}
  - {id: pin, pattern: '\b[0-9]{4}\b', keywords: [pin], replacement: "[pin]"}
  - {id: first, pattern: '^order', replacement: "[first]"}
  - {id: alone, pattern: '(?<![a-z]: )zebra', replacement: "[alone]"}
json: {}
"""
GUARD = Guard(Policy.parse(RULES))

DOCUMENTS = {
    '{"code": "a1b2"}': '{"code": "[code]"}',
    '{"pin": 1234, "sum": 1234}': '{"pin": "[pin]", "sum": 1234}',
    '{"pin": ["1234", "x 5678"], "sum": "1234"}': '{"pin": ["[pin]", "x [pin]"], "sum": "1234"}',
    '{"code": {"of": "a1b2"}}': '{"code": {"of": "a1b2"}}',
    '{"of": {"code": "a1b2"}, "x": "a1b2"}': '{"of": {"code": "[code]"}, "x": "a1b2"}',
    '[{"code": "a1b2"}, "a1b2"]': '[{"code": "[code]"}, "a1b2"]',
    r'{"c\u006fde": "a1b2"}': r'{"c\u006fde": "[code]"}',
    '{"a": "order 1", "b": "my order"}': '{"a": "[first] 1", "b": "my order"}',
    '{"animal": "zebra"}': '{"animal": "[alone]"}',
    '{"code": "", "x": "a1b2"}': '{"code": "", "x": "a1b2"}',
}


@pytest.mark.parametrize(("document", "expected"), DOCUMENTS.items())
def test_a_name_says_what_its_value_is(document: str, expected: str) -> None:
    cuts = [[document], [*document]]
    cuts += [[document[:at], document[at:]] for at in range(1, len(document))]
    for pieces in cuts:
        stream = GUARD.wrap_sync(pieces)
        assert stream.text() == expected
        for finding in stream.findings:
            assert document[finding.start : finding.end].strip('"') not in ("", "code", "pin")


@pytest.mark.parametrize("size", [1, 3, 100])
def test_a_name_in_a_calls_arguments_says_what_its_value_is(size: int) -> None:
    text = '{"user": "ann", "code": "a1b2"}'
    parts = [text[at : at + size] for at in range(0, len(text), size)]
    start: dict[str, Any] = {"index": 0, "id": "c1", "type": "function"}
    calls = [{**start, "function": {"name": "f", "arguments": ""}}]
    calls += [{"index": 0, "function": {"arguments": part}} for part in parts]
    stream = GUARD.wrap_sync(
        [*(chunk({"tool_calls": [call]}) for call in calls), chunk(finish="tool_calls")]
    )
    list(stream)
    assert [call.arguments for call in stream.result.tool_calls] == [
        '{"user": "ann", "code": "[code]"}'
    ]


@pytest.mark.parametrize(
    ("event", "masked"),
    [
        ({"user": "ann", "code": "a1b2"}, "code"),
        ({"user": "ann", "pin": ["1234"]}, "pin"),
        ({"info": {"code": "a1b2"}, "user": "ann"}, "info"),
    ],
)
def test_a_name_that_no_format_knows_says_what_its_value_is(
    event: dict[str, Any], masked: str
) -> None:
    out = [*Guard(Policy.parse(RULES.replace("json: {}", ""))).wrap_sync([event, {"user": "bob"}])]
    assert f"[{'pin' if masked == 'pin' else 'code'}]" in json.dumps(out[0][masked])
    assert out[0]["user"] == "ann"


def test_what_announces_a_value_may_come_with_the_event_before() -> None:
    told = [{"a": "the code: ", "b": "c"}, {"a": "a1b2 x", "b": "c"}, {"a": "a1b2 x", "b": "c"}]
    shown = [each["a"] for each in GUARD.wrap_sync(told)]
    assert "a1b2" not in shown[1]
    assert shown[2] == "a1b2 x"
