"""Spans and metrics for OpenTelemetry.

Names follow the semantic conventions for generative AI where these define one
(https://opentelemetry.io/docs/specs/semconv/gen-ai/), and otherwise begin with `guardstream.`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from guardstream.events import GUARD, counted
from guardstream.observability.record import HELD_CHARACTERS, TOKENS_PER_SECOND
from guardstream.stream.observers import StreamRecord, StreamStart

__all__ = ["OpenTelemetry"]

try:
    from opentelemetry import metrics, trace
    from opentelemetry.trace import Span, Status, StatusCode
except ImportError as error:  # pragma: no cover
    raise ImportError("traces need opentelemetry-api: pip install 'guardstream[otel]'") from error

_NAME = "guardstream"

_PROVIDERS = {
    "openai_chat": "openai",
    "openai_responses": "openai",
    "openai_completions": "openai",
    "anthropic": "anthropic",
    "gemini": "gcp.gemini",
    "bedrock": "aws.bedrock",
    "cohere": "cohere",
    "mistral": "mistral_ai",
}
"""Adapters whose wire format has a well-known `gen_ai.provider.name`."""

_SECONDS = [0.01 * 2**step for step in range(14)]
_TOKENS = [4**step for step in range(14)]
"""The conventions' own buckets, for durations and for tokens."""


class OpenTelemetry:
    """An observer that creates a span for each stream, and records metrics.

    The span's parent is the current span at the first read of the stream. `tracer_provider` and
    `meter_provider` default to the global ones.
    """

    def __init__(
        self,
        tracer_provider: trace.TracerProvider | None = None,
        meter_provider: metrics.MeterProvider | None = None,
    ) -> None:
        self._tracer = trace.get_tracer(_NAME, tracer_provider=tracer_provider)
        meter = metrics.get_meter(_NAME, meter_provider=meter_provider)
        self._spans: dict[str, Span] = {}
        self._streams = meter.create_counter("guardstream.streams", "{stream}")
        self._failures = meter.create_counter("guardstream.guard.failures", "{stream}")
        self._findings = meter.create_counter("guardstream.findings", "{finding}")

        def histogram(name: str, unit: str, buckets: Sequence[float]) -> metrics.Histogram:
            return meter.create_histogram(
                name, unit, explicit_bucket_boundaries_advisory=list(buckets)
            )

        self._tokens = histogram("gen_ai.client.token.usage", "{token}", _TOKENS)
        self._duration = histogram("gen_ai.client.operation.duration", "s", _SECONDS)
        self._received = histogram("gen_ai.client.operation.time_to_first_chunk", "s", _SECONDS)
        self._released = histogram("guardstream.time_to_first_release", "s", _SECONDS)
        self._held = histogram("guardstream.held.duration", "s", _SECONDS)
        self._held_characters = histogram(
            "guardstream.held.characters", "{character}", HELD_CHARACTERS
        )
        self._speed = histogram("guardstream.output.speed", "{token}/s", TOKENS_PER_SECOND)

    def opened(self, start: StreamStart) -> None:
        """Begin a span."""
        attributes = {
            **start.attributes,
            **_policy(start),
            "guardstream.policy.shadow": start.shadow,
            "guardstream.stream.id": start.id,
        }
        self._spans[start.id] = self._tracer.start_span("guardstream.stream", attributes=attributes)

    def closed(self, record: StreamRecord) -> None:
        """End the span, and measure the stream."""
        attributes = _attributes(record)
        self._measure(record, attributes)
        span = self._spans.pop(record.start.id, None)
        if span is None:
            return
        span.set_attributes(_details(record))
        for finding in record.findings:
            span.add_event(
                "guardstream.finding",
                {
                    "guardstream.rule": finding.rule,
                    "guardstream.action": finding.action,
                    "guardstream.severity": finding.severity,
                    "guardstream.channel": finding.channel,
                },
            )
        if record.error is not None:
            span.set_status(Status(StatusCode.ERROR, record.error))
        span.end()

    def _measure(self, record: StreamRecord, attributes: dict[str, Any]) -> None:
        stats, policy = record.stats, _policy(record.start)
        self._streams.add(1, attributes)
        if record.blocked_by == GUARD:
            self._failures.add(1, policy)
        for finding in counted(record.findings):
            about = {"guardstream.rule": finding.rule, "guardstream.action": finding.action}
            self._findings.add(1, {**policy, **about})
        self._duration.record(stats.seconds, attributes)
        if stats.first_received is not None:
            self._received.record(stats.first_received, attributes)
        if stats.first_released is not None:
            self._released.record(stats.first_released, policy)
        self._held.record(stats.held_seconds, policy)
        self._held_characters.record(stats.held_max, policy)
        for kind, count in (("input", stats.tokens_in), ("output", stats.tokens_out)):
            if count is not None:
                self._tokens.record(count, {**attributes, "gen_ai.token.type": kind})
        if stats.tokens_per_second is not None:
            self._speed.record(stats.tokens_per_second, policy)


def _policy(start: StreamStart) -> dict[str, Any]:
    return {
        "guardstream.policy.name": start.policy,
        "guardstream.policy.version": start.fingerprint,
    }


def _attributes(record: StreamRecord) -> dict[str, Any]:
    """Return the attributes of metrics, each of which has few possible values."""
    attributes = {**_policy(record.start), **_outcome(record)}
    model = record.start.attributes.get("gen_ai.request.model")
    if model is not None:
        attributes["gen_ai.request.model"] = model
    return attributes


def _outcome(record: StreamRecord) -> dict[str, Any]:
    """Return the attributes about a stream's end and its source."""
    outcome = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": _PROVIDERS.get(record.format or "", record.format or "unknown"),
        "guardstream.finish": record.finish,
    }
    return outcome if record.error is None else {**outcome, "error.type": record.error}


def _details(record: StreamRecord) -> dict[str, Any]:
    """Return the other attributes of a span."""
    stats = record.stats
    details: dict[str, Any] = {
        **_outcome(record),
        "gen_ai.response.finish_reasons": (record.finish,),
        "gen_ai.usage.input_tokens": stats.tokens_in,
        "gen_ai.usage.output_tokens": stats.tokens_out,
        "guardstream.blocked_by": record.blocked_by,
        "guardstream.characters.received": stats.characters_in,
        "guardstream.characters.released": stats.characters_out,
        "guardstream.held.characters": stats.held_max,
        "guardstream.held.duration": stats.held_seconds,
    }
    return {name: value for name, value in details.items() if value is not None}
