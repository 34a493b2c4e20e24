"""JSON as a model really writes it: mended while it streams, each repair is told, never a value."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator

from guardstream import Guard, Policy

POLICY = """
name: bookings
json:
  fences: strip
  repair: true   # or a list of kinds; a document that is cut short stays a violation
  schema:
    type: object
    properties:
      guest: {type: string}
      nights: {type: integer, minimum: 1, maximum: 30}
      breakfast: {type: boolean}
      extras: {type: array, items: {type: string}}
    required: [guest, nights]
    additionalProperties: false
"""
ANSWER = """Of course! Here is the booking:
```json
{
  // as you asked
  guest: 'Ada Lovelace',
  "nights": 3,
  "breakfast": True,
  "extras": ["sea view", "late check-out",],
}
```
Anything else?"""


async def model() -> AsyncGenerator[str, None]:
    """Stands for a provider's stream."""
    for at in range(0, len(ANSWER), 4):
        await asyncio.sleep(0)
        yield ANSWER[at : at + 4]


async def main() -> None:
    """Show what comes out as it comes, and what was mended in it."""
    stream = Guard(Policy.parse(POLICY)).wrap(model())
    text = ""
    async for chunk in stream:
        text += chunk
        print(chunk, end="", flush=True)
    print()
    booking = json.loads(text)  # JSON at every moment, so also at the end
    assert booking["extras"] == ["sea view", "late check-out"], booking
    kinds = [each.rule for each in stream.findings if each.kind == "repair"]
    assert kinds, "nothing was mended"
    assert stream.result.finish == "stop", stream.result.finish
    print("mended:", ", ".join(dict.fromkeys(kinds)))


asyncio.run(main())
