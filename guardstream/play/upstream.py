"""A live model for the playground: an API like OpenAI's chat completions."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import httpx

from guardstream.errors import GuardstreamError, SSEError
from guardstream.framing.sse import Decoder, Event

_TIMEOUT = httpx.Timeout(60.0, connect=10.0)
"""Seconds: a model may think for a while before its first word."""


class UpstreamError(GuardstreamError):
    """The model's API failed; the message never contains its answer."""


@dataclass(frozen=True, slots=True)
class Upstream:
    """The API's base URL, as clients of OpenAI take it (`https://api.openai.com/v1`), and the
    model."""

    url: str
    model: str
    key: str = field(default="", repr=False)
    transport: httpx.AsyncBaseTransport | None = None

    async def answer(self, prompt: str) -> AsyncGenerator[dict[str, Any], None]:
        """Yield the chunks of the model's answer as they arrive. UpstreamError if the API fails."""
        body = {
            "model": self.model,
            "messages": [{"role": "user", "content": prompt}],
            "stream": True,
        }
        headers = {"authorization": f"Bearer {self.key}"} if self.key else {}
        url = f"{self.url.rstrip('/')}/chat/completions"
        try:
            async with (
                httpx.AsyncClient(timeout=_TIMEOUT, transport=self.transport) as client,
                client.stream("POST", url, json=body, headers=headers) as response,
            ):
                if response.status_code != httpx.codes.OK:
                    raise UpstreamError(f"the model's API answered {response.status_code}")
                async with aclosing(_chunks(response)) as chunks:
                    async for chunk in chunks:
                        yield chunk
        except httpx.HTTPError as error:
            raise UpstreamError(f"the model's API failed ({type(error).__name__})") from error
        except (SSEError, ValueError) as error:
            raise UpstreamError("the model's API answered with something else") from error


async def _chunks(response: httpx.Response) -> AsyncGenerator[dict[str, Any], None]:
    decoder = Decoder()
    async for data in response.aiter_bytes():
        for item in decoder.feed(data):
            if isinstance(item, Event) and item.data != "[DONE]":
                yield json.loads(item.data)
