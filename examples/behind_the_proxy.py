"""No line changed but the address: official clients behind `guardstream serve`.

    guardstream serve guardstream/chat --upstream https://api.openai.com

Here the application that this command serves runs inside this program, before the local provider.
"""

import anthropic
import openai
from support.local_provider import provider, serving

from guardstream import Guard
from guardstream.serve.proxy import ProxySettings, application

HELLO = [{"role": "user", "content": "Who can help me?"}]
SAID = "Certainly! Write to [email], she will help."


def ask_openai(url: str) -> str:
    with openai.OpenAI(base_url=f"{url}/v1", api_key="none") as client:
        chunks = client.chat.completions.create(model="example", messages=HELLO, stream=True)
        return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


def ask_anthropic(url: str) -> str:
    with (
        anthropic.Anthropic(base_url=url, api_key="none") as client,
        client.messages.stream(model="example", max_tokens=99, messages=HELLO) as stream,
    ):
        return "".join(stream.text_stream)


guards = {"default": Guard.load("guardstream/chat")}
with provider() as upstream, serving(application(ProxySettings(upstream, guards))) as url:
    answers = [ask_openai(url), ask_anthropic(url)]
print(*answers, sep="\n")
assert answers == [SAID, SAID]
