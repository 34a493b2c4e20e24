"""Adapters by description: a spec says for each field of an event what it is.

A spec mirrors the event: a dict for an object, a list with one spec for a list, `OneOf` where a
field tells which of several objects it is, and a leaf for what a field holds. It is compiled once:
reading an event gives the leaves that are worth a look, each with its path, and writing rebuilds
nothing but the paths to what changed. Text that no spec knows is found too, by its path.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal, NamedTuple, TypeAlias

from pydantic_core import from_json

from guardstream.errors import AdapterError
from guardstream.providers.adapter import Kind, Piece, Reading, Slot, Unknown
from guardstream.providers.fields import fields_of, replaced, same_or, spelled
from guardstream.providers.parsed import map_parsed
from guardstream.providers.paths import GONE, Key, Steps, places, rebuilt, spoken
from guardstream.providers.unknown import Unknowns


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
_UNKNOWN = Leaf("unknown")


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


class Found(NamedTuple):
    """A leaf that holds something, in an event."""

    leaf: Leaf
    value: Any
    steps: Steps


_AS_VALUE: dict[str, Kind] = {
    "delta": "whole",
    "whole": "whole",
    "copy": "parsed",
    "echo": "parsed",
}
"""The kind of a piece whose leaf should hold text, but holds a value: its JSON, which is whole."""


# Compiling

Reader: TypeAlias = Callable[[Any, Steps, list[Found]], None]
"""Adds what is found in a value that is not empty, and stands at the end of the steps."""


class _Compiler:
    """Makes readers of specs; one for each spec, though specs share parts and may hold themselves."""

    def __init__(self) -> None:
        self._made: dict[int, tuple[Spec, list[Reader | None]]] = {}

    def reader(self, spec: Spec) -> Reader | None:
        """Return a spec's reader; None for what is harmless."""
        if isinstance(spec, Leaf):
            return None if spec.kind == "meta" else _leaf_reader(spec)
        known = self._made.get(id(spec))
        if known is not None:
            cell = known[1]
            return cell[0] if cell else lambda value, steps, found: _call(cell, value, steps, found)
        cell = []
        self._made[id(spec)] = (spec, cell)  # kept, so that its id stays its own
        cell.append(self._make(spec))
        return cell[0]

    def _make(self, spec: Spec) -> Reader:
        if isinstance(spec, Tree):
            return _tree_reader(spec)
        if isinstance(spec, Either):
            return _either_reader(self.reader(spec.text), self.reader(spec.other))
        if isinstance(spec, OneOf):
            readers = {kind: self.reader(each) for kind, each in spec.specs.items()}
            known = spec.other is not None
            return _choice_reader(spec.key, readers, known, self.reader(spec.other or {}))
        if isinstance(spec, list):
            return _list_reader(self.reader(spec[0]))
        assert isinstance(spec, dict)
        return _object_reader({name: self.reader(inner) for name, inner in spec.items()})


def _call(cell: list[Reader | None], value: Any, steps: Steps, found: list[Found]) -> None:
    if cell[0] is not None:
        cell[0](value, steps, found)


_compiled = _Compiler().reader


def _leaf_reader(leaf: Leaf) -> Reader:
    def read(value: Any, steps: Steps, found: list[Found]) -> None:
        found.append(Found(leaf, value, steps))

    return read


_MISSING: Any = object()


def _object_reader(readers: Mapping[str, Reader | None]) -> Reader:
    get = readers.get

    def read(value: Any, steps: Steps, found: list[Found]) -> None:
        fields: Mapping[str, Any]
        if type(value) is dict:
            fields = value
        elif isinstance(value, (str, bytes, list, tuple)):
            return _read_unknown(value, steps, found)
        else:
            fields = fields_of(value)
        for name, inner in fields.items():
            if not inner:
                continue
            reader = get(name, _MISSING)
            if reader is None:
                continue
            if reader is _MISSING:
                _read_unknown(inner, (steps, name), found)
            else:
                reader(inner, (steps, name), found)
        return None

    return read


def _list_reader(reader: Reader | None) -> Reader:
    def read(value: Any, steps: Steps, found: list[Found]) -> None:
        if not isinstance(value, (list, tuple)):
            _read_unknown(value, steps, found)
        elif reader is not None:
            for place, item in enumerate(value):
                if item:
                    reader(item, (steps, place), found)

    return read


def _either_reader(text: Reader | None, other: Reader | None) -> Reader:
    def read(value: Any, steps: Steps, found: list[Found]) -> None:
        reader = text if isinstance(value, str) else other
        if reader is not None:
            reader(value, steps, found)

    return read


def _choice_reader(
    key: str, readers: Mapping[str, Reader | None], known: bool, other: Reader | None
) -> Reader:
    def read(value: Any, steps: Steps, found: list[Found]) -> None:
        kind = fields_of(value).get(key)
        reader = readers.get(kind, _MISSING) if isinstance(kind, str) else _MISSING
        if reader is _MISSING:
            if not known:
                return _read_unknown(value, steps, found)
            reader = other
        if reader is not None:
            reader(value, steps, found)
        return None

    return read


def _tree_reader(spec: Tree) -> Reader:
    leaf, meta, about = spec

    def read(value: Any, steps: Steps, found: list[Found]) -> None:
        if isinstance(value, (str, bytes)):
            found.append(Found(leaf, value, steps))
        elif isinstance(value, (list, tuple)):
            for place, item in enumerate(value):
                if item:
                    read(item, (steps, place), found)
        elif not isinstance(value, (bool, int, float)):
            for name, inner in fields_of(value).items():
                if not inner or (name in meta and isinstance(inner, (str, bytes))):
                    continue
                if name in about:
                    found.append(Found(ABOUT, inner, (steps, name)))
                else:
                    read(inner, (steps, name), found)

    return read


def _read_unknown(value: Any, steps: Steps, found: list[Found]) -> None:
    """Find each string in a value of which nothing is known, and the keys of what it holds."""
    if isinstance(value, (str, bytes)):
        if value:
            found.append(Found(_UNKNOWN, value, steps))
    elif isinstance(value, (list, tuple)):
        for place, item in enumerate(value):
            _read_unknown(item, (steps, place), found)
    elif not (value is None or isinstance(value, (bool, int, float))):
        for name, inner in fields_of(value).items():
            if isinstance(value, dict) and isinstance(name, str) and name:
                found.append(Found(_UNKNOWN, name, (steps, Key(name))))
            _read_unknown(inner, (steps, name), found)


# Adapters


class _Read(NamedTuple):
    """What was found in a chunk, kept for writing it."""

    chunk: Any
    found: Sequence[Found]
    pieces: Sequence[Piece]


class SpecAdapter:
    """The base of adapters that are described by a spec.

    A subclass says `name`, `spec`, how a leaf becomes a slot, and what an event means beyond its
    text; and how to make the chunks of `extra` and `end`.
    """

    name: ClassVar[str]
    spec: ClassVar[Spec]
    repeats = True

    def __init__(self, *, unknown: Unknown = "guard") -> None:
        self._unknowns = Unknowns(self.name, unknown)
        self._reader = _compiled(self.spec)
        self._last: _Read | None = None

    def slot(self, leaf: Leaf, event: Mapping[str, Any], path: Path) -> Slot:
        """Return the slot of a leaf in `event`; it depends on these arguments alone."""
        raise NotImplementedError

    def meaning(self, chunk: Any, event: Mapping[str, Any], pieces: Sequence[Piece]) -> Reading:
        """Return what an event says, given its pieces; the adapter may remember things here."""
        raise NotImplementedError

    def read(self, chunk: Any) -> Reading:
        """Find the text in `chunk`."""
        event = fields_of(chunk)
        return self.meaning(chunk, event, self.pieces(chunk, event))

    def pieces(self, chunk: Any, event: Mapping[str, Any]) -> list[Piece]:
        """Return the pieces of text in `chunk`, in its order."""
        return list(self._read(chunk, event).pieces)

    def write(self, chunk: Any, texts: Sequence[str], *, ends: bool = True) -> Any | None:
        """Return `chunk` with `texts` in place of its own; None if nothing is left to say."""
        read = self._read(chunk, fields_of(chunk))
        before = [piece.text for piece in read.pieces if piece.kind != "aside"]
        after = [t for piece, t in zip(read.pieces, texts, strict=True) if piece.kind != "aside"]
        updates, says = self._updates(read.found, texts, changed=before != after, ends=ends)
        if not (says or _says(read.pieces, texts)):
            return None
        written = rebuilt(chunk, updates)
        return None if written is GONE else written

    def _read(self, chunk: Any, event: Mapping[str, Any]) -> _Read:
        """Read a chunk; what was read last is remembered, since it is often written next."""
        last = self._last
        if last is not None and last.chunk is chunk:
            return last
        found: list[Found] = []
        if chunk and self._reader is not None:
            self._reader(chunk, (), found)
        if any(each.leaf is _UNKNOWN for each in found):
            found = self._unknowns.judged(found, _UNKNOWN)
        pieces: list[Piece] = []
        for leaf, value, steps in found:
            if leaf.kind not in ("keep", "end"):
                pieces += self._pieces_of(leaf, value, steps, event)
        read = self._last = _Read(chunk, found, pieces)
        return read

    def _pieces_of(
        self, leaf: Leaf, value: Any, steps: Steps, event: Mapping[str, Any]
    ) -> Iterator[Piece]:
        if leaf is _UNKNOWN:
            yield Piece(Slot(0, "text", spoken(steps)), _text(value), "unknown")
            return
        if leaf.kind == "about":
            slot = self.slot(_ASIDE, event, places(steps))
            for token in spelled(value):
                yield Piece(slot, token, "aside")
            return
        slot = self.slot(leaf, event, places(steps))
        if isinstance(value, str):
            yield Piece(slot, value, leaf.kind)  # type: ignore[arg-type]
            return
        texts: list[str] = []
        self.map_text(leaf, value, lambda text: texts.append(text) or text)  # type: ignore[func-returns-value]
        kind = _AS_VALUE.get(leaf.kind, leaf.kind)
        for text in texts:
            yield Piece(slot, text, kind)  # type: ignore[arg-type]

    def _updates(
        self, found: Sequence[Found], texts: Sequence[str], *, changed: bool, ends: bool
    ) -> tuple[dict[Steps, Any], bool]:
        """Return what is to be set at which steps, and whether something is said beside text."""
        rest = iter(texts)
        updates: dict[Steps, Any] = {}
        says = False
        for leaf, value, steps in found:
            if leaf.kind == "end" and not ends:
                updates[steps] = None
                continue
            if leaf.kind in ("keep", "end"):
                says = True
                continue
            new = self._new_value(leaf, value, rest, changed=changed)
            if new is not value:
                updates[steps] = new
        return updates, says

    def _new_value(self, leaf: Leaf, value: Any, rest: Iterator[str], *, changed: bool) -> Any:
        if leaf is _UNKNOWN:
            new = next(rest)
            return value if new == _text(value) else _like(value, new)
        if leaf.kind == "about":
            tokens = list(spelled(value))
            same = [next(rest) for _ in tokens] == tokens
            return value if same and not changed else self.without(value)
        return self.map_text(leaf, value, lambda text: next(rest) if text else text)

    @staticmethod
    def without(value: Any) -> Any:
        """Return what stands for a value that spells out text which has changed."""
        return [] if isinstance(value, list) else None

    def map_text(self, leaf: Leaf, value: Any, change: Callable[[str], str]) -> Any:
        """Change a leaf's text; return the very value if it did not change."""
        if isinstance(value, str):
            return same_or(value, change(value))
        if leaf.kind == "parsed":
            return map_parsed(value, change)
        if leaf.kind in _AS_VALUE and not isinstance(value, bytes):
            number = isinstance(value, (bool, int, float))
            return value if number else _map_value(value, change)
        raise AdapterError(f"{self.name}: {leaf.field!r} is not text")


def _text(value: str | bytes) -> str:
    """Return text of which nothing is known; bytes that are no UTF-8 keep their place in it."""
    return value if isinstance(value, str) else value.decode("utf-8", "surrogateescape")


def _like(value: str | bytes, text: str) -> str | bytes:
    return text if isinstance(value, str) else text.encode("utf-8", "surrogateescape")


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


def sibling(chunk: Any, module: str, name: str) -> Any:
    """Return the class `name` of the already imported `module`; AdapterError if it is not there.

    For chunks that are objects of a provider's package, whose other classes are then imported too.
    """
    found = getattr(sys.modules.get(module), name, None)
    if found is None:
        kind = type(chunk).__qualname__
        raise AdapterError(f"no class {name!r} beside {kind!r} to make another chunk of")
    return found
