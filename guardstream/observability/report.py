"""What audit logs say in sum: how streams ended, what was found, how long it took."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from guardstream.observability.audit import Torn, read_audit

_MEASURED = ("seconds", "first_received", "first_released", "held_max", "held_seconds")


@dataclass(slots=True)
class Report:
    """Counts over records, and their measurements by name.

    `unfinished` are streams that began and never ended: their process was killed.
    """

    streams: int = 0
    torn: int = 0
    unfinished: int = 0
    finishes: Counter[str] = field(default_factory=Counter)
    policies: Counter[str] = field(default_factory=Counter)
    findings: Counter[str] = field(default_factory=Counter)
    blocks: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    characters_in: int = 0
    characters_out: int = 0
    measured: dict[str, list[float]] = field(
        default_factory=lambda: {name: [] for name in (*_MEASURED, "characters_per_second")}
    )

    def add(self, record: dict[str, Any]) -> None:
        """Count a stream that has ended."""
        self.streams += 1
        self.finishes[record["finish"]] += 1
        self.policies[f"{record['policy'] or '-'}@{record['fingerprint']}"] += 1
        for finding in record["findings"]:
            self.findings[f"{finding['rule']} ({finding['action']})"] += 1
        if record["blocked_by"]:
            self.blocks[record["blocked_by"]] += 1
        if record["error"]:
            self.errors[record["error"]] += 1
        self.characters_in += record["characters_in"]
        self.characters_out += record["characters_out"]
        for name in _MEASURED:
            if record[name] is not None:
                self.measured[name].append(record[name])
        if record["seconds"]:
            speed = record["characters_out"] / record["seconds"]
            self.measured["characters_per_second"].append(speed)

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON values, with percentiles of what was measured."""
        counts = ("finishes", "policies", "findings", "blocks", "errors")
        return {
            "streams": self.streams,
            "torn": self.torn,
            "unfinished": self.unfinished,
            **{name: dict(getattr(self, name).most_common()) for name in counts},
            "characters_in": self.characters_in,
            "characters_out": self.characters_out,
            **{name: percentiles(values) for name, values in self.measured.items()},
        }

    def lines(self) -> Iterator[str]:
        """Yield the report for people to read."""
        yield f"streams {self.streams}, unfinished {self.unfinished}, torn lines {self.torn}"
        yield f"characters in {self.characters_in}, out {self.characters_out}"
        for name in ("finishes", "policies", "findings", "blocks", "errors"):
            counted: Counter[str] = getattr(self, name)
            if counted:
                yield f"{name}:"
                yield from (f"  {count:>8}  {key}" for key, count in counted.most_common())
        yield f"{'':<24}{'p50':>12}{'p95':>12}{'p99':>12}"
        for name, values in self.measured.items():
            cells = "".join(f"{value:>12.3f}" for value in percentiles(values).values())
            if cells:
                yield f"{name:<24}{cells}"


def report(paths: Iterable[str]) -> Report:
    """Summarise audit logs. OSError if one cannot be read."""
    found = Report()
    open_streams: set[str] = set()
    for path in paths:
        for record in read_audit(path):
            if isinstance(record, Torn):
                found.torn += 1
            elif record.get("begins"):
                open_streams.add(record["id"])
            else:
                open_streams.discard(record["id"])
                found.add(record)
    found.unfinished = len(open_streams)
    return found


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """Return the median, the 95th and the 99th percentile; nothing of no values."""
    if not values:
        return {}
    if len(values) == 1:
        return dict.fromkeys(("p50", "p95", "p99"), values[0])
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    return {"p50": cuts[49], "p95": cuts[94], "p99": cuts[98]}
