"""Decides at which character of a number no continuation can be allowed any more.

The digits of a number do not bound its size while an exponent may follow: `150` may become
`150e-1`. What they determine is which decades of intervals remain: after `15`, the value is between
15 and 16, times some power of ten. A number is refused if none of these contains an allowed value.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import ceil, floor, inf, log10
from typing import Any, TypeAlias

NamedCheck: TypeAlias = tuple[str, Callable[[Any], bool]]
"""A check of a value, with its keyword."""

LONGEST = 20
"""How many characters of a number are judged: a float has 17 digits."""

_MOST = 64  # values compared one by one; with more, only the smallest and the largest count
_KEPT = 1_024  # cached beginnings, because numbers recur

_parts = re.compile(r"(-?)([0-9]*)(?:\.([0-9]*))?(?:[eE]([+-]?)([0-9]*))?").fullmatch


@dataclass(frozen=True, slots=True)
class _Decades:
    """The intervals from `first` to `last`, times ten to the power of each of `low` to `high`.

    A value with a fraction or exponent is rounded to a float, and so are the ends. `point` says
    that the digits are complete and an exponent follows.
    """

    first: int
    last: int
    low: int | None
    high: int | None
    point: bool

    def start(self, power: int) -> float:
        """Return the smallest value."""
        rounded = float(f"{self.first}e{power}")
        return rounded if self.point or power < 0 else min(rounded, self.first * 10**power)

    def end(self, power: int) -> float:
        """Return the largest value."""
        rounded = float(f"{self.last}e{power}")
        return rounded if self.point or power < 0 else max(rounded, self.last * 10**power)


@dataclass(frozen=True, slots=True)
class Digits:
    """The numbers that a schema allows, or a superset: those from `low` to `high`.

    With `step`, only its multiples; with `values`, only these. `zero` says whether zero is allowed,
    `written` whether a fraction or exponent is not. A number that is not written as zero is not
    zero, however small.
    """

    low: float
    high: float
    step: int
    values: tuple[float, ...] | None
    zero: bool
    written: bool
    checks: tuple[NamedCheck, ...]
    known: dict[str, bool] = field(default_factory=dict, compare=False)

    def allows(self, text: str) -> bool:
        """Return whether a number that begins with `text` may be allowed."""
        known = self.known.get(text)
        if known is None:
            known = self._judged(text)
            if len(self.known) < _KEPT:
                self.known[text] = known
        return known

    def _judged(self, text: str) -> bool:
        found = _parts(text)
        assert found
        minus, whole, fraction, sign, power = found.groups()
        if self.written and (fraction is not None or sign is not None):
            return False
        digits = (whole + (fraction or "")).lstrip("0")
        ended = sign is not None
        if not digits:
            return self.zero or (not (ended or (self.written and whole)) and self._some(minus))
        mantissa = int(digits)
        if not self._within(minus, _Decades(mantissa, mantissa + 1, self._least, None, False)):
            return False
        if not ended:
            return True
        shift, places = int(power or 0), len(fraction or "")
        low = None if sign == "-" or not (sign or power) else shift - places
        high = -shift - places if sign == "-" else None
        return self._within(minus, _Decades(mantissa, mantissa, low, high, True))

    @property
    def _least(self) -> int | None:
        return 0 if self.written else None

    def _some(self, minus: str) -> bool:
        """Return whether there is a number of that sign."""
        return any(low <= high for low, high in self._ranges(minus))

    def _within(self, minus: str, decades: _Decades) -> bool:
        return any(
            low <= high and self._meets(decades, low, high) for low, high in self._ranges(minus)
        )

    def _ranges(self, minus: str) -> list[tuple[float, float]]:
        """Return the allowed numbers of that sign as ranges of absolute values, without zero."""
        if self.values is not None:
            sizes = [abs(value) for value in self.values if value and (value < 0) == bool(minus)]
            return [(size, size) for size in sizes]
        low, high = (-self.high, -self.low) if minus else (self.low, self.high)
        low = max(low, self.step)
        if self.step and low < inf:
            low = self._multiple(low)
        return [(low, high)] if high > 0 else []

    def _meets(self, decades: _Decades, low: float, high: float) -> bool:
        """Return whether one of the intervals contains an allowed number from `low` to `high`."""
        if low == inf:
            return True
        power = decades.low
        if low > 0:
            least = floor(log10(low)) - len(str(decades.last)) - 1
            power = least if power is None else max(least, power)
        elif power is None:
            return True
        if power < 0 and self._among(decades, 0, None, low, high):
            return True  # most numbers continue without a fraction
        return self._among(decades, power, -1 if power < 0 else None, low, high)

    def _among(
        self, decades: _Decades, power: int, last: int | None, low: float, high: float
    ) -> bool:
        """The same for the powers from `power` to `last`."""
        ends = [each for each in (last, decades.high) if each is not None]
        while all(power <= each for each in ends):
            start, end = decades.start(power), decades.end(power)
            if start > high:
                return False
            if end >= low and self._holds(decades, power, max(start, low), min(end, high)):
                return True
            power += 1
        return False

    def _holds(self, decades: _Decades, power: int, low: float, high: float) -> bool:
        if not self.step or low == inf or (decades.point and power >= 0):
            return True
        return self._multiple(low) <= high

    def _multiple(self, low: float) -> int:
        """Return the smallest multiple of the step from `low` on."""
        return ceil(low) + -ceil(low) % self.step

    def keyword(self, text: str) -> str:
        """Return the keyword that would refuse the number if it ended here."""
        plain = text.rstrip("eE+-.")
        value: float = 0
        if plain:
            value = int(plain) if plain.lstrip("-").isdigit() else float(plain)
        return next((name for name, check in self.checks if not check(value)), self.checks[0][0])


def digits_of(
    checks: Sequence[NamedCheck],
    bounds: tuple[float, float, bool, bool],
    *,
    step: int = 0,
    written: bool = False,
    values: Sequence[float] | None,
) -> Digits | None:
    """Return what judges the beginnings of numbers by `checks`; None if they require nothing.

    `bounds` are the lowest and the highest number, and whether they are excluded.
    """
    if not checks:
        return None
    low, high, above, below = bounds
    if step:
        low = floor(low) + 1 if above and abs(low) < inf else low
        high = ceil(high) - 1 if below and abs(high) < inf else high
    if values is not None:
        if written:  # how the schema writes its numbers does not matter
            values = [int(value) if value % 1 == 0 else value for value in values]
        values = [value for value in values if all(check(value) for _, check in checks)]
        if len(values) > _MOST:
            low, high, values = min(values), max(values), None
    zero = all(check(0) for _, check in checks)
    kept = None if values is None else tuple(values)
    return Digits(low, high, step, kept, zero, written, tuple(checks))
