"""Which sources of public cases rules are written with, and which they are only measured on."""

from __future__ import annotations

import tomllib
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal, TypeAlias

Side: TypeAlias = Literal["development", "reported"]

HERE = Path(__file__).resolve().parent

SPLITS: dict[str, dict[Side, list[str]]] = tomllib.loads(
    (HERE / "splits.toml").read_text(encoding="utf-8")
)


def side(name: str, source: str) -> Side | None:
    """Which side of the set `name` a source is on; None if it is not measured."""
    sides = SPLITS[name]
    order: tuple[Side, Side] = ("development", "reported")
    for each in order:
        if any(_is(source, pattern) for pattern in sides[each]):
            return each
    return None


def listed(path: str) -> frozenset[str]:
    """The names in a list beside the file of splits."""
    lines = (HERE / path).read_text(encoding="utf-8").splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#"))


def _is(source: str, pattern: str) -> bool:
    if pattern.startswith("@"):
        return source in listed(pattern[1:])
    return fnmatchcase(source, pattern)
