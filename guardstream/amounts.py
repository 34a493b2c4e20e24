"""Checks of amounts that a caller passes: whole numbers, and seconds."""

from __future__ import annotations

from numbers import Real


def check_count(name: str, given: object, *, zero: bool = False) -> None:
    """Raise TypeError for anything but a whole number, ValueError for one below 1.

    `zero` allows 0, too.
    """
    if isinstance(given, bool) or not isinstance(given, int):
        raise TypeError(f"{name}= needs a whole number, not {type(given).__qualname__!r}")
    least = 0 if zero else 1
    if given < least:
        raise ValueError(f"{name}= needs a whole number, at least {least}, not {given}")


def check_seconds(name: str, given: object, *, zero: bool = False, none: str = "") -> None:
    """Raise TypeError for anything but a number, ValueError for one that is not above 0.

    `zero` allows 0, too. `none` says what None means, where it is allowed: "no limit".
    """
    check_amount(name, given, "seconds", zero=zero, none=none)


def check_amount(
    name: str, given: object, unit: str, *, zero: bool = False, none: str = ""
) -> None:
    """Check a number of another `unit` as `check_seconds` does."""
    if given is None and none:
        return
    if isinstance(given, bool) or not isinstance(given, Real):
        raise TypeError(f"{name}= needs a number of {unit}, not {type(given).__qualname__!r}")
    amount = float(given)
    if not (amount >= 0 if zero else amount > 0):
        least = "of at least 0" if zero else "above 0"
        hint = f"; None is {none}" if none else ""
        raise ValueError(f"{name}= needs a number of {unit} {least}, not {given}{hint}")
