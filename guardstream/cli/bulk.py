"""`guardstream bulk`: files and tables of texts, guarded, measured or compared."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import cast

from guardstream.bulk import BulkError, Job, Report, run
from guardstream.bulk.engines import Engine
from guardstream.bulk.files import Format
from guardstream.bulk.report import FullError
from guardstream.cli.output import MachineError
from guardstream.cli.progress import shown
from guardstream.guard import Guard


def job(
    guard: Guard,
    source: str,
    target: str | None,
    *,
    before: Guard | None = None,
    columns: Sequence[str] | None,
    form: str | None,
    jobs: int,
    engine: str,
    part_size: int,
    overwrite: bool = False,
) -> Job:
    """Return the job for a command's arguments. BulkError if they do not fit together."""
    if target is not None and target.startswith("memory:"):
        raise BulkError(f"{target}: is gone when the command ends: name a file")
    try:
        return Job(
            guard,
            source,
            target,
            before=before,
            columns=tuple(columns) if columns else None,
            format=cast("Format | None", form),
            jobs=jobs,
            engine=cast("Engine", engine),
            part_size=part_size * 1_000_000,
            overwrite=overwrite,
        )
    except ValueError as error:
        raise BulkError(str(error)) from error


def carry_out(asked: Job, what: str, *, as_json: bool) -> Report:
    """Run a job, with a progress bar at a terminal; print its findings."""

    def bar(reports: Iterable[Report], total: int) -> Iterator[Report]:
        return shown(reports, what, total)

    try:
        report = run(asked, bar)
    except FullError as error:
        raise MachineError(str(error)) from error
    if as_json:
        print(json.dumps(report.as_dict(), indent=2, ensure_ascii=False))
    elif asked.before is None:
        _print(report)
    else:
        _print_difference(report)
    return report


def _print(report: Report) -> None:
    print(f"records     {report.records:,}, {report.characters:,} characters")
    print(f"changed     {report.changed:,} ({_share(report.changed, report.records)})")
    print(f"blocked     {report.blocked:,} ({_share(report.blocked, report.records)})")
    total = sum(report.findings.values())
    per = total / report.characters * 100_000 if report.characters else 0.0
    print(f"findings    {total:,}, {per:.2f} in 100,000 characters")
    for (rule, action), number in sorted(report.findings.items(), key=lambda item: -item[1]):
        print(f"  {number:>10,}  {rule} ({action})")


def _print_difference(report: Report) -> None:
    print(f"records     {report.records:,}, {report.characters:,} characters")
    print(f"differ      {report.differ:,} ({_share(report.differ, report.records)})")
    for key in sorted({*report.before, *report.findings}):
        before, after = report.before[key], report.findings[key]
        if before != after:
            rule, action = key
            print(f"  {before:>10,} → {after:,}  {rule} ({action})")
    for place in report.places:
        print(f"  {place}")


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.2f} %" if whole else "–"
