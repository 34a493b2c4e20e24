"""What tells apart the strings in a text: the values beside each of them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence

from guardstream.providers.adapter import Beside
from guardstream.stream.flows.nested.values import Nested


def by_events(values: Iterable[Nested]) -> Mapping[object, Sequence[Nested]]:
    """Return the values of each event."""
    found: defaultdict[object, list[Nested]] = defaultdict(list)
    for each in values:
        found[each.event].append(each)
    return found


def by_items(values: Iterable[Nested]) -> Mapping[object, Sequence[Nested]]:
    """Return the values of each object that is in a list, or in one that is."""
    found: defaultdict[object, list[Nested]] = defaultdict(list)
    for each in values:
        if each.key is not None and "[*]" in each.path:
            found[each.around].append(each)
    return found


def values_beside(nested: Nested, telling: Collection[Nested]) -> Beside:
    """Return which of some other values tell what a string continues: those in the objects and
    lists around it by their paths there, and the rest by their paths and order in its event, or in
    others."""
    way = set()
    around = nested.around if telling else None
    while around is not None:
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
