"""A model that is asked again: each answer is refused at its first mistake, and told which."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Any

from guardstream.jsonstream import Document, Schema

ATTEMPTS = 3
SCHEMA = Schema(
    {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "guests": {"type": "integer", "maximum": 8},
        },
        "required": ["name", "guests"],
        "additionalProperties": False,
    }
)
ANSWERS = [
    '{"name": "Ada Lovelace", "guests": "two", "wishes": ["quiet room"]}',
    '{"name": "Ada Lovelace", "guests": 12}',
    '{"name": "Ada Lovelace", "guests": 2}',
]


async def model(messages: list[str]) -> AsyncGenerator[str, None]:
    """Stands for a provider's stream; it answers by how often it was asked."""
    answer = ANSWERS[len(messages) // 2]
    for at in range(0, len(answer), 4):
        await asyncio.sleep(0)
        yield answer[at : at + 4]


async def ask(question: str) -> Any:
    """Return the first valid answer; ValueError if there is none within the attempts."""
    messages = [question]
    for _ in range(ATTEMPTS):
        document = Document(SCHEMA)
        stream = model(messages)
        async for chunk in stream:
            document.feed(chunk)
            if document.ended:
                break
        await stream.aclose()  # the provider stops writing, and billing
        document.finish()
        if document.error is None:
            return document.value
        print(f"refused after {document.offset} characters:", document.error.advice)
        messages += ["(the answer)", f"Your answer is not valid: {document.error.advice}. Again."]
    raise ValueError(f"no valid answer in {ATTEMPTS} attempts")


print("booked:", json.dumps(asyncio.run(ask("Book a table for two, in the name of Ada."))))
