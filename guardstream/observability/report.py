"""Summarises audit logs: how streams ended, what was found, how long it took."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from guardstream.events import Finding, counted
from guardstream.observability.audit import Torn, read_audit

_MEASURED = ("seconds", "first_received", "first_released", "held_max", "held_seconds")
_SPEEDS = ("characters_per_second", "tokens_per_second")
_COUNTED = ("finishes", "policies", "findings", "blocks", "errors")
_SUMMED = ("characters_in", "characters_out", "input_tokens", "output_tokens")


class _Stream(BaseModel):
    """The measurements that are taken from the record of a stream."""

    model_config = ConfigDict(allow_inf_nan=False)

    policy: str
    fingerprint: str
    finish: str
    started: str = ""
    findings: list[Finding]
    seconds: float
    characters_in: int
    characters_out: int
    held_max: int
    held_seconds: float
    blocked_by: str | None = None
    error: str | None = None
    first_received: float | None = None
    first_released: float | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None


@dataclass(slots=True)
class Report:
    """Counts over records, and their measurements by name.

    `days` counts `streams`, `findings` and `blocked` by the day (in UTC) on which the streams
    began. `unfinished` are streams that began and have not ended: they are still running, or their
    process was killed. `torn` are lines that are not records.
    """

    streams: int = 0
    torn: int = 0
    unfinished: int = 0
    days: dict[str, Counter[str]] = field(default_factory=dict)
    finishes: Counter[str] = field(default_factory=Counter)
    policies: Counter[str] = field(default_factory=Counter)
    findings: Counter[str] = field(default_factory=Counter)
    blocks: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    characters_in: int = 0
    characters_out: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    measured: dict[str, list[float]] = field(
        default_factory=lambda: {name: [] for name in (*_MEASURED, *_SPEEDS)}
    )

    def add(self, stream: _Stream) -> None:
        """Count a stream that has ended."""
        self.streams += 1
        self.finishes[stream.finish] += 1
        self.policies[f"{stream.policy or '-'}@{stream.fingerprint}"] += 1
        found = counted(stream.findings)
        self.findings.update(f"{each.rule} ({each.action})" for each in found)
        if stream.blocked_by:
            self.blocks[stream.blocked_by] += 1
        if stream.error:
            self.errors[stream.error] += 1
        day = self.days.setdefault(stream.started[:10] or "-", Counter())
        day["streams"] += 1
        day["findings"] += len(found)
        day["blocked"] += stream.finish == "content_filter"
        for name in _SUMMED:
            setattr(self, name, getattr(self, name) + (getattr(stream, name) or 0))
        self._measure(stream)

    def _measure(self, stream: _Stream) -> None:
        for name in _MEASURED:
            value = getattr(stream, name)
            if value is not None:
                self.measured[name].append(value)
        if stream.seconds > 0:
            speed = stream.characters_out / stream.seconds
            self.measured["characters_per_second"].append(speed)
            if stream.output_tokens is not None:
                self.measured["tokens_per_second"].append(stream.output_tokens / stream.seconds)

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON values, with percentiles of what was measured."""
        return {
            "streams": self.streams,
            "torn": self.torn,
            "unfinished": self.unfinished,
            "days": {day: dict(counts) for day, counts in sorted(self.days.items())},
            **{name: dict(getattr(self, name).most_common()) for name in _COUNTED},
            **{name: getattr(self, name) for name in _SUMMED},
            **{name: percentiles(values) for name, values in self.measured.items()},
        }

    def lines(self) -> Iterator[str]:
        """Yield the report for people to read."""
        yield f"streams {self.streams}, unfinished {self.unfinished}, torn lines {self.torn}"
        yield f"characters in {self.characters_in}, out {self.characters_out}"
        yield f"tokens in {self.input_tokens}, out {self.output_tokens}"
        for name in _COUNTED:
            counted: Counter[str] = getattr(self, name)
            if counted:
                yield f"{name}:"
                yield from (f"  {count:>8}  {key}" for key, count in counted.most_common())
        if self.streams:
            yield f"{'':<24}{'p50':>12}{'p95':>12}{'p99':>12}"
        for name, values in self.measured.items():
            cells = "".join(f"{value:>12.3f}" for value in percentiles(values).values())
            if cells:
                yield f"{name:<24}{cells}"


def report(paths: Iterable[str]) -> Report:
    """Summarise the audit logs at `paths`, in any order. OSError if one cannot be read."""
    found = Report()
    begun: set[str] = set()
    ended: set[str] = set()
    for path in paths:
        for record in read_audit(path):
            if isinstance(record, Torn):
                found.torn += 1
                continue
            here, there = (begun, ended) if record.get("begins") else (ended, begun)
            if record["id"] in there:
                there.discard(record["id"])
            else:
                here.add(record["id"])
            if here is ended:
                _add(found, record)
    found.unfinished = len(begun)
    return found


def _add(found: Report, record: dict[str, Any]) -> None:
    try:
        found.add(_Stream.model_validate(record))
    except ValidationError:
        found.torn += 1


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """Return the median, the 95th and the 99th percentile; an empty mapping if there are
    no values."""
    if not values:
        return {}
    if len(values) == 1:
        return dict.fromkeys(("p50", "p95", "p99"), values[0])
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    return {"p50": cuts[49], "p95": cuts[94], "p99": cuts[98]}
