"""LiteLLM's chunks are read as chat completions, with the fields that it adds."""

from __future__ import annotations

import os
from copy import deepcopy
from typing import Any

import anyio
import pytest

from guardstream import Guard, Policy, extract
from guardstream.http import guard_body
from tests.extract.test_extract import collect
from tests.providers import responses
from tests.providers.laws import GUARD, cuttings, left_raw, unchanged
from tests.support.optional import needs, optional

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # it would ask the network as it is imported
litellm = needs("litellm")
OpenAIResponsesAPIConfig = optional("litellm", "OpenAIResponsesAPIConfig")
Delta, ModelResponseStream, StreamingChoices = optional(
    "litellm.types.utils", "Delta", "ModelResponseStream", "StreamingChoices"
)

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")

ASK: dict[str, Any] = {
    "model": "gpt-4o",
    "messages": [{"role": "user", "content": "q"}],
    "stream": True,
}


def chunk(*, finish: str | None = None, **delta: Any) -> ModelResponseStream:
    return ModelResponseStream(
        choices=[StreamingChoices(index=0, delta=Delta(**delta), finish_reason=finish)]
    )


def thinking(said: str, **marks: Any) -> ModelResponseStream:
    """Thinking as LiteLLM gives Anthropic's: three times over."""
    blocks = [{"type": "thinking", "thinking": said, **marks}]
    fields = {"thinking_blocks": blocks}
    return chunk(reasoning_content=said, thinking_blocks=blocks, provider_specific_fields=fields)


def built(chunks: list[Any]) -> Any:
    return litellm.stream_chunk_builder(chunks).choices[0]


def test_an_answer_is_masked() -> None:
    out = list(GUARD.wrap_sync(litellm.completion(mock_response="a secret, no sec", **ASK)))
    assert built(out).message.content == "a ######, no sec"
    assert not left_raw(out)


def test_what_litellm_notes_of_a_call_is_no_text() -> None:
    chunks = [chunk(content=each) for each in ("a sec", "ret", ", no s", "e", "e.")]
    for number, each in enumerate(chunks):
        each._hidden_params = {"api_base": "http://secret", "created_at": number}
    out = list(GUARD.wrap_sync(chunks))
    assert [each.choices[0].delta.content for each in out] == ["a ", "######, no ", "see."]
    assert out[-1]._hidden_params == chunks[-1]._hidden_params


def test_what_a_provider_says_in_what_litellm_notes_is_guarded() -> None:
    chunks = [chunk(content=each) for each in ("a ", "word")]
    for each in chunks:
        each._hidden_params = {"provider_specific_fields": {"raw": "no secret"}, "model_id": "m"}
    out = list(GUARD.wrap_sync(chunks))
    said = [each._hidden_params["provider_specific_fields"]["raw"] for each in out]
    assert said == ["no ######"] * 2
    assert [each._hidden_params["model_id"] for each in out] == ["m"] * 2


def test_an_answer_is_masked_without_waiting() -> None:
    async def answer() -> str:
        source = await litellm.acompletion(mock_response="a secret, no sec", **ASK)
        return await GUARD.wrap(source).text()

    assert anyio.run(answer) == "a ######, no sec"


def test_what_no_rule_touches_passes_as_it_is() -> None:
    assert unchanged(list(litellm.completion(mock_response="plain text", **ASK)))
    assert unchanged([thinking("hm"), thinking("", signature="s"), chunk(finish="stop")])


def test_a_block_ends_the_answer() -> None:
    stream = GUARD.wrap_sync(litellm.completion(mock_response="so forbidden things", **ASK))
    choice = built(list(stream))
    assert (choice.message.content, choice.finish_reason) == ("so ", "content_filter")


def test_thinking_is_masked_wherever_it_is_repeated() -> None:
    for pieces in cuttings("a secret, no sec"):
        source = [thinking(piece) for piece in pieces]
        source += [thinking("", signature="s"), chunk(content="so", finish="stop")]
        stream = GUARD.wrap_sync(source)
        out = list(stream)
        message = built(out).message
        assert message.reasoning_content == "a ######, no sec"
        assert message.thinking_blocks[0]["thinking"] == "a ######, no sec"
        assert not left_raw(out)
        assert stream.result.thinking == "a ######, no sec"
        assert len(stream.findings) == 1


def test_what_an_answer_rests_on_is_masked() -> None:
    cited = {"citation": {"type": "page_location", "cited_text": "a secret"}}
    image = {"index": 0, "type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}
    source = [chunk(content="so"), chunk(provider_specific_fields=cited), chunk(images=[image])]
    assert not left_raw(list(GUARD.wrap_sync(source)))


def test_signed_tool_calls_are_masked() -> None:
    function = {"name": "find", "arguments": '{"q": "secret"}'}
    signed = {"provider_specific_fields": {"thought_signature": "s"}}
    call = {"index": 0, "id": "c", "type": "function", "function": function, **signed}
    stream = GUARD.wrap_sync([chunk(tool_calls=[call]), chunk(finish="tool_calls")])
    out = list(stream)
    assert built(out).message.tool_calls[0].function.arguments == '{"q": "######"}'
    assert not left_raw(out)


def test_a_calls_arguments_are_extracted() -> None:
    function = {"name": "find", "arguments": '{"rows": [1, 2]}'}
    source = [chunk(tool_calls=[{"index": 0, "id": "c", "type": "function", "function": function}])]
    assert collect(lambda: extract.items(source, "rows.item", tool="find")) == [1, 2]


def refusing() -> Guard:
    return Guard(Policy.parse("unknown: refuse\nrules: [{id: s, words: [secret]}]"))


def test_thinking_that_is_repeated_is_known_text() -> None:
    source = [thinking("a sec"), thinking("ret"), thinking("", signature="s"), chunk(finish="stop")]
    message = built(list(refusing().wrap_sync(source))).message
    assert message.thinking_blocks[0]["thinking"] == "a [s]"


def whole(*thoughts: str) -> dict[str, Any]:
    """A whole answer, with its thinking in these blocks."""
    blocks = [{"type": "thinking", "thinking": each, "signature": "s1"} for each in thoughts]
    message = {
        "role": "assistant",
        "content": "so",
        "reasoning_content": "".join(thoughts),
        "thinking_blocks": blocks,
        "provider_specific_fields": {"thinking_blocks": blocks} if len(blocks) == 1 else None,
    }
    reason = {"native_finish_reason": "STOP"}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    return {
        "object": "chat.completion",
        "choices": [{**choice, "provider_specific_fields": reason}],
    }


def test_thinking_of_a_whole_answer_is_masked_wherever_it_is_repeated() -> None:
    body, result = guard_body(GUARD, "openai_chat", whole("a secret, no sec"))
    message = body["choices"][0]["message"]
    assert message["reasoning_content"] == "a ######, no sec"
    assert message["thinking_blocks"][0]["thinking"] == "a ######, no sec"
    assert message["provider_specific_fields"] == {"thinking_blocks": message["thinking_blocks"]}
    assert [finding.channel for finding in result.findings] == ["thinking"]


def test_thinking_of_a_whole_answer_is_masked_in_any_blocks() -> None:
    for pieces in cuttings("a secret, no sec"):
        body, _ = guard_body(GUARD, "openai_chat", whole(*pieces))
        blocks = body["choices"][0]["message"]["thinking_blocks"]
        assert "".join(block.get("thinking", "") for block in blocks) == "a ######, no sec"


def test_thinking_of_a_whole_answer_is_judged_by_the_rules_for_thinking() -> None:
    rules = "rules: [{id: s, words: [secret], channels: [text], action: block}]"
    source = whole("a secret")
    body, result = guard_body(Guard(Policy.parse(rules)), "openai_chat", source)
    assert (body, result.finish) == (source, "stop")


def test_thinking_of_a_whole_answer_is_known_text() -> None:
    source = whole("a word")
    assert guard_body(refusing(), "openai_chat", source)[0] == source


def event(value: dict[str, Any]) -> Any:
    """An event of the Responses API as LiteLLM gives it."""
    return OpenAIResponsesAPIConfig().transform_streaming_response("m", value, None)  # type: ignore[arg-type]


def test_a_responses_text_and_calls_are_known() -> None:
    source = responses.stream(responses.text("a sec"), responses.call("find", '{"q": "secret"}'))
    stream = GUARD.wrap_sync(map(event, source))
    out = list(stream)
    assert (stream.result.text, stream.result.finish) == ("a sec", "tool_calls")
    assert [call.parse() for call in stream.result.tool_calls] == [{"q": "######"}]
    assert out[-1].response.output[1].arguments == '{"q": "######"}'


def test_a_responses_held_text_goes_out_before_its_end() -> None:
    out = list(GUARD.wrap_sync(map(event, responses.stream(responses.text("no ", "sec")))))
    deltas = [each.type == "response.output_text.delta" for each in out]
    done = next(at for at, each in enumerate(out) if each.type == "response.output_text.done")
    assert not any(deltas[done:])
    assert "".join(each.delta for each in out[:done] if hasattr(each, "delta")) == "no sec"


def test_a_block_ends_a_response_and_what_is_open_in_it() -> None:
    called = responses.call("find", '{"q": "', 'forbidden"}')
    for item in (responses.text("so ", "forbidden.", item="msg_2"), called):
        source = responses.stream(responses.text("yes"), item)
        stream = GUARD.wrap_sync(map(event, source))
        *_, closed, last = stream
        assert (closed.type, closed.item.status) == ("response.output_item.done", "incomplete")
        assert last.type == "response.incomplete"
        assert last.response.incomplete_details.reason == "content_filter"
        assert [each.id for each in last.response.output] == ["msg_1", closed.item.id]


def test_a_responses_thinking_is_not_its_text() -> None:
    """LiteLLM repeats the summary of another provider's thinking as text of the response."""
    begun, between, done = responses.thinking("a sec", "ret")
    said = [{"type": "output_text", "text": "a secret", "annotations": []}]
    source = responses.stream((begun, between, done), responses.text("so"))
    final = source[-1]["response"]["output"]
    final[0] = {"type": "reasoning", "id": done["id"], "role": "assistant", "content": said}
    stream = GUARD.wrap_sync(map(event, source))
    out = list(stream)
    assert (stream.result.text, stream.result.thinking) == ("so", "a ######")
    assert out[-1].response.output[0]["content"] == [{**said[0], "text": "a ######"}]
    assert len(stream.findings) == 1


def test_thinking_that_says_what_the_answer_says_is_repeated_as_thinking() -> None:
    policy = "rules: [{id: s, words: [secret], channels: [%s]}]"
    for channel in ("thinking", "text"):
        guard = Guard(Policy.parse(policy % channel))
        thought, said = ("[s]", "secret") if channel == "thinking" else ("secret", "[s]")
        answer = whole("secret")
        answer["choices"][0]["message"]["content"] = "secret"
        answer["choices"][0]["message"]["provider_specific_fields"] = None
        message = guard_body(guard, "openai_chat", answer)[0]["choices"][0]["message"]
        assert (message["reasoning_content"], message["content"]) == (thought, said)
        assert [each["thinking"] for each in message["thinking_blocks"]] == [thought]


def test_repeated_thinking_that_may_be_of_the_answer_or_not_is_guarded_alone() -> None:
    guard = Guard(Policy.parse("rules: [{id: s, words: [secret], channels: [thinking]}]"))
    answer = whole("secret")
    answer["choices"][0]["message"]["content"] = "secret"
    message = guard_body(guard, "openai_chat", answer)[0]["choices"][0]["message"]
    assert message["provider_specific_fields"]["thinking_blocks"][0]["thinking"] == "[s]"


def test_several_blocks_of_thinking_that_are_repeated_are_known_text() -> None:
    answer = whole("a secret", " and no sec", "ret")
    message = answer["choices"][0]["message"]
    message["provider_specific_fields"] = {"thinking_blocks": deepcopy(message["thinking_blocks"])}
    body, _ = guard_body(refusing(), "openai_chat", answer)
    message = body["choices"][0]["message"]
    blocks = message["thinking_blocks"]
    assert "".join(each["thinking"] for each in blocks) == "a [s] and no [s]"
    assert message["reasoning_content"] == "a [s] and no [s]"
    assert message["provider_specific_fields"] == {"thinking_blocks": blocks}
