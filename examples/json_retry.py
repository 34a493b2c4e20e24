"""A model that is asked again: each answer is refused at its first mistake, and told which.

The answers are guarded on their way, so that what is booked is masked too.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

from guardstream import Guard, Policy
from guardstream.jsonstream import Document, Schema

guard = Guard(Policy.parse("{extends: guardstream/chat, json: {}}"))

ATTEMPTS = 3
SCHEMA = Schema(
    {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "guests": {"type": "integer", "maximum": 8},
            "note": {"type": "string"},
        },
        "required": ["name", "guests"],
        "additionalProperties": False,
    }
)
ANSWERS = [
    '{"name": "Ada Lovelace", "guests": "two", "wishes": ["quiet"]}',
    '{"name": "Ada Lovelace", "guests": 12}',
    '{"name": "Ada Lovelace", "guests": 2, "note": "mail ada@example.com"}',
]


async def model(messages: list[str]) -> AsyncGenerator[str, None]:
    """Stands for a provider's stream; it answers by how often it was asked."""
    answer = ANSWERS[len(messages) // 2]
    for at in range(0, len(answer), 4):
        await asyncio.sleep(0)
        yield answer[at : at + 4]


async def ask(messages: list[str]) -> Any:
    """Return the first valid answer; ValueError if there is none within the attempts."""
    for _ in range(ATTEMPTS):
        document = Document(SCHEMA)
        async with guard.wrap(model(messages)) as stream:
            async for chunk in stream:
                document.feed(chunk)
                if document.ended:
                    break  # the source is closed: the provider stops writing, and billing
        document.finish()
        if document.error is None:
            return document.value
        print(f"refused after {document.offset} characters:", document.error.advice)
        messages += ["(the answer)", f"Your answer is not valid: {document.error.advice}. Again."]
    raise ValueError(f"no valid answer in {ATTEMPTS} attempts")


asked = ["Book a table for two, in the name of Ada."]
booked = asyncio.run(ask(asked))
print("booked:", booked)
assert booked == {"name": "Ada Lovelace", "guests": 2, "note": "mail [email]"}
assert ['expected type "integer"' in asked[2], "expected maximum 8" in asked[4]] == [True, True]
