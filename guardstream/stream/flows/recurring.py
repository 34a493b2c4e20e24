"""Values that recur at one place of a stream, such as a role or a kind in each event.

Joined, they soon look like one long candidate of a pattern without a limit. That it grows too long
means nothing, whereas a text that comes in tokens may be the beginning of a match.
"""

from __future__ import annotations

from collections.abc import Sequence

_OFTEN = 4
"""How often values recur on average, if the longest text that they could be part of is none."""


def note(values: list[str], value: str, memory: int) -> None:
    """Record a value after those before it; at least the last `memory` code points are kept."""
    if value:
        values.append(value)
    if len(values) > 2 * memory:
        del values[:-memory]


def recur(values: Sequence[str], tail: str, text: str) -> bool:
    """Return whether the values at the end of a `tail` are few that recur, alone or with `text`."""
    return _are_few(values, len(tail)) or _are_few([*values, text], len(tail) + len(text))


def _are_few(values: Sequence[str], size: int) -> bool:
    """Return whether the last values, of `size` code points together, are few that recur.

    A text that comes in tokens has others each time, unless they are single characters.
    """
    last: list[str] = []
    for value in reversed(values):
        if size <= 0:
            break
        last.append(value)
        size -= len(value)
    different = set(last)
    if len(different) == 1:
        return len(last) > 1
    return min(map(len, different), default=0) > 1 and len(different) * _OFTEN <= len(last)


def shortened(tail: str, text: str, memory: int) -> str:
    """Return the end of a `tail` of values that recur: half of it, or what `text` leaves room for.

    A pattern without a limit then has no candidate that is too long.
    """
    kept = max(min(memory // 2, memory - len(text)), 0)
    return tail[max(len(tail) - kept, 0) :]
