"""The shape of another tool's file: its keys, with the type of each.

Values that do not fit are reported and left out, so that an importer only gets the types that it
expects.
"""

from __future__ import annotations

from math import isfinite
from typing import Any, TypeAlias

from guardstream.hints import nearest

Shape: TypeAlias = Any
"""A type, a list of one shape, a mapping of known keys to shapes, or some of them in a tuple."""

UNUSED = object()
"""The shape of a value, of any type, that has no meaning here."""

ANYTHING = dict[str, Any]
"""The shape of a mapping that is read later."""

_NAMES = {str: "a text", float: "a number", int: "a whole number", bool: "true or false"}


def fitted(value: dict[str, Any], shape: dict[str, Shape], whose: str, notes: list[str]) -> Any:
    """Return the part of a mapping that fits its shape; each note begins with `whose`."""
    return _Fitting(f"{whose}: " if whose else "", notes).mapping(value, shape, "")


class _Fitting:
    def __init__(self, whose: str, notes: list[str]) -> None:
        self._whose = whose
        self._notes = notes

    def mapping(self, value: dict[Any, Any], shape: dict[str, Shape], where: str) -> dict[str, Any]:
        found = {}
        for key, each in value.items():
            name = f"{where}.{key}" if where else str(key)
            if key not in shape:
                meant = nearest(str(key), shape)
                hint = f", did you mean {meant!r}?" if meant else ""
                self._note(f"{name!r} is not known, and left out{hint}")
            elif each is not None and (fit := self._one(each, shape[key], name)) is not None:
                found[key] = fit
        return found

    def _one(self, value: Any, shape: Shape, where: str) -> Any:
        """Return the part of a value that fits; None if nothing does."""
        if shape is UNUSED:
            return value
        shapes = shape if isinstance(shape, tuple) else (shape,)
        for each in shapes:
            if isinstance(each, list) and isinstance(value, list):
                items = [self._one(item, each[0], f"{where}[{i}]") for i, item in enumerate(value)]
                return [item for item in items if item is not None]
            if isinstance(each, dict) and isinstance(value, dict):
                return self.mapping(value, each, where)
            if each is ANYTHING and isinstance(value, dict):
                return value
            if isinstance(each, type) and (fit := _scalar(value, each)) is not None:
                return fit
        self._note(f"{where!r} is left out: it is not {' or '.join(map(_name, shapes))}")
        return None

    def _note(self, note: str) -> None:
        self._notes.append(f"{self._whose}{note}")


def _scalar(value: Any, kind: type) -> Any:
    """Return a value as the type `kind`; a number may be text. None if it does not fit."""
    if isinstance(value, bool):
        return value if kind is bool else None
    if kind is str:
        return str(value) if isinstance(value, (str, int, float)) else None
    if kind is float and isinstance(value, (int, float)):
        return float(value) if abs(value) < 1e300 and isfinite(value) else None
    return value if isinstance(value, kind) else None


def _name(shape: Shape) -> str:
    if isinstance(shape, list):
        return "a list"
    return _NAMES.get(shape, "a mapping") if isinstance(shape, type) else "a mapping"
