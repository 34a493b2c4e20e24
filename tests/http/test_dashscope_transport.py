"""DashScope below a client: the request says how the answer is told."""

from __future__ import annotations

import json
import re
from typing import Any

import anyio
import httpx
import pytest

from guardstream import AdapterError, Guard, Policy
from guardstream.http.transport import GuardTransport, SyncGuardTransport
from tests.laws.asked import events
from tests.support.samples.dashscope import said, told
from tests.support.transport import Source

GUARD = Guard(Policy.parse("rules: [{id: card, words: ['11234'], replacement: '#'}]"))
URL = "http://127.0.0.1/api/v1/services/aigc/text-generation/generation"


@pytest.mark.parametrize(
    ("incremental", "values", "shown"),
    [
        (True, ["1", "1", "2"], "112"),
        (False, ["1", "1", "12"], "12"),
        (None, ["1", "1", "234", ""], "#####"),
    ],
)
@pytest.mark.parametrize("asynchronous", [False, True])
def test_the_request_says_how_a_text_is_told(
    incremental: bool | None, values: list[str], shown: str, asynchronous: bool
) -> None:
    parameters = {} if incremental is None else {"incremental_output": incremental}
    request: dict[str, Any] = {"input": {"prompt": "so"}, "parameters": parameters}
    headers = {"content-type": "text/event-stream"}
    answer = httpx.Response(200, headers=headers, content=events(*told(values)))
    inner = httpx.MockTransport(lambda _: answer)

    async def post() -> httpx.Response:
        async with httpx.AsyncClient(transport=GuardTransport(GUARD, inner)) as client:
            return await client.post(URL, json=request)

    if asynchronous:
        response = anyio.run(post)
    else:
        response = httpx.Client(transport=SyncGuardTransport(GUARD, inner)).post(URL, json=request)
    texts = [said(chunk) for chunk in map(json.loads, re.findall("data: (.*)", response.text))]
    assert (texts[-1] if incremental is False else "".join(texts)) == shown


@pytest.mark.parametrize("asynchronous", [False, True])
def test_an_answer_to_a_request_that_cannot_be_read_is_closed(asynchronous: bool) -> None:
    source = Source(events(*told(["1", "2"])))
    headers = {"content-type": "text/event-stream"}
    inner = httpx.MockTransport(lambda _: httpx.Response(200, headers=headers, stream=source))
    twice = b'{"parameters": {}, "parameters": {"incremental_output": true}}'

    async def put() -> httpx.Response:
        async with httpx.AsyncClient(transport=GuardTransport(GUARD, inner)) as client:
            return await client.put(URL, content=twice)

    client = httpx.Client(transport=SyncGuardTransport(GUARD, inner))
    with pytest.raises(AdapterError, match="repeats a key"):
        anyio.run(put) if asynchronous else client.put(URL, content=twice)
    assert source.closed
