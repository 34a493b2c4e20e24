"""LiteLLM's proxy: a class for `litellm_settings: {callbacks: ...}` guards what its clients get."""

import asyncio
import os
from collections.abc import AsyncGenerator
from typing import Any

from support.local_provider import provider

from guardstream import Guard
from guardstream.http import aguard_body

os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # it would ask the network

import litellm
from litellm.integrations.custom_logger import CustomLogger
from litellm.types.llms.openai import ResponsesAPIResponse

guard = Guard.load("guardstream/chat")

FORMATS: dict[type, str] = {
    litellm.ModelResponse: "openai_chat",
    ResponsesAPIResponse: "openai_responses",
}
"""The formats of whole answers, by their classes."""


class Guarded(CustomLogger):
    """The hooks that the proxy calls before it answers."""

    async def async_post_call_streaming_iterator_hook(
        self,
        user_api_key_dict: Any,  # noqa: ARG002
        response: Any,
        request_data: dict[str, Any],  # noqa: ARG002
    ) -> AsyncGenerator[Any]:
        async with guard.wrap(response) as stream:
            async for chunk in stream:
                yield chunk

    async def async_post_call_success_hook(
        self,
        data: dict[str, Any],  # noqa: ARG002
        user_api_key_dict: Any,  # noqa: ARG002
        response: Any,
    ) -> Any:
        if isinstance(response, litellm.EmbeddingResponse):  # numbers
            return response
        if isinstance(response, dict):  # of /v1/messages
            body, _ = await aguard_body(guard, "anthropic", response)
            return body
        provider = FORMATS.get(type(response))
        if provider is None:
            raise TypeError(f"no rules for {type(response).__qualname__!r}")
        body, _ = await aguard_body(guard, provider, response.model_dump(mode="json"))
        return type(response)(**body)


hooks = Guarded()
"""What the proxy's configuration names."""


async def main() -> None:
    with provider() as url:
        router = litellm.Router(
            [
                {
                    "model_name": "chat",
                    "litellm_params": {
                        "model": "openai/example",
                        "api_base": f"{url}/v1",
                        "api_key": "none",
                    },
                }
            ]
        )
        messages: list[Any] = [{"role": "user", "content": "Who can help me?"}]
        # From here on the proxy does it.
        streamed = await router.acompletion("chat", messages, stream=True)
        shown = ""
        async for chunk in hooks.async_post_call_streaming_iterator_hook(None, streamed, {}):
            shown += chunk.choices[0].delta.content or ""
        answer = await router.acompletion("chat", messages)
        whole = await hooks.async_post_call_success_hook({}, None, answer)
    print(shown, whole.choices[0].message.content, sep="\n")
    assert shown == "Certainly! Write to [email], she will help."
    assert shown == whole.choices[0].message.content


if __name__ == "__main__":
    asyncio.run(main())
