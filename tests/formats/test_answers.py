"""Whole answers of other APIs than OpenAI's and Anthropic's, and requests to them."""

from __future__ import annotations

import json

import pytest

from guardstream import Guard, Policy
from guardstream.formats.answers.whole import BODIES
from guardstream.http.request import RefusedError, checked_request
from tests.laws.asked import left_raw
from tests.support.samples.answers import Body

INPUT = Guard(
    Policy.parse(
        "input: {rules: [{id: word, words: [secret], replacement: '#'}, "
        "{id: bad, words: [forbidden], action: block}]}"
    )
)

REQUESTS: list[tuple[str, Body]] = [
    ("gemini", {"contents": [{"role": "user", "parts": [{"text": "a secret"}]}]}),
    ("gemini", {"contents": {"parts": [{"text": "a secret"}]}}),
    ("ollama", {"messages": [{"role": "user", "content": "a secret", "images": ["c2VjcmV0"]}]}),
    ("ollama", {"prompt": "a secret"}),
    ("cohere", {"messages": [{"role": "user", "content": [{"type": "text", "text": "a secret"}]}]}),
    ("cohere", {"messages": [], "documents": [{"data": {"text": "a secret"}}]}),
    ("bedrock", {"messages": [{"role": "user", "content": [{"text": "a secret"}]}]}),
    ("dashscope", {"input": {"messages": [{"role": "user", "content": "a secret"}]}}),
    ("dashscope", {"input": {"prompt": "a secret"}}),
    ("watsonx", {"input": "a secret"}),
    (
        "a2a",
        {"params": {"message": {"role": "user", "parts": [{"kind": "text", "text": "a secret"}]}}},
    ),
    ("mcp", {"params": {"name": "find", "arguments": {"q": "a secret"}}}),
]


@pytest.mark.parametrize(("provider", "request_"), REQUESTS)
def test_prompts_are_judged(provider: str, request_: Body) -> None:
    body = json.dumps(request_).encode()
    sent = checked_request(INPUT, provider, body)
    assert not left_raw(json.loads(sent), "a secret")
    assert "a #" in sent.decode()
    harmless = body.replace(b"a secret", b"a word")
    assert checked_request(INPUT, provider, harmless) == harmless
    with pytest.raises(RefusedError, match="bad"):
        checked_request(INPUT, provider, body.replace(b"a secret", b"forbidden"))


def test_every_format_with_bodies_has_prompts() -> None:
    for provider in BODIES:
        assert checked_request(INPUT, provider, b'{"so": 5}') == b'{"so": 5}'


def test_what_a_model_said_is_judged_as_its_own() -> None:
    turn = {"role": "model", "parts": [{"text": "a secret"}, {"inlineData": {"data": "c2VjcmV0"}}]}
    guard = Guard(
        Policy.parse(
            "input: {roles: [user], rules: [{id: word, words: [secret], replacement: '#'}]}"
        )
    )
    body = json.dumps({"contents": [turn]}).encode()
    assert checked_request(guard, "gemini", body) == body
