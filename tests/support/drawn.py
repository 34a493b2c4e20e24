"""Objects that are drawn, as frames."""

from __future__ import annotations

from random import Random
from typing import Any


def drawn(random: Random, depth: int) -> Any:
    """A value of JSON, with marks of JSON in its strings."""
    kind = random.randrange(7 if depth else 5)
    if kind == 5:
        return [drawn(random, depth - 1) for _ in range(random.randrange(4))]
    if kind == 6:
        return {f'{n}}}"[': drawn(random, depth - 1) for n in range(random.randrange(4))}
    return (1.5, True, None, 'a { [ } ] : , " \\ \n é', "")[kind]
