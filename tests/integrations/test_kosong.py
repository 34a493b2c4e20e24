"""A Kosong chat provider behind a guard, by itself and in `kosong.generate` and `kosong.step`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from guardstream.integrations.kosong import GuardedChatProvider
from tests.laws.asked import GUARD
from tests.support.optional import needs
from tests.support.samples.kosong import TextPart, ThinkPart, arguments, call, message


class Streamed:
    """A provider's message; `usage` is known at its end."""

    id = "msg_1"

    def __init__(self, parts: Sequence[Any]) -> None:
        self.parts = parts
        self.usage: Any = None

    async def __aiter__(self) -> AsyncIterator[Any]:
        for part in self.parts:
            yield part
        self.usage = {"output": len(self.parts)}


class Provider:
    """A chat provider that always says the same."""

    name = "fake"
    model_name = "fake-1"

    def __init__(self, *parts: Any, effort: str | None = None) -> None:
        self.parts = parts
        self.thinking_effort = effort
        self.asked: Any = None

    async def generate(self, system_prompt: str, tools: Any, history: Any) -> Streamed:
        self.asked = (system_prompt, tools, history)
        return Streamed([part.model_copy(deep=True) for part in self.parts])

    def with_thinking(self, effort: str) -> Provider:
        return Provider(*self.parts, effort=effort)


@pytest.mark.anyio
async def test_a_message_has_guarded_parts_and_the_providers_id_and_usage() -> None:
    inner = Provider(ThinkPart(think="a sec"), ThinkPart(think="ret."), TextPart(text="a secret."))
    provider = GuardedChatProvider(inner, GUARD)
    said = await provider.generate("be kind", [], ["hello"])
    think, text = message([part async for part in said])
    assert (think.think, text.text) == ("a ######.", "a ######.")
    assert (said.id, said.usage, said.trace_id) == ("msg_1", {"output": 3}, None)
    assert inner.asked == ("be kind", [], ["hello"])
    assert [found.rule for found in said.guarded.findings] == ["word", "word"]


@pytest.mark.anyio
async def test_what_the_provider_says_of_itself_passes() -> None:
    provider = GuardedChatProvider(Provider(effort="low"), GUARD)
    assert (provider.name, provider.model_name, provider.thinking_effort) == (
        "fake",
        "fake-1",
        "low",
    )
    thinking = provider.with_thinking("high")
    assert (type(thinking), thinking.thinking_effort) == (GuardedChatProvider, "high")
    assert provider.on_retryable_error(ConnectionError()) is False


@pytest.mark.anyio
async def test_a_call_that_a_block_cuts_is_not_made() -> None:
    parts = [call("find"), arguments('{"q": "'), arguments('forbidden "}')]
    said = await GuardedChatProvider(Provider(*parts), GUARD).generate("", [], [])
    with pytest.raises(Exception, match="within a tool call") as raised:
        [part async for part in said]
    assert "'bad'" in str(raised.value)


@pytest.mark.asyncio
async def test_the_package_makes_guarded_messages_and_calls() -> None:
    kosong = needs("kosong")
    from kosong.tooling import CallableTool, ToolOk, ToolReturnValue
    from kosong.tooling.simple import SimpleToolset

    given: list[Any] = []

    class Find(CallableTool):  # type: ignore[misc, unused-ignore]
        name: str = "find"
        description: str = "Finds things."
        parameters: dict[str, Any] = {"type": "object", "properties": {"q": {"type": "string"}}}  # noqa: RUF012

        async def __call__(self, q: str) -> ToolReturnValue:
            given.append(q)
            return ToolOk(output="none")

    inner = Provider(
        *(TextPart(text="a sec"), TextPart(text="ret ")),
        *(call("find"), arguments('{"q": "a sec'), arguments('ret"}')),
    )
    provider = GuardedChatProvider(inner, GUARD)
    heard: list[Any] = []
    result = await kosong.step(
        provider, "", SimpleToolset([Find()]), [], on_message_part=heard.append
    )
    assert result.message.extract_text() == "a ###### "
    assert [each.function.arguments for each in result.tool_calls] == ['{"q": "a ######"}']
    assert (await result.tool_results())[0].return_value.output == "none"
    assert given == ["a ######"]
    assert "secret" not in str(message(heard))
    assert (result.id, result.usage) == ("msg_1", {"output": 5})

    blocked = Provider(call("find"), arguments('{"q": "x"}'), call("find", '{"q": "forbidden "}'))
    made: list[Any] = []
    with pytest.raises(kosong.chat_provider.ChatProviderError, match="'bad'"):
        await kosong.generate(
            GuardedChatProvider(blocked, GUARD), "", [], [], on_tool_call=made.append
        )
    assert [each.function.arguments for each in made] == ['{"q": "x"}']
