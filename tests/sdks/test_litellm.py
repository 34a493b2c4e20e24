"""LiteLLM's chunks are read as chat completions, with the fields that it adds."""

from __future__ import annotations

import os
from typing import Any

import anyio
import pytest

from guardstream import extract
from tests.laws.asked import GUARD, left_raw
from tests.support.extracting import collect
from tests.support.optional import needs, optional

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # it would ask the network as it is imported
litellm = needs("litellm")
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


def built(chunks: list[Any]) -> Any:
    return litellm.stream_chunk_builder(chunks).choices[0]


def test_an_answer_is_masked() -> None:
    out = list(GUARD.wrap_sync(litellm.completion(mock_response="a secret, no sec", **ASK)))
    assert built(out).message.content == "a ######, no sec"
    assert not left_raw(out)


def test_an_answer_is_masked_without_waiting() -> None:
    async def answer() -> str:
        source = await litellm.acompletion(mock_response="a secret, no sec", **ASK)
        return await GUARD.wrap(source).text()

    assert anyio.run(answer) == "a ######, no sec"


def test_a_block_ends_the_answer() -> None:
    stream = GUARD.wrap_sync(litellm.completion(mock_response="so forbidden things", **ASK))
    choice = built(list(stream))
    assert (choice.message.content, choice.finish_reason) == ("so ", "content_filter")


def test_a_calls_arguments_are_extracted() -> None:
    function = {"name": "find", "arguments": '{"rows": [1, 2]}'}
    source = [chunk(tool_calls=[{"index": 0, "id": "c", "type": "function", "function": function}])]
    assert collect(lambda: extract.items(source, "rows.item", tool="find")) == [1, 2]
