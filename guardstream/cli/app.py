"""The commands and their options; what they do is in a module each."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from guardstream.cli import demo as demo_command
from guardstream.cli import json_verdicts as json_command
from guardstream.cli import run as run_command
from guardstream.errors import GuardstreamError

BAD_INPUT = 2

app = typer.Typer(
    name="guardstream",
    help="Guardrails for token streams.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@app.command()
def run(
    policy: Annotated[str, typer.Argument(help="A policy file, or a pack: guardstream/NAME.")],
    file: Annotated[str, typer.Argument(help="The text, UTF-8; - is standard input.")] = "-",
    chunk: Annotated[
        int | None, typer.Option(min=1, help="Feed so many characters at a time.")
    ] = None,
    findings: Annotated[
        Path | None, typer.Option(help="Write the findings there, as JSON lines.")
    ] = None,
) -> None:
    """Guard a text and print what may be shown: exit 0 clean or masked, 3 blocked, 2 bad input."""
    raise typer.Exit(run_command.run(policy, file, chunk, findings))


@app.command()
def json(
    files: Annotated[
        list[str] | None, typer.Argument(help="The documents, UTF-8; - is standard input.")
    ] = None,
    schema: Annotated[Path | None, typer.Option(help="A JSON Schema, draft 2020-12.")] = None,
    chunk: Annotated[
        int | None, typer.Option(min=1, help="Feed so many characters at a time.")
    ] = None,
    duplicates: Annotated[
        bool, typer.Option("--duplicates", help="Allow an object to name a key twice.")
    ] = False,
) -> None:
    """Say of each file, in a JSON line, whether it is valid: exit 0 all, 3 not all, 2 bad input."""
    raise typer.Exit(json_command.run(schema, files or ["-"], chunk, duplicates=duplicates))


@app.command()
def demo(
    policy: Annotated[str, typer.Option(help="A policy file or pack.")] = "guardstream/chat",
    speed: Annotated[
        float, typer.Option(min=0, help="Times faster than recorded; 0 does not wait at all.")
    ] = 1.0,
) -> None:
    """Replay a recorded stream and show what comes in, what is held, what is released."""
    demo_command.demo(policy, speed)


@app.callback()
def root() -> None:
    """Guardrails for token streams."""


def main() -> None:
    """Run the command line; errors that a user can mend are one line each, without a traceback."""
    try:
        app()
    except GuardstreamError as error:
        print(error, file=sys.stderr)
    except OSError as error:
        print(f"{error.filename or 'guardstream'}: {error.strerror}", file=sys.stderr)
    sys.exit(BAD_INPUT)
