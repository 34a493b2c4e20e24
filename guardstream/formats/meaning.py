"""What a description means: where in an event its roles are, and what these say of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from guardstream.formats.toolkit.fields import fields_of
from guardstream.formats.toolkit.files import described, spec_of
from guardstream.formats.toolkit.nodes import (
    BY,
    CHOICE,
    CLOSES,
    END,
    OPENS,
    REASON,
    USAGE,
    Leaf,
    Path,
)
from guardstream.formats.toolkit.paths import Steps as Way
from guardstream.formats.toolkit.paths import rebuilt
from guardstream.formats.toolkit.places import (
    Only,
    Steps,
    call_places,
    leaves,
    outer,
    said_of,
    value_at,
    values_at,
)

_OPEN = frozenset({"null", "none", "not_finished"})
"""What sources say in place of a reason while an answer goes on, in lower case."""


class Meaning:
    """What a description means: where its roles are."""

    def __init__(self, spec: Any) -> None:
        at: dict[Leaf, list[Steps]] = {}
        self.texts: set[Steps] = set()
        self.placed: list[tuple[Steps, Leaf]] = []  # the texts of deltas
        self.copied: list[tuple[Steps, Leaf]] = []
        self.ends: list[Steps] = []
        for steps, leaf in leaves(spec):
            at.setdefault(leaf, []).append(steps)
            if leaf.kind in ("delta", "copy", "grown"):
                self.texts.add(steps)
            if leaf.kind == "delta":
                self.placed.append((steps, leaf))
            if leaf.kind == "copy":
                self.copied.append((steps, leaf))
            if leaf == END:
                self.ends.append(steps)
        self.choice = next(iter(at.get(CHOICE, ())), None)
        self.by_position = self.choice is None and any(None in steps for steps in self.ends)
        self.choices = self._choices()
        self.reason = next(iter(at.get(REASON, ())), None)
        self.by = at.get(BY, [])
        self.calls = call_places(spec)
        self.closes, self.opens = at.get(CLOSES, []), at.get(OPENS, [])
        self.usages = [steps[0] for steps in at.get(USAGE, ()) if len(steps) == 1]
        self.has_copies = any(leaf.kind in ("copy", "echo", "parsed") for leaf in at)

    def _choices(self) -> tuple[Steps, Steps] | None:
        """Return the steps to the choices, and from one of them to its number; None if there is but
        one."""
        if self.choice is not None:
            return outer(self.choice), self.choice[len(outer(self.choice)) :]
        listed = next((steps for steps in self.ends if None in steps), ())
        return (outer(listed), ()) if self.by_position else None

    def choice_of(self, event: Mapping[str, Any], path: Path) -> int:
        """Return the number of the choice at some positions in lists: what it says, or its
        position among the choices."""
        if self.choices is None:
            return 0
        at, number = self.choices
        listed = None in at
        if listed and not path:
            return 0
        found = _field(event, at[:-1] if listed else at)
        if listed:
            if not isinstance(found, (list, tuple)) or path[0] >= len(found):
                return 0
            found = found[path[0]]
        told = _field(found, number) if number else None
        if isinstance(told, int) and not isinstance(told, bool):
            return told
        return path[0] if listed else 0

    def usage_in(self, found: Sequence[Any]) -> Any:
        """Return the usage object, or an object of its fields, if an event has these."""
        told = {each.steps[1]: each.value for each in found if each.leaf == USAGE and each.value}
        if len(self.usages) > 1:
            return {name: told[name] for name in self.usages if name in told} or None
        return next(iter(told.values()), None)

    def alone(self, chunk: Any, choice: int) -> Any:
        """Return a chunk without the choices that say that they are others."""
        steps = self.choice
        if steps is None or steps.count(None) != 1 or steps[-1] is None:
            return chunk
        at = steps.index(None)
        items = next((each for _, each in values_at(chunk, steps[:at])), ())
        numbers = [next((n for _, n in values_at(item, steps[at + 1 :])), None) for item in items]
        if choice not in numbers or len(numbers) < 2:
            return chunk
        kept = [item for item, number in zip(items, numbers, strict=True) if number == choice]
        way: Way = ()
        for step in steps[:at]:
            way = (way, step)
        return rebuilt(chunk, {way: kept})

    def end_at(self, event: Mapping[str, Any]) -> Steps:
        """Return the steps to the end: those through a list only if there is one."""
        there = (e for e in self.ends if not outer(e) or value_at(event, outer(e)[:-1]))
        return next(there, self.ends[0])

    def calls_in(self, event: Mapping[str, Any]) -> Iterator[tuple[Path, Mapping[str, Any]]]:
        """Yield what each call with a name says, with its positions in lists."""
        for place in self.calls:
            for path, call in values_at(event, place.steps):
                said = said_of(call, place)
                if said.get("name"):
                    yield path, said

    def number_of_call(self, event: Mapping[str, Any], path: Path) -> int:
        """Return the index that a call says, or else its position."""
        number = path[-1] if path else 0
        for place in self.calls:
            if place.index is not None:
                index = (*place.steps, *place.index)
                told = (each for at, each in values_at(event, index) if at == path[: len(at)])
                number = next(told, number)
        return number


def is_end(found: Any) -> bool:
    """Return whether a finding says that an answer ends."""
    leaf = found[0]
    return leaf[0] == "end" and leaf == END and str(found.value).lower() not in _OPEN


def kind_at(steps: Steps) -> str | None:
    """Return the kind that objects have at the end of some steps, where these lead to what tells
    their kind; None if they lead to anything else."""
    *_, before, last = (None, *steps)
    return before.kind if isinstance(before, Only) and before.key == last else None


def leads(event: Mapping[str, Any], steps: Steps) -> bool:
    """Return whether some steps may lead to a value in an event of its kind."""
    for at, step in enumerate(steps):
        if isinstance(step, Only):
            told = (fields_of(value).get(step.key) for _, value in values_at(event, steps[:at]))
            if step.kind not in told:
                return False
    return True


def describe(cls: type[Any], of: str) -> None:
    """Give a class what the file of a format says, except for what it says itself."""
    told = {"name": of, "spec": spec_of(of), **settings_of(described(of).content)}
    for name, value in told.items():
        if name not in vars(cls):
            setattr(cls, name, value)


def settings_of(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the content of a file says besides what events hold, as attributes."""
    end = content.get("end", "")
    last = {"data": end} if isinstance(end, str) else end
    words = {**content.get("words", {})}
    open_word = words.pop("open", None)
    return {
        "sse_end": last["data"],
        "sse_end_name": last.get("event", ""),
        "signs_end": content.get("always_ends", False),
        "by_event": content.get("by_event", False),
        "reasons": content.get("reasons", {}),
        "words": words,
        "word_of_open": open_word,
        "padding": frozenset(content.get("padding", ())),
    }


def _field(value: Any, names: Sequence[Any]) -> Any:
    """Return what is at the end of some names of fields."""
    for name in names:
        value = (value if type(value) is dict else fields_of(value)).get(name)
    return value
