"""What the guard writes, as data: events and bodies with names in place of some values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Missing:
    """Stands for the value of a field that is left out."""


def filled(said: Any, values: Mapping[str, Any]) -> Any:
    """Return something with `values` in place of their names; a field of a Missing one is left
    out."""
    if isinstance(said, Mapping):
        made = {name: filled(each, values) for name, each in said.items()}
        return {name: each for name, each in made.items() if each is not Missing}
    if isinstance(said, list):
        return [filled(each, values) for each in said]
    return values.get(said, said) if isinstance(said, str) else said
