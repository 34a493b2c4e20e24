"""LiteLLM's chunks are read as chat completions, with the fields that it adds."""

from __future__ import annotations

import os
from typing import Any

import anyio
import pytest

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # it would ask the network as it is imported
litellm = pytest.importorskip("litellm", reason="litellm and the newest openai exclude each other")

from litellm.types.utils import Delta, ModelResponseStream, StreamingChoices  # noqa: E402

from guardstream import extract  # noqa: E402
from tests.extract.test_extract import collect  # noqa: E402
from tests.providers.laws import GUARD, cuttings, left_raw, unchanged  # noqa: E402

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
