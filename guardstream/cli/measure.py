"""Counts the findings of a policy, in texts whose matches are known and in harmless texts.

Counts are kept by source and never added up over sources, because a share over mixed sources
depends more on the mixture than on the policy. A span is found *exactly* (a finding has the same
bounds), *in full* (findings cover it, so nothing of it is shown), or *partly* (a finding overlaps
it). A finding is right if it overlaps a span, or is in a text that is labelled without spans.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from guardstream.cli.datasets import DatasetError, Example
from guardstream.events import Finding
from guardstream.guard import Guard

PIECE = 20_000
"""Code points of a harmless text that are checked at once; a few more, up to the end of a line."""

Span = tuple[int, int]


@dataclass(slots=True)
class Share:
    """A number of hits, and how many there could have been."""

    hits: int = 0
    total: int = 0

    def add(self, hit: bool) -> None:
        """Count one."""
        self.total += 1
        self.hits += hit

    @property
    def percent(self) -> float | None:
        """The share in percent; None if nothing was counted."""
        return 100 * self.hits / self.total if self.total else None

    def __str__(self) -> str:
        return f"{self.percent:5.1f} % ({self.hits}/{self.total})" if self.total else "–"


class Place(NamedTuple):
    """The place of a miss or of a wrong finding; `rule` is empty for a miss."""

    example: Example
    start: int
    end: int
    rule: str = ""


@dataclass(slots=True)
class Rule:
    """The findings of one rule: how many were right, and how many had the bounds of a span."""

    right: Share = field(default_factory=Share)
    exact: Share = field(default_factory=Share)


@dataclass(slots=True)
class Counts:
    """The counts of the texts of one source."""

    texts: int = 0
    positives: Share = field(default_factory=Share)
    negatives: Share = field(default_factory=Share)
    exact: Share = field(default_factory=Share)
    full: Share = field(default_factory=Share)
    partly: Share = field(default_factory=Share)
    findings: Share = field(default_factory=Share)
    rules: dict[str, Rule] = field(default_factory=dict)
    missed: list[Place] = field(default_factory=list)
    wrong: list[Place] = field(default_factory=list)

    @property
    def recall(self) -> float | None:
        """The percentage of spans that are found in full; for a source without spans, of positive
        texts with a finding."""
        return (self.full if self.full.total else self.positives).percent

    def add(self, example: Example, findings: Sequence[Finding]) -> None:
        """Count an example, if it has a label or spans."""
        if example.label is None:
            return
        self.texts += 1
        (self.positives if example.label else self.negatives).add(bool(findings))
        if example.spans is None:
            if example.label and not findings:
                self.missed.append(Place(example, 0, len(example.text)))
        else:
            self._add_spans(example, example.spans, findings)
        for finding in findings:
            self._add_finding(example, finding)

    def _add_spans(
        self, example: Example, spans: Iterable[Span], findings: Sequence[Finding]
    ) -> None:
        bounds = {(finding.start, finding.end) for finding in findings}
        for span in spans:
            whole = inside(span, findings)
            self.exact.add(span in bounds)
            self.full.add(whole)
            self.partly.add(any(_touch(span, finding) for finding in findings))
            if not whole:
                self.missed.append(Place(example, *span))

    def _add_finding(self, example: Example, finding: Finding) -> None:
        spans = example.spans
        right = bool(example.label)
        if spans is not None:
            right = any(_touch(span, finding) for span in spans)
        self.findings.add(right)
        rule = self.rules.setdefault(finding.rule, Rule())
        rule.right.add(right)
        if spans is not None:
            rule.exact.add((finding.start, finding.end) in spans)
        if not right:
            self.wrong.append(Place(example, finding.start, finding.end, finding.rule))


@dataclass(slots=True)
class Kind:
    """The counts of harmless texts of one kind."""

    size: int = 0
    """Bytes of UTF-8."""
    findings: int = 0
    blocks: int = 0
    overflows: int = 0
    rules: dict[str, int] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        """Findings per 100,000 bytes."""
        return self.findings / self.size * 100_000 if self.size else 0.0

    def add(self, finding: Finding) -> None:
        """Count a finding."""
        self.findings += 1
        self.blocks += finding.action == "block"
        self.overflows += finding.kind == "overflow"
        self.rules[finding.rule] = self.rules.get(finding.rule, 0) + 1


def found(guard: Guard, text: str, *, monitor: bool = False) -> list[Finding]:
    """Return the findings in a text; those of monitor rules only with `monitor`."""
    findings = guard.check(text).findings
    return [finding for finding in findings if monitor or finding.action != "monitor"]


def by_source(guard: Guard, examples: Iterable[Example], *, monitor: bool) -> dict[str, Counts]:
    """Return the counts of examples by source, in the order in which the sources first appear."""
    counts: dict[str, Counts] = {}
    for example in examples:
        findings = found(guard, example.text, monitor=monitor)
        counts.setdefault(example.source, Counts()).add(example, findings)
    return {source: each for source, each in counts.items() if each.texts}


def harmless(guard: Guard, folder: Path, *, monitor: bool = False) -> dict[str, Kind]:
    """Return the counts of the texts in a folder, by kind.

    A kind is a subfolder, or a file directly in the folder. OSError if a file cannot be read,
    DatasetError if it is not UTF-8.
    """
    kinds: dict[str, Kind] = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder).parts[0]
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise DatasetError(f"{path}: not valid UTF-8: save it as UTF-8") from error
        kind = kinds.setdefault(name, Kind())
        kind.size += len(text.encode())
        for finding, _ in in_pieces(guard, text, monitor=monitor):
            kind.add(finding)
    return kinds


def in_pieces(guard: Guard, text: str, *, monitor: bool = False) -> Iterator[tuple[Finding, str]]:
    """Yield the findings in a long text, each with the piece that its offsets count in.

    After a finding that ends the stream, the rest is checked as well.
    """
    while text:
        end = text.find("\n", PIECE) + 1 or len(text)
        piece, text = text[:end], text[end:]
        while piece:
            checked = guard.check(piece)
            shown = [each for each in checked.findings if monitor or each.action != "monitor"]
            yield from ((finding, piece) for finding in shown)
            last = max((finding.end for finding in checked.findings), default=0)
            piece = piece[last:] if checked.finish != "stop" and last else ""


def inside(span: Span, findings: Iterable[Finding]) -> bool:
    """Return whether findings cover all of a span together."""
    start, end = span
    for begin, over in sorted((finding.start, finding.end) for finding in findings):
        if begin <= start < over:
            start = over
    return start >= end


def _touch(span: Span, finding: Finding) -> bool:
    return finding.start < span[1] and span[0] < finding.end
