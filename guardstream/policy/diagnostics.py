"""The diagnostics of a policy, each with its place: all errors, or else all warnings."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from guardstream.errors import PolicyError
from guardstream.policy.build import CompiledPolicy
from guardstream.policy.lint import warnings

_PLACE = re.compile(r"(.+?):(\d+):(\d+): (?:warning: )?(.*)", re.DOTALL)


class Diagnostic(NamedTuple):
    """One diagnostic of a policy; both numbers count from 1, the column in code points."""

    file: str
    line: int
    column: int
    level: str
    message: str


def diagnostics(
    name: str,
    load: Callable[[], CompiledPolicy],
    warn: Callable[[CompiledPolicy], list[str]] = warnings,
) -> Iterator[Diagnostic]:
    """Load the policy `name`; yield its errors, or if it has none, its warnings."""
    try:
        built = load()
    except PolicyError as error:
        for line in str(error).splitlines():
            yield _diagnostic(line, "error", name)
    else:
        for line in warn(built):
            yield _diagnostic(line, "warning", name)


def _diagnostic(line: str, level: str, name: str) -> Diagnostic:
    found = _PLACE.fullmatch(line)
    if found is None:
        return Diagnostic(name, 1, 1, level, line)
    return Diagnostic(found[1], int(found[2]), int(found[3]), level, found[4])
