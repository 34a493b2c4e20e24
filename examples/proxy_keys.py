"""The proxy holds the provider's key; each client has one of its own, with a budget.

    guardstream key new web --file keys.yaml --tokens 100000/d

writes such a key's hash, and the policy's section `serve` names that file (`key_file: keys.yaml`)
and the provider's key. Here the same is said in Python, before a provider on this machine.
"""

import hashlib
import secrets

import openai
from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse
from support.local_provider import RECORDINGS, serving

from guardstream import Guard
from guardstream.serve.proxy import Key, ProxySettings, Target, application

provider = FastAPI()
seen: list[str | None] = []


@provider.post("/v1/chat/completions")
async def answer(request: Request) -> StreamingResponse:
    seen.append(request.headers.get("authorization"))
    recording = (RECORDINGS / "openai_chat.sse").read_bytes().splitlines(keepends=True)
    return StreamingResponse(iter(recording), media_type="text/event-stream")


def ask(url: str, key: str) -> str:
    with openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0) as client:
        chunks = client.chat.completions.create(
            model="example",
            messages=[{"role": "user", "content": "Who?"}],
            max_tokens=960,
            stream=True,
        )
        return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


key = "gsk-" + secrets.token_urlsafe(32)  # the client's; the proxy has its hash alone
web = Key("web", hashlib.sha256(key.encode()).hexdigest(), tokens=(1000, 86_400.0))
guards = {"default": Guard.load("guardstream/chat")}

with serving(provider) as upstream:
    target = Target(upstream, key="the-providers-key")
    with serving(application(ProxySettings(target, guards, keys={"web": web}))) as url:
        said = ask(url, key)
        refused = []
        for each in ("the-providers-key", key):  # no key of this proxy; a budget that is used up
            try:
                ask(url, each)
            except openai.APIStatusError as error:
                refused.append(error.status_code)
print(said, seen, refused)
assert said == "Certainly! Write to [email], she will help."
assert (seen, refused) == (["Bearer the-providers-key"], [401, 429])
