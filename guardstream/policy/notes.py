"""What there is to say about a policy, each with its place: all errors, or else all warnings."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from guardstream.errors import PolicyError
from guardstream.policy.build import Built
from guardstream.policy.lint import warnings

_PLACE = re.compile(r"(.+?):(\d+):(\d+): (?:warning: )?(.*)", re.DOTALL)


class Note(NamedTuple):
    """One thing to say about a policy; both numbers count from 1, the column in code points."""

    file: str
    line: int
    column: int
    level: str
    message: str


def notes(
    name: str, load: Callable[[], Built], doubts: Callable[[Built], list[str]] = warnings
) -> Iterator[Note]:
    """Load the policy `name`; say what is wrong with it, or what is doubtful if nothing is."""
    try:
        built = load()
    except PolicyError as error:
        for line in str(error).splitlines():
            yield _note(line, "error", name)
    else:
        for line in doubts(built):
            yield _note(line, "warning", name)


def _note(line: str, level: str, name: str) -> Note:
    found = _PLACE.fullmatch(line)
    if found is None:
        return Note(name, 1, 1, level, line)
    return Note(found[1], int(found[2]), int(found[3]), level, found[4])
