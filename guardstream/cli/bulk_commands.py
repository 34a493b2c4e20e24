"""The commands of `guardstream bulk`, and their options; `bulk` has what they do."""

from __future__ import annotations

from typing import Annotated

import typer

from guardstream.cli.options import (
    AfterArgument,
    BeforeArgument,
    CodeOption,
    JsonOption,
    PolicyArgument,
)
from guardstream.cli.output import check_apart
from guardstream.cli.running import Commands

SourceArgument = Annotated[
    str, typer.Argument(metavar="INPUT", help="A file, a folder, or a pattern: logs/*.jsonl.")
]
ColumnOption = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME", help="A column with texts; all if none is named."),
]
FormatOption = Annotated[
    str | None,
    typer.Option(
        "--format", metavar="FORMAT", help="jsonl, parquet, csv, text, or lines (of text)."
    ),
]
JobsOption = Annotated[int, typer.Option(metavar="N", min=1, help="The number of workers.")]
EngineOption = Annotated[
    str, typer.Option(metavar="local|ray", help="Processes of this machine, or a Ray cluster.")
]
PartOption = Annotated[
    int, typer.Option(metavar="MB", min=1, help="Megabytes that a worker takes at a time.")
]

bulk = typer.Typer(
    name="bulk",
    cls=Commands,
    help="Guard, measure or compare stored texts: JSON lines, CSV, Parquet and text files.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@bulk.command()
def redact(
    policy: PolicyArgument,
    source: SourceArgument,
    target: Annotated[
        str, typer.Argument(metavar="OUTPUT", help="A file, or a folder if the input is one.")
    ],
    column: ColumnOption = None,
    form: FormatOption = None,
    jobs: JobsOption = 1,
    engine: EngineOption = "local",
    part_size: PartOption = 4,
    overwrite: Annotated[bool, typer.Option(help="Replace what is there.")] = False,
    json: JsonOption = False,
    allow_code: CodeOption = None,
) -> None:
    """Write guarded copies of the files; a run that was stopped is continued."""
    from guardstream.bulk.batches import guard_of
    from guardstream.cli import bulk as bulk_command

    check_apart(target, policy)
    job = bulk_command.job(
        guard_of(policy, allow_code or []),
        source,
        target,
        columns=column,
        form=form,
        jobs=jobs,
        engine=engine,
        part_size=part_size,
        overwrite=overwrite,
    )
    bulk_command.carry_out(job, "redacting", as_json=json)


@bulk.command(name="eval")
def survey(
    policy: PolicyArgument,
    source: SourceArgument,
    column: ColumnOption = None,
    form: FormatOption = None,
    jobs: JobsOption = 1,
    engine: EngineOption = "local",
    part_size: PartOption = 4,
    json: JsonOption = False,
    allow_code: CodeOption = None,
) -> None:
    """Show what a policy finds in the files, and write nothing."""
    from guardstream.bulk.batches import guard_of
    from guardstream.cli import bulk as bulk_command

    job = bulk_command.job(
        guard_of(policy, allow_code or []),
        source,
        None,
        columns=column,
        form=form,
        jobs=jobs,
        engine=engine,
        part_size=part_size,
    )
    bulk_command.carry_out(job, "reading", as_json=json)


@bulk.command(name="diff")
def compare(
    before: BeforeArgument,
    after: AfterArgument,
    source: SourceArgument,
    column: ColumnOption = None,
    form: FormatOption = None,
    jobs: JobsOption = 1,
    engine: EngineOption = "local",
    part_size: PartOption = 4,
    json: JsonOption = False,
    allow_code: CodeOption = None,
) -> None:
    """Show in which records two policies differ, and in how many: exit 1 if in any."""
    from guardstream.bulk.batches import guard_of
    from guardstream.cli import bulk as bulk_command

    code = allow_code or []
    job = bulk_command.job(
        guard_of(after, code),
        source,
        None,
        before=guard_of(before, code),
        columns=column,
        form=form,
        jobs=jobs,
        engine=engine,
        part_size=part_size,
    )
    report = bulk_command.carry_out(job, "comparing", as_json=json)
    raise typer.Exit(1 if report.differ else 0)
