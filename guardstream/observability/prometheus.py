"""Metrics for Prometheus: `Prometheus()` is an observer, and `render()` returns the exposition.

Labels have bounded cardinality: the policy and its version, finish reasons, rules, actions, and
types of exceptions. For several worker processes set `PROMETHEUS_MULTIPROC_DIR` to an empty folder
before they start (https://prometheus.github.io/client_python/multiprocess/), as `guardstream serve`
does.
"""

from __future__ import annotations

import os
from contextlib import suppress
from functools import cache
from pathlib import Path

from guardstream.events import GUARD, counted
from guardstream.observability.record import HELD_CHARACTERS, TOKENS_PER_SECOND
from guardstream.stream.observers import StreamRecord, StreamStart

__all__ = ["MULTIPROCESS", "Prometheus"]

try:
    import prometheus_client as client
    from prometheus_client import multiprocess
except ImportError as error:  # pragma: no cover
    raise ImportError(
        "metrics need prometheus-client: pip install 'guardstream[prometheus]'"
    ) from error

MULTIPROCESS = "PROMETHEUS_MULTIPROC_DIR"

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
_POLICY = ("policy", "version")


class Prometheus:
    """An observer that counts and measures streams; create one per registry."""

    content_type = client.CONTENT_TYPE_LATEST
    """The media type of what `render` returns."""

    def __init__(self, registry: client.CollectorRegistry | None = None) -> None:
        self.registry = registry or client.CollectorRegistry()
        self._open = client.Gauge(
            "guardstream_streams_open",
            "Streams that have begun and not ended",
            registry=self.registry,
            multiprocess_mode="livesum",
        )
        self._requests = client.Counter(
            "guardstream_requests",
            "Completed requests to the proxy",
            ("status", "upstream", "error"),
            registry=self.registry,
        )
        self._streams = self._counter("streams", "Streams that ended", "finish")
        self._blocks = self._counter("blocks", "Streams that a rule blocked", "rule")
        self._failures = self._counter("guard_failures", "Streams that ended as the guard failed")
        self._findings = self._counter("findings", "Findings", "rule", "action")
        self._errors = self._counter("errors", "Streams that an exception ended", "error")
        self._characters = self._counter("characters", "Characters", "direction")
        self._received = self._histogram("first_received", "Time until the first chunk", _SECONDS)
        self._released = self._histogram("first_released", "Time until the first text", _SECONDS)
        self._duration = self._histogram("duration", "Time from the beginning to the end", _SECONDS)
        self._held = self._histogram("held", "Time during which text was held", _SECONDS)
        self._held_characters = self._histogram(
            "held_characters", "Most characters held at once", HELD_CHARACTERS, unit=""
        )
        self._tokens = self._histogram(
            "tokens_per_second",
            "Output tokens per second, as the provider counts them",
            TOKENS_PER_SECOND,
            unit="",
        )

    def opened(self, start: StreamStart) -> None:  # noqa: ARG002
        """Count a stream that begins."""
        self._open.inc()

    def closed(self, record: StreamRecord) -> None:
        """Count and measure a stream that has ended."""
        policy = record.start.policy, record.start.fingerprint
        stats = record.stats
        self._open.dec()
        self._streams.labels(*policy, record.finish).inc()
        if record.blocked_by == GUARD:
            self._failures.labels(*policy).inc()
        elif record.blocked_by is not None:
            self._blocks.labels(*policy, record.blocked_by).inc()
        if record.error is not None:
            self._errors.labels(*policy, record.error).inc()
        for finding in counted(record.findings):
            self._findings.labels(*policy, finding.rule, finding.action).inc()
        self._characters.labels(*policy, "in").inc(stats.characters_in)
        self._characters.labels(*policy, "out").inc(stats.characters_out)
        self._duration.labels(*policy).observe(stats.seconds)
        self._held.labels(*policy).observe(stats.held_seconds)
        self._held_characters.labels(*policy).observe(stats.held_max)
        if stats.first_received is not None:
            self._received.labels(*policy).observe(stats.first_received)
        if stats.first_released is not None:
            self._released.labels(*policy).observe(stats.first_released)
        if stats.tokens_per_second is not None:
            self._tokens.labels(*policy).observe(stats.tokens_per_second)

    def answered(self, status: int | None, upstream: str | None, error: str | None) -> None:
        """Count a completed request to the proxy.

        `status` is None if the client disconnected before the answer, `upstream` the name of its
        upstream, `error` the code of the proxy's own error.
        """
        self._requests.labels(str(status or ""), upstream or "", error or "").inc()

    def render(self) -> bytes:
        """Return the metrics in Prometheus' text format; of all workers, if there are several."""
        registry = self.registry
        folder = os.environ.get(MULTIPROCESS)
        if folder is not None:
            _forget_dead(Path(folder))
            registry = client.CollectorRegistry()
            multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return client.generate_latest(registry)

    def _counter(self, name: str, text: str, *labels: str) -> client.Counter:
        return client.Counter(
            f"guardstream_{name}", text, (*_POLICY, *labels), registry=self.registry
        )

    def _histogram(
        self, name: str, text: str, buckets: tuple[float, ...], unit: str = "_seconds"
    ) -> client.Histogram:
        return client.Histogram(
            f"guardstream_{name}{unit}", text, _POLICY, registry=self.registry, buckets=buckets
        )


@cache
def shared() -> Prometheus:
    """Return the metrics in prometheus_client's default registry: only one set, because names are
    unique."""
    return Prometheus(client.REGISTRY)


def _forget_dead(folder: Path) -> None:
    """Reset the gauges of killed workers, which cannot do so themselves."""
    for file in folder.glob("gauge_live*_*.db"):
        pid = file.stem.rpartition("_")[2]
        try:
            os.kill(int(pid), 0)
        except ProcessLookupError:
            with suppress(FileNotFoundError):  # another worker was faster
                multiprocess.mark_process_dead(pid)  # type: ignore[no-untyped-call]
        except PermissionError:
            continue  # it lives, as another user
