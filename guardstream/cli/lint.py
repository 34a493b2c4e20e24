"""`guardstream lint`: errors and warnings about policies, one line each."""

from __future__ import annotations

from collections.abc import Sequence

from guardstream.errors import PolicyError
from guardstream.policy import Policy
from guardstream.policy.lint import warnings

CLEAN, WARNED, WRONG = 0, 1, 2


def lint(policies: Sequence[str], *, strict: bool) -> int:
    """Print what is wrong and what is doubtful; return the exit status."""
    status = CLEAN
    for name in policies:
        try:
            lines = warnings(Policy.load(name).built)
        except PolicyError as error:
            lines = [_as_error(line) for line in str(error).splitlines()]
            status = WRONG
        for line in lines:
            print(line)
        if lines and strict:
            status = status or WARNED
    return status


def _as_error(line: str) -> str:
    """Mark a `file:line:column: message` as an error, as compilers do."""
    place, separator, message = line.partition(": ")
    return f"{place}: error: {message}" if separator else f"error: {line}"
