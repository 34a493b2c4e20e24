"""`guardstream eval`: whether a policy finds what a dataset marks, and nothing else.

Results are by source, or by kind of harmless text; `guardstream.cli.measure` says what is counted.
Findings of monitor rules count only on request.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from guardstream.cli.datasets import DatasetError, read
from guardstream.cli.measure import Counts, Kind, Place, Rule, Share, by_source, harmless
from guardstream.cli.output import shortened
from guardstream.cli.progress import shown
from guardstream.guard import Guard

_SHOWN = 80

BOUNDS = ("recall", "precision", "negatives", "harmless")
"""The names for `--fail-under`: the first two are minimums, the others maximums."""


@dataclass(frozen=True, slots=True)
class Options:
    """The arguments of a measurement; `bounds` are what its results must reach, by name."""

    policy: str
    dataset: Path | None
    harmless: Path | None
    monitor: bool = False
    bounds: Mapping[str, float] = field(default_factory=dict)
    code: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """The results, and a line for each bound that a source or kind has missed."""

    sources: Mapping[str, Counts]
    kinds: Mapping[str, Kind]
    failed: Sequence[str]


def bounds_of(texts: Iterable[str]) -> dict[str, float]:
    """Parse `NAME=NUMBER`. DatasetError for anything else."""
    bounds: dict[str, float] = {}
    for text in texts:
        name, _, number = text.partition("=")
        try:
            bounds[name] = float(number)
        except ValueError:
            bounds[name] = math.nan
        if name not in BOUNDS or not math.isfinite(bounds[name]):
            raise DatasetError(
                f"--fail-under {text!r} is not known: write NAME=NUMBER, NAME one of "
                f"{', '.join(BOUNDS)}"
            )
    return bounds


def evaluate(options: Options, *, misses: int, as_json: bool) -> int:
    """Print the results; return the exit status: 1 if a bound is missed."""
    outcome = measured(options)
    if as_json:
        print(json.dumps(as_dict(options, outcome), indent=2, ensure_ascii=False))
    else:
        _print(outcome, misses)
    return 1 if outcome.failed else 0


def measured(options: Options) -> Outcome:
    """Return the results. DatasetError if there is no data, or none that a bound applies to."""
    if options.dataset is None and options.harmless is None:
        raise DatasetError("nothing to measure with: name a dataset, or a folder with --harmless")
    guard = Guard.load(options.policy, reload=False, allow_code=options.code, rules_only=True)
    sources: dict[str, Counts] = {}
    if options.dataset:
        examples = shown(read(options.dataset), "evaluating")
        sources = by_source(guard, examples, monitor=options.monitor)
    if options.dataset and not sources:
        raise DatasetError(
            f"{options.dataset}: no line has a 'label' or 'spans': write for each text "
            '"label": 1 or 0, or "spans": [[start, end]]'
        )
    kinds = _harmless(guard, options.harmless, monitor=options.monitor) if options.harmless else {}
    return Outcome(sources, kinds, list(_failed(options.bounds, sources, kinds)))


def _harmless(guard: Guard, folder: Path, *, monitor: bool) -> dict[str, Kind]:
    kinds = harmless(guard, folder, monitor=monitor)
    if not any(kind.size for kind in kinds.values()):
        raise DatasetError(f"{folder}: no folder with texts")
    return kinds


def _failed(
    bounds: Mapping[str, float], sources: Mapping[str, Counts], kinds: Mapping[str, Kind]
) -> Iterable[str]:
    for name, bound in bounds.items():
        values = {
            place: value
            for place, value in _values(name, sources, kinds).items()
            if value is not None
        }
        if not values:
            raise DatasetError(f"--fail-under {name}: nothing was measured that it holds for")
        least = name in ("recall", "precision")
        for place, value in values.items():
            if value < bound if least else value > bound:
                compared = "under" if least else "over"
                yield f"{name} {value:.2f} is {compared} {bound:g}{_of(place)}"


def _values(
    name: str, sources: Mapping[str, Counts], kinds: Mapping[str, Kind]
) -> dict[str, float | None]:
    if name == "recall":
        return {source: counts.recall for source, counts in sources.items()}
    if name == "precision":
        return {source: counts.findings.percent for source, counts in sources.items()}
    if name == "negatives":
        return {source: counts.negatives.percent for source, counts in sources.items()}
    return {name: kind.rate for name, kind in kinds.items()}


def _of(place: str) -> str:
    return f": {place}" if place else ""


# Print


def _print(outcome: Outcome, misses: int) -> None:
    for source, counts in outcome.sources.items():
        print(f"source     {source or '(not said)'}")
        _print_counts(counts)
        for title, places in (("missed", counts.missed), ("wrong", counts.wrong)):
            for place in places[:misses]:
                print(f"{title} {_line(place)}")
            if len(places) > misses:
                print(f"… {len(places) - misses} more {title}")
    for name, kind in outcome.kinds.items():
        print(
            f"harmless   {name}: {kind.rate:.2f} in 100 KB ({kind.findings} in {kind.size} bytes; "
            f"{kind.blocks} blocks, {kind.overflows} overflows)"
        )
        for rule, count in sorted(kind.rules.items()):
            print(f"  {rule:30} {count}")
    for line in outcome.failed:
        print(f"failed     {line}")


def _print_counts(counts: Counts) -> None:
    print(f"texts      {counts.texts}")
    if counts.positives.total:
        print(f"flagged    {counts.positives} of the positives")
    if counts.negatives.total:
        print(f"flagged    {counts.negatives} of the negatives")
    if counts.full.total:
        print(f"recall     {counts.full} spans found in full")
        print(f"exactly    {counts.exact} spans")
        print(f"partly     {counts.partly} spans")
    if counts.findings.total:
        print(f"precision  {counts.findings} findings right")
    for name, rule in _by_size(counts.rules):
        exact = f", {rule.exact} exactly" if rule.exact.total else ""
        print(f"  {name:30} {rule.right} right{exact}")


def _by_size(rules: Mapping[str, Rule]) -> list[tuple[str, Rule]]:
    return sorted(rules.items(), key=lambda item: -item[1].right.total)


def _line(place: Place) -> str:
    example, start, end, rule = place
    part = repr(shortened(example.text[start:end], _SHOWN))
    if rule:
        return f"line {example.line}: {rule}: {part}"
    whole = example.spans is None
    return f"line {example.line}: {part if whole else f'{start}–{end} {part}'}"


# JSON


def as_dict(options: Options, outcome: Outcome) -> dict[str, Any]:
    """Return the results as JSON values; places are lines and spans, without text."""
    return {
        "policy": options.policy,
        "sources": {source: _counts(counts) for source, counts in outcome.sources.items()},
        "harmless": {name: _kind(kind) for name, kind in outcome.kinds.items()},
        "failed": list(outcome.failed),
    }


def _counts(counts: Counts) -> dict[str, Any]:
    return {
        "texts": counts.texts,
        "documents": {"positives": _share(counts.positives), "negatives": _share(counts.negatives)},
        "spans": {
            "exact": _share(counts.exact),
            "full": _share(counts.full),
            "partly": _share(counts.partly),
        },
        "findings": _share(counts.findings),
        "recall": counts.recall,
        "precision": counts.findings.percent,
        "rules": {
            name: {"right": _share(rule.right), "exact": _share(rule.exact)}
            for name, rule in _by_size(counts.rules)
        },
        "missed": [_place(place) for place in counts.missed],
        "wrong": [_place(place) for place in counts.wrong],
    }


def _share(share: Share) -> dict[str, Any]:
    return {"hits": share.hits, "total": share.total, "percent": share.percent}


def _place(place: Place) -> dict[str, Any]:
    fields: dict[str, Any] = {"line": place.example.line, "start": place.start, "end": place.end}
    return fields | {"rule": place.rule} if place.rule else fields


def _kind(kind: Kind) -> dict[str, Any]:
    return {
        "bytes": kind.size,
        "findings": kind.findings,
        "per_100_kb": kind.rate,
        "blocks": kind.blocks,
        "overflows": kind.overflows,
        "rules": kind.rules,
    }
