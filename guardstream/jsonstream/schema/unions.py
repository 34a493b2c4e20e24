"""Bounds how often pydantic tries the values inside a value, in models with untagged unions.

pydantic tries each choice of such a union, and within each choice those of the unions inside: if
they nest, the time is exponential in the depth. The number of tries can be counted in linear time
beforehand.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

Core: TypeAlias = Mapping[str, Any]

_FREE, _TIMES = 500_000, 1_000
"""How many tries are always allowed, about a tenth of a second, and how many per code point of the
text."""

_INNER = ("schema", "json_schema", "lax_schema", "serialization")


class Unions:
    """Counts the tries for the values of one core schema."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._definitions: dict[str, Core] = {}
        self.any = False
        todo: list[Any] = [core]
        while todo:
            each = todo.pop()
            if isinstance(each, Mapping):
                if each.get("type") == "definitions":
                    self._definitions |= {one["ref"]: one for one in each["definitions"]}
                self.any |= each.get("type") == "union"
                todo += (inner for key, inner in each.items() if key not in ("cls", "metadata"))
            elif isinstance(each, list | tuple):
                todo += each

    def too_many(self, value: Any, length: int) -> bool:
        """Return whether a value, written in `length` code points, would be tried too often."""
        if not self.any:
            return False
        try:
            return self._tries(self._core, value, {}) > _FREE + _TIMES * length
        except RecursionError:
            return True

    def _tries(self, core: Core, value: Any, known: dict[tuple[int, int], int]) -> int:
        if not isinstance(value, dict | list):
            return 1
        key = id(core), id(value)
        if key not in known:
            known[key] = 1  # for a schema that leads back to itself with the same value
            known[key] = 1 + self._inside(core, value, known)
        return known[key]

    def _inside(self, core: Core, value: Any, known: dict[tuple[int, int], int]) -> int:
        kind = core["type"]
        if kind == "definition-ref":
            found = self._definitions.get(core["schema_ref"])
            return self._tries(found, value, known) if found else 0
        if kind in ("union", "tagged-union"):
            schemas = [each for each in choices(core) if isinstance(each, Mapping)]
            tries = [self._tries(each, value, known) for each in schemas]
            return sum(tries) if kind == "union" else max(tries, default=0)
        if "fields" in core and kind != "dataclass":  # a dataclass has names in `fields`
            return sum(self._tries(inner, each, known) for inner, each in _members(core, value))
        if isinstance(value, list):
            items = core.get("items_schema")
            if isinstance(items, Mapping):
                return sum(self._tries(items, each, known) for each in value)
            if items:
                return sum(self._tries(items[min(at, len(items) - 1)], each, known)
                           for at, each in enumerate(value))  # fmt: skip
        elif "values_schema" in core and isinstance(value, dict):
            return sum(self._tries(core["values_schema"], each, known) for each in value.values())
        inner = next((core[name] for name in _INNER if isinstance(core.get(name), Mapping)), None)
        if inner is not None and "type" in inner:
            return self._tries(inner, value, known)
        return sum(self._tries(each, value, known) for each in core.get("steps", ()))


def choices(core: Core) -> list[Any]:
    """Return the schemas of a union's choices. A choice that is no schema is the tag of another."""
    found = core["choices"]
    listed = found.values() if isinstance(found, Mapping) else found
    return [each[0] if isinstance(each, tuple) else each for each in listed]


def fields(core: Core) -> Iterable[tuple[str, Core]]:
    """Return the fields of a model, a dataclass or a typed dict, with their names."""
    found = core["fields"]
    return found.items() if isinstance(found, Mapping) else ((each["name"], each) for each in found)


def _members(core: Core, value: Any) -> Iterator[tuple[Core, Any]]:
    """Yield the fields' schemas with the values that they may get."""
    if not isinstance(value, dict):
        return
    for name, field in fields(core):
        alias = field.get("validation_alias", name)
        paths = [alias] if isinstance(alias, str) else [
            path[0] if isinstance(path, list) else path for path in alias
        ]  # fmt: skip
        for key in {name, *paths}:
            if isinstance(key, str) and key in value:
                yield field["schema"], value[key]
