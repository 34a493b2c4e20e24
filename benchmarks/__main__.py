"""All measurements in one run, as Markdown: `make bench`, or `python -m benchmarks`.

With `--short` only the search is measured, in well under a minute.

Every configuration has fresh processes of its own; figures are medians of `RUNS` of them.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence

from benchmarks import material, short
from benchmarks.arguments import parser
from benchmarks.leaks import Leaks, Wrap, leaks, patterns, rules
from benchmarks.printed import headline, table
from benchmarks.redaction import Rules, bare, cut
from benchmarks.rivals import cost, installed
from guardstream import Guard
from guardstream.stages.redact import RuleSet

RUNS = 3
CONFIGURATIONS = ((10, 0), (1_000, 0), (100_000, 0), (0, 13), (0, 230), (10_000, 230))
FULL = CONFIGURATIONS[-1]
LANGUAGES = {"en": "English", "zh": "Chinese"}
MEGABYTES, KILOBYTES = 64, 16
MOST = {"en": (3, 12, 5), "zh": (3, 15, 6)}
"""The goals of the full configuration: microseconds a chunk over the hop on unseen text and over
the first 100,000 characters, and characters held in the mean."""

Figures = dict[str, float]
Measured = dict[tuple[str, int, int], Figures]


def main() -> None:
    """Print the tables as they come."""
    asked = parser(__doc__)
    asked.add_argument("--short", action="store_true", help="measure the search alone")
    is_short = asked.parse_args().short
    headline()
    if is_short:
        table("The search", short.HEAD, short.rows())
        return
    measured: Measured = {}
    table(
        "Cost and hold-back",
        "text | words | patterns | × hop, unseen | × hop, first 100 KB | µs, unseen | "
        "µs, first 100 KB | held, mean | held, longest | "
        "found, per 1,000 chunks | load, s | grown, MB",
        configurations(measured),
    )
    found = asyncio.run(leaks(ours(material.planted().words)))
    table("Goals", "what | goal | measured | ", goals(measured, found))
    table(
        "Beside others: leaks",
        "guard | planted | wholly: whole/4/1/random | in part | key's 26 lines | outputs",
        beside(found),
    )
    table(
        "Beside others: cost, 13 patterns and a private key's, 4-character chunks",
        "guard | × hop, 200 words | × hop, 10,000 words | µs, 200 words | µs, 10,000 words",
        asyncio.run(costs()),
    )
    for rival, label in installed():
        if not label:
            print(f"Left out, not installed: {rival.name}.")


def configurations(measured: Measured) -> Iterator[Sequence[object]]:
    """Measure each configuration; a row each."""
    for language, name in LANGUAGES.items():
        for words, count in CONFIGURATIONS:
            it = measured[language, words, count] = medians(language, words, count)
            first = it["first"] / it["hop"]
            yield (
                name, f"{words:,}", count, f"{it['ratio']:.0f}", f"{first:.0f}",
                it["unseen"], it["first"], it["held_mean"], f"{it['held_max']:.0f}",
                it["found"],
                it["load_seconds"], it["grown_mb"],
            )  # fmt: skip


def medians(language: str, words: int, count: int) -> Figures:
    """The medians over fresh processes."""
    command = [sys.executable, "-m", "benchmarks.redaction", language, str(words), str(count)]
    if (words, count) == FULL:
        command.append("--streams")
    runs = [json.loads(subprocess.check_output(command)) for _ in range(RUNS)]
    return {name: round(statistics.median(run[name] for run in runs), 3) for name in runs[0]}


def goals(measured: Measured, found: Leaks) -> Iterator[Sequence[object]]:
    """Each goal with what was measured."""

    def goal(what: str, most: float, value: float, unit: str = "") -> Sequence[object]:
        met = "met" if value <= most else "**not met**"
        return what, f"≤ {most:g}{unit}", f"{value:g}{unit}", met

    for language, name in LANGUAGES.items():
        it = measured[language, *FULL]
        unseen, first, held = MOST[language]
        what = f"{name}, 230 patterns and 10,000 words"
        over = {key: round(it[key] - it["hop"], 2) for key in ("unseen", "first")}
        yield goal(f"{what}: a chunk over the hop, unseen text", unseen, over["unseen"], " µs")
        yield goal(f"{what}: the same, first 100 KB", first, over["first"], " µs")
        yield goal(f"{what}: held in the mean", held, it["held_mean"])
        yield goal(f"{what}: a stream ten times longer", 1.05, it["longer"], "×")
        weight = round(it["stream_bytes"] / 1024, 1)
        yield goal(f"{what}: a stream, text not kept", KILOBYTES, weight, " KB")
        many, few = measured[language, 100_000, 0], measured[language, 1_000, 0]
        ratio = round(many["unseen"] / few["unseen"], 2)
        yield goal(f"{name}, 1,000 → 100,000 words", 1.3, ratio, "×")
        yield goal(f"{name}, 100,000 words load in", 1, many["load_seconds"], " s")
    grown = max(figures["grown_mb"] for figures in measured.values())
    yield goal("memory grown while reading, at most", MEGABYTES, grown, " MB")
    yield goal("300 secrets, any chunking: leaked", 0, max(found.wholly.values()))
    yield goal("the same: 4 consecutive characters of one", 0, max(found.partly.values()))
    yield goal("lines of a private key that show 4 characters", 0, max(found.key_lines.values()))
    yield goal("different outputs over chunkings, beyond one", 0, found.outputs - 1)


def ours(words: Sequence[str]) -> Wrap:
    """This library as one of the guards."""
    guard = Guard(Rules(RuleSet(rules(words))))
    return lambda stream: guard.wrap(stream, keep_text=False)


def beside(found: Leaks) -> Iterator[Sequence[object]]:
    """What leaks, for us and for each rival."""
    yield leaked("**guardstream**", found)
    for rival, label in installed():
        if label:
            wrap = rival.make(material.planted().words, patterns())
            only, ends = rival.words_only, rival.ends
            yield leaked(label, asyncio.run(leaks(wrap, words_only=only, ends=ends)))


def leaked(name: str, found: Leaks) -> Sequence[object]:
    """A row of the table of leaks."""

    def counts(by_chunking: dict[str, int]) -> str:
        return "/".join(map(str, by_chunking.values())) or "words only"

    return (
        name, found.planted, counts(found.wholly), counts(found.partly), counts(found.key_lines),
        found.outputs,
    )  # fmt: skip


async def costs() -> list[Sequence[object]]:
    """What a chunk costs, for us and for each rival, on text without secrets."""
    few, many = material.made_words(200), material.made_words(10_000)
    makers = [("**guardstream**", lambda words, _: ours(words))]
    makers += [(label, rival.make) for rival, label in installed() if label]
    chunks = cut(material.prose("en", 400_000)[200_000:], 4)
    base, hop = await bare(chunks)
    rows = []
    for label, make in makers:
        found = [await cost(make(words, patterns()), chunks) - base for words in (few, many)]
        rows.append((label, *[f"{us / hop:,.0f}" for us in found], *[f"{us:,.1f}" for us in found]))
    return rows


if __name__ == "__main__":
    main()
