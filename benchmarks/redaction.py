"""One configuration in a process of its own: `benchmarks.redaction LANGUAGE WORDS PATTERNS`.

Prints one JSON object: microseconds a chunk over the first 100,000 characters of a fresh process,
and over 200,000 characters not seen before, after another 500,000 of the same kind. They are what
the guard adds to reading the source; `hop` is what a generator that only passes chunks on adds, in
the same process. Chunks have 4 characters, Chinese ones 2. Times are processor time.

With `--streams` also what a ten times longer stream costs, a chunk, and what a stream weighs.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import json
import resource
import statistics
import time
import tracemalloc
from collections.abc import AsyncIterator

from benchmarks import material
from benchmarks.arguments import parser
from guardstream import Guard, Policy
from guardstream.events import Form
from guardstream.stages.redact import RuleSet
from guardstream.stages.rules import Rule

FIRST, WARM, UNSEEN = 100_000, 500_000, 200_000
BLOCK, TIMES, ROUNDS = 16_000, 10, 7
STREAMS, CHUNKS = 100, 250


class Rules(Policy):
    """A policy of ready rules, for measuring without a file."""

    def __init__(self, ruleset: RuleSet) -> None:
        super().__init__(Policy.parse("version: 1").built)
        self._ruleset = ruleset

    shadow = False
    block_message = ""

    def stages(self, channel: str, tool: str | None = None, form: Form = "json") -> list:  # noqa: ARG002
        return [self._ruleset.stage()]


def rules(language: str, words: int, patterns: int) -> list[Rule]:
    """13 patterns are the personal data, more are the secrets too."""
    made = material.pii() if patterns else []
    if patterns > len(made):
        made += material.secrets()
    if words:
        made.append(Rule("words", words=material.words(language, words)))
    return made


def cut(text: str, size: int) -> list[str]:
    """Text in chunks of `size` characters."""
    return [text[at : at + size] for at in range(0, len(text), size)]


async def source(chunks: list[str]) -> AsyncIterator[str]:
    for chunk in chunks:
        yield chunk


async def hop(stream: AsyncIterator[str]) -> AsyncIterator[str]:
    async for chunk in stream:
        yield chunk


async def consumed(stream: AsyncIterator[str]) -> float:
    """Seconds to read the stream; processor time, so that neighbours count less."""
    start = time.process_time()
    async for _ in stream:
        pass
    return time.process_time() - start


async def bare(chunks: list[str], rounds: int = 5) -> tuple[float, float]:
    """Microseconds a chunk: reading the source, and what one bare hop adds."""
    alone = [await consumed(source(chunks)) for _ in range(rounds)]
    hops = [await consumed(hop(source(chunks))) for _ in range(rounds)]
    base = statistics.median(alone)
    scale = 1e6 / len(chunks)
    return base * scale, max(statistics.median(hops) - base, 0) * scale


async def measure(language: str, words: int, patterns: int) -> dict[str, float]:
    size = 2 if language == "zh" else 4
    chunks = cut(material.prose(language, FIRST + WARM + UNSEEN), size)
    edges = [0, FIRST // size, (FIRST + WARM) // size, len(chunks)]
    first, warm, unseen = (chunks[a:b] for a, b in itertools.pairwise(edges))
    made = rules(language, words, patterns)
    start = time.process_time()
    guard = Guard(Rules(RuleSet(made)))
    load = time.process_time() - start
    gc.collect()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    base, hopped = await bare(unseen)
    costs = {}
    for name, part in (("first", first), ("warm", warm), ("unseen", unseen)):
        stream = guard.wrap(source(part), keep_text=False)
        costs[name] = await consumed(stream) / len(part) * 1e6 - base
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return {
        "load_seconds": round(load, 2),
        "hop": round(hopped, 3),
        "first": round(costs["first"], 2),
        "unseen": round(costs["unseen"], 2),
        "ratio": round(costs["unseen"] / hopped, 1),
        "held_mean": round(stream.stats.held_mean, 2),
        "held_max": stream.stats.held_max,
        "found": round(1_000 * len(stream.findings) / len(unseen), 1),
        "grown_mb": round(grown / 1024, 1),
    }


async def streams(language: str, words: int, patterns: int) -> dict[str, float]:
    """A long stream against ten short ones of the same text, and the bytes that one stream needs
    in the middle, when the automata know the text."""
    chunks = cut(material.prose(language, BLOCK), 2 if language == "zh" else 4)
    guard = Guard(Rules(RuleSet(rules(language, words, patterns))))
    await consumed(guard.wrap(source(chunks), keep_text=False))
    ratios = []
    for _ in range(ROUNDS):
        short = 0.0
        for _ in range(TIMES):
            short += await consumed(guard.wrap(source(chunks), keep_text=False))
        long = await consumed(guard.wrap(source(TIMES * chunks), keep_text=False))
        ratios.append(long / short)
    return {
        "longer": round(statistics.median(ratios), 3),
        "stream_bytes": await _weight(guard, chunks),
    }


async def _weight(guard: Guard, chunks: list[str]) -> int:
    gc.collect()
    tracemalloc.start()
    opened = [guard.wrap(source(chunks), keep_text=False) for _ in range(STREAMS)]
    for stream in opened:
        for _ in range(CHUNKS):
            await anext(stream)
    gc.collect()
    weight = tracemalloc.get_traced_memory()[0] // STREAMS
    tracemalloc.stop()
    for stream in opened:
        await stream.aclose()
    return weight


if __name__ == "__main__":
    asks = parser(__doc__)
    asks.add_argument("language")
    asks.add_argument("words", type=int)
    asks.add_argument("patterns", type=int)
    asks.add_argument("--streams", action="store_true", help="measure long and many streams, too")
    asked = asks.parse_args()
    configuration = asked.language, asked.words, asked.patterns
    figures = asyncio.run(measure(*configuration))
    if asked.streams:
        figures |= asyncio.run(streams(*configuration))
    print(json.dumps(figures))
