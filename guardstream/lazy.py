"""Lazily imported names (PEP 562), so that a program loads only the modules that it uses."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any


def exporting(
    package: str, homes: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return the `__getattr__` and `__dir__` (PEP 562) of a package whose names live elsewhere.

    `homes` has the module of each name; other names are those of the package's own modules. Type
    checkers read the same imports under TYPE_CHECKING.
    """

    def get(name: str) -> Any:
        home = homes.get(name)
        if home is None:
            return _module(package, name)
        value = getattr(import_module(home), name)
        setattr(sys.modules[package], name, value)  # from now on it is found without asking here
        return value

    def names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *homes})

    return get, names


def _module(package: str, name: str) -> ModuleType:
    """Return a module of a package by its name; AttributeError if there is none."""
    path = f"{package}.{name}"
    if name.startswith("_") or find_spec(path) is None:
        raise AttributeError(f"module {package!r} has no attribute {name!r}")
    return import_module(path)


class LazyMapping(Mapping[str, Any]):
    """A mapping whose values are named as `module:attribute`, and imported when they are read.

    After `module:function:argument`, a value is what that function returns for the argument.
    """

    def __init__(self, places: Mapping[str, str]) -> None:
        self._places = dict(places)

    def __getitem__(self, key: str) -> Any:
        module, name, *arguments = self._places[key].split(":")
        value = getattr(import_module(module), name)
        return value(*arguments) if arguments else value

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)
