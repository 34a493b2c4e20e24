"""A retrieval pipeline: find documents, stream the answer, then give its sources; all guarded.

The documents go through the guard before the model sees them, so that what is not to be told
cannot be quoted; the answer does again.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence

from guardstream import Guard

DOCUMENTS = {
    "handbook": "Holidays are booked with Ann, ann@example.com, two weeks ahead.",
    "kitchen": "The kitchen closes at eight.",
    "payroll": "Payroll questions go to card 4111 1111 1111 1111.",
}


def find(question: str) -> list[str]:
    words = set(re.findall(r"\w+", question.lower()))
    scores = {
        name: len(words & set(re.findall(r"\w+", text.lower()))) for name, text in DOCUMENTS.items()
    }
    return [name for name in sorted(scores, key=lambda name: -scores[name]) if scores[name]][:2]


async def model(question: str, passages: Sequence[str]) -> AsyncIterator[str]:
    for word in f"{passages[0]} (Asked: {question})".split(" "):
        yield word + " "


async def main() -> None:
    guard = Guard.load("guardstream/chat")
    question = "How are holidays booked?"
    sources = find(question)
    passages = [guard.check(DOCUMENTS[name]).text for name in sources]
    async with guard.wrap(model(question, passages)) as answer:
        async for chunk in answer:
            print(chunk, end="", flush=True)
    print(f"\nSources: {', '.join(sources)}")
    assert "Holidays are booked with Ann, [email]" in answer.result.text


asyncio.run(main())
