"""A retrieval pipeline: find documents, stream the answer, then name its sources; all guarded.

Documents go through the guard before the model sees them, so that what is not to be told cannot be
quoted. The answer goes through it again, and so do the titles of the sources.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from guardstream import Guard

guard = Guard.load("guardstream/chat")


@dataclass(frozen=True)
class Document:
    title: str
    text: str


DOCUMENTS = [
    Document("Holidays (kept by bob@example.com)", "Holidays are booked with ann@example.com."),
    Document("Kitchen", "The kitchen closes at eight."),
    Document("Payroll", "Payroll questions go to card 4111 1111 1111 1111."),
]


def words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.lower()))


def find(question: str) -> list[Document]:
    """Return the documents that share most words with the question, at most two."""
    shared = {each.title: len(words(question) & words(each.text)) for each in DOCUMENTS}
    found = sorted(
        (each for each in DOCUMENTS if shared[each.title]), key=lambda d: -shared[d.title]
    )
    return [
        Document(guard.check(each.title).text, guard.check(each.text).text) for each in found[:2]
    ]


async def model(question: str, sources: Sequence[Document]) -> AsyncIterator[str]:
    """Stands for a provider's stream; it quotes, and makes up an address of its own."""
    for word in f"{sources[0].text} Or ask carl@example.com. ({question})".split(" "):
        yield word + " "


async def main() -> None:
    question = "How are holidays booked?"
    print("Searching ...")
    sources = find(question)
    async with guard.wrap(model(question, sources)) as answer:
        async for chunk in answer:
            print(chunk, end="", flush=True)
    titles = "; ".join(source.title for source in sources)
    print(f"\nSources: {titles}")
    assert answer.result.text.startswith("Holidays are booked with [email]. Or ask [email].")
    assert titles == "Holidays (kept by [email])"
    assert len(answer.findings) == 1  # the model's own: it never saw the other


asyncio.run(main())
