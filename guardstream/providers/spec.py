"""Adapters by description: a spec says for each field of an event what it is.

A spec mirrors the event: a dict for an object, a list with one spec for a list, `OneOf` where a
field tells which of several objects it is, and a leaf for what a field holds. A field with text
that the spec does not name is refused, so a new field of a provider is an error, not a hole.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Literal, NamedTuple, TypeAlias

from pydantic_core import from_json

from guardstream.errors import AdapterError
from guardstream.providers.adapter import Kind, Piece, Reading, Slot, Unknown
from guardstream.providers.fields import fields_of, has_text, replaced, same_or, spelled
from guardstream.providers.parsed import map_parsed

__all__ = ["END", "KEEP", "META", "Either", "Leaf", "OneOf", "SpecAdapter", "Tree"]


class Leaf(NamedTuple):
    """What a field holds: text of a kind, or something about the event.

    `meta` is harmless. `keep` is harmless, and worth sending without any text. `about` spells out
    the text once more (log probabilities) and is left out where the text changed, or what else
    it says would be changed. `end` is a reason to finish.
    """

    kind: Kind | Literal["meta", "keep", "about", "end"]
    channel: str = "text"
    field: str = "text"


META, KEEP, ABOUT, END = Leaf("meta"), Leaf("keep"), Leaf("about"), Leaf("end")

_ASIDE = Leaf("about", "text", "logprobs")


class OneOf(NamedTuple):
    """Objects told apart by the value of their field `key`; `other` is for the rest."""

    key: str
    specs: Mapping[str, Any]
    other: Any = None


class Tree(NamedTuple):
    """A value of any shape: each string in it is a text of its own, but for fields in `meta`.

    A field in `meta` that holds more than a string is another one of that name, and is not left
    out. Fields in `about` spell out the event's text once more.
    """

    leaf: Leaf
    meta: frozenset[str] = frozenset()
    about: frozenset[str] = frozenset()


class Either(NamedTuple):
    """Text, or something else."""

    text: Leaf
    other: Any


Spec: TypeAlias = "Leaf | OneOf | Tree | Either | dict[str, Any] | list[Any]"

Path: TypeAlias = tuple[int, ...]
"""The places in the lists that a field stands in, outermost first."""

Visit: TypeAlias = Callable[[Leaf, Any, Path], Any]
"""Called with each leaf that is not meta, its value and path; returns what replaces the value."""

GONE = object()
"""What a visit returns for a value without which the item of a list that it stands in goes too."""

_AS_VALUE: dict[str, Kind] = {
    "delta": "whole",
    "whole": "whole",
    "copy": "parsed",
    "echo": "parsed",
}
"""The kind of a piece whose leaf should hold text, but holds a value: its JSON, which is whole."""


class Walker:
    """Goes through events by a spec. `name` is the adapter's, for messages."""

    def __init__(self, name: str, unknown: Unknown) -> None:
        self._name = name
        self._unknown = unknown

    def walk(self, value: Any, spec: Spec, visit: Visit, path: Path = ()) -> Any:
        """Visit the leaves of `value` in order; return it, copied where something changed."""
        if not value:
            return value
        if isinstance(spec, Leaf):
            return value if spec.kind == "meta" else visit(spec, value, path)
        if isinstance(spec, Tree):
            return self._walk_tree(value, spec, visit, path)
        if isinstance(spec, Either):
            return self.walk(
                value, spec.text if isinstance(value, str) else spec.other, visit, path
            )
        if isinstance(spec, OneOf):
            found = self._chosen(value, spec)
            return value if found is None else self.walk(value, found, visit, path)
        if isinstance(spec, list):
            return self._walk_list(value, spec[0], visit, path)
        return self._walk_object(value, spec, visit, path)

    def _walk_tree(self, value: Any, spec: Tree, visit: Visit, path: Path) -> Any:
        if not value or isinstance(value, (bool, int, float)):
            return value
        if isinstance(value, (list, tuple)):
            items = [self._walk_tree(item, spec, visit, path) for item in value]
            return value if all(a is b for a, b in zip(items, value, strict=True)) else items
        if isinstance(value, (str, bytes)):
            return visit(spec.leaf, value, path)
        updates: dict[str, Any] = {}
        for name, old in fields_of(value).items():
            if name in spec.meta and isinstance(old, (str, bytes)):
                continue
            about = old and name in spec.about
            new = visit(ABOUT, old, path) if about else self._walk_tree(old, spec, visit, path)
            if new is not old:
                updates[name] = new
        return replaced(value, updates) if updates else value

    def _walk_list(self, value: Any, spec: Any, visit: Visit, path: Path) -> Any:
        if not isinstance(value, (list, tuple)):
            self._refuse("a value where a list is expected", value)
            return value
        items = [self.walk(item, spec, visit, (*path, at)) for at, item in enumerate(value)]
        if all(a is b for a, b in zip(items, value, strict=True)):
            return value
        return [item for item in items if item is not GONE]

    def _walk_object(self, value: Any, spec: Mapping[str, Any], visit: Visit, path: Path) -> Any:
        if isinstance(value, (str, bytes, list, tuple)):
            self._refuse("text where an object is expected", value)
            return value
        updates: dict[str, Any] = {}
        for name, old in fields_of(value).items():
            if not old:
                continue
            inner = spec.get(name)
            if inner is None:
                self._refuse(f"field {name!r}", old)
                continue
            new = self.walk(old, inner, visit, path)
            if new is not old:
                updates[name] = new
        if any(new is GONE for new in updates.values()):
            return GONE
        return replaced(value, updates) if updates else value

    def _chosen(self, value: Any, spec: OneOf) -> Any:
        kind = fields_of(value).get(spec.key)
        found = spec.specs.get(kind) if isinstance(kind, str) else None
        found = spec.other if found is None else found
        if found is None:
            what = f"{spec.key} {kind!r}" if isinstance(kind, str) else f"no {spec.key}"
            self._refuse(what, value)
        return found

    def _refuse(self, what: str, value: Any) -> None:
        if self._unknown == "refuse" and has_text(value):
            raise AdapterError(
                f"{self._name}: {what} is not known and may hold text: pass unknown='pass' to let "
                "it through unguarded"
            )


class SpecAdapter:
    """The base of adapters that are described by a spec.

    A subclass says `name`, `spec`, how a leaf becomes a slot, and what an event means beyond its
    text; and how to make the chunks of `extra` and `end`.
    """

    name: ClassVar[str]
    spec: ClassVar[Spec]
    repeats = True

    def __init__(self, *, unknown: Unknown = "refuse") -> None:
        self._walker = Walker(self.name, unknown)

    def slot(self, leaf: Leaf, event: Mapping[str, Any], path: Path) -> Slot:
        """Return the slot of a leaf in `event`; it depends on these arguments alone."""
        raise NotImplementedError

    def meaning(self, chunk: Any, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        """Return what an event says, given its pieces; the adapter may remember things here."""
        raise NotImplementedError

    def read(self, chunk: Any) -> Reading:
        """Find the text in `chunk`."""
        event = fields_of(chunk)
        return self.meaning(chunk, event, self._pieces(chunk, event))

    def write(self, chunk: Any, texts: Sequence[str], *, ends: bool = True) -> Any | None:
        """Return `chunk` with `texts` in place of its own; None if nothing is left to say."""
        pieces = self._pieces(chunk, fields_of(chunk))
        said = [place for place, piece in enumerate(pieces) if piece.kind != "aside"]
        changed = any(pieces[place].text != texts[place] for place in said)
        rest = iter(texts)
        says = _says(pieces, texts)

        def substitute(leaf: Leaf, value: Any, _path: Path) -> Any:
            nonlocal says
            if leaf.kind == "about":
                tokens = list(spelled(value))
                same = [next(rest) for _ in tokens] == tokens
                return value if same and not changed else _left_out(value)
            if leaf.kind == "end" and not ends:
                return None
            if leaf.kind in ("keep", "end"):
                says = True
                return value
            return self._map_text(leaf, value, lambda text: next(rest) if text else text)

        written = self._walker.walk(chunk, self.spec, substitute)
        return written if says and written is not GONE else None

    def _pieces(self, chunk: Any, event: Mapping[str, Any]) -> list[Piece]:
        pieces: list[Piece] = []

        def collect(leaf: Leaf, value: Any, path: Path) -> Any:
            if leaf.kind in ("keep", "end"):
                return value
            if leaf.kind == "about":
                slot = self.slot(_ASIDE, event, path)
                pieces.extend(Piece(slot, token, "aside") for token in spelled(value))
                return value
            slot = self.slot(leaf, event, path)
            kind = leaf.kind if isinstance(value, str) else _AS_VALUE.get(leaf.kind, leaf.kind)

            def note(text: str) -> str:
                pieces.append(Piece(slot, text, kind))  # type: ignore[arg-type]
                return text

            return self._map_text(leaf, value, note)

        self._walker.walk(chunk, self.spec, collect)
        return pieces

    def _map_text(self, leaf: Leaf, value: Any, change: Callable[[str], str]) -> Any:
        if isinstance(value, str):
            return same_or(value, change(value))
        if leaf.kind == "parsed":
            return map_parsed(value, change)
        if leaf.kind in _AS_VALUE and not isinstance(value, bytes):
            number = isinstance(value, (bool, int, float))
            return value if number else _map_value(value, change)
        raise AdapterError(f"{self.name}: {leaf.field!r} is not text")


def _says(pieces: Sequence[Piece], texts: Sequence[str]) -> bool:
    """Tell whether anything is left to say: beside a delta, what repeats text does not count."""
    if any(piece.kind in ("delta", "echo") for piece in pieces):
        said = zip(pieces, texts, strict=True)
        return any(text for piece, text in said if piece.kind in ("delta", "echo", "whole"))
    return any(piece.kind != "aside" for piece in pieces)


def _map_value(value: Any, change: Callable[[str], str]) -> Any:
    """Change a value's JSON; of an item whose value was not released to its end nothing is left."""
    said: list[str] = []

    def note(text: str) -> str:
        said.append(change(text))
        return said[0]

    new = map_parsed(value, note)
    try:
        if new is not value:
            from_json(said[0])
    except ValueError:
        return GONE
    return new


def _left_out(value: Any) -> Any:
    return [] if isinstance(value, list) else None


def sibling(chunk: Any, module: str, name: str) -> Any:
    """Return the class `name` of the already imported `module`; AdapterError if it is not there.

    For chunks that are objects of a provider's package, whose other classes are then imported too.
    """
    found = getattr(sys.modules.get(module), name, None)
    if found is None:
        kind = type(chunk).__qualname__
        raise AdapterError(f"no class {name!r} beside {kind!r} to make another chunk of")
    return found
