"""`guardstream eval`: how well a policy finds what a dataset says there is.

A span is found if all of it is in findings, a finding is right if it touches a span, a text is
flagged if there is any finding. Findings of monitor rules count only if asked for.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from guardstream.cli.datasets import DatasetError, Example, read
from guardstream.cli.progress import shown
from guardstream.events import Finding
from guardstream.guard import Guard

_SHOWN = 80


@dataclass(slots=True)
class Tally:
    """What was counted; `misses` and `wrong` are lines to print."""

    texts: int = 0
    spans: int = 0
    spans_found: int = 0
    findings: int = 0
    findings_right: int = 0
    positives: int = 0
    positives_flagged: int = 0
    negatives: int = 0
    negatives_flagged: int = 0
    right_by_rule: Counter[str] = field(default_factory=Counter)
    found_by_rule: Counter[str] = field(default_factory=Counter)
    misses: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


def evaluate(
    policy: str,
    dataset: Path,
    *,
    monitor: bool,
    misses: int,
    as_json: bool = False,
    code: Sequence[str] = (),
) -> int:
    """Print recall and precision, whole and per rule, and the misses; return the exit status."""
    guard = Guard.load(policy, allow_code=code)
    tally = Tally()
    for example in shown(read(dataset), "evaluating"):
        findings = [
            finding
            for finding in guard.check(example.text).findings
            if monitor or finding.action != "monitor"
        ]
        _count(tally, example, findings)
    if not tally.texts:
        raise DatasetError(f"{dataset}: no line has a 'label' or 'spans'")
    if as_json:
        print(json.dumps(_as_dict(tally, misses), indent=2))
    else:
        _print(tally, misses)
    return 0


def _as_dict(tally: Tally, misses: int) -> dict[str, Any]:
    """Return the counts as JSON values; each share is that of two counts beside it."""
    rules = {
        rule: {"findings": count, "right": tally.right_by_rule[rule]}
        for rule, count in tally.found_by_rule.most_common()
    }
    counts = asdict(tally)
    for name in ("right_by_rule", "found_by_rule"):
        del counts[name]
    return {
        **counts,
        "rules": rules,
        "misses": tally.misses[:misses],
        "missed": len(tally.misses),
        "wrong": tally.wrong[:misses],
    }


def _count(tally: Tally, example: Example, findings: Sequence[Finding]) -> None:
    if example.label is None:
        return
    tally.texts += 1
    if example.label:
        tally.positives += 1
        tally.positives_flagged += bool(findings)
    else:
        tally.negatives += 1
        tally.negatives_flagged += bool(findings)
    if example.label and not findings and not example.spans:
        tally.misses.append(f"line {example.line}: {_cut(example.text)!r}")
    if example.spans is not None:
        _count_spans(tally, example, example.spans, findings)
    for finding in findings:
        right = _is_right(example, finding)
        tally.findings += 1
        tally.findings_right += right
        tally.found_by_rule[finding.rule] += 1
        tally.right_by_rule[finding.rule] += right
        if not right:
            part = _cut(example.text[finding.start : finding.end])
            tally.wrong.append(f"line {example.line}: {finding.rule}: {part!r}")


def _count_spans(
    tally: Tally,
    example: Example,
    spans: Iterable[tuple[int, int]],
    findings: Sequence[Finding],
) -> None:
    places = {place for finding in findings for place in range(finding.start, finding.end)}
    for start, end in spans:
        tally.spans += 1
        if places.issuperset(range(start, end)):
            tally.spans_found += 1
        else:
            part = _cut(example.text[start:end])
            tally.misses.append(f"line {example.line}: {start}–{end} {part!r}")


def _is_right(example: Example, finding: Finding) -> bool:
    if example.spans is None:
        return bool(example.label)
    return any(finding.start < end and start < finding.end for start, end in example.spans)


def _print(tally: Tally, misses: int) -> None:
    print(f"texts      {tally.texts}")
    if tally.spans:
        print(f"recall     {_share(tally.spans_found, tally.spans)} spans found in full")
    if tally.positives:
        print(f"flagged    {_share(tally.positives_flagged, tally.positives)} of the positives")
    if tally.negatives:
        print(f"flagged    {_share(tally.negatives_flagged, tally.negatives)} of the negatives")
    if tally.findings:
        print(f"precision  {_share(tally.findings_right, tally.findings)} findings right")
    for rule, count in tally.found_by_rule.most_common():
        print(f"  {rule:30} {_share(tally.right_by_rule[rule], count)} right")
    for title, lines in (("missed", tally.misses), ("wrong", tally.wrong)):
        for line in lines[:misses]:
            print(f"{title} {line}")
        if len(lines) > misses:
            print(f"… {len(lines) - misses} more {title}")


def _share(hits: int, total: int) -> str:
    return f"{100 * hits / total:5.1f} % ({hits}/{total})"


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
