"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def to_a_file(path: Path | None) -> Path | None:
    """Refuse `-`, which other programs take for standard output: here it would name a file."""
    if path == Path("-"):
        raise typer.BadParameter("'-' is not a file: name one, or /dev/stderr")
    return path


def to_a_new_file(path: Path) -> Path:
    """Refuse `-` for a file that other commands read later."""
    if path == Path("-"):
        raise typer.BadParameter("'-' is not a file: name one")
    return path


_POLICY = "A policy file, or a pack: guardstream/NAME."

PolicyArgument = Annotated[str, typer.Argument(metavar="POLICY", help=_POLICY)]
BeforeArgument = Annotated[str, typer.Argument(metavar="BEFORE", help=_POLICY)]
AfterArgument = Annotated[str, typer.Argument(metavar="AFTER", help=_POLICY)]
PoliciesArgument = Annotated[
    list[str], typer.Argument(metavar="POLICY", help="Policy files, or packs.")
]
CodeOption = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-code",
        metavar="MODULE:NAME",
        help="Your own code that the policy may use; may be repeated.",
        allow_from_autoenv=False,  # whoever starts it decides what code runs
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
TimelineOption = Annotated[
    Path | None,
    typer.Option(
        callback=to_a_file, help="Draw what came in, was held and went out, to this SVG file."
    ),
]
