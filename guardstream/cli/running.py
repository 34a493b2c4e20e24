"""Runs the command line: errors that a user can fix are one line, and each outcome has an exit
status."""

from __future__ import annotations

import sys
from typing import Any

import typer
from typer.core import TyperGroup

from guardstream.cli.output import MachineError, note, of_system
from guardstream.errors import GuardstreamError

BAD_INPUT = 2
MACHINE = 4
INTERRUPTED = 130
READER_LEFT = 141

_RefusedError: type[Exception] = typer.BadParameter.__mro__[2]
"""Click's ClickException; typer brings a click of its own, or not, by its version."""


class _ReaderLeftError(Exception):
    """The program that reads the output has closed it, as `head` does."""


class Commands(TyperGroup):
    """The commands, each listed with its whole summary."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """List the commands; click would truncate the summaries to one line."""
        rows = [
            (name, (command.help or "").strip().split("\n\n")[0].replace("\n", " "))
            for name, command in ((name, self.get_command(ctx, name)) for name in self.commands)
            if command is not None and not command.hidden
        ]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def invoke(self, ctx: Any) -> Any:
        """Run a command; distinguish a closed output from the errors that click makes of it."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError as error:
            raise _ReaderLeftError from error
        return result


def run(app: typer.Typer) -> int:
    """Run a command and return its exit status; errors that a user can fix have no traceback."""
    try:
        status = app(prog_name="guardstream", standalone_mode=False)
    except _RefusedError as error:
        note(_message(error))
        return BAD_INPUT
    except (GuardstreamError, OSError) as error:
        wrong = of_system(error) if isinstance(error, OSError) else error
        note(wrong)
        return MACHINE if isinstance(wrong, MachineError) else BAD_INPUT
    except _ReaderLeftError:
        return READER_LEFT
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    return status if isinstance(status, int) else 0


def _message(error: Any) -> str:
    """Return click's message about a wrong call in one line, with a hint to the help."""
    path = error.ctx.command_path if getattr(error, "ctx", None) else "guardstream"
    message = " ".join(error.format_message().split()).rstrip(".")
    message = message.replace(": Input should be", ": it should be")  # some typers quote pydantic
    if type(error).__name__ == "NoArgsIsHelpError":  # its message is the whole help
        message = f"name a command: {', '.join(error.ctx.command.commands)}"
    variable = _variable(error)
    if variable is not None:
        message = message.replace(f"'{error.param.opts[0]}'", f"the variable {variable}")
    see = " See" if message.endswith("?") else "; see"
    return f"{path}: {message[:1].lower()}{message[1:]}{see} '{path} --help'"


def _variable(error: Any) -> str | None:
    """Return the environment variable that a wrong value came from; None if it is from a flag."""
    ctx, param = getattr(error, "ctx", None), getattr(error, "param", None)
    if ctx is None or param is None or not ctx.auto_envvar_prefix:
        return None
    source = ctx.get_parameter_source(param.name)
    is_set = getattr(source, "name", "") == "ENVIRONMENT"
    return f"{ctx.auto_envvar_prefix}_{param.name.upper()}" if is_set else None
