"""The subset of JSONPath (RFC 9535) that formats need: `$.name`, `['a name']`, `[*]`.

`$.choices[*].delta` leads to a field of each item of a list.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import TypeAlias

Steps: TypeAlias = Sequence[str | None]
"""The names on the way, outermost first; None for each item of a list."""

_STEP = re.compile(r"""\.([^\W\d]\w*)|\['([^'\\]+)'\]|\["([^"\\]+)"\]|\[\*\]""")


def steps_of(path: str) -> Steps:
    """Return the steps of a path. ValueError if it is not one."""
    found = list(_STEP.finditer(path, 1))
    if path[:1] != "$" or not found or "".join(each[0] for each in found) != path[1:]:
        raise ValueError(f"{path!r} is not a path: write $.name, $['a name'] or $.list[*].name")
    return [each[1] or each[2] or each[3] for each in found]


def check_apart(paths: Iterable[str]) -> None:
    """Raise ValueError unless the paths lead to fields that have nothing in common.

    Refused are a path inside the value of another one, paths that disagree about whether a value is
    a list or an object, a path that begins in a list, and one into lists of lists.
    """
    ways = {path: steps_of(path) for path in paths}
    for path, steps in ways.items():
        if steps[0] is None:
            raise ValueError(f"{path!r} begins in a list: a chunk is an object")
        if (None, None) in pairwise(steps):
            raise ValueError(f"{path!r} goes into a list of lists")
    for path, steps in ways.items():
        for other, way in ways.items():
            _check_two(path, steps, other, way)


def check_by(by: str, texts: Iterable[str]) -> None:
    """Raise ValueError if a path leads to items of a list that have no text of their own."""
    lists = steps_of(by).count(None)
    for path in texts:
        if steps_of(path).count(None) < lists:
            raise ValueError(f"{by!r} leads to several values for the one text at {path!r}")


def _check_two(path: str, steps: Steps, other: str, way: Steps) -> None:
    common = 0
    while common < min(len(steps), len(way)) and steps[common] == way[common]:
        common += 1
    if common == len(steps) < len(way):
        raise ValueError(f"{other!r} is inside the value at {path!r}")
    if common < min(len(steps), len(way)) and steps[common] is None:
        raise ValueError(f"{path!r} expects a list where {other!r} expects an object")
