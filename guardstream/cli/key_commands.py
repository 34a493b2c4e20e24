"""The commands of `guardstream key`, and their options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from guardstream.cli.running import Commands

keys = typer.Typer(
    name="key",
    cls=Commands,
    help="Make keys for the clients of the proxy.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@keys.command()
def new(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Who the key is for, as records name it.")
    ],
    file: Annotated[
        Path | None, typer.Option(help="Add it to this file, the key_file of the section serve.")
    ] = None,
    policy: Annotated[
        str | None,
        typer.Option(help="The policy for all its requests, one of the section's policies."),
    ] = None,
    at_once: Annotated[
        int | None, typer.Option(min=1, help="How many of its requests may run at once.")
    ] = None,
    tokens: Annotated[str | None, typer.Option(help="A token budget, such as 100000/d.")] = None,
    other: Annotated[
        bool, typer.Option("--other", help="Allow paths that the proxy does not know.")
    ] = False,
) -> None:
    """Make a key and print it, once; the proxy needs only its SHA-256."""
    from guardstream.cli import key as key_command

    key_command.new(name, file=file, policy=policy, at_once=at_once, tokens=tokens, other=other)
