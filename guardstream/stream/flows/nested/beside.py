"""The values beside the strings in a text, which may tell which texts the strings continue."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence

from guardstream.providers.adapter import Beside
from guardstream.stream.flows.nested.values import Nested

_LEVELS = 6
"""How many objects and lists around a string in larger JSON are looked at."""


def by_events(values: Iterable[Nested]) -> Mapping[object, Sequence[Nested]]:
    """Return the values by event."""
    found: defaultdict[object, list[Nested]] = defaultdict(list)
    for each in values:
        found[each.event].append(each)
    return found


def by_items(values: Iterable[Nested]) -> Mapping[object, Sequence[Nested]]:
    """Return the values in objects, by object, for all objects at any depth in a list."""
    found: defaultdict[object, list[Nested]] = defaultdict(list)
    for each in values:
        if each.key is not None and "[*]" in each.path:
            found[each.around].append(each)
    return found


def around_each(nested: Nested, of: Mapping[object, Sequence[Nested]]) -> Sequence[Nested]:
    """Return the values `of` the innermost objects around a string, outermost first."""
    found: list[Nested] = []
    around = nested.around
    for _ in range(_LEVELS):
        if around is None:
            break
        found[:0] = of.get(around, ())
        around = around.around
    return found


def values_beside(nested: Nested, telling: Collection[Nested]) -> Beside:
    """Return the values of `telling`, except the string itself, each with a name.

    The name is the value's path, after `~` if it is in another event than the string. A value that
    is in none of the objects and lists around the string is also numbered among those of its path,
    and an item of a list around it has its position in the list.
    """
    way = set()
    sought = {each.around for each in telling}
    around = nested.around
    while around is not None and sought:
        if around in sought:
            sought.remove(around)
            way.add(around)
        around = around.around
    found: list[tuple[str, Hashable]] = []
    counts: Counter[str] = Counter()
    for each in telling:
        if each is nested:
            continue
        name = each.path if each.event is nested.event else f"~{each.path}"
        if each.around not in way:
            counts[name] += 1
            name += f"#{counts[name]}"
        elif each.key is None:
            name += f"#{each.position}"
        found.append((name, each.whole))
    return found
