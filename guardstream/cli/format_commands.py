"""The commands of `guardstream formats`, and their options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from guardstream.cli.running import Commands


class _Formats(Commands):
    """`formats` alone lists them, and `formats NAME` shows one."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Name the command that is meant."""
        if not args:
            args = ["list"]
        elif args[0] not in self.commands and not args[0].startswith("-"):
            args = ["show", *args]
        return super().parse_args(ctx, args)


formats = typer.Typer(
    name="formats",
    cls=_Formats,
    help="List the formats of streams, show how one is described, and try one on a recording.",
    rich_markup_mode=None,
)


@formats.command("list")
def list_() -> None:
    """List all formats: the name, and what it reads."""
    from guardstream.cli import formats as command

    typer.echo(command.listed())


@formats.command()
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A format, such as openai_chat.")],
) -> None:
    """Print how a format is described, in the language of a policy's `formats`."""
    from guardstream.cli import formats as command

    typer.echo(command.shown(name))


@formats.command("try")
def try_(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="A format; - takes the one that the first event shows."
        ),
    ],
    file: Annotated[
        str,
        typer.Argument(metavar="FILE", help="A recording: the bytes as they came; - is stdin."),
    ],
    policy: Annotated[
        Path | None, typer.Option(help="The policy whose `formats` describe it.")
    ] = None,
) -> None:
    """Show what a format reads in each event of a recording, and the texts that come out."""
    from guardstream.cli import formats as command

    for line in command.tried(None if name == "-" else name, file, policy):
        typer.echo(line)
