"""Metrics and traces: Prometheus' text format, and spans of OpenTelemetry on the console.

A guard may have any number of observers. `guardstream serve --metrics` serves the same at
`/metrics`.
"""

import asyncio
from collections.abc import AsyncIterator

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor

from guardstream import Guard
from guardstream.observability.otel import OpenTelemetry
from guardstream.observability.prometheus import Prometheus


async def answer(*chunks: str) -> AsyncIterator[str]:
    for chunk in chunks:
        yield chunk


async def main() -> None:
    tracing = TracerProvider()
    tracing.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter()))
    metrics = Prometheus()
    guard = Guard.load("guardstream/chat", observers=[metrics, OpenTelemetry(tracing)])

    model = {"gen_ai.request.model": "m-1"}
    await guard.wrap(answer("Ask ann@exam", "ple.com."), attributes=model).text()
    await guard.wrap(answer("Nothing ", "to see.")).text()
    tracing.shutdown()

    text = metrics.render().decode()
    counted = [line for line in text.splitlines() if line.startswith("guardstream_streams_total")]
    print(*counted, sep="\n")
    assert counted[0].endswith(" 2.0")
    assert 'rule="email"' in text
    assert "ann@" not in text


asyncio.run(main())
