"""Checks of amounts that a caller passes: whole numbers, and seconds."""

from __future__ import annotations

from numbers import Real


def check_count(name: str, given: object) -> None:
    """Raise TypeError for anything but a whole number, ValueError for one below 1."""
    if isinstance(given, bool) or not isinstance(given, int):
        raise TypeError(f"{name}= needs a whole number, not {type(given).__qualname__!r}")
    if given < 1:
        raise ValueError(f"{name}= needs a whole number, at least 1, not {given}")


def check_seconds(name: str, given: object, *, zero: bool = False, none: str = "") -> None:
    """Raise TypeError for anything but a number, ValueError for one that is not above 0.

    `zero` allows 0, too. `none` says what None means, where it is allowed: "no limit".
    """
    if given is None and none:
        return
    if isinstance(given, bool) or not isinstance(given, Real):
        raise TypeError(f"{name}= needs a number of seconds, not {type(given).__qualname__!r}")
    seconds = float(given)
    if not (seconds >= 0 if zero else seconds > 0):
        least = "of at least 0" if zero else "above 0"
        hint = f"; None is {none}" if none else ""
        raise ValueError(f"{name}= needs a number of seconds {least}, not {given}{hint}")
