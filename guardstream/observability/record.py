"""A stream's record as plain values, the same for logs, audit and traces."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from guardstream.events import Finding
from guardstream.stream.observers import StreamRecord, StreamStart

VERSION = 1
"""The version of these fields; it grows when one is renamed or changes its meaning."""

HELD_CHARACTERS = (1, 2, 5, 10, 25, 50, 100, 250, 1000)
"""The buckets of `held_max` in metrics."""

TOKENS_PER_SECOND = (1, 5, 10, 25, 50, 100, 250, 500, 1000)
"""The buckets of the speed of an answer in metrics."""


def as_dict(record: StreamRecord) -> dict[str, Any]:
    """Return a record as JSON values. Times are seconds; `started` is ISO 8601 in UTC."""
    stats = record.stats
    return {
        **start_as_dict(record.start),
        "format": record.format,
        "finish": record.finish,
        "blocked_by": record.blocked_by,
        "error": record.error,
        "attempts": record.attempts,
        "seconds": _rounded(stats.seconds),
        "first_received": _rounded(stats.first_received),
        "first_released": _rounded(stats.first_released),
        "chunks_in": stats.chunks_in,
        "chunks_out": stats.chunks_out,
        "characters_in": stats.characters_in,
        "characters_out": stats.characters_out,
        "held_mean": _rounded(stats.held_mean),
        "held_max": stats.held_max,
        "held_seconds": _rounded(stats.held_seconds),
        "input_tokens": stats.tokens_in,
        "output_tokens": stats.tokens_out,
        "findings": [_finding(finding) for finding in record.findings],
    }


def start_as_dict(start: StreamStart) -> dict[str, Any]:
    """Return the fields that are known when a stream begins."""
    started = datetime.fromtimestamp(start.started, UTC).isoformat(timespec="milliseconds")
    return {
        "v": VERSION,
        "id": start.id,
        "started": started,
        "policy": start.policy,
        "fingerprint": start.fingerprint,
        "shadow": start.shadow,
        "attributes": dict(start.attributes),
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "rule": finding.rule,
        "action": finding.action,
        "severity": finding.severity,
        "kind": finding.kind,
        "channel": finding.channel,
        "choice": finding.choice,
        "start": finding.start,
        "end": finding.end,
    }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 6)
