"""Recordings with thinking, tools and done events, through the proxy to the official clients."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from guardstream import Guard, Policy
from tests.serve.proxy.upstream import proxied
from tests.support.optional import optional

anthropic = optional("anthropic")
openai = optional("openai")

RECORDINGS = Path(__file__).resolve().parents[2] / "examples" / "recordings"

SAID = "Certainly! Write to [email], she will help."

HELLO: Any = [{"role": "user", "content": "Who can help me?"}]

POLICY = r"""
extends: guardstream/pii-en
rules: [{id: help, words: [she will help], action: ACTION}]
"""


def behind(recording: str, action: str = "monitor") -> Any:
    """A proxy before a provider that replays a recording."""
    parts = (RECORDINGS / recording).read_bytes().splitlines(keepends=True)
    guards = {"default": Guard(Policy.parse(POLICY.replace("ACTION", action)))}
    return proxied(lambda provider, _: provider.stream(parts), guards=guards)


def test_a_response_with_a_tool_call() -> None:
    with (
        behind("openai_responses.sse") as (url, _),
        openai.OpenAI(base_url=f"{url}/v1", api_key="x", max_retries=0) as client,
        client.responses.stream(model="m", input="hello") as stream,
    ):
        last = list(stream)[-1]
        assert last.type == "response.completed", last
        final = stream.get_final_response()
    assert final.output_text == SAID
    assert final.output[1].arguments == '{"to": "[email]"}'  # type: ignore[union-attr]
    assert final.status == "completed"
    assert "example.com" not in final.model_dump_json()


def test_a_response_that_is_blocked_is_incomplete() -> None:
    with (
        behind("openai_responses.sse", "block") as (url, _),
        openai.OpenAI(base_url=f"{url}/v1", api_key="x", max_retries=0) as client,
    ):
        events = list(client.responses.create(model="m", input="hello", stream=True))
    last: Any = events[-1]
    assert last.type == "response.incomplete"
    assert last.response.incomplete_details.reason == "content_filter"
    assert last.response.output_text == "Certainly! Write to [email], "


@pytest.mark.parametrize("action", ["monitor", "block"])
def test_a_message_with_thinking_and_a_tool(action: str) -> None:
    with (
        behind("anthropic.sse", action) as (url, _),
        anthropic.Anthropic(base_url=url, api_key="x", max_retries=0) as client,
        client.messages.stream(model="m", max_tokens=9, messages=HELLO) as stream,
    ):
        final = stream.get_final_message()
    blocks: list[Any] = list(final.content)
    assert blocks[0].thinking == "Ann's mail is [email]."
    if action == "block":
        assert blocks[1].text == "Certainly! Write to [email], "
        assert (len(blocks), final.stop_reason) == (2, "refusal")
    else:
        assert blocks[1].text == SAID
        assert blocks[2].input == {"to": "[email]"}
        assert final.stop_reason == "tool_use"


def test_a_chat_completion_with_a_tool_call_and_usage() -> None:
    with (
        behind("openai_chat.sse") as (url, _),
        openai.OpenAI(base_url=f"{url}/v1", api_key="x", max_retries=0) as client,
        client.chat.completions.stream(model="m", messages=HELLO) as stream,
    ):
        final = stream.get_final_completion()
    message = final.choices[0].message
    assert message.content == SAID
    assert message.tool_calls is not None
    assert message.tool_calls[0].function.arguments == '{"to": "[email]"}'
    assert final.usage is not None
    assert final.usage.total_tokens == 33
