"""Other guards of text streams, each behind the same small wrapper, with the same words and rules.

A rival that is not installed is named and left out. `make bench` installs those that can be.
"""

from __future__ import annotations

import re
import statistics
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from benchmarks.leaks import Wrap
from benchmarks.redaction import source

MASK = "[X]"
WINDOW = 50
BUDGET = 1.0
PROBE = 100

Make = Callable[[Sequence[str], Mapping[str, str]], Wrap]


@dataclass(frozen=True, slots=True)
class Rival:
    """A guard to compare with. `package` is what it comes in, empty for none. With `words_only` it
    takes no patterns; with `ends` it ends the stream at what it finds instead of masking it."""

    name: str
    package: str
    make: Make
    words_only: bool = False
    ends: bool = False

    @property
    def label(self) -> str:
        """The name and the version that is installed; raises PackageNotFoundError."""
        return f"{self.name} ({version(self.package)})" if self.package else self.name


def one_pattern(words: Sequence[str]) -> str:
    """All words as one pattern, longer ones first, whole words only."""
    ways = sorted(words, key=len, reverse=True)
    return rf"\b(?:{'|'.join(map(re.escape, ways))})\b"


def window(words: Sequence[str], patterns: Mapping[str, str]) -> Wrap:
    """What one writes by hand: mask the last 50 characters again with every chunk."""
    search = re.compile("|".join([*patterns.values(), one_pattern(words)]))

    async def wrap(stream: AsyncIterator[str]) -> AsyncIterator[str]:
        buffer = ""
        async for chunk in stream:
            buffer = search.sub(MASK, buffer + chunk)
            if len(buffer) > WINDOW:
                yield buffer[:-WINDOW]
                buffer = buffer[-WINDOW:]
        yield search.sub(MASK, buffer)

    return wrap


def sether(words: Sequence[str], patterns: Mapping[str, str]) -> Wrap:
    from sether.detectors.types import DetectorMatch
    from sether.stream.redact import aredact_iter
    from sether.vault.memory import MemoryVault

    class Detector:
        def __init__(self, name: str, pattern: str) -> None:
            self.type, self._search = name, re.compile(pattern)

        def detect(self, text: str) -> list:
            found = self._search.finditer(text)
            return [DetectorMatch(m.start(), m.end(), m.group()) for m in found]

    detectors = [Detector(name.upper(), pattern) for name, pattern in patterns.items()]
    detectors.append(Detector("WORD", one_pattern(words)))
    return lambda stream: aredact_iter(stream, detectors, MemoryVault(), 256, uuid=lambda: "0" * 8)


def safestream(words: Sequence[str], patterns: Mapping[str, str]) -> Wrap:
    """It has a synchronous interface only, so that the whole source must be there first."""
    from safestream_redactor import Redactor

    redactor = Redactor(
        custom_patterns=[one_pattern(words), *patterns.values()], load_plugins=False
    )

    async def wrap(stream: AsyncIterator[str]) -> AsyncIterator[str]:
        chunks = [chunk async for chunk in stream]
        for text in redactor.redact_stream(iter(chunks)):
            yield text

    return wrap


def stream_guard(words: Sequence[str], _: Mapping[str, str]) -> Wrap:
    from llm_stream_guard import StreamGuard

    guard = StreamGuard.from_words(list(words))

    async def wrap(stream: AsyncIterator[str]) -> AsyncIterator[str]:
        async for event in guard.wrap(stream):
            if event.type == "delta":
                yield event.text

    return wrap


def stream_processor(mode: str) -> Make:
    def make(words: Sequence[str], _: Mapping[str, str]) -> Wrap:
        from stream_processor import KeywordRegistry, llm_stream_processor, replace

        registry = KeywordRegistry()
        for word in words:
            registry.register(word, lambda _: replace(MASK))
        registry.compile()

        def wrap(stream: AsyncIterator[str]) -> AsyncIterator[str]:
            @llm_stream_processor(registry, yield_mode=mode)
            async def passed() -> AsyncIterator[str]:
                async for chunk in stream:
                    yield chunk

            return passed()

        return wrap

    return make


def redacted(words: Sequence[str], patterns: Mapping[str, str]) -> Wrap:
    from llm_redacted.streaming import StreamingSanitizer

    kinds = {**patterns, "words": one_pattern(words)}
    detectors = [
        {"TYPE": name.upper(), "PATTERN": pattern, "PLACEHOLDER": MASK}
        for name, pattern in kinds.items()
    ]

    async def wrap(stream: AsyncIterator[str]) -> AsyncIterator[str]:
        sanitizer = StreamingSanitizer(custom_detectors=detectors)
        async for chunk in stream:
            if text := sanitizer.feed(chunk):
                yield text
        yield sanitizer.flush()

    return wrap


RIVALS = (
    Rival("50-character window, by hand", "", window),
    Rival("sether", "sether", sether),
    Rival("safestream-redactor", "safestream-redactor", safestream),
    Rival("llm-redacted", "llm-redacted", redacted),
    Rival("llm-stream-guard", "llm-stream-guard", stream_guard, words_only=True, ends=True),
    Rival(
        "llm_stream_processor", "llm_stream_processor", stream_processor("token"), words_only=True
    ),
    Rival(
        "llm_stream_processor, mode chunk:64",
        "llm_stream_processor",
        stream_processor("chunk:64"),
        words_only=True,
    ),
)


def installed() -> Iterator[tuple[Rival, str]]:
    """Each rival with its label, empty if it is not installed."""
    for rival in RIVALS:
        try:
            label = rival.label
        except PackageNotFoundError:
            label = ""
        yield rival, label


async def cost(wrap: Wrap, chunks: list[str], rounds: int = 3) -> float:
    """Microseconds a chunk, the source's included; of as many chunks as the time allows."""
    probe = await _seconds(wrap, chunks[:PROBE])
    affordable = int(BUDGET / max(probe / PROBE, 1e-9))
    chosen = chunks[: max(affordable, PROBE)]
    times = [await _seconds(wrap, chosen) for _ in range(rounds)]
    return statistics.median(times) / len(chosen) * 1e6


async def _seconds(wrap: Wrap, chunks: list[str]) -> float:
    start = time.process_time()
    async for _ in wrap(source(chunks)):
        pass
    return time.process_time() - start
