"""What it costs to see what streams do: metrics, an audit log, traces, callbacks.

    python -m benchmarks.observing

Prints Markdown tables: microseconds of processor time for each chunk that each adds to the guard
alone, for streams of several lengths; medians of interleaved rounds in one process, on text that
the guard has seen. Then the bytes that a stream weighs in its midst. OpenTelemetry is left out
where its SDK is not installed. The goal is less than a microsecond for all observers together.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import importlib.util
import statistics
import tempfile
import time
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from benchmarks import material
from benchmarks.arguments import parser
from benchmarks.printed import headline, table
from guardstream import Deadlines, Guard
from guardstream.observability import AuditLog
from guardstream.stream.observers import Observer

LENGTHS = (50, 250, 1_000)
CHUNKS = 20_000
ROUNDS = 9
STREAMS = 200


async def source(chunks: list[str]) -> AsyncIterator[str]:
    for chunk in chunks:
        yield chunk


def ignore(value: object) -> None:
    """A callback that does nothing."""


async def ignore_later(value: object) -> None:
    """One that is awaited."""


def observers(folder: Path) -> dict[str, list[Observer]]:
    """What can watch, by name; all of it together last."""
    found: dict[str, list[Observer]] = {
        "an audit log": [AuditLog(folder / "audit.jsonl")],
        "an audit log, forced to the disk": [AuditLog(folder / "forced.jsonl", fsync=True)],
    }
    if importlib.util.find_spec("prometheus_client"):
        prometheus = importlib.import_module("guardstream.observability.prometheus")
        found["Prometheus"] = [prometheus.Prometheus()]
    if importlib.util.find_spec("opentelemetry") and importlib.util.find_spec("opentelemetry.sdk"):
        found["OpenTelemetry"] = [_telemetry()]
    together = [each for name, each in found.items() if "forced" not in name]
    found["**all of them**"] = [observer for each in together for observer in each]
    return found


def _telemetry() -> Observer:
    """Spans and metrics of the SDK, which are collected and not sent."""
    sdk_trace = importlib.import_module("opentelemetry.sdk.trace")
    sdk_metrics = importlib.import_module("opentelemetry.sdk.metrics")
    readers = importlib.import_module("opentelemetry.sdk.metrics.export")
    otel = importlib.import_module("guardstream.observability.otel")
    meter = sdk_metrics.MeterProvider([readers.InMemoryMetricReader()])
    made: Observer = otel.OpenTelemetry(sdk_trace.TracerProvider(), meter)
    return made


CALLBACKS: dict[str, dict[str, Any]] = {
    "`on_text`": {"on_text": ignore},
    "`on_text`, awaited": {"on_text": ignore_later},
    "`on_part`": {"on_part": ignore},
    "all callbacks": dict.fromkeys(
        ("on_text", "on_part", "on_tool_call", "on_finding", "on_finish"), ignore
    ),
    "deadlines": {"deadlines": None},
}


async def spent(guard: Guard, chunks: list[str], length: int, options: dict[str, Any]) -> float:
    """Seconds to read the chunks as streams of `length` chunks each."""
    began = time.process_time()
    for at in range(0, len(chunks), length):
        async for _ in guard.wrap(source(chunks[at : at + length]), **options):
            pass
    return time.process_time() - began


async def added(variants: dict[str, tuple[Guard, dict[str, Any]]], length: int) -> dict[str, float]:
    """Microseconds a chunk that each variant takes, the guard alone first; the others beyond it."""
    text = material.prose("en", CHUNKS * 4)
    chunks = [text[at : at + 4] for at in range(0, len(text), 4)]
    rounds: dict[str, list[float]] = {name: [] for name in variants}
    for number in range(ROUNDS + 1):
        for name, (guard, options) in variants.items():
            seconds = await spent(guard, chunks, length, options)
            if number:  # the first round makes the guard know the text
                rounds[name].append(seconds / len(chunks) * 1e6)
    alone = rounds.pop("alone")
    found = {"alone": statistics.median(alone)}
    for name, each in rounds.items():
        differences = [one - other for one, other in zip(each, alone, strict=True)]
        found[name] = statistics.median(differences)
    return found


async def weight(guard: Guard, options: dict[str, Any]) -> int:
    """Bytes of a stream in its midst, the text that is kept not counted."""
    chunks = ["word "] * 100
    gc.collect()
    tracemalloc.start()
    opened = [guard.wrap(source(chunks), keep_text=False, **options) for _ in range(STREAMS)]
    for stream in opened:
        for _ in range(50):
            await anext(stream)
    gc.collect()
    size = tracemalloc.get_traced_memory()[0] // STREAMS
    tracemalloc.stop()
    for stream in opened:
        await stream.aclose()
    return size


def variants(folder: Path) -> dict[str, tuple[Guard, dict[str, Any]]]:
    """Guards and options, by name."""
    policy = Guard.load("guardstream/chat").policy
    alone = Guard(policy)
    found: dict[str, tuple[Guard, dict[str, Any]]] = {"alone": (alone, {})}
    for name, watching in observers(folder).items():
        found[name] = Guard(policy, observers=watching), {}
    for name, options in CALLBACKS.items():
        limits = {"deadlines": Deadlines(30, 30, 300)} if "deadlines" in options else {}
        found[name] = alone, {**options, **limits}
    return found


async def measure(folder: Path) -> None:
    """Print the tables."""
    made = variants(folder)
    columns = {length: await added(made, length) for length in LENGTHS}
    head = " | ".join(["", *(f"{length:,} chunks" for length in LENGTHS)])
    table(
        "Observing: what it adds, µs a chunk, in streams of so many chunks",
        head,
        ([_label(name), *(f"{columns[length][name]:.2f}" for length in LENGTHS)] for name in made),
    )
    weighed = ("alone", "**all of them**", "all callbacks")
    weights = [(_label(name), await _weight_of(*made[name])) for name in weighed]
    table("Observing: memory of a running stream, bytes", " | bytes", weights)


async def _weight_of(guard: Guard, options: dict[str, Any]) -> int:
    kept = {key: each for key, each in options.items() if key != "on_tool_call"}
    return await weight(guard, kept)


def _label(name: str) -> str:
    return "the guard alone" if name == "alone" else f"+ {name}"


def main() -> None:
    """Measure with an audit log on this machine's disk."""
    parser(__doc__).parse_args()
    headline()
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(Path(folder)))


if __name__ == "__main__":
    main()
