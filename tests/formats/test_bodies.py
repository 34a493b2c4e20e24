"""Whole answers: the same text, findings and finish as their streams, in the API's own shape."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import pytest

from guardstream import Guard, Policy
from guardstream.http.body import guard_body
from tests.laws.asked import STARS as GUARD
from tests.laws.asked import STARS_POLICY as POLICY
from tests.laws.asked import Event, has_word
from tests.support.optional import optional
from tests.support.samples.bodies import ANSWERS

Message = optional("anthropic.types", "Message")
Completion = optional("openai.types", "Completion")
ChatCompletion = optional("openai.types.chat", "ChatCompletion")
Response = optional("openai.types.responses", "Response")


FORMATS = ["openai_chat", "openai_responses", "anthropic"]

MODELS: dict[str, Any] = {
    "openai_chat": ChatCompletion,
    "openai_completions": Completion,
    "openai_responses": Response,
    "anthropic": Message,
}

JSON = '{"q":"%s"}'


def checked(provider: str, body: Event, guard: Guard = GUARD) -> tuple[Event, Any]:
    """The guarded body, which the SDK's class accepts."""
    before = copy.deepcopy(body)
    guarded, result = guard_body(guard, provider, body)
    assert body == before
    MODELS[provider].model_validate(guarded)
    return guarded, result


CASES: Sequence[tuple[str, str, str]] = [
    ("a secret", "so the secret, a secret", JSON % "my secret"),
    ("", "a sec", ""),
    ("", "so forbidden, unread", ""),
    ("hm", "so it is", JSON % "forbidden thing"),
    ("so forbidden thing", "unread secret", JSON % "unread"),
    ("", "that is enough, unread", ""),
    ("", "forbidden", ""),
    ("", "enough", ""),
]


@pytest.mark.parametrize("provider", FORMATS)
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("extra", ["", "block_message: sorry\n", "limits: {max_chars: 7}\n"])
def test_a_body_says_what_its_stream_says(
    provider: str, case: tuple[str, str, str], extra: str
) -> None:
    guard = Guard(Policy.parse(extra + POLICY))
    source, body = ANSWERS[provider](*case)
    guarded, result = checked(provider, body, guard)
    stream = guard.wrap_sync(source)
    list(stream)
    assert result.text == stream.result.text
    assert result.thinking == stream.result.thinking
    assert [(f.rule, f.channel, f.start) for f in result.findings] == [
        (f.rule, f.channel, f.start) for f in stream.findings
    ]
    assert result.finish == stream.finish
    names = [(found.name, found.arguments) for found in result.tool_calls]
    if provider != "anthropic":  # whose arguments are written anew from a value
        assert names == [(found.name, found.arguments) for found in stream.result.tool_calls] or (
            result.finish != "tool_calls"
        )
    for word in ("secret", "forbidden", "enough", "unread"):
        assert not has_word(word, guarded)
    assert text_of(provider, guarded) == result.text


def text_of(provider: str, body: Event) -> str:
    if provider == "openai_chat":
        return str(body["choices"][0]["message"]["content"])
    if provider == "anthropic":
        return "".join(block["text"] for block in body["content"] if block["type"] == "text")
    return Response.model_validate(body).output_text
