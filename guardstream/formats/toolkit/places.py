"""Where in an event a description has its roles, and the values there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from guardstream.formats.toolkit import paths
from guardstream.formats.toolkit.fields import fields_of, replaced
from guardstream.formats.toolkit.nodes import (
    CALL_END,
    CALL_ID,
    CALL_INDEX,
    CALL_NAME,
    Arguments,
    Each,
    Either,
    Items,
    Leaf,
    OneOf,
    Path,
    Spec,
)


class Only(NamedTuple):
    """A step into an object, if its field `key` says `kind`."""

    key: str
    kind: str


Step: TypeAlias = str | Only | None
"""The name of a field, a condition, or None for the items of a list."""

Steps: TypeAlias = tuple[Step, ...]


def leaves(spec: Spec | None, steps: Steps = ()) -> Iterator[tuple[Steps, Leaf]]:
    """Yield the leaves of a description, each with its steps.

    Trees, and what holds itself, have none: their fields have no meaning of their own.
    """
    yield from _leaves(spec, steps, ())


def _leaves(spec: Any, steps: Steps, within: tuple[int, ...]) -> Iterator[tuple[Steps, Leaf]]:
    if isinstance(spec, Leaf):
        yield steps, spec
    elif id(spec) not in within:
        for more, inner in _parts(spec):
            yield from _leaves(inner, (*steps, *more), (*within, id(spec)))


def _parts(spec: Any) -> Iterable[tuple[Steps, Any]]:
    """Return the parts of a description, each with the steps to it."""
    if isinstance(spec, dict):
        return [((name,), inner) for name, inner in spec.items()]
    if isinstance(spec, OneOf):
        kinds = [((Only(spec.key, kind),), inner) for kind, inner in spec.specs.items()]
        return [*kinds, ((), spec.other)]
    if isinstance(spec, (list, Each)):
        return [((None,), spec[0])]
    if isinstance(spec, Items):
        return [((None,), spec.item), ((), spec.other)]
    if isinstance(spec, (Arguments, Either)):
        return [((), inner) for inner in spec]
    return ()  # a tree, or nothing


def ways_to(value: Any, steps: Steps, way: paths.Steps = ()) -> Iterator[tuple[paths.Steps, Any]]:
    """Yield the values at the end of some steps, each with the way to it."""
    for at, step in enumerate(steps):
        if step is None:
            items = value if isinstance(value, (list, tuple)) else ()
            for place, item in enumerate(items):
                yield from ways_to(item, steps[at + 1 :], (way, place))
            return
        if isinstance(step, Only):
            if fields_of(value).get(step.key) != step.kind:
                return
        elif value is None or isinstance(value, (str, list, tuple)):
            return
        else:
            value, way = fields_of(value).get(step), (way, step)
    if value is not None:
        yield way, value


def values_at(value: Any, steps: Steps) -> Iterator[tuple[Path, Any]]:
    """Yield the values at the end of some steps, each with its positions in lists."""
    for way, found in ways_to(value, steps):
        yield paths.places(way), found


def value_at(value: Any, steps: Steps) -> Any:
    """Return the first value at the end of some steps; None if there is none."""
    return next((found for _, found in values_at(value, steps)), None)


def outer(steps: Steps) -> Steps:
    """Return the steps to the items of the outermost list; none without a list."""
    return steps[: steps.index(None) + 1] if None in steps else ()


def way_at(steps: Steps, place: int) -> paths.Steps:
    """Return the way of some steps, at one position in each list."""
    way: paths.Steps = ()
    for step in steps:
        if not isinstance(step, Only):
            way = (way, place if step is None else step)
    return way


def with_value(value: Any, steps: Steps, new: Any) -> Any:
    """Return a copy of `value` with `new` at the end of some steps, in each item of lists."""
    step, *rest = (each for each in steps if not isinstance(each, Only))
    if step is None:
        return [with_value(item, tuple(rest), new) if rest else new for item in value or [{}]]
    value = {} if isinstance(value, (str, list, tuple)) else value
    fields = fields_of(value)
    inner = with_value(fields.get(step) or {}, tuple(rest), new) if rest else new
    return replaced(value, {step: inner})


@dataclass(frozen=True, slots=True)
class CallPlace:
    """Where calls are: the steps to the object of one, and in it those to what it says of itself.

    `arguments` are the steps to all fields that may have them; `is_whole` if they come in one
    piece.
    """

    steps: Steps
    index: Steps | None
    id: Steps | None
    name: Steps | None
    end: Steps | None
    arguments: Sequence[Steps]
    is_whole: bool
    field: str


def call_places(spec: Spec) -> Sequence[CallPlace]:
    """Return where a description has calls; none if it does not say which they are."""
    told: dict[Steps, dict[str, Steps]] = {}
    texts: dict[Steps, list[tuple[Steps, Leaf]]] = {}
    known = {CALL_INDEX: "index", CALL_ID: "id", CALL_NAME: "name", CALL_END: "end"}
    for steps, each in leaves(spec):
        around, within = _parted(steps)
        if each in known:
            told.setdefault(around, {})[known[each]] = within
        elif each.channel == "tool_args":
            texts.setdefault(around, []).append((within, each))
    field = next((leaf.field for each in texts.values() for _, leaf in each), "arguments")
    found = []
    for around in {**told, **texts} if told else ():
        of, own = told.get(around, {}).get, texts.get(around, ())
        found.append(
            CallPlace(
                around,
                index=of("index"),
                id=of("id"),
                name=of("name"),
                end=of("end"),
                arguments=[steps for steps, _ in own],
                is_whole=any(leaf.kind == "whole" for _, leaf in own),
                field=own[0][1].field if own else field,
            )
        )
    return found


def _parted(steps: Steps) -> tuple[Steps, Steps]:
    """Return the steps to the innermost item of a list, or to the event, and the rest."""
    cut = max((at + 1 for at, step in enumerate(steps) if step is None), default=0)
    while cut < len(steps) and isinstance(steps[cut], Only):
        cut += 1
    return steps[:cut], steps[cut:]


def said_of(call: Any, place: CallPlace) -> Mapping[str, Any]:
    """Return what the object of a call says: its index, id, name, and its arguments."""
    roles = {"index": place.index, "id": place.id, "name": place.name, "end": place.end}
    said = {role: value_at(call, steps) for role, steps in roles.items() if steps is not None}
    return said | {
        "arguments": next((value_at(call, each) for each in arguments_in(call, place)), None)
    }


def arguments_in(call: Any, place: CallPlace) -> list[Steps]:
    """Return the steps to the arguments that a call has."""
    return [each for each in place.arguments if value_at(call, each) is not None]
