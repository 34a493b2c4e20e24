"""What gets through: planted secrets, in four chunkings, through any guard of text streams.

A secret has leaked wholly if it stands in the output, and in part if four consecutive characters
of it do that stand nowhere else in the text.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from benchmarks import material
from benchmarks.redaction import cut, source
from guardstream.stages.rules import Rule

Wrap: TypeAlias = Callable[[AsyncIterator[str]], AsyncIterator[str]]
"""A guard: a stream of text in, a stream of text out."""

PART = 4


@dataclass(slots=True)
class Leaks:
    """By chunking: secrets that leaked wholly, and those that leaked at least in part; lines of
    the private key that leaked in part; how many different outputs all chunkings gave."""

    planted: int
    wholly: dict[str, int] = field(default_factory=dict)
    partly: dict[str, int] = field(default_factory=dict)
    key_lines: dict[str, int] = field(default_factory=dict)
    outputs: int = 0


def chunkings(text: str) -> dict[str, list[str]]:
    """The text whole, by 4 characters, one by one, and in chunks of random length."""
    rng, pieces, at = random.Random(material.SEED), [], 0
    while at < len(text):
        size = rng.randint(1, 12)
        pieces.append(text[at : at + size])
        at += size
    return {"whole": [text], "4": cut(text, 4), "1": list(text), "random": pieces}


def rules(words: Sequence[str]) -> list[Rule]:
    """The rules that cover all that is planted."""
    return [
        *material.pii(),
        Rule("private-key", patterns=(material.PEM,)),
        Rule("words", words=tuple(words)),
    ]


def patterns() -> dict[str, str]:
    """The same patterns for those who take the standard library's `re`."""
    return {**material.PII, "private-key": material.PEM}


async def leaks(wrap: Wrap, *, words_only: bool = False, ends: bool = False) -> Leaks:
    """Put the planted documents through a guard. With `words_only` only words count; a guard that
    `ends` the stream at what it finds gets each secret in a stream of its own."""
    planted, key = material.planted(), material.private_key()
    secrets = planted.words if words_only else planted.secrets
    found = Leaks(len(secrets))
    before = material.prose("en", 600)
    keyed = f"{before}\n{key}\n{before}"
    documents = list(planted.parts) if ends else [planted.text]
    streams = [chunkings(document) for document in documents]
    elsewhere = Counter(_parts(planted.text))
    lines = key.split("\n")[1:-1]
    beside = set(_parts(before))
    outputs = set()
    for name in streams[0]:
        out = "\n".join([await _through(wrap, stream[name]) for stream in streams])
        shown = set(_parts(out))
        found.wholly[name] = sum(secret in out for secret in secrets)
        found.partly[name] = sum(_partly(secret, shown, elsewhere) for secret in secrets)
        seen = ""
        if not words_only:
            seen = await _through(wrap, chunkings(keyed)[name])
            parts = set(_parts(seen)) - beside
            found.key_lines[name] = sum(not parts.isdisjoint(_parts(line)) for line in lines)
        outputs.add((out, seen))
    found.outputs = len(outputs)
    return found


def _parts(text: str) -> Iterator[str]:
    return (text[at : at + PART] for at in range(len(text) - PART + 1))


def _partly(secret: str, shown: set[str], elsewhere: Counter[str]) -> bool:
    own = Counter(_parts(secret))
    return any(part in shown and elsewhere[part] == count for part, count in own.items())


async def _through(wrap: Wrap, chunks: list[str]) -> str:
    return "".join([chunk async for chunk in wrap(source(chunks))])
