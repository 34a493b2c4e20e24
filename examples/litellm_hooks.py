"""LiteLLM's proxy: a guardrail of its configuration guards prompts, streams and whole answers."""

import asyncio
import os
from typing import Any

from support.local_provider import provider

os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # it would ask the network

import litellm

from guardstream.integrations.litellm import Guardrail

guardrail = Guardrail(
    policy="guardstream/chat",
    guardrail_name="guardstream",
    event_hook=["pre_call", "post_call"],
    default_on=True,
)
"""What the proxy makes of `guardrail: guardstream.integrations.litellm.Guardrail`."""


async def main() -> None:
    with provider() as url:
        where: dict[str, Any] = {"api_base": f"{url}/v1", "api_key": "none"}
        messages: list[Any] = [{"role": "user", "content": "Who can help me?"}]
        asked: dict[str, Any] = {"model": "chat", "messages": messages, "metadata": {}}
        # From here on the proxy does it.
        asked = await guardrail.async_pre_call_hook(None, None, asked, "completion")
        streamed = await litellm.acompletion("openai/example", messages, stream=True, **where)
        shown = ""
        async for chunk in guardrail.async_post_call_streaming_iterator_hook(None, streamed, asked):
            shown += chunk.choices[0].delta.content or ""
        answer = await litellm.acompletion("openai/example", messages, **where)
        whole = await guardrail.async_post_call_success_hook(asked, None, answer)
    print(shown, whole.choices[0].message.content, sep="\n")
    assert shown == "Certainly! Write to [email], she will help."
    assert shown == whole.choices[0].message.content


if __name__ == "__main__":
    asyncio.run(main())
