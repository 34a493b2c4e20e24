"""Spans and metrics by OpenTelemetry, as its own exporters see them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from guardstream.observability.otel import OpenTelemetry
from guardstream.stream.observers import StreamRecord, StreamStart
from tests.support.optional import optional
from tests.support.sources import Source, gen
from tests.support.streams import chat, message
from tests.support.watching import Watching, watched

MeterProvider = optional("opentelemetry.sdk.metrics", "MeterProvider")
HistogramDataPoint, InMemoryMetricReader = optional(
    "opentelemetry.sdk.metrics.export", "HistogramDataPoint", "InMemoryMetricReader"
)
ReadableSpan, TracerProvider = optional("opentelemetry.sdk.trace", "ReadableSpan", "TracerProvider")
SimpleSpanProcessor = optional("opentelemetry.sdk.trace.export", "SimpleSpanProcessor")
InMemorySpanExporter = optional(
    "opentelemetry.sdk.trace.export.in_memory_span_exporter", "InMemorySpanExporter"
)
names = optional("opentelemetry.semconv._incubating.metrics.gen_ai_metrics")
StatusCode = optional("opentelemetry.trace", "StatusCode")

pytestmark = pytest.mark.anyio


@dataclass
class Telemetry:
    """An observer, and what came of it."""

    observer: OpenTelemetry
    tracer: TracerProvider
    meter: MeterProvider
    exported: InMemorySpanExporter
    reader: InMemoryMetricReader

    @property
    def span(self) -> ReadableSpan:
        """The only span."""
        (span,) = self.exported.get_finished_spans()
        return span

    def points(self) -> dict[str, list[Any]]:
        """The data points of each metric."""
        data = self.reader.get_metrics_data()
        assert data is not None
        return {
            metric.name: list(metric.data.data_points)
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    exported, reader = InMemorySpanExporter(), InMemoryMetricReader()
    tracer, meter = TracerProvider(), MeterProvider([reader])
    tracer.add_span_processor(SimpleSpanProcessor(exported))
    yield Telemetry(OpenTelemetry(tracer, meter), tracer, meter, exported, reader)
    tracer.shutdown()
    meter.shutdown()


async def read(stream: Any) -> None:
    async for _ in stream:
        pass


@pytest.mark.parametrize(
    ("make", "provider"), [(chat, "openai"), (message, "anthropic")], ids=["openai", "anthropic"]
)
async def test_a_span_says_how_a_stream_went(
    make: Any, provider: str, telemetry: Telemetry
) -> None:
    guard = watched(telemetry.observer)
    attributes = {"gen_ai.request.model": "m-1"}
    with telemetry.tracer.get_tracer("t").start_as_current_span("request"):
        await read(guard.wrap(Source(make()), attributes=attributes))
    span, request = telemetry.exported.get_finished_spans()
    assert span.parent == request.context
    assert span.name == "guardstream.stream"
    found = dict(span.attributes or {})
    expected = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": provider,
        "gen_ai.request.model": "m-1",
        "gen_ai.response.finish_reasons": ("tool_calls",),
        "gen_ai.usage.input_tokens": 7,
        "gen_ai.usage.output_tokens": 9,
        "guardstream.policy.name": "test",
        "guardstream.policy.version": guard.policy.fingerprint,
        "guardstream.policy.shadow": False,
        "guardstream.finish": "tool_calls",
        "guardstream.held.characters": 6,
    }
    assert found | expected == found
    assert found["guardstream.characters.received"] == found["guardstream.characters.released"]
    assert [event.name for event in span.events] == ["guardstream.finding"] * 3
    assert dict(span.events[0].attributes or {})["guardstream.channel"] == "thinking"
    assert "secret" not in span.to_json()
    assert span.status.status_code is StatusCode.UNSET


async def test_an_error_is_the_spans_status(telemetry: Telemetry) -> None:
    source = Source(["a "], error=LookupError("a secret"))
    with pytest.raises(LookupError):
        await read(watched(telemetry.observer).wrap(source))
    assert telemetry.span.status.status_code is StatusCode.ERROR
    assert dict(telemetry.span.attributes or {})["error.type"] == "LookupError"
    assert "secret" not in telemetry.span.to_json()


def test_a_block_is_no_error(telemetry: Telemetry) -> None:
    watched(telemetry.observer).wrap_sync(gen(["forbidden"])).text()
    assert telemetry.span.status.status_code is StatusCode.UNSET
    assert dict(telemetry.span.attributes or {})["guardstream.blocked_by"] == "bad"


async def test_metrics_have_the_conventions_names(telemetry: Telemetry) -> None:
    await read(watched(telemetry.observer).wrap(Source(chat())))
    points = telemetry.points()
    assert {
        names.GEN_AI_CLIENT_TOKEN_USAGE,
        names.GEN_AI_CLIENT_OPERATION_DURATION,
        names.GEN_AI_CLIENT_OPERATION_TIME_TO_FIRST_CHUNK,
    } <= points.keys()
    tokens = {
        point.attributes["gen_ai.token.type"]: point.sum
        for point in points[names.GEN_AI_CLIENT_TOKEN_USAGE]
    }
    assert tokens == {"input": 7, "output": 9}
    (findings,) = points["guardstream.findings"]
    assert (findings.value, findings.attributes["guardstream.rule"]) == (3, "word")


async def test_histograms_have_buckets_for_their_unit(telemetry: Telemetry) -> None:
    await read(watched(telemetry.observer).wrap(Source(chat())))
    for name, points in telemetry.points().items():
        if isinstance(points[0], HistogramDataPoint) and "tokens" not in name:
            highest = points[0].explicit_bounds[-1]
            assert highest != 10_000, f"{name} has the default's buckets"


def test_streams_are_counted_by_finish_and_policy(telemetry: Telemetry) -> None:
    guard = watched(telemetry.observer)
    guard.wrap_sync(gen(["a"])).text()
    guard.wrap_sync(gen(["b"])).text()
    guard.wrap_sync(gen(["forbidden"])).text()
    counted = {
        point.attributes["guardstream.finish"]: point.value
        for point in telemetry.points()["guardstream.streams"]
    }
    assert counted == {"stop": 2, "content_filter": 1}


def test_an_end_without_a_beginning_is_measured(telemetry: Telemetry) -> None:
    seen = Watching()
    watched(seen).wrap_sync(gen(["a"])).text()
    record: StreamRecord = seen.record
    start: StreamStart = record.start
    telemetry.observer.closed(record)
    assert start.id
    assert telemetry.exported.get_finished_spans() == ()
    assert telemetry.points()["guardstream.streams"][0].value == 1


def test_the_global_providers_are_the_default(
    telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("opentelemetry.trace.get_tracer_provider", lambda: telemetry.tracer)
    meters = "opentelemetry.metrics._internal.get_meter_provider"
    monkeypatch.setattr(meters, lambda: telemetry.meter)
    watched(OpenTelemetry()).wrap_sync(gen(["a"])).text()
    assert telemetry.span.name == "guardstream.stream"
    assert telemetry.points()["guardstream.streams"][0].value == 1
