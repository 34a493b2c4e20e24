"""No line changed but the address: official clients behind `guardstream serve`.

    guardstream serve --policy guardstream/chat --upstream https://api.openai.com

Here the proxy runs inside of this program, before the local provider.
"""

import openai
from support.local_provider import provider, serving

from guardstream import Guard
from guardstream.serve.proxy import ProxySettings, application

HELLO = [{"role": "user", "content": "Who can help me?"}]


def main() -> None:
    guards = {"default": Guard.load("guardstream/chat")}
    with provider() as upstream, serving(application(ProxySettings(upstream, guards))) as url:
        client = openai.OpenAI(base_url=f"{url}/v1", api_key="none")
        with (
            client,
            client.chat.completions.with_streaming_response.create(
                model="example", messages=HELLO, stream=True
            ) as response,
        ):
            policy = response.headers["guardstream-policy"]
            chunks = list(response.parse())
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    print(text, f"(guarded by {policy})")
    assert text == "Certainly! Write to [email], she will help."


main()
