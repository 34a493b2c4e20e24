"""Hints for unknown names: the nearest known name, or a list of all."""

from __future__ import annotations

from collections.abc import Collection, Iterable


def nearest(word: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """Return the known name that is most like `word`; None if all are less alike than `cutoff`."""
    from difflib import get_close_matches  # for a mistake alone

    return next(iter(get_close_matches(word, list(known), n=1, cutoff=cutoff)), None)


_OTHER_NAMES = {"regex": "pattern", "regexp": "pattern", "expected": "output"}
"""What other tools call a key."""


def hint(word: str, known: Iterable[str], others: str = "known") -> str:
    """Return the hint for an unknown `word`: the nearest known one, or `others` and the list."""
    known = list(known)
    other = _OTHER_NAMES.get(word)
    close = other if other in known else nearest(word, known)
    return f"did you mean {close!r}?" if close else f"{others}: {', '.join(known)}"


def check_known(name: str, given: object, known: Collection[str]) -> None:
    """Raise ValueError for a value of the argument `name` that is not one of `known`."""
    if given not in known:
        raise ValueError(f"unknown {name} {given!r}: use {' or '.join(map(repr, known))}")
