"""The guardrail of LiteLLM's proxy, with LiteLLM's own answers and streams."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.support.optional import needs

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # it would ask the network as it is imported
litellm = needs("litellm")
fastapi = needs("fastapi")

from guardstream.integrations.litellm import Guardrail  # noqa: E402
from tests.sdks.litellm_upstream import POLICY  # noqa: E402

pytestmark = [
    pytest.mark.asyncio,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning"),
]

HOOKS = ["pre_call", "post_call"]


@pytest.fixture
def guardrail(tmp_path: Path) -> Guardrail:
    (tmp_path / "policy.yaml").write_text(POLICY)
    return Guardrail(
        policy=str(tmp_path / "policy.yaml"),
        guardrail_name="guardstream",
        event_hook=HOOKS,
        default_on=True,
    )


def asked(text: str = "hi", **more: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": text}], "metadata": {}, **more}


async def answer(text: str, **options: Any) -> Any:
    messages = asked()["messages"]
    return await litellm.acompletion(
        "openai/m", messages, api_key="k", mock_response=text, **options
    )


def logged(data: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = data["metadata"]["standard_logging_guardrail_information"]
    return found


async def shown(guardrail: Guardrail, text: str, data: dict[str, Any]) -> list[Any]:
    stream = await answer(text, stream=True)
    hook = guardrail.async_post_call_streaming_iterator_hook(None, stream, data)
    return [chunk.choices[0] async for chunk in hook]


async def test_prompts_are_masked(guardrail: Guardrail) -> None:
    data = asked("I am Ann", proxy_server_request={"body": asked("I am Ann")})
    judged = await guardrail.async_pre_call_hook(None, None, data, "acompletion")
    assert judged["messages"] == asked("I am [name]")["messages"]
    assert judged["proxy_server_request"] is data["proxy_server_request"]


@pytest.mark.parametrize("field", ["metadata_prompt", "litellm_hint", "guardrails"])
async def test_every_field_that_a_client_sends_is_judged(guardrail: Guardrail, field: str) -> None:
    sent = {**asked(), field: ["be evil"]}
    data = {**sent, "proxy_server_request": {"body": sent}, "litellm_call_id": "evil"}
    with pytest.raises(fastapi.HTTPException):
        await guardrail.async_pre_call_hook(None, None, data, "acompletion")
    del sent[field], data[field]
    assert await guardrail.async_pre_call_hook(None, None, data, "acompletion") is data


async def test_the_name_of_a_field_is_masked_in_its_place(guardrail: Guardrail) -> None:
    data = asked(Ann="x")
    judged = await guardrail.async_pre_call_hook(None, None, data, "acompletion")
    (logged,) = judged.pop("metadata")["standard_logging_guardrail_information"]
    assert judged == {"model": "m", "messages": asked()["messages"], "[name]": "x"}
    assert [each["rule"] for each in logged["guardrail_response"]["findings"]] == ["name"]


async def test_a_blocked_prompt_is_refused_and_logged(guardrail: Guardrail) -> None:
    data = asked("be evil")
    with pytest.raises(fastapi.HTTPException) as refused:
        await guardrail.async_pre_call_hook(None, None, data, "acompletion")
    assert refused.value.status_code == 400
    assert refused.value.detail["error"]["rule"] == "evil"
    assert logged(data)[0]["guardrail_status"] == "guardrail_intervened"


async def test_prompts_of_any_api_are_judged(guardrail: Guardrail) -> None:
    for call, data in {
        "aresponses": {"input": "be evil"},
        "anthropic_messages": {"messages": [{"role": "user", "content": "be evil"}]},
        "atext_completion": {"prompt": "be evil"},
        "of another time": {"words": ["be evil"]},
    }.items():
        with pytest.raises(fastapi.HTTPException):
            await guardrail.async_pre_call_hook(None, None, {**data, "metadata": {}}, call)


async def test_a_whole_answer_is_guarded(guardrail: Guardrail) -> None:
    data = asked()
    whole = await answer("a bluebird here")
    made = await guardrail.async_post_call_success_hook(data, None, whole)
    assert made.choices[0].message.content == "a [bird] here"
    (record,) = logged(data)
    assert record["masked_entity_count"] == {"bird": 1}
    assert "bluebird" not in str(record)


@pytest.mark.parametrize("text", ["a bluebird here", "a bluebird is forbidden and more"])
async def test_a_stream_is_guarded(guardrail: Guardrail, text: str) -> None:
    data = asked()
    choices = await shown(guardrail, text, data)
    said = "".join(choice.delta.content or "" for choice in choices)
    blocked = "forbidden" in text
    assert said == ("a [bird] is " if blocked else "a [bird] here")
    assert choices[-1].finish_reason == ("content_filter" if blocked else "stop")
    status = "guardrail_intervened" if blocked else "success"
    assert [record["guardrail_status"] for record in logged(data)] == [status]


async def test_what_is_not_asked_for_is_not_done(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text(POLICY)
    given = {"policy": str(tmp_path / "policy.yaml"), "guardrail_name": "guardstream"}
    guardrail = Guardrail(**given, event_hook=["post_call"], default_on=True)
    data = asked("be evil")
    assert await guardrail.async_pre_call_hook(None, None, data, "acompletion") is data
    guardrail = Guardrail(**given, event_hook=HOOKS, default_on=False)
    choices = await shown(guardrail, "a bluebird here", asked())
    assert "".join(choice.delta.content or "" for choice in choices) == "a bluebird here"


async def test_an_answer_of_another_kind_is_refused(guardrail: Guardrail) -> None:
    numbers = litellm.EmbeddingResponse()
    assert await guardrail.async_post_call_success_hook(asked(), None, numbers) is numbers
    with pytest.raises(TypeError, match="is not guarded"):
        await guardrail.async_post_call_success_hook(asked(), None, litellm.ImageResponse())
