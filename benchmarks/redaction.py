"""One configuration in a process of its own: `python -m benchmarks.redaction LANGUAGE WORDS PATTERNS`.

Prints one JSON object: microseconds a chunk over the first 100,000 characters of a fresh process,
and over 200,000 characters not seen before, after another 500,000 of the same kind; each beside a
bare asynchronous hop in the same process. Chunks have 4 characters, Chinese ones 2.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import json
import resource
import statistics
import sys
import time
from collections.abc import AsyncIterator

from benchmarks import material
from guardstream import Guard, Policy
from guardstream.stages.redact import RuleSet
from guardstream.stages.rules import Rule

FIRST, WARM, UNSEEN = 100_000, 500_000, 200_000


class Rules(Policy):
    """A policy of ready rules, for measuring without a file."""

    def __init__(self, ruleset: RuleSet) -> None:
        self._ruleset = ruleset

    shadow = False
    block_message = ""

    def stages(self, channel: str) -> list:  # noqa: ARG002 - all channels alike
        return [self._ruleset.stage()]


def rules(language: str, words: int, patterns: int) -> list[Rule]:
    """13 patterns are the personal data, more are the secrets too."""
    made = material.pii() if patterns else []
    if patterns > len(made):
        made += material.secrets()
    if words:
        made.append(Rule("words", words=material.words(language, words)))
    return made


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


async def measure(language: str, words: int, patterns: int) -> dict[str, float]:
    size = 2 if language == "zh" else 4
    text = material.prose(language, FIRST + WARM + UNSEEN)
    chunks = [text[at : at + size] for at in range(0, len(text), size)]
    edges = [0, FIRST // size, (FIRST + WARM) // size, len(chunks)]
    first, warm, unseen = (chunks[a:b] for a, b in itertools.pairwise(edges))
    made = rules(language, words, patterns)
    start = time.process_time()
    guard = Guard(Rules(RuleSet(made)))
    load = time.process_time() - start
    gc.collect()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    rounds = [await consumed(hop(source(unseen))) - await consumed(source(unseen)) for _ in range(5)]
    bare = statistics.median(rounds) / len(unseen) * 1e6
    base = await consumed(source(unseen)) / len(unseen) * 1e6
    costs = {}
    for name, part in (("first", first), ("warm", warm), ("unseen", unseen)):
        stream = guard.wrap(source(part), keep_text=False)
        costs[name] = await consumed(stream) / len(part) * 1e6 - base
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return {
        "load_seconds": round(load, 2),
        "hop": round(bare, 3),
        "first": round(costs["first"], 2),
        "unseen": round(costs["unseen"], 2),
        "ratio": round(costs["unseen"] / bare, 1),
        "held_mean": round(stream.stats.held_mean, 2),
        "held_max": stream.stats.held_max,
        "grown_mb": round(grown / 1024, 1),
    }


if __name__ == "__main__":
    arguments = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    print(json.dumps(asyncio.run(measure(*arguments))))
