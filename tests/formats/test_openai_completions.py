"""Legacy completion streams: the text of every choice is guarded, all else passes in order."""

from __future__ import annotations

from typing import Any

import pytest

from guardstream.formats import OpenAICompletions, detect
from tests.formats.served import Body, openai_client, sse
from tests.laws.asked import STARS as GUARD
from tests.support.optional import optional

construct_type = optional("openai._models", "construct_type")
Completion = optional("openai.types", "Completion")


def chunk(text: str = "", *, choice: int = 0, finish: str | None = None, **fields: Any) -> Any:
    values = {"index": choice, "text": text, "logprobs": None, "finish_reason": finish}
    return {"id": "c", "object": "text_completion", "created": 1, "model": "m"} | {
        "choices": [values],
        **fields,
    }


def model(item: dict[str, Any]) -> Any:
    return construct_type(type_=Completion, value=item)


def usage() -> dict[str, Any]:
    return {**chunk(), "choices": [], "usage": {"total_tokens": 7}}


@pytest.mark.parametrize("item", [chunk("x"), model(chunk("x")), usage()])
def test_chunks_are_detected(item: Any) -> None:
    assert isinstance(detect(item), OpenAICompletions)


def test_the_official_client_reads_it() -> None:
    body = Body(*(sse([item]) for item in [chunk("my sec"), chunk("ret!"), chunk(finish="stop")]))
    with openai_client(body) as client:
        created = client.completions.create(model="m", prompt="x", stream=True)
        out = list(GUARD.wrap_sync(created))
    assert "".join(item.choices[0].text for item in out) == "my ******!"
    assert all(isinstance(item, Completion) for item in out)
    assert body.closed
