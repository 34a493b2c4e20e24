"""Compiles specs to readers: functions that find the relevant leaves of an event.

Each spec is compiled once, into closures that only know their own fields: metadata costs a look-up,
and only objects and lists that can contain something are entered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from enum import Enum
from functools import partial
from numbers import Number
from typing import Any, NamedTuple, TypeAlias

from guardstream.errors import AdapterError
from guardstream.formats.toolkit.fields import BYTES, LISTS, fields_of, has_text, names_in
from guardstream.formats.toolkit.marks import KNOWN, MADE_UP, is_mark
from guardstream.formats.toolkit.nodes import (
    ABOUT,
    ITEM,
    MARK,
    PADDED,
    PASSED,
    UNKNOWN,
    Arguments,
    Each,
    Either,
    Items,
    Leaf,
    Mirror,
    OneOf,
    Path,
    Spec,
    Tree,
    Values,
    holds_data,
)
from guardstream.formats.toolkit.paths import Key, Steps, spoken
from guardstream.framing.padding import is_padding


class Found(NamedTuple):
    """A leaf with a value, its steps, and the positions in lists on the way to it.

    For an item of `Each`, the value is the end of the range of its leaves. `mirrors` says that the
    leaf is in a Mirror.
    """

    leaf: Leaf
    value: Any
    steps: Steps
    path: Path
    mirrors: bool = False


def relabelled(
    found: Sequence[Found], leaf: Leaf, new: Leaf, applies: Callable[[Found], bool]
) -> Sequence[Found]:
    """Return the findings, with `new` in place of `leaf` for those to which that `applies`.

    None is left out, because findings are identified by their positions.
    """
    return [
        each._replace(leaf=new) if each.leaf is leaf and applies(each) else each for each in found
    ]


class Findings(list[Found]):
    """The findings in an event, in order, and whether there is unknown text or a mirror among them.

    `marks` says that there is a string in place of a mark that could be text. The paths in
    `passing`, and anything below them, are not inspected. `fields` are the unknown fields by name,
    with the steps to their object.
    """

    passing: Set[str] = frozenset()

    def __init__(self) -> None:
        super().__init__()
        self.fields: list[tuple[Steps, str]] = []

    unknown = False  # rarely set: nearly every event has none
    marks = False
    mirrors = False


Reader: TypeAlias = Callable[[Any, Steps, Path, Findings], None]
"""Adds the findings in a value, which is not empty and is at the end of the steps."""


class _Compiler:
    """Compiles each spec once; specs share parts and may be recursive."""

    def __init__(self) -> None:
        self._made: dict[int, tuple[Spec, list[Reader | None]]] = {}

    def reader(self, spec: Spec) -> Reader | None:
        """Return a spec's reader; None for a mark, which is inspected only if it does not look like
        one."""
        if isinstance(spec, Leaf):
            if spec is PASSED:
                return _read_inside
            if spec is PADDED:
                return _read_padding
            if spec.kind == "meta":
                return None
            if spec.kind == "skip":
                return _skip
            return _read_number if spec.kind == "number" else _leaf_reader(spec)
        known = self._made.get(id(spec))
        if known is not None:
            cell = known[1]
            return cell[0] if cell else _later(cell)
        cell = []
        self._made[id(spec)] = (spec, cell)  # keeps the object alive, so that its id stays unique
        cell.append(self._make(spec))
        return cell[0]

    def _make(self, spec: Spec) -> Reader:
        if isinstance(spec, Arguments):
            return _leaf_reader(spec.leaf)
        if isinstance(spec, Tree):
            return partial(_read_tree, spec)
        if isinstance(spec, Either):
            return _either_reader(self.reader(spec.text), self.reader(spec.other))
        if isinstance(spec, Items):
            return _items_reader(_list_reader(self.reader(spec.item)), self.reader(spec.other))
        if isinstance(spec, OneOf):
            KNOWN.update(spec.specs)
            readers = {kind: self.reader(each) for kind, each in spec.specs.items()}
            known = spec.other is not None
            return _choice_reader(spec.key, readers, known, self.reader(spec.other or {}))
        if isinstance(spec, Mirror):
            return _mirror_reader(self.reader(spec.other))
        if isinstance(spec, Each):
            return _list_reader(_item_reader(self.reader(spec.item)))
        if isinstance(spec, Values):
            return _values_reader(self.reader(spec.value))
        if isinstance(spec, list):
            return _list_reader(self.reader(spec[0]))
        assert isinstance(spec, dict)
        readers = {name: self._field(name, inner) for name, inner in spec.items()}
        whole = frozenset(name for name, inner in spec.items() if isinstance(inner, Arguments))
        return _object_reader(readers, whole)

    def _field(self, name: str, spec: Spec) -> Reader | None:
        if name in _COUNTS and isinstance(spec, Leaf) and spec.kind in ("meta", "keep"):
            return _counts_reader(spec)
        return self.reader(spec)


_COUNTS = frozenset({"usage", "usage_metadata", "usageMetadata"})
"""Fields of objects with counts, in many chunks: the names that providers use in them are known."""

_MARKS = frozenset({"modality", "service_tier", "serviceTier", "trafficType", "traffic_type"})
_MARKS |= {"inference_geo", "type", "model"}
"""Strings that describe a count."""

_COUNTED = _MARKS | frozenset(
    {
        *(f"{what}_tokens" for what in ("prompt", "completion", "total", "input", "output")),
        *(f"{what}_tokens_details" for what in ("prompt", "completion", "input", "output")),
        *(f"{what}_tokens" for what in ("cached", "audio", "text", "image", "reasoning", "video")),
        *(f"{what}_prediction_tokens" for what in ("accepted", "rejected")),
        *("cache_creation_input_tokens", "cache_read_input_tokens", "cache_creation"),
        *("ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens", "cache_write_tokens"),
        *("server_tool_use", "web_search_requests", "web_fetch_requests", "iterations"),
        *(f"{what}_time" for what in ("queue", "prompt", "completion", "total")),
        *("cost", "cost_details", "is_byok", "upstream_inference_cost", "num_sources_used"),
        *("prompt_cache_hit_tokens", "prompt_cache_miss_tokens", "search_context_size"),
        *(
            f"{what}TokenCount"
            for what in ("prompt", "candidates", "total", "thoughts", "toolUsePrompt")
        ),
        *(f"{what}TokensDetails" for what in ("prompt", "candidates", "cache", "toolUsePrompt")),
        *("cachedContentTokenCount", "tokenCount"),
        *("inputTokens", "outputTokens", "totalTokens"),
        *("cacheReadInputTokens", "cacheWriteInputTokens"),
    }
)
"""Providers' names of counts; other names are judged."""

compiled = _Compiler().reader
"""Returns a spec's reader; None for a mark."""


def _skip(value: Any, steps: Steps, path: Path, found: Findings) -> None:
    """Find nothing."""


def _later(cell: list[Reader | None]) -> Reader:
    """Return a reader in place of one that is still being compiled, as for a recursive spec."""

    def read(value: Any, steps: Steps, path: Path, found: Findings) -> None:
        (cell[0] or _read_mark)(value, steps, path, found)

    return read


def _leaf_reader(leaf: Leaf) -> Reader:
    if leaf is UNKNOWN:
        return read_unknown

    # Streamed values are text. Others are guarded by their paths, so that their pieces are joined.
    streams = (leaf.kind == "delta" and leaf.channel != "tool_args") or leaf.kind == "name"
    about = leaf.kind in ("keep", "end")

    def read(value: Any, steps: Steps, path: Path, found: Findings) -> None:
        if streams and type(value) is not str and not isinstance(value, str):
            read_unknown(value, steps, path, found)
        else:
            found.append(Found(leaf, value, steps, path))
            if about and type(value) not in _NUMBERS:
                _read_mark(value, steps, path, found)

    return read


_SCALARS = frozenset({str, int, float, bool})


def _read_mark(value: Any, steps: Steps, path: Path, found: Findings) -> None:
    """Find a value in place of a mark, unless it is a mark."""
    if isinstance(value, str):
        if not is_mark(value):
            found.append(Found(MARK, value, steps, path))
            found.marks = True
    elif isinstance(value, BYTES):
        if not _is_binary(value):
            read_unknown(value, steps, path, found)
    elif type(value) not in _SCALARS:
        _read_inside(value, steps, path, found)


def _is_binary(value: Any) -> bool:
    """Return whether bytes are certainly no text that could be read."""
    try:
        return is_mark(str(value, "utf-8"))
    except UnicodeDecodeError:
        return True


def _read_padding(value: Any, steps: Steps, path: Path, found: Findings) -> None:
    if not isinstance(value, str) or not is_padding(value):
        _read_mark(value, steps, path, found)


def _read_inside(value: Any, steps: Steps, path: Path, found: Findings) -> None:
    """Find what is in an object or a list in place of a mark, such as an id or a status."""
    if not isinstance(value, (str, bytes, bool, int, float)):
        read_unknown(value, steps, path, found)


def _counts_reader(leaf: Leaf) -> Reader:
    keeps = leaf.kind == "keep"

    def read(value: Any, steps: Steps, path: Path, found: Findings) -> None:
        if keeps:
            found.append(Found(leaf, value, steps, path))
        _read_counts(value, steps, path, found)

    return read


def _read_counts(value: Any, steps: Steps, path: Path, found: Findings) -> None:
    """Find what is neither a number nor a mark among counts, and unknown names."""
    if isinstance(value, (str, *BYTES)):
        read_unknown(value, steps, path, found)
    elif isinstance(value, LISTS):
        for place, item in enumerate(value):
            _read_counts(item, (steps, place), (*path, place), found)
    elif not isinstance(value, (bool, int, float)):
        named = names_in(value)
        for name, inner in fields_of(value).items():
            if name in named and name not in _COUNTED:
                _read_key(name, steps, path, found)
            if not inner or type(inner) in _NUMBERS:
                continue
            if name in _MARKS and isinstance(inner, str):
                _read_mark(inner, (steps, name), path, found)
            else:
                _read_counts(inner, (steps, name), path, found)


_NUMBERS = frozenset({int, float, bool})


def _read_number(value: Any, steps: Steps, path: Path, found: Findings) -> None:
    if not isinstance(value, (bool, int, float)):
        read_unknown(value, steps, path, found)


_MISSING: Any = object()


def _object_reader(
    readers: Mapping[str, Reader | None], whole: frozenset[str] = frozenset()
) -> Reader:
    """Return a reader of an object by its fields; in those of `whole`, an empty object counts."""
    get = readers.get

    def read(value: Any, steps: Steps, path: Path, found: Findings) -> None:
        fields: Mapping[str, Any]
        if type(value) is dict:
            fields = value
        elif isinstance(value, (str, bytes, list, tuple)):
            read_unknown(value, steps, path, found)
            return
        else:
            fields = fields_of(value)
        for name, inner in fields.items():
            reader = get(name, _MISSING)
            if reader is _MISSING:
                _read_field(name in names_in(value), name, inner, steps, path, found)
            elif inner or (name in whole and type(inner) is dict):
                if reader is not None:
                    reader(inner, (steps, name), path, found)
                elif type(inner) is not str or not (inner in KNOWN or MADE_UP(inner)):
                    _read_mark(inner, (steps, name), path, found)

    return read


def _list_reader(reader: Reader | None) -> Reader:
    def read(value: Any, steps: Steps, path: Path, found: Findings) -> None:
        if not isinstance(value, (list, tuple)):
            read_unknown(value, steps, path, found)
        else:
            each = reader or _read_mark
            for place, item in enumerate(value):
                if item:
                    each(item, (steps, place), (*path, place), found)

    return read


def _values_reader(reader: Reader | None) -> Reader:
    def read(value: Any, steps: Steps, path: Path, found: Findings) -> None:
        if isinstance(value, (str, *BYTES, *LISTS)):
            read_unknown(value, steps, path, found)
            return
        check_readable(value, steps)
        _read_keys(value, steps, path, found, UNKNOWN)
        for name, inner in fields_of(value).items():
            if inner:
                (reader or _read_mark)(inner, (steps, name), path, found)

    return read


_NOTHING = Found(ITEM, 0, (), ())


def _item_reader(reader: Reader | None) -> Reader:
    def read(value: Any, steps: Steps, path: Path, found: Findings) -> None:
        at = len(found)
        found.append(_NOTHING)
        (reader or _read_mark)(value, steps, path, found)
        found[at] = Found(ITEM, len(found), steps, path)

    return read


def _mirror_reader(reader: Reader | None) -> Reader:
    def read(value: Any, steps: Steps, path: Path, found: Findings) -> None:
        start = len(found)
        (reader or _read_mark)(value, steps, path, found)
        found.mirrors = True
        for place in range(start, len(found)):
            if found[place].leaf is not ITEM:
                found[place] = found[place]._replace(mirrors=True)

    return read


def _either_reader(text: Reader | None, other: Reader | None) -> Reader:
    def read(value: Any, steps: Steps, path: Path, found: Findings) -> None:
        reader = text if isinstance(value, str) else other
        (reader or _read_mark)(value, steps, path, found)

    return read


def _items_reader(items: Reader, other: Reader | None) -> Reader:
    def read(value: Any, steps: Steps, path: Path, found: Findings) -> None:
        reader = items if isinstance(value, (list, tuple)) else other
        (reader or _read_mark)(value, steps, path, found)

    return read


def _choice_reader(
    key: str, readers: Mapping[str, Reader | None], known: bool, other: Reader | None
) -> Reader:
    def read(value: Any, steps: Steps, path: Path, found: Findings) -> None:
        kind = fields_of(value).get(key)
        reader = readers.get(kind, _MISSING) if isinstance(kind, str) else _MISSING
        if reader is _MISSING and not known:
            read_unknown(value, steps, path, found)
            return
        reader = other if reader is _MISSING else reader
        (reader or _read_mark)(value, steps, path, found)

    return read


def _read_tree(spec: Tree, value: Any, steps: Steps, path: Path, found: Findings) -> None:
    if isinstance(value, BYTES) and spec.leaf.kind not in ("aside", "unknown"):
        read_unknown(value, steps, path, found)  # such as a picture
    elif isinstance(value, (str, *BYTES)):
        found.append(Found(spec.leaf, value, steps, path))
        found.unknown = found.unknown or spec.leaf is UNKNOWN
    elif isinstance(value, (list, tuple)):
        for place, item in enumerate(value):
            if item:
                _read_tree(spec, item, (steps, place), (*path, place), found)
    elif isinstance(value, (bool, int, float)):
        if type(value) is int and holds_data(spec):
            found.append(Found(spec.leaf._replace(kind="whole"), value, steps, path))
    else:
        _read_fields_of_tree(spec, value, steps, path, found)


def _read_fields_of_tree(spec: Tree, value: Any, steps: Steps, path: Path, found: Findings) -> None:
    check_readable(value, steps)
    _read_keys(value, steps, path, found, spec.leaf)
    typed = type(value) is not dict
    for name, inner in fields_of(value).items():
        if inner and not (typed and type(inner) is int):  # a class may allow no string there
            _read_in_tree(spec, name, inner, (steps, name), path, found)


def _read_in_tree(
    spec: Tree, name: str, value: Any, steps: Steps, path: Path, found: Findings
) -> None:
    if name in spec.meta and isinstance(value, (str, bytes)):
        _read_mark(value, steps, path, found)
    elif name in spec.about:
        found.append(Found(ABOUT, value, steps, path))
    else:
        inner = spec._replace(meta=frozenset()) if name in spec.own else spec
        _read_tree(inner, value, steps, path, found)


def _read_keys(value: Any, steps: Steps, path: Path, found: Findings, leaf: Leaf) -> None:
    """Find the names of a value's fields, as an aside if the value is one."""
    for name in names_in(value):
        _read_key(name, steps, path, found, leaf if leaf.kind == "aside" else UNKNOWN)


def read_unknown(value: Any, steps: Steps, path: Path, found: Findings) -> None:
    """Find each string in an unknown value, and the keys of its objects.

    AdapterError for a value that can only be read once.
    """
    if found.passing and spoken(steps) in found.passing:
        return
    if isinstance(value, (str, *BYTES)):
        if value:
            found.append(Found(UNKNOWN, value, steps, path))
            found.unknown = True
    elif isinstance(value, LISTS):
        for place, item in enumerate(value):
            read_unknown(item, (steps, place), (*path, place), found)
    elif not (value is None or isinstance(value, (bool, int, float, Enum, type))):
        check_readable(value, steps)
        named = names_in(value)
        for name, inner in fields_of(value).items():
            _read_field(name in named, name, inner, steps, path, found)


def check_readable(value: Any, steps: Steps) -> None:
    """Raise AdapterError for a value that can only be read once, or that has no readable
    content."""
    hidden = isinstance(value, Iterable) and not fields_of(value) and not _has_numbers(value)
    if hidden or isinstance(value, Iterator):
        kind = type(value).__qualname__
        raise AdapterError(f"text at {spoken(steps)} cannot be read: it is a {kind!r}")


def _has_numbers(items: Iterable[Any]) -> bool:
    """Return whether an iterable has only numbers, as an array of NumPy."""
    return all(
        item is None
        or isinstance(item, Number)
        or (
            isinstance(item, Iterable)
            and not isinstance(item, (str, *BYTES))
            and _has_numbers(item)
        )
        for item in items
    )


def _read_field(
    named: bool, name: str, value: Any, steps: Steps, path: Path, found: Findings
) -> None:
    """Find the text in an unknown field; its name, too, if it could be any text."""
    if found.passing and spoken((steps, name)) in found.passing:
        return
    if named:
        _read_key(name, steps, path, found)
    found.fields.append((steps, name))
    read_unknown(value, (steps, name), path, found)


def _read_key(name: str, steps: Steps, path: Path, found: Findings, leaf: Leaf = UNKNOWN) -> None:
    """Find the name of a field, which could be any text."""
    if isinstance(name, str) and name:
        found.append(Found(leaf, name, (steps, Key(name)), path))
        found.unknown = found.unknown or leaf is UNKNOWN
    elif has_text(name):
        kind = type(name).__qualname__
        raise AdapterError(f"a key at {spoken(steps)} cannot be read: it is a {kind!r}")
